//! `dns.flip-cname` and `private-dns.flip-cname` point a CNAME record at another target; `dns.set-ttl` gives it another
//! TTL and keeps the target. The way back is in [`super::flip_undo`].
//!
//! Every write carries the `ETag` of what was read just before, keeps the metadata that others put there, and adds who
//! did it and what was there. Never overwrites a change that it has not seen.

use serde::Deserialize;
use serde_json::json;

use super::{
    Call, Context, Done, Recorder,
    adoption::{agreed, refuted},
    cname_change::Change,
    cname_notes::{About, Before, Content, GENERATION_KEY, MOST_METADATA, without_notes},
    error,
    fact::{Facts, note},
};
use crate::{
    azure::{
        AzureError, AzureErrorKind,
        dns::{self, CnameRecord, Zone},
    },
    net::Delivery,
    plan::facts::{Finding, Probe},
    run::{Disposition, Intent, StepError, Verdict, inquiry::Seen},
};

/// A stale `ETag` with equal content is tried again this often: each time somebody else wrote the same thing at once.
pub const MOST_TRIES: u32 = 3;

pub async fn probe(change: &Change, context: &Context) -> Result<Probe, StepError> {
    check(change)?;
    let (zone, record) =
        tokio::join!(dns::zone(&context.arm, &change.zone), dns::cname(&context.arm, &change.zone, &change.record),);
    let zone = zone.map_err(|failure| error::from_read(&format!("the zone {}", change.zone.name()), &failure))?;
    let record = record.map_err(|failure| unreadable(change, &failure))?;
    let source = format!("GET {}", dns::cname_url(&context.arm, &change.zone, &change.record));
    let content = Content::of(&record);
    let facts = Facts::seen(source, context.clock.now())
        .with("record.hostname", change.hostname(&record))
        .with("record.target", content.target.as_deref())
        .with("record.ttl", record.ttl)
        .with("record.alias", record.alias.as_deref())
        .with_volatile("record.etag", record.etag.as_deref())
        .with_volatile("record.metadata", json!(record.metadata))
        .with_volatile("zone.name_servers", json!(zone.name_servers));
    // Neither the run nor the time is known yet, and a plan of the same world must be the same plan.
    let wanted = change.wanted(&record, "<run>", "<time>");
    let there = change.is_there(&record);
    let requests = if there { Vec::new() } else { vec![change.request(&record, &wanted, &context.arm)] };
    Ok(Probe {
        summary: change.summary(&record),
        facts: facts.into_vec(),
        requests,
        outputs: change.outputs(&Before::of(&record), &record, None),
        findings: judge(change, &zone, &record),
        verified: true,
        targets: vec![change.target_id()],
        ..Probe::default()
    })
}

pub async fn perform(change: &Change, call: &Call, context: &Context, record: &Recorder) -> Result<Done, StepError> {
    check(change)?;
    let arm = context.arm.noting(record.sink());
    let planned_etag = call.planned.iter().find(|fact| fact.name == "record.etag").and_then(|fact| fact.value.as_str());
    let mut expected = Content::planned(&call.planned);
    let fence = change.fence(call, context);
    // A record without room for our notes cannot tell what was there before the attempt that may have changed it.
    let mut sent: Option<Before> = None;
    for attempt in 1..=MOST_TRIES {
        let current =
            dns::cname(&arm, &change.zone, &change.record).await.map_err(|failure| unreadable(change, &failure))?;
        change.check_fence(fence, &current)?;
        if change.is_there(&current) {
            if attempt == 1 {
                note(record, change.summary(&current));
            }
            let before = sent.unwrap_or_else(|| Before::noted(&current, &context.run, change.about()));
            return Ok(done(change, context, &before, &current));
        }
        if let Some((code, message, remedy)) = unfit(change, &current) {
            return Err(StepError::new(Disposition::Refused, code, message, remedy));
        }
        if let Some(expected) = &expected
            && !expected.explains(&current, &context.run, change.about())
        {
            return Err(changed(change, expected, &current));
        }
        if attempt == 1 && planned_etag.is_some() && planned_etag != current.etag.as_deref() {
            note(record, "the record was written since the plan was made, with the same content; going on");
        }
        let Some(etag) = current.etag.clone() else { return Err(no_etag(change)) };
        let wanted = change.wanted(&fence.noted(&current), &context.run, &shown_time(context.clock.now()));
        let before = Before::of(&current);
        let request = change.request(&current, &wanted, &arm);
        record.intend(Intent { request, before: json!(before) }).await;
        match dns::put_cname(&arm, &change.zone, &wanted, &etag).await {
            Ok(stored) => return Ok(done(change, context, &before, &stored)),
            Err(failure) if failure.kind == AzureErrorKind::PreconditionFailed => {
                note(record, "somebody else wrote the record at the same moment; reading it again");
                // From here on the content must stay as it was when this attempt read it.
                expected = Some(Content::of(&current));
                sent = Some(before);
            }
            Err(failure) if failure.delivery == Delivery::Unknown => {
                return arrived_after_all(change, context, &before, &failure).await;
            }
            Err(failure) => {
                return Err(error::from_refusal(&format!("the change of {}", change.hostname(&current)), &failure));
            }
        }
    }
    Err(StepError::new(
        Disposition::Retryable,
        "record-contended",
        format!("the record `{}` was written by somebody else at every one of {MOST_TRIES} tries", change.record),
        "find out who else writes this record (the zone's activity log), stop it, then resume",
    ))
}

/// A PUT that got no answer: one look may tell.
async fn arrived_after_all(
    change: &Change,
    context: &Context,
    before: &Before,
    failure: &AzureError,
) -> Result<Done, StepError> {
    let look = dns::cname(&context.arm, &change.zone, &change.record).await;
    if let Ok(current) = look
        && change.is_ours(&current, &context.run)
    {
        return Ok(done(change, context, before, &current));
    }
    let code = match change.about() {
        About::Target => "flip-in-doubt",
        About::Ttl => "ttl-in-doubt",
    };
    let step = StepError::new(
        Disposition::InDoubt,
        code,
        format!("it is not known whether Azure took the change of `{}`: {failure}", change.record),
        "`lifeboat resume` reads the record until it is known",
    );
    Err(error::with_details(step, failure))
}

/// What became of a change. Reads only.
pub async fn settle(change: &Change, context: &Context, intent: Option<&Intent>) -> Result<Verdict, StepError> {
    let Some(before) = intent.and_then(|intent| Before::deserialize(&intent.before).ok()) else {
        return Ok(Verdict::DidNotHappen { reason: "no change had been asked for".to_owned() });
    };
    let current = match dns::cname(&context.arm, &change.zone, &change.record).await {
        Ok(current) => current,
        Err(failure) => {
            return Ok(Verdict::Unknown {
                reason: format!("the record `{}` cannot be read: {failure}", change.record),
                remedy: failure.hint.unwrap_or_else(|| "make Azure DNS readable, then `lifeboat resume`".to_owned()),
            });
        }
    };
    if change.is_ours(&current, &context.run) {
        return Ok(Verdict::Happened { outputs: change.outputs(&before, &current, None) });
    }
    if Content::of(&current) == before.content {
        return Ok(Verdict::DidNotHappen { reason: format!("the record `{}` is as it was", change.record) });
    }
    Ok(Verdict::Unknown {
        reason: format!(
            "the record `{}` is neither as it was ({}) nor as this run would have left it: {}",
            change.record,
            before.content.shown(),
            Content::of(&current).shown(),
        ),
        remedy:
            "somebody else changed it: find out who (the zone's activity log) and what is right, then `lifeboat abort` \
                 this run and plan again"
                .to_owned(),
    })
}

/// Whether the record is as the change wants it, whoever made it so. Reads only.
pub async fn adopt(change: &Change, call: &Call, context: &Context) -> Result<Seen, StepError> {
    check(change)?;
    let current =
        dns::cname(&context.arm, &change.zone, &change.record).await.map_err(|failure| unreadable(change, &failure))?;
    if !change.is_there(&current) {
        let (name, found, wanted) = (change.hostname(&current), Content::of(&current).shown(), change.shown(&current));
        return Ok(refuted(format!("{name} is {found}; wanted: {wanted}")));
    }
    let earlier = call.earlier.as_ref().and_then(|intent| Before::deserialize(&intent.before).ok());
    let planned = Content::planned(&call.planned);
    let before = earlier.unwrap_or_else(|| match planned {
        Some(content) => Before { content, ..Before::of(&current) },
        None => Before::noted(&current, &context.run, change.about()),
    });
    let Done { outputs, evidence } = done(change, context, &before, &current);
    Ok(agreed(outputs, evidence))
}

fn shown_time(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn done(change: &Change, context: &Context, before: &Before, stored: &CnameRecord) -> Done {
    let at = context.clock.now();
    Done {
        outputs: change.outputs(before, stored, Some(at)),
        evidence: json!({ "before": before, "after": Before::of(stored) }),
    }
}

fn judge(change: &Change, zone: &Zone, record: &CnameRecord) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some((code, message, remedy)) = unfit(change, record) {
        findings.push(Finding::blocker(code, message, remedy));
    }
    if zone.name_servers.is_empty() && !dns::is_private(&change.zone) {
        findings.push(Finding::warning(
            "zone-without-name-servers",
            format!("Azure names no name servers for {}", zone.name),
            "check that this is the public zone that the domain is delegated to",
        ));
    }
    let others = without_notes(record, change.about()).len();
    let generation = usize::from(!record.metadata.contains_key(GENERATION_KEY));
    if others + change.about().keys().len() + generation > MOST_METADATA {
        findings.push(Finding::warning(
            "metadata-full",
            format!("the record has {others} metadata entries, which leaves no room to note what was there before"),
            "remove some; the journal keeps what was there all the same",
        ));
    }
    findings
}

/// Why a record must not be changed, whatever the plan says: code, message, remedy.
fn unfit(change: &Change, record: &CnameRecord) -> Option<(&'static str, String, &'static str)> {
    let name = &change.record;
    if let Some(alias) = &record.alias {
        return Some((
            "record-alias",
            format!("the record `{name}` is an alias of {alias}, which a literal target would destroy"),
            "move what it stands for instead (Traffic Manager, Front Door), or make it a plain CNAME before the failover",
        ));
    }
    if record.auto_registered {
        return Some((
            "record-auto-registered",
            format!("the record `{name}` is registered by Azure for a virtual machine, and Azure rewrites it"),
            "move another name: one that people made in the zone",
        ));
    }
    if record.cname.is_none() {
        return Some((
            "record-empty",
            format!("the record `{name}` has no target"),
            "give it the target that it should have before the failover",
        ));
    }
    None
}

fn check(change: &Change) -> Result<(), StepError> {
    if change.record.trim() == "@" {
        return Err(StepError::new(
            Disposition::Final,
            "record-apex",
            format!("`@` is the apex of {}, where DNS allows no CNAME", change.zone.name()),
            "move a name below the apex, such as `api`",
        ));
    }
    Ok(())
}

pub fn unreadable(change: &Change, failure: &AzureError) -> StepError {
    let name = change.name();
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
fn changed(change: &Change, planned: &Content, current: &CnameRecord) -> StepError {
    let found = Content::of(current);
    let mut step = StepError::new(
        Disposition::Refused,
        "record-changed",
        format!(
            "{} was changed by somebody else\n  planned on: {}\n  found now:  {}\n  wanted:     {}",
            change.hostname(current),
            planned.shown(),
            found.shown(),
            change.shown(current),
        ),
        "find out who changed it and why (the zone's activity log), then plan again",
    );
    step.details.insert("planned".to_owned(), json!(planned));
    step.details.insert("found".to_owned(), json!(found));
    step
}

pub fn no_etag(change: &Change) -> StepError {
    let command = if dns::is_private(&change.zone) { "private-dns" } else { "dns" };
    StepError::new(
        Disposition::Final,
        "record-without-etag",
        format!("Azure gave no ETag for the record `{}`, so it cannot be changed safely", change.record),
        format!(
            "read the record with `az network {command} record-set cname show`; a proxy may have altered the answer"
        ),
    )
}
