//! What an action is told of a step: the one place where a state becomes a call. And what it says of a person's claim.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{
    action::{self, Call, Context},
    azure::Operation,
    run::{
        Intent, State, StepError, StepState, Verdict, decide,
        inquiry::{Claim, Seen},
        state::StepRecord,
    },
    runbook::ActionKind,
};

/// A step as its action sees it.
#[derive(Debug)]
pub struct Subject {
    pub kind: ActionKind,
    pub call: Call,
    pub intent: Option<Box<Intent>>,
    pub operation: Option<Operation>,
    /// Of a step that is being taken back; none when it never came to its end.
    pub outputs: Option<Arc<Map<String, Value>>>,
    /// Its last request was sent by another process than the one that drives.
    pub sent_elsewhere: bool,
}

impl Subject {
    pub fn of(state: &State, place: usize) -> Self {
        let (planned, record) = (state.planned(place), &state.steps[place]);
        let call = Call {
            step: planned.id.clone(),
            arguments: decide::arguments(state, place).map(|found| Map::clone(&found)).unwrap_or_default(),
            planned: state.facts(place),
            forced: state.plan.forced.clone(),
            doubt: record.state.doubt().cloned().map(Box::new),
            earlier: record.intended.clone(),
            unanswered: unanswered(record),
            fences: state.fences.clone(),
        };
        let (intent, operation, outputs) = match &record.state {
            StepState::Running { attempt, .. } | StepState::InDoubt { attempt, .. } => {
                (attempt.intent.clone(), attempt.operation.clone(), None)
            }
            StepState::Undoing { outputs, intent } => (intent.clone(), None, outputs.clone()),
            StepState::UndoFailed { outputs, .. } => (None, None, outputs.clone()),
            StepState::Pending { .. }
            | StepState::Waiting { .. }
            | StepState::Succeeded { .. }
            | StepState::Failed { .. }
            | StepState::Skipped { .. }
            | StepState::Undone => (None, None, None),
        };
        let sent_elsewhere = record.sent.as_ref().is_some_and(|sent| sent.generation != state.generation);
        Self { kind: planned.action, call, intent, operation, outputs, sent_elsewhere }
    }

    /// The same step for a process that does not drive: whatever was sent, another one sent it.
    #[must_use]
    pub fn from_outside(mut self) -> Self {
        self.sent_elsewhere = true;
        self
    }

    /// Looks at the world for a person's claim. Reads only. What cannot be read cannot be told.
    pub async fn look(&self, claim: Claim, context: &Context) -> Seen {
        let context = &context.clone().after_another(self.sent_elsewhere);
        let looked = match claim {
            Claim::Done => action::adopt(self.kind, &self.call, context).await,
            Claim::Happened | Claim::DidNotHappen => self.settle(context).await,
            Claim::TakenBack => {
                let outputs = self.outputs.as_deref();
                let verdict = action::settle_undo(self.kind, &self.call, context, outputs).await;
                verdict.map(|verdict| Seen { verdict, outputs: Map::new(), evidence: Value::Null })
            }
        };
        looked.unwrap_or_else(|StepError { message, hint, .. }| Seen {
            verdict: Verdict::Unknown { reason: message, remedy: hint },
            outputs: Map::new(),
            evidence: Value::Null,
        })
    }

    /// Where the verdict is not known, what is there may still tell the outputs.
    async fn settle(&self, context: &Context) -> Result<Seen, StepError> {
        let (intent, operation) = (self.intent.as_deref(), self.operation.as_ref());
        let verdict = action::settle(self.kind, &self.call, context, intent, operation).await?;
        let outputs = match &verdict {
            Verdict::Unknown { .. } => match action::adopt(self.kind, &self.call, context).await {
                Ok(Seen { verdict: Verdict::Happened { outputs }, .. }) => outputs,
                Ok(Seen { outputs, .. }) => outputs,
                Err(_) => Map::new(),
            },
            Verdict::Happened { .. }
            | Verdict::DidNotHappen { .. }
            | Verdict::GoesOn { .. }
            | Verdict::Failed { .. } => Map::new(),
        };
        Ok(Seen { verdict, outputs, evidence: Value::Null })
    }
}

/// When a request left of whose end nobody was told: it may arrive yet, while its step is taken back.
fn unanswered(record: &StepRecord) -> Option<Timestamp> {
    let half_made = matches!(record.state, StepState::Undoing { outputs: None, .. });
    let sent = record.sent.as_ref().filter(|_| half_made && record.failure.is_none())?;
    Some(sent.at)
}
