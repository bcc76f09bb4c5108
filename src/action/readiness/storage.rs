//! The account that holds the backups: whether it outlives the region, and whether its blob service is fit for a restore.
//!
//! How a service gets in (keys, firewall) is told by the probe of the step that does.

use jiff::{SignedDuration, Timestamp};

use super::{
    ask::{Asker, Seen},
    subjects::{ChosenBackup, Subject},
};
use crate::{
    action::standing::same_region,
    azure::storage::{self, Account},
    plan::{codes, facts::Finding},
    runbook::{ResourceId, span},
};

/// An account that was asked.
#[derive(Clone, Debug)]
pub struct SeenAccount {
    pub id: ResourceId,
    account: Seen<(Account, Option<Timestamp>)>,
    cors: Seen<usize>,
}

impl SeenAccount {
    /// None: it did not answer.
    pub(super) fn account(&self) -> Option<&Account> {
        self.account.answer.as_ref().ok().map(|(account, _)| account)
    }
}

pub async fn observe(asker: &Asker<'_>, account: &Subject) -> SeenAccount {
    let id = &account.id;
    let (account, cors) = tokio::join!(
        asker.ask(storage::account_and_last_sync(asker.arm(), id)),
        asker.ask(storage::cors_rules(asker.arm(), id)),
    );
    SeenAccount { id: id.clone(), account, cors }
}

/// `active`: region of the active service, where it is known; `access`: how restores come to it. Pure.
pub fn judge(
    seen: &SeenAccount,
    (active, access): (Option<&str>, Option<&str>),
    backups: &[ChosenBackup],
    now: Timestamp,
) -> Vec<Finding> {
    let name = seen.id.name();
    let mut findings: Vec<Finding> = cors(name, &seen.cors).into_iter().collect();
    match &seen.account.answer {
        Ok((account, last_sync)) => {
            let here = seen.id.folded();
            let newest = backups.iter().filter(|backup| backup.storage.as_deref() == Some(&here));
            let newest = newest.filter_map(|backup| backup.created).max();
            let found = region(name, account, active)
                .into_iter()
                .chain(primary(name, account))
                .chain(firewall(name, account, access))
                .chain(lag(name, account, *last_sync, newest, active, now));
            findings.extend(found.map(|finding| finding.seen(seen.account.at)));
        }
        // In the words of the step's own probe, so that it is told once.
        Err(failure) => findings.push(
            codes::finding(
                "storage-unverified",
                format!("the settings of the storage account {name} could not be read: {failure}"),
            )
            .seen(seen.account.at),
        ),
    }
    findings.into_iter().map(|finding| finding.on(name)).collect()
}

fn cors(name: &str, seen: &Seen<usize>) -> Option<Finding> {
    let finding = match &seen.answer {
        Ok(0) => return None,
        Ok(count) => codes::finding(
            "storage-cors",
            format!("the blob service of {name} has {count} CORS rules, which break backup and restore"),
        ),
        Err(failure) => codes::finding(
            "storage-cors-unknown",
            format!("it is not known whether the blob service of {name} has CORS rules: {failure}"),
        ),
    };
    Some(finding.seen(seen.at))
}

pub(super) fn is_in(account: &Account, active: Option<&str>) -> bool {
    let location = account.primary_location.as_deref().or(account.location.as_deref());
    matches!((location, active), (Some(here), Some(there)) if same_region(here, there))
}

fn region(name: &str, account: &Account, active: Option<&str>) -> Option<Finding> {
    is_in(account, active).then(|| {
        let there = active.unwrap_or_default();
        codes::finding("storage-region", format!("{name} is in {there}, the region of the active service"))
    })
}

/// Microsoft promises the way past a firewall to system-assigned identities only (azure-facts 1.4).
fn firewall(name: &str, account: &Account, access: Option<&str>) -> Option<Finding> {
    let shut = account.network_default_action.as_deref().is_some_and(|action| action.eq_ignore_ascii_case("Deny"));
    (shut && access == Some("user-assigned-identity")).then(|| {
        codes::finding(
            "storage-firewall-user-identity",
            format!("{name} has a firewall, and nothing promises that a user-assigned identity gets past it"),
        )
    })
}

fn primary(name: &str, account: &Account) -> Option<Finding> {
    let status = account.status_of_primary.as_deref()?;
    (!status.eq_ignore_ascii_case("available"))
        .then(|| codes::finding("storage-primary-unavailable", format!("the primary region of {name} is {status}")))
}

/// Only where the copy would have to stand in: the account is in the region that is lost, or its primary is.
fn lag(
    name: &str,
    account: &Account,
    last_sync: Option<Timestamp>,
    newest: Option<Timestamp>,
    active: Option<&str>,
    now: Timestamp,
) -> Option<Finding> {
    let last_sync = last_sync?;
    let needs_copy = is_in(account, active) || primary(name, account).is_some();
    let newest = newest.filter(|created| needs_copy && *created > last_sync)?;
    let since = |at: Timestamp| {
        let elapsed = now.duration_since(at).max(SignedDuration::ZERO);
        span::format(std::time::Duration::from_secs(elapsed.as_secs().unsigned_abs()))
    };
    Some(codes::finding(
        "backup-not-replicated",
        format!(
            "the copy of {name} was whole {} ago, before the newest backup was made ({} ago): that backup may not survive a \
             failover of the account",
            since(last_sync),
            since(newest)
        ),
    ))
}
