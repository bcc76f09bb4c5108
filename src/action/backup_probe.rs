//! What `apim.backup` looks at before it asks for anything: the service, the account, and the backups that are there.

use jiff::Timestamp;
use serde_json::{Map, json};

use super::{
    Context,
    arguments::{TakeBackup, WhenBusy},
    change_ready::{judge_account, judge_service},
    choose::{self, Candidate, Choice, MANIFEST_SUFFIX},
    error,
    fact::Facts,
    storage_reach, verify_standby, whose,
};
use crate::{
    azure::{
        AzureError, AzureErrorKind, apim, apim_content,
        storage::{self, BlobItem},
    },
    plan::facts::{Finding, Probe, Severity},
    run::{Disposition, StepError},
};

/// Longest name of a blob in Azure.
const LONGEST_NAME: usize = 1_024;

pub async fn probe(arguments: &TakeBackup, context: &Context) -> Result<Probe, StepError> {
    let change = arguments.change();
    storage_reach::check(&change.reach)?;
    named(arguments)?;
    let (arm, account_name) = (&context.arm, arguments.storage.name());
    let place = format!("{account_name}/{}", arguments.container);
    let (service, workspaces, account, cors, listed) = tokio::join!(
        apim::get_service(arm, &arguments.service),
        apim_content::list_workspaces(arm, &arguments.service),
        storage::account(arm, &arguments.storage),
        storage::cors_rules(arm, &arguments.storage),
        list(arguments, context),
    );
    let service = service.map_err(|failure| verify_standby::unreadable(&arguments.service, &failure))?;
    let now = context.clock.now();
    let name = arguments.service.name();
    let mut findings: Vec<Finding> =
        judge_service(&change, &service).into_iter().map(|it| patient(arguments, it)).collect();
    findings.extend(judge_workspaces(name, workspaces.as_deref()));
    findings.extend(judge_account(&change, &service, Some(&account)));
    findings.extend(judge_cors(account_name, cors.as_ref()));
    findings.extend(storage_reach::absent_key(&change.reach, context).await);
    let choice = match &listed {
        Ok(listed) => {
            let taken = arguments.name.as_ref().filter(|name| listed.iter().any(|blob| blob.name == **name));
            findings.extend(taken.map(|name| already_there(name, &place)));
            usable(listed, now)
        }
        Err(failure) => {
            findings.push(unlistable(&place, failure));
            Choice::default()
        }
    };
    let newest = choice.chosen.as_ref();
    let as_name = arguments.name.clone().unwrap_or_else(|| format!("{name}-<time>.apimbackup"));
    let source = format!("GET {}", apim::service_url(arm, &arguments.service));
    let mut facts = Facts::seen(source, now)
        .with("service.tier", service.tier())
        .with_volatile("service.state", service.provisioning_state())
        .with_volatile("service.etag", service.etag())
        .into_vec();
    let seen = Facts::seen(format!("list blobs {place}"), now)
        .with_volatile("backups.usable", choice.usable)
        .with_volatile("backup.newest", newest.map(|newest| newest.name.clone()))
        .with_volatile("backup.newest_created", newest.map(|newest| newest.created.to_string()));
    facts.extend(seen.into_vec());
    Ok(Probe {
        summary: match newest {
            Some(newest) => format!(
                "backs {name} up to {place} as `{as_name}`; the newest usable backup is {} old",
                choose::age(newest.created, now)
            ),
            None => format!("backs {name} up to {place} as `{as_name}`; there is no usable backup now"),
        },
        facts,
        requests: vec![change.planned(&as_name, arm)],
        outputs: arguments.name.iter().map(|name| ("name".to_owned(), json!(name))).collect::<Map<_, _>>(),
        findings,
        verified: true,
        targets: vec![arguments.service.folded()],
        ..Probe::default()
    })
}

/// What has moved since the plan and would fail a backup after minutes of work. Its state and its identity are judged
/// just before the request.
pub async fn must_be_able(arguments: &TakeBackup, context: &Context) -> Result<(), StepError> {
    let (workspaces, cors) = tokio::join!(
        apim_content::list_workspaces(&context.arm, &arguments.service),
        storage::cors_rules(&context.arm, &arguments.storage),
    );
    let mut findings = judge_workspaces(arguments.service.name(), workspaces.as_deref());
    findings.extend(judge_cors(arguments.storage.name(), cors.as_ref()));
    match findings.into_iter().find(|finding| finding.severity == Severity::Blocker) {
        None => Ok(()),
        Some(blocker) => Err(StepError::new(Disposition::Final, &blocker.code, blocker.message, blocker.remedy)),
    }
}

/// Name and creation of the newest usable backup of the service, or of the one that the step names.
pub async fn newest(arguments: &TakeBackup, context: &Context) -> Result<Option<(String, Timestamp)>, AzureError> {
    let mut listed = list(arguments, context).await?;
    listed.retain(|blob| arguments.name.as_ref().is_none_or(|name| *name == blob.name));
    Ok(usable(&listed, context.clock.now()).chosen.map(|chosen| (chosen.name, chosen.created)))
}

/// When the newest usable backup of the service other than `own` was made. None: there is none.
pub async fn newest_before(
    arguments: &TakeBackup,
    context: &Context,
    own: &str,
) -> Result<Option<Timestamp>, AzureError> {
    let mut listed = list(arguments, context).await?;
    listed.retain(|blob| blob.name != own);
    Ok(usable(&listed, context.clock.now()).chosen.map(|chosen| chosen.created))
}

/// A name that Azure takes and that is not taken for a manifest.
///
/// # Errors
/// `invalid-arguments`, final.
pub fn named(arguments: &TakeBackup) -> Result<(), StepError> {
    let Some(name) = &arguments.name else { return Ok(()) };
    let wrong = if name.trim().is_empty() || name.starts_with('/') || name.ends_with(['/', '.']) {
        "a blob's name is not empty, begins with no slash and ends with neither slash nor dot"
    } else if name.len() + MANIFEST_SUFFIX.len() > LONGEST_NAME {
        "`name` and its manifest's must not be longer than 1,024 bytes"
    } else if name.ends_with(MANIFEST_SUFFIX) {
        "`name` ends as manifests do, and would be passed over as one"
    } else {
        return Ok(());
    };
    Err(StepError::new(
        Disposition::Final,
        "invalid-arguments",
        wrong,
        "correct `name` in the runbook, or leave it out",
    ))
}

/// Blobs named as this step names them by itself, after the service and a time, and the one that the arguments name.
async fn list(arguments: &TakeBackup, context: &Context) -> Result<Vec<BlobItem>, AzureError> {
    let own = whose::default_prefix(&arguments.service);
    let (account, container) = (arguments.storage.name(), arguments.container.as_str());
    let mut listed = context.blobs.list(account, container, &own).await?;
    listed.retain(|blob| whose::is_named_after(&own, &blob.name) || arguments.name.as_ref() == Some(&blob.name));
    if let Some(name) = arguments.name.as_ref().filter(|name| !name.starts_with(&own)) {
        let there = context.blobs.list(account, container, name).await?;
        listed.extend(there.into_iter().filter(|blob| blob.name == *name));
    }
    Ok(listed)
}

fn usable(listed: &[BlobItem], now: Timestamp) -> Choice {
    let candidates: Vec<Candidate> = listed.iter().map(|blob| Candidate::of(blob.clone())).collect();
    choose::choose(&candidates, now, std::time::Duration::ZERO, std::time::Duration::ZERO)
}

/// A service that is busy does not stop a run that waits for it or leaves it.
fn patient(arguments: &TakeBackup, finding: Finding) -> Finding {
    if finding.code != "service-busy" {
        return finding;
    }
    match arguments.when_busy {
        WhenBusy::Wait => Finding::warning(&finding.code, finding.message, "the step waits until it is idle"),
        WhenBusy::Skip => Finding::warning(
            &finding.code,
            finding.message,
            "if it is still busy then, no backup is taken, and the step says so (`when_busy: skip`)",
        ),
    }
}

fn judge_workspaces(name: &str, workspaces: Result<&[String], &AzureError>) -> Vec<Finding> {
    match workspaces {
        Ok([]) => Vec::new(),
        Ok(some) => vec![Finding::blocker(
            "workspaces",
            format!("{name} has workspaces ({}), and Azure does not back such a service up", some.join(", ")),
            "delete the workspaces, or deploy this service's configuration from source",
        )],
        Err(failure) => vec![Finding::warning(
            "workspaces-unknown",
            format!("it is not known whether {name} has workspaces: {failure}"),
            "grant Microsoft.ApiManagement/service/workspaces/read, or look in the portal",
        )],
    }
}

fn judge_cors(account: &str, rules: Result<&usize, &AzureError>) -> Vec<Finding> {
    match rules {
        Ok(0) => Vec::new(),
        Ok(count) => vec![Finding::blocker(
            "storage-cors",
            format!("the blob service of {account} has {count} CORS rules, which break backup and restore"),
            "remove the CORS rules from the storage account's blob service",
        )],
        Err(failure) => vec![Finding::warning(
            "storage-cors-unknown",
            format!("it is not known whether the blob service of {account} has CORS rules: {failure}"),
            "grant Microsoft.Storage/storageAccounts/blobServices/read, or look in the portal",
        )],
    }
}

fn already_there(name: &str, place: &str) -> Finding {
    Finding::blocker(
        "backup-exists",
        format!("there is a blob `{name}` in {place} already, and a backup would overwrite it"),
        "leave `name` out to have one made of the service's name and the time, or give another",
    )
}

/// Without a look at the container a backup may still be taken: the service comes with an identity of its own. But its
/// manifest could not be written.
fn unlistable(place: &str, failure: &AzureError) -> Finding {
    if failure.code.as_deref() == Some("ContainerNotFound") {
        return Finding::blocker(
            "container-missing",
            format!("there is no container {place}"),
            "create it: `az storage container create`; Azure may not make it by itself",
        );
    }
    let step = error::from_read(&format!("the container {place}"), failure);
    match failure.kind {
        AzureErrorKind::Forbidden | AzureErrorKind::Unauthorized => Finding::blocker(
            "storage-unreadable",
            step.message,
            "grant `Storage Blob Data Contributor` on the account to the credential's identity: it writes the manifest",
        ),
        AzureErrorKind::Credential
        | AzureErrorKind::NotFound
        | AzureErrorKind::Busy
        | AzureErrorKind::Conflict
        | AzureErrorKind::PreconditionFailed
        | AzureErrorKind::Throttled
        | AzureErrorKind::Unavailable
        | AzureErrorKind::Rejected
        | AzureErrorKind::Transport
        | AzureErrorKind::Certificate
        | AzureErrorKind::Malformed => Finding::blocker("storage-unreadable", step.message, step.hint),
    }
}
