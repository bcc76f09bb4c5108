//! The key vault: one secret at a time, as Azure answers, refusals included. Nothing can be listed or written.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    arm,
    exchange::{Desk, Incoming, Reply},
};

/// What follows the vault in a path: by its host, or, as for accounts, by the first segment. None: another's request.
pub(super) fn path(desk: &Desk<'_>, incoming: &Incoming, host: &str) -> Option<String> {
    let vault = &desk.scenario.vault.name;
    if host.strip_suffix(".vault.azure.net") == Some(&vault.to_ascii_lowercase()) {
        return Some(incoming.path.clone());
    }
    let rest = incoming.path.trim_start_matches('/').strip_prefix(vault.as_str())?;
    rest.starts_with("/secrets").then(|| rest.to_owned())
}

/// `path` begins after the vault.
pub(super) fn answer(desk: &mut Desk<'_>, incoming: &Incoming, path: &str) -> Reply {
    let request = desk.state.guid();
    let reply = handle(desk, incoming, path);
    reply.with("x-ms-request-id", request).with("x-ms-keyvault-region", desk.scenario.vault.location.as_str())
}

fn handle(desk: &Desk<'_>, incoming: &Incoming, path: &str) -> Reply {
    let vault = &desk.scenario.vault;
    if desk.is_lost(&vault.location) {
        return error(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "The service is unavailable.", None);
    }
    if arm::refuse_token(desk, incoming).is_some() {
        let challenge = format!(
            "Bearer authorization=\"https://login.microsoftonline.com/{}\", resource=\"https://vault.azure.net\"",
            desk.scenario.tenant
        );
        let message = "AKV10000: Request is missing a Bearer or PoP token.";
        return error(StatusCode::UNAUTHORIZED, "Unauthorized", message, None).with("www-authenticate", challenge);
    }
    if incoming.parameter("api-version").is_none() {
        return error(StatusCode::BAD_REQUEST, "BadParameter", "api-version must be specified", None);
    }
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let ["secrets", name, version @ ..] = segments.as_slice() else {
        return error(StatusCode::BAD_REQUEST, "BadParameter", "The simulator has secrets only.", None);
    };
    if incoming.method != Method::GET || version.len() > 1 {
        return error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "The simulator only reads secrets.", None);
    }
    if !vault.readable {
        let message = format!(
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role \
             definitions were changed recently, please observe propagation time.\r\nCaller: \
             appid=00000000-0000-0000-0000-0000000000b2;oid=00000000-0000-0000-0000-0000000000b1\r\nAction: \
             'Microsoft.KeyVault/vaults/secrets/getSecret/action'\r\nAssignment: (not found)\r\nVault: {};location={}\r\n",
            vault.name,
            super::state::compact(&vault.location),
        );
        return error(StatusCode::FORBIDDEN, "Forbidden", &message, Some("ForbiddenByRbac"));
    }
    let Some((name, given)) = vault.secrets.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) else {
        let message = format!(
            "A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may \
             be able to recover it using the correct recovery command."
        );
        return error(StatusCode::NOT_FOUND, "SecretNotFound", &message, None);
    };
    let value = given.as_ref().unwrap_or(&desk.state.account_keys[0]);
    let version = version.first().copied().unwrap_or("8f1c26d1c4f04d0b9b7c5c7a3f0c1e2d");
    let started = desk.state.started.as_second();
    Reply::json(
        StatusCode::OK,
        &json!({
            "value": value,
            "id": format!("https://{}.vault.azure.net/secrets/{name}/{version}", vault.name),
            "attributes": { "enabled": true, "created": started, "updated": started, "recoveryLevel": "Recoverable" },
        }),
    )
}

fn error(status: StatusCode, code: &str, message: &str, inner: Option<&str>) -> Reply {
    let mut error = json!({ "code": code, "message": message });
    if let Some(inner) = inner {
        error["innererror"] = json!({ "code": inner });
    }
    Reply::json(status, &Value::from_iter([("error", error)]))
}
