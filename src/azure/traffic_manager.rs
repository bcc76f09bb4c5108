//! Azure Traffic Manager: a profile with its endpoints, and the change of one endpoint.
//!
//! Nothing of it has an `ETag`: who changes an endpoint reads it just before, and sends absolute values only
//! (azure-facts 2.3, Microsoft's `OpenAPI` `trafficmanager.json` of the same version).

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::runbook::ResourceId;

use super::{Arm, AzureError, Reply};

/// Newest stable (azure-facts 2.3).
pub const API_VERSION: &str = "2022-04-01";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// `contoso-api.trafficmanager.net`, lower case.
    pub hostname: Option<String>,
    /// Seconds that resolvers keep its answers for.
    pub ttl: Option<u32>,
    /// `Priority`, `Weighted`, `Performance`, …
    pub routing: Option<String>,
    /// `Disabled`: it answers no question at all, whatever its endpoints are.
    pub is_enabled: bool,
    pub endpoints: Vec<Endpoint>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub name: String,
    /// Last segment of its type: `AzureEndpoints`, `externalEndpoints`, … The case is whatever Azure gives.
    pub kind: String,
    pub target: Option<String>,
    pub is_enabled: bool,
    pub priority: Option<u32>,
    pub weight: Option<u32>,
    /// `Online`, `Degraded`, `CheckingEndpoint`, `Disabled`, `Inactive`, `Stopped`, `Unmonitored`.
    pub monitor: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    properties: Option<Properties>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    profile_status: Option<String>,
    traffic_routing_method: Option<String>,
    dns_config: Option<DnsConfig>,
    endpoints: Option<Vec<EndpointBody>>,
}

#[derive(Deserialize)]
struct DnsConfig {
    fqdn: Option<String>,
    ttl: Option<u32>,
}

#[derive(Deserialize)]
struct EndpointBody {
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    properties: Option<EndpointProperties>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointProperties {
    target: Option<String>,
    endpoint_status: Option<String>,
    weight: Option<u32>,
    priority: Option<u32>,
    endpoint_monitor_status: Option<String>,
}

pub async fn profile(arm: &Arm, id: &ResourceId) -> Result<Profile, AzureError> {
    let body: Body = arm.get(profile_url(arm, id)).await?.read("the Traffic Manager profile")?;
    let properties = body.properties;
    let (mut hostname, mut ttl, mut routing, mut is_enabled, mut endpoints) = (None, None, None, true, Vec::new());
    if let Some(properties) = properties {
        is_enabled = !is_disabled(properties.profile_status.as_deref());
        routing = properties.traffic_routing_method;
        if let Some(dns) = properties.dns_config {
            hostname = dns.fqdn.map(|name| name.trim_end_matches('.').to_ascii_lowercase());
            ttl = dns.ttl;
        }
        endpoints = properties.endpoints.unwrap_or_default().into_iter().map(endpoint).collect();
    }
    Ok(Profile { hostname, ttl, routing, is_enabled, endpoints })
}

fn endpoint(body: EndpointBody) -> Endpoint {
    let properties = body.properties.unwrap_or_default();
    let kind = body.kind.as_deref().and_then(|kind| kind.rsplit('/').next()).unwrap_or_default().to_owned();
    Endpoint {
        name: body.name.unwrap_or_default(),
        kind,
        target: properties.target,
        is_enabled: !is_disabled(properties.endpoint_status.as_deref()),
        priority: properties.priority,
        weight: properties.weight,
        monitor: properties.endpoint_monitor_status,
    }
}

/// Azure leaves the status out where it is the usual one.
fn is_disabled(status: Option<&str>) -> bool {
    status.is_some_and(|status| status.eq_ignore_ascii_case("Disabled"))
}

pub fn profile_url(arm: &Arm, id: &ResourceId) -> Url {
    arm.url(id, "", API_VERSION)
}

/// `kind`: `AzureEndpoints`, `ExternalEndpoints`, `NestedEndpoints`.
pub fn endpoint_url(arm: &Arm, id: &ResourceId, kind: &str, name: &str) -> Url {
    arm.url_below(id, &[kind, name], API_VERSION)
}

/// Changes what `body` names; 200 when it is done.
///
/// # Errors
/// With an unknown delivery: read the profile, never send it blindly again.
pub async fn patch_endpoint(arm: &Arm, url: Url, body: &Value) -> Result<Reply, AzureError> {
    arm.patch_once(url, body).await
}
