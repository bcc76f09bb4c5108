//! When a job is due. Pure: the time is an argument.
//!
//! Where clocks go forward, a time that does not exist comes at the first moment after the gap; where they go back, a time
//! that exists twice comes once for a fixed hour.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Job;

/// How an occurrence is named.
const NAME: &str = "%Y%m%dT%H%M%SZ";

/// One time at which a job is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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
        self.at.strftime(NAME).to_string()
    }

    /// Name of its run.
    pub fn run_of(&self, job: &str) -> String {
        format!("{job}-{}", self.name())
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
        self.until.is_none_or(|until| at < until).then(|| self.occurrence(seed, at))
    }

    /// All that have been due at `now`, of those after `after`.
    pub fn due(&self, seed: i64, after: Timestamp, now: Timestamp) -> Vec<Occurrence> {
        let all = std::iter::successors(self.after(seed, after), |last| self.after(seed, last.at));
        all.take_while(|it| it.at <= now).filter(|it| it.starts <= now).collect()
    }

    /// The one of that name, whether or not the job is still due then.
    pub fn named(&self, seed: i64, name: &str) -> Option<Occurrence> {
        let at = DateTime::strptime(NAME, name).ok()?.to_zoned(TimeZone::UTC).ok()?;
        Some(self.occurrence(seed, at.timestamp()))
    }

    fn occurrence(&self, seed: i64, at: Timestamp) -> Occurrence {
        let window = SignedDuration::try_from(self.window).unwrap_or(SignedDuration::MAX);
        let jitter = SignedDuration::try_from(self.jitter_of(seed, at)).unwrap_or_default();
        let ends = at.checked_add(window).unwrap_or(Timestamp::MAX);
        Occurrence { at, starts: at + jitter, ends: self.until.map_or(ends, |until| ends.min(until)) }
    }

    /// The same on every machine and after every restart: whole seconds below the job's jitter, and before its expiry.
    fn jitter_of(&self, seed: i64, at: Timestamp) -> Duration {
        let left = self.until.and_then(|until| Duration::try_from(until.duration_since(at)).ok());
        let most = left.map_or(self.jitter, |left| left.min(self.jitter)).as_secs();
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
    fn nothing_starts_from_its_expiry_on() {
        let job = job("cron: 0 * * * *, jitter: 50m, window: 55m, until: 2026-11-20T05:01:00Z");
        let last = job.due(0, at("2026-11-20T00:00:00Z"), at("2026-11-21T00:00:00Z")).pop().unwrap();
        assert_eq!((last.at, last.ends), (at("2026-11-20T05:00:00Z"), at("2026-11-20T05:01:00Z")));
        assert!(last.starts < last.ends, "{last:?}");
        let ends = super::super::Job { until: Some(at("2026-11-20T05:00:00Z")), ..job };
        assert_eq!(ends.after(0, at("2026-11-20T04:00:00Z")), None, "from its expiry on");
    }

    #[test]
    fn all_that_were_due_are_told_and_the_last_may_start_in_its_window() {
        let job = job("cron: 0 * * * *, window: 20m");
        let due = job.due(0, at("2026-11-20T00:00:00Z"), at("2026-11-20T05:10:00Z"));
        let newest = *due.last().unwrap();
        assert_eq!((newest.at, due.len()), (at("2026-11-20T05:00:00Z"), 5));
        assert!(newest.is_due(at("2026-11-20T05:19:59Z")) && !newest.is_due(at("2026-11-20T05:20:00Z")));
        assert_eq!(job.due(0, newest.at, at("2026-11-20T05:59:59Z")), []);
        assert_eq!(job.named(0, &newest.name()), Some(newest));
        assert_eq!(job.named(0, "20261120"), None);
    }
}
