//! What a backup says of the service that it was made of: the JSON blob beside it.
//!
//! During an outage the active service cannot be asked, so the manifest stands in for it. Read, never written here.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::azure::{AzureError, storage::Blobs};

use super::choose::MANIFEST_SUFFIX;

/// A manifest lists names of APIs and products; a thousand of them take about 100 KiB.
const MAX_BYTES: usize = 4 << 20;

/// The part of a manifest that is compared. Unknown keys are passed over: a newer version may add some.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// When the backup was made.
    #[serde(default, alias = "created_at", alias = "time")]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub tier: Option<String>,
    #[serde(default)]
    pub capacity: Option<u32>,
    #[serde(default)]
    pub location: Option<String>,
    #[serde(default)]
    pub hostnames: Vec<ManifestHostname>,
}

/// A hostname of the service that was backed up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ManifestHostname {
    /// `Proxy` is the gateway; absent means the same.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    #[serde(alias = "host_name", alias = "hostname")]
    pub name: String,
    /// SHA-1, hex.
    #[serde(default)]
    pub thumbprint: Option<String>,
}

impl Manifest {
    /// None when it is not a manifest at all: the backup is then judged without it.
    pub fn from_value(value: &Value) -> Option<Self> {
        value.is_object().then(|| Self::deserialize(value).ok()).flatten()
    }

    pub fn gateway_hostnames(&self) -> impl Iterator<Item = &ManifestHostname> {
        self.hostnames.iter().filter(|one| one.kind.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case("Proxy")))
    }
}

pub fn blob_name(backup: &str) -> String {
    format!("{backup}{MANIFEST_SUFFIX}")
}

/// The manifest of a backup; none when there is none, or when it is not JSON.
pub async fn read(blobs: &Blobs, account: &str, container: &str, backup: &str) -> Result<Option<Value>, AzureError> {
    let content = blobs.read(account, container, &blob_name(backup), MAX_BYTES).await?;
    Ok(content.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}
