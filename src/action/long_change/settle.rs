//! What became of a change whose outcome is not known. Reads only.

use jiff::Timestamp;

use super::{Before, Change, ChangeKind, SETTLE_INTERVAL, Sign, latest_effect, watches_service};
use crate::{
    action::{Context, fact::after, standing::Standing},
    azure::{
        AzureError, Operation, OperationState,
        apim::{self, Service},
        operation,
    },
    run::{Intent, StepError, Verdict},
};

/// What was found out.
#[derive(Debug)]
pub enum Settled {
    /// It happened; the service is idle, or broken after a backup.
    Happened(Before),
    /// Anything else.
    Verdict(Verdict),
}

/// The last look at the service, and at what the change leaves behind when the service is idle.
struct Look {
    service: Service,
    sign: Sign,
}

pub async fn settle(
    change: &Change<'_>,
    context: &Context,
    intent: Option<&Intent>,
    operation: Option<&Operation>,
) -> Result<Settled, StepError> {
    let noun = change.kind.noun();
    let verdict = |verdict| Ok(Settled::Verdict(verdict));
    let Some(intent) = intent else {
        return verdict(Verdict::DidNotHappen { reason: format!("no {noun} had been asked for") });
    };
    let before = Before::of(change, intent)?;
    let now = context.clock.now();
    // One more look than none, also when the request is long past.
    let until = latest_effect(context, Some(before.sent_at)).max(after(now, SETTLE_INTERVAL));
    let mut told = false;
    let own = operation.filter(|operation| !watches_service(operation, &context.arm, change.service));
    if let Some(operation) = own {
        match look_until(context, operation, until).await {
            Ok(OperationState::Running { .. }) => {
                return verdict(Verdict::GoesOn { operation: Some(operation.clone()) });
            }
            // The answer may be the service itself, whose state is not the backup's.
            Ok(OperationState::Failed { code: None, .. }) if change.happened_anyway(context, false, &before).await => {}
            Ok(OperationState::Failed { code, message }) => {
                return verdict(Verdict::Failed { error: change.failed(code.as_deref(), &message) });
            }
            // The service must be idle, too.
            Ok(OperationState::Succeeded(_)) => told = true,
            Ok(OperationState::Lost) => {}
            Err(failure) => return verdict(change.unreachable(&failure)),
        }
    }
    let last = look_at_service(change, context, told, &before, until).await;
    match last {
        Ok(look) => Ok(judge(change, operation, before, &look)),
        Err(failure) => verdict(change.unreachable(&failure)),
    }
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
    change: &Change<'_>,
    context: &Context,
    told: bool,
    before: &Before,
    until: Timestamp,
) -> Result<Look, AzureError> {
    loop {
        let answer = match apim::get_service(&context.arm, change.service).await {
            Ok(service) => match Standing::of(&service) {
                Standing::Busy(_) => return Ok(Look { service, sign: Sign::Nothing }),
                Standing::Broken(_) => {
                    let happened = change.happened_anyway(context, told, before).await;
                    return Ok(Look { service, sign: if happened { Sign::Proof } else { Sign::Nothing } });
                }
                Standing::Idle if told => return Ok(Look { service, sign: Sign::Proof }),
                Standing::Idle => match change.sign(context, &service, before).await {
                    sign @ (Sign::Proof | Sign::Trace) => return Ok(Look { service, sign }),
                    sign @ (Sign::Nothing | Sign::Untold(_)) => Ok(Look { service, sign }),
                },
            },
            Err(failure) => Err(failure),
        };
        if context.clock.now() >= until {
            return answer;
        }
        context.clock.sleep(SETTLE_INTERVAL).await;
    }
}

/// `operation`: Azure is known to have taken the change, by its answer or because the service was busy right after.
fn judge(change: &Change<'_>, operation: Option<&Operation>, before: Before, look: &Look) -> Settled {
    let (name, noun) = (change.service.name(), change.kind.noun());
    let verdict = match (Standing::of(&look.service), &look.sign, operation) {
        (Standing::Busy(state), _, None) if before.locked => Verdict::Unknown {
            reason: format!(
                "{name} was locked when the {noun} was asked for, and is busy (state {state}): with something else, or \
                 with this {noun}, asked for twice on the way"
            ),
            remedy: format!("resume when it is idle; {}", change.remedy(&before)),
        },
        (Standing::Busy(_), _, operation) => Verdict::GoesOn { operation: operation.cloned() },
        // Only of a backup: see `Change::happened_anyway`.
        (Standing::Broken(_), Sign::Proof, _) => return Settled::Happened(before),
        (Standing::Broken(state), _, Some(_)) => {
            Verdict::Failed { error: change.failed(None, &format!("the service is in the state {state}")) }
        }
        (Standing::Broken(state), _, None) => Verdict::Unknown {
            reason: format!("{name} is in the state {state}, and nothing says whether the {noun} brought it there"),
            remedy: change.remedy(&before),
        },
        (Standing::Idle, Sign::Untold(reason), _) => {
            Verdict::Unknown { reason: reason.clone(), remedy: change.remedy(&before) }
        }
        (Standing::Idle, Sign::Proof, _) | (Standing::Idle, Sign::Trace, Some(_)) => return Settled::Happened(before),
        // A restore changes the ETag, but so does anybody else: without an operation, and without having been seen
        // busy, a change is no proof. Traffic must not be moved to a service that may be empty.
        (Standing::Idle, Sign::Trace, None) => Verdict::Unknown {
            reason: format!(
                "{name} is idle and was changed after the {noun} was sent at {}, but nothing says by whom",
                before.sent_at
            ),
            remedy: change.remedy(&before),
        },
        (Standing::Idle, Sign::Nothing, Some(_)) => Verdict::DidNotHappen {
            reason: match change.kind {
                ChangeKind::Restore => format!(
                    "Azure had taken the restore, but {name} is idle and as it was before: it ended without a trace"
                ),
                ChangeKind::Backup => format!(
                    "Azure had taken the backup, but {name} is idle and there is no blob `{}`: it ended without a trace",
                    before.backup
                ),
            },
        },
        (Standing::Idle, Sign::Nothing, None) => Verdict::DidNotHappen {
            reason: match change.kind {
                ChangeKind::Restore => {
                    format!("{name} stayed idle and as it was, for longer than a lost request can live")
                }
                ChangeKind::Backup => format!(
                    "{name} stayed idle and there is no blob `{}`, for longer than a lost request can live",
                    before.backup
                ),
            },
        },
    };
    Settled::Verdict(verdict)
}
