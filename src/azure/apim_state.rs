//! What of API Management is not told by the service itself: its dependencies, and services that were deleted.

use serde::Deserialize;

use crate::runbook::ResourceId;

use super::{Arm, AzureError, apim::API_VERSION, paged};

/// A dependency that a service reaches, or does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connectivity {
    pub name: Option<String>,
    /// `initializing`, `success`, `failure`: open.
    pub status: Option<String>,
    pub error: Option<String>,
    pub is_optional: Option<bool>,
}

/// A service whose name is kept for two days after it was deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    pub deleted_at: Option<jiff::Timestamp>,
    /// Until then it can be brought back, and nobody else can have its name.
    pub kept_until: Option<jiff::Timestamp>,
}

/// Every dependency in every region of the service. Empty where the tier does not tell.
pub async fn network_status(arm: &Arm, id: &ResourceId) -> Result<Vec<Connectivity>, AzureError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Status {
        connectivity_status: Option<Vec<Connectivity>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Region {
        network_status: Option<Status>,
    }
    let reply = match arm.get(arm.url(id, "/networkstatus", API_VERSION)).await {
        Ok(reply) => reply,
        Err(error) if error.code.as_deref() == Some("MethodNotAllowedInPricingTier") => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let regions: Vec<Region> = reply.read("the network status")?;
    let told = |region: Region| region.network_status.and_then(|status| status.connectivity_status);
    Ok(regions.into_iter().filter_map(told).flatten().collect())
}

/// Whether a service of this name was deleted and is still kept.
pub async fn deleted(arm: &Arm, id: &ResourceId) -> Result<Option<Deleted>, AzureError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Properties {
        deletion_date: Option<jiff::Timestamp>,
        scheduled_purge_date: Option<jiff::Timestamp>,
    }
    #[derive(Deserialize)]
    struct Entry {
        name: Option<String>,
        properties: Option<Properties>,
    }
    let path = format!("/subscriptions/{}/providers/Microsoft.ApiManagement/deletedservices", id.subscription());
    let all: Vec<Entry> = paged::list(arm, arm.path_url(&path, API_VERSION), "the list of deleted services").await?;
    let same = |entry: &Entry| entry.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(id.name()));
    Ok(all.into_iter().find(same).map(|entry| {
        let dates = entry.properties.map(|properties| (properties.deletion_date, properties.scheduled_purge_date));
        let (deleted_at, kept_until) = dates.unwrap_or_default();
        Deleted { deleted_at, kept_until }
    }))
}
