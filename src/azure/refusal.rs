//! Bad answers, read: Azure's code and message, what kind of trouble it is, and what to do about it. Pure.

use http::{Method, StatusCode};
use serde_json::Value;

use crate::net::{Delivery, HttpResponse};

use super::{AzureError, AzureErrorKind};

/// What the body of an error says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub code: Option<String>,
    pub message: Option<String>,
}

/// Longest message that is kept: an HTML page of a proxy is no message.
const LONGEST_MESSAGE: usize = 2_000;

/// `{"error":{"code","message","details":[…]}}`, the same without `error`, or storage's XML.
pub(super) fn said(body: &[u8]) -> Said {
    match serde_json::from_slice::<Value>(without_mark(body)) {
        Ok(body) => said_in(body.get("error").unwrap_or(&body)),
        Err(_) => said_in_xml(body).unwrap_or_default(),
    }
}

/// The service puts what matters into `details` where its own message is empty or general.
pub(super) fn said_in(error: &Value) -> Said {
    let text =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(one_line).filter(|t| !t.is_empty());
    let details = error.get("details").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut message = text(error, "message").unwrap_or_default();
    for detail in details.iter().filter_map(|detail| text(detail, "message")) {
        if !message.contains(&detail) {
            message = if message.is_empty() { detail } else { format!("{message} ({detail})") };
        }
    }
    Said {
        code: text(error, "code").or_else(|| details.iter().find_map(|detail| text(detail, "code"))),
        message: (!message.is_empty()).then_some(message),
    }
}

fn said_in_xml(body: &[u8]) -> Option<Said> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Error {
        code: Option<String>,
        message: Option<String>,
    }
    let text = std::str::from_utf8(without_mark(body)).ok()?;
    let error: Error = quick_xml::de::from_str(text).ok()?;
    // Storage's second and third line are ids and times, which stand elsewhere.
    let message = error.message.as_deref().and_then(|message| message.lines().next()).map(one_line);
    Some(Said { code: error.code, message })
}

/// Storage begins its bodies with a byte order mark.
pub(super) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(LONGEST_MESSAGE).collect()
}

/// An error for a bad answer to a request of `method`. `what` is the request: `POST Microsoft.ApiManagement/service/x/restore`.
pub(super) fn refusal(method: &Method, what: &str, response: &HttpResponse) -> AzureError {
    let said = said(&response.body);
    let code = said.code.or_else(|| response.header("x-ms-error-code").map(str::to_owned));
    let message = said.message.unwrap_or_default();
    let kind = kind(response.status, code.as_deref(), &message);
    let status = response.status.as_u16();
    let named = code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
    let quoted = if message.is_empty() { String::new() } else { format!(": {message}") };
    AzureError {
        delivery: delivery(response.status),
        status: Some(status),
        hint: hint(kind, method, code.as_deref(), &message),
        code,
        request_id: response.header("x-ms-request-id").map(str::to_owned),
        correlation_id: response.header("x-ms-correlation-request-id").map(str::to_owned),
        ..AzureError::new(kind, format!("answered {status}{named} to {what}{quoted}"))
    }
}

/// A refusal had no effect. A server that failed may have done it before it failed, and so may one whose answer is none:
/// a redirect (303 is how some say that it is done), a status of no class.
fn delivery(status: StatusCode) -> Delivery {
    if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT {
        Delivery::NotSent
    } else {
        Delivery::Unknown
    }
}

fn kind(status: StatusCode, code: Option<&str>, message: &str) -> AzureErrorKind {
    match status {
        StatusCode::UNAUTHORIZED => AzureErrorKind::Unauthorized,
        StatusCode::FORBIDDEN => AzureErrorKind::Forbidden,
        StatusCode::NOT_FOUND => AzureErrorKind::NotFound,
        StatusCode::CONFLICT if is_busy(code, message) => AzureErrorKind::Busy,
        // Storage's answer to `If-None-Match: *`.
        StatusCode::CONFLICT if code == Some("BlobAlreadyExists") => AzureErrorKind::PreconditionFailed,
        StatusCode::CONFLICT => AzureErrorKind::Conflict,
        StatusCode::PRECONDITION_FAILED => AzureErrorKind::PreconditionFailed,
        StatusCode::TOO_MANY_REQUESTS => AzureErrorKind::Throttled,
        StatusCode::REQUEST_TIMEOUT => AzureErrorKind::Unavailable,
        status if status.is_server_error() => AzureErrorKind::Unavailable,
        status if status.is_client_error() => AzureErrorKind::Rejected,
        _ => AzureErrorKind::Malformed,
    }
}

/// Another operation holds the service (azure-facts 0.3): wait until it is idle.
fn is_busy(code: Option<&str>, message: &str) -> bool {
    code.is_some_and(|code| ["ServiceLocked", "PessimisticConcurrencyConflict"].contains(&code))
        || message.contains("is transitioning at this time")
}

fn hint(kind: AzureErrorKind, method: &Method, code: Option<&str>, message: &str) -> Option<String> {
    let hint = match kind {
        AzureErrorKind::Forbidden => return Some(missing_permission(method, code, message)),
        AzureErrorKind::NotFound => {
            "check the id's subscription, group and name, and that the identity may read them".to_owned()
        }
        AzureErrorKind::Busy => "another operation holds the service; wait until it is idle".to_owned(),
        AzureErrorKind::Conflict if code == Some("ScopeLocked") => {
            "a resource lock forbids it; take the lock off (`az lock list`, `az lock delete`) and put it back afterwards"
                .to_owned()
        }
        AzureErrorKind::PreconditionFailed if code == Some("BlobAlreadyExists") => {
            "a blob of this name is there already; choose another name".to_owned()
        }
        AzureErrorKind::PreconditionFailed => "somebody changed it since it was read; read it again".to_owned(),
        AzureErrorKind::Throttled => "wait a few minutes; ask what else uses this identity and subscription".to_owned(),
        AzureErrorKind::Unavailable => "Azure may be having an outage itself; try again".to_owned(),
        AzureErrorKind::Credential
        | AzureErrorKind::Unauthorized
        | AzureErrorKind::Conflict
        | AzureErrorKind::Rejected
        | AzureErrorKind::Transport
        | AzureErrorKind::Certificate
        | AzureErrorKind::Malformed => return None,
    };
    Some(hint)
}

/// ARM's message: `… does not have authorization to perform action 'A' over scope 'S' …`.
fn missing_permission(method: &Method, code: Option<&str>, message: &str) -> String {
    let quoted = |after: &str| {
        let rest = &message[message.find(after)? + after.len()..];
        let rest = rest.trim_start().strip_prefix('\'')?;
        rest.find('\'').map(|end| &rest[..end])
    };
    if let Some(action) = quoted("perform action") {
        let scope = quoted("over scope").unwrap_or("the resource");
        let role = role_for(action).map(|role| format!(", for example with the role `{role}`")).unwrap_or_default();
        return format!("grant the permission `{action}` on {scope}{role}; a new role takes a few minutes to hold");
    }
    // Storage names no action. Who lists and cannot write has the reader's role already.
    let reads = method == Method::GET || method == Method::HEAD;
    let role = if reads { "Storage Blob Data Reader" } else { "Storage Blob Data Contributor" };
    match code {
        Some("AuthorizationPermissionMismatch") => {
            format!("grant the role `{role}` on the storage account; a new role takes a few minutes to hold")
        }
        Some("AuthorizationFailure") => format!(
            "the storage account's firewall may refuse this machine, or the identity has no data role: see its Networking \
             and its `{role}` role"
        ),
        Some(_) | None => "the identity may not do that: see Access control (IAM) of the resource".to_owned(),
    }
}

/// The narrowest built-in role that holds a permission which this tool needs.
pub fn role_for(action: &str) -> Option<&'static str> {
    const ROLES: [(&str, &str); 7] = [
        ("microsoft.apimanagement/service/backup/action", "API Management Service Operator Role"),
        ("microsoft.apimanagement/service/restore/action", "API Management Service Operator Role"),
        ("microsoft.apimanagement/service/", "API Management Service Reader Role"),
        ("microsoft.network/dnszones/", "DNS Zone Contributor"),
        ("microsoft.storage/storageaccounts/listkeys/action", "Storage Account Key Operator Service Role"),
        ("microsoft.storage/storageaccounts/blobservices/containers/blobs/", "Storage Blob Data Reader"),
        ("microsoft.", "Reader"),
    ];
    let action = action.to_ascii_lowercase();
    let role = ROLES.iter().find(|(prefix, _)| action.starts_with(prefix)).map(|(_, role)| *role)?;
    // A role that only reads helps nobody who wants to write.
    let only_reads = role.ends_with("Reader") || role.ends_with("Reader Role");
    (!only_reads || action.ends_with("/read")).then_some(role)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> AzureError {
        to(&Method::GET, status, body)
    }

    fn to(method: &Method, status: u16, body: &str) -> AzureError {
        let response = HttpResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: http::HeaderMap::new(),
            body: body.to_owned().into(),
            certificate: None,
        };
        refusal(method, &format!("{method} x"), &response)
    }

    #[test]
    fn storage_names_no_role_that_is_too_narrow() {
        for code in ["AuthorizationPermissionMismatch", "AuthorizationFailure"] {
            let body = format!("<Error><Code>{code}</Code><Message>Not authorized.</Message></Error>");
            for (method, role) in [
                (Method::GET, "`Storage Blob Data Reader`"),
                (Method::HEAD, "`Storage Blob Data Reader`"),
                (Method::PUT, "`Storage Blob Data Contributor`"),
                (Method::DELETE, "`Storage Blob Data Contributor`"),
            ] {
                let hint = to(&method, 403, &body).hint.unwrap();
                assert!(hint.contains(role), "{method}: {hint}");
            }
        }
    }

    #[test]
    fn only_a_refusal_says_that_nothing_was_done() {
        for (status, delivery) in [
            (400, Delivery::NotSent),
            (409, Delivery::NotSent),
            (499, Delivery::NotSent),
            (303, Delivery::Unknown),
            (408, Delivery::Unknown),
            (500, Delivery::Unknown),
            (986, Delivery::Unknown),
        ] {
            assert_eq!(to(&Method::POST, status, "").delivery, delivery, "{status}");
        }
    }

    #[test]
    fn a_locked_service_is_busy_and_a_locked_scope_is_not() {
        let locked = of(
            409,
            r#"{"error":{"code":"ServiceLocked","message":"The API Service x is transitioning at this time. Please try the request again later.","details":null,"innerError":null}}"#,
        );
        assert_eq!(locked.kind, AzureErrorKind::Busy);
        assert_eq!(locked.code.as_deref(), Some("ServiceLocked"));
        assert_eq!(locked.delivery, Delivery::NotSent);
        let scope = of(409, r#"{"error":{"code":"ScopeLocked","message":"The scope is locked."}}"#);
        assert_eq!(scope.kind, AzureErrorKind::Conflict);
        assert!(scope.hint.unwrap().contains("lock"));
    }

    #[test]
    fn a_403_names_the_permission_the_scope_and_a_role() {
        let error = of(
            403,
            r#"{"error":{"code":"AuthorizationFailed","message":"The client 'c' with object id 'o' does not have authorization to perform action 'Microsoft.ApiManagement/service/restore/action' over scope '/subscriptions/s/x' or the scope is invalid."}}"#,
        );
        assert_eq!(error.kind, AzureErrorKind::Forbidden);
        let hint = error.hint.unwrap();
        for part in ["Microsoft.ApiManagement/service/restore/action", "/subscriptions/s/x", "Operator Role"] {
            assert!(hint.contains(part), "{hint}");
        }
    }

    #[test]
    fn no_reading_role_is_offered_for_a_write() {
        assert_eq!(role_for("Microsoft.Network/trafficManagerProfiles/write"), None);
        assert_eq!(role_for("Microsoft.Network/dnsZones/CNAME/write"), Some("DNS Zone Contributor"));
        assert_eq!(role_for("Microsoft.ApiManagement/service/read"), Some("API Management Service Reader Role"));
    }

    #[test]
    fn details_xml_and_bare_bodies_are_read() {
        let details = of(
            400,
            r#"{"error":{"code":"InvalidParameters","message":"","details":[{"code":"x","message":"Requested value was not found"}]}}"#,
        );
        assert!(details.message.ends_with(": Requested value was not found"), "{details}");
        let bare = of(404, r#"{"code":"NotFound","message":"The resource record does not exist."}"#);
        assert_eq!(bare.code.as_deref(), Some("NotFound"));
        let xml = of(
            404,
            "\u{feff}<?xml version=\"1.0\"?><Error><Code>ContainerNotFound</Code><Message>The container is gone.\nRequestId:1</Message></Error>",
        );
        assert_eq!(
            (xml.code.as_deref(), xml.message.ends_with("The container is gone.")),
            (Some("ContainerNotFound"), true)
        );
        assert_eq!(of(502, "<html>bad gateway</html>").message, "answered 502 to GET x");
    }
}
