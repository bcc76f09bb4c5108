//! Which backups go: the rules, as a pure function over a listing.
//!
//! Never the newest usable one; never one that is still being written or that nothing tells the age of; never anything
//! that was written within `keep_days`, whatever its name or its manifest says.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    choose::{self, Candidate, LIFETIME, MANIFEST_SUFFIX, Rejection, is_manifest},
    manifest,
};
use crate::azure::storage::BlobItem;

/// A manifest without its backup is left alone for so long: its backup may not be listed yet.
const ORPHAN_AGE: SignedDuration = SignedDuration::from_hours(24);

/// A blob that goes, as it was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doomed {
    pub name: String,
    pub etag: String,
    /// Its manifest and that one's `ETag`. It goes after the backup: a usable backup never stands without its manifest.
    pub manifest: Option<(String, String)>,
}

impl Doomed {
    /// Name and `ETag` of each blob, in the order in which they go.
    pub fn blobs(&self) -> impl Iterator<Item = (&str, &str)> {
        let manifest = self.manifest.as_ref().map(|(name, etag)| (name.as_str(), etag.as_str()));
        std::iter::once((self.name.as_str(), self.etag.as_str())).chain(manifest)
    }
}

/// The decision over one listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Oldest first, orphaned manifests last.
    pub doomed: Vec<Doomed>,
    /// Backups that stay.
    pub kept: usize,
    /// Backups whose manifests nobody has read yet, and that decide whether another one is surplus. As long as there are
    /// any, what is surplus stays.
    pub unread: Vec<String>,
}

/// What the manifest of a backup says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub created: Option<Timestamp>,
    /// Why it is another service's backup.
    pub other: Option<String>,
}

/// `listed` begins with the prefix, manifests included. `told`: the manifests that were read, by the backup's name; each
/// can only make a backup older or another's. `keep` is at least 1.
pub fn decide(
    listed: &[BlobItem],
    told: &BTreeMap<String, Told>,
    now: Timestamp,
    keep: usize,
    keep_days: u32,
) -> Decision {
    let by_age = Duration::from_hours(24 * u64::from(keep_days));
    let backups: Vec<&BlobItem> = listed.iter().filter(|blob| !is_manifest(&blob.name)).collect();
    let mut usable = Vec::new();
    let mut going = Vec::new();
    for blob in &backups {
        match judged(blob, told.get(&blob.name), now) {
            Ok(created) => usable.push((created, *blob)),
            Err(Some(created)) if is_older(created, LIFETIME, now) => going.push((created, *blob)),
            Err(_) => {}
        }
    }
    usable.sort_by(|a, b| (Reverse(a.0), Reverse(&a.1.name)).cmp(&(Reverse(b.0), Reverse(&b.1.name))));
    let may_go = |(created, blob): &(Timestamp, &BlobItem)| {
        let written = blob.created.max(blob.last_modified).unwrap_or(now).max(*created);
        is_older(written, by_age, now) && blob.etag.is_some()
    };
    going.retain(may_go);
    let surplus: Vec<_> = usable.iter().skip(keep.max(1)).copied().filter(may_go).collect();
    let unread = if surplus.is_empty() { Vec::new() } else { unread(&usable, told, listed) };
    if unread.is_empty() {
        going.extend(surplus);
    }
    going.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
    let etag = |name: &str| listed.iter().find(|blob| blob.name == name).and_then(|blob| blob.etag.clone());
    let mut doomed: Vec<Doomed> = Vec::new();
    for (_, blob) in &going {
        let name = manifest::blob_name(&blob.name);
        let manifest = etag(&name).map(|etag| (name, etag));
        doomed.push(Doomed { name: blob.name.clone(), etag: blob.etag.clone().unwrap_or_default(), manifest });
    }
    let kept = backups.len() - doomed.len();
    let names: BTreeSet<&str> = backups.iter().map(|blob| blob.name.as_str()).collect();
    let orphans = listed.iter().filter(|blob| {
        let of = blob.name.strip_suffix(MANIFEST_SUFFIX);
        let old = blob.last_modified.is_some_and(|at| now.duration_since(at) > ORPHAN_AGE);
        of.is_some_and(|of| !names.contains(of)) && old && blob.snapshot.is_none() && !blob.deleted
    });
    doomed.extend(
        orphans.filter_map(|blob| Some(Doomed { name: blob.name.clone(), etag: blob.etag.clone()?, manifest: None })),
    );
    Decision { doomed, kept, unread }
}

/// Usable backups that have a manifest which nobody has read.
fn unread(usable: &[(Timestamp, &BlobItem)], told: &BTreeMap<String, Told>, listed: &[BlobItem]) -> Vec<String> {
    let names: BTreeSet<&str> = listed.iter().map(|blob| blob.name.as_str()).collect();
    let described = |name: &str| names.contains(manifest::blob_name(name).as_str());
    let open = usable.iter().map(|(_, blob)| &blob.name);
    open.filter(|name| !told.contains_key(*name) && described(name)).cloned().collect()
}

/// When a usable backup was made. `Err`: it cannot be restored, and when it was made if it may be judged by that.
fn judged(blob: &BlobItem, told: Option<&Told>, now: Timestamp) -> Result<Timestamp, Option<Timestamp>> {
    let Told { created, other } = told.cloned().unwrap_or_default();
    let candidate = Candidate { manifest_created: created, other, ..Candidate::of(blob.clone()) };
    let choice = choose::choose(&[candidate], now, Duration::ZERO, Duration::ZERO);
    if let Some(chosen) = choice.chosen {
        return Ok(chosen.created);
    }
    let Some(rejected) = choice.rejected.into_iter().next() else { return Err(None) };
    Err(match rejected.reason {
        Rejection::Expired { .. } | Rejection::ExpiresTooSoon { .. } | Rejection::Empty | Rejection::Archived => {
            rejected.created
        }
        // It is another's, somebody is at work on it, or it is not there to be deleted.
        Rejection::OtherService(_)
        | Rejection::Deleted
        | Rejection::Snapshot
        | Rejection::Rehydrating
        | Rejection::Copy(_)
        | Rejection::NoTime => None,
    })
}

fn is_older(time: Timestamp, than: Duration, now: Timestamp) -> bool {
    now.duration_since(time) >= SignedDuration::try_from(than).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn blob(name: &str, days: i64) -> BlobItem {
        let at = now() - SignedDuration::from_hours(24 * days);
        BlobItem {
            name: name.to_owned(),
            created: Some(at),
            last_modified: Some(at),
            etag: Some(format!("0x{days}")),
            size: 1,
            ..BlobItem::default()
        }
    }

    fn names(decision: &Decision) -> Vec<&str> {
        decision.doomed.iter().map(|one| one.name.as_str()).collect()
    }

    #[test]
    fn what_expired_goes_and_what_is_surplus_when_it_is_old_enough() {
        let listed: Vec<BlobItem> = [1, 5, 10, 29, 31, 40].map(|days| blob(&format!("a{days}"), days)).into();
        assert_eq!(names(&decide(&listed, &BTreeMap::new(), now(), 7, 30)), ["a40", "a31"]);
        assert_eq!(names(&decide(&listed, &BTreeMap::new(), now(), 2, 7)), ["a40", "a31", "a29", "a10"]);
        assert_eq!(names(&decide(&listed, &BTreeMap::new(), now(), 1, 1)), ["a40", "a31", "a29", "a10", "a5"]);
        assert_eq!(names(&decide(&listed, &BTreeMap::new(), now(), 1, 36)), ["a40"]);
    }

    #[test]
    fn a_manifest_goes_with_its_backup_and_an_orphan_by_itself() {
        let listed = [
            blob("a1", 1),
            blob("a1.manifest.json", 1),
            blob("a40", 40),
            blob("a40.manifest.json", 40),
            blob("a9.manifest.json", 9),
        ];
        let decision = decide(&listed, &BTreeMap::new(), now(), 1, 30);
        assert_eq!(names(&decision), ["a40", "a9.manifest.json"]);
        assert_eq!(decision.doomed[0].manifest, Some(("a40.manifest.json".to_owned(), "0x40".to_owned())));
        assert_eq!(decision.kept, 1);
    }

    #[test]
    fn what_somebody_works_on_or_was_written_lately_stays() {
        let copying = BlobItem { copy_status: Some("pending".to_owned()), ..blob("b", 40) };
        let back = BlobItem { archive_status: Some("rehydrate-pending-to-hot".to_owned()), ..blob("c", 40) };
        let timeless = BlobItem { created: None, last_modified: None, ..blob("d", 0) };
        let unmarked = BlobItem { etag: None, ..blob("e", 40) };
        // Its name says that it is old; it was written yesterday.
        let copied = BlobItem { name: "apim-20260101T000000Z".to_owned(), ..blob("f", 1) };
        let decision =
            decide(&[blob("a", 1), copying, back, timeless, unmarked, copied], &BTreeMap::new(), now(), 1, 30);
        assert_eq!((names(&decision), decision.kept), (Vec::new(), 6));
    }

    #[test]
    fn a_copy_is_as_old_as_its_manifest_says() {
        let listed = [
            blob("copied", 2),
            blob("copied.manifest.json", 2),
            blob("real", 10),
            blob("real.manifest.json", 10),
            blob("real2", 11),
        ];
        let told = |days: i64| Told { created: Some(now() - SignedDuration::from_hours(24 * days)), other: None };
        let unread = decide(&listed, &BTreeMap::new(), now(), 1, 7);
        assert_eq!((names(&unread), &unread.unread[..]), (Vec::new(), &["copied".to_owned(), "real".to_owned()][..]));
        let mut read = BTreeMap::from([("copied".to_owned(), told(35)), ("real".to_owned(), told(10))]);
        let decision = decide(&listed, &read, now(), 1, 7);
        assert_eq!(names(&decision), ["real2"], "`real` is the newest usable one");
        assert!(decision.unread.is_empty());
        // Another service's is neither counted nor deleted.
        read.insert("copied".to_owned(), Told { created: None, other: Some("it is another's".to_owned()) });
        assert_eq!(names(&decide(&listed, &read, now(), 1, 7)), ["real2"]);
        // Nothing is surplus, so nothing has to be read.
        assert_eq!(decide(&listed, &BTreeMap::new(), now(), 1, 30).unread, Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn the_newest_usable_one_never_goes(ages in proptest::collection::vec(0_i64..60, 0..20), keep in 1_usize..5, days in 1_u32..60) {
            let listed: Vec<BlobItem> =
                ages.iter().enumerate().map(|(place, age)| blob(&format!("b{place:02}"), *age)).collect();
            let decision = decide(&listed, &BTreeMap::new(), now(), keep, days);
            let usable: Vec<i64> = ages.iter().copied().filter(|age| *age < 30).collect();
            let left: Vec<&BlobItem> =
                listed.iter().filter(|blob| !decision.doomed.iter().any(|one| one.name == blob.name)).collect();
            let stay = left.iter().filter(|blob| judged(blob, None, now()).is_ok()).count();
            prop_assert!(stay >= usable.len().min(keep));
            prop_assert_eq!(decision.kept, left.len());
            if let Some(newest) = usable.iter().min() {
                let at = now() - SignedDuration::from_hours(24 * newest);
                prop_assert!(left.iter().any(|blob| blob.created == Some(at)));
            }
        }
    }
}
