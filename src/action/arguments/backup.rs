//! Arguments of what takes, finds, prunes and restores backups.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;
use serde_json::Value;

use super::{super::secret::Place, apim_service, not_empty, optional_apim_service, storage_account};
use crate::{
    azure::key_vault::SecretId,
    runbook::{ResourceId, span},
    site::SecretReference,
};

/// Arguments of `apim.backup`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TakeBackup {
    #[serde(deserialize_with = "apim_service")]
    pub service: ResourceId,
    #[serde(deserialize_with = "storage_account")]
    pub storage: ResourceId,
    #[serde(deserialize_with = "not_empty")]
    pub container: String,
    /// Blob name. None: the service's name and the time.
    #[serde(default)]
    pub name: Option<String>,
    pub access: Access,
    #[serde(default)]
    pub client_id: Option<String>,
    #[serde(default)]
    pub access_key: Option<AccessKey>,
    #[serde(default)]
    pub when_busy: WhenBusy,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenBusy {
    #[default]
    Wait,
    Skip,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindLatest {
    /// Whose backups. None: whatever the prefix says.
    #[serde(default, deserialize_with = "optional_apim_service")]
    pub service: Option<ResourceId>,
    #[serde(deserialize_with = "storage_account")]
    pub storage: ResourceId,
    #[serde(deserialize_with = "not_empty")]
    pub container: String,
    #[serde(default)]
    pub prefix: Option<String>,
    #[serde(default = "FindLatest::margin", with = "span")]
    pub margin: Duration,
    #[serde(default, with = "span::optional")]
    pub restore_timeout: Option<Duration>,
}

impl FindLatest {
    fn margin() -> Duration {
        Duration::from_hours(12)
    }
}

/// A backup as `backup.find-latest` gives it. Written by hand it needs `account`, `container` and `name`.
/// Unknown keys are kept out of the way: a newer version may add some.
#[derive(Clone, Debug, PartialEq, serde::Serialize, Deserialize)]
pub struct Backup {
    /// Resource id of the storage account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<ResourceId>,
    pub account: String,
    pub container: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<jiff::Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<jiff::Timestamp>,
    /// When it was chosen, `span` text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Blob name of its manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// The manifest itself, as it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_data: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    AccessKey,
    SystemAssignedIdentity,
    UserAssignedIdentity,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prune {
    #[serde(deserialize_with = "apim_service")]
    pub service: ResourceId,
    #[serde(deserialize_with = "storage_account")]
    pub storage: ResourceId,
    #[serde(deserialize_with = "not_empty")]
    pub container: String,
    /// None: the service's name and a dash.
    #[serde(default)]
    pub prefix: Option<String>,
    #[serde(default = "Prune::keep")]
    pub keep: u32,
    #[serde(default = "Prune::keep_days")]
    pub keep_days: u32,
}

impl Prune {
    /// A week of nightly backups.
    fn keep() -> u32 {
        7
    }

    /// As long as Azure can restore one.
    fn keep_days() -> u32 {
        30
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    #[serde(deserialize_with = "apim_service")]
    pub service: ResourceId,
    pub backup: Backup,
    pub access: Access,
    #[serde(default)]
    pub client_id: Option<String>,
    #[serde(default)]
    pub access_key: Option<AccessKey>,
}

/// Where an access key or a subscription key is; never the key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessKey {
    #[serde(default)]
    env: Option<String>,
    #[serde(default)]
    file: Option<PathBuf>,
    #[serde(default)]
    key_vault: Option<SecretId>,
}

impl AccessKey {
    /// None when it names none or several.
    pub fn reference(&self) -> Option<Place> {
        match (&self.env, &self.file, &self.key_vault) {
            (Some(name), None, None) => Some(Place::Here(SecretReference::Env(name.clone()))),
            (None, Some(path), None) => Some(Place::Here(SecretReference::File(path.clone()))),
            (None, None, Some(id)) => Some(Place::Vault(id.clone())),
            (None, None, None) | (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => None,
        }
    }
}
