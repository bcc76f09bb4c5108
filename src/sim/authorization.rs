//! Microsoft.Authorization at any scope: permissions of the client, locks, and roles of the services' identities.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    apim_shown::principal,
    arm,
    condition::LockLevel,
    exchange::{Desk, Incoming, Reply},
};

/// Built-in roles that the simulator knows: name, GUID, actions, data actions.
const ROLES: [(&str, &str, &[&str], &[&str]); 4] = [
    (
        "Storage Blob Data Contributor",
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        &["Microsoft.Storage/storageAccounts/blobServices/containers/*"],
        &["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*"],
    ),
    (
        "Storage Blob Data Owner",
        "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
        &["Microsoft.Storage/storageAccounts/blobServices/containers/*"],
        &["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*"],
    ),
    (
        "Storage Blob Data Reader",
        "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
        &["Microsoft.Storage/storageAccounts/blobServices/containers/read"],
        &["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"],
    ),
    ("Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7", &["*/read"], &[]),
];

/// Where `Microsoft.Authorization` begins in a path below a subscription: what stands before is the scope.
pub(super) fn split<'a, 'b>(rest: &'a [&'b str]) -> Option<(&'a [&'b str], &'a [&'b str])> {
    let at = rest.windows(2).rposition(|pair| {
        pair[0].eq_ignore_ascii_case("providers") && pair[1].eq_ignore_ascii_case("Microsoft.Authorization")
    })?;
    Some((&rest[..at], &rest[at + 2..]))
}

/// `scope` and `asked` are the segments before and after `providers/Microsoft.Authorization`.
pub(super) fn answer(desk: &Desk<'_>, incoming: &Incoming, scope: &[&str], asked: &[&str]) -> Reply {
    if incoming.method != Method::GET {
        return arm::no_method(incoming);
    }
    if let Some(group) = scope.get(1) {
        let Some(location) = arm::location_of(desk, group) else { return arm::group_not_found(group) };
        if desk.is_lost(&location) {
            let message = format!("The resource group '{group}' is in {location}, which is not available.");
            return Reply::error(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message);
        }
    }
    let subscription = format!("/subscriptions/{}", desk.scenario.subscription);
    let here = scope.iter().fold(subscription, |path, segment| format!("{path}/{segment}"));
    let kind = asked.first().map(|kind| kind.to_ascii_lowercase()).unwrap_or_default();
    let value = match (kind.as_str(), asked.len()) {
        ("permissions", 1) => permissions(desk),
        ("locks", 1) => locks(desk, &here),
        ("roleassignments", 1) => assignments(desk, incoming, &here),
        ("roledefinitions", 2) => return definition(desk, asked[1]),
        _ => return arm::no_route(incoming),
    };
    Reply::json(StatusCode::OK, &json!({ "value": value }))
}

fn permissions(desk: &Desk<'_>) -> Vec<Value> {
    let rights = &desk.scenario.authorization;
    vec![json!({
        "actions": rights.actions, "notActions": rights.not_actions,
        "dataActions": rights.data_actions, "notDataActions": rights.not_data_actions,
    })]
}

/// Those at the scope and, as in Azure without a filter, those below it.
fn locks(desk: &Desk<'_>, here: &str) -> Vec<Value> {
    let shown = desk.scenario.authorization.locks.iter().filter_map(|lock| {
        let on = path_of(desk, &lock.on)?;
        let level = match lock.level {
            LockLevel::ReadOnly => "ReadOnly",
            LockLevel::CannotDelete => "CanNotDelete",
        };
        is_within(&on, here).then(|| {
            json!({
                "id": format!("{on}/providers/Microsoft.Authorization/locks/{}", lock.name),
                "type": "Microsoft.Authorization/locks", "name": lock.name,
                "properties": { "level": level, "notes": "" },
            })
        })
    });
    shown.collect()
}

/// Of one principal: above, at and below the scope.
fn assignments(desk: &Desk<'_>, incoming: &Incoming, here: &str) -> Vec<Value> {
    let filter = incoming.parameter("$filter").unwrap_or_default();
    let wanted = filter.split('\'').nth(1).unwrap_or_default();
    let shown = desk.scenario.authorization.roles.iter().enumerate().filter_map(|(place, role)| {
        let holder = principal(desk, &role.holder.to_ascii_lowercase());
        let (on, guid) = (path_of(desk, &role.on)?, role_of(&role.role)?.1);
        let related = is_within(&on, here) || is_within(here, &on);
        (holder == wanted && related).then(|| {
            let name = format!("00000000-0000-4000-8000-{:012x}", place + 1);
            let definitions = format!(
                "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions",
                desk.scenario.subscription
            );
            json!({
                "id": format!("{on}/providers/Microsoft.Authorization/roleAssignments/{name}"),
                "type": "Microsoft.Authorization/roleAssignments", "name": name,
                "properties": {
                    "roleDefinitionId": format!("{definitions}/{guid}"), "principalId": holder,
                    "principalType": "ServicePrincipal", "scope": on,
                },
            })
        })
    });
    shown.collect()
}

fn definition(desk: &Desk<'_>, guid: &str) -> Reply {
    let Some((name, guid, actions, data)) = ROLES.iter().find(|(_, known, ..)| known.eq_ignore_ascii_case(guid)) else {
        let message = format!("The specified role definition with ID '{guid}' does not exist.");
        return Reply::error(StatusCode::NOT_FOUND, "RoleDefinitionDoesNotExist", message);
    };
    let subscription = &desk.scenario.subscription;
    Reply::json(
        StatusCode::OK,
        &json!({
            "id": format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{guid}"),
            "type": "Microsoft.Authorization/roleDefinitions", "name": guid,
            "properties": {
                "roleName": name, "type": "BuiltInRole", "description": "", "assignableScopes": ["/"],
                "permissions": [{ "actions": actions, "notActions": [], "dataActions": data, "notDataActions": [] }],
            },
        }),
    )
}

fn role_of(
    name: &str,
) -> Option<&'static (&'static str, &'static str, &'static [&'static str], &'static [&'static str])> {
    ROLES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name))
}

fn is_within(path: &str, whole: &str) -> bool {
    let (path, whole) = (path.to_ascii_lowercase(), whole.to_ascii_lowercase());
    path.strip_prefix(&whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Of a resource or a group, by its name; `subscription` is the subscription.
fn path_of(desk: &Desk<'_>, name: &str) -> Option<String> {
    let scenario = desk.scenario;
    let subscription = format!("/subscriptions/{}", scenario.subscription);
    if name == "subscription" {
        return Some(subscription);
    }
    let resources = [
        (&scenario.active.group, super::apim::KIND, &scenario.active.name),
        (&scenario.standby.group, super::apim::KIND, &scenario.standby.name),
        (&scenario.storage.group, "Microsoft.Storage/storageAccounts", &scenario.storage.account),
        (&scenario.zone.group, "Microsoft.Network/dnsZones", &scenario.zone.name),
        (&scenario.private_zone.group, "Microsoft.Network/privateDnsZones", &scenario.private_zone.name),
    ];
    let resource = resources.iter().find(|(_, _, known)| known.eq_ignore_ascii_case(name));
    let group = resources.iter().find(|(group, ..)| group.eq_ignore_ascii_case(name));
    match (resource, group) {
        (Some((group, kind, name)), _) => {
            Some(format!("{subscription}/resourceGroups/{group}/providers/{kind}/{name}"))
        }
        (None, Some((group, ..))) => Some(format!("{subscription}/resourceGroups/{group}")),
        (None, None) => None,
    }
}
