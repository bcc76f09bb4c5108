//! Whether what the report says for certain is what the simulator's world is.

use serde_json::Value;

use super::case::Case;
use crate::{
    report::{Standing, world},
    run::{State, StepState},
    runbook::{ActionKind, ResourceId},
    sim::Shape,
};

/// Sentences of the report that are not true; each a lower-case fragment.
pub(super) fn lies(case: &Case, state: &State, shape: &Shape) -> Vec<String> {
    let report = world::World::of(state, Standing::of(state, Some(false)));
    let certain = report.truths.iter().filter(|truth| truth.certain);
    let lies = certain.filter_map(|truth| {
        let place = state.place(&truth.step)?;
        let wrong = match state.planned(place).action {
            ActionKind::FlipCname => record(state, place, &shape.records, &case.before.records, &truth.says),
            ActionKind::FlipPrivateCname => {
                record(state, place, &shape.private_records, &case.before.private_records, &truth.says)
            }
            ActionKind::Restore => restored(state, place, shape, &case.before),
            ActionKind::SetEndpoints => untouched(state, place, shape.endpoints == case.before.endpoints),
            ActionKind::SetOrigin => untouched(state, place, shape.origins == case.before.origins),
            ActionKind::SetTtl
            | ActionKind::GatewayHealth
            | ActionKind::VerifyRestore
            | ActionKind::Compare
            | ActionKind::HttpRequest
            | ActionKind::Command
            | ActionKind::ConfirmOutage
            | ActionKind::VerifyStandby
            | ActionKind::Backup
            | ActionKind::FindLatest
            | ActionKind::Prune
            | ActionKind::VerifyPropagation
            | ActionKind::Approval
            | ActionKind::Notify
            | ActionKind::Wait => None,
        }?;
        Some(format!("the report says that {} {}; {wrong}", truth.subject, truth.says))
    });
    lies.collect()
}

type Records = std::collections::BTreeMap<String, (Option<String>, u32)>;

/// Where a record points.
fn record(state: &State, place: usize, now: &Records, before: &Records, says: &str) -> Option<String> {
    let arguments = &state.planned(place).arguments;
    let resolved = state.scope.resolve_known(arguments).ok()?.0;
    let name = resolved.get("record").and_then(Value::as_str)?.to_ascii_lowercase();
    let target = |records: &Records| records.get(&name).and_then(|(target, _)| target.clone());
    let found = target(now)?;
    let wrong = match &state.steps[place].state {
        StepState::Succeeded { outputs } => {
            outputs.get("target").and_then(Value::as_str) != Some(found.as_str()) || !says.contains(&found)
        }
        StepState::Pending { .. }
        | StepState::Running { .. }
        | StepState::Waiting { .. }
        | StepState::InDoubt { .. }
        | StepState::Failed { .. }
        | StepState::Skipped { .. }
        | StepState::Undoing { .. }
        | StepState::Undone
        | StepState::UndoFailed { .. } => Some(&found) != target(before).as_ref(),
    };
    wrong.then(|| format!("it points at {found}"))
}

/// Whether a backup was restored to a service.
fn restored(state: &State, place: usize, now: &Shape, before: &Shape) -> Option<String> {
    let arguments = state.scope.resolve_known(&state.planned(place).arguments).ok()?.0;
    let id = ResourceId::parse(arguments.get("service")?.as_str()?).ok()?;
    let name = id.name().to_ascii_lowercase();
    let was = |shape: &Shape| shape.services.get(&name).is_some_and(|(_, _, restored)| *restored);
    let done = matches!(state.steps[place].state, StepState::Succeeded { .. });
    match (done, was(now), was(before)) {
        (true, false, _) => Some("nothing was restored to it".to_owned()),
        (false, true, false) => Some("a backup was restored to it".to_owned()),
        (true, true, _) | (false, false, _) | (false, true, true) => None,
    }
}

/// Whether members are as they were, where no step is done that changes them.
fn untouched(state: &State, place: usize, same: bool) -> Option<String> {
    let done = matches!(state.steps[place].state, StepState::Succeeded { .. });
    (!done && !same).then(|| "something of it was changed".to_owned())
}
