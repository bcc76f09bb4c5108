//! Whether a change of a pool leaves traffic somewhere to go, at its end and at every step on the way there.
//!
//! Pure.

use super::{
    fact::remark,
    pool::{Member, Pool, PoolChange, Seen, Wish, folded, quoted},
};
use crate::plan::facts::{Finding, Severity};

/// What stands in the way of a change, and what somebody should know.
pub fn judge(change: &PoolChange, seen: &Seen) -> Vec<Finding> {
    let misfits = misfits(change, seen);
    if !misfits.is_empty() {
        return misfits;
    }
    let noun = change.pool.noun();
    let mut findings = Vec::new();
    if !seen.is_enabled {
        findings.push(Finding::warning(
            "profile-disabled",
            format!("{} is disabled as a whole, and answers nobody", change.pool.shown()),
            "enable the profile, or move traffic elsewhere",
        ));
    }
    let mut members = seen.members.clone();
    for (place, wish) in change.wishes.iter().enumerate() {
        let had_some = members.iter().any(|member| member.setting.enabled);
        for member in members.iter_mut().filter(|member| member.name.eq_ignore_ascii_case(&wish.name)) {
            member.setting = wish.onto(&member.setting);
        }
        let last = place + 1 == change.wishes.len();
        let has_some = members.iter().any(|member| member.setting.enabled);
        if last && !has_some {
            findings.push(Finding::blocker(
                "nothing-enabled",
                format!("every {noun} of {} would end disabled", change.pool.shown()),
                format!("enable the {noun} that shall take the traffic in the same step, first"),
            ));
        } else if had_some && !has_some {
            findings.push(Finding::warning(
                "nothing-enabled-between",
                format!(
                    "after `{}` and before the next, no {noun} would be enabled: traffic would have nowhere to go",
                    wish.name
                ),
                format!("name the {noun} to enable before the one to disable"),
            ));
        }
        findings.extend(priorities(change, wish, &members));
    }
    findings.extend(members.iter().filter(|member| member.setting.enabled).filter_map(|member| health(seen, member)));
    findings
}

/// Blockers alone, as one text: what `perform` refuses for.
pub fn refusal(change: &PoolChange, seen: &Seen) -> Option<Finding> {
    judge(change, seen).into_iter().find(|finding| finding.severity == Severity::Blocker)
}

/// What of the change does not fit the pool.
fn misfits(change: &PoolChange, seen: &Seen) -> Vec<Finding> {
    let noun = change.pool.noun();
    let mut findings = Vec::new();
    if change.wishes.is_empty() {
        findings.push(Finding::blocker(
            "nothing-to-set",
            format!("the step names no {noun}"),
            format!("name at least one {noun} and what shall be different about it"),
        ));
    }
    for (place, wish) in change.wishes.iter().enumerate() {
        let name = &wish.name;
        if wish.is_empty() {
            findings.push(Finding::blocker(
                "nothing-to-set",
                format!("the step says nothing that shall be different about the {noun} `{name}`"),
                "give its state, its priority or its weight, or leave it out",
            ));
        }
        if change.wishes[..place].iter().any(|earlier| folded(&earlier.name) == folded(name)) {
            findings.push(Finding::blocker(
                "named-twice",
                format!("the step names the {noun} `{name}` twice"),
                "name it once, with all that shall be different",
            ));
        }
        match seen.member(name) {
            None => {
                let names: Vec<String> = seen.members.iter().map(|member| member.name.clone()).collect();
                let code = match change.pool {
                    Pool::TrafficManager { .. } => "endpoint-not-found",
                    Pool::FrontDoor { .. } => "origin-not-found",
                };
                findings.push(Finding::blocker(
                    code,
                    format!("{} has no {noun} `{name}`", change.pool.shown()),
                    format!("it has: {}", quoted(&names)),
                ));
            }
            Some(member) if wish.kind.is_some() && member.kind != wish.kind => {
                findings.push(Finding::blocker(
                    "endpoint-type",
                    format!("the endpoint `{name}` is not of the type that the step says"),
                    "correct `type`: azure, external or nested, as the portal shows it",
                ));
            }
            Some(_) => {}
        }
    }
    findings
}

/// Traffic Manager takes no two equal priorities, and none at all or one for each (azure-facts 2.3), after every
/// single request.
fn priorities(change: &PoolChange, wish: &Wish, members: &[Member]) -> Option<Finding> {
    if matches!(change.pool, Pool::FrontDoor { .. }) {
        return None;
    }
    let priority = wish.priority?;
    let equal: Vec<String> = members
        .iter()
        .filter(|member| member.setting.priority == Some(priority))
        .map(|member| member.name.clone())
        .collect();
    if equal.len() > 1 {
        return Some(Finding::blocker(
            "priority-taken",
            format!("with `{}` set, {} would have the priority {priority}", wish.name, quoted(&equal)),
            "Traffic Manager wants each priority once, at every step: first give the one that steps back a free number",
        ));
    }
    let without: Vec<String> =
        members.iter().filter(|member| member.setting.priority.is_none()).map(|member| member.name.clone()).collect();
    (!without.is_empty()).then(|| {
        Finding::blocker(
            "priority-missing",
            format!("with `{}` set, {} would have no priority", wish.name, quoted(&without)),
            "Traffic Manager wants a priority on every endpoint or on none",
        )
    })
}

/// What Traffic Manager's probes say of an endpoint that shall take traffic.
fn health(seen: &Seen, member: &Member) -> Option<Finding> {
    let health = member.health.as_deref()?;
    let is = |word: &str| health.eq_ignore_ascii_case(word);
    let name = &member.name;
    if is("Degraded") || is("CheckingEndpoint") {
        return Some(Finding::warning(
            "endpoint-unhealthy",
            format!("the endpoint `{name}` shall take traffic, and Traffic Manager's probes say {health}"),
            "see that its health probe passes: Traffic Manager sends nobody to an endpoint that fails it, unless all do",
        ));
    }
    let was_enabled = seen.member(name).is_some_and(|member| member.setting.enabled);
    (!was_enabled && !is("Online")).then(|| {
        remark(
            "endpoint-unprobed",
            format!("the endpoint `{name}` is disabled, so Traffic Manager does not know whether it is healthy"),
            "it is probed once it is enabled; check its gateway in a step before",
        )
    })
}
