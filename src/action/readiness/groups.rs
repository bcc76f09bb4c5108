//! Resource groups: what is in a group whose region is lost may refuse changes, wherever it is itself (azure-facts 4).

use super::{
    ask::{Asker, Seen},
    subjects::Subjects,
};
use crate::{
    action::standing::same_region,
    azure::groups,
    plan::{codes, facts::Finding},
    runbook::{ResourceId, StepId},
};

/// A group that holds something that a failover needs.
#[derive(Clone, Debug)]
pub struct SeenGroup {
    name: String,
    /// Names of what is in it.
    holds: Vec<String>,
    steps: Vec<StepId>,
    location: Seen<Option<String>>,
}

/// One question a group, but for the groups that hold only the active service.
pub async fn observe(asker: &Asker<'_>, subjects: &Subjects) -> Vec<SeenGroup> {
    let mut groups: Vec<(ResourceId, Vec<String>, Vec<StepId>)> = Vec::new();
    for (folded, (id, rights)) in &subjects.rights {
        if subjects.is_active(folded) {
            continue;
        }
        let same = |known: &&mut (ResourceId, Vec<String>, Vec<StepId>)| {
            known.0.subscription().eq_ignore_ascii_case(id.subscription())
                && known.0.group().eq_ignore_ascii_case(id.group())
        };
        let steps = rights.iter().map(|right| right.step.clone());
        match groups.iter_mut().find(same) {
            Some(known) => {
                known.1.push(id.name().to_owned());
                known.2.extend(steps);
            }
            None => groups.push((id.clone(), vec![id.name().to_owned()], steps.collect())),
        }
    }
    let ask = |(id, holds, mut steps): (ResourceId, Vec<String>, Vec<StepId>)| async move {
        let location = asker.ask(groups::location(asker.arm(), id.subscription(), id.group())).await;
        let mut seen = std::collections::BTreeSet::new();
        steps.retain(|step| seen.insert(step.clone()));
        SeenGroup { name: id.group().to_owned(), holds, steps, location }
    };
    super::observe::at_once(groups.into_iter().map(ask)).await
}

/// `active`: region of the active service, where it is known. Pure.
pub fn judge(groups: &[SeenGroup], active: Option<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for group in groups {
        let holds = group.holds.join(", ");
        let finding = match (&group.location.answer, active) {
            (Ok(Some(here)), Some(there)) if same_region(here, there) => codes::finding(
                "group-in-active-region",
                format!("the resource group {} of {holds} is in {here}, the region of the active service", group.name),
            ),
            (Ok(_), _) => continue,
            (Err(failure), _) => codes::finding(
                "group-unverified",
                format!("the region of the resource group {} of {holds} could not be read: {failure}", group.name),
            ),
        };
        let mut steps = group.steps.iter().cloned();
        let (step, also) = (steps.next(), steps.collect());
        findings.push(Finding { step, also, ..finding }.on(group.name.as_str()).seen(group.location.at));
    }
    findings
}
