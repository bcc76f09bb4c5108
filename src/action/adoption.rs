//! Whether the world is as a step would have left it, although the step did not do it: a person says so, and this looks.
//!
//! Reads only. One `match` over the closed set of actions; what no probe can verify is said to be so, never believed.

use serde_json::{Map, Value, json};

use super::{
    Call, Context,
    arguments::{FlipCname, SetEndpoints, SetOrigin, SetTtl, read},
    flip_cname, pool_settle, prune, restore, take_backup,
};
use crate::{
    run::{StepError, Verdict, inquiry::Seen},
    runbook::ActionKind,
};

/// What a look at the world says of it. `Happened`: it is so, with the outputs that the step would have given.
pub async fn adopt(kind: ActionKind, call: &Call, context: &Context) -> Result<Seen, StepError> {
    let given = &call.arguments;
    match kind {
        ActionKind::Restore => Box::pin(restore::adopt(&read(kind, given)?, call, context)).await,
        ActionKind::Backup => take_backup::adopt(&read(kind, given)?, call, context).await,
        ActionKind::SetTtl => flip_cname::adopt(&read::<SetTtl>(kind, given)?.into(), call, context).await,
        ActionKind::FlipCname | ActionKind::FlipPrivateCname => {
            flip_cname::adopt(&read::<FlipCname>(kind, given)?.into(), call, context).await
        }
        ActionKind::SetEndpoints => pool_settle::adopt(&read::<SetEndpoints>(kind, given)?.into(), call, context).await,
        ActionKind::SetOrigin => pool_settle::adopt(&read::<SetOrigin>(kind, given)?.into(), call, context).await,
        ActionKind::Prune => {
            let verdict = prune::settle(&read(kind, given)?, context, call.earlier.as_deref()).await?;
            Ok(seen(verdict, Value::Null))
        }
        ActionKind::HttpRequest | ActionKind::Command => Ok(untold(
            format!("nothing outside of {kind} tells whether it had its effect"),
            "let the run do it (`lifeboat resume`), or go on in a run of a runbook without it",
        )),
        ActionKind::ConfirmOutage
        | ActionKind::VerifyStandby
        | ActionKind::FindLatest
        | ActionKind::VerifyRestore
        | ActionKind::Compare
        | ActionKind::GatewayHealth
        | ActionKind::VerifyPropagation
        | ActionKind::Approval
        | ActionKind::Notify
        | ActionKind::Wait => {
            Ok(untold(format!("{kind} changes nothing that could be looked at"), "`lifeboat resume` does it itself"))
        }
    }
}

/// It is as the step would have left it.
pub(super) fn agreed(outputs: Map<String, Value>, evidence: Value) -> Seen {
    seen(Verdict::Happened { outputs }, evidence)
}

/// It is not.
pub(super) fn refuted(reason: String) -> Seen {
    seen(Verdict::DidNotHappen { reason }, Value::Null)
}

/// It cannot be told.
pub(super) fn untold(reason: String, remedy: &str) -> Seen {
    seen(Verdict::Unknown { reason, remedy: remedy.to_owned() }, json!(null))
}

pub(super) fn seen(verdict: Verdict, evidence: Value) -> Seen {
    Seen { verdict, outputs: Map::new(), evidence }
}
