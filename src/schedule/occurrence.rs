//! When a job is due. Pure: the time is an argument.
//!
//! Where clocks go forward, a time that does not exist comes at the first moment after the gap; where they go back, a time
//! that exists twice comes once for a fixed hour.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::Job;

/// One time at which a job is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occurrence {
    /// As the cron expression says; names it.
    pub at: Timestamp,
    /// With its jitter.
    pub starts: Timestamp,
    /// It does not start any more.
    pub ends: Timestamp,
}

impl Occurrence {
    /// `20261123T030000Z`; sorts by time.
    pub fn name(&self) -> String {
        self.at.strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    pub fn is_due(&self, now: Timestamp) -> bool {
        self.starts <= now && now < self.ends
    }
}

impl Job {
    /// The first after a moment. None: it has none any more.
    pub fn after(&self, seed: i64, after: Timestamp) -> Option<Occurrence> {
        // What begins later is not looked for minute by minute.
        let after = self.from.map_or(after, |from| after.max(from - SignedDuration::from_secs(1)));
        let found = self.cron.find_next_occurrence(&after.to_zoned(self.zone.clone()), false).ok()?;
        let at = found.timestamp();
        self.until.is_none_or(|until| at <= until).then(|| self.occurrence(seed, at))
    }

    /// The newest that has been due at `now`, of those after `after`, and how many of those before it were.
    pub fn newest_due(&self, seed: i64, after: Timestamp, now: Timestamp) -> Option<(Occurrence, usize)> {
        /// Further back nobody counts.
        const MOST: usize = 1000;
        let mut due = std::iter::successors(self.after(seed, after), |last| self.after(seed, last.at))
            .take_while(|it| it.at <= now)
            .filter(|it| it.starts <= now);
        let first = due.next()?;
        let (mut newest, mut before) = (first, 0);
        for later in due.take(MOST) {
            (newest, before) = (later, before + 1);
        }
        Some((newest, before))
    }

    fn occurrence(&self, seed: i64, at: Timestamp) -> Occurrence {
        let window = SignedDuration::try_from(self.window).unwrap_or(SignedDuration::MAX);
        let jitter = SignedDuration::try_from(self.jitter_of(seed, at)).unwrap_or_default();
        Occurrence { at, starts: at + jitter, ends: at.checked_add(window).unwrap_or(Timestamp::MAX) }
    }

    /// The same on every machine and after every restart: whole seconds below the job's jitter.
    fn jitter_of(&self, seed: i64, at: Timestamp) -> Duration {
        let most = self.jitter.as_secs();
        if most == 0 {
            return Duration::ZERO;
        }
        let drawn = Sha256::digest(format!("{seed} {} {}", self.id, at.as_second()));
        let number = drawn.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        Duration::from_secs(number % most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::parse;

    fn job(keys: &str) -> Job {
        let text = format!("version: 1\njobs:\n- {{ id: a, do: {{ drill: {{ runbook: r.yaml }} }}, {keys} }}\n");
        parse("s.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{}", problems.render(false))).jobs.remove(0)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn next(job: &Job, after: &str, count: usize) -> Vec<String> {
        let all = std::iter::successors(job.after(0, at(after)), |last| job.after(0, last.at));
        all.take(count).map(|it| it.at.to_string()).collect()
    }

    #[test]
    fn a_fixed_hour_of_a_zone_comes_once_a_day_also_when_clocks_change() {
        let job = job("cron: 30 2 * * *, time_zone: Europe/Berlin");
        // Forward on 29 March 2026: there is no 02:30.
        assert_eq!(
            next(&job, "2026-03-28T00:00:00Z", 3),
            ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
        // Back on 25 October 2026: there are two.
        assert_eq!(
            next(&job, "2026-10-24T00:00:00Z", 3),
            ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
    }

    #[test]
    fn it_starts_within_its_time_and_ends_with_its_expiry() {
        let job = job("cron: 0 3 * * SUN, from: 2026-11-20T00:00:00Z, until: 2026-12-01T00:00:00Z");
        assert_eq!(next(&job, "2026-01-01T00:00:00Z", 9), ["2026-11-22T03:00:00Z", "2026-11-29T03:00:00Z"]);
    }

    #[test]
    fn the_jitter_is_the_same_everywhere_and_differs_from_time_to_time() {
        let job = job("cron: 0 * * * *, jitter: 10m, window: 30m");
        let starts = |seed| {
            let all = std::iter::successors(job.after(seed, at("2026-11-20T00:00:00Z")), |it| job.after(seed, it.at));
            all.take(50).map(|it| it.starts.duration_since(it.at).as_secs()).collect::<Vec<_>>()
        };
        assert_eq!(starts(1), starts(1));
        assert_ne!(starts(1), starts(2));
        assert!(starts(1).iter().all(|late| (0..600).contains(late)));
        let mean = starts(1).iter().sum::<i64>() / 50;
        assert!((200..400).contains(&mean), "{mean}");
    }

    #[test]
    fn of_several_that_were_due_the_newest_counts() {
        let job = job("cron: 0 * * * *, window: 20m");
        let (newest, before) = job.newest_due(0, at("2026-11-20T00:00:00Z"), at("2026-11-20T05:10:00Z")).unwrap();
        assert_eq!((newest.at, before), (at("2026-11-20T05:00:00Z"), 4));
        assert!(newest.is_due(at("2026-11-20T05:19:59Z")) && !newest.is_due(at("2026-11-20T05:20:00Z")));
        assert_eq!(job.newest_due(0, newest.at, at("2026-11-20T05:59:59Z")), None);
    }
}
