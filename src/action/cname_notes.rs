//! What of a CNAME record decides where traffic goes, and the notes that a flip leaves in its metadata.
//!
//! Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{azure::dns::CnameRecord, plan::facts::Fact};

pub const RUN_KEY: &str = "lifeboat_run";
pub const PREVIOUS_TARGET_KEY: &str = "lifeboat_previous_target";
pub const PREVIOUS_TTL_KEY: &str = "lifeboat_previous_ttl";
pub const FLIPPED_AT_KEY: &str = "lifeboat_flipped_at";
pub const OWN_KEYS: [&str; 4] = [RUN_KEY, PREVIOUS_TARGET_KEY, PREVIOUS_TTL_KEY, FLIPPED_AT_KEY];
/// Entries that a record set's metadata may have. Microsoft documents no number; ten is a cautious guess (not verified).
pub const MOST_METADATA: usize = 10;
/// What of a record decides where traffic goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub target: Option<String>,
    /// Seconds.
    pub ttl: u32,
    pub alias: Option<String>,
}

/// The record before the flip, as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    pub content: Content,
    pub etag: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

impl Content {
    pub fn of(record: &CnameRecord) -> Self {
        Self { target: record.cname.as_deref().map(folded), ttl: record.ttl, alias: record.alias.clone() }
    }

    /// What the plan saw; none when it could not see the record.
    pub fn planned(facts: &[Fact]) -> Option<Self> {
        let value = |name: &str| facts.iter().find(|fact| fact.name == name).map(|fact| &fact.value);
        Some(Self {
            target: value("record.target")?.as_str().map(folded),
            ttl: u32::try_from(value("record.ttl")?.as_u64()?).ok()?,
            alias: value("record.alias").and_then(Value::as_str).map(str::to_owned),
        })
    }

    pub fn shown(&self) -> String {
        let target = match (&self.target, &self.alias) {
            (Some(target), _) => target.clone(),
            (None, Some(alias)) => format!("alias of {alias}"),
            (None, None) => "nothing".to_owned(),
        };
        format!("{target}, TTL {} s", self.ttl)
    }
}

/// Lower case, without the trailing dot.
pub fn folded(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

impl Before {
    pub fn of(record: &CnameRecord) -> Self {
        Self { content: Content::of(record), etag: record.etag.clone(), metadata: record.metadata.clone() }
    }
}

/// `current` without our notes, and then with those of this flip, as far as there is room. Others' entries stay.
pub fn with_notes(current: &CnameRecord, run: &str, now: &str) -> BTreeMap<String, String> {
    let mut metadata = without_notes(current);
    // The most important first, for a record whose owner has left little room.
    let notes = [
        (RUN_KEY, run.to_owned()),
        (PREVIOUS_TTL_KEY, current.ttl.to_string()),
        (FLIPPED_AT_KEY, now.to_owned()),
        (PREVIOUS_TARGET_KEY, current.cname.as_deref().map(folded).unwrap_or_default()),
    ];
    for (key, value) in notes {
        if metadata.len() < MOST_METADATA && !value.is_empty() {
            metadata.insert(key.to_owned(), value);
        }
    }
    metadata
}

/// Only what others wrote.
pub fn without_notes(current: &CnameRecord) -> BTreeMap<String, String> {
    let theirs = current.metadata.iter().filter(|(key, _)| !OWN_KEYS.contains(&key.as_str()));
    theirs.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// What was there before this run, told by the record itself; what is there now if this run has not written it.
pub fn previous_of(current: &CnameRecord, run: &str) -> Before {
    let mut before = Before::of(current);
    if current.metadata.get(RUN_KEY).is_none_or(|by| by != run) {
        return before;
    }
    if let Some(target) = current.metadata.get(PREVIOUS_TARGET_KEY) {
        before.content.target = Some(folded(target));
    }
    if let Some(ttl) = current.metadata.get(PREVIOUS_TTL_KEY).and_then(|ttl| ttl.parse().ok()) {
        before.content.ttl = ttl;
    }
    before
}
