//! The way back of `dns.flip-cname`, `private-dns.flip-cname` and `dns.set-ttl`: what the change replaced, if that is
//! still as this run left it. A TTL goes back without moving the target, and a target without losing the note of a TTL.

use serde_json::{Map, Value, json};

use super::{
    Context, Done, Recorder,
    cname_change::{Change, seconds},
    cname_notes::{About, Before, Content, Noted, folded, without_notes},
    error,
    fact::note,
    flip_cname::{MOST_TRIES, no_etag, unreadable},
};
use crate::{
    azure::{
        Arm, AzureErrorKind,
        dns::{self, CnameRecord},
    },
    net::Delivery,
    run::{Disposition, Intent, StepError, state::BY_HAND},
    runbook::span,
};

/// Puts back what was there, if the record is still as this run left it. An error says which command would do it by
/// hand.
pub async fn undo(
    change: &Change,
    context: &Context,
    outputs: &Map<String, Value>,
    record: &Recorder,
) -> Result<Done, StepError> {
    let previous = Previous::of(change, outputs)?;
    put_back(change, &previous, context, record).await.map_err(|mut step| {
        step.details.insert(BY_HAND.to_owned(), previous.by_hand(change, &context.arm).into());
        step
    })
}

async fn put_back(
    change: &Change,
    previous: &Previous,
    context: &Context,
    record: &Recorder,
) -> Result<Done, StepError> {
    let arm = context.arm.noting(record.sink());
    for _ in 0..MOST_TRIES {
        let current =
            dns::cname(&arm, &change.zone, &change.record).await.map_err(|failure| unreadable(change, &failure))?;
        let by = Noted::on(&current.metadata, change.about());
        let back = previous.is_back(&current);
        if back && !by.is_of(&context.run) {
            return Ok(undone(change, &current));
        }
        let ours = is_as_left(change, &current) && (by.run.is_none() || by.is_of(&context.run));
        if !ours && !back {
            return Err(not_ours(change, &current));
        }
        let Some(etag) = current.etag.clone() else { return Err(no_etag(change)) };
        let wanted = CnameRecord {
            cname: previous.target.clone().or_else(|| current.cname.clone()),
            ttl: previous.ttl,
            metadata: without_notes(&current, change.about()),
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

/// What the change replaced, as the step's outputs have it.
struct Previous {
    /// None: the change was only of the TTL, and the target is left alone.
    target: Option<String>,
    /// Seconds.
    ttl: u32,
}

impl Previous {
    fn of(change: &Change, outputs: &Map<String, Value>) -> Result<Self, StepError> {
        let text = |name: &str| outputs.get(name).and_then(Value::as_str);
        let target = text("previous_target").map(folded);
        let ttl = text("previous_ttl").and_then(|text| span::parse(text).ok()).map(seconds);
        match (change.about(), target, ttl) {
            (About::Target, Some(target), Some(ttl)) => Ok(Self { target: Some(target), ttl }),
            (About::Ttl, _, Some(ttl)) => Ok(Self { target: None, ttl }),
            (About::Target | About::Ttl, _, _) => Err(StepError::new(
                Disposition::Final,
                "previous-unknown",
                format!("the journal does not say what `{}` was before", change.record),
                "put the record back by hand",
            )),
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
