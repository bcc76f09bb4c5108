//! `apim.restore`: overwrites a service with a backup. Cannot be undone.
//!
//! How it is sent, followed and found again is told in [`super::long_change`].

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Call, Context, Done, Recorder, adoption,
    arguments::{Backup, Restore},
    change_ready::{judge_account, judge_backup, judge_service},
    choose::Candidate,
    content_words::{counts, first, told},
    error,
    fact::Facts,
    long_change::{self, Before, Change, ChangeKind, Patience, Sent, Settled},
    serving,
    standing::{self, Standing},
    storage_reach, verify_restore, verify_standby,
};
use crate::{
    azure::{
        Arm, AzureError, Operation, apim,
        apim_content::list_content,
        storage::{self, Account},
    },
    plan::{
        facts::{Finding, Probe},
        live,
    },
    run::{Intent, StepError, Verdict, inquiry::Seen},
    runbook::ResourceId,
};

impl Restore {
    fn change(&self) -> Change<'_> {
        Change {
            kind: ChangeKind::Restore,
            service: &self.service,
            container: &self.backup.container,
            reach: self.reach(),
        }
    }
}

pub async fn probe(arguments: &Restore, context: &Context) -> Result<Probe, StepError> {
    let change = arguments.change();
    storage_reach::check(&change.reach)?;
    let (service, account) = tokio::join!(
        apim::get_service(&context.arm, &arguments.service),
        read_account(arguments.backup.storage.as_ref(), &context.arm),
    );
    let service = service.map_err(|failure| verify_standby::unreadable(&arguments.service, &failure))?;
    let mut findings = judge_service(&change, &service);
    findings.extend(judge_account(&change, &service, account.as_ref()));
    let still = read_backup(&arguments.backup, context).await?;
    if let Some(failure) = judge_backup(&arguments.backup, still.as_ref(), context.clock.now(), context.restore_timeout)
    {
        findings.push(Finding::blocker(&failure.code, failure.message, failure.hint));
    }
    findings.extend(storage_reach::absent_key(&change.reach, context).await);
    let name = arguments.service.name();
    let serving = serving::look(&service, context).await;
    findings.extend(serving.unverified(name));
    let source = format!("GET {}", apim::service_url(&context.arm, &arguments.service));
    let facts = Facts::seen(source, context.clock.now())
        .with("service.state", service.provisioning_state())
        .with("service.tier", service.tier())
        .with(live::GATEWAY_HOST, service.gateway_host())
        .with(live::SERVES, serving.hostnames)
        .with("backup.name", arguments.backup.name.as_str())
        .with("backup.expires", arguments.backup.expires.map(|time| time.to_string()))
        .with_volatile("service.etag", service.etag());
    Ok(Probe {
        summary: format!("overwrites {name} with the backup `{}`; cannot be undone", arguments.backup.name),
        facts: facts.into_vec(),
        requests: vec![change.planned(&arguments.backup.name, &context.arm)],
        findings,
        verified: true,
        targets: vec![arguments.service.folded()],
        ..Probe::default()
    })
}

pub async fn perform(
    arguments: &Restore,
    call: &Call,
    context: &Context,
    record: &Recorder,
) -> Result<Done, StepError> {
    let change = arguments.change();
    storage_reach::check(&change.reach)?;
    let arm = context.arm.noting(record.sink());
    let still = read_backup(&arguments.backup, context).await?;
    if let Some(failure) = judge_backup(&arguments.backup, still.as_ref(), context.clock.now(), context.restore_timeout)
    {
        return Err(failure);
    }
    let name = || arguments.backup.name.clone();
    match long_change::send(&change, context, &arm, (&name, Patience::Wait, Some(call)), record).await? {
        Sent::Accepted { operation, before } => {
            let ended = long_change::follow_accepted(&change, context, &arm, (&operation, &before), record).await?;
            Ok(done(&change, context, &ended, &before))
        }
        Sent::Skipped(_) => unreachable!("a restore waits until its service is idle; please report this as a bug"),
    }
}

/// Attaches again to a restore that goes on.
pub async fn follow(
    arguments: &Restore,
    context: &Context,
    operation: Option<Operation>,
    intent: &Intent,
    record: &Recorder,
) -> Result<Done, StepError> {
    let change = arguments.change();
    let arm = context.arm.noting(record.sink());
    let before = Before::of(&change, intent)?;
    let ended = long_change::follow(&change, context, &arm, (operation, &before), record).await?;
    Ok(done(&change, context, &ended, &before))
}

/// What became of a restore. Reads only.
pub async fn settle(
    arguments: &Restore,
    context: &Context,
    intent: Option<&Intent>,
    operation: Option<&Operation>,
) -> Result<Verdict, StepError> {
    let change = arguments.change();
    Ok(match long_change::settle(&change, context, intent, operation).await? {
        Settled::Happened(before) => {
            Verdict::Happened { outputs: outputs(&change, context, operation, &before, context.clock.now()) }
        }
        Settled::Verdict(verdict) => verdict,
    })
}

/// Whether a person has restored the backup: the service is idle, has changed since, and holds what the manifest of the
/// backup names. Reads only.
pub async fn adopt(arguments: &Restore, call: &Call, context: &Context) -> Result<Seen, StepError> {
    let (name, backup) = (arguments.service.name(), &arguments.backup);
    let earlier = call.earlier.as_ref().and_then(|intent| Before::of(&arguments.change(), intent).ok());
    let service = apim::get_service(&context.arm, &arguments.service)
        .await
        .map_err(|failure| verify_standby::unreadable(&arguments.service, &failure))?;
    let pairs = [("service", json!(arguments.service)), ("operation", Value::Null)];
    let outputs: Map<String, Value> = pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    match Standing::of(&service) {
        Standing::Busy(_) => return Ok(adoption::seen(Verdict::GoesOn { operation: None }, Value::Null)),
        Standing::Broken(state) => return Ok(adoption::refuted(format!("{name} is in the state {state}"))),
        Standing::Idle => {}
    }
    let planned = call.planned.iter().find(|fact| fact.name == "service.etag").and_then(|fact| fact.value.as_str());
    let then = earlier.as_ref().and_then(|before| before.etag.as_deref()).or(planned);
    if then.is_some() && then == service.etag() {
        return Ok(adoption::refuted(format!(
            "{name} is idle and as it was before this run: nothing was restored into it"
        )));
    }
    let wanted = match verify_restore::wanted(backup, context).await {
        Ok(wanted) => wanted,
        // What it holds stays a person's word: only `settle` takes that.
        Err(StepError { code, message, .. }) if code == verify_restore::MISSING => {
            let remedy = "no probe can tell a restored service from an empty one then: let the run restore it";
            let seen = adoption::untold(format!("{name} is idle and was changed since, but {message}"), remedy);
            return Ok(Seen { outputs, ..seen });
        }
        Err(failure) => return Err(failure),
    };
    let found = Box::pin(list_content(&context.arm, &arguments.service))
        .await
        .map_err(|failure| error::from_read(&format!("what {name} holds"), &failure))?;
    let lacking = told(&wanted.diff(&found), first);
    if !lacking.is_empty() {
        let reason = format!("{name} lacks what the manifest of `{}` names: {lacking}", backup.name);
        return Ok(Seen { outputs, ..adoption::refuted(reason) });
    }
    let evidence = json!({
        "backup": backup.name, "etag_before": then, "after": standing::evidence(&service),
        "wanted": counts(&wanted), "found": counts(&found),
    });
    Ok(adoption::agreed(outputs, evidence))
}

fn done(change: &Change<'_>, context: &Context, ended: &long_change::Ended, before: &Before) -> Done {
    Done {
        outputs: outputs(change, context, Some(&ended.operation), before, context.clock.now()),
        evidence: json!({
            "before": before,
            "after": standing::evidence(&ended.service),
            "told_by_operation": ended.told,
        }),
    }
}

fn outputs(
    change: &Change<'_>,
    context: &Context,
    operation: Option<&Operation>,
    before: &Before,
    ended: Timestamp,
) -> Map<String, Value> {
    let pairs = [
        ("service", json!(change.service)),
        ("operation", json!(change.shown_operation(operation, &context.arm))),
        ("duration", json!(before.took(ended))),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

async fn read_account(id: Option<&ResourceId>, arm: &Arm) -> Option<Result<Account, AzureError>> {
    Some(storage::account(arm, id?).await)
}

/// The blob as it is listed now.
async fn read_backup(backup: &Backup, context: &Context) -> Result<Option<Candidate>, StepError> {
    let listed = context.blobs.list(&backup.account, &backup.container, &backup.name).await.map_err(|failure| {
        error::from_read(&format!("the backup `{}` in {}/{}", backup.name, backup.account, backup.container), &failure)
    })?;
    let mut same = listed.into_iter().filter(|blob| blob.name == backup.name && blob.snapshot.is_none());
    Ok(same.next().map(|blob| Candidate { manifest_created: backup.created, ..Candidate::of(blob) }))
}
