//! Following a change that Azure took, to its end.
//!
//! Never sends the change. Survives expired tokens, 5xx, throttling, broken connections and a lost operation: each is
//! said, and looked past, for as long as the step's time allows. The engine ends it, and then calls it in doubt.

use std::time::Duration;

use super::{
    BUSY_INTERVAL, Before, Change, Ended, SETTLE_INTERVAL, SETTLE_WINDOW, Sign, watched_service, watches_service,
};
use crate::{
    action::{
        Context, Recorder,
        fact::{after, note, note_until},
        standing::Standing,
    },
    azure::{
        Arm, Operation, OperationState,
        apim::{self, Service},
        operation,
    },
    run::StepError,
};

/// Between two looks when Azure names no other time; what Microsoft's own clients use (azure-facts 9).
const POLL_INTERVAL: Duration = Duration::from_secs(30);
/// A `Retry-After` beyond this would hide the end for too long from people who are waiting for it.
const LONGEST_POLL: Duration = Duration::from_mins(5);

/// Right after Azure took it.
pub async fn follow_accepted(
    change: &Change<'_>,
    context: &Context,
    arm: &Arm,
    (operation, before): (&Operation, &Before),
    record: &Recorder,
) -> Result<Ended, StepError> {
    pause(change, context, record, interval(operation.retry_after_s)).await;
    watch(change, context, arm, (operation, before), record).await
}

/// After another process, or an in-doubt answer: looks at once.
pub async fn follow(
    change: &Change<'_>,
    context: &Context,
    arm: &Arm,
    (operation, before): (Option<Operation>, &Before),
    record: &Recorder,
) -> Result<Ended, StepError> {
    let operation = if let Some(operation) = operation {
        operation
    } else {
        // The service was seen busy right after the request. That is worth keeping: whoever comes later and finds
        // it idle could not tell otherwise.
        let operation = watched_service(arm, change.service);
        record.accepted(operation.clone()).await;
        operation
    };
    watch(change, context, arm, (&operation, before), record).await
}

async fn watch(
    change: &Change<'_>,
    context: &Context,
    arm: &Arm,
    (operation, before): (&Operation, &Before),
    record: &Recorder,
) -> Result<Ended, StepError> {
    let mut told = false;
    if !watches_service(operation, arm, change.service) {
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
                // The answer may be the service itself, whose state is not the backup's.
                Ok(OperationState::Failed { code: None, .. })
                    if change.happened_anyway(context, false, before).await =>
                {
                    break;
                }
                Ok(OperationState::Failed { code, message }) => return Err(change.failed(code.as_deref(), &message)),
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
            pause(change, context, record, wait).await;
        }
    }
    let service = until_idle(change, context, arm, (told, before), record).await?;
    Ok(Ended { operation: operation.clone(), service, told })
}

/// Reads the service until it is idle. Unless the operation itself has told that it succeeded, there must also be a
/// sign of the change.
async fn until_idle(
    change: &Change<'_>,
    context: &Context,
    arm: &Arm,
    (told, before): (bool, &Before),
    record: &Recorder,
) -> Result<Service, StepError> {
    let (name, noun) = (change.service.name(), change.kind.noun());
    let mut unchanged_until = None;
    let mut failures = 0;
    loop {
        let wait = match apim::get_service(arm, change.service).await {
            Err(failure) => {
                failures += 1;
                note(record, format!("{name} could not be read ({failure}); trying again"));
                backoff(failures)
            }
            Ok(service) => match Standing::of(&service) {
                Standing::Busy(state) => {
                    (failures, unchanged_until) = (0, None);
                    let next_look = after(context.clock.now(), BUSY_INTERVAL);
                    note_until(record, format!("{name} {} (state {state})", change.kind.going_on()), next_look);
                    BUSY_INTERVAL
                }
                Standing::Broken(state) if change.happened_anyway(context, told, before).await => {
                    note(record, format!("the {noun} is whole, although {name} is in the state {state}"));
                    return Ok(service);
                }
                Standing::Broken(state) => {
                    return Err(change.failed(None, &format!("the service is in the state {state}")));
                }
                Standing::Idle if told => return Ok(service),
                Standing::Idle => match change.sign(context, &service, before).await {
                    Sign::Proof | Sign::Trace => return Ok(service),
                    // It may not have begun yet, or not show it yet.
                    Sign::Nothing | Sign::Untold(_) => {
                        failures = 0;
                        let now = context.clock.now();
                        let until = *unchanged_until.get_or_insert(after(now, SETTLE_WINDOW));
                        if now >= until {
                            return Err(change.without_trace());
                        }
                        note_until(record, format!("{name} is idle and shows no sign of the {noun} yet"), until);
                        SETTLE_INTERVAL
                    }
                },
            },
        };
        context.clock.sleep(wait).await;
    }
}

fn interval(retry_after_s: Option<u64>) -> Duration {
    retry_after_s.map_or(POLL_INTERVAL, Duration::from_secs).clamp(Duration::from_secs(1), LONGEST_POLL)
}

/// 15 s, 30 s, 60 s, then 2 minutes: often enough to see the end, rarely enough to spare what is down.
fn backoff(failures: u32) -> Duration {
    Duration::from_secs(15) * 2_u32.pow(failures.saturating_sub(1).min(3))
}

async fn pause(change: &Change<'_>, context: &Context, record: &Recorder, wait: Duration) {
    let next_look = after(context.clock.now(), wait);
    let (name, noun) = (change.service.name(), change.kind.noun());
    note_until(record, format!("the {noun} of {name} goes on in Azure"), next_look);
    context.clock.sleep_until(next_look).await;
}
