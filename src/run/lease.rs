//! How long a process may count itself the driver of its run, and how it learns that it is not any more.
//!
//! ```text
//!  last heartbeat begins ────── LEASE ──────► may send nothing more until a fresh heartbeat succeeds
//!                        a higher claim seen ► superseded: starts nothing more, detaches, ends
//! ```
//!
//! Whoever takes a run over leaves what is in doubt alone for longer than that (`QUIET`), so that a process which was
//! stopped between recording an intent and sending its request either sends it within that time or never.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::Person;
use crate::{
    clock::{Clock, Moment},
    net::CONNECT_TIMEOUT,
};

/// A driver says that it lives this often.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// A driver counts itself entitled for so long after the start of its last heartbeat: two of them may go missing.
pub const LEASE: Duration = Duration::from_secs(10);

/// After a take-over nothing in doubt is judged for so long: the other's entitlement, which is looked at before its
/// request's connection is made, that connection, and the time that the request takes to arrive.
pub const QUIET: Duration =
    Duration::from_secs(LEASE.as_secs() + CONNECT_TIMEOUT.as_secs() + LONGEST_ARRIVAL.as_secs());

/// A request that left this machine has reached Azure, or never will.
const LONGEST_ARRIVAL: Duration = Duration::from_secs(5);

/// Who drives a run, or drove it; the content of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub by: Person,
    pub pid: u32,
    pub since: Timestamp,
    /// Tells two claims apart that are equal in everything else; random.
    #[serde(default)]
    pub nonce: String,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { by, pid, since, .. } = self;
        write!(f, "{} on {}, process {pid}, since {}", by.name, by.host, since.strftime("%Y-%m-%d %H:%M:%SZ"))
    }
}

/// What a driver counts on.
#[derive(Clone, Debug)]
pub struct Lease(Option<Arc<Held>>);

#[derive(Debug)]
struct Held {
    clock: Clock,
    standing: watch::Sender<Standing>,
}

#[derive(Clone, Debug)]
enum Standing {
    Renewed(Moment),
    Lost(Holder),
}

impl Lease {
    /// Nobody else can drive: a journal in memory, and tests.
    pub fn unlimited() -> Self {
        Self(None)
    }

    /// From now on. `clock`: the one that heartbeats run by.
    pub fn beginning(clock: Clock) -> Self {
        let (standing, _) = watch::channel(Standing::Renewed(clock.moment()));
        Self(Some(Arc::new(Held { clock, standing })))
    }

    /// A heartbeat that began at `moment` succeeded, and nobody had taken the run over. No way back from lost.
    pub fn renew(&self, moment: Moment) {
        let Some(held) = &self.0 else { return };
        held.standing.send_if_modified(|standing| match standing {
            Standing::Renewed(before) => {
                *before = moment;
                true
            }
            Standing::Lost(_) => false,
        });
    }

    /// Somebody has taken the run over.
    pub fn lose(&self, to: Holder) {
        if let Some(held) = &self.0 {
            held.standing.send_replace(Standing::Lost(to));
        }
    }

    /// Whether a request may leave now.
    pub fn holds(&self) -> bool {
        let Some(held) = &self.0 else { return true };
        match &*held.standing.borrow() {
            Standing::Renewed(moment) => held.clock.since(moment) < LEASE,
            Standing::Lost(_) => false,
        }
    }

    /// Returns when a request may leave: at once, or after a fresh heartbeat; never, when the run was taken over.
    /// Cancel safe.
    pub async fn held(&self) {
        let Some(held) = &self.0 else { return };
        let mut changes = held.standing.subscribe();
        while !self.holds() {
            // It lives as long as this does.
            let _never_closed = changes.changed().await;
        }
    }

    /// Returns when the run was taken over, with who did. Cancel safe.
    pub async fn lost(&self) -> Holder {
        let Some(held) = &self.0 else { return std::future::pending().await };
        let mut changes = held.standing.subscribe();
        loop {
            if let Standing::Lost(to) = &*changes.borrow_and_update() {
                return to.clone();
            }
            let _never_closed = changes.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_over_at_its_end() {
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        let lease = Lease::beginning(clock.clone());
        clock.sleep(LEASE.saturating_sub(Duration::from_millis(1))).await;
        assert!(lease.holds());
        clock.sleep(Duration::from_millis(1)).await;
        assert!(!lease.holds());
    }

    #[test]
    fn whoever_takes_over_waits_until_a_request_that_may_leave_has_connected() {
        assert_eq!(QUIET, LEASE + CONNECT_TIMEOUT + LONGEST_ARRIVAL);
    }
}
