//! What people decided against what the tool saw. It stands first in every report, for whoever reads it later.

use jiff::Timestamp;
use serde::Serialize;

use super::story::person;
use crate::{
    run::{State, StepState},
    runbook::StepId,
    style::{moment, one_line},
};

/// Somebody's decision to go on although a step said otherwise, or could not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Override {
    pub kind: Kind,
    /// The step that was gone past; none: whichever step confirms the outage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// `dana@jump-1`
    pub by: String,
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The run was planned to go on whatever is seen of the service that is left.
    Forced,
    /// A step that proves something was left out.
    Skipped,
}

/// All of them, the oldest first.
pub fn overrides(state: &State) -> Vec<Override> {
    let forced = state.plan.forced.iter().map(|forced| Override {
        kind: Kind::Forced,
        step: None,
        by: person(&forced.by),
        reason: forced.reason.clone(),
        at: None,
    });
    let mut skips: Vec<Override> = state
        .steps
        .iter()
        .zip(&state.plan.steps)
        .filter_map(|(record, planned)| match &record.state {
            StepState::Skipped { reason, by: Some(by) } => Some(Override {
                kind: Kind::Skipped,
                step: Some(planned.id.clone()),
                by: person(by),
                reason: reason.clone(),
                at: record.ended_at,
            }),
            StepState::Skipped { by: None, .. }
            | StepState::Pending { .. }
            | StepState::Running { .. }
            | StepState::Waiting { .. }
            | StepState::InDoubt { .. }
            | StepState::Succeeded { .. }
            | StepState::Failed { .. }
            | StepState::Undoing { .. }
            | StepState::Undone
            | StepState::UndoFailed { .. } => None,
        })
        .collect();
    skips.sort_by_key(|skip| skip.at);
    forced.chain(skips).collect()
}

impl Override {
    /// One line: `forced by dana@jump-1: "seen on the status page"`.
    pub fn sentence(&self) -> String {
        let at = self.at.map(|at| format!(" at {}", moment(at))).unwrap_or_default();
        let what = match (self.kind, &self.step) {
            (Kind::Skipped, Some(step)) => format!("step {step} was skipped"),
            (Kind::Skipped, None) => "a step was skipped".to_owned(),
            (Kind::Forced, _) => "forced".to_owned(),
        };
        format!("{what} by {}{at}: \"{}\"", one_line(&self.by), one_line(&self.reason))
    }
}
