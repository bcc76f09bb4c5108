//! What a way back would take back and what it would leave, told before anything is undone.

use jiff::Timestamp;

use super::{Commands, Standing, Summary};
use crate::{
    run::{State, StepState, decide, state::StepRecord},
    runbook::Effect,
    style::{Page, Style, Symbol, pad},
};

/// The world as the run knows it, what is undone in which order, and what stays. Ends with a line feed.
pub fn preview(state: &State, standing: Standing, now: Timestamp, commands: &Commands, style: &Style) -> String {
    let mut page = Page::new(style);
    let mark = |symbol| style.mark(symbol);
    Summary::of(state, standing, now, commands).world(&mut page);
    let wide = state.plan.steps.iter().map(|step| step.id.as_str().len()).max().unwrap_or_default();
    let undone: Vec<usize> = decide::undoable(state).collect();
    page.heading("What is undone, in this order");
    if undone.is_empty() {
        page.hang("  ", "nothing: this run has changed nothing that can be taken back");
    }
    for place in undone {
        let planned = state.planned(place);
        page.hang(&format!("  {} {}  ", mark(Symbol::Undo), pad(planned.id.as_str(), wide)), planned.action.name());
    }
    let left: Vec<_> = (0..state.steps.len()).filter_map(|place| Some((place, left(state, place)?))).collect();
    if !left.is_empty() {
        page.heading("What is left behind");
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

/// What becomes of a step that changed something, or may have, and that nobody undoes now.
fn left(state: &State, place: usize) -> Option<&'static str> {
    let record: &StepRecord = &state.steps[place];
    if record.changes == 0 {
        return None;
    }
    let reversible = state.planned(place).effect == Effect::Reversible;
    match &record.state {
        StepState::Succeeded { .. } if reversible => None,
        StepState::Succeeded { .. } => Some("it is done and cannot be undone"),
        StepState::Running { attempt, .. } | StepState::InDoubt { attempt, .. } if attempt.intent.is_some() => {
            Some(if reversible {
                "it is looked up first, and undone if it has happened; what still goes on in Azure is left to itself"
            } else {
                "it is looked up first; what still goes on in Azure goes on, and cannot be undone"
            })
        }
        StepState::UndoFailed { .. } | StepState::Undoing { .. } => Some("undoing it has begun and is tried again"),
        StepState::Failed { .. } | StepState::Waiting { .. } => {
            Some("it failed after it had asked for a change: look at what is there")
        }
        StepState::Pending { .. }
        | StepState::Running { .. }
        | StepState::InDoubt { .. }
        | StepState::Skipped { .. }
        | StepState::Undone => None,
    }
}
