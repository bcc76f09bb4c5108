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

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// What succeeded, in Azure's order.
    pub activities: Vec<Activity>,
    /// Entries that do not say what succeeded, where or when.
    pub unread: usize,
}

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

impl Log {
    fn of(entries: Vec<Entry>) -> Self {
        let status = |entry: &Entry| entry.status.as_ref().and_then(|word| word.value.clone());
        let succeeded = |entry: &Entry| status(entry).is_none_or(|status| status.eq_ignore_ascii_case("Succeeded"));
        let activity = |entry: Entry| {
            status(&entry)?;
            let caller = entry.caller.filter(|caller| !caller.is_empty());
            let (at, operation, resource) = (entry.event_timestamp?, entry.operation_name?.value?, entry.resource_id?);
            Some(Activity { at, operation, resource, caller })
        };
        let told: Vec<Option<Activity>> = entries.into_iter().filter(succeeded).map(activity).collect();
        let unread = told.iter().filter(|activity| activity.is_none()).count();
        Self { activities: told.into_iter().flatten().collect(), unread }
    }
}

/// What succeeded in a resource group between two moments. Of the group, not of a resource: whether a filter on a resource has
/// what is below it is not documented.
///
/// # Errors
/// Also when an answer holds no list: that would be taken for a time without changes.
pub async fn succeeded(arm: &Arm, within: &ResourceId, (from, to): (Timestamp, Timestamp)) -> Result<Log, AzureError> {
    let entries: Vec<Entry> = paged::whole(arm, url(arm, within, (from, to)), "the activity log").await?;
    Ok(Log::of(entries))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_that_says_too_little_is_counted_and_one_that_did_not_succeed_is_none() {
        let entry = |status: serde_json::Value, at: Option<&str>| json!({ "eventTimestamp": at, "operationName": { "value": "a/write" }, "resourceId": "/x", "status": status });
        let at = Some("2026-11-23T02:00:00Z");
        let entries = json!([
            entry(json!({ "value": "Succeeded" }), at),
            entry(json!({ "value": "Started" }), None),
            entry(json!({ "value": "Succeeded" }), None),
            entry(json!({ "value": null }), at),
            { "status": { "value": "succeeded" } },
        ]);
        let log = Log::of(serde_json::from_value(entries).unwrap());
        assert_eq!((log.activities.len(), log.unread), (1, 3), "{log:?}");
    }
}
