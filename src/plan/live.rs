//! A restore over a service that clients use: it stops the plan, unless somebody decided otherwise.
//!
//! In a drill the shadow name may lead to the service already: names that the plan itself moves are then left out. Pure.

use std::collections::BTreeSet;

use super::{
    Forced, PlannedStep,
    facts::{Fact, Finding},
};
use crate::runbook::{ActionKind, Mode};

pub const RESTORE_OVER_LIVE: &str = "restore-over-live";
/// Fact of an `apim.restore`: hostnames that lead to the service, sorted.
pub const SERVES: &str = "service.serves";
/// Fact of an `apim.restore`: where a name points that leads to the service.
pub const GATEWAY_HOST: &str = "service.gateway_host";

/// One finding a restore that would overwrite what clients use.
pub fn judge(steps: &[PlannedStep], mode: Mode, forced: Option<&Forced>) -> Vec<Finding> {
    let flips: Vec<(&str, Option<&str>)> = steps.iter().filter_map(flip).collect();
    let restores = steps.iter().filter(|step| step.action == ActionKind::Restore);
    restores.filter_map(|step| over_live(step, &flips, mode, forced)).collect()
}

/// What stands in the way, as a lower-case fragment.
pub fn message(service: &str, hostnames: &[String]) -> String {
    format!("{service} serves {}: the restore would overwrite what clients use", hostnames.join(", "))
}

fn over_live(
    step: &PlannedStep,
    flips: &[(&str, Option<&str>)],
    mode: Mode,
    forced: Option<&Forced>,
) -> Option<Finding> {
    let seen = fact(step, SERVES)?;
    let told = seen.value.as_array().into_iter().flatten().filter_map(|name| name.as_str());
    let mut hostnames: BTreeSet<&str> = told.collect();
    if mode == Mode::Drill {
        for (hostname, _) in flips {
            hostnames.remove(hostname);
        }
    } else if let Some(gateway) = fact(step, GATEWAY_HOST).and_then(|fact| fact.value.as_str()) {
        // A record that was moved a moment ago: caches may still tell its old target.
        hostnames.extend(flips.iter().filter(|(_, target)| *target == Some(gateway)).map(|(hostname, _)| hostname));
    }
    if hostnames.is_empty() {
        return None;
    }
    let hostnames: Vec<String> = hostnames.into_iter().map(str::to_owned).collect();
    let service = step.probe.targets.first().and_then(|id| id.rsplit('/').next()).unwrap_or("the service");
    let message = message(service, &hostnames);
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
    if !matches!(step.action, ActionKind::FlipCname | ActionKind::FlipPrivateCname) {
        return None;
    }
    let text = |name: &str| fact(step, name).and_then(|fact| fact.value.as_str());
    Some((text("record.hostname")?, text("record.target")))
}

fn fact<'a>(step: &'a PlannedStep, name: &str) -> Option<&'a Fact> {
    step.probe.facts.iter().find(|fact| fact.name == name)
}
