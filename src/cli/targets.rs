//! What a run changes, held for it alone, with a generation each.

use std::collections::BTreeMap;

use super::Failure;
use crate::{
    plan::Plan,
    runbook::Effect,
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
    let ids = plan.steps.iter().flat_map(|step| step.probe.targets.iter());
    let targets: Vec<Target> = ids.map(|id| Target { id: id.clone(), seen: 0 }).collect();
    Ok(store.hold_targets(claim, &targets).await?)
}
