//! What a run changes, held for it alone, with a generation each.

use std::collections::BTreeMap;

use super::Failure;
use crate::{
    action::{generation, record_of},
    plan::Plan,
    runbook::{Effect, Scope},
    store::{Claim, Store, Target},
};

/// Takes every target of a plan, as it is taken by whoever drives next. Simulated worlds are worlds apart: two of them
/// cannot meet on one service.
pub async fn hold(
    store: &Store,
    claim: &Claim,
    plan: &Plan,
    simulated: bool,
) -> Result<BTreeMap<String, u64>, Failure> {
    if simulated || plan.steps.iter().all(|step| step.effect == Effect::ReadOnly) {
        return Ok(BTreeMap::new());
    }
    Ok(store.hold_targets(claim, &targets(plan)).await?)
}

/// Each once, with the highest generation that any of its steps saw.
fn targets(plan: &Plan) -> Vec<Target> {
    let scope = Scope::new(plan.parameters.clone(), plan.mode, None);
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for step in &plan.steps {
        let known = scope.resolve_known(&step.arguments).ok();
        let record = known.and_then(|(arguments, _)| record_of(step.action, &arguments));
        for id in step.probe.targets.iter().cloned().chain(record) {
            let highest = seen.entry(id).or_default();
            *highest = (*highest).max(generation(&step.probe.facts));
        }
    }
    seen.into_iter().map(|(id, seen)| Target { id, seen }).collect()
}
