//! `apim.backup`: backs a service up to a blob of a new name, and writes the manifest beside it.
//!
//! ```text
//!  long_change::send ─► follow ─► idle, and the blob is there ─► read the service again ─► manifest, only if absent
//! ```
//!
//! The blob of the unique name is the proof that the backup was taken. Until its manifest is there the step is not done:
//! whoever comes later (`follow`, after a crash or a doubt) writes it, and never asks for a second backup.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Call, Context, Done, Recorder, adoption,
    arguments::{Backup, TakeBackup, WhenBusy},
    backup_probe::{self, named},
    choose::{self, LIFETIME},
    error,
    fact::{after, note, note_until},
    long_change::{self, Before, Change, ChangeKind, Ended, Patience, Sent, Settled},
    manifest::{self, Manifest},
    standing, storage_reach,
};
use crate::{
    azure::{Arm, AzureError, AzureErrorKind, Operation, apim, inventory, storage::BlobItem},
    run::{Disposition, Intent, StepError, Verdict, inquiry::Seen},
    runbook::span,
};

/// A backup that is whole, and whose manifest is not there.
const UNFINISHED: &str = "manifest-missing";
/// How long a manifest is tried to be written when Azure does not take it: a region that is being patched is back by then.
const MANIFEST_PATIENCE: Duration = Duration::from_mins(10);
/// Between two tries.
const MANIFEST_INTERVAL: Duration = Duration::from_secs(30);

impl TakeBackup {
    pub(super) fn change(&self) -> Change<'_> {
        Change { kind: ChangeKind::Backup, service: &self.service, container: &self.container, reach: self.reach() }
    }

    /// Unique to the second, and a service takes one backup at a time.
    pub(super) fn name_at(&self, now: Timestamp) -> String {
        let made = || format!("{}-{}.apimbackup", self.service.name(), now.strftime("%Y%m%dT%H%M%SZ"));
        self.name.clone().unwrap_or_else(made)
    }
}

pub async fn perform(arguments: &TakeBackup, context: &Context, record: &Recorder) -> Result<Done, StepError> {
    let change = arguments.change();
    storage_reach::check(&change.reach)?;
    named(arguments)?;
    let arm = context.arm.noting(record.sink());
    backup_probe::must_be_able(arguments, context).await?;
    let name = || arguments.name_at(context.clock.now());
    let patience = match arguments.when_busy {
        WhenBusy::Wait => Patience::Wait,
        WhenBusy::Skip => Patience::Skip,
    };
    match long_change::send(&change, context, &arm, (&name, patience, None), record).await? {
        Sent::Accepted { operation, before } => {
            let ended = long_change::follow_accepted(&change, context, &arm, (&operation, &before), record).await?;
            finish(arguments, context, &arm, (&ended, &before), record).await
        }
        Sent::Skipped(why) => {
            note(record, format!("no backup was taken: {why}"));
            skipped(arguments, context, &why).await
        }
    }
}

/// No backup was taken, and what could be restored now grows older: the objective is held against that.
async fn skipped(arguments: &TakeBackup, context: &Context, why: &str) -> Result<Done, StepError> {
    let place = format!("the backups in {}/{}", arguments.storage.name(), arguments.container);
    let newest = backup_probe::newest_before(arguments, context, "")
        .await
        .map_err(|failure| error::from_read(&place, &failure))?;
    // Without any, nothing of the time that Azure restores at all could be brought back.
    let exposure = newest.map_or_else(|| span::format(LIFETIME), |newest| choose::age(newest, context.clock.now()));
    let outputs = Map::from_iter([("skipped".to_owned(), json!(why)), ("exposure".to_owned(), json!(exposure))]);
    Ok(Done { evidence: Value::Object(outputs.clone()), outputs })
}

/// Attaches again to a backup that goes on, or that wants its manifest only.
pub async fn follow(
    arguments: &TakeBackup,
    context: &Context,
    operation: Option<Operation>,
    intent: &Intent,
    record: &Recorder,
) -> Result<Done, StepError> {
    let change = arguments.change();
    let arm = context.arm.noting(record.sink());
    let before = Before::of(&change, intent)?;
    let ended = long_change::follow(&change, context, &arm, (operation, &before), record).await?;
    finish(arguments, context, &arm, (&ended, &before), record).await
}

/// What became of a backup. Reads only. `doubt` is why the step is in doubt, when this process brought it there.
pub async fn settle(
    arguments: &TakeBackup,
    context: &Context,
    (intent, operation): (Option<&Intent>, Option<&Operation>),
    doubt: Option<&StepError>,
) -> Result<Verdict, StepError> {
    let change = arguments.change();
    let before = match long_change::settle(&change, context, intent, operation).await? {
        Settled::Verdict(verdict) => return Ok(verdict),
        Settled::Happened(before) => before,
    };
    let written = match arguments.look(context, &before).await {
        Ok((Some(blob), true)) => {
            let outputs = outputs(arguments, context, operation, &before, &blob, None);
            return Ok(Verdict::Happened { outputs });
        }
        Ok((Some(_), false)) => None,
        Ok((None, _)) => {
            Some(format!("Azure says that the backup succeeded, but there is no blob `{}`", before.backup))
        }
        Err(failure) => Some(format!("the backup `{}` cannot be looked for: {failure}", before.backup)),
    };
    Ok(match (written, doubt) {
        (Some(reason), _) => Verdict::Unknown {
            reason,
            remedy: "look in the container and in the service's activity log; `lifeboat resume` looks again".to_owned(),
        },
        (None, Some(doubt)) if doubt.code == UNFINISHED => {
            Verdict::Unknown { reason: doubt.message.clone(), remedy: doubt.hint.clone() }
        }
        // No time is left to write it in, and nothing goes on in Azure.
        (None, Some(doubt)) if doubt.code == "timeout" => {
            Verdict::Unknown { reason: missing(&before), remedy: writes(&before) }
        }
        // To follow it is to find it ended, and to write what is missing.
        (None, _) => Verdict::GoesOn { operation: operation.cloned() },
    })
}

/// Whether a person has taken a backup since the plan: of the name that the step would give it, else the newest of the
/// service. Reads only, and writes no manifest beside it.
pub async fn adopt(arguments: &TakeBackup, call: &Call, context: &Context) -> Result<Seen, StepError> {
    let place = format!("the backups in {}/{}", arguments.storage.name(), arguments.container);
    let unread = |failure: AzureError| error::from_read(&place, &failure);
    let since = call.planned.iter().map(|fact| fact.observed_at).min();
    let Some((name, created)) = backup_probe::newest(arguments, context).await.map_err(unread)? else {
        return Ok(adoption::refuted(format!("there is no usable backup among {place}")));
    };
    if since.is_some_and(|since| created < since) {
        return Ok(adoption::refuted(format!("the newest of {place} is `{name}` of {created}, older than the plan")));
    }
    let content = None;
    let before =
        Before { etag: None, provisioning_state: None, backup: name.clone(), sent_at: created, locked: false, content };
    let (blob, described) = arguments.look(context, &before).await.map_err(unread)?;
    let Some(blob) = blob else { return Ok(adoption::refuted(format!("the backup `{name}` is gone"))) };
    let newest = backup_probe::newest_before(arguments, context, &name).await.map_err(unread)?;
    let mut outputs = outputs(arguments, context, None, &before, &blob, newest);
    // How long it took is not known, and a manifest that is not there is not promised.
    outputs.remove("duration");
    if !described {
        outputs.remove("manifest");
    }
    Ok(adoption::agreed(outputs, json!({ "backup": name, "size": blob.size, "described": described })))
}

/// A backup takes nothing away, and a blob that might be restored is not deleted in passing.
pub fn undo(outputs: Option<&Map<String, Value>>) -> Done {
    let kept = outputs.and_then(|outputs| outputs.get("name")).cloned().unwrap_or_default();
    let why =
        "a backup changes nothing that could be taken back; it stays where it is, and backup.prune takes it in time";
    Done { outputs: Map::new(), evidence: json!({ "kept": kept, "why": why }) }
}

/// The manifest and the outputs of a backup that is whole.
async fn finish(
    arguments: &TakeBackup,
    context: &Context,
    arm: &Arm,
    (ended, before): (&Ended, &Before),
    record: &Recorder,
) -> Result<Done, StepError> {
    let until = after(context.clock.now(), MANIFEST_PATIENCE);
    loop {
        let failure = match describe(arguments, context, arm, (ended, before), record).await {
            Ok(done) => return Ok(done),
            Err(failure) => failure,
        };
        let passing = match failure.kind {
            AzureErrorKind::Throttled
            | AzureErrorKind::Unavailable
            | AzureErrorKind::Transport
            | AzureErrorKind::Credential
            | AzureErrorKind::Malformed => context.clock.now() < until,
            AzureErrorKind::Unauthorized
            | AzureErrorKind::Forbidden
            | AzureErrorKind::NotFound
            | AzureErrorKind::Busy
            | AzureErrorKind::Conflict
            | AzureErrorKind::PreconditionFailed
            | AzureErrorKind::Rejected
            | AzureErrorKind::Certificate => false,
        };
        if !passing {
            return Err(without_manifest(before, &failure));
        }
        let next = after(context.clock.now(), MANIFEST_INTERVAL);
        note_until(record, format!("the backup is whole; its manifest could not be written ({failure})"), next);
        context.clock.sleep_until(next).await;
    }
}

/// Reads the service as it is after the backup, writes the manifest if there is none, and gives the outputs.
async fn describe(
    arguments: &TakeBackup,
    context: &Context,
    arm: &Arm,
    (ended, before): (&Ended, &Before),
    record: &Recorder,
) -> Result<Done, AzureError> {
    let blobs = context.blobs.noting(record.sink());
    let (account, container) = (arguments.storage.name(), arguments.container.as_str());
    let newest = backup_probe::newest_before(arguments, context, &before.backup).await?;
    let (blob, written) = arguments.look(context, before).await?;
    let Some(blob) = blob else {
        let message = format!("there is no blob `{}`, although Azure said that the backup succeeded", before.backup);
        return Err(AzureError::new(AzureErrorKind::NotFound, message));
    };
    if !written {
        let service = apim::get_service(arm, &arguments.service).await?;
        let inventory = inventory::collect(arm, &arguments.service, &service).await;
        let id = arguments.service.to_string();
        let manifest = Manifest::of(before, (&id, &service), inventory, context.clock.now());
        manifest::write(&blobs, account, container, &manifest).await?;
        note(record, format!("wrote {}", manifest::blob_name(&before.backup)));
    }
    let evidence = json!({
        "before": Before { content: None, ..before.clone() },
        "after": standing::evidence(&ended.service),
        "told_by_operation": ended.told,
        "size": blob.size,
        "previous_backup": newest,
    });
    Ok(Done { outputs: outputs(arguments, context, Some(&ended.operation), before, &blob, newest), evidence })
}

fn missing(before: &Before) -> String {
    format!("the backup `{}` is whole, its manifest is missing", before.backup)
}

fn writes(before: &Before) -> String {
    format!("`lifeboat resume` writes `{}`; nothing is backed up again", manifest::blob_name(&before.backup))
}

fn without_manifest(before: &Before, failure: &AzureError) -> StepError {
    let step =
        StepError::new(Disposition::InDoubt, UNFINISHED, format!("{}: {failure}", missing(before)), writes(before));
    let hint = match &failure.hint {
        Some(cause) => format!("{cause}; then {}", step.hint),
        None => step.hint.clone(),
    };
    StepError { hint, ..error::with_details(step, failure) }
}

impl TakeBackup {
    /// The backup's blob, and whether its manifest is there.
    async fn look(&self, context: &Context, before: &Before) -> Result<(Option<BlobItem>, bool), AzureError> {
        let listed = context.blobs.list(self.storage.name(), &self.container, &before.backup).await?;
        let manifest = manifest::blob_name(&before.backup);
        let written = listed.iter().any(|blob| blob.name == manifest && blob.size > 0);
        let whole = |blob: &BlobItem| blob.name == before.backup && blob.snapshot.is_none() && blob.size > 0;
        Ok((listed.into_iter().find(whole), written))
    }
}

/// `newest`: when the newest backup before this one was made.
fn outputs(
    arguments: &TakeBackup,
    context: &Context,
    operation: Option<&Operation>,
    before: &Before,
    blob: &BlobItem,
    newest: Option<Timestamp>,
) -> Map<String, Value> {
    let now = context.clock.now();
    let (created, expires) = (before.sent_at, after(before.sent_at, LIFETIME));
    let manifest = manifest::blob_name(&before.backup);
    let backup = Backup {
        storage: Some(arguments.storage.clone()),
        account: arguments.storage.name().to_owned(),
        container: arguments.container.clone(),
        name: before.backup.clone(),
        created: Some(created),
        expires: Some(expires),
        age: Some(choose::age(created, now)),
        size: Some(blob.size),
        manifest: Some(manifest.clone()),
        manifest_data: None,
    };
    let pairs = [
        ("backup", json!(backup)),
        ("name", json!(before.backup)),
        ("created", json!(created)),
        ("expires", json!(expires)),
        ("manifest", json!(manifest)),
        ("operation", json!(arguments.change().shown_operation(operation, &context.arm))),
        ("duration", json!(before.took(now))),
        ("exposure", json!(newest.map(|newest| choose::age(newest, now)))),
    ];
    pairs
        .into_iter()
        .filter(|(name, value)| *name == "operation" || !value.is_null())
        .map(|(n, v)| (n.to_owned(), v))
        .collect()
}
