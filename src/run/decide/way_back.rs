//! The way back: what may still go on once somebody gave up, what is undone next, and how that ends. Pure.

use jiff::Timestamp;

use super::Task;
use crate::{
    run::{Event, Outcome, State, StepState},
    runbook::Effect,
};

/// Whether a task of this kind may start now: on the way back only what finds out, and what takes back; and that not
/// while a driver before this one may still send what it had announced.
pub fn may_start(state: &State, task: Task, now: Timestamp) -> bool {
    let quiet = takes_back(task) && state.quiet_until.is_some_and(|until| now < until);
    !state.ends_here() && !quiet && (state.way_back.is_none() || takes_back(task))
}

/// Whether what runs may be left to itself at a stop: what takes back is what the stop is for.
pub fn may_be_left(state: &State, task: Task) -> bool {
    state.stop.is_some() && (state.ends_here() || !takes_back(task))
}

fn takes_back(task: Task) -> bool {
    match task {
        Task::Settle | Task::Undo => true,
        Task::Perform | Task::Follow => false,
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
    let undone = |place: &usize| matches!(state.steps[*place].state, StepState::Undone);
    let reason = reason.to_owned();
    state.done.iter().any(undone).then_some(Event::RunStopped { outcome: Outcome::Undone, reason })
}

/// What would be taken back, in the order in which it would be.
pub fn undoable(state: &State) -> impl Iterator<Item = usize> {
    state.done.iter().rev().copied().filter(|place| is_undoable(state, *place))
}

/// It succeeded, changed something, and can be taken back.
fn is_undoable(state: &State, place: usize) -> bool {
    let record = &state.steps[place];
    matches!(record.state, StepState::Succeeded { .. })
        && state.planned(place).effect == Effect::Reversible
        && record.changes > 0
}
