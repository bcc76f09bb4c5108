//! `traffic-manager.set-endpoints` and `front-door.set-origin`: members of a pool, one after the other.
//!
//! ```text
//!  read ─► as the plan saw it, or as this step left it? ── no ──► refused
//!   ▲                │ yes
//!   │                ▼
//!   │      intend ─► PATCH ─► 200 ───────────────────────────┐
//!   │                  ├────► 202 ─► accepted ─► watched ────┤
//!   │                  └────► no answer ─► read ─► in doubt  │
//!   └───────────────── the next member ◄─────────────────────┘
//! ```
//!
//! No member has an `ETag`, so a change is read for just before it is sent, and sent with absolute values only: what
//! arrives late says nothing else than what the step wants. Never sent again because nobody answered.
//! The way back, and what becomes of a doubt, are in [`super::pool_settle`].

use serde_json::json;

use super::{
    Call, Context, Done, Recorder, error,
    fact::{Facts, after, note, note_until},
    long_change::{SETTLE_INTERVAL, SETTLE_WINDOW},
    pool::{Before, PoolChange, Seen, Setting, Settings, Wish, folded, told_apart},
    pool_azure::{Ended, watch},
    pool_judge::{judge, refusal},
};
use crate::{
    azure::{Arm, AzureError, AzureErrorKind, Operation},
    net::Delivery,
    plan::facts::Probe,
    run::{Disposition, Intent, StepError},
};

pub async fn probe(change: &PoolChange, context: &Context) -> Result<Probe, StepError> {
    let arm = &context.arm;
    let pool = &change.pool;
    let seen = pool.read(arm).await.map_err(|failure| unreadable(change, &failure))?;
    let found = change.found(&seen);
    let wanted = change.wanted(&found);
    let mut facts = Facts::seen(format!("GET {}", pool.url(arm)), context.clock.now());
    if let Some(hostname) = &seen.hostname {
        facts = facts.with("profile.hostname", hostname.as_str());
    }
    for member in &seen.members {
        let name = format!("{}.{}", pool.noun(), folded(&member.name));
        let setting = json!(member.setting);
        // Of others the plan only tells.
        let is_named = found.contains_key(&folded(&member.name));
        facts = if is_named { facts.with(&name, setting) } else { facts.with_volatile(&name, setting) };
        facts = facts.with_volatile(&format!("{name}.target"), member.target.as_deref());
        if let Some(health) = &member.health {
            facts = facts.with_volatile(&format!("{name}.health"), health.as_str());
        }
    }
    let request = |wish: &Wish| {
        let (before, after) = (found.get(&folded(&wish.name))?, wanted.get(&folded(&wish.name))?);
        (before != after).then(|| pool.request(arm, wish, after))
    };
    Ok(Probe {
        summary: change.summary(&seen),
        facts: facts.into_vec(),
        requests: change.wishes.iter().filter_map(request).collect(),
        outputs: change.outputs(seen.hostname.as_deref(), &wanted, &found),
        findings: judge(change, &seen),
        verified: true,
        targets: vec![pool.target_id()],
        ..Probe::default()
    })
}

pub async fn perform(
    change: &PoolChange,
    call: &Call,
    context: &Context,
    record: &Recorder,
) -> Result<Done, StepError> {
    let arm = context.arm.noting(record.sink());
    let mut seen = read(change, &arm, context, record).await?;
    let previous = change.previous(call.earlier.as_deref(), &call.planned, &seen);
    let wanted = change.wanted(&previous);
    if let Some(finding) = refusal(change, &seen) {
        return Err(StepError::new(Disposition::Refused, &finding.code, finding.message, finding.remedy));
    }
    let mut requests = 0;
    for wish in &change.wishes {
        if requests > 0 {
            seen = read(change, &arm, context, record).await?;
        }
        unchanged(change, &seen, &previous)?;
        let (Some(target), Some(member)) = (wanted.get(&folded(&wish.name)), seen.member(&wish.name)) else {
            return Err(changed(change, &seen, &previous));
        };
        if member.setting == *target {
            note(record, format!("the {} `{}` is {} already", change.pool.noun(), wish.name, target.shown()));
            continue;
        }
        requests += 1;
        let before =
            Before { previous: previous.clone(), member: wish.name.clone(), sent_at: Some(context.clock.now()) };
        let request = change.pool.request(&arm, wish, target);
        record.intend(Intent { request, before: json!(before) }).await;
        let sent = send(change, wish, target, &arm, context, record).await;
        if let Err(error) = sent {
            return Err(apart(change, &arm, &seen, &previous, error).await);
        }
    }
    let last = if requests > 0 { read(change, &arm, context, record).await? } else { seen };
    unchanged(change, &last, &previous)?;
    let (set, unset) = change.set_and_unset(&last, &previous);
    if !unset.is_empty() {
        let message = format!("Azure took every change of {}, and shows some not made", change.pool.shown());
        return Err(told_apart(in_doubt(message), &set, &unset));
    }
    let now = change.found(&last);
    Ok(Done {
        outputs: change.outputs(last.hostname.as_deref(), &now, &previous),
        evidence: json!({ "before": previous, "after": now }),
    })
}

/// One request, until what it asks for is done.
async fn send(
    change: &PoolChange,
    wish: &Wish,
    target: &Setting,
    arm: &Arm,
    context: &Context,
    record: &Recorder,
) -> Result<(), StepError> {
    let name = format!("the {} `{}`", change.pool.noun(), wish.name);
    let until = after(context.clock.now(), SETTLE_WINDOW);
    match change.pool.patch(arm, wish, target).await {
        Ok(reply) => {
            if let Some(operation) = Operation::from_reply(&reply) {
                record.accepted(operation.clone()).await;
                if let Ended::Failed { code, message } = watch(change, context, arm, &operation, record).await {
                    return Err(failed(&name, code.as_deref(), &message));
                }
            }
            Ok(())
        }
        Err(failure) if failure.delivery == Delivery::Unknown => {
            // It may still be on its way; and what is read too early is sent again too early.
            loop {
                let next_look = after(context.clock.now(), SETTLE_INTERVAL);
                note_until(
                    record,
                    format!("nobody knows whether Azure took the change of {name}; reading it"),
                    next_look,
                );
                context.clock.sleep_until(next_look).await;
                let look = change.pool.read_idle(arm, context, record).await;
                if look.is_ok_and(|seen| seen.member(&wish.name).is_some_and(|member| member.setting == *target)) {
                    return Ok(());
                }
                if context.clock.now() >= until {
                    break;
                }
            }
            let step = in_doubt(format!("it is not known whether Azure took the change of {name}: {failure}"));
            Err(error::with_details(step, &failure))
        }
        Err(failure) => Err(error::from_refusal(&format!("the change of {name}"), &failure)),
    }
}

/// What of the change is made, told with an error in the middle: read again, else as far as it was seen before.
async fn apart(change: &PoolChange, arm: &Arm, seen: &Seen, previous: &Settings, error: StepError) -> StepError {
    let now = change.pool.read(arm).await;
    let (set, unset) = change.set_and_unset(now.as_ref().unwrap_or(seen), previous);
    told_apart(error, &set, &unset)
}

pub async fn read(change: &PoolChange, arm: &Arm, context: &Context, record: &Recorder) -> Result<Seen, StepError> {
    change.pool.read_idle(arm, context, record).await.map_err(|failure| unreadable(change, &failure))
}

fn unchanged(change: &PoolChange, seen: &Seen, previous: &Settings) -> Result<(), StepError> {
    if change.strangers(seen, previous).is_empty() { Ok(()) } else { Err(changed(change, seen, previous)) }
}

fn changed(change: &PoolChange, seen: &Seen, previous: &Settings) -> StepError {
    let step = StepError::new(
        Disposition::Refused,
        &format!("{}-changed", change.pool.noun()),
        format!(
            "{} was changed by somebody else: {}",
            change.pool.shown(),
            change.strangers(seen, previous).join("; ")
        ),
        "find out who changed it and why (the profile's activity log), then plan again",
    );
    let (set, unset) = change.set_and_unset(seen, previous);
    told_apart(step, &set, &unset)
}

pub fn unreadable(change: &PoolChange, failure: &AzureError) -> StepError {
    let mut step = error::from_read(&change.pool.shown(), failure);
    if failure.kind == AzureErrorKind::NotFound {
        "profile-not-found".clone_into(&mut step.code);
        "check the profile's resource id, and the origin group's name where there is one".clone_into(&mut step.hint);
    }
    step
}

fn in_doubt(message: String) -> StepError {
    StepError::new(
        Disposition::InDoubt,
        "switch-in-doubt",
        message,
        "`lifeboat resume` reads the profile until it is known, and sends only what is not set",
    )
}

/// An operation that Azure took and that failed. `name`: the origin `east`.
pub fn failed(name: &str, code: Option<&str>, message: &str) -> StepError {
    let said = code.map_or_else(|| message.to_owned(), |code| format!("{code}: {message}"));
    let mut step = StepError::new(
        Disposition::Final,
        "change-failed",
        format!("the change of {name} failed: {said}"),
        "read Azure's message; `lifeboat resume` reads what is there and tries again",
    );
    if let Some(code) = code {
        step.details.insert("azure_code".to_owned(), json!(code));
    }
    step
}
