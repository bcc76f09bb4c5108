//! What people ask of a run, and whether it can be taken: the event that it comes to, or why not. Pure.

use serde::{Deserialize, Serialize};

use super::{Event, Person, State, StepState};
use crate::runbook::{ActionKind, Effect, StepId};

/// What people ask of a running process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    Stop {
        by: Person,
        abort: bool,
        reason: String,
        /// Take back what can be taken back, then end.
        #[serde(default)]
        undo: bool,
    },
    Approve {
        step: StepId,
        by: Person,
        comment: Option<String>,
    },
    Refuse {
        step: StepId,
        by: Person,
        comment: Option<String>,
    },
    /// Go on without a step that only reads.
    Skip {
        step: StepId,
        by: Person,
        reason: String,
    },
}

/// The event that a person's request comes to, or why it cannot be taken now.
pub fn event_for(state: &State, request: Request) -> Result<Event, String> {
    let waiting = |step: &StepId| -> Result<(), String> {
        let wanted = state.approvals_wanted();
        if wanted.contains_key(step) {
            return Ok(());
        }
        let now = wanted.keys().map(|step| format!("`{step}`")).collect::<Vec<_>>().join(", ");
        let now =
            if now.is_empty() { "no step waits for an approval now".to_owned() } else { format!("waiting now: {now}") };
        Err(format!("step `{step}` does not wait for an approval; {now}"))
    };
    match request {
        Request::Stop { by, abort, reason, undo } => Ok(Event::StopRequested { by, abort, reason, undo }),
        Request::Skip { step, by, reason } => {
            may_be_skipped(state, &step)?;
            Ok(Event::StepSkipped { step, reason, by: Some(by) })
        }
        Request::Approve { step, by, comment } => {
            waiting(&step)?;
            let place = state.place(&step).ok_or("no such step")?;
            if state.steps[place].approvals.iter().any(|earlier| earlier.name == by.name) {
                return Err(format!("{} has approved step `{step}` already", by.name));
            }
            Ok(Event::ApprovalGiven { step, by, comment })
        }
        Request::Refuse { step, by, comment } => {
            waiting(&step)?;
            Ok(Event::ApprovalRefused { step, by, comment })
        }
    }
}

/// Why a person may not go on without this step, or that it can be done: it only reads, its turn has come, and it is
/// not done.
pub fn may_be_skipped(state: &State, step: &StepId) -> Result<(), String> {
    let place = state.place(step).ok_or_else(|| format!("the run has no step `{step}`"))?;
    let planned = state.planned(place);
    let action = planned.action;
    match action {
        ActionKind::Approval => return Err(format!("step `{step}` is an approval: approve or reject it")),
        ActionKind::ConfirmOutage => {
            return Err(format!(
                "step `{step}` keeps two regions from taking traffic: start a run with --force instead"
            ));
        }
        _ if planned.effect != Effect::ReadOnly => {
            return Err(format!(
                "step `{step}` ({action}) changes the world: what waits for it would find it unchanged"
            ));
        }
        _ if state.goes_back() => return Err("the run is on its way back".to_owned()),
        _ => {}
    }
    match &state.steps[place].state {
        StepState::Failed { .. } if state.tolerated(place) => {
            Err(format!("step `{step}` failed, and the run goes on without it anyway"))
        }
        StepState::Failed { .. } | StepState::Waiting { .. } => Ok(()),
        StepState::Running { attempt, .. } if attempt.intent.is_none() => Ok(()),
        StepState::Running { .. } | StepState::InDoubt { .. } => {
            Err(format!("what became of step `{step}` is not known yet: resume the run, then look again"))
        }
        StepState::Pending { .. } => Err(format!("step `{step}` has not been tried yet: its turn has not come")),
        StepState::Succeeded { .. } => Err(format!("step `{step}` is done")),
        StepState::Skipped { .. } => Err(format!("step `{step}` is skipped already")),
        StepState::Undoing { .. } | StepState::Undone | StepState::UndoFailed { .. } => {
            Err(format!("step `{step}` is being undone"))
        }
    }
}
