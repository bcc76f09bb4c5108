//! The recovery point that a plan or a run rests on: how old the backup is.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Plan;
use crate::runbook::{ActionKind, span};

/// Age at `at` of the backup that backup.find-latest chose, from its outputs. None: they do not tell, or it is in the
/// future of a clock that was set back.
pub fn backup_age(outputs: &Map<String, Value>, at: Timestamp) -> Option<Duration> {
    let created = outputs.get("created").or_else(|| outputs.get("backup")?.get("created"));
    match created.and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok()) {
        Some(created) => Duration::try_from(at.duration_since(created)).ok(),
        None => span::parse(outputs.get("age")?.as_str()?).ok(),
    }
}

/// As the probes saw it when the plan was made: the oldest backup that would be restored.
pub fn predicted_age(plan: &Plan) -> Option<Duration> {
    let searches = plan.steps.iter().filter(|step| step.action == ActionKind::FindLatest);
    searches.filter_map(|step| backup_age(&step.probe.outputs, plan.made_at)).max()
}
