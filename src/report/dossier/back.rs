//! The way back: for each step, how it is taken back; and for whoever stops right after it, how long going back takes and what
//! stays all the same.

use serde::Serialize;

use super::scope::changes;
use crate::{
    plan::{Plan, PlannedStep},
    runbook::{ActionKind, Effect, StepId},
};

#[derive(Clone, Debug, Serialize)]
pub struct Backout {
    pub step: StepId,
    pub effect: Effect,
    /// How this one step is taken back. Lower-case fragment.
    pub how: String,
    /// Seconds until everything before the point after this step that can be taken back is back, caches included. None:
    /// nothing can, and something stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back_s: Option<u64>,
    /// What stays, whatever is taken back. Lower-case fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stays: Option<String>,
}

impl Backout {
    /// How long going back takes from the point after the step. Lower-case fragment.
    pub(super) fn takes(&self) -> String {
        let took = self.back_s.map(|back| if back == 0 { "at once".to_owned() } else { super::said(back) });
        match (took, &self.stays) {
            (Some(took), None) => took,
            (Some(took), Some(stays)) => format!("{took}, and {stays} stays"),
            (None, Some(stays)) => format!("nothing can be taken back: {stays} stays"),
            (None, None) => "nothing can be taken back".to_owned(),
        }
    }
}

pub(super) fn of(plan: &Plan) -> Vec<Backout> {
    let mut writes = 0;
    let mut caches = 0;
    let mut is_undoable = false;
    let mut stays: Vec<&str> = Vec::new();
    let mut rows = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        match step.effect {
            Effect::ReadOnly => {}
            Effect::Reversible => {
                // A write back takes as long as the write did.
                writes += step.expected.as_secs();
                caches = caches.max(drain(step));
                is_undoable = true;
            }
            Effect::Irreversible => stays.push(step.id.as_str()),
        }
        rows.push(Backout {
            step: step.id.clone(),
            effect: step.effect,
            how: how(step),
            back_s: (is_undoable || stays.is_empty()).then_some(writes + caches),
            stays: (!stays.is_empty()).then(|| format!("what {} did", stays.join(", "))),
        });
    }
    rows
}

/// Seconds for which caches may hold what the step wrote.
fn drain(step: &PlannedStep) -> u64 {
    let sent = step.probe.requests.iter().filter_map(|request| request.body.as_ref());
    let ttl = sent.filter_map(|body| {
        let properties = body.get("properties")?;
        properties.get("TTL").or_else(|| properties.get("ttl"))?.as_u64()
    });
    let kept = || step.probe.facts.iter().find(|fact| fact.name == "record.ttl").and_then(|fact| fact.value.as_u64());
    ttl.max().or_else(kept).unwrap_or_default()
}

fn how(step: &PlannedStep) -> String {
    if !changes(step) {
        return "nothing to take back: it only reads".to_owned();
    }
    match step.action {
        ActionKind::FlipCname | ActionKind::FlipPrivateCname => format!(
            "`lifeboat abort RUN --undo` writes the previous target back, only if nobody else wrote since; caches hold the \
             new one for {} more",
            super::said(drain(step))
        ),
        ActionKind::SetTtl => "`lifeboat abort RUN --undo` writes the previous TTL back".to_owned(),
        ActionKind::SetEndpoints | ActionKind::SetOrigin => {
            "`lifeboat abort RUN --undo` puts every member back to what it was, the last one first".to_owned()
        }
        ActionKind::Restore => {
            "cannot be undone: the standby's former configuration is gone, unless a backup of it exists; \
                                production traffic is where it was until a later step moves it"
                .to_owned()
        }
        ActionKind::Backup => "nothing to take back: one more backup is kept".to_owned(),
        ActionKind::Prune => {
            "cannot be undone by lifeboat: only a storage account with soft delete brings blobs back".to_owned()
        }
        ActionKind::HttpRequest | ActionKind::Command => match step.effect {
            Effect::Reversible => "`lifeboat abort RUN --undo` does what the step's own `undo` says".to_owned(),
            Effect::ReadOnly | Effect::Irreversible => {
                "cannot be undone by lifeboat: the step names no `undo`".to_owned()
            }
        },
        ActionKind::ConfirmOutage
        | ActionKind::VerifyStandby
        | ActionKind::FindLatest
        | ActionKind::VerifyRestore
        | ActionKind::Compare
        | ActionKind::GatewayHealth
        | ActionKind::VerifyPropagation
        | ActionKind::Approval
        | ActionKind::Notify
        | ActionKind::Wait => "nothing to take back".to_owned(),
    }
}
