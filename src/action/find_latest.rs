//! `backup.find-latest`: lists, reads a few manifests, and lets the rules of [`super::choose`] decide. Reads only.

use std::{collections::BTreeSet, fmt::Write, time::Duration};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Context, Done, Recorder,
    arguments::{Backup, FindLatest},
    changes,
    choose::{self, Candidate, Choice, Chosen, Rejection},
    error,
    fact::{Facts, note},
    manifest::{self, Manifest},
    readiness::backups,
    whose::Owner,
};
use crate::{
    azure::{AzureError, AzureErrorKind, storage::Blobs},
    plan::{
        facts::{Finding, Probe},
        make::PROBE_TIMEOUT,
    },
    run::{Disposition, StepError},
    runbook::span,
};

/// A manifest can only make a backup older or another service's, so the newest is read, and the next when it falls back.
/// Enough for a month of nightly backups of three other services; what is not read then is judged by its name.
const MOST_MANIFESTS: usize = 100;
/// Of the probe's time, for what is still to be done when the activity log has not answered.
const MARGIN: Duration = Duration::from_secs(1);
/// How many rejected blobs an error names: enough to see a pattern.
const NAMED_REJECTIONS: usize = 5;

/// The decision, with what is needed to tell it.
#[derive(Debug)]
struct Found {
    backup: Backup,
    chosen: Chosen,
    choice: Choice,
    listed: usize,
    now: Timestamp,
}

pub async fn probe(arguments: &FindLatest, context: &Context) -> Result<Probe, StepError> {
    let began = context.clock.moment();
    let found = find(arguments, context, &context.blobs).await?;
    let source = format!("list blobs {}/{}", arguments.storage.name(), arguments.container);
    let facts = Facts::seen(source, found.now)
        .with("backup.name", found.chosen.name.as_str())
        .with("backup.created", found.chosen.created.to_string())
        .with("backup.expires", found.chosen.expires.to_string())
        .with("backup.created_source", found.chosen.created_source)
        .with_volatile("backup.age", choose::age(found.chosen.created, found.now))
        .with_volatile("backups.listed", found.listed)
        .with_volatile("backups.usable", found.choice.usable);
    let mut findings = Vec::new();
    if found.choice.usable == 1 {
        findings.push(Finding::warning(
            "only-one-backup",
            format!("`{}` is the only backup that can be restored", found.chosen.name),
            "check that backups are still being made; there is nothing to fall back to",
        ));
    }
    // What only names a loss must never keep a found backup from the plan.
    let limit = context.clock.lenient(PROBE_TIMEOUT).saturating_sub(MARGIN);
    let left = limit.saturating_sub(context.clock.since(&began));
    let (changed, told) = match &arguments.service {
        Some(service) => changes::since_backup(service, found.chosen.created, left, context).await,
        None => (Vec::new(), Vec::new()),
    };
    findings.extend(told);
    findings.extend(backups::judge(&found.chosen, found.backup.manifest.is_some(), &found.choice.rejected, found.now));
    Ok(Probe {
        summary: format!(
            "restores from `{}`, {} old, the newest of {} usable backups",
            found.chosen.name,
            choose::age(found.chosen.created, found.now),
            found.choice.usable,
        ),
        facts: [facts.into_vec(), changed].concat(),
        outputs: outputs(&found),
        findings,
        verified: true,
        ..Probe::default()
    })
}

pub async fn perform(arguments: &FindLatest, context: &Context, record: &Recorder) -> Result<Done, StepError> {
    let found = find(arguments, context, &context.blobs.noting(record.sink())).await?;
    let age = choose::age(found.chosen.created, found.now);
    note(record, format!("chose `{}`, {age} old, of {} usable backups", found.chosen.name, found.choice.usable));
    Ok(Done { outputs: outputs(&found), evidence: evidence(&found) })
}

async fn find(arguments: &FindLatest, context: &Context, blobs: &Blobs) -> Result<Found, StepError> {
    let account = arguments.storage.name();
    let place = format!("{account}/{}", arguments.container);
    let listed = blobs
        .list(account, &arguments.container, arguments.prefix.as_deref().unwrap_or_default())
        .await
        .map_err(|failure| unlistable(&place, &failure))?;
    let names: BTreeSet<String> = listed.iter().map(|blob| blob.name.clone()).collect();
    let described = |name: &str| names.contains(&manifest::blob_name(name));
    let owner = Owner::of(arguments.service.as_ref(), arguments.prefix.as_deref(), names.iter().map(String::as_str));
    let mut candidates: Vec<Candidate> = listed.into_iter().map(Candidate::of).collect();
    for candidate in candidates.iter_mut().filter(|candidate| !described(&candidate.blob.name)) {
        candidate.other = owner.refuses_name(&candidate.blob.name);
    }
    let restore_timeout = arguments.restore_timeout.unwrap_or(context.restore_timeout);
    let now = context.clock.now();
    let mut manifests: Map<String, Value> = Map::new();
    for _ in 0..MOST_MANIFESTS {
        let choice = choose::choose(&candidates, now, arguments.margin, restore_timeout);
        let Some(chosen) = &choice.chosen else { break };
        if manifests.contains_key(&chosen.name) || !described(&chosen.name) {
            break;
        }
        let data = manifest::read(blobs, account, &arguments.container, &chosen.name)
            .await
            .map_err(|failure| error::from_read(&format!("the manifest of `{}`", chosen.name), &failure))?
            .unwrap_or_default();
        let told = Manifest::from_value(&data);
        for candidate in candidates.iter_mut().filter(|candidate| candidate.blob.name == chosen.name) {
            candidate.manifest_created = told.as_ref().and_then(|manifest| manifest.created);
            candidate.other = owner.refuses(&chosen.name, told.as_ref());
        }
        manifests.insert(chosen.name.clone(), data);
    }
    // What was not read must not count as something to fall back to.
    let unread = |candidate: &&mut Candidate| !manifests.contains_key(&candidate.blob.name);
    for candidate in candidates.iter_mut().filter(unread) {
        candidate.other = owner.refuses_name(&candidate.blob.name);
    }
    let mut choice = choose::choose(&candidates, now, arguments.margin, restore_timeout);
    let Some(chosen) = choice.chosen.take() else {
        return Err(none_usable(&place, arguments, &choice, restore_timeout));
    };
    let manifest_name = manifest::blob_name(&chosen.name);
    let backup = Backup {
        storage: Some(arguments.storage.clone()),
        account: account.to_owned(),
        container: arguments.container.clone(),
        name: chosen.name.clone(),
        created: Some(chosen.created),
        expires: Some(chosen.expires),
        age: Some(choose::age(chosen.created, now)),
        size: Some(chosen.size),
        manifest: names.contains(&manifest_name).then_some(manifest_name),
        manifest_data: manifests.remove(&chosen.name).filter(|data| !data.is_null()),
    };
    let listed = candidates.iter().filter(|candidate| !choose::is_manifest(&candidate.blob.name)).count();
    Ok(Found { backup, chosen, choice, listed, now })
}

fn outputs(found: &Found) -> Map<String, Value> {
    let pairs = [
        ("backup", json!(found.backup)),
        ("name", json!(found.chosen.name)),
        ("created", json!(found.chosen.created)),
        ("expires", json!(found.chosen.expires)),
        ("age", json!(choose::age(found.chosen.created, found.now))),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn evidence(found: &Found) -> Value {
    let rejected: Vec<Value> = found
        .choice
        .rejected
        .iter()
        .take(NAMED_REJECTIONS)
        .map(|one| json!({ "name": one.name, "reason": one.reason.to_string() }))
        .collect();
    json!({
        "listed": found.listed,
        "usable": found.choice.usable,
        "created_source": found.chosen.created_source,
        "rejected": found.choice.rejected.len(),
        "rejected_newest": rejected,
    })
}

fn unlistable(place: &str, failure: &AzureError) -> StepError {
    let mut step = error::from_read(&format!("the backups in {place}"), failure);
    if failure.code.as_deref() == Some("ContainerNotFound") {
        "container-not-found".clone_into(&mut step.code);
        "check `container`; a deleted container can be restored for as long as its soft delete keeps it"
            .clone_into(&mut step.hint);
    }
    if failure.kind == AzureErrorKind::Forbidden && failure.hint.is_none() {
        "grant `Storage Blob Data Reader` on the account to the credential's identity, and let the account's firewall \
         pass this machine"
            .clone_into(&mut step.hint);
    }
    step
}

/// Says the newest and when it expired, why each of the first few was rejected, and what to do.
fn none_usable(place: &str, arguments: &FindLatest, choice: &Choice, restore_timeout: Duration) -> StepError {
    let under =
        arguments.prefix.as_ref().map_or_else(String::new, |prefix| format!(" whose name begins with `{prefix}`"));
    if choice.rejected.is_empty() {
        return StepError::new(
            Disposition::Final,
            "no-backups",
            format!("there are no backups in {place}{under}"),
            "check `container` and `prefix`; make a backup with `az apim backup` while a service still answers",
        );
    }
    let reasons = choice.rejected.iter().take(NAMED_REJECTIONS).map(|one| format!("`{}`: {}", one.name, one.reason));
    let more = choice.rejected.len().saturating_sub(NAMED_REJECTIONS);
    let mut listed = reasons.collect::<Vec<_>>().join("; ");
    if more > 0 {
        let _infallible = write!(listed, "; and {more} more");
    }
    let (code, hint) = if choice.only_expired() {
        let soon = choice.rejected.iter().any(|one| matches!(one.reason, Rejection::ExpiresTooSoon { .. }));
        let hint = if soon {
            format!(
                "a backup must stay valid for the restore ({}) and the margin ({}); shorten `margin` if you accept the \
                 risk, or make a fresh backup",
                span::format(restore_timeout),
                span::format(arguments.margin),
            )
        } else {
            "Azure refuses backups older than 30 days; make a fresh one while a service still answers, or deploy the \
             configuration from source"
                .to_owned()
        };
        ("backups-expired", hint)
    } else {
        ("no-usable-backup", "repair what the reasons name, or check `container`, `prefix` and `service`".to_owned())
    };
    let count = choice.rejected.len();
    let mut step = StepError::new(
        Disposition::Final,
        code,
        format!("none of the {count} backups in {place}{under} can be restored; newest first: {listed}"),
        hint,
    );
    let newest = &choice.rejected[0];
    step.details.insert("newest".to_owned(), json!({ "name": newest.name, "created": newest.created }));
    step
}
