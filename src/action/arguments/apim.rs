//! Arguments of what observes, compares and verifies API Management.

use std::time::Duration;

use serde::Deserialize;

use super::{Backup, apim_service, optional_apim_service};
use crate::runbook::{ResourceId, span};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmOutage {
    #[serde(deserialize_with = "apim_service")]
    pub service: ResourceId,
    #[serde(default = "ConfirmOutage::hold_off", with = "span")]
    pub hold_off: Duration,
}

impl ConfirmOutage {
    /// Longer than a gateway restart and a DNS hiccup, short against an RTO of an hour.
    fn hold_off() -> Duration {
        Duration::from_mins(2)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyStandby {
    #[serde(deserialize_with = "apim_service")]
    pub standby: ResourceId,
    #[serde(default, deserialize_with = "optional_apim_service")]
    pub active: Option<ResourceId>,
    #[serde(default)]
    pub backup: Option<Backup>,
    #[serde(default)]
    pub expect_tier: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyRestore {
    #[serde(deserialize_with = "apim_service")]
    pub service: ResourceId,
    pub backup: Backup,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compare {
    #[serde(deserialize_with = "apim_service")]
    pub service: ResourceId,
    #[serde(deserialize_with = "apim_service")]
    pub with: ResourceId,
}
