//! Front Door, Standard and Premium, through the resource manager: the origins of one group.
//!
//! A PATCH is answered by 202 with `Azure-AsyncOperation` and `Location`; the monitor says `InProgress`, then
//! `Succeeded` or `Failed` (azure-facts 2.4; how the origin looks meanwhile is not recorded anywhere: here it keeps its
//! old values and says `Updating`).

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    arm::{self, Place},
    exchange::{Desk, Incoming, Reply},
    fault::Act,
    pools::{FrontDoorProfile, PoolMember, Update, key},
};

const KIND: &str = "Microsoft.Cdn/profiles";
/// What Azure asks for between two looks at a change.
const POLL_AFTER_S: u64 = 10;

#[derive(Deserialize)]
struct Body {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    enabled_state: Option<String>,
    priority: Option<u32>,
    weight: Option<u32>,
}

pub(super) fn answer(desk: &mut Desk<'_>, incoming: &Incoming, place: &Place<'_>) -> Reply {
    let spec = &desk.scenario.front_door;
    let group = place.group.unwrap_or_default();
    let found = spec.profiles.iter().find(|(name, _)| name.eq_ignore_ascii_case(place.rest[2]));
    let Some((name, profile)) = found.filter(|_| group.eq_ignore_ascii_case(&spec.group)) else {
        return arm::not_found(KIND, place.rest[2], group);
    };
    match place.rest[3..] {
        [groups, pool, origins, ref rest @ ..]
            if groups.eq_ignore_ascii_case("originGroups") && origins.eq_ignore_ascii_case("origins") =>
        {
            if !pool.eq_ignore_ascii_case(&profile.origin_group) {
                return arm::not_found(&format!("{KIND}/originGroups"), pool, group);
            }
            of_group(desk, incoming, (name, profile), rest)
        }
        _ => arm::no_route(incoming),
    }
}

fn of_group(
    desk: &mut Desk<'_>,
    incoming: &Incoming,
    (name, profile): (&str, &FrontDoorProfile),
    rest: &[&str],
) -> Reply {
    let [origin] = rest else {
        let origins = profile.origins.iter();
        let value: Vec<Value> =
            origins.map(|(origin, member)| origin_json(desk, (name, profile), origin, member)).collect();
        return match rest {
            [] if incoming.method == Method::GET => Reply::json(StatusCode::OK, &json!({ "value": value })),
            [] => arm::no_method(incoming),
            _ => arm::no_route(incoming),
        };
    };
    let known = profile.origins.iter().find(|(known, _)| known.eq_ignore_ascii_case(origin));
    let Some((origin, member)) = known else {
        return arm::not_found(&format!("{KIND}/originGroups/origins"), origin, &desk.scenario.front_door.group);
    };
    match incoming.method {
        Method::GET => Reply::json(StatusCode::OK, &origin_json(desk, (name, profile), origin, member)),
        Method::PATCH => patch(desk, incoming, (name, profile), (origin, member)),
        _ => arm::no_method(incoming),
    }
}

fn patch(
    desk: &mut Desk<'_>,
    incoming: &Incoming,
    (name, profile): (&str, &FrontDoorProfile),
    (origin, member): (&str, &PoolMember),
) -> Reply {
    let bad = |message: String| Reply::error(StatusCode::BAD_REQUEST, "BadRequest", message);
    let properties = match serde_json::from_slice::<Body>(&incoming.body) {
        Ok(body) => body.properties,
        Err(error) => return bad(format!("The request body is not an origin: {error}")),
    };
    if is_updating(desk, name, origin) {
        let message = "That action isn't allowed while another operation on the resource is in progress.";
        return Reply::error(StatusCode::CONFLICT, "Conflict", message);
    }
    let mut to = desk.state.pools.origins[&key(name, origin)].clone();
    match properties.enabled_state.as_deref() {
        None => {}
        Some(state) if state == "Enabled" || state == "Disabled" => to.enabled = state == "Enabled",
        Some(state) => return bad(format!("'{state}' is not a state of an origin.")),
    }
    to.priority = properties.priority.or(to.priority);
    to.weight = properties.weight.unwrap_or(to.weight);
    if !(1..=1000).contains(&to.weight) || to.priority.is_some_and(|priority| !(1..=5).contains(&priority)) {
        return bad("Weight must be from 1 to 1000, and priority from 1 to 5.".to_owned());
    }
    let lasts = desk.scenario.front_door.update_duration;
    let id = desk.state.guid();
    let ends = Some(desk.now.checked_add(lasts).unwrap_or(jiff::Timestamp::MAX));
    let update = Update { id, origin: key(name, origin), to, ends, failure: None, ended: false, lost: false };
    let url = format!(
        "{}://{}/subscriptions/{}/resourcegroups/{}/providers/Microsoft.Cdn/operationresults/{}/profileresults/{name}/\
         origingroupresults/{}/originresults/{origin}?api-version={}",
        incoming.scheme,
        incoming.authority,
        desk.scenario.subscription,
        desk.scenario.front_door.group,
        update.id,
        profile.origin_group,
        incoming.parameter("api-version").unwrap_or_default(),
    );
    desk.state.pools.updates.push(update);
    desk.state.effects.origin_patches_accepted += 1;
    desk.state.changed = true;
    settle(desk);
    let body = origin_json(desk, (name, profile), origin, member);
    if lasts.is_zero() {
        return Reply::json(StatusCode::OK, &body);
    }
    Reply::json(StatusCode::ACCEPTED, &body)
        .with("azure-asyncoperation", &url)
        .with("location", url)
        .with("retry-after", desk.retry_after(POLL_AFTER_S))
}

/// Where an accepted change can be watched.
pub(super) fn poll(desk: &Desk<'_>, incoming: &Incoming, place: &Place<'_>) -> Reply {
    let known = desk.state.pools.updates.iter().find(|update| update.id == place.rest[2] && !update.lost);
    let Some(update) = known else {
        return Reply::error(StatusCode::NOT_FOUND, "ResourceNotFound", "The operation was not found.");
    };
    if incoming.method != Method::GET {
        return arm::no_method(incoming);
    }
    if !update.ended {
        let running = Reply::json(StatusCode::OK, &json!({ "status": "InProgress" }));
        return running.with("retry-after", desk.retry_after(POLL_AFTER_S));
    }
    let body = match &update.failure {
        Some((code, message)) => json!({ "status": "Failed", "error": { "code": code, "message": message } }),
        None => json!({ "status": "Succeeded" }),
    };
    Reply::json(StatusCode::OK, &body)
}

fn is_updating(desk: &Desk<'_>, profile: &str, origin: &str) -> bool {
    desk.state.pools.updates.iter().any(|update| !update.ended && update.origin == key(profile, origin))
}

fn origin_json(desk: &Desk<'_>, (profile, spec): (&str, &FrontDoorProfile), name: &str, member: &PoolMember) -> Value {
    let setting = &desk.state.pools.origins[&key(profile, name)];
    let updating = is_updating(desk, profile, name);
    json!({
        "id": format!(
            "/subscriptions/{}/resourcegroups/{}/providers/{KIND}/{profile}/origingroups/{}/origins/{name}",
            desk.scenario.subscription, desk.scenario.front_door.group, spec.origin_group
        ),
        "name": name,
        "type": format!("{KIND}/origingroups/origins"),
        "properties": {
            "originGroupName": spec.origin_group,
            "hostName": member.target,
            "originHostHeader": member.target,
            "httpPort": 80,
            "httpsPort": 443,
            "enforceCertificateNameCheck": true,
            "enabledState": if setting.enabled { "Enabled" } else { "Disabled" },
            "priority": setting.priority,
            "weight": setting.weight,
            "provisioningState": if updating { "Updating" } else { "Succeeded" },
            "deploymentStatus": "NotStarted",
        },
    })
}

/// Brings about what has ended by now.
pub(super) fn settle(desk: &mut Desk<'_>) {
    let pools = &mut desk.state.pools;
    for update in &mut pools.updates {
        if update.ended || update.ends.is_none_or(|ends| ends > desk.now) {
            continue;
        }
        update.ended = true;
        desk.state.changed = true;
        if update.failure.is_none() {
            pools.origins.insert(update.origin.clone(), update.to.clone());
            desk.state.effects.origin_patches_completed += 1;
        }
    }
}

/// What faults do to changes that go on: those from `known` on, which a request has just started; `now`: at once.
pub(super) fn tamper(desk: &mut Desk<'_>, known: usize, act: &Act, now: bool) {
    let at = desk.now;
    for update in desk.state.pools.updates.iter_mut().skip(known).filter(|update| !update.ended) {
        match act {
            Act::LoseOperation => update.lost = true,
            Act::StickOperation => update.ends = None,
            Act::FailOperation { code, message } => {
                update.failure = Some((code.clone(), message.clone()));
                if now {
                    update.ends = Some(at);
                }
            }
            _ => return,
        }
        desk.state.changed = true;
    }
    settle(desk);
}
