//! Microsoft.Insights, the activity log: who changed what through the resource manager, for 90 days. Of the whole world, not
//! of a region. Minutes late, and without what passes by the resource manager (azure-facts 4).

use jiff::Timestamp;
use serde::Deserialize;

use super::{Arm, AzureError, paged};
use crate::runbook::ResourceId;

pub const API_VERSION: &str = "2015-04-01";

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    pub at: Timestamp,
    /// `Microsoft.ApiManagement/service/apis/write`
    pub operation: String,
    /// Id of what was changed, as Azure writes it.
    pub resource: String,
    /// Sign-in name of a person, id of an application. None: Azure itself.
    pub caller: Option<String>,
}

/// What succeeded in a resource group between two moments, in Azure's order. Of the group, not of a resource: whether a filter
/// on a resource has what is below it is not documented. Entries that lack what is needed are left out.
pub async fn succeeded(
    arm: &Arm,
    within: &ResourceId,
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<Activity>, AzureError> {
    #[derive(Deserialize)]
    struct Word {
        value: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry {
        event_timestamp: Option<Timestamp>,
        operation_name: Option<Word>,
        resource_id: Option<String>,
        caller: Option<String>,
        status: Option<Word>,
    }
    let entries: Vec<Entry> = paged::list(arm, url(arm, within, (from, to)), "the activity log").await?;
    let activity = |entry: Entry| {
        let succeeded = entry.status?.value?.eq_ignore_ascii_case("Succeeded");
        let caller = entry.caller.filter(|caller| !caller.is_empty());
        let (at, operation, resource) = (entry.event_timestamp?, entry.operation_name?.value?, entry.resource_id?);
        succeeded.then_some(Activity { at, operation, resource, caller })
    };
    Ok(entries.into_iter().filter_map(activity).collect())
}

/// Where it is asked. No other form of the filter is taken.
pub fn url(arm: &Arm, within: &ResourceId, (from, to): (Timestamp, Timestamp)) -> url::Url {
    let path =
        format!("/subscriptions/{}/providers/Microsoft.Insights/eventtypes/management/values", within.subscription());
    let mut url = arm.path_url(&path, API_VERSION);
    let second = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    url.query_pairs_mut().append_pair(
        "$filter",
        &format!(
            "eventTimestamp ge '{}' and eventTimestamp le '{}' and resourceGroupName eq '{}'",
            second(from),
            second(to),
            within.group()
        ),
    );
    url
}
