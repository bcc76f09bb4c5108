//! What tests and people can ask the world about itself: effects, requests, records, services.
//! Never holds a token, a key or a body.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::scenario::Content;

/// How often the world was changed, or asked to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effects {
    /// All of them, also those that were refused or cut.
    pub restore_posts_received: u32,
    pub restores_accepted: u32,
    /// Ended, and the content is there.
    pub restores_completed: u32,
    pub backup_posts_received: u32,
    pub backups_accepted: u32,
    pub backups_completed: u32,
    pub record_puts_received: u32,
    pub record_puts_accepted: u32,
    pub record_deletes_accepted: u32,
    pub blob_puts_accepted: u32,
    #[serde(default)]
    pub blob_deletes_accepted: u32,
    #[serde(default)]
    pub endpoint_patches_received: u32,
    #[serde(default)]
    pub endpoint_patches_accepted: u32,
    #[serde(default)]
    pub origin_patches_received: u32,
    #[serde(default)]
    pub origin_patches_accepted: u32,
    pub tokens_issued: u32,
}

/// One request that reached the simulator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoggedRequest {
    /// Simulated time.
    pub at: Timestamp,
    pub method: String,
    /// With the query, which never carries a secret here; signatures are masked.
    pub url: String,
    /// None: the connection was cut before an answer.
    pub status: Option<u16>,
    /// Names of the faults that struck it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

/// A CNAME record set as the zone holds it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordView {
    /// None: an alias record set.
    pub target: Option<String>,
    /// Seconds.
    pub ttl: u32,
    pub etag: String,
    pub metadata: BTreeMap<String, String>,
}

/// An API Management service as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceView {
    pub name: String,
    pub tier: String,
    pub provisioning_state: String,
    pub etag: String,
    pub content: Content,
    /// Name of the backup that was restored last.
    pub restored_from: Option<String>,
}
