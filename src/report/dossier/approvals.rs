//! Who has to agree, and who did.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    plan::Plan,
    report::{
        Approved,
        approvals::{identity, who},
    },
    run::{Event, Record},
    runbook::{ActionKind, StepId},
};

/// One step that asks people.
#[derive(Clone, Debug, Serialize)]
pub struct Approval {
    pub step: StepId,
    /// With `${{ }}` where a value is only known in the run.
    pub prompt: String,
    pub approvers: u64,
    /// Who agreed, each under the plan's digest.
    pub given: Vec<Approved>,
    pub refused: Vec<Refusal>,
}

/// A no.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    /// `dana@contoso.com`, else `dana@jump-1`.
    pub by: String,
    /// How that is known: `unverified`.
    pub identity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    pub at: Timestamp,
}

pub(super) fn of(plan: &Plan, arguments: &[Map<String, Value>]) -> Vec<Approval> {
    let asks = plan.steps.iter().zip(arguments).filter(|(step, _)| step.action == ActionKind::Approval);
    asks.map(|(step, arguments)| Approval {
        step: step.id.clone(),
        prompt: arguments.get("prompt").and_then(Value::as_str).unwrap_or_default().to_owned(),
        approvers: arguments.get("approvers").and_then(Value::as_u64).unwrap_or(1),
        given: Vec::new(),
        refused: Vec::new(),
    })
    .collect()
}

/// Who refused a step.
pub(super) fn refused(records: &[Record], step: &StepId) -> Vec<Refusal> {
    let refusal = |record: &Record| {
        let Event::ApprovalRefused { step: of, by, comment } = &record.event else { return None };
        (of == step).then(|| Refusal {
            by: who(by),
            identity: identity(by).to_owned(),
            comment: comment.clone(),
            at: record.at,
        })
    };
    records.iter().filter_map(refusal).collect()
}
