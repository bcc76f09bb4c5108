//! What `dns.set-ttl`, `dns.flip-cname` and `private-dns.flip-cname` want of a record, and what they say about it.
//!
//! One shape for all: a new TTL is a change that keeps the target. Pure.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Call, Context,
    arguments::{FlipCname, SetTtl},
    cname_notes::{About, Before, Content, Fence, MOST_METADATA, Noted, folded, with_notes},
    fact::after,
};
use crate::{
    azure::{
        Arm,
        dns::{self, CnameRecord},
    },
    plan::facts::PlannedRequest,
    run::{Disposition, StepError},
    runbook::{ActionKind, ResourceId, span},
};

/// What shall be different about a record.
#[derive(Debug)]
pub struct Change {
    pub zone: ResourceId,
    /// Relative name.
    pub record: String,
    /// None: where it points already.
    pub target: Option<String>,
    /// None: as it is.
    ttl: Option<Duration>,
}

impl From<FlipCname> for Change {
    fn from(flip: FlipCname) -> Self {
        Self { zone: flip.zone, record: flip.record, target: Some(flip.target), ttl: flip.ttl }
    }
}

impl From<SetTtl> for Change {
    fn from(set: SetTtl) -> Self {
        Self { zone: set.zone, record: set.record, target: None, ttl: Some(set.ttl) }
    }
}

impl Change {
    pub fn about(&self) -> About {
        if self.target.is_some() { About::Target } else { About::Ttl }
    }

    /// The record as it shall be: everything of `current`, with another target and TTL, and a note of what was there.
    pub fn wanted(&self, current: &CnameRecord, run: &str, now: &str) -> CnameRecord {
        CnameRecord {
            cname: self.target.clone().or_else(|| current.cname.clone()),
            ttl: self.wanted_ttl(current),
            metadata: with_notes(current, run, now, self.about()),
            ..current.clone()
        }
    }

    pub fn wanted_ttl(&self, current: &CnameRecord) -> u32 {
        self.ttl.map_or(current.ttl, seconds)
    }

    /// As it shall be, whoever made it so.
    pub fn is_there(&self, current: &CnameRecord) -> bool {
        let target = current.cname.as_deref().map(folded);
        current.alias.is_none()
            && self.target.as_ref().is_none_or(|wanted| target.as_ref() == Some(wanted))
            && current.ttl == self.wanted_ttl(current)
    }

    /// As it shall be, and this run made it so.
    pub fn is_ours(&self, current: &CnameRecord, run: &str) -> bool {
        let by = Noted::on(&current.metadata, self.about());
        // A record without room for our note can only be known by what it is, and by who wrote it last.
        let no_room = current.metadata.len() >= MOST_METADATA
            && by.run.is_none()
            && Fence::on(&current.metadata).is_none_or(|(_, writer)| writer == run);
        self.is_there(current) && (by.is_of(run) || no_room)
    }

    /// As which holder of the record's lock this process writes it.
    pub fn fence<'a>(&self, call: &Call, context: &'a Context) -> Fence<'a> {
        Fence { run: &context.run, generation: call.fences.get(&self.target_id()).copied() }
    }

    /// Refuses a record that somebody who came later has written: an old decision must not go over a newer one.
    ///
    /// # Errors
    /// `generation-older`.
    pub fn check_fence(&self, fence: Fence<'_>, current: &CnameRecord) -> Result<(), StepError> {
        let Some((found, run)) = fence.shut_out(&current.metadata) else { return Ok(()) };
        let own = fence.generation.unwrap_or_default();
        let hostname = self.hostname(current);
        let mut step = StepError::new(
            Disposition::Refused,
            "generation-older",
            format!("{hostname} was written by run `{run}` as generation {found}, and this run holds it as {own}"),
            format!("look at `lifeboat status {run}` and at the record; if this run is still wanted, plan it again"),
        );
        step.details.insert("found".to_owned(), json!({ "generation": found, "run": run }));
        Err(step)
    }

    /// `the target …, TTL … s`: for what was wanted.
    pub fn shown(&self, current: &CnameRecord) -> String {
        let target = self.target.clone().or_else(|| current.cname.as_deref().map(folded));
        Content { target, ttl: self.wanted_ttl(current), alias: None }.shown()
    }

    pub fn hostname(&self, record: &CnameRecord) -> String {
        if record.fqdn.is_empty() { self.name() } else { folded(&record.fqdn) }
    }

    /// From the arguments alone.
    pub fn name(&self) -> String {
        folded(&format!("{}.{}", self.record, self.zone.name()))
    }

    /// One run at a time may hold the record.
    pub fn target_id(&self) -> String {
        format!("{}/cname/{}", self.zone.folded(), self.record.to_ascii_lowercase())
    }

    pub fn request(&self, current: &CnameRecord, wanted: &CnameRecord, arm: &Arm) -> PlannedRequest {
        PlannedRequest {
            method: "PUT".to_owned(),
            url: dns::cname_url(arm, &self.zone, &self.record).to_string(),
            headers: current.etag.iter().map(|etag| ("If-Match".to_owned(), etag.clone())).collect(),
            body: Some(dns::cname_body(&self.zone, wanted)),
        }
    }

    /// One line for people: what would happen.
    pub fn summary(&self, current: &CnameRecord) -> String {
        let hostname = self.hostname(current);
        let wanted = self.wanted_ttl(current);
        let ttl = format!("TTL {} s → {wanted} s", current.ttl);
        let previous = Content::of(current).target.unwrap_or_else(|| "nothing".to_owned());
        match &self.target {
            Some(target) if self.is_there(current) => {
                format!("leaves {hostname} as it is: it points at {target} already")
            }
            Some(target) => format!("{hostname}: {previous} → {target}, {ttl}"),
            None if self.is_there(current) => format!("leaves {hostname} as it is: its TTL is {wanted} s already"),
            None => format!("{hostname}: {ttl}, still at {previous}"),
        }
    }

    /// The times are the record's own notes where it has some, so that a second look tells the same. `now`: none while
    /// planning and settling.
    pub fn outputs(&self, before: &Before, stored: &CnameRecord, now: Option<Timestamp>) -> Map<String, Value> {
        let there = self.is_there(stored);
        let noted = Noted::on(&stored.metadata, self.about());
        let ttl = |seconds: u32| span::format(Duration::from_secs(u64::from(seconds)));
        let mut outputs = Map::from_iter([
            ("previous_ttl".to_owned(), json!(ttl(before.content.ttl))),
            ("hostname".to_owned(), json!(self.hostname(stored))),
        ]);
        match &self.target {
            Some(target) => {
                outputs.insert("target".to_owned(), json!(target));
                outputs.insert("previous_target".to_owned(), json!(before.content.target));
            }
            None => {
                outputs.insert("ttl".to_owned(), json!(ttl(self.wanted_ttl(stored))));
            }
        }
        // While planning, ETag and times are those of another content.
        if !there {
            return outputs;
        }
        outputs.insert("etag".to_owned(), json!(stored.etag));
        match self.target {
            Some(_) => {
                if let Some(at) = noted.at.or(now) {
                    outputs.insert("flipped_at".to_owned(), json!(at));
                }
            }
            None => {
                if let Some(at) = drained_at(&noted).or(now) {
                    outputs.insert("drained_at".to_owned(), json!(at));
                }
            }
        }
        outputs
    }
}

/// The record that a step would write, told by its arguments alone: what could not be probed is held all the same.
/// None: it writes none, or that is not known yet.
pub fn record_of(kind: ActionKind, arguments: &Map<String, Value>) -> Option<String> {
    let writes = matches!(kind, ActionKind::SetTtl | ActionKind::FlipCname | ActionKind::FlipPrivateCname);
    let text = |name: &str| arguments.get(name)?.as_str().filter(|text| writes && !text.contains("${{"));
    let (zone, record) = (ResourceId::parse(text("zone")?).ok()?, text("record")?.to_owned());
    Some(Change { zone, record, target: None, ttl: None }.target_id())
}

/// When the last cache that holds the TTL from before a new one runs out. The note has whole seconds: the last of them
/// counts.
pub fn drained_at(noted: &Noted) -> Option<Timestamp> {
    Some(after(noted.at?, Duration::from_secs(u64::from(noted.ttl?) + 1)))
}

/// Whole seconds, at least one: Azure DNS takes 1 to 2,147,483,647.
pub fn seconds(ttl: Duration) -> u32 {
    u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX).clamp(1, i32::MAX.unsigned_abs())
}
