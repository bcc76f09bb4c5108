//! The way of a request from a terminal to the process that drives a run, wherever that is.

use std::time::Duration;

use super::{Failure, Session, machine::Machine};
use crate::{
    clock::Clock,
    run::engine::Request,
    store::{Claim, Kept, Posted, StoreError},
};

/// The driver looks every 200 ms, in a shared store every second; a machine under load may need some seconds.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A driver that looks at the world first may wait until a lost request can no longer arrive (two minutes), and then read
/// what a service holds.
const LONGEST_LOOK: Duration = Duration::from_mins(10);

/// A driver in a shared store that lives and is well has answered by then.
const PROMPT: Duration = Duration::from_secs(4);

/// How often its answer is looked for.
const ANSWER_POLL: Duration = Duration::from_millis(100);

/// Brings a request to whoever drives the run. Some: nobody does, and whoever holds the claim may write it down.
pub async fn reach(session: &Session, kept: &Kept, request: &Request) -> Result<Option<Claim>, Failure> {
    let holder = session.machine.holder(Clock::Wall.now());
    // In a directory a lock says at once whether somebody drives. In a shared store a driver answers sooner than it is
    // seen to live: asked first, it has done it within two seconds.
    let may_live = match kept {
        Kept::Directory(_) => false,
        Kept::Objects(_) => kept.driver().await?.is_some_and(|driver| driver.lives),
    };
    if !may_live {
        return match kept.claim(&holder, false).await {
            Ok(claim) => Ok(Some(claim)),
            Err(StoreError::Driven { .. }) => send(kept, request).await.map(|()| None),
            Err(error) => Err(error.into()),
        };
    }
    let posted = post(kept, request).await?;
    if let Some(answer) = answered(kept, &posted, PROMPT).await? {
        return answer.map(|()| None);
    }
    let claimed = tokio::select! {
        claimed = kept.claim(&holder, false) => claimed,
        answer = answered(kept, &posted, Duration::MAX) => {
            return match answer? {
                Some(answer) => answer.map(|()| None),
                None => Err(silent(kept, &posted).await),
            };
        }
    };
    match claimed {
        Ok(claim) => {
            posted.withdraw().await;
            Ok(Some(claim))
        }
        Err(StoreError::Driven { .. }) => match answered(kept, &posted, patience(request)).await? {
            Some(answer) => answer.map(|()| None),
            None => Err(silent(kept, &posted).await),
        },
        Err(error) => Err(error.into()),
    }
}

/// Hands a request to the process that drives the run and waits until it is durable.
pub async fn send(kept: &Kept, request: &Request) -> Result<(), Failure> {
    let posted = post(kept, request).await?;
    match answered(kept, &posted, patience(request)).await? {
        Some(answer) => answer,
        None => Err(silent(kept, &posted).await),
    }
}

async fn post(kept: &Kept, request: &Request) -> Result<Posted, Failure> {
    let name = format!("{}-{}", Clock::Wall.now().as_millisecond(), Machine::random_suffix());
    Ok(kept.post(&name, request).await?)
}

fn patience(request: &Request) -> Duration {
    if request.looks() { LONGEST_LOOK } else { LONGEST_WAIT }
}

/// What the driver answered, or none within `patience`.
async fn answered(kept: &Kept, posted: &Posted, patience: Duration) -> Result<Option<Result<(), Failure>>, Failure> {
    let run = kept.run();
    let began = Clock::Wall.moment();
    loop {
        if let Some(answer) = posted.answer().await? {
            let hint = || format!("`lifeboat status {run}` shows what waits");
            return Ok(Some(answer.map_err(|reason| Failure::refused(reason, hint()))));
        }
        if Clock::Wall.since(&began) > patience {
            return Ok(None);
        }
        Clock::Wall.sleep(ANSWER_POLL).await;
    }
}

/// The driver lives and does not answer.
async fn silent(kept: &Kept, posted: &Posted) -> Failure {
    let run = kept.run();
    let taken =
        if posted.withdraw().await { "it was taken back" } else { "it had been taken, so look before you repeat it" };
    Failure::refused(
        format!("the process that drives run `{run}` did not answer; {taken}"),
        format!("`lifeboat status {run}` shows the run; is its process stopped?"),
    )
}
