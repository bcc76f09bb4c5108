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

pub async fn availability(_arm: &Arm, _id: &ResourceId) -> Result<Availability, AzureError> {
    unimplemented!("first commit")
}
