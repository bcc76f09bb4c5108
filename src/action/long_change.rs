//! A backup or a restore: one POST that keeps a service busy for minutes to hours. What both are made of.
//!
//! ```text
//!  send ─► intend ─► POST once ─► accepted ─► follow ─► the service is idle, and a sign says that it happened
//!    ▲        │          ├─ 409 ServiceLocked ─► intend "locked" ─► wait until idle ─► no sign ─┐
//!    │        │          │                                               └─ a sign ─► in doubt  │
//!    └────────┼──────────┼──────────────────────────────────────────────────────────────────────┘
//!             │          ├─ any other 4xx: no effect ─► failed
//!             │          └─ no answer, 5xx ─► in doubt: only `settle` leads out
//! ```
//!
//! Never sends the request twice for one recorded intent. A service that says it is idle and then that it is locked may
//! be locked by this very request, if something on the way repeated it: so the request is sent again only when the idle
//! service shows no sign of anything.

mod follow;
mod send;
mod settle;
mod words;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{
    Context,
    fact::after,
    storage_reach::{Reach, planned_access},
};
use crate::{
    azure::{
        Arm, AzureError, Operation,
        apim::{self, BackupRestoreRequest, Service},
        apim_content::ContentNames,
    },
    plan::facts::PlannedRequest,
    run::{Intent, StepError},
    runbook::{ResourceId, span},
};

pub use follow::{follow, follow_accepted};
pub use send::{Patience, Sent, send};
pub use settle::{Settled, settle};

/// How often a busy service is looked at. Its operations last minutes to an hour.
const BUSY_INTERVAL: Duration = Duration::from_secs(30);
/// A request that got no answer can still be acted on for this long: ARM itself gives up after 120 s (azure-facts 1.5).
pub const SETTLE_WINDOW: Duration = Duration::from_mins(2);
/// Between two looks at what might yet begin: eight of them fit the window.
pub const SETTLE_INTERVAL: Duration = Duration::from_secs(15);

/// Until when a request can still be acted on. `sent_at`: by the clock of whoever sent it, if that is known.
pub fn latest_effect(context: &Context, sent_at: Option<Timestamp>) -> Timestamp {
    let sent_at = sent_at.filter(|_| !context.after_another).unwrap_or_else(|| context.clock.now());
    after(sent_at, SETTLE_WINDOW)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// Leaves the service as it is and writes a blob.
    Backup,
    /// Overwrites the service from a blob.
    Restore,
}

/// A backup or a restore that is, or may have been, asked for.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    pub kind: ChangeKind,
    pub service: &'a ResourceId,
    pub container: &'a str,
    pub reach: Reach<'a>,
}

/// The service before the change was asked for: what tells later whether it happened. Part of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    pub etag: Option<String>,
    pub provisioning_state: Option<String>,
    /// Name of the backup.
    pub backup: String,
    pub sent_at: Timestamp,
    /// Azure has answered the last request with `ServiceLocked`, and no other has been sent.
    pub locked: bool,
    /// Of a backup: what the service held right before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
}

/// Names of what a service held, or why they could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    Names(ContentNames),
    Unread(String),
}

/// A change that came to its end.
#[derive(Debug)]
pub struct Ended {
    pub operation: Operation,
    /// As it is now: idle, or broken after a backup.
    pub service: Service,
    /// The operation itself said that it succeeded.
    pub told: bool,
}

/// What an idle service, or its storage, says of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sign {
    /// It happened, and nothing else can have left this.
    Proof,
    /// Something happened: proof only together with an operation that Azure is known to have taken.
    Trace,
    Nothing,
    /// Cannot be told: a lower-case fragment.
    Untold(String),
}

impl Change<'_> {
    /// Looks for what the change leaves behind.
    async fn sign(&self, context: &Context, service: &Service, before: &Before) -> Sign {
        match self.kind {
            ChangeKind::Restore => match (service.etag(), &before.etag) {
                (Some(now), Some(then)) if now != then => Sign::Trace,
                (Some(_), Some(_)) => Sign::Nothing,
                (None, _) | (_, None) => {
                    Sign::Untold(format!("{} is idle, but Azure gave no ETag to compare it by", self.service.name()))
                }
            },
            // Its name was no blob's when it was asked for, and Azure shows the blob only when it is whole.
            ChangeKind::Backup => match self.blob_size(context, &before.backup).await {
                Ok(Some(size)) if size > 0 => Sign::Proof,
                Ok(_) => Sign::Nothing,
                Err(failure) => Sign::Untold(format!("the backup `{}` cannot be looked for: {failure}", before.backup)),
            },
        }
    }

    /// Whether it happened although the service is broken now. A restore that leaves it so has failed; a backup is in its
    /// blob, whatever became of the service. `told`: the operation said that it succeeded.
    async fn happened_anyway(&self, context: &Context, told: bool, before: &Before) -> bool {
        match self.kind {
            ChangeKind::Restore => false,
            ChangeKind::Backup => {
                told || self
                    .blob_size(context, &before.backup)
                    .await
                    .is_ok_and(|size| size.is_some_and(|size| size > 0))
            }
        }
    }

    /// Bytes of a blob in the container; none: there is no such blob.
    async fn blob_size(&self, context: &Context, name: &str) -> Result<Option<u64>, AzureError> {
        let listed = context.blobs.list(self.reach.account, self.container, name).await?;
        Ok(listed.into_iter().find(|blob| blob.name == name && blob.snapshot.is_none()).map(|blob| blob.size))
    }

    fn request(&self, backup: &str, access: apim::StorageAccess) -> BackupRestoreRequest {
        BackupRestoreRequest {
            storage_account: self.reach.account.to_owned(),
            container: self.container.to_owned(),
            backup_name: backup.to_owned(),
            access,
        }
    }

    /// The request as it would be sent, with the key masked.
    pub fn planned(&self, backup: &str, arm: &Arm) -> PlannedRequest {
        let url = match self.kind {
            ChangeKind::Backup => apim::backup_url(arm, self.service),
            ChangeKind::Restore => apim::restore_url(arm, self.service),
        };
        PlannedRequest {
            method: "POST".to_owned(),
            url: url.to_string(),
            headers: Vec::new(),
            body: Some(self.request(backup, planned_access(&self.reach, SecretString::default())).masked()),
        }
    }

    /// The URL of an operation for people; none when only the service itself is watched.
    pub fn shown_operation(&self, operation: Option<&Operation>, arm: &Arm) -> Option<String> {
        operation.filter(|operation| !watches_service(operation, arm, self.service)).map(|it| it.url.clone())
    }
}

impl Before {
    /// What `perform` was about to do, as the journal has it.
    ///
    /// # Errors
    /// In doubt: the journal does not say.
    pub fn of(change: &Change<'_>, intent: &Intent) -> Result<Self, StepError> {
        Self::deserialize(&intent.before).map_err(|_| words::unreadable_intent(change.kind))
    }

    /// From sending to the end as it was seen, which is a poll later than it was: `span` text.
    pub fn took(&self, ended: Timestamp) -> String {
        let took = ended.duration_since(self.sent_at).max(SignedDuration::ZERO);
        span::format(Duration::from_secs(Duration::try_from(took).unwrap_or_default().as_secs()))
    }
}

/// An operation that Azure gave no URL for, or that was only seen in the service's state: the service stands for it.
fn watched_service(arm: &Arm, id: &ResourceId) -> Operation {
    Operation { url: apim::service_url(arm, id).to_string(), retry_after_s: None }
}

fn watches_service(operation: &Operation, arm: &Arm, id: &ResourceId) -> bool {
    operation.url == apim::service_url(arm, id).as_str()
}
