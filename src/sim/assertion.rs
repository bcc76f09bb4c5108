//! Who vouches for a client: the services that give Azure Pipelines and GitHub Actions their assertions, and how Entra ID
//! looks at an assertion before it gives a token. One is good for ten minutes, as theirs are.

use std::time::Duration;

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    base64,
    exchange::{Desk, Incoming, Reply},
};
use crate::clock::Clock;

const LIFETIME: Duration = Duration::from_mins(10);
/// Of the assertions that are given here; every cloud has its own, and the simulated one is public.
const AUDIENCE: &str = "api://AzureADTokenExchange";
/// Names the key of the simulation in an assertion's header.
const KEY: &str = "lifeboat-simulator";

/// None: the path is not one where assertions are given.
pub(super) fn answer(desk: &mut Desk<'_>, incoming: &Incoming) -> Option<Reply> {
    let (field, method) = if incoming.path.ends_with("/oidctoken") {
        ("oidcToken", Method::POST)
    } else if incoming.path.ends_with("/idtoken") {
        ("value", Method::GET)
    } else {
        return None;
    };
    let bearer = incoming.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    // What a runner holds is not looked at further.
    if bearer.is_none_or(|token| token.trim().is_empty()) {
        return Some(Reply::empty(StatusCode::UNAUTHORIZED));
    }
    if incoming.method != method {
        return Some(Reply::empty(StatusCode::METHOD_NOT_ALLOWED));
    }
    let audience = match field {
        // A service connection knows what its assertions are for.
        "oidcToken" if incoming.parameter("serviceConnectionId").is_none() => {
            return Some(Reply::empty(StatusCode::BAD_REQUEST));
        }
        "oidcToken" => AUDIENCE.to_owned(),
        _ => incoming.parameter("audience").unwrap_or_else(|| "https://github.com/contoso".to_owned()),
    };
    let assertion = mint(desk, &audience);
    Some(Reply::json(StatusCode::OK, &Value::from_iter([(field, assertion)])))
}

fn mint(desk: &mut Desk<'_>, audience: &str) -> String {
    let expires = desk.now.checked_add(LIFETIME).unwrap_or(Timestamp::MAX);
    let claims = json!({
        "iss": "https://simulated.example", "sub": "simulated", "aud": audience, "jti": desk.state.guid(),
        "iat": desk.now.as_second(), "nbf": desk.now.as_second(), "exp": expires.as_second(),
    });
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": KEY });
    let message = format!("{}.{}", part(header.to_string().as_bytes()), part(claims.to_string().as_bytes()));
    let seal = seal(desk.scenario.seed, &message);
    format!("{message}.{seal}")
}

/// Stands for a signature: nobody outside knows the seed.
fn seal(seed: u64, message: &str) -> String {
    part(&Sha256::digest(format!("{seed} {message}")))
}

fn part(bytes: &[u8]) -> String {
    base64::encode(bytes).replace('+', "-").replace('/', "_").replace('=', "")
}

/// Entra ID's refusal of an assertion; none: it is good, or there is none. `fields`: of the request for a token.
///
/// Assertions of the simulation are judged by its clock and its seal. Others were made by a client, which counts real
/// time; their signature cannot be checked, since no certificate is registered here.
pub(super) fn refuse(desk: &Desk<'_>, fields: &[(String, String)]) -> Option<Reply> {
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let assertion = field("client_assertion")?;
    if field("client_assertion_type") != Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer") {
        return Some(refusal(
            900_144,
            "The request body must contain the following parameter: 'client_assertion_type'.",
        ));
    }
    let parts: Vec<&str> = assertion.split('.').collect();
    let read = |part: &str| {
        let text = part.replace('-', "+").replace('_', "/");
        let padding = "=".repeat((4 - text.len() % 4) % 4);
        base64::decode(&(text + &padding)).and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
    };
    let [header, claims, signature] = parts.as_slice() else { return Some(malformed()) };
    let (Some(head), Some(said)) = (read(header), read(claims)) else { return Some(malformed()) };
    let ours = head["kid"] == KEY;
    let time = |name: &str| said[name].as_i64().and_then(|second| Timestamp::from_second(second).ok());
    let (Some(begin), Some(end)) = (time("nbf"), time("exp")) else { return Some(malformed()) };
    if ours && *signature != seal(desk.scenario.seed, &format!("{header}.{claims}")) {
        return Some(refusal(50_013, "Assertion failed signature validation."));
    }
    let now = if ours { desk.now } else { Clock::Wall.now() };
    // Entra ID allows clocks that are five minutes off at the beginning, and none at the end.
    if end <= now || begin > now + jiff::SignedDuration::from_mins(5) {
        return Some(refusal(
            700_024,
            &format!(
                "Client assertion is not within its valid time range. Current time: {now}, assertion valid from {begin}, \
                 expiry time of assertion {end}. Review the documentation at \
                 https://learn.microsoft.com/entra/identity-platform/certificate-credentials."
            ),
        ));
    }
    let audience = said["aud"].as_str().unwrap_or_default();
    if ours && audience != AUDIENCE {
        let message =
            format!("No matching federated identity record found for presented assertion audience '{audience}'.");
        return Some(refusal(700_212, &message));
    }
    let certified = head.get("x5t#S256").is_some() || head.get("x5t").is_some();
    let client = field("client_id").unwrap_or_default();
    if certified && (said["iss"] != client || said["sub"] != client) {
        return Some(refusal(700_021, "Client assertion application identifier doesn't match 'client_id' parameter."));
    }
    if certified && !audience.ends_with("/oauth2/v2.0/token") {
        return Some(refusal(700_023, "Client assertion audience claim does not match Realm issuer."));
    }
    None
}

fn malformed() -> Reply {
    refusal(50_027, "JWT token is invalid or malformed.")
}

fn refusal(code: u32, message: &str) -> Reply {
    let body = json!({
        "error": "invalid_client", "error_description": format!("AADSTS{code}: {message}"), "error_codes": [code],
    });
    Reply::json(StatusCode::UNAUTHORIZED, &body)
}
