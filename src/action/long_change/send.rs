//! Sending it: when the service is idle, once for each recorded intent.

use serde_json::json;

use super::{BUSY_INTERVAL, Before, Change, ChangeKind, Content, Sign, watched_service};
use crate::{
    action::{
        Call, Context, Recorder,
        change_ready::{self, judge_service},
        fact::{after, note, note_until},
        serving,
        standing::{self, Standing},
        storage_reach, verify_standby,
    },
    azure::{
        Arm, AzureErrorKind, Operation,
        apim::{self, Service},
        apim_content,
    },
    run::{Disposition, Intent, StepError},
};

/// How often it may be refused with `ServiceLocked` although the service had just been idle.
/// More than a few means that something else keeps taking it.
const MOST_LOCKED: u32 = 10;

/// What to do while the service is busy with something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    Wait,
    /// Leave it, if it is busy before anything was asked for.
    Skip,
}

#[derive(Debug)]
pub enum Sent {
    /// Azure has taken it; durable.
    Accepted { operation: Operation, before: Box<Before> },
    /// Nothing was sent: the service is busy, and how.
    Skipped(String),
}

/// `name` gives the backup's name at the moment of sending. `call`: what the plan saw of the service that is overwritten.
///
/// # Errors
/// In doubt when it is not known whether Azure took it.
pub async fn send(
    change: &Change<'_>,
    context: &Context,
    arm: &Arm,
    (name, patience, call): (&(dyn Fn() -> String + Sync), Patience, Option<&Call>),
    record: &Recorder,
) -> Result<Sent, StepError> {
    let (service_name, noun) = (change.service.name(), change.kind.noun());
    let mut locked: Option<Before> = None;
    for _ in 0..MOST_LOCKED {
        // Once it was asked for, only the idle service tells whether it is the one that keeps it busy.
        let patience = if locked.is_some() { Patience::Wait } else { patience };
        let service = match idle(change, context, arm, patience, record).await? {
            Ok(service) => service,
            Err(busy) => return Ok(Sent::Skipped(busy)),
        };
        if let Some(before) = locked {
            // Never a second request over what may be the work of the first.
            if change.sign(context, &service, &before).await != Sign::Nothing {
                return Err(change.locked_in_doubt());
            }
        }
        if let Some(blocker) = judge_service(change, &service).into_iter().next() {
            return Err(StepError::new(Disposition::Final, &blocker.code, blocker.message, blocker.remedy));
        }
        let backup = name();
        let content = match change.kind {
            ChangeKind::Restore => None,
            ChangeKind::Backup => {
                change_ready::must_be_new(change, context, &backup).await?;
                Some(content(change, arm).await)
            }
        };
        let request = change.request(&backup, storage_reach::access(&change.reach, context, arm).await?);
        if let Some(call) = call {
            serving::refuse_live((service_name, &service), call, context, record).await?;
        }
        let before = Before {
            etag: service.etag().map(str::to_owned),
            provisioning_state: service.provisioning_state().map(str::to_owned),
            backup,
            sent_at: context.clock.now(),
            locked: false,
            content,
        };
        let intent = |before: &Before| Intent { request: change.planned(&before.backup, arm), before: json!(before) };
        record.intend(intent(&before)).await;
        let answer = match change.kind {
            ChangeKind::Backup => apim::backup(arm, change.service, &request).await,
            ChangeKind::Restore => apim::restore(arm, change.service, &request).await,
        };
        match answer {
            Ok(accepted) => {
                let operation = accepted.operation.unwrap_or_else(|| watched_service(arm, change.service));
                record.accepted(operation.clone()).await;
                let taken = match change.kind {
                    ChangeKind::Backup => format!("the backup of {service_name} as `{}`", before.backup),
                    ChangeKind::Restore => format!("the restore of `{}` to {service_name}", before.backup),
                };
                note(record, format!("Azure has taken {taken}"));
                return Ok(Sent::Accepted { operation, before: Box::new(before) });
            }
            Err(failure) if failure.kind == AzureErrorKind::Busy => {
                // It is busy with something else, unless the request arrived twice: whoever comes later must not take
                // its being busy for the change.
                let before = Before { locked: true, ..before };
                record.intend(intent(&before)).await;
                note(
                    record,
                    format!(
                        "{service_name} has just begun something else, if not this {noun}, asked for twice on the way \
                         ({failure}); waiting until it is idle"
                    ),
                );
                locked = Some(before);
                // The lock may be gone before the service says so, or not be shown at all: never ask in a tight loop.
                let next_look = after(context.clock.now(), BUSY_INTERVAL);
                context.clock.sleep_until(next_look).await;
            }
            Err(failure) => return Err(change.not_accepted(&failure)),
        }
    }
    Err(StepError::new(
        Disposition::Retryable,
        "service-locked",
        format!(
            "{service_name} refused the {noun} {MOST_LOCKED} times because it was locked, although it had said it was idle"
        ),
        "look in its activity log for what keeps it busy, then resume",
    ))
}

/// Reads the service until it is idle; visible, and bounded by the step's own time. `Err`: it is busy, and nobody waits.
async fn idle(
    change: &Change<'_>,
    context: &Context,
    arm: &Arm,
    patience: Patience,
    record: &Recorder,
) -> Result<Result<Service, String>, StepError> {
    let name = change.service.name();
    loop {
        let service = apim::get_service(arm, change.service)
            .await
            .map_err(|failure| verify_standby::unreadable(change.service, &failure))?;
        match Standing::of(&service) {
            Standing::Idle => return Ok(Ok(service)),
            Standing::Broken(state) => {
                let finding = standing::broken(change.kind, name, &state);
                return Err(StepError::new(Disposition::Final, &finding.code, finding.message, finding.remedy));
            }
            Standing::Busy(state) if patience == Patience::Skip => {
                return Ok(Err(format!("{name} is busy (state {state})")));
            }
            Standing::Busy(state) => {
                let next_look = after(context.clock.now(), BUSY_INTERVAL);
                note_until(record, format!("{name} is busy (state {state}); waiting until it is idle"), next_look);
                context.clock.sleep_until(next_look).await;
            }
        }
    }
}

/// A backup without its lists of names is better than none.
async fn content(change: &Change<'_>, arm: &Arm) -> Content {
    match apim_content::list_content(arm, change.service).await {
        Ok(names) => Content::Names(names),
        Err(failure) => Content::Unread(failure.to_string()),
    }
}
