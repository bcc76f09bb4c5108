//! Gateways of the services: whether they take a connection, which certificate they show, what they serve.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, StatusCode};
use jiff::SignedDuration;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    authority::{Authority, Leaf},
    exchange::{Desk, Incoming, Reply},
    fault::{Act, GatewayTrouble},
    scenario::Content,
    state::ServiceState,
};

/// The status endpoint that every gateway has (azure-facts §1.3).
const STATUS: &str = "/status-0123456789abcdef";
/// Where a client puts the key of its subscription.
const KEY: &str = "Ocp-Apim-Subscription-Key";
/// Microsoft renews its own certificates long before.
const OWN_VALIDITY: SignedDuration = SignedDuration::from_hours(24 * 180);
const EXPIRED: SignedDuration = SignedDuration::from_hours(-24);

/// What a gateway does with a connection.
pub(super) enum Welcome {
    Refused,
    Shows(Arc<Leaf>),
}

/// Meets a connection to the gateway of `service` (lower case), whose client names `host`.
pub(super) fn welcome(desk: &mut Desk<'_>, service: &str, host: Option<&str>) -> Welcome {
    let Some(state) = desk.state.services.get(service) else { return Welcome::Refused };
    let lost = desk.is_lost(&state.spec.location);
    let trouble = trouble(desk, service);
    let state = &desk.state.services[service];
    let named = host.and_then(|host| state.spec.hostnames.iter().find(|name| name.eq_ignore_ascii_case(host)));
    match trouble {
        Some(GatewayTrouble::Down | GatewayTrouble::Flap) => Welcome::Refused,
        _ if lost => Welcome::Refused,
        Some(GatewayTrouble::WrongCertificate) => Welcome::Shows(desk.authority.leaf(&["wrong.example"], OWN_VALIDITY)),
        Some(GatewayTrouble::ExpiredCertificate) => {
            let host = named.cloned().unwrap_or_else(|| state.gateway_host());
            Welcome::Shows(desk.authority.leaf(&[&host], EXPIRED))
        }
        None => Welcome::Shows(match named {
            Some(host) => custom(desk.authority, state, host),
            None => desk.authority.leaf(&["*.azure-api.net", "*.regional.azure-api.net"], OWN_VALIDITY),
        }),
    }
}

/// The certificate of a custom hostname. The same on every service that says the same of it.
pub(super) fn custom(authority: &Authority, service: &ServiceState, host: &str) -> Arc<Leaf> {
    let validity = SignedDuration::try_from(service.spec.certificate_validity).unwrap_or(OWN_VALIDITY);
    authority.leaf(&[host], validity)
}

/// The first fault that strikes this connection.
fn trouble(desk: &mut Desk<'_>, service: &str) -> Option<GatewayTrouble> {
    let faults = &desk.scenario.faults;
    for (place, fault) in faults.iter().enumerate() {
        let Act::Gateway(gateway) = &fault.act else { continue };
        if gateway.service.eq_ignore_ascii_case(service) && super::respond::strikes(desk, place) {
            let struck = desk.state.strikes[place].struck;
            if gateway.trouble != GatewayTrouble::Flap || struck % 2 == 1 {
                return Some(gateway.trouble);
            }
        }
    }
    None
}

/// What the gateway serves: its status, and the paths of the APIs that it has now.
pub(super) fn answer(desk: &mut Desk<'_>, incoming: &Incoming, service: &str) -> Reply {
    let Some(state) = desk.state.services.get(service) else { return Reply::empty(StatusCode::NOT_FOUND) };
    if incoming.path == STATUS {
        return Reply::empty(StatusCode::OK);
    }
    let path = incoming.path.trim_start_matches('/');
    let api = state.content.apis.iter().find(|api| {
        path.strip_prefix(api.path.trim_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    let Some(api) = api else {
        return Reply::json(StatusCode::NOT_FOUND, &json!({ "statusCode": 404, "message": "Resource not found" }));
    };
    if api.subscription_required
        && let Err(message) = admit(desk.scenario.seed, &state.content, incoming)
    {
        let realm = format!("https://{}/{}", incoming.host(), api.path.trim_matches('/'));
        return Reply::json(StatusCode::UNAUTHORIZED, &json!({ "statusCode": 401, "message": message })).with(
            "www-authenticate",
            format!("AzureApiManagementKey realm=\"{realm}\",name=\"{KEY}\",type=\"header\""),
        );
    }
    let mut reply = Reply::json(StatusCode::OK, &json!({ "api": api.name, "served_by": state.spec.name }));
    for (name, value) in &api.headers {
        let (name, value) = (HeaderName::try_from(name), HeaderValue::try_from(value));
        reply.headers.insert(name.expect("the scenario was checked"), value.expect("the scenario was checked"));
    }
    reply
}

/// Azure's own words to whoever has no key of a subscription of this service (not verified on a wire).
fn admit(seed: u64, content: &Content, incoming: &Incoming) -> Result<(), &'static str> {
    let Some(given) = incoming.headers.get(KEY) else {
        return Err(
            "Access denied due to missing subscription key. Make sure to include subscription key when making \
                    requests to an API.",
        );
    };
    if content.subscriptions.iter().any(|name| given.as_bytes() == subscription_key(seed, name).as_bytes()) {
        return Ok(());
    }
    Err("Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription.")
}

/// The primary key of a subscription: 32 hex digits, as Azure makes them. A restore brings it along.
pub(super) fn subscription_key(seed: u64, name: &str) -> String {
    let digest = Sha256::digest(format!("{seed}/{name}"));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
