//! What a run knows of a pool that spreads traffic: Traffic Manager's endpoints, Front Door's origins.

use serde_json::{Map, Value};

use super::step;
use crate::{
    run::StepState,
    runbook::{ActionKind, ResourceId},
};

/// Who takes traffic, by a step's outputs: `` `east` ``; `none`.
pub fn enabled(outputs: &Map<String, Value>, list: &str) -> String {
    let members = outputs.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let on = members.iter().filter(|member| member.get("enabled") == Some(&Value::Bool(true)));
    let names: Vec<String> = on.filter_map(|member| Some(format!("`{}`", member.get("name")?.as_str()?))).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The output that lists the members as they are now.
pub fn list(action: ActionKind) -> &'static str {
    if action == ActionKind::SetOrigin { "origins" } else { "endpoints" }
}

/// One line for a step that is done: of the members that it names.
pub fn outcome(action: ActionKind, outputs: &Map<String, Value>) -> String {
    let hostname = outputs.get("hostname").and_then(Value::as_str).map(|name| format!("{name} "));
    let (now, before) = (enabled(outputs, list(action)), enabled(outputs, "previous"));
    format!("{}sends traffic to {now}, before: {before}", hostname.unwrap_or_default())
}

/// The pool that a step is about, from its arguments.
pub fn subject(arguments: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| arguments.get(name)?.as_str();
    let profile = ResourceId::parse(text("profile")?).ok()?;
    Some(match text("origin_group") {
        Some(group) => format!("origin group `{group}` of {}", profile.name()),
        None => profile.name().to_owned(),
    })
}

/// What is true of the pool now; `ended`: when the step ended, in words.
pub fn truth(action: ActionKind, state: &StepState, changes: u32, ended: &str) -> (bool, String) {
    match state {
        StepState::Succeeded { outputs } => {
            let (now, before) = (enabled(outputs, list(action)), enabled(outputs, "previous"));
            (true, format!("sends traffic to {now} since {ended} (before: {before})"))
        }
        StepState::Undone => (true, format!("is as it was before; the change was undone at {ended}")),
        StepState::Undoing { .. } => (false, "is being put back".to_owned()),
        StepState::UndoFailed { error, .. } => {
            (false, format!("could not be put back: {error}; {}", step::last_read(error, "how it is now is not known")))
        }
        // The error says which members are set.
        StepState::Failed { error } | StepState::Waiting { error, .. } if changes > 0 => {
            (false, format!("may be changed in part: {error}"))
        }
        StepState::Running { attempt, .. } | StepState::InDoubt { attempt, .. } if attempt.intent.is_some() => {
            (false, "is being changed, member by member: nobody has seen the end".to_owned())
        }
        StepState::Pending { .. } if changes > 0 => {
            (false, "may be changed in part: a probe found that not every member is set".to_owned())
        }
        StepState::Pending { .. }
        | StepState::Running { .. }
        | StepState::Waiting { .. }
        | StepState::InDoubt { .. }
        | StepState::Failed { .. }
        | StepState::Skipped { .. } => (true, "was not changed by this run".to_owned()),
    }
}
