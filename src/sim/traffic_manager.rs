//! Traffic Manager through the resource manager, and the answer of its name servers.
//!
//! Endpoints have no `ETag`; a PATCH is answered at once. Priorities are all there or none, and each only once
//! (azure-facts 2.3, Microsoft's `OpenAPI` of 2022-04-01).

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    arm::{self, Place},
    exchange::{Desk, Incoming, Reply},
    pools::{PoolMember, Setting, TrafficProfile, key},
};

const KIND: &str = "Microsoft.Network/trafficManagerProfiles";
const DOMAIN: &str = "trafficmanager.net";

#[derive(Deserialize)]
struct Body {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    endpoint_status: Option<String>,
    priority: Option<u32>,
    weight: Option<u32>,
}

pub(super) fn answer(desk: &mut Desk<'_>, incoming: &Incoming, place: &Place<'_>) -> Reply {
    let spec = &desk.scenario.traffic_manager;
    let group = place.group.unwrap_or_default();
    let found = spec.profiles.iter().find(|(name, _)| name.eq_ignore_ascii_case(place.rest[2]));
    let Some((name, profile)) = found.filter(|_| group.eq_ignore_ascii_case(&spec.group)) else {
        return arm::not_found(KIND, place.rest[2], group);
    };
    match place.rest[3..] {
        [] if incoming.method == Method::GET => Reply::json(StatusCode::OK, &profile_json(desk, name, profile)),
        [] => arm::no_method(incoming),
        [kind, endpoint] => {
            let known = profile.endpoints.iter().find(|(name, _)| name.eq_ignore_ascii_case(endpoint));
            let Some((endpoint, member)) = known.filter(|_| kind.eq_ignore_ascii_case("ExternalEndpoints")) else {
                return arm::not_found(&format!("{KIND}/{kind}"), endpoint, group);
            };
            match incoming.method {
                Method::GET => Reply::json(StatusCode::OK, &endpoint_json(desk, name, endpoint, member)),
                Method::PATCH => patch(desk, incoming, (name, profile), (endpoint, member)),
                _ => arm::no_method(incoming),
            }
        }
        _ => arm::no_route(incoming),
    }
}

fn patch(
    desk: &mut Desk<'_>,
    incoming: &Incoming,
    (name, profile): (&str, &TrafficProfile),
    (endpoint, member): (&str, &PoolMember),
) -> Reply {
    let bad = |message: String| Reply::error(StatusCode::BAD_REQUEST, "BadRequest", message);
    let properties = match serde_json::from_slice::<Body>(&incoming.body) {
        Ok(body) => body.properties,
        Err(error) => return bad(format!("The request body is not an endpoint: {error}")),
    };
    let mut setting = desk.state.pools.endpoints[&key(name, endpoint)].clone();
    match properties.endpoint_status.as_deref() {
        None => {}
        Some(status) if status == "Enabled" || status == "Disabled" => setting.enabled = status == "Enabled",
        Some(status) => return bad(format!("'{status}' is not a status of an endpoint.")),
    }
    setting.priority = properties.priority.or(setting.priority);
    setting.weight = properties.weight.unwrap_or(setting.weight);
    if !(1..=1000).contains(&setting.weight) || setting.priority.is_some_and(|it| !(1..=1000).contains(&it)) {
        return bad("Weight and priority must be from 1 to 1000.".to_owned());
    }
    let others = profile.endpoints.keys().filter(|other| !other.eq_ignore_ascii_case(endpoint));
    let others: Vec<Option<u32>> = others.map(|other| desk.state.pools.endpoints[&key(name, other)].priority).collect();
    if others.iter().any(|other| other.is_some() && *other == setting.priority) {
        return bad("The priority of an endpoint must be unique within the profile.".to_owned());
    }
    if others.iter().any(|other| other.is_some() != setting.priority.is_some()) {
        return bad("A priority must be given for every endpoint or for none.".to_owned());
    }
    desk.state.pools.endpoints.insert(key(name, endpoint), setting);
    desk.state.effects.endpoint_patches_accepted += 1;
    desk.state.changed = true;
    Reply::json(StatusCode::OK, &endpoint_json(desk, name, endpoint, member))
}

fn profile_id(desk: &Desk<'_>, name: &str) -> String {
    let (subscription, group) = (&desk.scenario.subscription, &desk.scenario.traffic_manager.group);
    format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{KIND}/{name}")
}

fn profile_json(desk: &Desk<'_>, name: &str, profile: &TrafficProfile) -> Value {
    let endpoints = profile.endpoints.iter();
    let endpoints: Vec<Value> =
        endpoints.map(|(endpoint, member)| endpoint_json(desk, name, endpoint, member)).collect();
    json!({
        "id": profile_id(desk, name),
        "name": name,
        "type": KIND,
        "location": "global",
        "tags": {},
        "properties": {
            "profileStatus": if profile.enabled { "Enabled" } else { "Disabled" },
            "trafficRoutingMethod": "Priority",
            "dnsConfig": {
                "relativeName": name,
                "fqdn": format!("{name}.{DOMAIN}"),
                "ttl": profile.ttl.as_secs(),
            },
            "monitorConfig": {
                "profileMonitorStatus": if profile.enabled { "Online" } else { "Disabled" },
                "protocol": "HTTPS", "port": 443, "path": "/status-0123456789abcdef",
                "intervalInSeconds": 30, "timeoutInSeconds": 10, "toleratedNumberOfFailures": 3,
            },
            "endpoints": endpoints,
            "trafficViewEnrollmentStatus": "Disabled",
            "maxReturn": null,
        },
    })
}

fn endpoint_json(desk: &Desk<'_>, profile: &str, name: &str, member: &PoolMember) -> Value {
    let setting = &desk.state.pools.endpoints[&key(profile, name)];
    json!({
        "id": format!("{}/externalEndpoints/{name}", profile_id(desk, profile)),
        "name": name,
        "type": format!("{KIND}/externalEndpoints"),
        "properties": {
            "endpointStatus": if setting.enabled { "Enabled" } else { "Disabled" },
            "endpointMonitorStatus": health(desk, setting, member),
            "target": member.target,
            "weight": setting.weight,
            "priority": setting.priority,
            "endpointLocation": null,
        },
    })
}

/// What Traffic Manager's probes say: they reach every gateway but that of a lost region.
fn health<'a>(desk: &Desk<'_>, setting: &Setting, member: &'a PoolMember) -> &'a str {
    if !setting.enabled {
        return "Disabled";
    }
    let mut services = desk.state.services.values();
    let lost = services.any(|it| it.gateway_host() == member.target && desk.is_lost(&it.spec.location));
    member.health.as_deref().unwrap_or(if lost { "Degraded" } else { "Online" })
}

/// Where the name of a profile points, and for how long; none: it is no profile's name, or nothing is enabled.
pub(super) fn resolved(desk: &Desk<'_>, hostname: &str) -> Option<(String, u32)> {
    let name = hostname.strip_suffix(DOMAIN)?.strip_suffix('.')?;
    let (name, profile) =
        desk.scenario.traffic_manager.profiles.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    let setting = |endpoint: &str| &desk.state.pools.endpoints[&key(name, endpoint)];
    let enabled: Vec<(&String, &PoolMember)> =
        profile.endpoints.iter().filter(|(endpoint, _)| profile.enabled && setting(endpoint).enabled).collect();
    let healthy = |(endpoint, member): &&(&String, &PoolMember)| health(desk, setting(endpoint), member) == "Online";
    // When all fail their probes, it answers as if none did.
    let some_are = enabled.iter().any(|one| healthy(&one));
    let first =
        enabled.iter().filter(|one| !some_are || healthy(one)).min_by_key(|(name, _)| setting(name).priority)?;
    Some((first.1.target.clone(), u32::try_from(profile.ttl.as_secs()).unwrap_or(u32::MAX)))
}

/// Somebody else changes a member of the pool that a request is for, just before it.
pub(super) fn meddle(desk: &mut Desk<'_>, path: &str, member: &str, change: impl Fn(&mut Setting)) {
    let path = path.to_ascii_lowercase();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let after = |word: &str| segments.windows(2).find(|pair| pair[0] == word).map(|pair| pair[1]);
    let pools = &mut desk.state.pools;
    let found = match (after("trafficmanagerprofiles"), after("profiles")) {
        (Some(profile), _) => pools.endpoints.get_mut(&key(profile, member)),
        (None, Some(profile)) => pools.origins.get_mut(&key(profile, member)),
        (None, None) => None,
    };
    if let Some(setting) = found {
        change(setting);
        desk.state.changed = true;
    }
}
