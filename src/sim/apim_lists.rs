//! What an API Management service holds, list by list and page by page, and its diagnostic settings.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    apim::KIND,
    arm::{self, Place},
    exchange::{Desk, Incoming, Reply},
    state::ServiceState,
};

/// Below a service, in lower case.
const LISTS: [&str; 6] = ["workspaces", "apis", "products", "subscriptions", "namedvalues", "portalrevisions"];

pub(super) fn is_list(collection: &str) -> bool {
    LISTS.contains(&collection)
}

/// One page of a list. `name` is the service's in lower case and known; so is `collection`.
pub(super) fn answer(desk: &Desk<'_>, incoming: &Incoming, name: &str, collection: &str) -> Reply {
    let service = &desk.state.services[name];
    let items = items(desk, service, collection);
    let id = incoming.path.trim_end_matches('/');
    let all: Vec<Value> = items
        .into_iter()
        .map(|(kind, name, properties)| {
            let whole = format!("{id}/{name}");
            json!({ "id": whole, "type": format!("{KIND}/{kind}"), "name": name, "properties": properties })
        })
        .collect();
    page(desk, incoming, all, collection != "portalrevisions")
}

/// Kind, name and properties of each, as Microsoft's description has them.
fn items(desk: &Desk<'_>, service: &ServiceState, collection: &str) -> Vec<(&'static str, String, Value)> {
    let content = &service.content;
    let named = |kind: &'static str, names: &[String], properties: fn(&str) -> Value| {
        names.iter().map(|name| (kind, name.clone(), properties(name))).collect()
    };
    match collection {
        "apis" => {
            let shown = content.apis.iter().map(|api| {
                let properties = json!({
                    "displayName": api.name, "apiRevision": "1", "path": api.path, "protocols": ["https"],
                    "isCurrent": true, "subscriptionRequired": true,
                });
                ("apis", api.name.clone(), properties)
            });
            shown.collect()
        }
        "products" => named(
            "products",
            &content.products,
            |name| json!({ "displayName": name, "state": "published", "subscriptionRequired": true }),
        ),
        "subscriptions" => named(
            "subscriptions",
            &content.subscriptions,
            |name| json!({ "displayName": name, "scope": "/apis", "state": "active", "createdDate": "2023-07-20T21:20:00Z" }),
        ),
        "namedvalues" => {
            named("namedValues", &content.named_values, |name| json!({ "displayName": name, "secret": false }))
        }
        "portalrevisions" => (1..=service.spec.portal_revisions)
            .map(|number| {
                let published = desk.state.started.to_string();
                let properties = json!({
                    "description": format!("Revision {number}"), "status": "completed",
                    "isCurrent": number == service.spec.portal_revisions,
                    "createdDateTime": published, "updatedDateTime": published,
                });
                ("portalRevisions", format!("rev-{number}"), properties)
            })
            .collect(),
        _ => named("workspaces", &service.spec.workspaces, |name| json!({ "displayName": name })),
    }
}

/// `{service}/providers/Microsoft.Insights/diagnosticSettings`; `place` names the service.
pub(super) fn diagnostics(desk: &Desk<'_>, incoming: &Incoming, place: &Place<'_>) -> Reply {
    let name = place.rest[2].to_ascii_lowercase();
    let group = place.group.unwrap_or_default();
    let Some(service) = desk.state.services.get(&name).filter(|it| it.spec.group.eq_ignore_ascii_case(group)) else {
        return arm::not_found(KIND, place.rest[2], group);
    };
    if incoming.method != Method::GET {
        return arm::no_method(incoming);
    }
    Reply::json(StatusCode::OK, &json!({ "value": diagnostics_of(desk, service) }))
}

/// The diagnostic settings of a service, as Azure Monitor shows them.
pub(super) fn diagnostics_of(desk: &Desk<'_>, service: &ServiceState) -> Value {
    let (spec, group) = (&service.spec, &service.spec.group);
    let groups = format!("/subscriptions/{}/resourceGroups/{group}/providers", desk.scenario.subscription);
    let shown = spec.diagnostic_settings.iter().map(|name| {
        let within = format!("{groups}/{KIND}/{}/providers/Microsoft.Insights/diagnosticSettings", spec.name);
        json!({
            "id": format!("{within}/{name}"), "type": "Microsoft.Insights/diagnosticSettings", "name": name,
            "properties": {
                "workspaceId": format!("{groups}/Microsoft.OperationalInsights/workspaces/logs"),
                "storageAccountId": null, "eventHubAuthorizationRuleId": null,
                "logs": [{ "category": "GatewayLogs", "enabled": true }], "metrics": [],
            },
        })
    });
    shown.collect()
}

/// `$skip` and `$top` as Azure's own links use them. `counted`: the list says how many there are on all pages.
fn page(desk: &Desk<'_>, incoming: &Incoming, all: Vec<Value>, counted: bool) -> Reply {
    let number = |name: &str| incoming.parameter(name).map(|text| text.parse::<usize>()).transpose();
    let (Ok(skip), Ok(top)) = (number("$skip"), number("$top")) else {
        let message = "$skip and $top must be numbers.";
        return Reply::error(StatusCode::BAD_REQUEST, "ValidationError", message);
    };
    let (skip, most) = (skip.unwrap_or(0), desk.scenario.list_page);
    let count = all.len();
    let end = skip.saturating_add(top.unwrap_or(most).min(most)).min(count);
    let next = (end < count && top.is_none()).then(|| {
        let version = incoming.parameter("api-version").unwrap_or_default();
        format!("{}://{}{}?%24skip={end}&api-version={version}", incoming.scheme, incoming.authority, incoming.path)
    });
    let value: Vec<Value> = all.into_iter().take(end).skip(skip).collect();
    let mut list = json!({ "value": value, "nextLink": next });
    if counted {
        list["count"] = json!(count);
    }
    Reply::json(StatusCode::OK, &list)
}

/// Services that were deleted a day ago, and whose names are kept for another day.
pub(super) fn deleted(desk: &Desk<'_>, incoming: &Incoming) -> Reply {
    if incoming.method != Method::GET {
        return arm::no_method(incoming);
    }
    let a_day = jiff::SignedDuration::from_hours(24);
    let subscription = &desk.scenario.subscription;
    let gone = desk.state.services.values().filter(|service| service.spec.condition.deleted);
    let value: Vec<Value> = gone
        .map(|service| {
            let spec = &service.spec;
            let location = super::state::compact(&spec.location);
            json!({
                "id": format!(
                    "/subscriptions/{subscription}/providers/Microsoft.ApiManagement/locations/{location}/deletedservices/{}",
                    spec.name
                ),
                "name": spec.name, "type": "Microsoft.ApiManagement/deletedservices", "location": spec.location,
                "properties": {
                    "serviceId": format!(
                        "/subscriptions/{subscription}/resourceGroups/{}/providers/{KIND}/{}", spec.group, spec.name
                    ),
                    "deletionDate": (desk.state.started - a_day).to_string(),
                    "scheduledPurgeDate": (desk.state.started + a_day).to_string(),
                },
            })
        })
        .collect();
    Reply::json(StatusCode::OK, &json!({ "value": value, "nextLink": null }))
}

/// What a service depends on, in its one region.
pub(super) fn network_status(desk: &Desk<'_>, service: &ServiceState) -> Reply {
    let now = desk.now.to_string();
    let failing = &service.spec.condition.network_failures;
    let usual = ["Azure Storage", "Azure SQL Database", "Azure Key Vault"];
    let names = usual.into_iter().chain(failing.iter().map(String::as_str).filter(|name| !usual.contains(name)));
    let told: Vec<Value> = names
        .map(|name| {
            let bad = failing.iter().any(|failing| failing == name);
            json!({
                "name": name, "status": if bad { "failure" } else { "success" },
                "error": if bad { "The connection timed out." } else { "" },
                "lastUpdated": now, "lastStatusChange": desk.state.started.to_string(),
                "resourceType": "External", "isOptional": false,
            })
        })
        .collect();
    let region = json!({
        "location": service.spec.location,
        "networkStatus": { "dnsServers": ["168.63.129.16"], "connectivityStatus": told },
    });
    Reply::json(StatusCode::OK, &json!([region]))
}
