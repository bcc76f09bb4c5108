//! Backups: whether the one that would be restored is the one that somebody expects. Pure.
//!
//! Told by the probe of `backup.find-latest`, which alone sees the listing.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{
    action::choose::{self, Chosen, Rejected, Rejection},
    plan::{codes, facts::Finding},
    runbook::span,
};

/// Nightly backups that stopped are noticed with three weeks to spare.
const DAYS_LEFT: i64 = 7;
/// Rejected blobs that a finding names.
const MOST_NAMED: usize = 3;

/// `manifest`: whether the chosen backup has one.
pub fn judge(chosen: &Chosen, manifest: bool, rejected: &[Rejected], now: Timestamp) -> Vec<Finding> {
    let name = &chosen.name;
    let mut findings: Vec<Finding> = newer_and_unusable(chosen, rejected).into_iter().collect();
    if !manifest {
        findings.push(codes::finding(
            "backup-without-manifest",
            format!("`{name}` has no manifest: nothing tells what service it was made of"),
        ));
    }
    let left = chosen.expires.duration_since(now);
    if left < SignedDuration::from_hours(24 * DAYS_LEFT) {
        let left = Duration::from_secs(left.as_secs().max(0).unsigned_abs());
        findings.push(codes::finding(
            "backup-expires-soon",
            format!(
                "`{name}`, the newest usable backup, expires {}, in {}",
                choose::minute(chosen.expires),
                span::format(left)
            ),
        ));
    }
    findings.into_iter().map(|finding| finding.on(name.as_str())).collect()
}

/// Rejected newest first; an expired one is never newer than a usable one.
fn newer_and_unusable(chosen: &Chosen, rejected: &[Rejected]) -> Option<Finding> {
    let newer: Vec<&Rejected> = rejected
        .iter()
        .filter(|one| one.created.is_some_and(|created| created > chosen.created))
        .filter(|one| match one.reason {
            Rejection::OtherService(_) | Rejection::Deleted | Rejection::Snapshot => false,
            Rejection::Empty
            | Rejection::Archived
            | Rejection::Rehydrating
            | Rejection::Copy(_)
            | Rejection::NoTime
            | Rejection::Expired { .. }
            | Rejection::ExpiresTooSoon { .. } => true,
        })
        .collect();
    if newer.is_empty() {
        return None;
    }
    let said: Vec<String> =
        newer.iter().take(MOST_NAMED).map(|one| format!("`{}`: {}", one.name, one.reason)).collect();
    Some(codes::finding(
        "newest-backup-unusable",
        format!("{} newer than `{}` cannot be restored: {}", count(newer.len()), chosen.name, said.join("; ")),
    ))
}

fn count(backups: usize) -> String {
    if backups == 1 { "one backup".to_owned() } else { format!("{backups} backups") }
}
