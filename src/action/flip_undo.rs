//! The way back of `dns.flip-cname`, `private-dns.flip-cname` and `dns.set-ttl`: what the change replaced, if that is
//! still as this run left it. A TTL goes back without moving the target, and a target without losing the note of a TTL.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Call, Context, Done, Recorder,
    cname_change::{Change, seconds},
    cname_notes::{About, Before, Content, Fence, Noted, folded, without_notes},
    error,
    fact::{after, note, note_until},
    flip_cname::{MOST_TRIES, no_etag, unreadable},
    long_change::{SETTLE_INTERVAL, SETTLE_WINDOW},
};
use crate::{
    azure::{
        Arm, AzureErrorKind,
        dns::{self, CnameRecord},
    },
    net::Delivery,
    run::{
        Disposition, Intent, StepError, Verdict,
        state::{BY_HAND, FOUND},
    },
    runbook::span,
};

/// Puts back what was there, if the record is still as this run left it. An error says which command would do it by
/// hand, and what the record was when it was last read.
pub async fn undo(
    change: &Change,
    call: &Call,
    context: &Context,
    outputs: Option<&Map<String, Value>>,
    record: &Recorder,
) -> Result<Done, StepError> {
    let previous = Previous::of(change, outputs, call.earlier.as_deref())?;
    look_for_latecomer(change, &previous, call, context, record).await;
    let mut found = None;
    let put_back = put_back(change, &previous, change.fence(call, context), context, &mut found, record).await;
    put_back.map_err(|mut step| {
        step.details.insert(BY_HAND.to_owned(), previous.by_hand(change, &context.arm).into());
        if let Some(found) = found {
            step.details.insert(FOUND.to_owned(), found.shown().into());
        }
        step
    })
}

/// A request of which nobody was told the end may arrive after the record was found as it was: it is looked for as long
/// as that can be, else it would move traffic when nobody looks any more.
async fn look_for_latecomer(change: &Change, previous: &Previous, call: &Call, context: &Context, record: &Recorder) {
    let Some(until) = call.unanswered.map(|sent| after(sent, SETTLE_WINDOW)) else { return };
    while context.clock.now() < until {
        let look = dns::cname(&context.arm, &change.zone, &change.record).await;
        if look.is_ok_and(|current| previous.is_ours(change, &current, &context.run)) {
            return;
        }
        note_until(record, format!("a lost change of `{}` may arrive yet", change.record), until);
        context.clock.sleep(SETTLE_INTERVAL).await;
    }
}

/// Whether the record is back, after undoing had failed. Reads only.
pub async fn settle(
    change: &Change,
    call: &Call,
    context: &Context,
    outputs: Option<&Map<String, Value>>,
) -> Result<Verdict, StepError> {
    let previous = Previous::of(change, outputs, call.earlier.as_deref())?;
    let current =
        dns::cname(&context.arm, &change.zone, &change.record).await.map_err(|failure| unreadable(change, &failure))?;
    let (name, shown) = (change.hostname(&current), Content::of(&current).shown());
    if previous.is_back(&current) {
        return Ok(Verdict::Happened { outputs: Map::new() });
    }
    if previous.is_ours(change, &current, &context.run) {
        return Ok(Verdict::DidNotHappen { reason: format!("{name} is still as this run left it: {shown}") });
    }
    Ok(Verdict::Unknown {
        reason: format!("{name} is neither as it was nor as this run left it: {shown}"),
        remedy: "somebody else changed it since: find out who (the zone's activity log) and what is right".to_owned(),
    })
}

async fn put_back(
    change: &Change,
    previous: &Previous,
    fence: Fence<'_>,
    context: &Context,
    found: &mut Option<Content>,
    record: &Recorder,
) -> Result<Done, StepError> {
    let arm = context.arm.noting(record.sink());
    for _ in 0..MOST_TRIES {
        let current =
            dns::cname(&arm, &change.zone, &change.record).await.map_err(|failure| unreadable(change, &failure))?;
        *found = Some(Content::of(&current));
        change.check_fence(fence, &current)?;
        let noted = Noted::on(&current.metadata, change.about()).is_of(&context.run);
        let back = previous.is_back(&current);
        if back && !noted {
            return Ok(undone(change, &current));
        }
        if !back && !previous.is_ours(change, &current, &context.run) {
            // A request that was never known to have been taken, and nothing of it is there.
            return if previous.was_done || noted {
                Err(not_ours(change, &current))
            } else if is_as_left(change, &current) {
                Err(unsigned(change, &current))
            } else {
                Ok(undone(change, &current))
            };
        }
        let Some(etag) = current.etag.clone() else { return Err(no_etag(change)) };
        let wanted = CnameRecord {
            cname: previous.target.clone().or_else(|| current.cname.clone()),
            ttl: previous.ttl,
            metadata: without_notes(&fence.noted(&current), change.about()),
            ..current.clone()
        };
        let request = change.request(&current, &wanted, &arm);
        record.intend(Intent { request, before: json!(Before::of(&current)) }).await;
        match dns::put_cname(&arm, &change.zone, &wanted, &etag).await {
            Ok(stored) => return Ok(undone(change, &stored)),
            Err(failure) if failure.kind == AzureErrorKind::PreconditionFailed => {
                note(record, "somebody else wrote the record at the same moment; reading it again");
            }
            // Safe to send again: it carries an `ETag`, and the record is read first.
            Err(failure) if failure.delivery == Delivery::Unknown => {
                note(record, format!("nobody knows whether the record was put back ({failure}); reading it again"));
            }
            Err(failure) => {
                return Err(error::from_refusal(&format!("putting `{}` back", change.record), &failure));
            }
        }
    }
    Err(StepError::new(
        Disposition::Retryable,
        "record-contended",
        format!("the record `{}` could not be put back in {MOST_TRIES} tries", change.record),
        "find out who else writes this record and whether Azure answers, then undo again",
    ))
}

/// What the change replaced: as the step's outputs have it, else as it was right before the last request.
struct Previous {
    /// None: the change was only of the TTL, and the target is left alone.
    target: Option<String>,
    /// Seconds.
    ttl: u32,
    /// False: the step never came to its end.
    was_done: bool,
}

impl Previous {
    fn of(change: &Change, outputs: Option<&Map<String, Value>>, earlier: Option<&Intent>) -> Result<Self, StepError> {
        let text = |name: &str| outputs?.get(name).and_then(Value::as_str);
        let before = earlier.and_then(|intent| Before::deserialize(&intent.before).ok()).map(|before| before.content);
        let target = text("previous_target").map(folded).or_else(|| before.as_ref()?.target.clone());
        let ttl = text("previous_ttl").and_then(|text| span::parse(text).ok()).map(seconds);
        let ttl = ttl.or_else(|| Some(before.as_ref()?.ttl));
        let was_done = outputs.is_some();
        match (change.about(), target, ttl) {
            (About::Target, Some(target), Some(ttl)) => Ok(Self { target: Some(target), ttl, was_done }),
            (About::Ttl, _, Some(ttl)) => Ok(Self { target: None, ttl, was_done }),
            (About::Target | About::Ttl, _, _) => Err(StepError::new(
                Disposition::Final,
                "previous-unknown",
                format!("the journal does not say what `{}` was before", change.record),
                "put the record back by hand",
            )),
        }
    }

    /// As this run left it. What was never known to have been taken is only known by our note on it.
    fn is_ours(&self, change: &Change, current: &CnameRecord, run: &str) -> bool {
        let by = Noted::on(&current.metadata, change.about());
        is_as_left(change, current)
            && if self.was_done {
                by.run.is_none() || by.is_of(run)
            } else {
                by.is_of(run) || change.is_ours(current, run)
            }
    }

    /// A PATCH leaves the metadata alone, which `az network dns record-set cname set-record` does not.
    fn by_hand(&self, change: &Change, arm: &Arm) -> String {
        let url = dns::cname_url(arm, &change.zone, &change.record);
        let body = dns::cname_patch(&change.zone, self.target.as_deref(), self.ttl);
        format!("az rest --method patch --url '{url}' --body '{body}'")
    }

    fn is_back(&self, current: &CnameRecord) -> bool {
        let content = Content::of(current);
        content.alias.is_none() && content.ttl == self.ttl && (self.target.is_none() || content.target == self.target)
    }
}

/// A flip is known by its target, whatever became of the TTL since; a new TTL by the TTL, wherever the record points.
fn is_as_left(change: &Change, current: &CnameRecord) -> bool {
    let content = Content::of(current);
    content.alias.is_none()
        && match &change.target {
            Some(target) => content.target.as_ref() == Some(target),
            None => change.is_there(current),
        }
}

fn undone(change: &Change, stored: &CnameRecord) -> Done {
    let outputs = Map::from_iter([
        ("target".to_owned(), json!(stored.cname)),
        ("hostname".to_owned(), json!(change.hostname(stored))),
        ("etag".to_owned(), json!(stored.etag)),
    ]);
    Done { outputs, evidence: json!({ "after": Before::of(stored) }) }
}

/// It is what this run had asked for, and does not say who made it so: whoever else did may want it.
fn unsigned(change: &Change, current: &CnameRecord) -> StepError {
    StepError::new(
        Disposition::Refused,
        "record-changed",
        format!(
            "{} is as this run wanted it ({}), and nothing on it says that this run made it so",
            change.hostname(current),
            Content::of(current).shown(),
        ),
        "find out who set it (the zone's activity log), and put it right by hand, if it is not right",
    )
}

fn not_ours(change: &Change, current: &CnameRecord) -> StepError {
    StepError::new(
        Disposition::Refused,
        "record-changed",
        format!(
            "{} is no longer as this run left it ({}): it is {}",
            change.hostname(current),
            change.shown(current),
            Content::of(current).shown(),
        ),
        "somebody else changed it since; put it right by hand, if it is not right",
    )
}
