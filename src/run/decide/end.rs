//! How a drive ends, when nothing is left to do in it. Pure.

use super::{
    is_halting, task,
    way_back::{go_back, is_awaited, undoable, what_stays},
};
use crate::{
    run::{Disposition, Event, Outcome, State, StepError, StepState},
    runbook::{ActionKind, Mode, OnFailure},
};

/// How the drive ends, when nothing is left to do in it.
pub(super) fn decide_end(state: &State, live: &dyn Fn(usize) -> bool) -> Option<Event> {
    let stopped = |outcome, reason: String| Some(Event::RunStopped { outcome, reason });
    // What runs for a step that only waits is stopped, and nothing would come of waiting for it.
    if state.active.iter().any(|place| task(state, *place).is_some() && live(*place)) {
        return None;
    }
    if let Some(stop) = state.stop.as_ref().filter(|_| state.ends_here()) {
        let outcome = if stop.abort { Outcome::Aborted } else { Outcome::Interrupted };
        return stopped(outcome, stop.reason.clone());
    }
    let mut doubt = None;
    for place in &state.active {
        match &state.steps[*place].state {
            StepState::InDoubt { unknown: Some(unknown), .. } => {
                doubt = Some(format!("step {} is in doubt: {}", state.planned(*place).id, unknown.reason));
            }
            StepState::Waiting { .. } if is_halting(state) => {}
            // Only reads, or goes on by itself: left behind.
            StepState::Running { follow, .. }
                if state.way_back.is_some() && !(*follow && is_awaited(state, *place)) => {}
            StepState::Running { .. }
            | StepState::Waiting { .. }
            | StepState::InDoubt { .. }
            | StepState::Undoing { .. }
            | StepState::Pending { .. }
            | StepState::Succeeded { .. }
            | StepState::Failed { .. }
            | StepState::Skipped { .. }
            | StepState::Undone
            | StepState::UndoFailed { .. } => return None,
        }
    }
    if let Some(reason) = doubt {
        return stopped(Outcome::Stuck, reason);
    }
    if let Some(asked) = &state.way_back {
        return Some(go_back(state, &asked.reason).unwrap_or_else(|| Event::RunStopped {
            outcome: Outcome::Aborted,
            reason: format!("{}; there was nothing to undo{}", asked.reason, what_stays(state)),
        }));
    }
    if let Some((step, error)) = state.failure() {
        return decide_failure(state, format!("step {step} failed: {error}"), error);
    }
    if !state.ready.is_empty() {
        return None;
    }
    match state.plan.mode {
        Mode::Drill => rehearsed(state),
        Mode::Planned | Mode::Unplanned => stopped(Outcome::Succeeded, "every step is done".to_owned()),
    }
}

/// A rehearsal puts back what it moved, so that the next one moves it again, and has succeeded when that is done.
fn rehearsed(state: &State) -> Option<Event> {
    let done = |reason: String| Event::RunStopped { outcome: Outcome::Succeeded, reason };
    if let Some(place) = to_put_back(state) {
        let step = state.planned(place).id.clone();
        // Whoever holds the run wants nothing to be begun, not this either.
        return state.hold.is_none().then_some(Event::UndoStarted { step });
    }
    let back = state.steps.iter().filter(|record| matches!(record.state, StepState::Undone)).count();
    let back = if back == 0 { "" } else { ", and what was moved for the rehearsal is back" };
    Some(done(format!("every step is done{back}{}", what_stays(state))))
}

/// The last change of a rehearsal that is not taken back yet. A backup is a good one, whatever it was taken for.
fn to_put_back(state: &State) -> Option<usize> {
    undoable(state).find(|place| state.planned(*place).action != ActionKind::Backup)
}

/// Undoes what `on_failure: undo` says, in reverse order, then ends the drive.
fn decide_failure(state: &State, reason: String, error: &StepError) -> Option<Event> {
    // An undo that failed is told as such, whatever began the way back.
    let undoes =
        state.goes_back() || state.failed.iter().any(|place| state.planned(*place).on_failure == OnFailure::Undo);
    if undoes && let Some(event) = go_back(state, &reason) {
        // Whoever holds the run wants nothing to be begun, not this either.
        let held = state.hold.is_some() && matches!(event, Event::UndoStarted { .. });
        return (!held).then_some(event);
    }
    let outcome = if error.disposition == Disposition::Refused { Outcome::Refused } else { Outcome::Failed };
    Some(Event::RunStopped { outcome, reason })
}
