//! The one door to time. Everything else takes a [`Clock`] or a timestamp as an argument.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;

/// Where "now" comes from and how long a sleep lasts.
///
/// Resilient against: a laptop that sleeps (wall time is read again at every look),
/// a paused tokio clock (tests), wall clocks that are set while it sleeps for a duration. Not resilient against: wall
/// clocks set back while it waits for a point of time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's wall clock.
    Wall,
    /// Simulated time: `since + (wall − anchor) × speed`. The simulator and the tool share
    /// these three numbers, so both see the same simulated time.
    Scaled { anchor: Timestamp, since: Timestamp, speed: f64 },
    /// Tokio's clock from a fixed start; with `tokio::time::pause` a 45-minute wait takes no time.
    /// `ahead_ms`: how far somebody has set it forward since, shared by all that hold this clock.
    Virtual { since: Timestamp, start: tokio::time::Instant, ahead_ms: Arc<AtomicI64> },
}

/// A point from which time is measured.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    wall: Timestamp,
    machine: tokio::time::Instant,
}

/// A wall clock is looked at again at least this often, so that a machine that slept notices.
const LONGEST_SLEEP: Duration = Duration::from_secs(20);

/// The same of a simulated clock, which nobody sets but a proof: each look costs one thousands of runs their time.
const LONGEST_SIMULATED_SLEEP: Duration = Duration::from_mins(1);

impl Clock {
    /// Simulated time that starts at the present and runs `speed` times as fast.
    pub fn scaled(speed: f64) -> Self {
        let now = wall_now();
        Self::Scaled { anchor: now, since: now, speed }
    }

    /// A clock for tests, at `since` now.
    pub fn starting_at(since: Timestamp) -> Self {
        Self::Virtual { since, start: tokio_now(), ahead_ms: Arc::default() }
    }

    /// Sets the clock, as somebody does by hand: forward, or back when `by` is negative. Only a virtual one can be set.
    pub fn set(&self, by: jiff::SignedDuration) {
        match self {
            Self::Virtual { ahead_ms, .. } => {
                let by_ms = i64::try_from(by.as_millis()).unwrap_or_default();
                ahead_ms.fetch_add(by_ms, Ordering::Relaxed);
            }
            Self::Wall | Self::Scaled { .. } => {}
        }
    }

    pub fn now(&self) -> Timestamp {
        match self {
            Self::Wall => wall_now(),
            Self::Scaled { anchor, since, speed } => {
                let real = wall_now().duration_since(*anchor).as_secs_f64();
                // Whoever wrote the anchor may have meant any year: time ends where timestamps do.
                let furthest = if real < 0.0 { jiff::SignedDuration::MIN } else { jiff::SignedDuration::MAX };
                let elapsed = jiff::SignedDuration::try_from_secs_f64(real * speed).unwrap_or(furthest);
                since.saturating_add(elapsed).unwrap_or(*since)
            }
            Self::Virtual { since, start, ahead_ms } => {
                let elapsed = tokio_now().saturating_duration_since(*start);
                let elapsed = jiff::SignedDuration::try_from(elapsed).unwrap_or(jiff::SignedDuration::MAX);
                *since + elapsed + jiff::SignedDuration::from_millis(ahead_ms.load(Ordering::Relaxed))
            }
        }
    }

    pub fn moment(&self) -> Moment {
        Moment { wall: self.now(), machine: tokio_now() }
    }

    /// How long ago it was, by whichever says longer: this clock, which runs on while the machine sleeps, or the
    /// machine's own timer, which nobody can set back.
    pub fn since(&self, moment: &Moment) -> Duration {
        let wall = Duration::try_from(self.now().duration_since(moment.wall)).unwrap_or_default();
        wall.max(self.watched_since(moment))
    }

    /// How long ago it was by the machine's own timer alone, which nobody can set forward: what another process had at
    /// least.
    pub fn watched_since(&self, moment: &Moment) -> Duration {
        tokio_now().saturating_duration_since(moment.machine).mul_f64(self.speed())
    }

    /// Simulated seconds per real second; 1 outside the simulator.
    pub fn speed(&self) -> f64 {
        match self {
            Self::Wall | Self::Virtual { .. } => 1.0,
            Self::Scaled { speed, .. } => *speed,
        }
    }

    /// How long a sleep of `duration` of this clock's time lasts on the machine.
    pub fn real(&self, duration: Duration) -> Duration {
        duration.div_f64(self.speed().max(f64::MIN_POSITIVE))
    }

    /// How much of this clock's time passes in `duration` of the machine's.
    pub fn simulated(&self, duration: Duration) -> Duration {
        duration.mul_f64(self.speed())
    }

    /// Until so much has passed by [`Self::since`]: a wall clock that is set back makes it no longer. Cancel safe.
    pub async fn sleep(&self, duration: Duration) {
        let begin = self.moment();
        loop {
            let left = duration.saturating_sub(self.since(&begin));
            if left.is_zero() {
                return;
            }
            self.nap(left).await;
        }
    }

    /// Waits as long as an answer of the network is waited for. Cancel safe. Simulated time may be fast, but sockets and
    /// processors are not: a simulated patience never ends before half a second of the machine's own time has passed.
    pub async fn patience(&self, duration: Duration) {
        self.sleep(self.lenient(duration)).await;
    }

    /// A limit on what the network takes, never below half a second of the machine's own time.
    pub fn lenient(&self, limit: Duration) -> Duration {
        match self {
            Self::Scaled { speed, .. } => limit.max(Duration::from_millis(500).mul_f64(*speed)),
            Self::Wall | Self::Virtual { .. } => limit,
        }
    }

    /// Cancel safe. Returns at once when `until` has passed.
    pub async fn sleep_until(&self, until: Timestamp) {
        loop {
            let left = until.duration_since(self.now());
            if left <= jiff::SignedDuration::ZERO {
                return;
            }
            self.nap(Duration::try_from(left).expect("positive, seen above")).await;
        }
    }

    /// A part of what is left to sleep.
    #[expect(clippy::disallowed_methods, reason = "the one door to timers")]
    async fn nap(&self, left: Duration) {
        // A timer of tokio has millisecond grain; one more than asked makes the loop end.
        let longest = match self {
            Self::Wall | Self::Scaled { .. } => LONGEST_SLEEP,
            Self::Virtual { .. } => LONGEST_SIMULATED_SLEEP,
        };
        let nap = self.real(left).min(longest).max(Duration::from_millis(1));
        tokio::time::sleep(nap).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the one door to the wall clock")]
fn wall_now() -> Timestamp {
    Timestamp::now()
}

#[expect(clippy::disallowed_methods, reason = "the one door to tokio's clock")]
fn tokio_now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_clock_with_an_anchor_in_another_age_has_a_time() {
        for (anchor, speed) in
            [("3260-01-31T12:00:00Z", 60.0), ("-009000-01-01T00:00:00Z", 1e9), ("9999-01-01T00:00:00Z", 1e12)]
        {
            let anchor: Timestamp = anchor.parse().unwrap();
            let clock = Clock::Scaled { anchor, since: Timestamp::UNIX_EPOCH, speed };
            let ends = [Timestamp::MIN, Timestamp::MAX];
            assert!(ends.contains(&clock.now()), "{} of {anchor}", clock.now());
        }
    }

    /// Tokio's paused clock runs ahead of the wall's, as if the wall's had been set back.
    #[tokio::test(start_paused = true)]
    async fn a_sleep_lasts_no_longer_when_the_wall_clock_is_set_back() {
        let test = Clock::starting_at(Clock::Wall.now());
        tokio::select! {
            () = Clock::Wall.sleep(Duration::from_hours(1)) => {}
            () = test.sleep(Duration::from_hours(2)) => panic!("it waits for the wall clock"),
        }
    }

    /// The paused machine stands still while the wall's clock leaps.
    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_leaps_is_no_time_that_was_watched() {
        let clock = Clock::scaled(1e6);
        let moment = clock.moment();
        while clock.since(&moment) < Duration::from_secs(15) {}
        assert_eq!(clock.watched_since(&moment), Duration::ZERO);
    }
}
