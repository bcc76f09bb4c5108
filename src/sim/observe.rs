//! What tests and people can ask the world about itself: effects, requests, records, services.
//! Never holds a token, a key or a body.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    pools::Setting,
    scenario::Content,
    state::{RecordState, State},
};

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
    /// Ended, and the origin is so.
    #[serde(default)]
    pub origin_patches_completed: u32,
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

/// Everything that a run may change, without what is new each time it is written: etags, times, names of new backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Target and TTL in seconds of every record set, by name.
    pub records: BTreeMap<String, (Option<String>, u32)>,
    pub private_records: BTreeMap<String, (Option<String>, u32)>,
    /// By `profile/endpoint`.
    pub endpoints: BTreeMap<String, Setting>,
    /// By `profile/origin`.
    pub origins: BTreeMap<String, Setting>,
    /// By name: state, content, and whether a backup was restored to it.
    pub services: BTreeMap<String, (String, Content, bool)>,
    /// Blobs in the container: backups and their manifests.
    pub blobs: usize,
}

impl Shape {
    pub(super) fn of(state: &State) -> Self {
        let shown = |records: &BTreeMap<String, RecordState>| {
            let current = |(name, record): (&String, &RecordState)| {
                let set = record.current.as_ref()?;
                Some((name.clone(), (set.target.clone(), set.ttl)))
            };
            records.iter().filter_map(current).collect()
        };
        let services = state.services.iter().map(|(name, service)| {
            let shape = (service.provisioning_state.clone(), service.content.clone(), service.restored_from.is_some());
            (name.clone(), shape)
        });
        Self {
            records: shown(&state.records),
            private_records: shown(&state.private_records),
            endpoints: state.pools.endpoints.clone(),
            origins: state.pools.origins.clone(),
            services: services.collect(),
            blobs: state.blobs.len(),
        }
    }
}
