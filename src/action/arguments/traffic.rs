//! Arguments of the other switches of traffic.

use serde::Deserialize;

use super::{front_door_profile, not_empty, traffic_manager_profile};
use crate::runbook::ResourceId;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetEndpoints {
    #[serde(deserialize_with = "traffic_manager_profile")]
    pub profile: ResourceId,
    pub endpoints: Vec<EndpointChange>,
}

/// What of an endpoint shall be so; absent: as it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointChange {
    #[serde(deserialize_with = "not_empty")]
    pub name: String,
    #[serde(rename = "type")]
    pub kind: EndpointKind,
    #[serde(default)]
    pub status: Option<EndpointStatus>,
    #[serde(default)]
    pub weight: Option<u32>,
    #[serde(default)]
    pub priority: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointKind {
    Azure,
    External,
    Nested,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointStatus {
    Enabled,
    Disabled,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetOrigin {
    #[serde(deserialize_with = "front_door_profile")]
    pub profile: ResourceId,
    #[serde(deserialize_with = "not_empty")]
    pub origin_group: String,
    pub origins: Vec<OriginChange>,
}

/// What of an origin shall be so; absent: as it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OriginChange {
    #[serde(deserialize_with = "not_empty")]
    pub name: String,
    #[serde(default)]
    pub enabled: Option<bool>,
    #[serde(default)]
    pub priority: Option<u32>,
    #[serde(default)]
    pub weight: Option<u32>,
}
