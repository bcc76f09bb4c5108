//! Which backup to restore: the rules, as a pure function over a listing.
//!
//! Never reads the clock, a blob or a manifest: the caller says what they said.

use std::{cmp::Reverse, fmt, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::name_time;
use crate::{azure::storage::BlobItem, runbook::span};

/// A backup can be restored for 30 days from its own creation (azure-facts 1.4: "Cannot restore: backup expired").
pub const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a manifest's name ends with; it stands beside the backup that it describes.
pub const MANIFEST_SUFFIX: &str = ".manifest.json";

/// Keys of blob metadata that may hold the backup's own creation, in any case.
const METADATA_KEYS: [&str; 5] = ["created", "created_at", "created_utc", "backup_created", "lifeboat_created"];

/// One blob of the listing and, when its manifest was read, the time in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidate {
    pub blob: BlobItem,
    pub manifest_created: Option<Timestamp>,
}

/// Why a blob cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    Deleted,
    Snapshot,
    Empty,
    Archived,
    Rehydrating,
    /// `pending`, `failed` or `aborted`: the content is not whole.
    Copy(String),
    NoTime,
    Expired {
        created: Timestamp,
        expired: Timestamp,
    },
    ExpiresTooSoon {
        expires: Timestamp,
        needed_until: Timestamp,
    },
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deleted => f.write_str("it is deleted"),
            Self::Snapshot => f.write_str("it is a snapshot, and a restore reads the blob itself"),
            Self::Empty => f.write_str("it is empty"),
            Self::Archived => {
                f.write_str("it is in the Archive tier, which cannot be read before hours of rehydration")
            }
            Self::Rehydrating => f.write_str("it is being rehydrated from the Archive tier"),
            Self::Copy(status) => write!(f, "its copy is {status}, so its content is not whole"),
            Self::NoTime => f.write_str("nothing says when it was created"),
            Self::Expired { created, expired } => {
                write!(f, "it was created {} and expired {}", minute(*created), minute(*expired))
            }
            Self::ExpiresTooSoon { expires, needed_until } => write!(
                f,
                "it expires {}, but restore and margin need it until {}",
                minute(*expires),
                minute(*needed_until)
            ),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    pub name: String,
    /// The oldest of everything that tells it.
    pub created: Timestamp,
    pub expires: Timestamp,
    pub size: u64,
    /// Which source told the oldest time: `manifest`, `metadata`, `Creation-Time`, `Last-Modified` or `name`.
    pub created_source: &'static str,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    pub name: String,
    pub created: Option<Timestamp>,
    pub reason: Rejection,
}

/// The decision over one listing.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Choice {
    /// The newest usable one.
    pub chosen: Option<Chosen>,
    /// How many are usable, the chosen one included.
    pub usable: usize,
    /// Newest first.
    pub rejected: Vec<Rejected>,
}

impl Choice {
    /// Every candidate was rejected because it is too old.
    pub fn only_expired(&self) -> bool {
        self.chosen.is_none()
            && !self.rejected.is_empty()
            && self.rejected.iter().all(|rejected| match rejected.reason {
                Rejection::Expired { .. } | Rejection::ExpiresTooSoon { .. } => true,
                Rejection::Deleted
                | Rejection::Snapshot
                | Rejection::Empty
                | Rejection::Archived
                | Rejection::Rehydrating
                | Rejection::Copy(_)
                | Rejection::NoTime => false,
            })
    }
}

/// Chooses the newest backup that stays valid for `restore_timeout` and `margin` from `now`.
/// Manifests are not candidates and are passed over in silence.
pub fn choose(candidates: &[Candidate], now: Timestamp, margin: Duration, restore_timeout: Duration) -> Choice {
    let needed_until = later(now, restore_timeout.saturating_add(margin));
    let mut usable: Vec<(Chosen, Option<Timestamp>)> = Vec::new();
    let mut rejected = Vec::new();
    for candidate in candidates.iter().filter(|candidate| !is_manifest(&candidate.blob.name)) {
        let name = candidate.blob.name.clone();
        let created = creation(candidate);
        match judge(&candidate.blob, created.map(|(time, _)| time), now, needed_until) {
            Err(reason) => rejected.push(Rejected { name, created: created.map(|(time, _)| time), reason }),
            Ok(created_at) => usable.push((
                Chosen {
                    name,
                    created: created_at,
                    expires: later(created_at, LIFETIME),
                    size: candidate.blob.size,
                    created_source: created.map_or("", |(_, source)| source),
                },
                candidate.blob.last_modified,
            )),
        }
    }
    rejected.sort_by(|a, b| (Reverse(a.created), &a.name).cmp(&(Reverse(b.created), &b.name)));
    let count = usable.len();
    // Of two that are equally old the one written last, then the last by name: any order would do, but always the same.
    let chosen = usable.into_iter().max_by(|(a, a_modified), (b, b_modified)| {
        (a.created, a_modified, &a.name).cmp(&(b.created, b_modified, &b.name))
    });
    Choice { chosen: chosen.map(|(chosen, _)| chosen), usable: count, rejected }
}

pub fn is_manifest(name: &str) -> bool {
    name.ends_with(MANIFEST_SUFFIX)
}

/// `2026-11-23 10:05 UTC`, for people.
pub fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// `span` text of how long before `now` it was; `0s` for the future.
pub fn age(created: Timestamp, now: Timestamp) -> String {
    let elapsed = Duration::try_from(now.duration_since(created)).unwrap_or_default();
    span::format(Duration::from_secs(elapsed.as_secs()))
}

fn judge(
    blob: &BlobItem,
    created: Option<Timestamp>,
    now: Timestamp,
    needed_until: Timestamp,
) -> Result<Timestamp, Rejection> {
    let is =
        |value: &Option<String>, text: &str| value.as_deref().is_some_and(|value| value.eq_ignore_ascii_case(text));
    if blob.deleted {
        return Err(Rejection::Deleted);
    }
    if blob.snapshot.is_some() {
        return Err(Rejection::Snapshot);
    }
    if let Some(status) = blob.copy_status.as_deref().filter(|status| !status.eq_ignore_ascii_case("success")) {
        return Err(Rejection::Copy(status.to_ascii_lowercase()));
    }
    if blob.size == 0 {
        return Err(Rejection::Empty);
    }
    if blob.archive_status.as_deref().is_some_and(|status| !status.is_empty()) {
        return Err(Rejection::Rehydrating);
    }
    if is(&blob.tier, "Archive") {
        return Err(Rejection::Archived);
    }
    let created = created.ok_or(Rejection::NoTime)?;
    let expires = later(created, LIFETIME);
    if expires <= now {
        return Err(Rejection::Expired { created, expired: expires });
    }
    if expires < needed_until {
        return Err(Rejection::ExpiresTooSoon { expires, needed_until });
    }
    Ok(created)
}

/// The oldest of all that tells when the backup was made. `Last-Modified` moves when metadata are set, and
/// `Creation-Time` starts anew in a copy, so each may be too young; none of them can be too old (azure-facts 3, "age trap").
fn creation(candidate: &Candidate) -> Option<(Timestamp, &'static str)> {
    let blob = &candidate.blob;
    let metadata = blob.metadata.iter().filter_map(|(key, value)| {
        let known = METADATA_KEYS.iter().any(|known| key.eq_ignore_ascii_case(known));
        known.then(|| read_time(value)).flatten()
    });
    let told = [
        (candidate.manifest_created, "manifest"),
        (metadata.min(), "metadata"),
        (blob.created, "Creation-Time"),
        (blob.last_modified, "Last-Modified"),
    ];
    let oldest = told.into_iter().filter_map(|(time, source)| Some((time?, source))).min_by_key(|(time, _)| *time);
    let named = name_time::window(&blob.name);
    match (oldest, named) {
        // The name is only as fine as it is written: a day says nothing against a time within or before that day.
        (Some((time, source)), Some(window)) if time < window.end => Some((time, source)),
        (_, Some(window)) => Some((window.start, "name")),
        (oldest, None) => oldest,
    }
}

fn read_time(text: &str) -> Option<Timestamp> {
    let rfc2822 = || jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    text.trim().parse::<Timestamp>().ok().or_else(rfc2822)
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}
