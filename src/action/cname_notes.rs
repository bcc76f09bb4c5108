//! What of a CNAME record decides where traffic goes, and the notes that a change leaves in its metadata.
//!
//! A flip and a new TTL note different things under different keys, so that either can be taken back without losing
//! what the other found:
//!
//! ```text
//!  lifeboat_run · lifeboat_previous_target · lifeboat_previous_ttl · lifeboat_flipped_at       of the last flip
//!  lifeboat_ttl_before: "300 2026-11-23T08:00:00Z run-1"                                       of the last new TTL
//!  lifeboat_generation: "7 run-1"                                                              of whichever came last
//! ```
//!
//! Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{azure::dns::CnameRecord, plan::facts::Fact};

pub const RUN_KEY: &str = "lifeboat_run";
pub const PREVIOUS_TARGET_KEY: &str = "lifeboat_previous_target";
pub const PREVIOUS_TTL_KEY: &str = "lifeboat_previous_ttl";
pub const FLIPPED_AT_KEY: &str = "lifeboat_flipped_at";
/// Seconds, time and run, with a space between: one entry, since a record set has room for few.
pub const TTL_BEFORE_KEY: &str = "lifeboat_ttl_before";
/// Generation of the record's lock and the run that held it, with a space between. Whoever holds an older one may not
/// write any more.
pub const GENERATION_KEY: &str = "lifeboat_generation";
/// Entries that a record set's metadata may have. Microsoft documents no number; ten is a cautious guess (not verified).
pub const MOST_METADATA: usize = 10;

/// What a change is about, and so which notes are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    Target,
    Ttl,
}

impl About {
    pub fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Target => &[RUN_KEY, PREVIOUS_TARGET_KEY, PREVIOUS_TTL_KEY, FLIPPED_AT_KEY],
            Self::Ttl => &[TTL_BEFORE_KEY],
        }
    }
}

/// Who writes a record, and as which holder of its lock.
#[derive(Clone, Copy, Debug)]
pub struct Fence<'a> {
    pub run: &'a str,
    /// None: the run does not hold the record, since its plan could not tell that it would write it, or in a world that
    /// nobody shares. Then nothing is noted and nobody shut out; the `ETag` and what the plan saw still count.
    pub generation: Option<u64>,
}

impl Fence<'_> {
    /// What a record's metadata says of its last writer.
    pub fn on(metadata: &BTreeMap<String, String>) -> Option<(u64, &str)> {
        let text = metadata.get(GENERATION_KEY)?;
        let (generation, run) = text.split_once(' ').unwrap_or((text, ""));
        Some((generation.parse().ok()?, run))
    }

    /// Somebody who came later has written the record: its generation and run.
    pub fn shut_out<'m>(&self, metadata: &'m BTreeMap<String, String>) -> Option<(u64, &'m str)> {
        let own = self.generation?;
        Fence::on(metadata).filter(|(found, run)| *found > own || (*found == own && *run != self.run))
    }

    /// `current` with the generation noted, as far as there is room.
    pub fn noted(&self, current: &CnameRecord) -> CnameRecord {
        let mut noted = current.clone();
        if let Some(generation) = self.generation
            && (noted.metadata.len() < MOST_METADATA || noted.metadata.contains_key(GENERATION_KEY))
        {
            noted.metadata.insert(GENERATION_KEY.to_owned(), format!("{generation} {}", self.run));
        }
        noted
    }
}

/// The generation that a record showed when a step was planned; 0 when it showed none, or is no record.
pub fn generation(facts: &[Fact]) -> u64 {
    let metadata = facts.iter().find(|fact| fact.name == "record.metadata").map(|fact| &fact.value);
    let metadata = metadata.and_then(|value| BTreeMap::<String, String>::deserialize(value).ok()).unwrap_or_default();
    Fence::on(&metadata).map_or(0, |(generation, _)| generation)
}

/// What of a record decides where traffic goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub target: Option<String>,
    /// Seconds.
    pub ttl: u32,
    pub alias: Option<String>,
}

/// The record before the change, as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    pub content: Content,
    pub etag: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

/// What a change noted on the record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    pub run: Option<String>,
    /// Of a flip only.
    pub target: Option<String>,
    /// Seconds, before the change.
    pub ttl: Option<u32>,
    pub at: Option<Timestamp>,
}

impl Noted {
    pub fn on(metadata: &BTreeMap<String, String>, about: About) -> Self {
        let text = |key: &str| metadata.get(key).map(String::as_str);
        match about {
            About::Target => Self {
                run: text(RUN_KEY).map(str::to_owned),
                target: text(PREVIOUS_TARGET_KEY).map(folded),
                ttl: text(PREVIOUS_TTL_KEY).and_then(|ttl| ttl.parse().ok()),
                at: text(FLIPPED_AT_KEY).and_then(|at| at.parse().ok()),
            },
            About::Ttl => {
                let mut words = text(TTL_BEFORE_KEY).unwrap_or_default().split(' ');
                Self {
                    ttl: words.next().and_then(|ttl| ttl.parse().ok()),
                    at: words.next().and_then(|at| at.parse().ok()),
                    run: words.next().map(str::to_owned),
                    target: None,
                }
            }
        }
    }

    pub fn is_of(&self, run: &str) -> bool {
        self.run.as_deref() == Some(run)
    }
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

    /// Whether `current` is this content, but for what this very run has changed of it since and noted there.
    ///
    /// A flip of the run explains another target only to a new TTL, which keeps the target: a second flip must not go
    /// over a target that somebody else may have set after the first.
    pub fn explains(&self, current: &CnameRecord, run: &str, about: About) -> bool {
        let found = Self::of(current);
        let own = |about| Some(Noted::on(&current.metadata, about)).filter(|noted| noted.is_of(run));
        let (flip, lowering) = (own(About::Target), own(About::Ttl));
        let ttl = |noted: &Option<Noted>| noted.as_ref().and_then(|noted| noted.ttl) == Some(self.ttl);
        let target = match about {
            About::Target => false,
            About::Ttl => flip.as_ref().is_some_and(|noted| noted.target == self.target),
        };
        found.alias == self.alias
            && (found.target == self.target || target)
            && (found.ttl == self.ttl || ttl(&flip) || ttl(&lowering))
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

    /// What was there before this run's change, told by the record itself; what is there now if this run has not
    /// written it.
    pub fn noted(current: &CnameRecord, run: &str, about: About) -> Self {
        let mut before = Self::of(current);
        let noted = Noted::on(&current.metadata, about);
        if noted.is_of(run) {
            before.content.target = noted.target.or(before.content.target);
            before.content.ttl = noted.ttl.unwrap_or(before.content.ttl);
        }
        before
    }
}

/// `current` without earlier notes of this kind, and then with those of this change, as far as there is room. Others'
/// entries stay.
pub fn with_notes(current: &CnameRecord, run: &str, now: &str, about: About) -> BTreeMap<String, String> {
    let mut metadata = without_notes(current, about);
    let notes = match about {
        // The most important first, for a record whose owner has left little room.
        About::Target => vec![
            (RUN_KEY, run.to_owned()),
            (PREVIOUS_TTL_KEY, current.ttl.to_string()),
            (FLIPPED_AT_KEY, now.to_owned()),
            (PREVIOUS_TARGET_KEY, current.cname.as_deref().map(folded).unwrap_or_default()),
        ],
        About::Ttl => vec![(TTL_BEFORE_KEY, format!("{} {now} {run}", current.ttl))],
    };
    for (key, value) in notes {
        if metadata.len() < MOST_METADATA && !value.is_empty() {
            metadata.insert(key.to_owned(), value);
        }
    }
    metadata
}

/// Only what others wrote, and what the other kind of change noted.
pub fn without_notes(current: &CnameRecord, about: About) -> BTreeMap<String, String> {
    let theirs = current.metadata.iter().filter(|(key, _)| !about.keys().contains(&key.as_str()));
    theirs.map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(target: &str, ttl: u32, metadata: BTreeMap<String, String>) -> CnameRecord {
        CnameRecord { cname: Some(target.to_owned()), ttl, metadata, ..CnameRecord::default() }
    }

    const NOW: &str = "2026-11-23T08:00:00Z";

    #[test]
    fn a_new_ttl_and_a_flip_note_side_by_side() {
        let found = record("old", 300, BTreeMap::from([("owner".to_owned(), "x".to_owned())]));
        let lowered = record("old", 60, with_notes(&found, "run-1", NOW, About::Ttl));
        assert_eq!(lowered.metadata[TTL_BEFORE_KEY], "300 2026-11-23T08:00:00Z run-1");
        let flipped = record("new", 60, with_notes(&lowered, "run-1", NOW, About::Target));
        assert_eq!(Before::noted(&flipped, "run-1", About::Target).content, Content::of(&lowered));
        assert_eq!(Before::noted(&flipped, "run-1", About::Ttl).content.ttl, 300);
        assert_eq!(without_notes(&flipped, About::Target), lowered.metadata);
        assert_eq!(without_notes(&lowered, About::Ttl), found.metadata);
        // Notes of another run say nothing of this one.
        assert_eq!(Before::noted(&flipped, "run-2", About::Ttl).content, Content::of(&flipped));
    }

    #[test]
    fn a_run_is_not_surprised_by_itself() {
        let found = record("old", 300, BTreeMap::new());
        let planned = Content::of(&found);
        let lowered = record("old", 60, with_notes(&found, "run-1", NOW, About::Ttl));
        assert!(planned.explains(&lowered, "run-1", About::Target));
        assert!(!planned.explains(&lowered, "run-2", About::Target));
        let flipped = record("new", 60, with_notes(&lowered, "run-1", NOW, About::Target));
        assert!(planned.explains(&flipped, "run-1", About::Ttl));
        assert!(!planned.explains(&flipped, "run-1", About::Target), "somebody else may have moved it on");
        let elsewhere = record("elsewhere", 60, lowered.metadata.clone());
        assert!(!planned.explains(&elsewhere, "run-1", About::Target));
        let slower = record("old", 90, lowered.metadata);
        assert!(planned.explains(&slower, "run-1", About::Ttl), "a TTL alone moves no traffic");
    }

    #[test]
    fn a_generation_shuts_out_whoever_came_before() {
        let noted =
            |generation, run| Fence { run, generation: Some(generation) }.noted(&record("old", 300, BTreeMap::new()));
        let found = noted(7, "run-1").metadata;
        assert_eq!(found[GENERATION_KEY], "7 run-1");
        let shut = |generation, run| Fence { run, generation }.shut_out(&found).is_some();
        for (generation, run, expected) in [
            (Some(6), "run-1", true),
            (Some(6), "run-2", true),
            (Some(7), "run-1", false),
            (Some(7), "run-2", true),
            (Some(8), "run-2", false),
            (None, "run-1", false),
            (None, "run-2", false),
        ] {
            assert_eq!(shut(generation, run), expected, "{generation:?} of {run}");
        }
        // Nothing, and what nobody can read, shut nobody out.
        for text in ["", "seven run-1", "-1 run-1"] {
            let found = BTreeMap::from([(GENERATION_KEY.to_owned(), text.to_owned())]);
            assert_eq!(Fence { run: "run-2", generation: Some(1) }.shut_out(&found), None);
        }
        assert_eq!(Fence { run: "run-2", generation: None }.shut_out(&BTreeMap::new()), None);
    }

    #[test]
    fn a_generation_takes_the_last_room_and_is_kept_by_later_notes() {
        let full: BTreeMap<String, String> =
            (0..MOST_METADATA).map(|number| (format!("k{number}"), "x".into())).collect();
        let fence = Fence { run: "run-1", generation: Some(2) };
        assert_eq!(fence.noted(&record("old", 300, full.clone())).metadata, full);
        let mut room = full;
        room.remove("k0");
        let noted = fence.noted(&record("old", 300, room));
        assert_eq!(noted.metadata[GENERATION_KEY], "2 run-1");
        assert!(!with_notes(&noted, "run-1", NOW, About::Target).contains_key(RUN_KEY), "no room is left");
        let later = Fence { run: "run-2", generation: Some(3) }.noted(&noted);
        assert_eq!(later.metadata[GENERATION_KEY], "3 run-2", "its place is its own");
    }

    #[test]
    fn notes_that_somebody_broke_say_nothing() {
        for text in ["", "x", "300", "300 yesterday run-1", "-1 2026-11-23T08:00:00Z"] {
            let noted = Noted::on(&BTreeMap::from([(TTL_BEFORE_KEY.to_owned(), text.to_owned())]), About::Ttl);
            assert!(noted.ttl.is_none() || noted.at.is_none() || noted.run.is_none(), "{text}: {noted:?}");
        }
    }
}
