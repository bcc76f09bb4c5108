//! The way back: what may still go on once somebody gave up, what is undone next, and how that ends. Pure.

use jiff::Timestamp;

use super::Task;
use crate::{
    run::{Event, Outcome, State, StepState, state::Ruling},
    runbook::{ActionKind, Effect},
};

/// Whether a task may start for a step now: on the way back only what finds out, and what takes back; and that not while
/// a driver before this one may still send what it had announced.
pub fn may_start(state: &State, place: usize, task: Task, now: Timestamp) -> bool {
    let judges = match task {
        Task::Settle | Task::Undo => true,
        Task::Perform | Task::Follow => false,
    };
    let quiet = judges && state.quiet_until.is_some_and(|until| now < until);
    !state.ends_here() && !quiet && (state.way_back.is_none() || takes_back(state, place, task))
}

/// Whether what runs may be left to itself at a stop: what takes back is what the stop is for.
pub fn may_be_left(state: &State, place: usize, task: Task) -> bool {
    state.stop.is_some() && (state.ends_here() || !takes_back(state, place, task))
}

/// What goes on in Azure and shall be taken back must come to its end first: else it would arrive after the run is over.
pub(super) fn is_awaited(state: &State, place: usize) -> bool {
    let planned = state.planned(place);
    planned.effect == Effect::Reversible && planned.action != ActionKind::Backup
}

fn takes_back(state: &State, place: usize, task: Task) -> bool {
    match task {
        Task::Settle | Task::Undo => true,
        Task::Follow => is_awaited(state, place),
        Task::Perform => false,
    }
}

/// The next step of the way back, last done first taken back, or its end. `None`: there is and was nothing to undo.
pub(super) fn go_back(state: &State, reason: &str) -> Option<Event> {
    let stuck = state.failed.iter().find_map(|place| match &state.steps[*place].state {
        StepState::UndoFailed { error, .. } => {
            Some(format!("step {} could not be undone: {error}", state.planned(*place).id))
        }
        StepState::Pending { .. }
        | StepState::Running { .. }
        | StepState::Waiting { .. }
        | StepState::InDoubt { .. }
        | StepState::Succeeded { .. }
        | StepState::Failed { .. }
        | StepState::Skipped { .. }
        | StepState::Undoing { .. }
        | StepState::Undone => None,
    });
    if let Some(reason) = stuck {
        return Some(Event::RunStopped { outcome: Outcome::Stuck, reason });
    }
    if let Some(place) = undoable(state).next() {
        return Some(Event::UndoStarted { step: state.planned(place).id.clone() });
    }
    let undone = state.steps.iter().any(|record| matches!(record.state, StepState::Undone));
    undone.then(|| Event::RunStopped { outcome: Outcome::Undone, reason: format!("{reason}{}", what_stays(state)) })
}

/// What people did by hand and a step adopted, after a semicolon: the way back leaves it. Empty when there is none.
pub(super) fn what_stays(state: &State) -> String {
    let adopted = state.decided.iter().filter(|decided| decided.ruling == Ruling::Adopted).map(|decided| decided.place);
    let stands = |place: &usize| {
        matches!(state.steps[*place].state, StepState::Succeeded { .. })
            && state.planned(*place).effect == Effect::Reversible
    };
    let ids: Vec<&str> = adopted.filter(stands).map(|place| state.planned(place).id.as_str()).collect();
    if ids.is_empty() { String::new() } else { format!("; what was adopted stays: {}", ids.join(", ")) }
}

/// What would be taken back, in the order in which it would be: last heard of first.
pub fn undoable(state: &State) -> impl Iterator<Item = usize> {
    state.changed.values().rev().copied().filter(|place| is_undoable(state, *place))
}

/// It asked for a change that can be taken back, and what became of that is known: it is done, or half made, or looked
/// up when it is undone. What only a person did is not in here: it asked for nothing.
fn is_undoable(state: &State, place: usize) -> bool {
    let is_known = match &state.steps[place].state {
        StepState::Succeeded { .. }
        | StepState::Failed { .. }
        | StepState::Waiting { .. }
        | StepState::Pending { .. } => true,
        StepState::Running { .. }
        | StepState::InDoubt { .. }
        | StepState::Skipped { .. }
        | StepState::Undoing { .. }
        | StepState::Undone
        | StepState::UndoFailed { .. } => false,
    };
    is_known && state.planned(place).effect == Effect::Reversible
}
