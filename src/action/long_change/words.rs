//! What is said of a backup or a restore: stable codes, messages and hints. Pure.

use serde_json::Value;

use super::{Before, Change, ChangeKind};
use crate::{
    action::error,
    azure::{AzureError, AzureErrorKind},
    net::Delivery,
    run::{Disposition, StepError, Verdict},
};

impl ChangeKind {
    pub fn noun(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Restore => "restore",
        }
    }

    /// `busy: is being restored`.
    pub(super) fn going_on(self) -> &'static str {
        match self {
            Self::Backup => "is being backed up",
            Self::Restore => "is being restored",
        }
    }

    fn in_doubt(self) -> &'static str {
        match self {
            Self::Backup => "backup-in-doubt",
            Self::Restore => "restore-in-doubt",
        }
    }
}

impl Change<'_> {
    /// `the restore to apim-east`.
    pub(super) fn phrase(&self) -> String {
        let name = self.service.name();
        match self.kind {
            ChangeKind::Backup => format!("the backup of {name}"),
            ChangeKind::Restore => format!("the restore to {name}"),
        }
    }

    /// What is said of a POST that gave no operation.
    pub(super) fn not_accepted(&self, failure: &AzureError) -> StepError {
        let noun = self.kind.noun();
        if failure.delivery == Delivery::Unknown {
            let step = StepError::new(
                Disposition::InDoubt,
                self.kind.in_doubt(),
                format!("it is not known whether Azure took {}: {failure}", self.phrase()),
                format!(
                    "the {noun} is not sent again by itself; `lifeboat resume` reads the service until it is known"
                ),
            );
            let hint = step.hint.clone();
            return StepError { hint, ..error::with_details(step, failure) };
        }
        // A POST that Azure refused, in the words of the failures that people know.
        let mut step = error::from_refusal(&self.phrase(), failure);
        if failure.kind == AzureErrorKind::Rejected || failure.kind == AzureErrorKind::Conflict {
            let known = classify(self.kind, failure.code.as_deref(), &failure.message);
            known.0.clone_into(&mut step.code);
            if failure.hint.is_none() {
                known.1.clone_into(&mut step.hint);
            }
        }
        step
    }

    /// Azure said that the service was locked, and now it is idle and shows that something happened.
    pub(super) fn locked_in_doubt(&self) -> StepError {
        let (name, noun) = (self.service.name(), self.kind.noun());
        StepError::new(
            Disposition::InDoubt,
            self.kind.in_doubt(),
            format!(
                "{name} was locked when the {noun} was asked for, and has changed since: by something else, or by this \
                 {noun}, asked for twice on the way"
            ),
            format!("the {noun} is not sent again by itself; the activity log of {name} says what changed it"),
        )
    }

    /// An operation that Azure took and that failed.
    pub(super) fn failed(&self, code: Option<&str>, message: &str) -> StepError {
        let (known, hint) = classify(self.kind, code, message);
        let said = code.map_or_else(|| message.to_owned(), |code| format!("{code}: {message}"));
        let mut step = StepError::new(Disposition::Final, known, format!("{} failed: {said}", self.phrase()), hint);
        if let Some(code) = code {
            step.details.insert("azure_code".to_owned(), Value::from(code));
        }
        step
    }

    pub(super) fn without_trace(&self) -> StepError {
        let (name, noun) = (self.service.name(), self.kind.noun());
        let left = match self.kind {
            ChangeKind::Backup => "there is no such blob",
            ChangeKind::Restore => "unchanged",
        };
        StepError::new(
            Disposition::InDoubt,
            self.kind.in_doubt(),
            format!("Azure took the {noun}, but {name} is idle and {left}"),
            "`lifeboat resume` looks again; the activity log of the service says what became of it",
        )
    }

    pub(super) fn remedy(&self, before: &Before) -> String {
        let (name, at) = (self.service.name(), before.sent_at);
        match self.kind {
            ChangeKind::Backup => format!(
                "look in the activity log of {name} for `Backup API Management service` after {at}, and whether the blob \
                 `{}` is there; then say with `lifeboat settle` whether it happened",
                before.backup
            ),
            ChangeKind::Restore => format!(
                "look in the activity log of {name} for `Restore API Management service` after {at}; then say with \
                 `lifeboat settle` whether it happened: if it did not, it is sent again"
            ),
        }
    }

    pub(super) fn unreachable(&self, failure: &AzureError) -> Verdict {
        let noun = self.kind.noun();
        let remedy = failure.hint.clone().unwrap_or_else(|| {
            format!("the {noun}, if Azure took it, goes on by itself; make Azure reachable, then `lifeboat resume`")
        });
        Verdict::Unknown { reason: format!("{} cannot be read: {failure}", self.service.name()), remedy }
    }
}

pub(super) fn unreadable_intent(kind: ChangeKind) -> StepError {
    let noun = kind.noun();
    StepError::new(
        Disposition::InDoubt,
        kind.in_doubt(),
        format!("the journal does not say what the service was like before the {noun}"),
        format!(
            "look in the activity log of the service whether the {noun} was made; then say so with `lifeboat settle`"
        ),
    )
}

/// Stable code and hint for what Azure says when it cannot (azure-facts 1.1).
fn classify(kind: ChangeKind, code: Option<&str>, message: &str) -> (&'static str, &'static str) {
    let text = message.to_ascii_lowercase();
    let code = code.unwrap_or_default();
    if text.contains("backup expired") {
        (
            "backup-expired",
            "choose a newer backup: start a new run, or narrow `prefix`; Azure keeps backups usable for 30 days",
        )
    } else if code == "MethodNotAllowedInPricingTier" {
        ("tier-cannot-restore", "use a service of tier Developer, Basic, Standard or Premium")
    } else if text.contains("sku") {
        ("tier-mismatch", "change the standby's tier to that of the backup, or choose another standby")
    } else if text.contains("backupstorageaccount") || text.contains("was not found in") && text.contains("put") {
        (
            "storage-cors",
            "remove the CORS rules from the storage account's blob service: they break backup and restore; then resume",
        )
    } else if code == "ScopeLocked" {
        (
            "resource-locked",
            "remove the ReadOnly lock from the service, its resource group or its subscription, then resume",
        )
    } else if text.contains("storage") || text.contains("blob") || text.contains("container") {
        match kind {
            ChangeKind::Restore => (
                "storage-unreadable",
                "check that the standby's identity holds `Storage Blob Data Contributor` on the account and passes its firewall",
            ),
            ChangeKind::Backup => (
                "storage-unwritable",
                "check that the service's identity holds `Storage Blob Data Contributor` on the account and passes its firewall",
            ),
        }
    } else {
        match kind {
            ChangeKind::Restore => (
                "restore-failed",
                "read Azure's message; Microsoft advises to try a failed restore again: `lifeboat resume`",
            ),
            ChangeKind::Backup => (
                "backup-failed",
                "read Azure's message; Microsoft advises to try a failed backup again: `lifeboat resume`",
            ),
        }
    }
}
