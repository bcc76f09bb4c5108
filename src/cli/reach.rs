//! The way of a request from a terminal to the process that drives a run, wherever that is, or to nobody.

use std::time::Duration;

use super::{Failure, Session, machine::Machine};
use crate::{
    clock::Clock,
    run::engine::Request,
    store::{Asked, Claim, Heard, Kept, StoreError},
};

/// The driver looks every 200 ms, in a shared store every second; a machine under load may need some seconds.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A driver that looks at the world first may wait until a lost request can no longer arrive (two minutes), and then read
/// what a service holds.
const LONGEST_LOOK: Duration = Duration::from_mins(10);

/// Two who go on with a run at the same moment see each other at the second try.
const MOST_TRIES: u32 = 3;

/// To whoever drives the run. A claim: nobody does, and what is left to be done is done under it.
pub async fn reach(session: &Session, kept: &Kept, request: &Request) -> Result<Option<Claim>, Failure> {
    for turn in 1.. {
        let silent = match send(kept, request).await? {
            Sent::Done => return Ok(None),
            Sent::Nobody(silent) => silent,
        };
        match kept.claim_after(&session.machine.holder(Clock::Wall.now()), silent.as_deref()).await {
            Ok(claim) => {
                if let Some(heard) = silent {
                    say_ended(kept, &heard);
                }
                return Ok(Some(claim));
            }
            // Somebody has begun to drive it meanwhile.
            Err(StoreError::Driven { .. }) if turn < MOST_TRIES => {}
            Err(error) => return Err(error.into()),
        }
    }
    unreachable!("counts on until it returns")
}

/// What became of a request to a driver.
pub enum Sent {
    Done,
    /// Nobody drives, and nobody has the request. With who fell silent, if anybody did.
    Nobody(Option<Box<Heard>>),
}

/// Hands a request to the process that drives the run, if one does, and waits until it is durable.
pub async fn send(kept: &Kept, request: &Request) -> Result<Sent, Failure> {
    let run = kept.run();
    let unique = format!("{}-{}", Clock::Wall.now().as_millisecond(), Machine::random_suffix());
    let patience = if request.looks() { LONGEST_LOOK } else { LONGEST_WAIT };
    match kept.ask(&unique, request, patience).await? {
        Asked::Answered(Ok(())) => Ok(Sent::Done),
        Asked::Answered(Err(reason)) => {
            Err(Failure::refused(reason, format!("`lifeboat status {run}` shows what waits")))
        }
        Asked::Nobody(silent) => Ok(Sent::Nobody(silent)),
        Asked::Unanswered { heard, taken } => {
            let taken =
                if taken { "it may have been taken, so look before you repeat it" } else { "it was taken back" };
            Err(Failure::refused(
                format!("the process that drives run `{run}` ({}) did not answer; {taken}", heard.sentence()),
                format!("`lifeboat status {run}` shows the run; is its process stopped?"),
            ))
        }
    }
}

/// Whoever had not said goodbye is driven over: a person shall know whom.
fn say_ended(kept: &Kept, heard: &Heard) {
    let run = kept.run();
    let what = if kept.is_shared() {
        "fell silent and counts as dead; should it live, it is shut out now and stops"
    } else {
        "has ended meanwhile"
    };
    eprintln!("the process that drove run `{run}` ({}) {what}", heard.sentence());
}
