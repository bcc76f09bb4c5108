//! A run as history keeps it: what each step took, and what it left behind. A fold of the run's own events; never looks.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Commands, Standing, overrides, world::World};
use crate::{
    plan::{Leftover, Measured, MeasuredStep},
    run::{Outcome, State, StepState, decide},
    runbook::Mode,
};

/// What a run took, as far as it is.
pub fn measured(state: &State) -> Measured {
    let plan = &state.plan;
    Measured {
        run: state.run.clone(),
        runbook: plan.name.clone(),
        runbook_sha256: plan.runbook_sha256.clone(),
        mode: plan.mode,
        simulated: plan.site.is_simulated(),
        started_at: state.created_at,
        outcome: state.stopped.as_ref().map(|(outcome, _, _)| *outcome),
        took: state.met_at.and_then(|at| between(state.created_at, at)),
        objective: plan.objectives.rto,
        by_hand: !overrides(state).is_empty(),
        interrupted: state.generation > 1,
        steps: (0..state.steps.len()).filter_map(|place| step(state, place)).collect(),
        left: left(state),
    }
}

/// None: it was not done, or by a person.
fn step(state: &State, place: usize) -> Option<MeasuredStep> {
    let (planned, record) = (state.planned(place), &state.steps[place]);
    let by_hand = state.decided.iter().any(|decided| decided.place == place);
    let done = matches!(record.state, StepState::Succeeded { .. } | StepState::Undone);
    let took = between(record.started_at?, record.met_at?).filter(|_| done && !by_hand)?;
    Some(MeasuredStep { id: planned.id.clone(), action: planned.action, took })
}

/// None: a clock was set back meanwhile.
fn between(from: Timestamp, to: Timestamp) -> Option<Duration> {
    Duration::try_from(to.duration_since(from)).ok()
}

/// What it changed and did not take back, a sentence each.
fn left(state: &State) -> Vec<String> {
    let stays = |place: usize| state.steps[place].changes > 0 && !matches!(state.steps[place].state, StepState::Undone);
    let world = World::of(state, Standing::of(state, Some(false)));
    let truths = world.truths.iter().filter(|truth| state.place(&truth.step).is_some_and(stays));
    truths.map(|truth| format!("{} {}", truth.subject, truth.says)).collect()
}

/// What a rehearsal left behind that never came to its end. None: it came to it, it is no rehearsal, or it is under way.
pub fn leftover(state: &State, standing: Standing, now: Timestamp, commands: &Commands) -> Option<Leftover> {
    if state.plan.mode != Mode::Drill {
        return None;
    }
    let since = |at: Timestamp| super::runs::ago(now.duration_since(at).max(SignedDuration::ZERO));
    let (standing, remedy) = match standing {
        Standing::Driven | Standing::Ended(Outcome::Succeeded | Outcome::Undone) => return None,
        Standing::Ended(Outcome::Aborted) if decide::undoable(state).next().is_none() => return None,
        Standing::Ended(Outcome::Aborted) => (
            format!("was given up {} without taking back what it moved", since(state.last_event_at)),
            format!("put it back by hand: `{}` says what was there before", commands.about("status", &state.run, "")),
        ),
        Standing::Abandoned | Standing::Unknown => {
            (format!("never ended; it was last heard of {}", since(state.last_event_at)), clean_up(state, commands))
        }
        Standing::Ended(outcome @ (Outcome::Failed | Outcome::Refused | Outcome::Stuck | Outcome::Interrupted)) => (
            format!("is {} since {}", Standing::Ended(outcome).word(), since(state.last_event_at)),
            clean_up(state, commands),
        ),
    };
    let (run, runbook) = (state.run.clone(), state.plan.name.clone());
    Some(Leftover { run, runbook, standing, left: left(state), remedy })
}

fn clean_up(state: &State, commands: &Commands) -> String {
    format!(
        "`{}` takes back what it moved; `{}` goes on with it",
        commands.about("abort", &state.run, "--undo --yes"),
        commands.about("resume", &state.run, "")
    )
}
