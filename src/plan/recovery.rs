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

/// As the probes saw it when the plan was made: the oldest backup that would be restored. Of a plan that only takes
/// backups: what the newest one will be like when the next is whole, for until then there is no other.
pub fn predicted_age(plan: &Plan) -> Option<Duration> {
    let searches = plan.steps.iter().filter(|step| step.action == ActionKind::FindLatest);
    let chosen = searches.filter_map(|step| backup_age(&step.probe.outputs, plan.made_at)).max();
    chosen.or_else(|| if restores(plan) { None } else { exposure(plan).map(|(now, takes)| now + takes) })
}

/// What a plan that only takes backups gives, in words: the RPO is what a person sets by how often it runs.
pub fn given(plan: &Plan) -> Option<String> {
    let takes_one = plan.steps.iter().any(|step| step.action == ActionKind::Backup);
    if restores(plan) || !takes_one {
        return None;
    }
    Some(match exposure(plan) {
        Some((now, takes)) => format!(
            "RPO this gives: a backup every run. The newest is {} old now; until the next is whole, about {} later, nothing \
             newer can be restored",
            span::format(whole(now)),
            span::format(takes)
        ),
        None => "RPO this gives: a backup every run. There is no usable backup now".to_owned(),
    })
}

fn restores(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| step.action == ActionKind::Restore)
}

/// Age of the newest usable backup when the plan was made, and how long the next takes.
fn exposure(plan: &Plan) -> Option<(Duration, Duration)> {
    let backups = plan.steps.iter().filter(|step| step.action == ActionKind::Backup);
    let of = backups.filter_map(|step| {
        let fact = step.probe.facts.iter().find(|fact| fact.name == "backup.newest_created")?;
        let created = fact.value.as_str()?.parse::<Timestamp>().ok()?;
        Some((Duration::try_from(plan.made_at.duration_since(created)).ok()?, step.expected))
    });
    of.max()
}

fn whole(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}
