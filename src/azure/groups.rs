//! Resource groups: where their own metadata is. Every change of what is in one goes through there.

use serde::Deserialize;

use super::{Arm, AzureError};

pub const API_VERSION: &str = "2022-09-01";

/// The region of a group, as ARM writes it: `northeurope`. None: the answer does not say.
pub async fn location(arm: &Arm, subscription: &str, group: &str) -> Result<Option<String>, AzureError> {
    #[derive(Deserialize)]
    struct Group {
        location: Option<String>,
    }
    let url = arm.path_url(&format!("/subscriptions/{subscription}/resourceGroups/{group}"), API_VERSION);
    let found: Group = arm.get(url).await?.read("the resource group")?;
    Ok(found.location)
}
