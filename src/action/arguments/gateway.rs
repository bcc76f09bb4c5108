//! Arguments of what asks a gateway.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Deserializer, de};

use super::{AccessKey, absolute_path, apim_service, hostname};
use crate::runbook::{ResourceId, span};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayHealth {
    #[serde(deserialize_with = "apim_service")]
    pub service: ResourceId,
    #[serde(deserialize_with = "hostname")]
    pub hostname: String,
    #[serde(default)]
    pub paths: Vec<GatewayPath>,
    /// Of any answer.
    #[serde(default, with = "span::optional")]
    pub max_latency: Option<Duration>,
    #[serde(default = "GatewayHealth::consecutive")]
    pub consecutive: u32,
    #[serde(default = "GatewayHealth::interval", with = "span")]
    pub interval: Duration,
    #[serde(default = "GatewayHealth::certificate_days")]
    pub certificate_days: u32,
    #[serde(default)]
    pub thumbprint: Option<String>,
}

impl GatewayHealth {
    fn consecutive() -> u32 {
        3
    }

    fn interval() -> Duration {
        Duration::from_secs(2)
    }

    fn certificate_days() -> u32 {
        1
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayPath {
    #[serde(deserialize_with = "absolute_path")]
    pub path: String,
    #[serde(default = "GatewayPath::expect_status")]
    pub expect_status: u16,
    /// By name, compared without regard to the name's case.
    #[serde(default, deserialize_with = "header_names")]
    pub expect_headers: BTreeMap<String, String>,
    /// Text that the body must hold.
    #[serde(default)]
    pub expect_body: Option<String>,
    #[serde(default, with = "span::optional")]
    pub max_latency: Option<Duration>,
    #[serde(default)]
    pub subscription_key: Option<AccessKey>,
}

impl GatewayPath {
    fn expect_status() -> u16 {
        200
    }
}

/// A name that no header can have would never be found.
fn header_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let headers = BTreeMap::<String, String>::deserialize(deserializer)?;
    match headers.keys().find(|name| http::HeaderName::try_from(name.as_str()).is_err()) {
        Some(name) => Err(de::Error::custom(format!("`{name}` is not the name of a header"))),
        None => Ok(headers),
    }
}
