//! What goes wrong, end to end: the real engine and the real actions against a world with faults, on the paused clock.
//! Every test says how the run ends, how often Azure was changed, and what the operator is told.

mod calls;
mod names;
mod people;
mod plan_time;
mod restore;
mod switches;
mod undo;

use std::time::Duration;

use lifeboat::{
    run::{Disposition, Event, Outcome, State, StepError},
    runbook::StepId,
    sim::{Fault, Scenario},
};

use crate::harness::{Stage, outcome};

const OLD_TARGET: &str = "apim-contoso-west.azure-api.net";
const NEW_TARGET: &str = "apim-contoso-east.azure-api.net";
const RECORD: &str = "/CNAME/api?";
const RESTORE: &str = "/restore?";
const POLL: &str = "/operationresults/";

fn minutes(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}

/// The built-in world with these faults.
fn world(faults: impl IntoIterator<Item = Fault>) -> Scenario {
    Scenario { faults: faults.into_iter().collect(), ..Scenario::default() }
}

/// The flagship in the built-in world with these faults, driven once.
async fn driven(faults: impl IntoIterator<Item = Fault>) -> (State, Stage) {
    let mut stage = Stage::flagship(world(faults));
    let state = stage.start(None).await.unwrap();
    (state, stage)
}

/// How often Azure was changed, or asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Changes {
    posts: u32,
    restores: u32,
    puts: u32,
}

/// Each effect once, at the first request.
const ONCE: Changes = Changes { posts: 1, restores: 1, puts: 1 };

fn changes(stage: &Stage) -> Changes {
    let effects = stage.world.effects();
    Changes {
        posts: effects.restore_posts_received,
        restores: effects.restores_accepted,
        puts: effects.record_puts_accepted,
    }
}

/// The run succeeded, traffic goes to the standby, and Azure was changed so often.
fn assert_recovered(state: &State, stage: &Stage, wanted: Changes) {
    assert_eq!(outcome(state), Some(Outcome::Succeeded), "{:?}", state.stopped);
    assert_eq!(changes(stage), wanted);
    assert_eq!(target(stage), NEW_TARGET);
    assert!(stage.world.service("apim-contoso-east").unwrap().restored_from.is_some());
}

/// The run ended so, because of this step; the operator is told this much. Gives the error.
fn assert_ended(state: &State, wanted: Outcome, step: &str, disposition: Disposition, code: &str) -> StepError {
    assert_eq!(outcome(state), Some(wanted), "{:?}", state.stopped);
    let (id, error) = state.failure().unwrap();
    assert_eq!((id.as_str(), error.disposition, error.code.as_str()), (step, disposition, code), "{error}");
    assert!(!error.hint.is_empty(), "{error}");
    error.clone()
}

/// Where production traffic goes.
fn target(stage: &Stage) -> String {
    stage.world.record("contoso.com", "api").unwrap().target.unwrap()
}

/// Everything that a step said while it went on, and whether it said until when it waits.
fn notes(stage: &Stage, step: &str) -> Vec<(String, bool)> {
    let of = StepId::new(step);
    let events = stage.events().into_iter();
    events
        .filter_map(|event| match event {
            Event::StepNoted { step, message, until } if step == of => Some((message, until.is_some())),
            _ => None,
        })
        .collect()
}

fn count(stage: &Stage, wanted: impl Fn(&Event) -> bool) -> usize {
    stage.events().iter().filter(|event| wanted(event)).count()
}
