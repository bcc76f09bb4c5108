//! A restore over a service that clients use: it stops the plan, unless somebody decided otherwise.
//!
//! Names of rehearsals may lead to it: what a drill moves is no production, in a drill and on the day that it was for. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{
    Forced, PlannedStep,
    facts::{Fact, Finding},
};
use crate::runbook::{ActionKind, Mode, Runbook, Scope};

pub const RESTORE_OVER_LIVE: &str = "restore-over-live";
/// Fact of an `apim.restore` and an `apim.verify-standby`: hostnames that lead to the service, sorted.
pub const SERVES: &str = "service.serves";
/// Fact of an `apim.restore`: where a name points that leads to the service.
pub const GATEWAY_HOST: &str = "service.gateway_host";
/// The same of an `apim.verify-standby`.
pub const STANDBY_HOST: &str = "standby.gateway_host";

/// One finding a service that a restore would overwrite although clients use it. A restore whose backup only the run brings
/// was not probed; the proof that its service can take it was.
pub fn judge(steps: &[PlannedStep], mode: Mode, forced: Option<&Forced>, shadows: &BTreeSet<String>) -> Vec<Finding> {
    let flips: Vec<(&str, Option<&str>)> = steps.iter().filter_map(flip).collect();
    if steps.iter().all(|step| step.action != ActionKind::Restore) {
        return Vec::new();
    }
    let telling = |step: &&PlannedStep| matches!(step.action, ActionKind::Restore | ActionKind::VerifyStandby);
    steps.iter().filter(telling).filter_map(|step| over_live(step, &flips, (mode, shadows), forced)).collect()
}

/// Names that a drill would move instead of those that this plan moves; none in a drill.
pub fn shadows(runbook: &Runbook, parameters: &BTreeMap<String, Value>, mode: Mode) -> BTreeSet<String> {
    let drill = |(name, value): (&String, &Value)| {
        let drill = runbook.parameters.iter().find(|it| it.name == *name).and_then(|it| it.drill.as_ref());
        (name.clone(), drill.unwrap_or(value).clone())
    };
    let rehearsed = Scope::new(parameters.iter().map(drill).collect(), Mode::Drill, None);
    let meant = Scope::new(parameters.clone(), mode, None);
    let flips = runbook.steps.iter().filter(|step| is_flip(step.action));
    let differs = |step: &crate::runbook::Step| {
        let hostname = |scope: &Scope| hostname(&scope.resolve_known(&step.arguments).ok()?.0);
        hostname(&rehearsed).filter(|shadow| hostname(&meant).is_some_and(|name| name != *shadow))
    };
    flips.filter_map(differs).collect()
}

/// A restore that could not be probed goes by what the proof of its service saw.
pub fn carry(steps: &mut [PlannedStep]) {
    let proofs = steps.iter().filter(|step| step.action == ActionKind::VerifyStandby);
    let seen: Vec<Fact> = proofs.filter_map(|step| fact(step, SERVES).cloned()).collect();
    let Some(first) = seen.first() else { return };
    let names: BTreeSet<&str> = seen.iter().flat_map(|fact| texts(&fact.value)).collect();
    let carried = Fact { value: json!(names), ..first.clone() };
    for step in steps.iter_mut().filter(|step| step.action == ActionKind::Restore) {
        if fact(step, SERVES).is_none() {
            step.probe.facts.push(carried.clone());
        }
    }
}

/// What stands in the way, as a lower-case fragment.
pub fn message(service: &str, hostnames: &[String]) -> String {
    format!("{service} serves {}: the restore would overwrite what clients use", hostnames.join(", "))
}

fn over_live(
    step: &PlannedStep,
    flips: &[(&str, Option<&str>)],
    (mode, shadows): (Mode, &BTreeSet<String>),
    forced: Option<&Forced>,
) -> Option<Finding> {
    let seen = fact(step, SERVES)?;
    let gateway = fact(step, GATEWAY_HOST).or_else(|| fact(step, STANDBY_HOST))?.value.as_str()?;
    let mut hostnames: BTreeSet<&str> = texts(&seen.value).collect();
    hostnames.retain(|hostname| !shadows.contains(*hostname));
    if mode == Mode::Drill {
        for (hostname, _) in flips {
            hostnames.remove(hostname);
        }
    } else {
        // A record that was moved a moment ago: caches may still tell its old target.
        hostnames.extend(flips.iter().filter(|(_, target)| *target == Some(gateway)).map(|(hostname, _)| hostname));
    }
    if hostnames.is_empty() {
        return None;
    }
    let hostnames: Vec<String> = hostnames.into_iter().map(str::to_owned).collect();
    // The host is the service's name and the domain of its cloud.
    let message = message(gateway.split('.').next().unwrap_or(gateway), &hostnames);
    let finding = match forced {
        Some(forced) => Finding::warning(RESTORE_OVER_LIVE, forced.over(&message), remedy(mode)),
        None => Finding::blocker(RESTORE_OVER_LIVE, message, remedy(mode)),
    };
    Some(Finding { step: Some(step.id.clone()), ..finding.seen(seen.observed_at) })
}

fn remedy(mode: Mode) -> &'static str {
    match mode {
        Mode::Unplanned => {
            "if the failover has happened already, nothing is left to do; to overwrite what is in use on purpose, \
             `--force \"REASON\"` goes on and records it"
        }
        Mode::Planned => {
            "if the switchover has happened already, nothing is left to do; else check which service is the standby: \
             a restore is for the one that no name leads to"
        }
        Mode::Drill => {
            "rehearse on the service that is not in use: after a failover, `active` and `standby` have changed places"
        }
    }
}

/// Hostname that a step moves, and where it points now.
fn flip(step: &PlannedStep) -> Option<(&str, Option<&str>)> {
    if !is_flip(step.action) {
        return None;
    }
    let text = |name: &str| fact(step, name).and_then(|fact| fact.value.as_str());
    Some((text("record.hostname")?, text("record.target")))
}

fn is_flip(action: ActionKind) -> bool {
    matches!(action, ActionKind::FlipCname | ActionKind::FlipPrivateCname)
}

/// Of a flip's arguments: lower case.
fn hostname(arguments: &Map<String, Value>) -> Option<String> {
    let zone = arguments.get("zone")?.as_str()?.rsplit('/').next()?;
    Some(format!("{}.{zone}", arguments.get("record")?.as_str()?).to_ascii_lowercase())
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn fact<'a>(step: &'a PlannedStep, name: &str) -> Option<&'a Fact> {
    step.probe.facts.iter().find(|fact| fact.name == name)
}
