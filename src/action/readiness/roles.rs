//! Roles of the services' own identities: API Management reads and writes backups with them, not with ours.

use super::ask::Asker;
use crate::{
    action::permissions::{Holder, IdentityRole, On},
    azure::{
        AzureError,
        apim::Service,
        authorization::{self, RoleAssignment},
    },
    plan::{codes, facts::Finding},
    runbook::{ResourceId, StepId},
};

/// Built-in roles that let an identity read and write blobs; the same in every tenant.
const KNOWN: [&str; 2] = [
    // Storage Blob Data Contributor
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    // Storage Blob Data Owner
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
];

/// What Microsoft asks for on both sides (azure-facts 1.1).
const NEEDED: [&str; 2] = [
    "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
    "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
];

/// Other roles that are looked into. Whoever has more has given them by hand, and can look by hand.
const MOST_DEFINITIONS: usize = 8;

/// Looks for each role. A service that did not answer has no principal to look for: its probe says that.
pub async fn look(asker: &Asker<'_>, roles: &[(StepId, IdentityRole)], service: Option<&Service>) -> Vec<Finding> {
    let Some(service) = service else { return Vec::new() };
    let mut findings = Vec::new();
    for (step, role) in roles {
        let On::Resource(scope) = &role.scope else { continue };
        // Without the identity the step's own probe stands in the way.
        let Some((principal, whose)) = principal(&role.holder, service) else { continue };
        let answer = asker.ask(authorization::roles_of(asker.arm(), &scope.to_string(), &principal)).await;
        let found = match answer.answer {
            Ok(held) => holds(asker, &held).await,
            Err(failure) => Err(failure),
        };
        let finding = match found {
            Ok(true) => continue,
            Ok(false) => missing(service, role, scope, &whose),
            Err(failure) => codes::finding(
                "roles-unverified",
                format!("it is not known whether {whose} may read the backups in {}: {failure}", scope.name()),
            ),
        };
        findings.push(Finding { step: Some(step.clone()), ..finding }.seen(answer.at));
    }
    findings
}

fn missing(service: &Service, role: &IdentityRole, scope: &ResourceId, whose: &str) -> Finding {
    let name = service.name.as_deref().unwrap_or("the service");
    let message =
        format!("{whose} of {name} does not hold `{}` on the account {} or above it", role.role, scope.name());
    let mut finding = codes::finding("identity-role-missing", message);
    finding.remedy = format!("grant `{}` on {scope} to {whose}; `lifeboat rbac` prints the command", role.role);
    finding
}

/// Principal and, for people, whose it is.
fn principal(holder: &Holder, service: &Service) -> Option<(String, String)> {
    let identity = service.identity.as_ref()?;
    match holder {
        Holder::System(_) => Some((identity.principal_id.clone()?, "the system-assigned identity".to_owned())),
        Holder::User { client_id, .. } => {
            let client_id = client_id.as_deref()?;
            let mut all = identity.user_assigned_identities.as_ref()?.values().flatten();
            let one = all.find(|one| one.client_id.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(client_id)))?;
            Some((one.principal_id.clone()?, format!("the user-assigned identity {client_id}")))
        }
    }
}

/// A known role, or any other that allows the same.
async fn holds(asker: &Asker<'_>, held: &[RoleAssignment]) -> Result<bool, AzureError> {
    let known = |one: &RoleAssignment| KNOWN.iter().any(|id| one.definition.to_ascii_lowercase().ends_with(id));
    if held.iter().any(known) {
        return Ok(true);
    }
    let mut allowed = Vec::new();
    for one in held.iter().take(MOST_DEFINITIONS) {
        allowed.extend(asker.ask(authorization::role_permissions(asker.arm(), &one.definition)).await.answer?);
    }
    Ok(NEEDED.iter().all(|action| allowed.iter().any(|entry| entry.allows(action, true))))
}
