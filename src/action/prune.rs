//! `backup.prune`: deletes expired and surplus backups with their manifests, each as it was listed (`If-Match`).
//!
//! Frozen while another run that is not over needs the backups: then it deletes nothing and says which run. Looked at
//! again right before each delete. A delete can be repeated, so a doubt is settled by reading the listing again.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    Context, Done, Recorder,
    arguments::Prune,
    error,
    fact::{Facts, note},
    manifest::{self, Manifest},
    prune_rules::{self, Decision, Doomed, Told},
    whose,
};
use crate::{
    azure::{
        AzureError, AzureErrorKind,
        storage::{BlobCondition, Blobs},
    },
    net::Delivery,
    plan::{
        codes,
        facts::{PlannedRequest, Probe},
    },
    run::{Disposition, Intent, StepError, Verdict},
};

/// Deletes of one step. A container with more to delete was never pruned; the next run goes on. Each intent names those
/// before it.
const MOST_DELETED: usize = 200;
/// Manifests that are read to find what is surplus: as many backups as a service makes in 30 days, one an hour.
const MOST_MANIFESTS: usize = 720;

impl Prune {
    fn prefix(&self) -> String {
        self.prefix.clone().unwrap_or_else(|| whose::default_prefix(&self.service))
    }

    fn place(&self) -> String {
        format!("{}/{}", self.storage.name(), self.container)
    }

    async fn frozen(&self, context: &Context) -> Result<Option<String>, StepError> {
        context.others.that_need(&self.service, self.storage.name(), &self.container).await
    }
}

pub async fn probe(arguments: &Prune, context: &Context) -> Result<Probe, StepError> {
    let decision = look(arguments, context, &context.blobs).await?;
    let (frozen, findings) = match arguments.frozen(context).await {
        Ok(frozen) => (frozen, Vec::new()),
        Err(unread) => (None, vec![codes::finding("runs-unread", unread.message)]),
    };
    let (place, prefix) = (arguments.place(), arguments.prefix());
    let count = decision.doomed.len();
    let requests = decision.doomed.iter().flat_map(Doomed::blobs);
    let requests = requests.filter_map(|(name, etag)| planned(arguments, context, name, etag)).collect();
    let facts = Facts::seen(format!("list blobs {place}"), context.clock.now())
        .with_volatile("backups.kept", decision.kept)
        .with_volatile("backups.deleted", count);
    Ok(Probe {
        summary: match &frozen {
            Some(run) => format!("deletes nothing as long as run `{run}` needs the backups in {place}"),
            None => format!("deletes {count} of {} backups named `{prefix}…` in {place}", decision.kept + count),
        },
        facts: facts.into_vec(),
        requests: if frozen.is_some() { Vec::new() } else { requests },
        findings,
        verified: true,
        ..Probe::default()
    })
}

pub async fn perform(arguments: &Prune, context: &Context, record: &Recorder) -> Result<Done, StepError> {
    let blobs = context.blobs.noting(record.sink());
    let decision = look(arguments, context, &blobs).await?;
    let mut deleted: Vec<String> = Vec::new();
    let mut left = 0;
    let mut absent = Vec::new();
    for one in decision.doomed.iter().take(MOST_DELETED) {
        if let Some(run) = arguments.frozen(context).await? {
            note(record, format!("run `{run}` needs the backups in {}: no more is deleted", arguments.place()));
            return Ok(done(&deleted, decision.kept + decision.doomed.len() - deleted.len(), Some(run)));
        }
        let request = planned(arguments, context, &one.name, &one.etag);
        if let Some(request) = request {
            let before = json!({ "backup": one.name, "etag": one.etag, "deleted": deleted });
            record.intend(Intent { request, before }).await;
        }
        match delete(arguments, &blobs, one).await {
            Ok(not_there) => {
                absent.extend(not_there);
                deleted.push(one.name.clone());
            }
            Err(failure) if is_kept(&failure) => {
                left += 1;
                note(record, format!("`{}` was left alone: {failure}", one.name));
            }
            Err(failure) => return Err(failed(&one.name, &failure)),
        }
    }
    if !absent.is_empty() {
        must_be_gone(arguments, &blobs, &absent).await?;
    }
    if decision.doomed.len() > MOST_DELETED {
        note(record, format!("{} more wait for the next run", decision.doomed.len() - MOST_DELETED));
    }
    Ok(done(&deleted, decision.kept + left, None))
}

/// What was listed a moment ago, and was then said not to be there, is looked for once more.
async fn must_be_gone(arguments: &Prune, blobs: &Blobs, absent: &[(&str, &str)]) -> Result<(), StepError> {
    let listed = blobs
        .list(arguments.storage.name(), &arguments.container, &arguments.prefix())
        .await
        .map_err(|failure| error::from_read(&format!("the backups in {}", arguments.place()), &failure))?;
    let still = |(name, etag): &&(&str, &str)| {
        listed.iter().any(|blob| blob.name == *name && blob.snapshot.is_none() && blob.etag.as_deref() == Some(*etag))
    };
    let Some((name, _)) = absent.iter().find(still) else { return Ok(()) };
    Err(StepError::new(
        Disposition::Retryable,
        "delete-without-effect",
        format!("Azure said that there is no `{name}` to delete, and lists it in {}", arguments.place()),
        "`lifeboat resume` deletes what is still listed",
    ))
}

/// Reads only: what is gone is gone, and what is left is deleted by starting again.
pub async fn settle(arguments: &Prune, context: &Context, intent: Option<&Intent>) -> Result<Verdict, StepError> {
    let decision = look(arguments, context, &context.blobs).await?;
    if decision.doomed.is_empty() {
        let deleted = intent.map(gone).unwrap_or_default();
        return Ok(Verdict::Happened { outputs: done(&deleted, decision.kept, None).outputs });
    }
    let left = decision.doomed.len();
    Ok(Verdict::DidNotHappen {
        reason: format!("{left} backups are still there; each is deleted only as it is listed"),
    })
}

/// What an intent says was deleted before it, and what it asked for itself.
fn gone(intent: &Intent) -> Vec<String> {
    let before = intent.before.get("deleted").and_then(Value::as_array).into_iter().flatten();
    before.chain(intent.before.get("backup")).filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The backup first: a crash in between leaves a manifest without a backup, which nobody takes for one. Gives what Azure
/// said was not there to delete.
async fn delete<'a>(arguments: &Prune, blobs: &Blobs, one: &'a Doomed) -> Result<Vec<(&'a str, &'a str)>, AzureError> {
    let (account, container) = (arguments.storage.name(), arguments.container.as_str());
    let mut absent = Vec::new();
    for (place, (name, etag)) in one.blobs().enumerate() {
        match blobs.delete(account, container, name, BlobCondition::Unchanged(etag)).await {
            Ok(true) => {}
            Ok(false) => absent.push((name, etag)),
            // The backup is gone; the manifest that is kept is taken by a later run as an orphan.
            Err(failure) if place > 0 && is_kept(&failure) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(absent)
}

/// Somebody changed it since it was listed, or a lease, a snapshot or a policy keeps it: that is no failure.
fn is_kept(failure: &AzureError) -> bool {
    failure.delivery == Delivery::NotSent
        && matches!(failure.kind, AzureErrorKind::PreconditionFailed | AzureErrorKind::Conflict)
}

fn failed(name: &str, failure: &AzureError) -> StepError {
    if failure.delivery == Delivery::Unknown {
        let step = StepError::new(
            Disposition::InDoubt,
            "delete-in-doubt",
            format!("it is not known whether `{name}` was deleted: {failure}"),
            "`lifeboat resume` reads the listing and goes on",
        );
        return error::with_details(step, failure);
    }
    error::from_refusal(&format!("the delete of `{name}`"), failure)
}

async fn look(arguments: &Prune, context: &Context, blobs: &Blobs) -> Result<Decision, StepError> {
    let (account, container, prefix) = (arguments.storage.name(), arguments.container.as_str(), arguments.prefix());
    if prefix.is_empty() {
        return Err(StepError::new(
            Disposition::Final,
            "invalid-arguments",
            "`prefix` must not be empty: everything in the container would be judged as a backup",
            "leave `prefix` out to have the service's name, or give one",
        ));
    }
    let mut listed = blobs
        .list(account, container, &prefix)
        .await
        .map_err(|failure| error::from_read(&format!("the backups in {}", arguments.place()), &failure))?;
    if arguments.prefix.as_ref().is_none_or(|own| *own == whose::default_prefix(&arguments.service)) {
        listed.retain(|blob| whose::is_named_after(&prefix, &blob.name));
    }
    let keep = usize::try_from(arguments.keep).unwrap_or(usize::MAX);
    let decide = |told: &BTreeMap<String, Told>| {
        prune_rules::decide(&listed, told, context.clock.now(), keep, arguments.keep_days)
    };
    let mut told = BTreeMap::new();
    for name in decide(&told).unread.into_iter().take(MOST_MANIFESTS) {
        let read = manifest::read(blobs, account, container, &name)
            .await
            .map_err(|failure| error::from_read(&format!("the manifest of `{name}`"), &failure))?;
        let manifest = read.as_ref().and_then(Manifest::from_value).unwrap_or_default();
        let other = manifest.service.filter(|service| whose::is_other(service, &arguments.service));
        told.insert(name, Told { created: manifest.created, other });
    }
    Ok(decide(&told))
}

fn planned(arguments: &Prune, context: &Context, name: &str, etag: &str) -> Option<PlannedRequest> {
    let url = context.blobs.blob_url(arguments.storage.name(), &arguments.container, name)?;
    Some(PlannedRequest {
        method: "DELETE".to_owned(),
        url: url.to_string(),
        headers: vec![("If-Match".to_owned(), format!("\"{etag}\""))],
        body: None,
    })
}

fn done(deleted: &[String], kept: usize, frozen: Option<String>) -> Done {
    let mut outputs = Map::from_iter([("deleted".to_owned(), json!(deleted)), ("kept".to_owned(), json!(kept))]);
    outputs.extend(frozen.map(|run| ("frozen".to_owned(), json!(run))));
    Done { evidence: Value::Object(outputs.clone()), outputs }
}
