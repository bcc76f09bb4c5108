//! `dns.flip-cname`: points a CNAME record at another target. The way back is in [`super::flip_undo`].
//!
//! Every write carries the `ETag` of what was read just before, keeps the metadata that others put there, and adds who
//! did it and what was there. Never overwrites a change that it has not seen.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Call, Context, Done, Recorder,
    arguments::FlipCname,
    cname_notes::{Before, Content, FLIPPED_AT_KEY, MOST_METADATA, OWN_KEYS, RUN_KEY, folded, previous_of, with_notes},
    error,
    fact::{Facts, note},
};
use crate::{
    azure::{
        Arm, AzureError, AzureErrorKind,
        dns::{self, CnameRecord, Zone},
    },
    net::Delivery,
    plan::facts::{Finding, PlannedRequest, Probe},
    run::{Disposition, Intent, StepError, Verdict},
};

/// A stale `ETag` with equal content is tried again this often: each time somebody else wrote the same thing at once.
pub const MOST_TRIES: u32 = 3;

pub async fn probe(arguments: &FlipCname, context: &Context) -> Result<Probe, StepError> {
    check(arguments)?;
    let (zone, record) = tokio::join!(
        dns::zone(&context.arm, &arguments.zone),
        dns::cname(&context.arm, &arguments.zone, &arguments.record),
    );
    let zone = zone.map_err(|failure| error::from_read(&format!("the zone {}", arguments.zone.name()), &failure))?;
    let record = record.map_err(|failure| unreadable(arguments, &failure))?;
    let hostname = hostname(arguments, &record);
    let source = format!("GET {}", dns::cname_url(&context.arm, &arguments.zone, &arguments.record));
    let content = Content::of(&record);
    let facts = Facts::seen(source, context.clock.now())
        .with("record.hostname", hostname.as_str())
        .with("record.target", content.target.as_deref())
        .with("record.ttl", record.ttl)
        .with("record.alias", record.alias.as_deref())
        .with_volatile("record.etag", record.etag.as_deref())
        .with_volatile("record.metadata", json!(record.metadata))
        .with_volatile("zone.name_servers", json!(zone.name_servers));
    // Neither the run nor the time is known yet, and a plan of the same world must be the same plan.
    let wanted = wanted(arguments, &record, "<run>", "<time>");
    let there = is_at_target(arguments, &record);
    let previous = content.target.clone().unwrap_or_else(|| "nothing".to_owned());
    let summary = if there {
        format!("leaves {hostname} as it is: it points at {} already", arguments.target)
    } else {
        format!("{hostname}: {previous} → {}, TTL {} s → {} s", arguments.target, record.ttl, wanted.ttl)
    };
    let requests = if there { Vec::new() } else { vec![planned(arguments, &record, &wanted, &context.arm)] };
    let outputs = outputs(arguments, &Before::of(&record), &record, None);
    Ok(Probe {
        summary,
        facts: facts.into_vec(),
        requests,
        outputs,
        findings: judge(arguments, &zone, &record),
        verified: true,
        targets: vec![target_id(arguments)],
        ..Probe::default()
    })
}

pub async fn perform(
    arguments: &FlipCname,
    call: &Call,
    context: &Context,
    record: &Recorder,
) -> Result<Done, StepError> {
    check(arguments)?;
    let arm = context.arm.noting(record.sink());
    let planned_content = Content::planned(&call.planned);
    let planned_etag = call.planned.iter().find(|fact| fact.name == "record.etag").and_then(|fact| fact.value.as_str());
    let mut expected = planned_content;
    for attempt in 1..=MOST_TRIES {
        let current = dns::cname(&arm, &arguments.zone, &arguments.record)
            .await
            .map_err(|failure| unreadable(arguments, &failure))?;
        if is_at_target(arguments, &current) {
            if attempt == 1 {
                note(record, format!("{} points at {} already", hostname(arguments, &current), arguments.target));
            }
            return Ok(done(arguments, context, &previous_of(&current, &context.run), &current));
        }
        if current.alias.is_some() {
            return Err(refused_alias(arguments, &current));
        }
        if let Some(expected) = expected.as_ref().filter(|expected| **expected != Content::of(&current)) {
            return Err(changed(arguments, expected, &current));
        }
        if attempt == 1 && planned_etag.is_some() && planned_etag != current.etag.as_deref() {
            note(record, "the record was written since the plan was made, with the same content; going on");
        }
        let Some(etag) = current.etag.clone() else { return Err(no_etag(arguments)) };
        let wanted = wanted(arguments, &current, &context.run, &shown_time(context.clock.now()));
        let before = Before::of(&current);
        let request = planned(arguments, &current, &wanted, &arm);
        record.intend(Intent { request, before: json!(before) }).await;
        match dns::put_cname(&arm, &arguments.zone, &wanted, &etag).await {
            Ok(stored) => return Ok(done(arguments, context, &before, &stored)),
            Err(failure) if failure.kind == AzureErrorKind::PreconditionFailed => {
                note(record, "somebody else wrote the record at the same moment; reading it again");
                // From here on the content must stay as it was when this attempt read it.
                expected = Some(Content::of(&current));
            }
            Err(failure) if failure.delivery == Delivery::Unknown => {
                return arrived_after_all(arguments, context, &before, &failure).await;
            }
            Err(failure) => {
                return Err(error::from_refusal(&format!("the change of {}", hostname(arguments, &current)), &failure));
            }
        }
    }
    Err(StepError::new(
        Disposition::Retryable,
        "record-contended",
        format!("the record `{}` was written by somebody else at every one of {MOST_TRIES} tries", arguments.record),
        "find out who else writes this record (the zone's activity log), stop it, then resume",
    ))
}

/// A PUT that got no answer: one look may tell.
async fn arrived_after_all(
    arguments: &FlipCname,
    context: &Context,
    before: &Before,
    failure: &AzureError,
) -> Result<Done, StepError> {
    let look = dns::cname(&context.arm, &arguments.zone, &arguments.record).await;
    if let Ok(current) = look
        && is_ours(arguments, &current, &context.run)
    {
        return Ok(done(arguments, context, before, &current));
    }
    let step = StepError::new(
        Disposition::InDoubt,
        "flip-in-doubt",
        format!("it is not known whether Azure took the change of `{}`: {failure}", arguments.record),
        "`lifeboat resume` reads the record until it is known",
    );
    Err(error::with_details(step, failure))
}

/// What became of a flip. Reads only.
pub async fn settle(arguments: &FlipCname, context: &Context, intent: Option<&Intent>) -> Result<Verdict, StepError> {
    let Some(before) = intent.and_then(|intent| Before::deserialize(&intent.before).ok()) else {
        return Ok(Verdict::DidNotHappen { reason: "no change had been asked for".to_owned() });
    };
    let current = match dns::cname(&context.arm, &arguments.zone, &arguments.record).await {
        Ok(current) => current,
        Err(failure) => {
            return Ok(Verdict::Unknown {
                reason: format!("the record `{}` cannot be read: {failure}", arguments.record),
                remedy: failure.hint.unwrap_or_else(|| "make Azure DNS readable, then `lifeboat resume`".to_owned()),
            });
        }
    };
    if is_ours(arguments, &current, &context.run) {
        return Ok(Verdict::Happened { outputs: outputs(arguments, &before, &current, None) });
    }
    if Content::of(&current) == before.content {
        return Ok(Verdict::DidNotHappen { reason: format!("the record `{}` is as it was", arguments.record) });
    }
    Ok(Verdict::Unknown {
        reason: format!(
            "the record `{}` is neither as it was ({}) nor as this run would have left it: {}",
            arguments.record,
            before.content.shown(),
            Content::of(&current).shown(),
        ),
        remedy:
            "somebody else changed it: find out who (the zone's activity log) and what is right, then `lifeboat abort` \
                 this run and plan again"
                .to_owned(),
    })
}

/// The record as it shall be: everything of `current`, with another target and TTL, and a note of what was there.
fn wanted(arguments: &FlipCname, current: &CnameRecord, run: &str, now: &str) -> CnameRecord {
    CnameRecord {
        cname: Some(arguments.target.clone()),
        ttl: wanted_ttl(arguments, current),
        metadata: with_notes(current, run, now),
        ..current.clone()
    }
}

fn shown_time(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn wanted_ttl(arguments: &FlipCname, current: &CnameRecord) -> u32 {
    arguments.ttl.map_or(current.ttl, seconds)
}

/// Whole seconds, at least one: Azure DNS takes 1 to 2,147,483,647.
pub fn seconds(ttl: Duration) -> u32 {
    u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX).clamp(1, i32::MAX.unsigned_abs())
}

fn is_at_target(arguments: &FlipCname, current: &CnameRecord) -> bool {
    current.alias.is_none()
        && current.cname.as_deref().map(folded).as_deref() == Some(arguments.target.as_str())
        && current.ttl == wanted_ttl(arguments, current)
}

/// At the target, and this run put it there.
fn is_ours(arguments: &FlipCname, current: &CnameRecord, run: &str) -> bool {
    let by_us = current.metadata.get(RUN_KEY).is_some_and(|by| by == run);
    // A record without room for our note can only be known by where it points.
    let no_room = current.metadata.len() >= MOST_METADATA && !current.metadata.contains_key(RUN_KEY);
    is_at_target(arguments, current) && (by_us || no_room)
}

fn done(arguments: &FlipCname, context: &Context, before: &Before, stored: &CnameRecord) -> Done {
    let at = context.clock.now();
    Done {
        outputs: outputs(arguments, before, stored, Some(at)),
        evidence: json!({ "before": before, "after": Before::of(stored) }),
    }
}

/// `flipped_at`: the record's own note wins, so that a second look tells the same.
fn outputs(
    arguments: &FlipCname,
    before: &Before,
    stored: &CnameRecord,
    now: Option<jiff::Timestamp>,
) -> Map<String, Value> {
    let noted = stored.metadata.get(FLIPPED_AT_KEY).and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let ttl = Duration::from_secs(u64::from(before.content.ttl));
    let mut outputs = Map::from_iter([
        ("target".to_owned(), json!(arguments.target)),
        ("previous_target".to_owned(), json!(before.content.target)),
        ("previous_ttl".to_owned(), json!(crate::runbook::span::format(ttl))),
        ("hostname".to_owned(), json!(hostname(arguments, stored))),
    ]);
    if let Some(at) = noted.or(now) {
        outputs.insert("flipped_at".to_owned(), json!(at));
    }
    // While planning, the ETag is that of another content.
    if is_at_target(arguments, stored) {
        outputs.insert("etag".to_owned(), json!(stored.etag));
    } else {
        outputs.remove("flipped_at");
    }
    outputs
}

pub fn hostname(arguments: &FlipCname, record: &CnameRecord) -> String {
    if record.fqdn.is_empty() {
        folded(&format!("{}.{}", arguments.record, arguments.zone.name()))
    } else {
        folded(&record.fqdn)
    }
}

/// One run at a time may hold the record.
fn target_id(arguments: &FlipCname) -> String {
    format!("{}/cname/{}", arguments.zone.folded(), arguments.record.to_ascii_lowercase())
}

pub fn planned(arguments: &FlipCname, current: &CnameRecord, wanted: &CnameRecord, arm: &Arm) -> PlannedRequest {
    PlannedRequest {
        method: "PUT".to_owned(),
        url: dns::cname_url(arm, &arguments.zone, &arguments.record).to_string(),
        headers: current.etag.iter().map(|etag| ("If-Match".to_owned(), etag.clone())).collect(),
        body: Some(dns::cname_body(wanted)),
    }
}

fn judge(arguments: &FlipCname, zone: &Zone, record: &CnameRecord) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(alias) = &record.alias {
        findings.push(Finding::blocker("record-alias", alias_message(arguments, alias), ALIAS_REMEDY));
    } else if record.cname.is_none() {
        findings.push(Finding::blocker(
            "record-empty",
            format!("the record `{}` has no target", arguments.record),
            "give it the target that it should have before the failover",
        ));
    }
    if zone.name_servers.is_empty() {
        findings.push(Finding::warning(
            "zone-without-name-servers",
            format!("Azure names no name servers for {}", zone.name),
            "check that this is the public zone that the domain is delegated to",
        ));
    }
    let theirs = record.metadata.keys().filter(|key| !OWN_KEYS.contains(&key.as_str())).count();
    if theirs + OWN_KEYS.len() > MOST_METADATA {
        findings.push(Finding::warning(
            "metadata-full",
            format!("the record has {theirs} metadata entries, which leaves no room to note what was there before"),
            "remove some; the journal keeps what was there all the same",
        ));
    }
    findings
}

fn check(arguments: &FlipCname) -> Result<(), StepError> {
    if arguments.record.trim() == "@" {
        return Err(StepError::new(
            Disposition::Final,
            "record-apex",
            format!("`@` is the apex of {}, where DNS allows no CNAME", arguments.zone.name()),
            "move a name below the apex, such as `api`",
        ));
    }
    Ok(())
}

const ALIAS_REMEDY: &str =
    "move what it stands for instead (Traffic Manager, Front Door), or make it a plain CNAME before the failover";

fn alias_message(arguments: &FlipCname, alias: &str) -> String {
    format!("the record `{}` is an alias of {alias}, which a literal target would destroy", arguments.record)
}

fn refused_alias(arguments: &FlipCname, current: &CnameRecord) -> StepError {
    let alias = current.alias.as_deref().unwrap_or_default();
    StepError::new(Disposition::Refused, "record-alias", alias_message(arguments, alias), ALIAS_REMEDY)
}

pub fn unreadable(arguments: &FlipCname, failure: &AzureError) -> StepError {
    let name = format!("{}.{}", arguments.record, arguments.zone.name());
    let mut step = error::from_read(&format!("the CNAME record {name}"), failure);
    if failure.kind == AzureErrorKind::NotFound {
        "record-not-found".clone_into(&mut step.code);
        step.hint = format!(
            "check `zone` and `record`; create the CNAME {name} with its present target first: a failover moves a record, \
             it does not invent one"
        );
    }
    step
}

/// Three lines: what was planned, what is there, what was wanted.
fn changed(arguments: &FlipCname, planned: &Content, current: &CnameRecord) -> StepError {
    let found = Content::of(current);
    let mut step = StepError::new(
        Disposition::Refused,
        "record-changed",
        format!(
            "{} was changed by somebody else\n  planned on: {}\n  found now:  {}\n  wanted:     {}, TTL {} s",
            hostname(arguments, current),
            planned.shown(),
            found.shown(),
            arguments.target,
            wanted_ttl(arguments, current),
        ),
        "find out who changed it and why (the zone's activity log), then plan again",
    );
    step.details.insert("planned".to_owned(), json!(planned));
    step.details.insert("found".to_owned(), json!(found));
    step
}

pub fn no_etag(arguments: &FlipCname) -> StepError {
    StepError::new(
        Disposition::Final,
        "record-without-etag",
        format!("Azure gave no ETag for the record `{}`, so it cannot be changed safely", arguments.record),
        "read the record with `az network dns record-set cname show`; a proxy may have altered the answer",
    )
}
