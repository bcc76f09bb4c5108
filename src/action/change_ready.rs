//! What stands in the way of a backup or a restore, judged from what was read.
//!
//! The plan calls these, and `perform` calls them again just before it sends anything. Pure, but for the one look whether
//! a backup's name is still free.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Context,
    arguments::{Access, Backup},
    choose::{self, Candidate, Rejection},
    error,
    long_change::{Change, ChangeKind},
    standing,
};
use crate::{
    azure::{AzureError, apim::Service, storage::Account},
    plan::facts::Finding,
    run::{Disposition, StepError},
};

/// Blockers only, and all but being busy: that is waited for. Pure.
pub fn judge_service(change: &Change<'_>, service: &Service) -> Vec<Finding> {
    let name = change.service.name();
    let mut findings = Vec::new();
    findings.extend(standing::judge(change.kind, name, service));
    findings.extend(standing::judge_tier(name, service.tier()));
    let identity = match (change.reach.access, change.reach.client_id) {
        (Access::SystemAssignedIdentity, _) if !standing::has_system_identity(service) => {
            Some("no system-assigned identity".to_owned())
        }
        (Access::UserAssignedIdentity, Some(id)) if !standing::has_user_identity(service, id) => {
            Some(format!("no user-assigned identity with the client id {id}"))
        }
        (Access::AccessKey | Access::SystemAssignedIdentity | Access::UserAssignedIdentity, _) => None,
    };
    if let Some(what) = identity {
        findings.push(Finding::blocker(
            "identity-missing",
            match change.kind {
                ChangeKind::Restore => format!("{name} has {what}, so it could not read the backup"),
                ChangeKind::Backup => format!("{name} has {what}, so it could not write the backup"),
            },
            "assign the identity and grant it `Storage Blob Data Contributor` on the account, or use `access: access-key`",
        ));
    }
    findings
}

/// What the account's own settings say of the way that the service would read it (azure-facts 1.4, 3).
pub fn judge_account(
    change: &Change<'_>,
    service: &Service,
    account: Option<&Result<Account, AzureError>>,
) -> Vec<Finding> {
    let name = change.reach.account;
    let account = match account {
        None => return Vec::new(),
        Some(Ok(account)) => account,
        Some(Err(failure)) => {
            return vec![Finding::warning(
                "storage-unverified",
                format!("the settings of the storage account {name} could not be read: {failure}"),
                "grant Microsoft.Storage/storageAccounts/read, or check its firewall and its keys by hand",
            )];
        }
    };
    let mut findings = Vec::new();
    let by_key = change.reach.access == Access::AccessKey;
    if by_key && account.allow_shared_key_access == Some(false) {
        findings.push(Finding::blocker(
            "shared-key-disabled",
            format!("the storage account {name} refuses access keys"),
            "use `access: system-assigned-identity`, or allow key access on the account",
        ));
    }
    let is =
        |value: &Option<String>, text: &str| value.as_deref().is_some_and(|value| value.eq_ignore_ascii_case(text));
    if is(&account.public_network_access, "Disabled") {
        findings.push(Finding::warning(
            "storage-not-public",
            format!("the storage account {name} has its public network access disabled"),
            "the API Management control plane must reach it; rehearse it, or open the account",
        ));
    }
    if is(&account.network_default_action, "Deny") {
        let near = match (&service.location, &account.location) {
            (Some(here), Some(there)) => standing::same_region(here, there),
            (_, _) => false,
        };
        if by_key && near {
            findings.push(Finding::blocker(
                "storage-firewall-same-region",
                format!(
                    "the firewall of {name} cannot let in a service of its own region that comes with an access key"
                ),
                "use `access: system-assigned-identity`, or an account in another region",
            ));
        }
        let bypass = account.network_bypass.as_deref().unwrap_or_default().to_ascii_lowercase();
        if change.reach.access == Access::SystemAssignedIdentity && !bypass.contains("azureservices") {
            findings.push(Finding::blocker(
                "storage-firewall",
                format!("the firewall of {name} does not let trusted Azure services pass"),
                "add `AzureServices` to the account's network bypass",
            ));
        }
    }
    findings
}

/// The rules of choosing once more, without the margin: that was for the time until now.
pub fn judge_backup(
    backup: &Backup,
    still: Option<&Candidate>,
    now: Timestamp,
    restore_timeout: Duration,
) -> Option<StepError> {
    let Some(candidate) = still else {
        return Some(StepError::new(
            Disposition::Final,
            "backup-missing",
            format!("the backup `{}` is not in {}/{} any more", backup.name, backup.account, backup.container),
            "plan again to choose another backup; undelete the blob if soft delete is on",
        ));
    };
    let choice = choose::choose(std::slice::from_ref(candidate), now, Duration::ZERO, restore_timeout);
    let rejected = choice.rejected.into_iter().next()?;
    let code = match rejected.reason {
        Rejection::Expired { .. } | Rejection::ExpiresTooSoon { .. } => "backup-expired",
        Rejection::OtherService(_)
        | Rejection::Deleted
        | Rejection::Snapshot
        | Rejection::Empty
        | Rejection::Archived
        | Rejection::Rehydrating
        | Rejection::Copy(_)
        | Rejection::NoTime => "backup-unusable",
    };
    Some(StepError::new(
        Disposition::Final,
        code,
        format!("the backup `{}` cannot be restored: {}", backup.name, rejected.reason),
        "plan again to choose another backup",
    ))
}

/// A backup overwrites a blob of its name, and the blob is the proof that it was taken: the name must be new.
///
/// # Errors
/// `backup-exists`, refused.
pub async fn must_be_new(change: &Change<'_>, context: &Context, name: &str) -> Result<(), StepError> {
    let (account, container) = (change.reach.account, change.container);
    let listed = context
        .blobs
        .list(account, container, name)
        .await
        .map_err(|failure| error::from_read(&format!("the container {account}/{container}"), &failure))?;
    if listed.iter().all(|blob| blob.name != name) {
        return Ok(());
    }
    Err(StepError::new(
        Disposition::Refused,
        "backup-exists",
        format!("there is a blob `{name}` in {account}/{container} already, and a backup would overwrite it"),
        "leave `name` out to have one made of the service's name and the time, or give another",
    ))
}
