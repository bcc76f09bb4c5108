//! What became of a change of a pool, and the way back. Both work on what really is: they read, and compare with what
//! the journal says was there and what the step wants.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Call, Context, Done, Recorder, adoption, error,
    fact::note,
    long_change::{SETTLE_INTERVAL, latest_effect},
    pool::{Before, PoolChange, Seen, Settings, folded, quoted, settings_in, told_apart},
    pool_azure::{Ended, watch},
    pool_change::{failed, read, unreadable},
};
use crate::{
    azure::{Arm, AzureError, Operation, OperationState, operation},
    net::Delivery,
    run::{
        Disposition, Intent, StepError, Verdict, inquiry,
        state::{BY_HAND, FOUND},
    },
};

/// A member whose way back got no answer is read again, and sent again if it has not moved, this often.
const MOST_TRIES: u32 = 3;

/// Watches the change that was accepted, to its end. Never sends it; what is still to be set after it is found by
/// settling the step, which then starts again.
pub async fn follow(
    change: &PoolChange,
    context: &Context,
    operation: Option<Operation>,
    intent: &Intent,
    record: &Recorder,
) -> Result<Done, StepError> {
    let arm = context.arm.noting(record.sink());
    let before = before(intent).ok_or_else(unreadable_intent)?;
    if let Some(operation) = operation
        && let Ended::Failed { code, message } = watch(change, context, &arm, &operation, record).await
    {
        let name = format!("the {} `{}`", change.pool.noun(), before.member);
        return Err(failed(&name, code.as_deref(), &message));
    }
    let seen = read(change, &arm, context, record).await?;
    let (set, unset) = change.set_and_unset(&seen, &before.previous);
    if unset.is_empty() {
        let now = change.found(&seen);
        return Ok(Done {
            outputs: change.outputs(seen.hostname.as_deref(), &now, &before.previous),
            evidence: json!({ "before": before.previous, "after": now }),
        });
    }
    let step = StepError::new(
        Disposition::InDoubt,
        "others-remain",
        format!("the change of `{}` has ended", before.member),
        "what is not set is set next",
    );
    Err(told_apart(step, &set, &unset))
}

/// Reads only.
pub async fn settle(
    change: &PoolChange,
    context: &Context,
    intent: Option<&Intent>,
    operation: Option<&Operation>,
) -> Result<Verdict, StepError> {
    let Some(intent) = intent else {
        return Ok(Verdict::DidNotHappen { reason: "no change had been asked for".to_owned() });
    };
    let before = before(intent).ok_or_else(unreadable_intent)?;
    if let Some(operation) = operation {
        match operation::look(&context.arm, operation).await {
            Ok(OperationState::Running { .. }) => {
                return Ok(Verdict::GoesOn { operation: Some(operation.clone()) });
            }
            Ok(OperationState::Failed { code, message }) => {
                let name = format!("the {} `{}`", change.pool.noun(), before.member);
                return Ok(Verdict::Failed { error: failed(&name, code.as_deref(), &message) });
            }
            Ok(OperationState::Succeeded(_) | OperationState::Lost) => {}
            Err(failure) => return Ok(unreachable_verdict(change, &failure.to_string())),
        }
    }
    let looked = match operation {
        // Azure took the request: nothing is on its way.
        Some(_) => change.pool.read(&context.arm).await,
        None => look_for(change, context, &before).await,
    };
    let seen = match looked {
        Ok(seen) => seen,
        Err(failure) => return Ok(unreachable_verdict(change, &failure.to_string())),
    };
    if seen.members.iter().any(|member| member.is_busy) {
        return Ok(Verdict::GoesOn { operation: None });
    }
    let strangers = change.strangers(&seen, &before.previous);
    if !strangers.is_empty() {
        return Ok(Verdict::Unknown {
            reason: format!(
                "{} is neither as it was nor as this run would have left it: {}",
                change.pool.shown(),
                strangers.join("; ")
            ),
            remedy: "somebody else changed it: find out who (the profile's activity log) and what is right, then \
                     `lifeboat abort` this run and plan again"
                .to_owned(),
        });
    }
    let (set, unset) = change.set_and_unset(&seen, &before.previous);
    if unset.is_empty() {
        let now = change.found(&seen);
        return Ok(Verdict::Happened { outputs: change.outputs(seen.hostname.as_deref(), &now, &before.previous) });
    }
    Ok(Verdict::DidNotHappen { reason: format!("set: {}; not set: {}", quoted(&set), quoted(&unset)) })
}

/// Reads until the last request is seen to have been acted on, or can no longer be: what arrived after a run was given
/// up would move traffic when nobody looks any more.
async fn look_for(change: &PoolChange, context: &Context, before: &Before) -> Result<Seen, AzureError> {
    let until = latest_effect(context, before.sent_at);
    loop {
        let looked = change.pool.read(&context.arm).await;
        let is_told = looked.as_ref().is_ok_and(|seen| {
            let (set, _) = change.set_and_unset(seen, &before.previous);
            set.iter().any(|name| folded(name) == folded(&before.member))
                || seen.members.iter().any(|member| member.is_busy)
                || !change.strangers(seen, &before.previous).is_empty()
        });
        if is_told || context.clock.now() >= until {
            return looked;
        }
        context.clock.sleep(SETTLE_INTERVAL).await;
    }
}

fn unreachable_verdict(change: &PoolChange, why: &str) -> Verdict {
    Verdict::Unknown {
        reason: format!("{} cannot be read: {why}", change.pool.shown()),
        remedy: "make Azure reachable, then `lifeboat resume`".to_owned(),
    }
}

/// Whether every member is as the change wants it, whoever made it so. Reads only.
pub async fn adopt(change: &PoolChange, call: &Call, context: &Context) -> Result<inquiry::Seen, StepError> {
    let seen = change.pool.read(&context.arm).await.map_err(|failure| unreadable(change, &failure))?;
    if seen.members.iter().any(|member| member.is_busy) {
        return Ok(adoption::seen(Verdict::GoesOn { operation: None }, json!(null)));
    }
    let previous = change.previous(call.earlier.as_deref(), &call.planned, &seen);
    let (set, unset) = change.set_and_unset(&seen, &previous);
    if !unset.is_empty() || set.len() != change.wishes.len() {
        let shown = change.shown(&seen);
        return Ok(adoption::refuted(format!("set: {}; not set: {}; it is: {shown}", quoted(&set), quoted(&unset))));
    }
    let now = change.found(&seen);
    let outputs = change.outputs(seen.hostname.as_deref(), &now, &previous);
    Ok(adoption::agreed(outputs, json!({ "before": previous, "after": now })))
}

/// Puts the previous values back, last member first, where they are still as this step left them. An error says which
/// commands would do it by hand, and what was there when it was last read.
pub async fn undo(
    change: &PoolChange,
    call: &Call,
    context: &Context,
    outputs: Option<&Map<String, Value>>,
    record: &Recorder,
) -> Result<Done, StepError> {
    let previous = previous(change, outputs, call.earlier.as_deref())?;
    if outputs.is_none() && nothing_is_ours(change, context, &previous, record).await? {
        let evidence = json!({ "why": "no member is as this step would have left it" });
        return Ok(Done { outputs: Map::new(), evidence });
    }
    match put_all_back(change, context, &previous, record).await {
        Ok(done) => Ok(done),
        Err(error) => Err(with_world(change, &context.arm, &previous, error).await),
    }
}

/// Whether every member is back, after undoing had failed. Reads only.
pub async fn settle_undo(
    change: &PoolChange,
    call: &Call,
    context: &Context,
    outputs: Option<&Map<String, Value>>,
) -> Result<Verdict, StepError> {
    let previous = previous(change, outputs, call.earlier.as_deref())?;
    let seen = match change.pool.read(&context.arm).await {
        Ok(seen) => seen,
        Err(failure) => return Ok(unreachable_verdict(change, &failure.to_string())),
    };
    if seen.members.iter().any(|member| member.is_busy) {
        return Ok(Verdict::GoesOn { operation: None });
    }
    let left = change.not_back(&seen, &previous);
    let strangers = change.strangers(&seen, &previous);
    Ok(if left.is_empty() {
        Verdict::Happened { outputs: Map::new() }
    } else if strangers.is_empty() {
        Verdict::DidNotHappen { reason: format!("still as this run left it: {}", quoted(&left)) }
    } else {
        Verdict::Unknown {
            reason: format!("{} is not as this run left it: {}", change.pool.shown(), strangers.join("; ")),
            remedy: "somebody else changed it since: find out who (the profile's activity log) and what is right"
                .to_owned(),
        }
    })
}

/// What was there before: as the step's outputs have it, else as it was before its first request.
fn previous(
    change: &PoolChange,
    outputs: Option<&Map<String, Value>>,
    earlier: Option<&Intent>,
) -> Result<Settings, StepError> {
    let whole = |settings: &Settings| settings.len() == change.wishes.len();
    let told = outputs.and_then(|outputs| settings_in(outputs.get("previous"))).filter(whole);
    let noted = || earlier.and_then(before).map(|before| before.previous).filter(whole);
    told.or_else(noted).ok_or_else(|| {
        StepError::new(
            Disposition::Final,
            "previous-unknown",
            format!("the journal does not say what {} was before", change.pool.shown()),
            "put it back by hand",
        )
    })
}

/// A step that never came to its end has left no member behind as it wanted it, whoever changed what since.
async fn nothing_is_ours(
    change: &PoolChange,
    context: &Context,
    previous: &Settings,
    record: &Recorder,
) -> Result<bool, StepError> {
    let seen = read(change, &context.arm, context, record).await?;
    let not_back = change.not_back(&seen, previous);
    let (set, _) = change.set_and_unset(&seen, previous);
    Ok(!not_back.iter().any(|name| set.contains(name)))
}

/// What is there now, and the commands that would put back what is not, last member first.
async fn with_world(change: &PoolChange, arm: &Arm, previous: &Settings, mut error: StepError) -> StepError {
    let seen = change.pool.read(arm).await.ok();
    let wishes = change.wishes.iter().rev().filter(|wish| {
        let found = seen.as_ref().and_then(|seen| seen.member(&wish.name));
        found.is_none_or(|member| previous.get(&folded(&wish.name)) != Some(&member.setting))
    });
    let commands: Vec<String> = wishes
        .filter_map(|wish| {
            let request = change.pool.request(arm, wish, previous.get(&folded(&wish.name))?);
            let body = request.body.unwrap_or_default();
            Some(format!("az rest --method patch --url '{}' --body '{body}'", request.url))
        })
        .collect();
    error.details.insert(BY_HAND.to_owned(), json!(commands));
    if let Some(seen) = seen {
        error.details.insert(FOUND.to_owned(), json!(change.shown(&seen)));
    }
    error
}

async fn put_all_back(
    change: &PoolChange,
    context: &Context,
    previous: &Settings,
    record: &Recorder,
) -> Result<Done, StepError> {
    let arm = context.arm.noting(record.sink());
    for place in (0..change.wishes.len()).rev() {
        put_back(change, place, context, &arm, previous, record).await?;
    }
    let seen = read(change, &arm, context, record).await?;
    let now = change.found(&seen);
    let outputs = change.outputs(seen.hostname.as_deref(), &now, &change.wanted(previous));
    Ok(Done { outputs, evidence: json!({ "after": now }) })
}

/// One member, until it is back.
async fn put_back(
    change: &PoolChange,
    place: usize,
    context: &Context,
    arm: &Arm,
    previous: &Settings,
    record: &Recorder,
) -> Result<(), StepError> {
    let wish = &change.wishes[place];
    let name = format!("the {} `{}`", change.pool.noun(), wish.name);
    for _ in 0..MOST_TRIES {
        let seen = read(change, arm, context, record).await?;
        let strangers = change.strangers(&seen, previous);
        let (Some(target), Some(member), true) =
            (previous.get(&folded(&wish.name)), seen.member(&wish.name), strangers.is_empty())
        else {
            let (unset, back) = change.set_and_unset(&seen, previous);
            let message = format!(
                "{} is no longer as this run left it: {}; put back: {}; not put back: {}",
                change.pool.shown(),
                strangers.join("; "),
                quoted(&back),
                quoted(&unset)
            );
            let hint = "somebody else changed it since; put it right by hand, if it is not right";
            return Err(StepError::new(
                Disposition::Refused,
                &format!("{}-changed", change.pool.noun()),
                message,
                hint,
            ));
        };
        if member.setting == *target {
            return Ok(());
        }
        let request = change.pool.request(arm, wish, target);
        let before =
            Before { previous: change.found(&seen), member: wish.name.clone(), sent_at: Some(context.clock.now()) };
        record.intend(Intent { request, before: json!(before) }).await;
        match change.pool.patch(arm, wish, target).await {
            Ok(reply) => {
                if let Some(operation) = Operation::from_reply(&reply)
                    && let Ended::Failed { code, message } = watch(change, context, arm, &operation, record).await
                {
                    return Err(failed(&name, code.as_deref(), &message));
                }
            }
            // Absolute values, and it is read before it is sent again.
            Err(failure) if failure.delivery == Delivery::Unknown => {
                note(record, format!("nobody knows whether {name} was put back ({failure}); reading it again"));
            }
            Err(failure) => return Err(error::from_refusal(&format!("putting {name} back"), &failure)),
        }
    }
    Err(StepError::new(
        Disposition::Retryable,
        "not-put-back",
        format!("{name} could not be put back in {MOST_TRIES} tries"),
        "find out whether Azure answers and who else changes the profile, then undo again",
    ))
}

fn before(intent: &Intent) -> Option<Before> {
    Before::deserialize(&intent.before).ok()
}

fn unreadable_intent() -> StepError {
    StepError::new(
        Disposition::InDoubt,
        "switch-in-doubt",
        "the journal does not say what the profile was like before the change",
        "compare the profile with the plan, then `lifeboat abort` this run",
    )
}
