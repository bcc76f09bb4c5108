//! The table of transitions: what an event makes of a step's state.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Event, Verdict,
    state::{Attempt, StepState, settled},
};

/// An event that cannot follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: `{event}`{}", state.map(|state| format!(" while the step is {state}")).unwrap_or_default())]
pub struct Illegal {
    pub reason: &'static str,
    pub event: String,
    pub state: Option<&'static str>,
}

impl Illegal {
    pub(super) fn run(reason: &'static str, event: &Event) -> Self {
        Self { reason, event: event.name().to_owned(), state: None }
    }

    pub(super) fn second(state: &StepState, event: &Event) -> Self {
        let reason = "this action asks for one change, and Azure has accepted it";
        Self { reason, event: event.name().to_owned(), state: Some(state.word()) }
    }

    pub(super) fn unchanged(state: &StepState, event: &Event) -> Self {
        let reason = "it has changed nothing that could be taken back";
        Self { reason, event: event.name().to_owned(), state: Some(state.word()) }
    }

    pub(super) fn empty() -> Self {
        Self { reason: "there is no first record", event: String::new(), state: None }
    }

    fn step(state: &StepState, event: &Event) -> Self {
        Self { reason: "this cannot follow", event: event.name().to_owned(), state: Some(state.word()) }
    }
}

/// The one match: every legal transition of a step by an event.
pub fn next(state: &StepState, at: Timestamp, event: &Event) -> Result<StepState, Illegal> {
    use StepState::{Failed, InDoubt, Pending, Running, Skipped, Succeeded, UndoFailed, Undoing, Undone, Waiting};
    let after = match (state, event) {
        (Pending { .. } | Waiting { .. }, Event::StepStarted { attempt, deadline, arguments, .. }) => Running {
            attempt: Attempt {
                number: *attempt,
                since: at,
                deadline: *deadline,
                window: deadline.duration_since(at),
                restarts: state.restarts(),
                arguments: arguments.clone(),
                intent: None,
                operation: None,
            },
            follow: false,
        },
        (Pending { .. }, Event::StepSkipped { reason, by: None, .. }) => Skipped { reason: reason.clone(), by: None },
        (Failed { .. } | Waiting { .. }, Event::StepSkipped { reason, by: Some(by), .. }) => {
            Skipped { reason: reason.clone(), by: Some(by.clone()) }
        }
        (Running { attempt, .. }, Event::StepSkipped { reason, by: Some(by), .. }) if attempt.intent.is_none() => {
            Skipped { reason: reason.clone(), by: Some(by.clone()) }
        }
        // A further request of the same attempt: the operation of the one before has ended. The fold, which knows the
        // action, refuses it for all that never send a second one.
        (Running { attempt, follow: false }, Event::ChangeIntended { intent, .. }) => {
            let intent = Some(Box::new(intent.clone()));
            Running { attempt: Attempt { intent, operation: None, ..attempt.clone() }, follow: false }
        }
        (Running { attempt, follow }, Event::OperationAccepted { operation, .. }) if attempt.intent.is_some() => {
            Running { attempt: Attempt { operation: Some(operation.clone()), ..attempt.clone() }, follow: *follow }
        }
        (
            Running { .. },
            Event::StepNoted { .. }
            | Event::ApprovalGiven { .. }
            | Event::ApprovalRefused { .. }
            | Event::ApprovalOverridden { .. },
        )
        | (InDoubt { .. } | Undoing { .. }, Event::StepNoted { .. }) => state.clone(),
        (Running { .. }, Event::StepSucceeded { outputs, .. }) => Succeeded { outputs: Arc::new(outputs.clone()) },
        (Running { attempt, .. }, Event::StepFailed { error, retry_at: Some(until), .. }) => {
            Waiting { next_attempt: attempt.number + 1, until: *until, error: error.clone() }
        }
        (Pending { carried: Some(carried) }, Event::StepFailed { error, retry_at: Some(until), .. }) => {
            Waiting { next_attempt: carried.attempt + 1, until: *until, error: error.clone() }
        }
        (Running { .. } | Pending { .. } | Waiting { .. }, Event::StepFailed { error, retry_at: None, .. }) => {
            Failed { error: error.clone() }
        }
        (Running { attempt, .. }, Event::StepInDoubt { error, .. }) => {
            InDoubt { attempt: attempt.clone(), error: Some(error.clone()), unknown: None }
        }
        (InDoubt { attempt, error, .. }, Event::StepSettled { verdict, word, .. })
            if word.is_none() || matches!(verdict, Verdict::Happened { .. } | Verdict::DidNotHappen { .. }) =>
        {
            settled(attempt.clone(), error.clone(), verdict, at)
        }
        // A person did it. What is known to be on its way by this run's own doing stays this run's.
        (Pending { .. } | Waiting { .. } | Failed { .. } | InDoubt { .. }, Event::StepAdopted { outputs, .. }) => {
            Succeeded { outputs: Arc::new(outputs.clone()) }
        }
        (Running { attempt, .. }, Event::StepAdopted { outputs, .. }) if attempt.intent.is_none() => {
            Succeeded { outputs: Arc::new(outputs.clone()) }
        }
        (Succeeded { outputs }, Event::UndoStarted { .. }) => Undoing { outputs: Some(outputs.clone()), intent: None },
        // Half made: the fold, which knows what was asked for, refuses it for all that changed nothing.
        (Pending { .. } | Waiting { .. } | Failed { .. }, Event::UndoStarted { .. }) => {
            Undoing { outputs: None, intent: None }
        }
        (Undoing { outputs, .. }, Event::UndoIntended { intent, .. }) => {
            Undoing { outputs: outputs.clone(), intent: Some(Box::new(intent.clone())) }
        }
        // After an undo that failed: a person says that it is back, and no probe says otherwise.
        (Undoing { .. }, Event::UndoSucceeded { word: None, .. })
        | (UndoFailed { .. }, Event::UndoSucceeded { .. }) => Undone,
        (Undoing { outputs, .. }, Event::UndoFailed { error, .. }) => {
            UndoFailed { outputs: outputs.clone(), error: error.clone() }
        }
        (
            Pending { .. }
            | Running { .. }
            | Waiting { .. }
            | InDoubt { .. }
            | Succeeded { .. }
            | Failed { .. }
            | Skipped { .. }
            | Undoing { .. }
            | Undone
            | UndoFailed { .. },
            _,
        ) => return Err(Illegal::step(state, event)),
    };
    Ok(after)
}

/// What a new driver finds: what ran is in doubt until a probe has looked; what failed may try again.
/// An approval sends nothing, so it just goes on waiting, with its old deadline.
pub fn attached(state: StepState, approval: bool) -> StepState {
    use StepState::{Failed, InDoubt, Pending, Running, Skipped, Succeeded, UndoFailed, Undoing, Undone, Waiting};
    match state {
        Running { attempt, follow } if approval => Running { attempt, follow },
        Running { attempt, .. } | InDoubt { attempt, .. } => InDoubt { attempt, error: None, unknown: None },
        Failed { .. } => Pending { carried: None },
        UndoFailed { outputs, .. } => Undoing { outputs, intent: None },
        Pending { .. } | Waiting { .. } | Succeeded { .. } | Skipped { .. } | Undoing { .. } | Undone => state,
    }
}
