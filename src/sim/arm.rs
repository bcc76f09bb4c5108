//! The resource manager: who may ask, which resource is meant, and the headers that every answer carries.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    account, activity, apim, apim_lists, authorization,
    exchange::{Desk, Incoming, Reply, http_date},
    front_door, health,
    state::compact,
    traffic_manager, versions,
    zone::{self, Realm},
};

/// A path below a subscription, split; compare with `is`, for ARM does not mind the case.
pub(super) struct Place<'a> {
    /// Resource group, when the path names one.
    pub group: Option<&'a str>,
    /// What stands after `providers/`.
    pub rest: Vec<&'a str>,
}

impl Place<'_> {
    /// Whether the rest begins with these segments. `*` stands for any one.
    pub fn begins(&self, pattern: &[&str]) -> bool {
        self.rest.len() >= pattern.len()
            && pattern
                .iter()
                .zip(&self.rest)
                .all(|(wanted, found)| *wanted == "*" || wanted.eq_ignore_ascii_case(found))
    }

    /// Whether the rest is these segments and no more.
    fn is(&self, pattern: &[&str]) -> bool {
        self.rest.len() == pattern.len() && self.begins(pattern)
    }
}

/// Answers a request to the resource manager.
pub(super) fn answer(desk: &mut Desk<'_>, incoming: &Incoming) -> Reply {
    let reply = match refuse_token(desk, incoming) {
        Some(refusal) => refusal,
        None => resource(desk, incoming),
    };
    dress(desk, incoming, reply)
}

/// The refusal of a request without a valid token.
pub(super) fn refuse_token(desk: &Desk<'_>, incoming: &Incoming) -> Option<Reply> {
    let refusal = |code: &str, message: &str| {
        let challenge = format!(
            "Bearer authorization_uri=\"https://login.microsoftonline.com/{}\", error=\"invalid_token\"",
            desk.scenario.tenant
        );
        Some(Reply::error(StatusCode::UNAUTHORIZED, code, message).with("www-authenticate", challenge))
    };
    let bearer = incoming.header("authorization").and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let Some(bearer) = bearer else {
        return refusal("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.");
    };
    match desk.state.tokens.iter().find(|token| token.text == bearer) {
        Some(token) if token.expires > desk.now => None,
        Some(token) => {
            let message = format!(
                "The access token expiry UTC time '{}' is earlier than current UTC time '{}'.",
                token.expires, desk.now
            );
            refusal("ExpiredAuthenticationToken", &message)
        }
        None => refusal("InvalidAuthenticationToken", "The access token is invalid."),
    }
}

fn resource(desk: &mut Desk<'_>, incoming: &Incoming) -> Reply {
    let segments: Vec<&str> = incoming.path.trim_matches('/').split('/').collect();
    let Some((root, below)) = segments.split_first() else { return no_route(incoming) };
    if !root.eq_ignore_ascii_case("subscriptions") {
        return no_route(incoming);
    }
    if let Some(refusal) = refuse_version(incoming) {
        return refusal;
    }
    // Whoever signs in looks for the subscriptions first.
    let Some((subscription, rest)) = below.split_first() else {
        let all = json!({ "value": [subscription_json(desk)], "count": { "type": "Total", "value": 1 } });
        return Reply::json(StatusCode::OK, &all);
    };
    if !subscription.eq_ignore_ascii_case(&desk.scenario.subscription) {
        let message = format!("The subscription '{subscription}' could not be found.");
        return Reply::error(StatusCode::NOT_FOUND, "SubscriptionNotFound", message)
            .with("x-ms-failure-cause", "gateway");
    }
    if let Some((scope, asked)) = authorization::split(rest) {
        return authorization::answer(desk, incoming, scope, asked);
    }
    let place = match rest {
        [] => return Reply::json(StatusCode::OK, &subscription_json(desk)),
        [groups, group] if groups.eq_ignore_ascii_case("resourceGroups") => return group_of(desk, incoming, group),
        [groups, group, providers, rest @ ..]
            if groups.eq_ignore_ascii_case("resourceGroups") && providers.eq_ignore_ascii_case("providers") =>
        {
            Place { group: Some(group), rest: rest.to_vec() }
        }
        [providers, rest @ ..] if providers.eq_ignore_ascii_case("providers") => {
            return of_subscription(desk, incoming, &Place { group: None, rest: rest.to_vec() });
        }
        _ => return no_route(incoming),
    };
    let group = place.group.unwrap_or_default();
    let Some(location) = location_of(desk, group) else { return group_not_found(group) };
    if incoming.method != Method::GET && incoming.method != Method::HEAD && desk.is_lost(&location) {
        let message = format!(
            "The resource group '{group}' is in {location}, which is not available: its resources cannot be changed."
        );
        return Reply::error(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message);
    }
    provider(desk, incoming, &place)
}

fn subscription_json(desk: &Desk<'_>) -> Value {
    let id = &desk.scenario.subscription;
    json!({
        "id": format!("/subscriptions/{id}"), "subscriptionId": id, "tenantId": desk.scenario.tenant,
        "displayName": "lifeboat simulator", "state": "Enabled",
        "subscriptionPolicies": { "spendingLimit": "Off" },
    })
}

/// What a provider has in the whole subscription.
fn of_subscription(desk: &Desk<'_>, incoming: &Incoming, place: &Place<'_>) -> Reply {
    if let Some(refusal) = versions::refuse(incoming, place) {
        return refusal;
    }
    if place.is(&["Microsoft.ApiManagement", "service"]) {
        return apim::services(desk, incoming, place);
    }
    if place.is(&["Microsoft.ApiManagement", "deletedservices"]) {
        return apim_lists::deleted(desk, incoming);
    }
    if place.is(&["Microsoft.Insights", "eventtypes", "management", "values"]) {
        return activity::answer(desk, incoming);
    }
    if place.is(&["Microsoft.Storage", "storageAccounts"]) {
        return account::all(desk, incoming);
    }
    no_route(incoming)
}

fn provider(desk: &mut Desk<'_>, incoming: &Incoming, place: &Place<'_>) -> Reply {
    if place.rest.len() >= 6
        && place.rest[3].eq_ignore_ascii_case("providers")
        && place.rest[4].eq_ignore_ascii_case("Microsoft.ResourceHealth")
    {
        return health::answer(desk, incoming, place);
    }
    if place.is(&["Microsoft.ApiManagement", "service", "*", "providers", "Microsoft.Insights", "diagnosticSettings"]) {
        return apim_lists::diagnostics(desk, incoming, place);
    }
    if let Some(refusal) = versions::refuse(incoming, place) {
        return refusal;
    }
    if place.is(&["Microsoft.ApiManagement", "service"]) {
        return apim::services(desk, incoming, place);
    }
    if place.begins(&["Microsoft.ApiManagement", "service", "*"]) {
        return apim::answer(desk, incoming, place);
    }
    if place.begins(&["Microsoft.Network", "dnsZones", "*"]) {
        return zone::answer(desk, incoming, place, Realm::Public);
    }
    if place.begins(&["Microsoft.Network", "privateDnsZones", "*"]) {
        return zone::answer(desk, incoming, place, Realm::Private);
    }
    if place.begins(&["Microsoft.Network", "trafficManagerProfiles", "*"]) {
        return traffic_manager::answer(desk, incoming, place);
    }
    if place.begins(&["Microsoft.Cdn", "profiles", "*"]) {
        return front_door::answer(desk, incoming, place);
    }
    if place.begins(&["Microsoft.Cdn", "operationresults", "*"]) {
        return front_door::poll(desk, incoming, place);
    }
    if place.begins(&["Microsoft.Storage", "storageAccounts", "*"]) {
        return account::answer(desk, incoming, place);
    }
    no_route(incoming)
}

fn refuse_version(incoming: &Incoming) -> Option<Reply> {
    let (code, message) = match incoming.parameter("api-version") {
        None => (
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.".to_owned(),
        ),
        Some(version) if !is_version(&version) => (
            "InvalidApiVersionParameter",
            format!("The api-version '{version}' is invalid. It must have the format '2024-05-01'."),
        ),
        Some(_) => return None,
    };
    Some(Reply::error(StatusCode::BAD_REQUEST, code, message))
}

/// `2024-05-01`, `2024-05-01-preview`.
fn is_version(text: &str) -> bool {
    let shape: String = text.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    matches!(shape.as_str(), "0000-00-00" | "0000-00-00-preview")
}

/// Location (display form) of a resource group.
pub(super) fn location_of(desk: &Desk<'_>, group: &str) -> Option<String> {
    let scenario = desk.scenario;
    let groups = [
        (&scenario.active.group, &scenario.active.location),
        (&scenario.standby.group, &scenario.standby.location),
        (&scenario.storage.group, &scenario.storage.location),
        (&scenario.zone.group, &scenario.zone.location),
        (&scenario.private_zone.group, &scenario.private_zone.location),
        (&scenario.traffic_manager.group, &scenario.traffic_manager.location),
        (&scenario.front_door.group, &scenario.front_door.location),
    ];
    let elsewhere = scenario.groups.iter().find(|(name, _)| name.eq_ignore_ascii_case(group));
    let found = groups.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(group));
    found.map(|(_, location)| elsewhere.map_or(location, |(_, elsewhere)| elsewhere).clone())
}

fn group_of(desk: &Desk<'_>, incoming: &Incoming, group: &str) -> Reply {
    if incoming.method != Method::GET && incoming.method != Method::HEAD {
        return no_method(incoming);
    }
    let Some(location) = location_of(desk, group) else { return group_not_found(group) };
    Reply::json(
        StatusCode::OK,
        &json!({
            "id": format!("/subscriptions/{}/resourceGroups/{group}", desk.scenario.subscription),
            "name": group,
            "type": "Microsoft.Resources/resourceGroups",
            "location": compact(&location),
            "properties": { "provisioningState": "Succeeded" },
        }),
    )
}

pub(super) fn group_not_found(group: &str) -> Reply {
    let message = format!("Resource group '{group}' could not be found.");
    Reply::error(StatusCode::NOT_FOUND, "ResourceGroupNotFound", message).with("x-ms-failure-cause", "gateway")
}

/// 404 of a resource that does not exist; `kind` is `Namespace/type`.
pub(super) fn not_found(kind: &str, name: &str, group: &str) -> Reply {
    let message = format!(
        "The Resource '{kind}/{name}' under resource group '{group}' was not found. \
         For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    );
    Reply::error(StatusCode::NOT_FOUND, "ResourceNotFound", message).with("x-ms-failure-cause", "gateway")
}

pub(super) fn no_route(incoming: &Incoming) -> Reply {
    let message = format!("The simulator has no resource at '{}'.", incoming.path);
    Reply::error(StatusCode::NOT_FOUND, "InvalidResourceType", message).with("x-ms-failure-cause", "gateway")
}

pub(super) fn no_method(incoming: &Incoming) -> Reply {
    let message = format!("The requested resource does not support http method '{}'.", incoming.method);
    Reply::error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
}

/// What every answer of the resource manager carries.
pub(super) fn dress(desk: &mut Desk<'_>, incoming: &Incoming, reply: Reply) -> Reply {
    let (request, correlation) = (desk.state.guid(), desk.state.guid());
    let correlation = incoming.header("x-ms-correlation-request-id").map_or(correlation, str::to_owned);
    let stamp = desk.now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let budget = &desk.scenario.authorization;
    let (kind, left) = match incoming.method {
        Method::GET | Method::HEAD => ("x-ms-ratelimit-remaining-subscription-reads", budget.reads_left),
        Method::DELETE => ("x-ms-ratelimit-remaining-subscription-deletes", budget.writes_left),
        _ => ("x-ms-ratelimit-remaining-subscription-writes", budget.writes_left),
    };
    let left = left.to_string();
    let mut reply = reply
        .with("x-ms-routing-request-id", format!("SIMULATOR:{stamp}:{request}"))
        .with("x-ms-request-id", request)
        .with("x-ms-correlation-request-id", correlation)
        .with("cache-control", "no-cache")
        .with("date", http_date(desk.now));
    if reply.status != StatusCode::UNAUTHORIZED {
        reply = reply.with(kind, left);
    }
    let wants_echo = incoming.header("x-ms-return-client-request-id").is_some_and(|it| it.eq_ignore_ascii_case("true"));
    match incoming.header("x-ms-client-request-id") {
        Some(id) if wants_echo => reply.with("x-ms-client-request-id", id),
        _ => reply,
    }
}
