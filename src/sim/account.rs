//! The storage account through the resource manager.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    arm::{self, Place},
    exchange::{Desk, Incoming, Reply},
    state::compact,
};

const KIND: &str = "Microsoft.Storage/storageAccounts";

pub(super) fn answer(desk: &mut Desk<'_>, incoming: &Incoming, place: &Place<'_>) -> Reply {
    let storage = &desk.scenario.storage;
    let group = place.group.unwrap_or_default();
    if !place.rest[2].eq_ignore_ascii_case(&storage.account) || !group.eq_ignore_ascii_case(&storage.group) {
        return arm::not_found(KIND, place.rest[2], group);
    }
    let below: Vec<String> = place.rest[3..].iter().map(|segment| segment.to_ascii_lowercase()).collect();
    let below: Vec<&str> = below.iter().map(String::as_str).collect();
    match below.as_slice() {
        [] if incoming.method == Method::GET => account(desk, incoming),
        ["listkeys"] if incoming.method == Method::POST => {
            let key = |place: usize| {
                json!({
                    "creationTime": "2023-07-20T21:12:41.4871052Z", "keyName": format!("key{}", place + 1),
                    "value": desk.state.account_keys[place], "permissions": "FULL",
                })
            };
            Reply::json(StatusCode::OK, &json!({ "keys": [key(0), key(1)] }))
        }
        ["blobservices", "default"] if incoming.method == Method::GET => blob_service(desk),
        [] | ["listkeys"] | ["blobservices", "default"] => arm::no_method(incoming),
        _ => arm::no_route(incoming),
    }
}

/// All of the subscription, which is one.
pub(super) fn all(desk: &Desk<'_>, incoming: &Incoming) -> Reply {
    if incoming.method != Method::GET {
        return arm::no_method(incoming);
    }
    Reply::json(StatusCode::OK, &json!({ "value": [shown(desk, incoming)] }))
}

fn id(desk: &Desk<'_>) -> String {
    let storage = &desk.scenario.storage;
    format!(
        "/subscriptions/{}/resourceGroups/{}/providers/{KIND}/{}",
        desk.scenario.subscription, storage.group, storage.account
    )
}

fn account(desk: &Desk<'_>, incoming: &Incoming) -> Reply {
    Reply::json(StatusCode::OK, &shown(desk, incoming))
}

fn shown(desk: &Desk<'_>, incoming: &Incoming) -> Value {
    let storage = &desk.scenario.storage;
    let reach = &storage.reach;
    let available = if desk.is_lost(&storage.location) || !reach.available { "unavailable" } else { "available" };
    let blob = match &desk.state.listening {
        // By the scheme that the client came with: most refuse to send a token over http.
        Some(_) => format!("{}://{}/{}/", incoming.scheme, incoming.authority, storage.account),
        None => format!("https://{}.blob.core.windows.net/", storage.account),
    };
    let mut account = json!({
            "sku": { "name": storage.reach.sku, "tier": "Standard" },
            "kind": "StorageV2",
            "id": id(desk),
            "name": storage.account,
            "type": KIND,
            "location": compact(&storage.location),
            "tags": {},
            "properties": {
                "provisioningState": "Succeeded",
                "primaryLocation": compact(&storage.location),
                "statusOfPrimary": available,
                "primaryEndpoints": { "blob": blob },
                "allowSharedKeyAccess": storage.shared_key,
                "publicNetworkAccess": if reach.public { "Enabled" } else { "Disabled" },
                "networkAcls": {
                    "bypass": if reach.trusted_services { "AzureServices" } else { "None" },
                    "defaultAction": if reach.firewall { "Deny" } else { "Allow" },
                    "ipRules": [], "virtualNetworkRules": [],
                },
                "supportsHttpsTrafficOnly": true,
                "accessTier": "Hot",
            },
    });
    if let Some(secondary) = &reach.secondary {
        account["properties"]["secondaryLocation"] = json!(compact(secondary));
        account["properties"]["statusOfSecondary"] = json!("available");
        if incoming.parameter("$expand").is_some_and(|it| it.eq_ignore_ascii_case("geoReplicationStats")) {
            let lag = jiff::SignedDuration::try_from(reach.lag).unwrap_or(jiff::SignedDuration::MAX);
            let last_sync = desk.now.checked_sub(lag).unwrap_or(jiff::Timestamp::MIN);
            account["properties"]["geoReplicationStats"] = json!({
                "status": "Live", "lastSyncTime": last_sync.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), "canFailover": true,
            });
        }
    }
    account
}

fn blob_service(desk: &Desk<'_>) -> Reply {
    let rules = if desk.scenario.storage.cors {
        json!([{
            "allowedOrigins": ["*"], "allowedMethods": ["GET", "HEAD", "PATCH"], "maxAgeInSeconds": 200,
            "exposedHeaders": ["*"], "allowedHeaders": ["*"],
        }])
    } else {
        json!([])
    };
    Reply::json(
        StatusCode::OK,
        &json!({
            "id": format!("{}/blobServices/default", id(desk)),
            "name": "default",
            "type": format!("{KIND}/blobServices"),
            "properties": { "cors": { "corsRules": rules }, "deleteRetentionPolicy": { "enabled": false } },
        }),
    )
}
