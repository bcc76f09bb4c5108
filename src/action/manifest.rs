//! What a backup says of the service that it was made of: the JSON blob beside it (`<backup>.manifest.json`).
//!
//! During an outage the active service cannot be asked, so the manifest stands in for it. It is written once, after the
//! backup succeeded, and never changed: a manifest without its backup, or of another one, is worth nothing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::azure::{
    AzureError, AzureErrorKind,
    apim::Service,
    apim_content::ContentNames,
    inventory::Inventory,
    storage::{BlobCondition, BlobContent, Blobs, LONGEST_CONTENT},
};

use super::{
    choose::MANIFEST_SUFFIX,
    long_change::{Before, Content},
};

/// Format of manifests. 1: the first; everything but the version may be absent, and more may be there.
pub const MANIFEST_VERSION: u32 = 1;

/// A manifest. Unknown keys are passed over: a newer version may add some.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    #[serde(default)]
    pub version: Option<u32>,
    /// Blob name of the backup.
    #[serde(default)]
    pub backup: Option<String>,
    /// When the backup was asked for: nothing that was changed later is sure to be in it.
    #[serde(default, alias = "created_at", alias = "time")]
    pub created: Option<Timestamp>,
    /// Resource id.
    #[serde(default)]
    pub service: Option<String>,
    #[serde(default)]
    pub tier: Option<String>,
    #[serde(default)]
    pub capacity: Option<u32>,
    #[serde(default)]
    pub location: Option<String>,
    /// As ARM writes it: `SystemAssigned, UserAssigned`.
    #[serde(default)]
    pub identity: Option<String>,
    #[serde(default)]
    pub hostnames: Vec<ManifestHostname>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apis: Option<Counted>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub products: Option<Counted>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriptions: Option<Counted>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named_values: Option<Counted>,
    /// Why the four lists are not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_unread: Option<String>,
    /// What a restore of the backup will not bring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
    /// Version of the program that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifeboat: Option<String>,
}

/// A hostname of the service that was backed up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ManifestHostname {
    /// `Proxy` is the gateway; absent means the same.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    #[serde(rename = "hostname", alias = "host_name", alias = "name")]
    pub name: String,
    /// SHA-1, hex.
    #[serde(default)]
    pub thumbprint: Option<String>,
    #[serde(default)]
    pub expires: Option<Timestamp>,
}

/// Names, and how many there are for whoever only looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    #[serde(default)]
    pub count: usize,
    #[serde(default)]
    pub names: Vec<String>,
}

/// When the parts of a manifest were read: a backup lasts, and the service may be changed meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Names of APIs, products, subscriptions and named values: right before the backup was asked for.
    pub content: Timestamp,
    /// Everything else: after it had succeeded.
    pub service: Timestamp,
}

impl From<Vec<String>> for Counted {
    fn from(names: Vec<String>) -> Self {
        Self { count: names.len(), names }
    }
}

impl Manifest {
    /// Of a backup that succeeded. `service` and `inventory` were read at `now`.
    pub fn of(before: &Before, (id, service): (&str, &Service), inventory: Inventory, now: Timestamp) -> Self {
        let (names, content_unread) = match &before.content {
            Some(Content::Names(names)) => (Some(names.clone()), None),
            Some(Content::Unread(why)) => (None, Some(why.clone())),
            None => (None, Some("they were not asked for".to_owned())),
        };
        let counted = |of: fn(ContentNames) -> Vec<String>| names.clone().map(|names| Counted::from(of(names)));
        Self {
            version: Some(MANIFEST_VERSION),
            backup: Some(before.backup.clone()),
            created: Some(before.sent_at),
            service: Some(id.to_owned()),
            tier: service.tier().map(str::to_owned),
            capacity: service.sku.as_ref().and_then(|sku| sku.capacity),
            location: service.location.clone(),
            identity: Some(
                service.identity.as_ref().and_then(|it| it.kind.clone()).unwrap_or_else(|| "None".to_owned()),
            ),
            hostnames: hostnames(service),
            apis: counted(|names| names.apis),
            products: counted(|names| names.products),
            subscriptions: counted(|names| names.subscriptions),
            named_values: counted(|names| names.named_values),
            content_unread,
            inventory: Some(inventory),
            observed: Some(Observed { content: before.sent_at, service: now }),
            lifeboat: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }
    }

    /// None when it is not a manifest at all: the backup is then judged without it.
    pub fn from_value(value: &Value) -> Option<Self> {
        value.is_object().then(|| Self::deserialize(value).ok()).flatten()
    }

    pub fn gateway_hostnames(&self) -> impl Iterator<Item = &ManifestHostname> {
        self.hostnames.iter().filter(|one| one.kind.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case("Proxy")))
    }

    /// What the backup holds, by name; none when one of the lists is missing.
    pub fn content(&self) -> Option<ContentNames> {
        let names = |counted: &Option<Counted>| Some(counted.as_ref()?.names.clone());
        Some(ContentNames {
            apis: names(&self.apis)?,
            products: names(&self.products)?,
            subscriptions: names(&self.subscriptions)?,
            named_values: names(&self.named_values)?,
        })
    }
}

/// Hostnames that somebody chose: those that Azure gives come with the service.
fn hostnames(service: &Service) -> Vec<ManifestHostname> {
    let all = service.properties.as_ref().and_then(|properties| properties.hostname_configurations.as_deref());
    let custom = all.unwrap_or_default().iter().filter(|one| {
        let built_in = one.certificate_source.as_deref().is_some_and(|it| it.eq_ignore_ascii_case("BuiltIn"));
        !built_in && one.host_name.as_deref().map(str::to_ascii_lowercase) != service.gateway_host()
    });
    let shown = custom.filter_map(|one| {
        Some(ManifestHostname {
            kind: one.kind.clone(),
            name: one.host_name.clone()?,
            thumbprint: one.certificate.as_ref().and_then(|it| it.thumbprint.clone()),
            expires: one.certificate.as_ref().and_then(|it| it.expiry),
        })
    });
    shown.collect()
}

pub fn blob_name(backup: &str) -> String {
    format!("{backup}{MANIFEST_SUFFIX}")
}

/// The manifest of a backup; none when there is none, or when it is not JSON.
pub async fn read(blobs: &Blobs, account: &str, container: &str, backup: &str) -> Result<Option<Value>, AzureError> {
    let content = blobs.read(account, container, &blob_name(backup), LONGEST_CONTENT).await?;
    Ok(content.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Writes the manifest where there is none. One of the same backup that is there already is as good: an earlier process
/// wrote it and died.
pub async fn write(blobs: &Blobs, account: &str, container: &str, manifest: &Manifest) -> Result<(), AzureError> {
    let backup = manifest.backup.as_deref().unwrap_or_default();
    let text = serde_json::to_string_pretty(manifest).expect("a manifest has only text for keys");
    let created = manifest.created.map(|time| time.to_string()).unwrap_or_default();
    let content = BlobContent {
        text: &text,
        content_type: "application/json",
        metadata: [("created", created.as_str())].into_iter().filter(|(_, value)| !value.is_empty()).collect(),
    };
    match blobs.write(account, container, &blob_name(backup), &content, BlobCondition::Absent).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.kind == AzureErrorKind::PreconditionFailed => {
            let there = read(blobs, account, container, backup).await?.as_ref().and_then(Manifest::from_value);
            let same = there.is_some_and(|there| there.backup == manifest.backup);
            if same { Ok(()) } else { Err(failure) }
        }
        Err(failure) => Err(failure),
    }
}
