//! Azure Front Door, Standard and Premium: the origins of one group, and the change of one origin.
//!
//! Microsoft's `OpenAPI` file of this provider is not at hand: azure-facts 2.4 is the source. A change is answered by 200,
//! or by 202 with an operation to follow (`Azure-AsyncOperation`). No origin has an `ETag`: who changes one reads it just
//! before, and sends absolute values only.

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::runbook::ResourceId;

use super::{Arm, AzureError, Reply, paged};

/// Newest stable (azure-facts 2.4).
pub const API_VERSION: &str = "2024-02-01";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub name: String,
    pub host: Option<String>,
    pub is_enabled: bool,
    pub priority: Option<u32>,
    pub weight: Option<u32>,
    /// `Succeeded`, `Updating`, `Creating`, `Deleting`, `Failed`.
    pub provisioning: Option<String>,
}

impl Origin {
    /// A change of it goes on, whoever asked for that.
    pub fn is_busy(&self) -> bool {
        let idle = ["succeeded", "failed", "canceled"];
        self.provisioning.as_ref().is_some_and(|state| !idle.contains(&state.to_ascii_lowercase().as_str()))
    }
}

#[derive(Deserialize)]
struct Body {
    name: Option<String>,
    properties: Option<Properties>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    host_name: Option<String>,
    enabled_state: Option<String>,
    priority: Option<u32>,
    weight: Option<u32>,
    provisioning_state: Option<String>,
}

pub async fn origins(arm: &Arm, profile: &ResourceId, group: &str) -> Result<Vec<Origin>, AzureError> {
    let bodies: Vec<Body> = paged::list(arm, origins_url(arm, profile, group), "the list of origins").await?;
    Ok(bodies.into_iter().map(origin).collect())
}

fn origin(body: Body) -> Origin {
    let properties = body.properties.unwrap_or_default();
    Origin {
        name: body.name.unwrap_or_default(),
        host: properties.host_name,
        is_enabled: !properties.enabled_state.is_some_and(|state| state.eq_ignore_ascii_case("Disabled")),
        priority: properties.priority,
        weight: properties.weight,
        provisioning: properties.provisioning_state,
    }
}

pub fn origins_url(arm: &Arm, profile: &ResourceId, group: &str) -> Url {
    arm.url_below(profile, &["originGroups", group, "origins"], API_VERSION)
}

pub fn origin_url(arm: &Arm, profile: &ResourceId, group: &str, name: &str) -> Url {
    arm.url_below(profile, &["originGroups", group, "origins", name], API_VERSION)
}

/// Changes what `body` names. 200: done; 202: [`super::Operation::from_reply`] tells what to follow.
///
/// # Errors
/// With an unknown delivery: read the origins, never send it blindly again.
pub async fn patch_origin(arm: &Arm, url: Url, body: &Value) -> Result<Reply, AzureError> {
    arm.patch_once(url, body).await
}
