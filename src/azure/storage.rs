//! Storage accounts through ARM: where they are, who may reach them, and their keys. Their blobs are in [`Blobs`].

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::runbook::ResourceId;

use super::{Arm, AzureError, AzureErrorKind, paged};

pub use super::{
    blob_change::{BlobCondition, BlobContent, LONGEST_CONTENT},
    blobs::{BlobItem, Blobs, SCOPE, listed},
};

/// Of Microsoft.Storage.
pub const API_VERSION: &str = "2023-05-01";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub location: Option<String>,
    pub sku: Option<String>,
    pub primary_location: Option<String>,
    /// `available`, `unavailable`.
    pub status_of_primary: Option<String>,
    pub secondary_location: Option<String>,
    pub status_of_secondary: Option<String>,
    pub blob_endpoint: Option<String>,
    /// None means allowed.
    pub allow_shared_key_access: Option<bool>,
    /// `Enabled`, `Disabled`, `SecuredByPerimeter`.
    pub public_network_access: Option<String>,
    /// Comma list: `AzureServices`.
    pub network_bypass: Option<String>,
    /// `Allow`, `Deny`.
    pub network_default_action: Option<String>,
}

/// The account as ARM tells it.
pub async fn account(arm: &Arm, id: &ResourceId) -> Result<Account, AzureError> {
    Ok(told(&arm.get(arm.url(id, "", API_VERSION)).await?.body, id.name()))
}

/// The account, and when the copy of a geo-redundant one was last whole: what is newer may not survive a failover of the
/// account.
pub async fn account_and_last_sync(
    arm: &Arm,
    id: &ResourceId,
) -> Result<(Account, Option<jiff::Timestamp>), AzureError> {
    let mut url = arm.url(id, "", API_VERSION);
    url.query_pairs_mut().append_pair("$expand", "geoReplicationStats");
    let body: Value = arm.get(url).await?.body;
    let last_sync = body.pointer("/properties/geoReplicationStats/lastSyncTime").and_then(Value::as_str);
    Ok((told(&body, id.name()), last_sync.and_then(|text| text.parse().ok())))
}

/// The account of this name in a subscription, as the list of all of them tells it.
pub async fn find(arm: &Arm, subscription: &str, name: &str) -> Result<Option<Account>, AzureError> {
    let path = format!("/subscriptions/{subscription}/providers/Microsoft.Storage/storageAccounts");
    let all: Vec<Value> = paged::list(arm, arm.path_url(&path, API_VERSION), "the list of storage accounts").await?;
    let named = |entry: &&Value| {
        entry.get("name").and_then(Value::as_str).is_some_and(|other| other.eq_ignore_ascii_case(name))
    };
    Ok(all.iter().find(named).map(|entry| told(entry, name)))
}

/// How many CORS rules the blob service has: any of them breaks backup and restore (azure-facts 1.4).
pub async fn cors_rules(arm: &Arm, id: &ResourceId) -> Result<usize, AzureError> {
    let body: Value = arm.get(arm.url(id, "/blobServices/default", API_VERSION)).await?.body;
    Ok(body.pointer("/properties/cors/corsRules").and_then(Value::as_array).map_or(0, Vec::len))
}

fn told(body: &Value, name: &str) -> Account {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    Account {
        name: text("/name").unwrap_or_else(|| name.to_owned()),
        location: text("/location"),
        sku: text("/sku/name"),
        primary_location: text("/properties/primaryLocation"),
        status_of_primary: text("/properties/statusOfPrimary"),
        secondary_location: text("/properties/secondaryLocation"),
        status_of_secondary: text("/properties/statusOfSecondary"),
        blob_endpoint: text("/properties/primaryEndpoints/blob"),
        allow_shared_key_access: body.pointer("/properties/allowSharedKeyAccess").and_then(Value::as_bool),
        public_network_access: text("/properties/publicNetworkAccess"),
        network_bypass: text("/properties/networkAcls/bypass"),
        network_default_action: text("/properties/networkAcls/defaultAction"),
    }
}

/// A key with permission `Full`.
pub async fn list_keys(arm: &Arm, id: &ResourceId) -> Result<SecretString, AzureError> {
    #[derive(Deserialize)]
    struct Key {
        permissions: Option<String>,
        value: Option<String>,
    }
    #[derive(Deserialize)]
    struct Keys {
        keys: Option<Vec<Key>>,
    }
    let keys: Keys = arm.post_reading(arm.url(id, "/listKeys", API_VERSION)).await?.read("the account's keys")?;
    let full = |key: &Key| key.permissions.as_deref().is_some_and(|it| it.eq_ignore_ascii_case("Full"));
    keys.keys.unwrap_or_default().into_iter().find(full).and_then(|key| key.value).map(SecretString::from).ok_or_else(
        || AzureError {
            hint: Some("allow key access on the account, or restore with a managed identity".to_owned()),
            ..AzureError::new(
                AzureErrorKind::Rejected,
                format!("the storage account `{}` gives no full key", id.name()),
            )
        },
    )
}
