//! Which backup to restore: the rules, as a pure function over a listing.
//!
//! Never reads the clock, a blob or a manifest: the caller says what they said.

use std::{cmp::Reverse, fmt, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::name_time;
use crate::{azure::storage::BlobItem, runbook::span};

/// A backup can be restored for 30 days from its own creation (azure-facts 1.4: "Cannot restore: backup expired").
pub const LIFETIME: Duration = Duration::from_hours(30 * 24);

/// What a manifest's name ends with; it stands beside the backup that it describes.
pub const MANIFEST_SUFFIX: &str = ".manifest.json";

/// Keys of blob metadata that may hold the backup's own creation, in any case.
const METADATA_KEYS: [&str; 5] = ["created", "created_at", "created_utc", "backup_created", "lifeboat_created"];

/// One blob of the listing and, when its manifest was read, the time in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidate {
    pub blob: BlobItem,
    pub manifest_created: Option<Timestamp>,
    /// Why it is another service's backup; none: it is not, or nobody asked.
    pub other: Option<String>,
}

impl Candidate {
    /// A blob of which no more is known.
    pub fn of(blob: BlobItem) -> Self {
        Self { blob, ..Self::default() }
    }
}

/// Why a blob cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// It is not a backup of the service that is asked for, and why.
    OtherService(String),
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
            Self::OtherService(why) => f.write_str(why),
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
    /// Every candidate of the service was rejected because it is too old.
    pub fn only_expired(&self) -> bool {
        let mut own = self.rejected.iter().filter(|one| !matches!(one.reason, Rejection::OtherService(_))).peekable();
        self.chosen.is_none()
            && own.peek().is_some()
            && own.all(|rejected| match rejected.reason {
                Rejection::Expired { .. } | Rejection::ExpiresTooSoon { .. } => true,
                Rejection::OtherService(_)
                | Rejection::Deleted
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
        match judge(candidate, created.map(|(time, _)| time), now, needed_until) {
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
    candidate: &Candidate,
    created: Option<Timestamp>,
    now: Timestamp,
    needed_until: Timestamp,
) -> Result<Timestamp, Rejection> {
    let is =
        |value: &Option<String>, text: &str| value.as_deref().is_some_and(|value| value.eq_ignore_ascii_case(text));
    let blob = &candidate.blob;
    if let Some(why) = &candidate.other {
        return Err(Rejection::OtherService(why.clone()));
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const DAY: Duration = Duration::from_hours(24);

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn ago(age: Duration) -> Timestamp {
        now() - SignedDuration::try_from(age).unwrap()
    }

    fn backup(name: &str, age: Duration) -> Candidate {
        let blob = BlobItem {
            name: name.to_owned(),
            created: Some(ago(age)),
            last_modified: Some(ago(age)),
            size: 1000,
            tier: Some("Hot".to_owned()),
            ..BlobItem::default()
        };
        Candidate::of(blob)
    }

    fn chosen(candidates: &[Candidate]) -> Option<String> {
        choose(candidates, now(), 12 * HOUR, Duration::from_mins(90)).chosen.map(|chosen| chosen.name)
    }

    fn reason(candidate: Candidate) -> String {
        let choice = choose(&[candidate], now(), 12 * HOUR, Duration::from_mins(90));
        assert_eq!(choice.chosen, None);
        choice.rejected[0].reason.to_string()
    }

    #[test]
    fn the_newest_usable_one_wins() {
        let candidates = [backup("a", 3 * DAY), backup("b", DAY), backup("c", 2 * DAY)];
        assert_eq!(chosen(&candidates).as_deref(), Some("b"));
    }

    #[test]
    fn every_trap_is_named() {
        let with = |change: fn(&mut BlobItem)| {
            let mut candidate = backup("x", DAY);
            change(&mut candidate.blob);
            candidate
        };
        for (candidate, said) in [
            (with(|blob| blob.size = 0), "it is empty"),
            (with(|blob| blob.tier = Some("archive".to_owned())), "Archive tier"),
            (with(|blob| blob.archive_status = Some("rehydrate-pending-to-hot".to_owned())), "rehydrated"),
            (with(|blob| blob.copy_status = Some("Pending".to_owned())), "its copy is pending"),
            (with(|blob| blob.copy_status = Some("failed".to_owned())), "its copy is failed"),
            (with(|blob| blob.deleted = true), "it is deleted"),
            (with(|blob| blob.snapshot = Some("2026".to_owned())), "it is a snapshot"),
            (with(|blob| (blob.created, blob.last_modified) = (None, None)), "nothing says when"),
            (backup("x", 31 * DAY), "it was created 2026-10-23 12:00 UTC and expired 2026-11-22 12:00 UTC"),
            (
                backup("x", 29 * DAY + 11 * HOUR),
                "it expires 2026-11-24 01:00 UTC, but restore and margin need it until",
            ),
        ] {
            let text = reason(candidate);
            assert!(text.contains(said), "{text}");
        }
        assert_eq!(chosen(&[with(|blob| blob.copy_status = Some("success".to_owned()))]).as_deref(), Some("x"));
    }

    #[test]
    fn the_age_is_the_oldest_that_anything_tells() {
        let mut by_metadata = backup("m", HOUR);
        by_metadata.blob.metadata = BTreeMap::from([("Created".to_owned(), ago(31 * DAY).to_string())]);
        let mut by_manifest = backup("n", HOUR);
        by_manifest.manifest_created = Some(ago(31 * DAY));
        let mut by_modification = backup("o", HOUR);
        by_modification.blob.last_modified = Some(ago(31 * DAY));
        let by_name = backup("apim-20261020T100000Z", HOUR);
        for candidate in [by_metadata, by_manifest, by_modification, by_name] {
            assert!(reason(candidate).contains("expired"));
        }
    }

    #[test]
    fn a_day_in_the_name_says_nothing_against_an_hour_of_that_day() {
        let candidate = backup("apim-20261123", 2 * HOUR);
        let choice = choose(&[candidate], now(), HOUR, HOUR);
        let chosen = choice.chosen.unwrap();
        assert_eq!((chosen.created, chosen.created_source), (ago(2 * HOUR), "Creation-Time"));
    }

    #[test]
    fn manifests_are_no_backups_and_nothing_is_nothing() {
        assert_eq!(chosen(&[backup("x.manifest.json", HOUR)]), None);
        assert_eq!(choose(&[backup("x.manifest.json", HOUR)], now(), HOUR, HOUR), Choice::default());
    }

    #[test]
    fn only_expired_is_told_apart() {
        let choice = choose(&[backup("a", 31 * DAY), backup("b", 40 * DAY)], now(), HOUR, HOUR);
        assert!(choice.only_expired());
        assert_eq!(choice.rejected[0].name, "a", "newest first");
        let mut empty = backup("c", HOUR);
        empty.blob.size = 0;
        assert!(!choose(&[backup("a", 31 * DAY), empty], now(), HOUR, HOUR).only_expired());
    }

    /// What a person would do with a list on paper: strike out, then take the youngest.
    fn oracle(candidates: &[Candidate], margin: Duration, restore: Duration) -> Option<String> {
        let mut best: Option<(u64, String)> = None;
        for candidate in candidates {
            let blob = &candidate.blob;
            let age = |time: Option<Timestamp>| time.map(|time| now().duration_since(time).as_secs().unsigned_abs());
            let Some(age) = [age(candidate.manifest_created), age(blob.created), age(blob.last_modified)]
                .into_iter()
                .flatten()
                .max()
            else {
                continue;
            };
            let fits = age + restore.as_secs() + margin.as_secs() <= 30 * 24 * 3600;
            let whole = blob.size > 0 && !blob.deleted && blob.tier.as_deref() != Some("Archive");
            let better = best.as_ref().is_none_or(|(least, _)| age < *least);
            if fits && whole && better {
                best = Some((age, blob.name.clone()));
            }
        }
        best.map(|(_, name)| name)
    }

    proptest! {
        #[test]
        fn agrees_with_the_oracle(
            specs in prop::collection::vec(
                (0_u64..40 * 24, 0_u64..40 * 24, prop::option::of(0_u64..40 * 24), 0_u64..3, any::<bool>(), any::<bool>()),
                0..12,
            ),
            margin in 0_u64..48,
            restore in 0_u64..4,
        ) {
            let candidates: Vec<Candidate> = specs
                .iter()
                .enumerate()
                .map(|(place, (created, modified, manifest, size, deleted, archived))| {
                    // Whole hours and the place in seconds, so that no two are equally old.
                    let time = |hours: u64| ago(HOUR * u32::try_from(hours).unwrap() + Duration::from_secs(place as u64));
                    let mut candidate = backup(&format!("b-{place}"), HOUR);
                    candidate.blob.created = Some(time(*created));
                    candidate.blob.last_modified = Some(time(*modified));
                    candidate.manifest_created = manifest.map(time);
                    candidate.blob.size = *size;
                    candidate.blob.deleted = *deleted;
                    candidate.blob.tier = archived.then(|| "Archive".to_owned());
                    candidate
                })
                .collect();
            let (margin, restore) = (Duration::from_secs(margin * 3600), Duration::from_secs(restore * 3600));
            let choice = choose(&candidates, now(), margin, restore);
            prop_assert_eq!(choice.usable + choice.rejected.len(), candidates.len());
            prop_assert_eq!(choice.chosen.map(|chosen| chosen.name), oracle(&candidates, margin, restore));
        }
    }
}
