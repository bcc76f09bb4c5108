//! Entra ID's token endpoint and the cloud's metadata: enough for the credentials that `azure_identity` has.
//! Any client with any secret gets a token; none of them is looked at further or kept. An assertion is looked at.

use http::{Method, StatusCode};
use serde_json::json;

use super::{
    assertion, base64,
    exchange::{Desk, Incoming, Reply},
    state::Token,
};

/// A new access token for everything that the simulator has.
pub(super) fn mint(desk: &mut Desk<'_>) -> String {
    let expires = desk.now.checked_add(desk.scenario.token_lifetime).unwrap_or(jiff::Timestamp::MAX);
    let part = |value: serde_json::Value| {
        base64::encode(value.to_string().as_bytes()).replace('+', "-").replace('/', "_").replace('=', "")
    };
    let claims = json!({
        "aud": "https://management.azure.com", "tid": desk.scenario.tenant, "exp": expires.as_second(),
        "oid": "00000000-0000-0000-0000-0000000000b1", "uti": desk.state.guid(),
    });
    let text = format!("{}.{}.simulated", part(json!({ "alg": "none", "typ": "JWT" })), part(claims));
    desk.state.remember_token(Token { text: text.clone(), expires });
    text
}

/// None: the path is not one of the login host's.
pub(super) fn answer(desk: &mut Desk<'_>, incoming: &Incoming) -> Option<Reply> {
    let segments: Vec<&str> = incoming.path.trim_matches('/').split('/').collect();
    match segments.as_slice() {
        [_tenant, "oauth2", "v2.0", "token"] | [_tenant, "oauth2", "token"] => Some(token(desk, incoming)),
        [tenant, "v2.0", ".well-known", "openid-configuration"] => Some(openid(desk, incoming, tenant)),
        ["metadata", "endpoints"] => Some(metadata(desk, incoming)),
        _ => None,
    }
}

fn token(desk: &mut Desk<'_>, incoming: &Incoming) -> Reply {
    let refusal = |status, code: &str, message: String| {
        Reply::json(status, &json!({ "error": code, "error_description": message, "error_codes": [900_144] }))
    };
    if incoming.method != Method::POST {
        return refusal(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "AADSTS900561: only POST.".to_owned());
    }
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(&incoming.body).into_owned().collect();
    for wanted in ["grant_type", "client_id"] {
        if !fields.iter().any(|(key, value)| key == wanted && !value.is_empty()) {
            let message = format!("AADSTS900144: The request body must contain the following parameter: '{wanted}'.");
            return refusal(StatusCode::BAD_REQUEST, "invalid_request", message);
        }
    }
    if let Some(refusal) = assertion::refuse(desk, &fields) {
        return refusal;
    }
    let token = mint(desk);
    // Clients of this endpoint count real seconds.
    let seconds = desk.scenario.token_lifetime.div_f64(desk.speed).as_secs().max(1);
    Reply::json(
        StatusCode::OK,
        &json!({
            "token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token,
        }),
    )
    .with("cache-control", "no-store, no-cache")
}

fn openid(desk: &Desk<'_>, incoming: &Incoming, tenant: &str) -> Reply {
    let base = format!("{}://{}", incoming.scheme, incoming.authority);
    Reply::json(
        StatusCode::OK,
        &json!({
            "token_endpoint": format!("{base}/{tenant}/oauth2/v2.0/token"),
            "authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/authorize"),
            "issuer": format!("{base}/{}/v2.0", desk.scenario.tenant),
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "tenant_region_scope": "EU",
        }),
    )
}

/// As `az cloud register` reads it.
fn metadata(desk: &Desk<'_>, incoming: &Incoming) -> Reply {
    let base = format!("{}://{}", incoming.scheme, incoming.authority);
    let blob = match desk.state.listening {
        Some(_) => incoming.authority.clone(),
        None => "core.windows.net".to_owned(),
    };
    Reply::json(
        StatusCode::OK,
        &json!({
            "name": "LifeboatSimulator",
            "portal": base,
            "authentication": {
                "loginEndpoint": base, "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
                "tenant": "common", "identityProvider": "AAD",
            },
            "resourceManager": base,
            "graph": base,
            "graphAudience": base,
            "media": base,
            "suffixes": { "storage": blob, "keyVaultDns": "vault.azure.net", "acrLoginServer": "azurecr.io" },
        }),
    )
}
