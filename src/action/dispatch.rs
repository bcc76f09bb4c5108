//! One `match` over the closed set of actions for each thing that can be done with one.
//!
//! No policy here, and nothing is built or copied for an action that does not need it: the large ones are boxed, so
//! that a step that only waits is a small future.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Call, Context, Done, Recorder, approval,
    arguments::{FlipCname, RequestMethod, SetEndpoints, SetOrigin, SetTtl, read},
    backup_probe, command, compare, confirm_outage, find_latest, flip_cname, flip_undo, gateway_health, http_request,
    pool_change, pool_settle, propagation, prune, restore, take_backup, tell, verify_restore, verify_standby, wait,
};
use crate::{
    azure::Operation,
    plan::facts::Probe,
    run::{Disposition, Intent, StepError, Verdict},
    runbook::{ActionKind, Effect, span},
};

/// Reads, and says what would happen. An error stands in the way of the whole plan.
pub async fn probe(kind: ActionKind, call: &Call, context: &Context) -> Result<Probe, StepError> {
    let given = &call.arguments;
    match kind {
        ActionKind::ConfirmOutage => confirm_outage::probe(&read(kind, given)?, call.forced.as_ref(), context).await,
        ActionKind::VerifyStandby => verify_standby::probe(&read(kind, given)?, context).await,
        ActionKind::FindLatest => find_latest::probe(&read(kind, given)?, context).await,
        ActionKind::Restore => restore::probe(&read(kind, given)?, context).await,
        ActionKind::Backup => Box::pin(backup_probe::probe(&read(kind, given)?, context)).await,
        ActionKind::GatewayHealth => gateway_health::probe(&read(kind, given)?, context).await,
        ActionKind::SetTtl => flip_cname::probe(&read::<SetTtl>(kind, given)?.into(), context).await,
        ActionKind::FlipCname | ActionKind::FlipPrivateCname => {
            flip_cname::probe(&read::<FlipCname>(kind, given)?.into(), context).await
        }
        ActionKind::Prune => prune::probe(&read(kind, given)?, context).await,
        ActionKind::VerifyRestore => verify_restore::probe(&read(kind, given)?, context).await,
        ActionKind::Compare => compare::probe(&read(kind, given)?, context).await,
        ActionKind::SetEndpoints => pool_change::probe(&read::<SetEndpoints>(kind, given)?.into(), context).await,
        ActionKind::SetOrigin => pool_change::probe(&read::<SetOrigin>(kind, given)?.into(), context).await,
        ActionKind::VerifyPropagation => propagation::probe(&read(kind, given)?, context).await,
        ActionKind::Approval => Ok(approval::probe(&read(kind, given)?)),
        ActionKind::HttpRequest => http_request::probe(&read(kind, given)?),
        ActionKind::Command => Ok(command::probe(&read(kind, given)?, context)),
        ActionKind::Notify => Ok(tell::probe(&read(kind, given)?, context)),
        ActionKind::Wait => wait::probe(&read(kind, given)?),
    }
}

/// Does it. Reads again what may have moved since the plan.
pub async fn perform(kind: ActionKind, call: &Call, context: &Context, record: &Recorder) -> Result<Done, StepError> {
    let given = &call.arguments;
    match kind {
        ActionKind::ConfirmOutage => {
            Box::pin(confirm_outage::perform(&read(kind, given)?, call.forced.as_ref(), context, record)).await
        }
        ActionKind::VerifyStandby => Box::pin(verify_standby::perform(&read(kind, given)?, context, record)).await,
        ActionKind::FindLatest => Box::pin(find_latest::perform(&read(kind, given)?, context, record)).await,
        ActionKind::Restore => Box::pin(restore::perform(&read(kind, given)?, call, context, record)).await,
        ActionKind::Backup => Box::pin(take_backup::perform(&read(kind, given)?, context, record)).await,
        ActionKind::GatewayHealth => Box::pin(gateway_health::perform(&read(kind, given)?, context, record)).await,
        ActionKind::SetTtl => {
            Box::pin(flip_cname::perform(&read::<SetTtl>(kind, given)?.into(), call, context, record)).await
        }
        ActionKind::FlipCname | ActionKind::FlipPrivateCname => {
            Box::pin(flip_cname::perform(&read::<FlipCname>(kind, given)?.into(), call, context, record)).await
        }
        ActionKind::Prune => Box::pin(prune::perform(&read(kind, given)?, context, record)).await,
        ActionKind::VerifyRestore => Box::pin(verify_restore::perform(&read(kind, given)?, context, record)).await,
        ActionKind::Compare => Box::pin(compare::perform(&read(kind, given)?, context, record)).await,
        ActionKind::SetEndpoints => {
            Box::pin(pool_change::perform(&read::<SetEndpoints>(kind, given)?.into(), call, context, record)).await
        }
        ActionKind::SetOrigin => {
            Box::pin(pool_change::perform(&read::<SetOrigin>(kind, given)?.into(), call, context, record)).await
        }
        ActionKind::VerifyPropagation => Box::pin(propagation::perform(&read(kind, given)?, context, record)).await,
        ActionKind::Approval => Err(only_people_approve()),
        ActionKind::HttpRequest => Box::pin(http_request::perform(&read(kind, given)?, context, record)).await,
        ActionKind::Command => Box::pin(command::perform(&read(kind, given)?, context, record)).await,
        ActionKind::Notify => Box::pin(tell::perform(&read(kind, given)?, call, context)).await,
        ActionKind::Wait => Ok(wait::perform(&read(kind, given)?, context).await),
    }
}

/// Attaches again to a change that goes on. Never sends it. Only what is long goes on by itself.
pub async fn follow(
    kind: ActionKind,
    call: &Call,
    context: &Context,
    operation: Option<Operation>,
    intent: &Intent,
    record: &Recorder,
) -> Result<Done, StepError> {
    match kind {
        ActionKind::Restore => restore::follow(&read(kind, &call.arguments)?, context, operation, intent, record).await,
        ActionKind::Backup => {
            take_backup::follow(&read(kind, &call.arguments)?, context, operation, intent, record).await
        }
        ActionKind::SetOrigin => {
            let change = read::<SetOrigin>(kind, &call.arguments)?.into();
            Box::pin(pool_settle::follow(&change, context, operation, intent, record)).await
        }
        ActionKind::ConfirmOutage
        | ActionKind::VerifyStandby
        | ActionKind::FindLatest
        | ActionKind::Prune
        | ActionKind::VerifyRestore
        | ActionKind::Compare
        | ActionKind::GatewayHealth
        | ActionKind::SetTtl
        | ActionKind::FlipCname
        | ActionKind::FlipPrivateCname
        | ActionKind::VerifyPropagation
        | ActionKind::SetEndpoints
        | ActionKind::Approval
        | ActionKind::HttpRequest
        | ActionKind::Command
        | ActionKind::Notify
        | ActionKind::Wait => Err(StepError::new(
            Disposition::InDoubt,
            "cannot-be-followed",
            format!("{kind} has nothing that goes on by itself"),
            "`lifeboat resume` finds out what became of it",
        )),
    }
}

/// What became of a change whose outcome is not known. Reads only.
pub async fn settle(
    kind: ActionKind,
    call: &Call,
    context: &Context,
    intent: Option<&Intent>,
    operation: Option<&Operation>,
) -> Result<Verdict, StepError> {
    let given = &call.arguments;
    match kind {
        ActionKind::Restore => restore::settle(&read(kind, given)?, context, intent, operation).await,
        ActionKind::Backup => {
            take_backup::settle(&read(kind, given)?, context, (intent, operation), call.doubt.as_deref()).await
        }
        ActionKind::SetTtl => flip_cname::settle(&read::<SetTtl>(kind, given)?.into(), context, intent).await,
        ActionKind::FlipCname | ActionKind::FlipPrivateCname => {
            flip_cname::settle(&read::<FlipCname>(kind, given)?.into(), context, intent).await
        }
        ActionKind::Prune => prune::settle(&read(kind, given)?, context, intent).await,
        ActionKind::SetEndpoints => {
            pool_settle::settle(&read::<SetEndpoints>(kind, given)?.into(), context, intent, operation).await
        }
        ActionKind::SetOrigin => {
            pool_settle::settle(&read::<SetOrigin>(kind, given)?.into(), context, intent, operation).await
        }
        // Without a recorded intent nothing has left.
        ActionKind::HttpRequest | ActionKind::Command if intent.is_none() => {
            Ok(Verdict::DidNotHappen { reason: "nothing had been sent or started".to_owned() })
        }
        ActionKind::HttpRequest => Ok(http_request::settle(&read(kind, given)?)),
        ActionKind::Command => Ok(command::settle(&read(kind, given)?)),
        ActionKind::ConfirmOutage
        | ActionKind::VerifyStandby
        | ActionKind::FindLatest
        | ActionKind::VerifyRestore
        | ActionKind::Compare
        | ActionKind::GatewayHealth
        | ActionKind::VerifyPropagation
        | ActionKind::Approval
        | ActionKind::Notify
        | ActionKind::Wait => Ok(Verdict::DidNotHappen { reason: format!("{kind} changes nothing") }),
    }
}

/// Takes a step back, done or half made. Only what is reversible can be. `outputs`: none when it never came to its end;
/// then the call's last intent says what was there before.
pub async fn undo(
    kind: ActionKind,
    call: &Call,
    context: &Context,
    outputs: Option<&Map<String, Value>>,
    record: &Recorder,
) -> Result<Done, StepError> {
    let given = &call.arguments;
    match kind {
        ActionKind::SetTtl => {
            flip_undo::undo(&read::<SetTtl>(kind, given)?.into(), call, context, outputs, record).await
        }
        ActionKind::FlipCname | ActionKind::FlipPrivateCname => {
            flip_undo::undo(&read::<FlipCname>(kind, given)?.into(), call, context, outputs, record).await
        }
        ActionKind::Backup => Ok(take_backup::undo(outputs)),
        ActionKind::SetEndpoints => {
            let change = read::<SetEndpoints>(kind, given)?.into();
            Box::pin(pool_settle::undo(&change, call, context, outputs, record)).await
        }
        ActionKind::SetOrigin => {
            let change = read::<SetOrigin>(kind, given)?.into();
            Box::pin(pool_settle::undo(&change, call, context, outputs, record)).await
        }
        ActionKind::ConfirmOutage
        | ActionKind::VerifyStandby
        | ActionKind::FindLatest
        | ActionKind::Prune
        | ActionKind::Restore
        | ActionKind::VerifyRestore
        | ActionKind::Compare
        | ActionKind::GatewayHealth
        | ActionKind::VerifyPropagation
        | ActionKind::Approval
        | ActionKind::HttpRequest
        | ActionKind::Command
        | ActionKind::Notify
        | ActionKind::Wait => Err(cannot_be_undone(kind)),
    }
}

/// Whether what could not be undone is back all the same. Reads only.
pub async fn settle_undo(
    kind: ActionKind,
    call: &Call,
    context: &Context,
    outputs: Option<&Map<String, Value>>,
) -> Result<Verdict, StepError> {
    let given = &call.arguments;
    match kind {
        ActionKind::SetTtl => flip_undo::settle(&read::<SetTtl>(kind, given)?.into(), call, context, outputs).await,
        ActionKind::FlipCname | ActionKind::FlipPrivateCname => {
            flip_undo::settle(&read::<FlipCname>(kind, given)?.into(), call, context, outputs).await
        }
        ActionKind::SetEndpoints => {
            pool_settle::settle_undo(&read::<SetEndpoints>(kind, given)?.into(), call, context, outputs).await
        }
        ActionKind::SetOrigin => {
            pool_settle::settle_undo(&read::<SetOrigin>(kind, given)?.into(), call, context, outputs).await
        }
        ActionKind::Backup
        | ActionKind::ConfirmOutage
        | ActionKind::VerifyStandby
        | ActionKind::FindLatest
        | ActionKind::Prune
        | ActionKind::Restore
        | ActionKind::VerifyRestore
        | ActionKind::Compare
        | ActionKind::GatewayHealth
        | ActionKind::VerifyPropagation
        | ActionKind::Approval
        | ActionKind::HttpRequest
        | ActionKind::Command
        | ActionKind::Notify
        | ActionKind::Wait => Err(cannot_be_undone(kind)),
    }
}

fn cannot_be_undone(kind: ActionKind) -> StepError {
    StepError::new(
        Disposition::Final,
        "cannot-be-undone",
        format!("{kind} cannot be undone"),
        "the report says what it did; take it back by hand where that is wanted",
    )
}

/// The catalogue's effect, or a milder one that the arguments allow. The other arguments may still be expressions.
pub fn effect(kind: ActionKind, arguments: &Map<String, Value>) -> Effect {
    let reads_only = match kind {
        ActionKind::HttpRequest => match arguments.get("method") {
            None => true,
            Some(method) => RequestMethod::deserialize(method).is_ok_and(RequestMethod::reads_only),
        },
        ActionKind::Command => arguments.get("read_only") == Some(&Value::Bool(true)),
        ActionKind::ConfirmOutage
        | ActionKind::VerifyStandby
        | ActionKind::Backup
        | ActionKind::FindLatest
        | ActionKind::Prune
        | ActionKind::Restore
        | ActionKind::VerifyRestore
        | ActionKind::Compare
        | ActionKind::GatewayHealth
        | ActionKind::SetTtl
        | ActionKind::FlipCname
        | ActionKind::FlipPrivateCname
        | ActionKind::VerifyPropagation
        | ActionKind::SetEndpoints
        | ActionKind::SetOrigin
        | ActionKind::Approval
        | ActionKind::Notify
        | ActionKind::Wait => false,
    };
    if reads_only { Effect::ReadOnly } else { kind.entry().effect }
}

/// Better than the catalogue's typical duration, when the arguments tell.
pub fn expected(kind: ActionKind, arguments: &Map<String, Value>) -> Option<Duration> {
    let duration = |name: &str| span::parse(arguments.get(name)?.as_str()?).ok();
    match kind {
        ActionKind::Wait => duration("duration"),
        ActionKind::ConfirmOutage => Some(duration("hold_off")?.saturating_add(confirm_outage::TWO_LOOKS)),
        ActionKind::VerifyStandby
        | ActionKind::Backup
        | ActionKind::FindLatest
        | ActionKind::Prune
        | ActionKind::Restore
        | ActionKind::VerifyRestore
        | ActionKind::Compare
        | ActionKind::GatewayHealth
        | ActionKind::SetTtl
        | ActionKind::FlipCname
        | ActionKind::FlipPrivateCname
        | ActionKind::VerifyPropagation
        | ActionKind::SetEndpoints
        | ActionKind::SetOrigin
        | ActionKind::Approval
        | ActionKind::HttpRequest
        | ActionKind::Command
        | ActionKind::Notify => None,
    }
}

fn only_people_approve() -> StepError {
    StepError::new(
        Disposition::Refused,
        "approval-missing",
        "an approval is given by people, not performed",
        "`lifeboat approve RUN STEP`",
    )
}
