//! Locks on what is changed, inherited ones included: from the resource, its group and its subscription (azure-facts 4).

use std::collections::BTreeMap;

use super::{
    ask::{Asker, Seen},
    subjects::{Subject, Subjects},
};
use crate::{
    azure::authorization::{self, Lock},
    plan::{codes, facts::Finding},
};

/// Each scope once, whatever is below it.
pub async fn look(asker: &Asker<'_>, subjects: &Subjects) -> Vec<Finding> {
    let mut scopes: BTreeMap<String, (String, Vec<Subject>)> = BTreeMap::new();
    for subject in subjects.changed() {
        let subscription = format!("/subscriptions/{}", subject.id.subscription());
        let group = format!("{subscription}/resourceGroups/{}", subject.id.group());
        for scope in [subject.id.to_string(), group, subscription] {
            scopes.entry(scope.to_ascii_lowercase()).or_insert((scope, Vec::new())).1.push(subject.clone());
        }
    }
    let ask = |(scope, below): (String, Vec<Subject>)| async move {
        let seen = asker.ask(authorization::locks(asker.arm(), &scope)).await;
        judge(&scope, &below, &seen)
    };
    super::observe::at_once(scopes.into_values().map(ask)).await.into_iter().flatten().collect()
}

/// Pure.
fn judge(scope: &str, below: &[Subject], seen: &Seen<Vec<Lock>>) -> Vec<Finding> {
    let mut steps = Vec::new();
    for step in below.iter().flat_map(|subject| &subject.steps) {
        if !steps.contains(step) {
            steps.push(step.clone());
        }
    }
    let names: Vec<&str> = below.iter().map(|subject| subject.id.name()).collect();
    let (names, place) = (names.join(", "), scope.rsplit('/').next().unwrap_or(scope));
    let findings: Vec<Finding> = match &seen.answer {
        Err(failure) => vec![codes::finding(
            "locks-unverified",
            format!("it is not known whether {place} has locks that keep {names} from being changed: {failure}"),
        )],
        Ok(locks) => locks
            .iter()
            .map(|lock| {
                let code = if lock.level.eq_ignore_ascii_case("ReadOnly") { "read-only-lock" } else { "delete-lock" };
                codes::finding(code, format!("the lock `{}` ({}) on {place} holds for {names}", lock.name, lock.level))
            })
            .collect(),
    };
    let of_steps = |finding: Finding| {
        let mut steps = steps.iter().cloned();
        Finding { step: steps.next(), also: steps.collect(), ..finding }.on(place).seen(seen.at)
    };
    findings.into_iter().map(of_steps).collect()
}
