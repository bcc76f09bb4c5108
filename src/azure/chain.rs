//! Whose turn it is in a chain of credentials: in their order, but for those that gave no token a moment ago. Pure.
//!
//! One hiccup of the first link must not hand the rest of a run to another principal, and a link that hangs must not be
//! waited for at every request.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// A link that gave no token is left alone for this long. Short against a restore, long against a wait for a token.
const REST: SignedDuration = SignedDuration::from_mins(1);

/// Of one scope. Links are known by their place, from 0.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// The link that gave the last token; the first one before there was any.
    giver: usize,
    /// Links that gave none when they were last asked, and when that was.
    failed: BTreeMap<usize, Timestamp>,
}

impl Turns {
    /// All of `count` links, in the order in which they are asked. Those left alone come last: they are better than none.
    pub(super) fn order(&self, count: usize, now: Timestamp) -> Vec<usize> {
        // A clock that was set back must not make it longer.
        let rests = |place: &usize| self.failed.get(place).is_some_and(|at| now.duration_since(*at).abs() < REST);
        let (resting, ready): (Vec<usize>, Vec<usize>) = (0..count).partition(rests);
        ready.into_iter().chain(resting).collect()
    }

    /// Whether the link has failed while another one works: nobody should wait for it long.
    pub(super) fn is_retried(&self, place: usize) -> bool {
        place != self.giver && self.failed.contains_key(&place) && !self.failed.contains_key(&self.giver)
    }

    pub(super) fn failed(&mut self, place: usize, now: Timestamp) {
        self.failed.insert(place, now);
    }

    /// Whether the tokens came from another link until now.
    pub(super) fn gave(&mut self, place: usize) -> bool {
        self.failed.remove(&place);
        std::mem::replace(&mut self.giver, place) != place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_failed_has_its_turn_again_after_a_minute() {
        let at = |second: i64| Timestamp::from_second(1_790_000_000 + second).unwrap();
        let mut turns = Turns::default();
        assert!(!turns.gave(0), "the first is expected");
        turns.failed(0, at(0));
        assert!(turns.gave(1));
        assert_eq!(turns.order(3, at(59)), [1, 2, 0]);
        assert_eq!(turns.order(3, at(60)), [0, 1, 2]);
        assert_eq!(turns.order(3, at(-3_600)), [0, 1, 2], "the clock was set back");
        assert!(turns.is_retried(0) && !turns.is_retried(1) && !turns.is_retried(2));
        turns.failed(1, at(70));
        assert!(!turns.is_retried(0), "nobody else gives one now");
        assert!(turns.gave(0));
    }
}
