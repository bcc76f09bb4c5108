//! Microsoft.Insights: the activity log of a subscription. Of the whole world: a lost region does not take it away.

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    arm,
    exchange::{Desk, Incoming, Reply},
};

/// `/subscriptions/{s}/providers/Microsoft.Insights/eventtypes/management/values`: what the scenario says was changed.
pub(super) fn answer(desk: &Desk<'_>, incoming: &Incoming) -> Reply {
    if incoming.method != Method::GET {
        return arm::no_method(incoming);
    }
    let asked = incoming.parameter("$filter").unwrap_or_default();
    let Some(Filter { from, to, group }) = filter(&asked) else {
        let message = "The filter is missing, or of a form that is not supported.";
        return Reply::error(StatusCode::BAD_REQUEST, "BadRequest", message);
    };
    let mut entries: Vec<(Timestamp, Value)> = Vec::new();
    for service in desk.state.services.values().filter(|service| service.spec.group.eq_ignore_ascii_case(group)) {
        let id = format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.ApiManagement/service/{}",
            desk.scenario.subscription, service.spec.group, service.spec.name
        );
        for change in &service.spec.condition.changed {
            let ago = jiff::SignedDuration::try_from(change.ago).unwrap_or(jiff::SignedDuration::MAX);
            let at = desk.state.started.saturating_sub(ago).unwrap_or(Timestamp::MIN);
            if (from..=to).contains(&at) {
                // As Azure does it: an entry for the beginning, one for the end.
                entries.extend(["Started", "Succeeded"].map(|status| (at, entry(&id, change, at, status))));
            }
        }
    }
    entries.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let value: Vec<Value> = entries.into_iter().map(|(_, entry)| entry).collect();
    Reply::json(StatusCode::OK, &json!({ "value": value }))
}

fn entry(id: &str, change: &super::condition::Changed, at: Timestamp, status: &str) -> Value {
    // Of `apis/orders/operations/get` the types: `apis/operations`.
    let types: Vec<&str> = change.what.split('/').step_by(2).filter(|kind| !kind.is_empty()).collect();
    let below = if change.what.is_empty() { String::new() } else { format!("/{}", change.what) };
    let kinds: String = types.iter().map(|kind| format!("/{kind}")).collect();
    json!({
        "eventTimestamp": at.to_string(),
        "submissionTimestamp": at.to_string(),
        "operationName": { "value": format!("Microsoft.ApiManagement/service{kinds}/{}", change.operation) },
        "status": { "value": status },
        "category": { "value": "Administrative" },
        "level": "Informational",
        "resourceId": format!("{id}{below}"),
        "caller": change.by,
        "correlationId": "00000000-0000-0000-0000-00000000c0de",
    })
}

struct Filter<'a> {
    from: Timestamp,
    to: Timestamp,
    group: &'a str,
}

/// The one form of Azure's few that the client uses.
fn filter(text: &str) -> Option<Filter<'_>> {
    let mut clauses = text.split(" and ");
    let mut clause = |begin: &str| clauses.next()?.strip_prefix(begin)?.strip_prefix('\'')?.strip_suffix('\'');
    let from = clause("eventTimestamp ge ")?.parse().ok()?;
    let to = clause("eventTimestamp le ")?.parse().ok()?;
    let group = clause("resourceGroupName eq ")?;
    clauses.next().is_none().then_some(Filter { from, to, group })
}
