//! What giving up would leave behind, and what a way back would take back: told before anything is done.

use jiff::Timestamp;

use super::{Commands, Standing, Summary};
use crate::{
    run::{
        State, StepState, decide,
        state::{Ruling, StepRecord},
    },
    runbook::Effect,
    style::{Page, Style, Symbol, pad},
};

/// The world as the run knows it, what is undone in which order, and what stays. `undo`: false when the run is only given
/// up. Ends with a line feed.
pub fn preview(
    state: &State,
    standing: Standing,
    now: Timestamp,
    undo: bool,
    commands: &Commands,
    style: &Style,
) -> String {
    let mut page = Page::new(style);
    let mark = |symbol| style.mark(symbol);
    Summary::of(state, standing, now, commands).world(&mut page);
    let wide = state.plan.steps.iter().map(|step| step.id.as_str().len()).max().unwrap_or_default();
    if undo {
        let undone: Vec<usize> = decide::undoable(state).collect();
        page.heading("What is undone, in this order");
        if undone.is_empty() {
            page.hang("  ", "nothing: this run has changed nothing that can be taken back");
        }
        for place in undone {
            let planned = state.planned(place);
            let half = if matches!(state.steps[place].state, StepState::Succeeded { .. }) { "" } else { HALF };
            let lead = format!("  {} {}  ", mark(Symbol::Undo), pad(planned.id.as_str(), wide));
            page.hang(&lead, &format!("{}{half}", planned.action));
        }
    }
    let left: Vec<_> = (0..state.steps.len()).filter_map(|place| Some((place, left(state, place, undo)?))).collect();
    if !left.is_empty() || !undo {
        page.heading("What is left behind");
    }
    if left.is_empty() && !undo {
        page.hang("  ", "nothing: this run has asked for no change");
    }
    for (place, says) in left {
        let planned = state.planned(place);
        page.hang(
            &format!("  {} {}  ", mark(Symbol::Warning), pad(planned.id.as_str(), wide)),
            &format!("{}: {says}", planned.action),
        );
    }
    page.text()
}

/// Behind a step that never came to its end.
const HALF: &str = ": it did not come to its end; what is there is looked up first";

/// What becomes of a step that changed something, or may have, and that nobody undoes now.
fn left(state: &State, place: usize, undo: bool) -> Option<&'static str> {
    let record: &StepRecord = &state.steps[place];
    let adopted = state.decided.iter().any(|decided| decided.place == place && decided.ruling == Ruling::Adopted);
    if record.changes == 0 {
        let done = matches!(record.state, StepState::Succeeded { .. });
        return (adopted && done).then_some("a person did it, and it stays");
    }
    let reversible = state.planned(place).effect == Effect::Reversible;
    match &record.state {
        StepState::Succeeded { .. } if reversible && undo => None,
        StepState::Succeeded { .. } if reversible => Some("it is done and stays; `--undo` would take it back"),
        StepState::Succeeded { .. } => Some("it is done and cannot be undone"),
        StepState::Running { attempt, .. } | StepState::InDoubt { attempt, .. } if attempt.intent.is_some() => {
            Some(match (undo, reversible) {
                (true, true) => "it is looked up first, and undone if it has happened",
                (true, false) => "it is looked up first; what still goes on in Azure goes on, and cannot be undone",
                (false, _) => "it was asked for, and nobody knows or waits for the end; what goes on in Azure goes on",
            })
        }
        StepState::UndoFailed { .. } | StepState::Undoing { .. } if undo => {
            Some("undoing it has begun and is tried again")
        }
        StepState::UndoFailed { .. } | StepState::Undoing { .. } => {
            Some("undoing it has begun and did not come to its end")
        }
        StepState::Failed { .. } | StepState::Waiting { .. } | StepState::Pending { .. } if reversible && undo => None,
        StepState::Failed { .. } | StepState::Waiting { .. } => {
            Some("it failed after it had asked for a change: look at what is there")
        }
        StepState::Pending { .. } => Some("it was asked for, and not found to be done: look at what is there"),
        StepState::Running { .. } | StepState::InDoubt { .. } | StepState::Skipped { .. } | StepState::Undone => None,
    }
}
