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
    choose::Candidate,
    error,
    fact::{Facts, after, note, note_until},
    restore_follow,
    restore_ready::{check_access, judge_account, judge_backup, judge_service},
    secret::{self, Purpose},
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
};

/// How often a busy service is looked at. Its operations last minutes to an hour.
pub const BUSY_INTERVAL: Duration = Duration::from_secs(30);
/// How often a restore may be refused with `ServiceLocked` although the service had just been idle.
/// More than a few means that something else keeps taking it.
const MOST_LOCKED: u32 = 10;

/// Read from where the runbook says; without a reference it is asked of Azure.
const STORAGE_KEY: Purpose = Purpose {
    code: "access-key-missing",
    what: "the access key of the storage account",
    remedy: "set it where lifeboat runs, or leave `access_key` out to have it asked of Azure",
};

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
    findings.extend(judge_account(arguments, &service, account.as_ref()));
    let still = read_backup(&arguments.backup, context).await?;
    if let Some(failure) = judge_backup(&arguments.backup, still.as_ref(), context.clock.now(), context.restore_timeout)
    {
        findings.push(Finding::blocker(&failure.code, failure.message, failure.hint));
    }
    let key = arguments.access_key.as_ref().and_then(super::arguments::AccessKey::reference);
    if let Some(place) = key {
        findings.extend(secret::absent(&place, &STORAGE_KEY, context).await);
    }
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
    if let Some(failure) = judge_backup(&arguments.backup, still.as_ref(), context.clock.now(), context.restore_timeout)
    {
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

async fn read_account(id: Option<&crate::runbook::ResourceId>, arm: &Arm) -> Option<Result<Account, AzureError>> {
    Some(storage::account(arm, id?).await)
}

/// The blob as it is listed now.
async fn read_backup(backup: &Backup, context: &Context) -> Result<Option<Candidate>, StepError> {
    let listed = context.blobs.list(&backup.account, &backup.container, &backup.name).await.map_err(|failure| {
        error::from_read(&format!("the backup `{}` in {}/{}", backup.name, backup.account, backup.container), &failure)
    })?;
    let mut same = listed.into_iter().filter(|blob| blob.name == backup.name && blob.snapshot.is_none());
    Ok(same.next().map(|blob| Candidate { blob, manifest_created: backup.created }))
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
                let finding = standing::broken(name, &state);
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
                (Some(reference), _) => {
                    secret::read(&reference, &STORAGE_KEY, context).await.map(StorageAccess::AccessKey)
                }
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
