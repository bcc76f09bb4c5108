//! `apim.restore`: overwrites a service with a backup. Cannot be undone.
//!
//! ```text
//!  ready? ─► intend ─► POST once ─► accepted ─► follow (restore_follow)
//!    ▲          │         ├─ 409 ServiceLocked: no effect ─► intend "not sent" ─► wait until idle ─┐
//!    └──────────┼─────────┼────────────────────────────────────────────────────────────────────────┘
//!               │         ├─ any other 4xx: no effect ─► failed
//!               │         └─ no answer, 5xx ─► in doubt: only `settle` leads out
//! ```
//!
//! Never sends the request twice for one recorded intent.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Context, Done, Recorder,
    arguments::{Access, Backup, Restore},
    choose::{self, Candidate, Rejection},
    error,
    fact::{Facts, after, note, note_until},
    restore_follow,
    standing::{self, Standing},
    verify_standby,
};
use crate::{
    azure::{
        Arm, AzureError, AzureErrorKind, Operation,
        apim::{self, RestoreRequest, Service, StorageAccess},
        storage::{self, Account},
    },
    net::Delivery,
    plan::facts::{Finding, PlannedRequest, Probe},
    run::{Disposition, Intent, StepError},
    site::SecretReference,
};

/// How often a busy service is looked at. Its operations last minutes to an hour.
pub const BUSY_INTERVAL: Duration = Duration::from_secs(30);
/// How often a restore may be refused with `ServiceLocked` although the service had just been idle.
/// More than a few means that something else keeps taking it.
const MOST_LOCKED: u32 = 10;

/// The service before the restore was asked for: what tells later whether it happened. Part of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    pub etag: Option<String>,
    pub provisioning_state: Option<String>,
    /// Name of the backup.
    pub backup: String,
    pub sent_at: Timestamp,
    /// False: Azure has refused the last request with `ServiceLocked`, and no other has been sent.
    pub sent: bool,
}

pub async fn probe(arguments: &Restore, context: &Context) -> Result<Probe, StepError> {
    check_access(arguments)?;
    let (service, account) = tokio::join!(
        apim::get_service(&context.arm, &arguments.service),
        read_account(arguments.backup.storage.as_ref(), &context.arm),
    );
    let service = service.map_err(|failure| verify_standby::unreadable(&arguments.service, &failure))?;
    let mut findings = judge_service(arguments, &service);
    findings.extend(judge_account(arguments, &service, &account));
    let still = read_backup(&arguments.backup, context).await?;
    if let Some(failure) = judge_backup(&arguments.backup, &still, context) {
        findings.push(Finding::blocker(&failure.code, failure.message, failure.hint));
    }
    findings.extend(judge_secret(arguments, context));
    let name = arguments.service.name();
    let source = format!("GET {}", apim::service_url(&context.arm, &arguments.service));
    let facts = Facts::seen(source, context.clock.now())
        .with("service.state", service.provisioning_state())
        .with("service.tier", service.tier())
        .with("backup.name", arguments.backup.name.as_str())
        .with("backup.expires", arguments.backup.expires.map(|time| time.to_string()))
        .with_volatile("service.etag", service.etag());
    Ok(Probe {
        summary: format!("overwrites {name} with the backup `{}`; cannot be undone", arguments.backup.name),
        facts: facts.into_vec(),
        requests: vec![planned(arguments, &context.arm)],
        findings,
        verified: true,
        targets: vec![arguments.service.folded()],
        ..Probe::default()
    })
}

pub async fn perform(arguments: &Restore, context: &Context, record: &Recorder) -> Result<Done, StepError> {
    check_access(arguments)?;
    let arm = context.arm.noting(record.sink());
    let still = read_backup(&arguments.backup, context).await?;
    if let Some(failure) = judge_backup(&arguments.backup, &still, context) {
        return Err(failure);
    }
    let request = RestoreRequest {
        storage_account: arguments.backup.account.clone(),
        container: arguments.backup.container.clone(),
        backup_name: arguments.backup.name.clone(),
        access: storage_access(arguments, context, &arm).await?,
    };
    let name = arguments.service.name();
    for _ in 0..MOST_LOCKED {
        let service = idle(arguments, context, &arm, record).await?;
        if let Some(blocker) = judge_service(arguments, &service).into_iter().next() {
            return Err(StepError::new(Disposition::Final, &blocker.code, blocker.message, blocker.remedy));
        }
        let before = Before {
            etag: service.etag().map(str::to_owned),
            provisioning_state: service.provisioning_state().map(str::to_owned),
            backup: request.backup_name.clone(),
            sent_at: context.clock.now(),
            sent: true,
        };
        let intent = |before: &Before| Intent { request: planned(arguments, &arm), before: json!(before) };
        record.intend(intent(&before)).await;
        match apim::restore(&arm, &arguments.service, &request).await {
            Ok(accepted) => {
                let operation =
                    accepted.operation.unwrap_or_else(|| restore_follow::watched_service(&arm, &arguments.service));
                record.accepted(operation.clone()).await;
                note(record, format!("Azure has taken the restore of `{}` to {name}", request.backup_name));
                return restore_follow::follow_accepted(arguments, context, &arm, &operation, &before, record).await;
            }
            Err(failure) if failure.kind == AzureErrorKind::Busy => {
                // The answer says that nothing was done. Until the next request this intent must not be taken for a
                // restore, although the service will be seen busy: it is busy with something else.
                record.intend(intent(&Before { sent: false, ..before })).await;
                note(record, format!("{name} has just begun something else ({failure}); waiting until it is idle"));
                // The lock may be gone before the service says so, or not be shown at all: never ask in a tight loop.
                let next_look = after(context.clock.now(), BUSY_INTERVAL);
                context.clock.sleep_until(next_look).await;
            }
            Err(failure) => return Err(not_accepted(name, &failure)),
        }
    }
    Err(StepError::new(
        Disposition::Retryable,
        "service-locked",
        format!(
            "{name} refused the restore {MOST_LOCKED} times because it was locked, although it had said it was idle"
        ),
        "look in its activity log for what keeps it busy, then resume",
    ))
}

/// What is said of a POST that gave no operation.
fn not_accepted(name: &str, failure: &AzureError) -> StepError {
    if failure.delivery == Delivery::Unknown {
        let step = StepError::new(
            Disposition::InDoubt,
            "restore-in-doubt",
            format!("it is not known whether Azure took the restore to {name}: {failure}"),
            "the restore is not sent again by itself; `lifeboat resume` reads the service until it is known",
        );
        let hint = step.hint.clone();
        return StepError { hint, ..error::with_details(step, failure) };
    }
    restore_follow::refused(name, failure)
}

/// The request as it would be sent, with the key masked.
fn planned(arguments: &Restore, arm: &Arm) -> PlannedRequest {
    let access = match arguments.access {
        Access::AccessKey => StorageAccess::AccessKey(SecretString::from(String::new())),
        Access::SystemAssignedIdentity => StorageAccess::SystemAssigned,
        Access::UserAssignedIdentity => {
            StorageAccess::UserAssigned { client_id: arguments.client_id.clone().unwrap_or_default() }
        }
    };
    let request = RestoreRequest {
        storage_account: arguments.backup.account.clone(),
        container: arguments.backup.container.clone(),
        backup_name: arguments.backup.name.clone(),
        access,
    };
    PlannedRequest {
        method: "POST".to_owned(),
        url: apim::restore_url(arm, &arguments.service).to_string(),
        headers: Vec::new(),
        body: Some(request.masked()),
    }
}

/// Fields that only make sense together.
fn check_access(arguments: &Restore) -> Result<(), StepError> {
    let wrong = match (arguments.access, &arguments.client_id, &arguments.access_key) {
        (Access::UserAssignedIdentity, None, _) => "`access: user-assigned-identity` needs `client_id`",
        (Access::SystemAssignedIdentity | Access::AccessKey, Some(_), _) => {
            "`client_id` belongs to `access: user-assigned-identity`"
        }
        (Access::SystemAssignedIdentity | Access::UserAssignedIdentity, _, Some(_)) => {
            "`access_key` belongs to `access: access-key`"
        }
        (Access::AccessKey, None, Some(key)) if key.reference().is_none() => {
            "`access_key` names either `env` or `file`"
        }
        (Access::AccessKey, None, None) if arguments.backup.storage.is_none() => {
            "`access: access-key` needs `access_key`, or a backup whose `storage` is a resource id to ask for the key"
        }
        (Access::UserAssignedIdentity, Some(_), None)
        | (Access::SystemAssignedIdentity, None, None)
        | (Access::AccessKey, None, _) => return Ok(()),
    };
    Err(StepError::new(Disposition::Final, "invalid-arguments", wrong, "correct the step's arguments in the runbook"))
}

/// Blockers only, and all but being busy: that is waited for. Pure.
fn judge_service(arguments: &Restore, service: &Service) -> Vec<Finding> {
    let name = arguments.service.name();
    let mut findings = Vec::new();
    match Standing::of(service) {
        Standing::Idle => {}
        Standing::Busy(state) => findings.push(Finding::blocker(
            "standby-busy",
            format!("{name} is busy (state {state}), and takes no restore meanwhile"),
            "wait until its running operation has ended",
        )),
        Standing::Broken(state) => findings.push(broken(name, &state)),
    }
    let tier = service.tier().unwrap_or("unknown");
    if !standing::can_restore(tier) {
        findings.push(Finding::blocker(
            "tier-cannot-restore",
            format!("{name} has the tier {tier}, which has no backup and restore"),
            "use a service of tier Developer, Basic, Standard or Premium",
        ));
    }
    let identity = match (arguments.access, &arguments.client_id) {
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
            format!("{name} has {what}, so it could not read the backup"),
            "assign the identity and grant it `Storage Blob Data Contributor` on the account, or use `access: access-key`",
        ));
    }
    findings
}

fn broken(name: &str, state: &str) -> Finding {
    Finding::blocker(
        "standby-broken",
        format!("{name} is in the state {state}"),
        "repair it first: its activity log says what failed, and Azure support can reset it",
    )
}

async fn read_account(id: Option<&crate::runbook::ResourceId>, arm: &Arm) -> Option<Result<Account, AzureError>> {
    Some(storage::account(arm, id?).await)
}

/// What the account's own settings say of the way that the service would read it (azure-facts 1.4, 3).
fn judge_account(
    arguments: &Restore,
    service: &Service,
    account: &Option<Result<Account, AzureError>>,
) -> Vec<Finding> {
    let name = &arguments.backup.account;
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
    let by_key = arguments.access == Access::AccessKey;
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
            "the restore reads it from the API Management control plane; rehearse it, or open the account",
        ));
    }
    if is(&account.network_default_action, "Deny") {
        let near = match (&service.location, &account.location) {
            (Some(here), Some(there)) => standing::same_region(here, there),
            (_, _) => false,
        };
        if by_key && near {
            findings.push(Finding::warning(
                "storage-firewall-same-region",
                format!(
                    "the firewall of {name} cannot let in a service of its own region that comes with an access key"
                ),
                "use `access: system-assigned-identity`, or an account in another region",
            ));
        }
        let bypass = account.network_bypass.as_deref().unwrap_or_default().to_ascii_lowercase();
        if arguments.access == Access::SystemAssignedIdentity && !bypass.contains("azureservices") {
            findings.push(Finding::warning(
                "storage-firewall",
                format!("the firewall of {name} does not let trusted Azure services pass"),
                "add `AzureServices` to the account's network bypass",
            ));
        }
    }
    findings
}

/// A secret that only the machine that runs the plan needs to have.
fn judge_secret(arguments: &Restore, context: &Context) -> Option<Finding> {
    let (what, there) = match arguments.access_key.as_ref()?.reference()? {
        SecretReference::Env(name) => (format!("variable `{name}`"), context.environment.get(&name).is_some()),
        SecretReference::File(path) => (format!("file `{}`", path.display()), context.directory.join(path).is_file()),
    };
    (!there).then(|| {
        Finding::warning(
            "access-key-missing",
            format!("the {what} that should hold the access key is not here"),
            "set it where the run will be started",
        )
    })
}

/// The blob as it is listed now.
async fn read_backup(backup: &Backup, context: &Context) -> Result<Option<Candidate>, StepError> {
    let listed = context.blobs.list(&backup.account, &backup.container, &backup.name).await.map_err(|failure| {
        error::from_read(&format!("the backup `{}` in {}/{}", backup.name, backup.account, backup.container), &failure)
    })?;
    let mut same = listed.into_iter().filter(|blob| blob.name == backup.name && blob.snapshot.is_none());
    Ok(same.next().map(|blob| Candidate { blob, manifest_created: backup.created }))
}

/// The rules of choosing once more, without the margin: that was for the time until now.
fn judge_backup(backup: &Backup, still: &Option<Candidate>, context: &Context) -> Option<StepError> {
    let Some(candidate) = still else {
        return Some(StepError::new(
            Disposition::Final,
            "backup-missing",
            format!("the backup `{}` is not in {}/{} any more", backup.name, backup.account, backup.container),
            "plan again to choose another backup; undelete the blob if soft delete is on",
        ));
    };
    let now = context.clock.now();
    let choice = choose::choose(std::slice::from_ref(candidate), now, Duration::ZERO, context.restore_timeout);
    let rejected = choice.rejected.into_iter().next()?;
    let code = match rejected.reason {
        Rejection::Expired { .. } | Rejection::ExpiresTooSoon { .. } => "backup-expired",
        Rejection::Deleted
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

/// Reads the service until it is idle; visible, and bounded by the step's own time.
async fn idle(arguments: &Restore, context: &Context, arm: &Arm, record: &Recorder) -> Result<Service, StepError> {
    let name = arguments.service.name();
    loop {
        let service = apim::get_service(arm, &arguments.service)
            .await
            .map_err(|failure| verify_standby::unreadable(&arguments.service, &failure))?;
        match Standing::of(&service) {
            Standing::Idle => return Ok(service),
            Standing::Broken(state) => {
                let finding = broken(name, &state);
                return Err(StepError::new(Disposition::Final, &finding.code, finding.message, finding.remedy));
            }
            Standing::Busy(state) => {
                let next_look = after(context.clock.now(), BUSY_INTERVAL);
                note_until(record, format!("{name} is busy (state {state}); waiting until it is idle"), next_look);
                context.clock.sleep_until(next_look).await;
            }
        }
    }
}

async fn storage_access(arguments: &Restore, context: &Context, arm: &Arm) -> Result<StorageAccess, StepError> {
    match arguments.access {
        Access::SystemAssignedIdentity => Ok(StorageAccess::SystemAssigned),
        Access::UserAssignedIdentity => {
            let client_id = arguments.client_id.clone().expect("`check_access` has seen it");
            Ok(StorageAccess::UserAssigned { client_id })
        }
        Access::AccessKey => {
            let reference = arguments.access_key.as_ref().and_then(super::arguments::AccessKey::reference);
            match (reference, &arguments.backup.storage) {
                (Some(reference), _) => read_secret(&reference, context).await.map(StorageAccess::AccessKey),
                (None, Some(id)) => {
                    let key = storage::list_keys(arm, id).await;
                    key.map(StorageAccess::AccessKey)
                        .map_err(|failure| error::from_read(&format!("the keys of {}", id.name()), &failure))
                }
                (None, None) => unreachable!("`check_access` has seen one of both; please report this as a bug"),
            }
        }
    }
}

async fn read_secret(reference: &SecretReference, context: &Context) -> Result<SecretString, StepError> {
    let missing = |what: String| {
        StepError::new(
            Disposition::Final,
            "access-key-missing",
            format!("the access key of the storage account cannot be had: {what}"),
            "set it where lifeboat runs, or leave `access_key` out to have it asked of Azure",
        )
    };
    let text = match reference {
        SecretReference::Env(name) => {
            context.environment.get(name).ok_or_else(|| missing(format!("variable `{name}` is not set")))?
        }
        SecretReference::File(path) => tokio::fs::read_to_string(context.directory.join(path))
            .await
            .map_err(|failure| missing(format!("file `{}`: {failure}", path.display())))?,
    };
    Ok(SecretString::from(text.trim().to_owned()))
}

/// What `perform` was about to do, as the journal has it.
pub fn before(intent: &Intent) -> Option<Before> {
    Before::deserialize(&intent.before).ok()
}

/// The URL of an operation for people; none when only the service itself is watched.
pub fn shown_operation(operation: Option<&Operation>, arm: &Arm, id: &crate::runbook::ResourceId) -> Option<String> {
    operation
        .filter(|operation| !restore_follow::watches_service(operation, arm, id))
        .map(|operation| operation.url.clone())
}
