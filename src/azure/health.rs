//! Microsoft.ResourceHealth: what Azure itself says of a resource. Stale by minutes, never the only signal.

use serde::Deserialize;

use crate::runbook::ResourceId;

use super::{Arm, AzureError};

pub const API_VERSION: &str = "2024-02-01";

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Availability {
    /// `Available`, `Unavailable`, `Degraded`, `Unknown`: open.
    #[serde(rename = "availabilityState")]
    pub state: Option<String>,
    pub summary: Option<String>,
    #[serde(rename = "reasonType")]
    pub reason: Option<String>,
    pub detailed_status: Option<String>,
    /// Azure's spelling.
    #[serde(rename = "occuredTime")]
    pub occurred_at: Option<String>,
    #[serde(rename = "reportedTime")]
    pub reported_at: Option<String>,
}

/// What Resource Health says now.
pub async fn availability(arm: &Arm, id: &ResourceId) -> Result<Availability, AzureError> {
    #[derive(Deserialize)]
    struct Current {
        properties: Option<Availability>,
    }
    let url = arm.url(id, "/providers/Microsoft.ResourceHealth/availabilityStatuses/current", API_VERSION);
    let current: Current = arm.get(url).await?.read("the resource's health")?;
    Ok(current.properties.unwrap_or_default())
}
