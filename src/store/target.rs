//! Targets: what a run changes, such as a service or a record. One run at a time holds each, and each time it is taken
//! it gets a higher generation.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Claim, Heard};
use crate::run::{Person, RunId, State, journal::hex};

/// Something that a run wants to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// A folded resource id, perhaps with more behind it.
    pub id: String,
    /// The highest generation that its own metadata showed; 0 when it shows none.
    pub seen: u64,
}

/// The lock of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    pub target: String,
    pub run: RunId,
    #[serde(default)]
    pub generation: u64,
    #[serde(default)]
    pub by: Option<Person>,
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Which claim of the run took it.
    #[serde(default)]
    pub claim: u64,
}

impl Held {
    /// The lock as `claim` takes it after `before`.
    pub fn taken(claim: &Claim, target: &Target, before: Option<&Self>) -> Self {
        let last = before.map_or(0, |held| held.generation).max(target.seen);
        Self {
            target: target.id.clone(),
            run: claim.kept.run().clone(),
            generation: last + 1,
            by: Some(claim.holder.by.clone()),
            since: Some(claim.holder.since),
            claim: claim.number,
        }
    }

    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("text keys")
    }

    /// Who holds it, since when.
    fn held_by(&self) -> String {
        let by = self.by.as_ref().map(|by| format!("by {} on {}", by.name, by.host));
        let since = self.since.map(|since| format!("since {}", since.strftime("%Y-%m-%d %H:%M:%SZ")));
        [by, since].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// In words, why the run that holds it is not over; none when it is.
    pub fn why(&self, state: &State, driver: Option<&Heard>) -> Option<String> {
        if state.is_over() {
            return None;
        }
        let standing = match &state.stopped {
            Some((_, reason, at)) => format!("it stopped at {at}: {reason}"),
            None => match driver.filter(|driver| driver.lives) {
                Some(driver) => format!("driven by {}", driver.sentence()),
                None => format!("last heard of at {}", state.last_event_at),
            },
        };
        let held = self.held_by();
        Some(if held.is_empty() { standing } else { format!("taken {held}; {standing}") })
    }
}

/// Name of a target's lock.
pub(super) fn name(target: &str) -> String {
    format!("{}.json", &hex(target.as_bytes())[..32])
}
