//! The way back of `dns.flip-cname`: the previous target and TTL, if the record is still as the flip left it.

use serde_json::{Map, Value, json};

use super::{
    Context, Done, Recorder,
    arguments::FlipCname,
    cname_notes::{Before, Content, RUN_KEY, folded, without_notes},
    error,
    fact::note,
    flip_cname::{MOST_TRIES, hostname, no_etag, planned, seconds, unreadable},
};
use crate::{
    azure::{
        AzureErrorKind,
        dns::{self, CnameRecord},
    },
    net::Delivery,
    run::{Disposition, Intent, StepError},
    runbook::span,
};

/// Puts the previous target and TTL back, if the record is still as this run left it.
pub async fn undo(
    arguments: &FlipCname,
    context: &Context,
    outputs: &Map<String, Value>,
    record: &Recorder,
) -> Result<Done, StepError> {
    let arm = context.arm.noting(record.sink());
    let previous_target = outputs.get("previous_target").and_then(Value::as_str);
    let previous_ttl = outputs.get("previous_ttl").and_then(Value::as_str).and_then(|text| span::parse(text).ok());
    let (Some(previous_target), Some(previous_ttl)) = (previous_target, previous_ttl) else {
        return Err(StepError::new(
            Disposition::Final,
            "previous-unknown",
            format!("the journal does not say where `{}` pointed before", arguments.record),
            "put the record back by hand",
        ));
    };
    let previous = Content { target: Some(folded(previous_target)), ttl: seconds(previous_ttl), alias: None };
    for _ in 0..MOST_TRIES {
        let current = dns::cname(&arm, &arguments.zone, &arguments.record)
            .await
            .map_err(|failure| unreadable(arguments, &failure))?;
        let content = Content::of(&current);
        let marked = current.metadata.get(RUN_KEY);
        if content == previous && marked.is_none_or(|run| *run != context.run) {
            return Ok(undone(arguments, &current));
        }
        let ours = content.target.as_deref() == Some(arguments.target.as_str())
            && marked.is_none_or(|run| *run == context.run);
        if !ours && content != previous {
            return Err(not_ours(arguments, &current));
        }
        let Some(etag) = current.etag.clone() else { return Err(no_etag(arguments)) };
        let mut wanted = current.clone();
        wanted.cname = previous.target.clone();
        wanted.ttl = previous.ttl;
        wanted.metadata = without_notes(&current);
        let request = planned(arguments, &current, &wanted, &arm);
        record.intend(Intent { request, before: json!(Before::of(&current)) }).await;
        match dns::put_cname(&arm, &arguments.zone, &wanted, &etag).await {
            Ok(stored) => return Ok(undone(arguments, &stored)),
            Err(failure) if failure.kind == AzureErrorKind::PreconditionFailed => {
                note(record, "somebody else wrote the record at the same moment; reading it again");
            }
            // Safe to send again: it carries an `ETag`, and the record is read first.
            Err(failure) if failure.delivery == Delivery::Unknown => {
                note(record, format!("nobody knows whether the record was put back ({failure}); reading it again"));
            }
            Err(failure) => {
                return Err(error::from_refusal(&format!("putting `{}` back", arguments.record), &failure));
            }
        }
    }
    Err(StepError::new(
        Disposition::Retryable,
        "record-contended",
        format!("the record `{}` could not be put back in {MOST_TRIES} tries", arguments.record),
        "find out who else writes this record and whether Azure answers, then undo again",
    ))
}

fn undone(arguments: &FlipCname, stored: &CnameRecord) -> Done {
    let outputs = Map::from_iter([
        ("target".to_owned(), json!(stored.cname)),
        ("hostname".to_owned(), json!(hostname(arguments, stored))),
        ("etag".to_owned(), json!(stored.etag)),
    ]);
    Done { outputs, evidence: json!({ "after": Before::of(stored) }) }
}

fn not_ours(arguments: &FlipCname, current: &CnameRecord) -> StepError {
    StepError::new(
        Disposition::Refused,
        "record-changed",
        format!(
            "{} is no longer as this run left it ({}): it is {}",
            hostname(arguments, current),
            arguments.target,
            Content::of(current).shown(),
        ),
        "somebody else changed it since; put it right by hand, if it is not right",
    )
}
