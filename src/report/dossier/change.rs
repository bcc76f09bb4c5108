//! The change, field by field: what is there, what is sent.

use serde::Serialize;
use serde_json::Value;

use super::scope::changes;
use crate::{
    plan::{Plan, PlannedStep, facts::PlannedRequest},
    runbook::{ActionKind, StepId},
};

/// What one step changes.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    pub step: StepId,
    /// One line: what would happen.
    pub what: String,
    /// `PUT https://…`; none: only the run brings it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    pub fields: Vec<ChangedField>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ChangedField {
    /// Dotted path in the request's body.
    pub field: String,
    /// None: no probe read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// None: it is left as it is, or taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl ChangedField {
    /// The request says again what is there already.
    pub fn stays(&self) -> bool {
        self.before.is_some() && self.before == self.after
    }
}

pub(super) fn of(plan: &Plan) -> Vec<Change> {
    plan.steps.iter().filter(|step| changes(step)).flat_map(of_step).collect()
}

fn of_step(step: &PlannedStep) -> Vec<Change> {
    let change = |request: Option<&PlannedRequest>| Change {
        step: step.id.clone(),
        what: step.probe.summary.clone(),
        request: request.map(|request| format!("{} {}", request.method, request.url)),
        fields: request.map(|request| fields(step, request)).unwrap_or_default(),
    };
    if step.probe.requests.is_empty() {
        return vec![change(None)];
    }
    step.probe.requests.iter().map(|request| change(Some(request))).collect()
}

fn fields(step: &PlannedStep, request: &PlannedRequest) -> Vec<ChangedField> {
    let whole = |field: &str, before: &str, after: Option<&str>| {
        vec![ChangedField { field: field.to_owned(), before: Some(before.to_owned()), after: after.map(str::to_owned) }]
    };
    let sent = |name: &str| request.body.as_ref().and_then(|body| body.get(name)?.as_str());
    if step.action == ActionKind::Restore {
        return whole("the service's configuration", "what it holds now; overwritten", sent("backupName"));
    }
    if step.action == ActionKind::Backup {
        return whole("a blob in the container", "absent", sent("backupName"));
    }
    let mut leaves = Vec::new();
    if let Some(body) = &request.body {
        flatten("", body, &mut leaves);
    }
    let fields = leaves.into_iter().map(|(field, after)| {
        let before = before(step, request, &field);
        ChangedField { field, before, after: Some(after) }
    });
    fields.collect()
}

fn flatten(path: &str, value: &Value, leaves: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, leaves);
            }
        }
        Value::Object(_) | Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {
            leaves.push((path.to_owned(), value.to_string()));
        }
        Value::String(text) => leaves.push((path.to_owned(), text.clone())),
    }
}

/// What a probe saw in the field that the request writes.
fn before(step: &PlannedStep, request: &PlannedRequest, field: &str) -> Option<String> {
    let fact = |name: &str| step.probe.facts.iter().find(|fact| fact.name == name).map(|fact| &fact.value);
    let name = field.rsplit('.').next().unwrap_or(field);
    let value = match step.action {
        ActionKind::FlipCname | ActionKind::FlipPrivateCname | ActionKind::SetTtl => match name.to_lowercase().as_str()
        {
            "cname" => fact("record.target"),
            "ttl" => fact("record.ttl"),
            _ if field.contains("metadata.") => match fact("record.metadata")?.get(name) {
                Some(value) => Some(value),
                None => return Some("absent".to_owned()),
            },
            _ => None,
        },
        ActionKind::SetEndpoints | ActionKind::SetOrigin => return of_member(step, request, name),
        ActionKind::Restore
        | ActionKind::Backup
        | ActionKind::Prune
        | ActionKind::ConfirmOutage
        | ActionKind::VerifyStandby
        | ActionKind::FindLatest
        | ActionKind::VerifyRestore
        | ActionKind::Compare
        | ActionKind::GatewayHealth
        | ActionKind::VerifyPropagation
        | ActionKind::Approval
        | ActionKind::HttpRequest
        | ActionKind::Command
        | ActionKind::Notify
        | ActionKind::Wait => None,
    };
    value.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// A setting of the member of a pool that the request is for.
fn of_member(step: &PlannedStep, request: &PlannedRequest, name: &str) -> Option<String> {
    let path = request.url.split('?').next().unwrap_or_default();
    let member = format!(".{}", path.rsplit('/').next()?.to_lowercase());
    let setting = &step.probe.facts.iter().find(|fact| fact.name.ends_with(&member) && fact.value.is_object())?.value;
    match name {
        "endpointStatus" | "enabledState" => {
            let enabled = setting.get("enabled")?.as_bool()?;
            Some(if enabled { "Enabled" } else { "Disabled" }.to_owned())
        }
        "priority" | "weight" => Some(setting.get(name)?.to_string()),
        _ => None,
    }
}
