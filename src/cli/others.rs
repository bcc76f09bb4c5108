//! Runs of the same store that are not over, for the actions that must mind them. Runs of another store are not seen.

use serde_json::Value;

use crate::{
    action::{Others, Unfinished},
    run::{JournalError, RunId, State},
    runbook::{ActionKind, ResourceId},
    store::{Kept, Store, StoreError},
};

/// Every other run than `own` that is not over; read anew whenever it is asked for. A plan is no run yet.
pub fn others(store: Store, own: Option<RunId>) -> Others {
    Others::asking(move || {
        let (store, own) = (store.clone(), own.clone());
        async move { unfinished(&store, own.as_ref()).await.map_err(|error| error.to_string()) }
    })
}

async fn unfinished(store: &Store, own: Option<&RunId>) -> Result<Vec<Unfinished>, StoreError> {
    let mut found = Vec::new();
    let ended = store.rows_of_ended().await?;
    let other = |kept: &Kept| Some(kept.run()) != own && !ended.contains_key(kept.run());
    for kept in store.list().await?.into_iter().filter(other) {
        let state = match kept.load().await {
            Ok((state, _)) => state,
            // It never began, or is beginning: as a plan, it is no run yet.
            Err(StoreError::Journal(JournalError::Empty { .. })) => continue,
            Err(error) => return Err(error),
        };
        if !state.is_over() {
            found.push(needs(&state));
        }
    }
    Ok(found)
}

/// What a run writes to. One that restores also needs the services that its parameters name, and its containers.
fn needs(state: &State) -> Unfinished {
    let steps = &state.plan.steps;
    let mut resources: Vec<String> = steps.iter().flat_map(|step| step.probe.targets.iter().cloned()).collect();
    let mut containers = Vec::new();
    if steps.iter().any(|step| step.action == ActionKind::Restore) {
        let ids = state.plan.parameters.values().filter_map(Value::as_str).filter_map(|it| ResourceId::parse(it).ok());
        resources.extend(ids.map(|id| id.folded()));
        let backups = steps.iter().filter_map(|step| step.probe.outputs.get("backup"));
        containers.extend(backups.filter_map(|backup| {
            let (account, container) = (backup.get("account")?.as_str()?, backup.get("container")?.as_str()?);
            Some(format!("{account}/{container}").to_ascii_lowercase())
        }));
    }
    Unfinished { run: state.run.to_string(), resources, containers }
}
