//! A restore that was asked for: following it, and finding out what became of it.
//!
//! Never sends the change. Survives expired tokens, 5xx, throttling, broken connections and a lost operation: each is
//! said, and looked past, for as long as the step's time allows. The engine ends it, and then calls it in doubt.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{
    Context, Done, Recorder,
    arguments::Restore,
    error,
    fact::{after, note, note_until},
    restore::{self, BUSY_INTERVAL, Before},
    standing::{self, Standing},
};
use crate::{
    azure::{
        Arm, AzureError, AzureErrorKind, Operation, OperationState,
        apim::{self, Service},
        operation,
    },
    run::{Disposition, Intent, StepError, Verdict},
    runbook::{ResourceId, span},
};

/// Between two looks when Azure names no other time; what Microsoft's own clients use (azure-facts 9).
const POLL_INTERVAL: Duration = Duration::from_secs(30);
/// A `Retry-After` beyond this would hide the end of a restore for too long from people who are waiting for it.
const LONGEST_POLL: Duration = Duration::from_mins(5);
/// A request that got no answer can still be acted on for this long: ARM itself gives up after 120 s (azure-facts 1.5).
pub const SETTLE_WINDOW: Duration = Duration::from_mins(2);
/// Between two looks at a service that might yet begin: eight of them fit the window.
const SETTLE_INTERVAL: Duration = Duration::from_secs(15);

/// An operation that Azure gave no URL for, or that was only seen in the service's state: the service stands for it.
pub fn watched_service(arm: &Arm, id: &ResourceId) -> Operation {
    Operation { url: apim::service_url(arm, id).to_string(), retry_after_s: None }
}

pub fn watches_service(operation: &Operation, arm: &Arm, id: &ResourceId) -> bool {
    operation.url == apim::service_url(arm, id).as_str()
}

/// Right after Azure took it.
pub async fn follow_accepted(
    arguments: &Restore,
    context: &Context,
    arm: &Arm,
    operation: &Operation,
    before: &Before,
    record: &Recorder,
) -> Result<Done, StepError> {
    let first = interval(operation.retry_after_s);
    pause(context, record, arguments.service.name(), first).await;
    watch(arguments, context, arm, operation, before, record).await
}

/// After another process, or an in-doubt answer: looks at once.
pub async fn follow(
    arguments: &Restore,
    context: &Context,
    operation: Option<Operation>,
    intent: &Intent,
    record: &Recorder,
) -> Result<Done, StepError> {
    let arm = context.arm.noting(record.sink());
    let before = restore::before(intent).ok_or_else(unreadable_intent)?;
    let operation = if let Some(operation) = operation {
        operation
    } else {
        // The service was seen busy right after the request. That is worth keeping: whoever comes later and finds
        // it idle could not tell otherwise.
        let operation = watched_service(&arm, &arguments.service);
        record.accepted(operation.clone()).await;
        operation
    };
    watch(arguments, context, &arm, &operation, &before, record).await
}

async fn watch(
    arguments: &Restore,
    context: &Context,
    arm: &Arm,
    operation: &Operation,
    before: &Before,
    record: &Recorder,
) -> Result<Done, StepError> {
    let name = arguments.service.name();
    let mut told = false;
    if !watches_service(operation, arm, &arguments.service) {
        let mut failures = 0;
        loop {
            let wait = match operation::look(arm, operation).await {
                Ok(OperationState::Running { retry_after_s }) => {
                    failures = 0;
                    interval(retry_after_s)
                }
                Ok(OperationState::Succeeded(_)) => {
                    told = true;
                    break;
                }
                Ok(OperationState::Failed { code, message }) => return Err(failed(name, code.as_deref(), &message)),
                Ok(OperationState::Lost) => {
                    note(record, "Azure does not know the operation any more; watching the service itself");
                    break;
                }
                Err(failure) => {
                    failures += 1;
                    note(record, format!("the operation could not be looked at ({failure}); it goes on in Azure"));
                    backoff(failures)
                }
            };
            pause(context, record, name, wait).await;
        }
    }
    let service = until_idle(arguments, context, arm, told, before, record).await?;
    let outputs = outputs(arguments, context, Some(operation), before, context.clock.now());
    let evidence = json!({ "before": before, "after": standing::evidence(&service), "told_by_operation": told });
    Ok(Done { outputs, evidence })
}

/// Reads the service until it is idle. Unless the operation itself has told that it succeeded, the service must also
/// have changed since `before`.
async fn until_idle(
    arguments: &Restore,
    context: &Context,
    arm: &Arm,
    told: bool,
    before: &Before,
    record: &Recorder,
) -> Result<Service, StepError> {
    let name = arguments.service.name();
    let mut unchanged_until = None;
    let mut failures = 0;
    loop {
        let wait = match apim::get_service(arm, &arguments.service).await {
            Err(failure) => {
                failures += 1;
                note(record, format!("{name} could not be read ({failure}); trying again"));
                backoff(failures)
            }
            Ok(service) => match Standing::of(&service) {
                Standing::Busy(state) => {
                    (failures, unchanged_until) = (0, None);
                    let next_look = after(context.clock.now(), BUSY_INTERVAL);
                    note_until(record, format!("{name} is being restored (state {state})"), next_look);
                    BUSY_INTERVAL
                }
                Standing::Broken(state) => {
                    return Err(failed(name, None, &format!("the service is in the state {state}")));
                }
                Standing::Idle if told || changed(&service, before) => return Ok(service),
                // It may not have begun yet, or not show it yet.
                Standing::Idle => {
                    failures = 0;
                    let now = context.clock.now();
                    let until = *unchanged_until.get_or_insert(after(now, SETTLE_WINDOW));
                    if now >= until {
                        return Err(without_trace(name));
                    }
                    note_until(record, format!("{name} is idle and shows no sign of the restore yet"), until);
                    SETTLE_INTERVAL
                }
            },
        };
        context.clock.sleep(wait).await;
    }
}

/// What became of a restore. Reads only.
pub async fn settle(
    arguments: &Restore,
    context: &Context,
    intent: Option<&Intent>,
    operation: Option<&Operation>,
) -> Result<Verdict, StepError> {
    let Some(intent) = intent else {
        return Ok(Verdict::DidNotHappen { reason: "no restore had been asked for".to_owned() });
    };
    let before = restore::before(intent).ok_or_else(unreadable_intent)?;
    if !before.sent {
        let reason = "Azure had refused the restore because the service was locked, and it was not sent again";
        return Ok(Verdict::DidNotHappen { reason: reason.to_owned() });
    }
    let now = context.clock.now();
    // One more look than none, also when the request is long past.
    let until = after(before.sent_at, SETTLE_WINDOW).max(after(now, SETTLE_INTERVAL));
    let arm = &context.arm;
    let mut told = false;
    let own = operation.filter(|operation| !watches_service(operation, arm, &arguments.service));
    if let Some(operation) = own {
        match look_until(context, operation, until).await {
            Ok(OperationState::Running { .. }) => return Ok(Verdict::GoesOn { operation: Some(operation.clone()) }),
            Ok(OperationState::Failed { code, message }) => {
                return Ok(Verdict::Failed { error: failed(arguments.service.name(), code.as_deref(), &message) });
            }
            // The service must be idle, too.
            Ok(OperationState::Succeeded(_)) => told = true,
            Ok(OperationState::Lost) => {}
            Err(failure) => return Ok(unreachable_verdict(arguments.service.name(), &failure)),
        }
    }
    let last = look_at_service(arguments, context, told, &before, until).await;
    if told && last.as_ref().is_ok_and(|service| Standing::of(service) == Standing::Idle) {
        return Ok(Verdict::Happened { outputs: outputs(arguments, context, operation, &before, context.clock.now()) });
    }
    Ok(judge(arguments, context, operation, &before, &last))
}

async fn look_until(context: &Context, operation: &Operation, until: Timestamp) -> Result<OperationState, AzureError> {
    loop {
        match operation::look(&context.arm, operation).await {
            Err(_) if context.clock.now() < until => context.clock.sleep(SETTLE_INTERVAL).await,
            answer => return answer,
        }
    }
}

/// Reads the service until it shows that something happened, or until `until`.
async fn look_at_service(
    arguments: &Restore,
    context: &Context,
    told: bool,
    before: &Before,
    until: Timestamp,
) -> Result<Service, AzureError> {
    loop {
        let answer = apim::get_service(&context.arm, &arguments.service).await;
        let telling = answer.as_ref().is_ok_and(|service| match Standing::of(service) {
            Standing::Busy(_) | Standing::Broken(_) => true,
            Standing::Idle => told || changed(service, before),
        });
        if telling || context.clock.now() >= until {
            return answer;
        }
        context.clock.sleep(SETTLE_INTERVAL).await;
    }
}

/// `operation`: Azure is known to have taken the restore, by its answer or because the service was busy right after.
fn judge(
    arguments: &Restore,
    context: &Context,
    operation: Option<&Operation>,
    before: &Before,
    last: &Result<Service, AzureError>,
) -> Verdict {
    let name = arguments.service.name();
    let service = match last {
        Ok(service) => service,
        Err(failure) => return unreachable_verdict(name, failure),
    };
    match (Standing::of(service), operation) {
        (Standing::Busy(_), operation) => Verdict::GoesOn { operation: operation.cloned() },
        (Standing::Broken(state), Some(_)) => {
            Verdict::Failed { error: failed(name, None, &format!("the service is in the state {state}")) }
        }
        (Standing::Broken(state), None) => Verdict::Unknown {
            reason: format!("{name} is in the state {state}, and nothing says whether the restore brought it there"),
            remedy: remedy(name, before),
        },
        (Standing::Idle, _) if before.etag.is_none() || service.etag().is_none() => Verdict::Unknown {
            reason: format!("{name} is idle, but Azure gave no ETag to compare it by"),
            remedy: remedy(name, before),
        },
        (Standing::Idle, Some(operation)) if changed(service, before) => {
            Verdict::Happened { outputs: outputs(arguments, context, Some(operation), before, context.clock.now()) }
        }
        // A restore changes the ETag, but so does anybody else: without an operation, and without having been seen
        // busy, a change is no proof. Traffic must not be moved to a service that may be empty.
        (Standing::Idle, None) if changed(service, before) => Verdict::Unknown {
            reason: format!(
                "{name} is idle and was changed after the restore was sent at {}, but nothing says by whom",
                before.sent_at
            ),
            remedy: remedy(name, before),
        },
        (Standing::Idle, Some(_)) => Verdict::DidNotHappen {
            reason: format!(
                "Azure had taken the restore, but {name} is idle and as it was before: it ended without a trace"
            ),
        },
        (Standing::Idle, None) => Verdict::DidNotHappen {
            reason: format!("{name} stayed idle and as it was, for longer than a lost request can live"),
        },
    }
}

fn remedy(name: &str, before: &Before) -> String {
    format!(
        "look in the activity log of {name} for `Restore API Management service` after {}; if it succeeded, go on in a new \
         run that starts behind the restore, else `lifeboat abort` this run and start another: it restores again",
        before.sent_at
    )
}

fn unreachable_verdict(name: &str, failure: &AzureError) -> Verdict {
    let remedy = failure.hint.clone().unwrap_or_else(|| {
        "the restore, if Azure took it, goes on by itself; make Azure reachable, then `lifeboat resume`".to_owned()
    });
    Verdict::Unknown { reason: format!("{name} cannot be read: {failure}"), remedy }
}

fn changed(service: &Service, before: &Before) -> bool {
    match (service.etag(), &before.etag) {
        (Some(now), Some(then)) => now != then,
        (_, _) => false,
    }
}

/// `ended`: when the end was seen, which is a poll later than it was.
fn outputs(
    arguments: &Restore,
    context: &Context,
    operation: Option<&Operation>,
    before: &Before,
    ended: Timestamp,
) -> Map<String, Value> {
    let took = Duration::try_from(ended.duration_since(before.sent_at).max(SignedDuration::ZERO)).unwrap_or_default();
    let url = restore::shown_operation(operation, &context.arm, &arguments.service);
    let pairs = [
        ("service", json!(arguments.service)),
        ("operation", json!(url)),
        ("duration", json!(span::format(Duration::from_secs(took.as_secs())))),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A POST that Azure refused, in the words of the failures that people know.
pub fn refused(name: &str, failure: &AzureError) -> StepError {
    let mut step = error::from_refusal(&format!("the restore to {name}"), failure);
    if failure.kind == AzureErrorKind::Rejected || failure.kind == AzureErrorKind::Conflict {
        let known = classify(failure.code.as_deref(), &failure.message);
        known.0.clone_into(&mut step.code);
        if failure.hint.is_none() {
            known.1.clone_into(&mut step.hint);
        }
    }
    step
}

/// An operation that Azure took and that failed.
fn failed(name: &str, code: Option<&str>, message: &str) -> StepError {
    let (known, hint) = classify(code, message);
    let said = code.map_or_else(|| message.to_owned(), |code| format!("{code}: {message}"));
    let mut step = StepError::new(Disposition::Final, known, format!("the restore to {name} failed: {said}"), hint);
    if let Some(code) = code {
        step.details.insert("azure_code".to_owned(), Value::from(code));
    }
    step
}

/// Stable code and hint for what Azure says when it cannot restore (azure-facts 1.1).
fn classify(code: Option<&str>, message: &str) -> (&'static str, &'static str) {
    let text = message.to_ascii_lowercase();
    let code = code.unwrap_or_default();
    if text.contains("backup expired") {
        (
            "backup-expired",
            "choose a newer backup: start a new run, or narrow `prefix`; Azure keeps backups usable for 30 days",
        )
    } else if text.contains("sku") {
        ("tier-mismatch", "change the standby's tier to that of the backup, or choose another standby")
    } else if text.contains("backupstorageaccount") || text.contains("was not found in") && text.contains("put") {
        (
            "storage-cors",
            "remove the CORS rules from the storage account's blob service: they break backup and restore; then resume",
        )
    } else if code == "ScopeLocked" {
        (
            "resource-locked",
            "remove the ReadOnly lock from the service, its resource group or its subscription, then resume",
        )
    } else if text.contains("storage") || text.contains("blob") {
        (
            "storage-unreadable",
            "check that the standby's identity holds `Storage Blob Data Contributor` on the account and passes its firewall",
        )
    } else {
        ("restore-failed", "read Azure's message; Microsoft advises to try a failed restore again: `lifeboat resume`")
    }
}

fn without_trace(name: &str) -> StepError {
    StepError::new(
        Disposition::InDoubt,
        "restore-in-doubt",
        format!("Azure took the restore, but {name} is idle and unchanged"),
        "`lifeboat resume` looks again; the activity log of the service says what became of it",
    )
}

fn unreadable_intent() -> StepError {
    StepError::new(
        Disposition::InDoubt,
        "restore-in-doubt",
        "the journal does not say what the service was like before the restore",
        "look in the activity log of the service whether it was restored; then `lifeboat abort` this run",
    )
}

fn interval(retry_after_s: Option<u64>) -> Duration {
    retry_after_s.map_or(POLL_INTERVAL, Duration::from_secs).clamp(Duration::from_secs(1), LONGEST_POLL)
}

/// 15 s, 30 s, 60 s, then 2 minutes: often enough to see the end, rarely enough to spare what is down.
fn backoff(failures: u32) -> Duration {
    Duration::from_secs(15) * 2_u32.pow(failures.saturating_sub(1).min(3))
}

async fn pause(context: &Context, record: &Recorder, name: &str, wait: Duration) {
    let next_look = after(context.clock.now(), wait);
    note_until(record, format!("the restore of {name} goes on in Azure"), next_look);
    context.clock.sleep_until(next_look).await;
}
