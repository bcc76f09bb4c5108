//! What the credential may do, held against what every step needs (azure-facts 4).

use super::{
    ask::{Asker, Seen},
    subjects::{Right, Subjects},
};
use crate::{
    azure::{
        authorization::{self, Permission},
        role_for,
    },
    plan::{codes, facts::Finding},
    runbook::{ResourceId, StepId},
};

/// One question a scope.
pub async fn look(asker: &Asker<'_>, subjects: &Subjects) -> Vec<SeenRights> {
    let ask = |(folded, (id, rights)): (&String, &(ResourceId, Vec<Right>))| {
        let (active, id, rights) = (subjects.is_active(folded), id.clone(), rights.clone());
        async move {
            let seen = asker.ask(authorization::permissions(asker.arm(), &id.to_string())).await;
            SeenRights { id, rights, active, seen }
        }
    };
    super::observe::at_once(subjects.rights.iter().map(ask)).await
}

/// What the credential may do at one scope.
#[derive(Clone, Debug)]
pub struct SeenRights {
    id: ResourceId,
    rights: Vec<Right>,
    /// It is the active service.
    active: bool,
    seen: Seen<Vec<Permission>>,
}

/// `active_silent`: the active service does not answer, which says why its permissions do not either, and is told.
/// Pure.
pub fn judge(all: &[SeenRights], subjects: &Subjects, active_silent: bool) -> Vec<Finding> {
    let mut findings: Vec<Finding> = all.iter().flat_map(|seen| judge_scope(seen, active_silent)).collect();
    for (step, field) in &subjects.open {
        let message = format!("what `{field}` names is only known in the run, so permissions on it could not be asked");
        findings.push(Finding { step: Some(step.clone()), ..codes::finding("permissions-open", message) });
    }
    findings
}

fn judge_scope(seen: &SeenRights, active_silent: bool) -> Vec<Finding> {
    let name = seen.id.name();
    let entries = match &seen.seen.answer {
        Ok(entries) => entries,
        Err(_) if seen.active && active_silent => return Vec::new(),
        Err(failure) => {
            let message = format!("it is not known what this credential may do on {name}: {failure}");
            return vec![told(codes::finding("permissions-unverified", message), seen, &seen.rights)];
        }
    };
    let allowed = |right: &Right| {
        let (action, data) = (right.needed.action, right.needed.data);
        entries.iter().any(|entry| entry.allows(action, data))
    };
    let mut findings = Vec::new();
    for (required, code) in [(true, "permission-missing"), (false, "permission-optional-missing")] {
        let lacking: Vec<Right> =
            seen.rights.iter().filter(|right| right.needed.required == required && !allowed(right)).cloned().collect();
        if lacking.is_empty() {
            continue;
        }
        let mut actions: Vec<&str> = lacking.iter().map(|right| right.needed.action).collect();
        actions.sort_unstable();
        actions.dedup();
        let mut roles: Vec<&str> = actions.iter().filter_map(|action| role_for(action)).collect();
        roles.sort_unstable();
        roles.dedup();
        let mut finding =
            codes::finding(code, format!("this credential may not {} on {}", actions.join(", "), seen.id));
        if !roles.is_empty() {
            finding.remedy = format!("{}; for example `{}`", finding.remedy, roles.join("`, `"));
        }
        findings.push(told(finding, seen, &lacking));
    }
    findings
}

fn told(finding: Finding, seen: &SeenRights, rights: &[Right]) -> Finding {
    let mut steps: Vec<StepId> = Vec::new();
    for right in rights {
        if !steps.contains(&right.step) {
            steps.push(right.step.clone());
        }
    }
    let mut steps = steps.into_iter();
    Finding { step: steps.next(), also: steps.collect(), ..finding }.on(seen.id.name()).seen(seen.seen.at)
}
