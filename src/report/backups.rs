//! What a run knows of the backups that it took and deleted.

use serde_json::{Map, Value};

use crate::{
    run::StepState,
    runbook::{ActionKind, ResourceId},
};

/// Where the backups are, from a step's arguments: `stcontosodr/apim-backups`.
pub fn place(arguments: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| arguments.get(name)?.as_str();
    let account = ResourceId::parse(text("storage")?).ok()?;
    Some(format!("{}/{}", account.name(), text("container")?))
}

/// What is true of them once a step has ended well; none while that is not so. `ended`: when it ended, in words.
pub fn truth(action: ActionKind, state: &StepState, place: &str, ended: &str) -> Option<(bool, String)> {
    let StepState::Succeeded { outputs } = state else { return None };
    let text = |name: &str| outputs.get(name).and_then(Value::as_str);
    let says = if action == ActionKind::Prune {
        let deleted = outputs.get("deleted")?.as_array()?.len();
        format!("lost {deleted} expired or surplus backups at {ended}; {} stay", outputs.get("kept")?)
    } else {
        let manifest = if outputs.contains_key("manifest") { ", with its manifest beside it" } else { "" };
        format!("was backed up at {ended} as `{}` in {place}{manifest}", text("name")?)
    };
    Some((true, says))
}
