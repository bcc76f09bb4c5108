//! From what Azure or the network said to what a step says: a stable code, a message, a hint, and what may follow.

use serde_json::Value;

use crate::{
    azure::{AzureError, AzureErrorKind},
    net::{HttpError, HttpErrorKind},
    run::{Disposition, StepError},
};

/// A read that failed. `reading` is a noun phrase: `the standby`.
pub fn from_read(reading: &str, error: &AzureError) -> StepError {
    let (disposition, code, hint) = judge(error.kind);
    with_details(StepError::new(disposition, code, format!("cannot read {reading}: {error}"), hint), error)
}

/// A change that Azure refused before it had any effect. `changing` is a noun phrase: `the restore of …`.
pub fn from_refusal(changing: &str, error: &AzureError) -> StepError {
    let (disposition, code, hint) = judge(error.kind);
    with_details(StepError::new(disposition, code, format!("{changing} was refused: {error}"), hint), error)
}

/// Adds Azure's own code and ids, and its better hint when it has one.
pub fn with_details(mut step: StepError, error: &AzureError) -> StepError {
    let pairs =
        [("azure_code", &error.code), ("request_id", &error.request_id), ("correlation_id", &error.correlation_id)];
    for (name, value) in pairs {
        if let Some(value) = value {
            step.details.insert(name.to_owned(), Value::from(value.as_str()));
        }
    }
    if let Some(status) = error.status {
        step.details.insert("status".to_owned(), Value::from(status));
    }
    if let Some(hint) = &error.hint {
        step.hint.clone_from(hint);
    }
    step
}

fn judge(kind: AzureErrorKind) -> (Disposition, &'static str, &'static str) {
    use Disposition::{Final, Refused, Retryable};
    match kind {
        AzureErrorKind::Credential => (
            Retryable,
            "credential-unavailable",
            "check `credential` in the site file; `token` takes a ready access token when the identity provider is down",
        ),
        AzureErrorKind::Unauthorized => (
            Final,
            "unauthorized",
            "log in again, or check that the credential belongs to the tenant that holds the resource",
        ),
        AzureErrorKind::Forbidden => {
            (Final, "forbidden", "grant the permission that the message names to the credential's identity")
        }
        AzureErrorKind::NotFound => (
            Final,
            "not-found",
            "check the resource id; a deleted API Management service keeps its name for 48 hours (`az apim deletedservice list`)",
        ),
        AzureErrorKind::Busy => {
            (Retryable, "service-locked", "wait until the service's running operation has ended, then resume")
        }
        AzureErrorKind::Conflict => (
            Final,
            "conflict",
            "read Azure's message; a ReadOnly lock on the resource, its group or subscription stands in the way most often",
        ),
        AzureErrorKind::PreconditionFailed => {
            (Refused, "precondition-failed", "somebody else changed the resource; look at it, then plan again")
        }
        AzureErrorKind::Throttled => (Retryable, "throttled", "wait a few minutes, then resume"),
        AzureErrorKind::Unavailable => {
            (Retryable, "azure-unavailable", "look at https://azure.status.microsoft, then resume")
        }
        AzureErrorKind::Rejected => (Final, "rejected", "read Azure's message and correct the parameters"),
        AzureErrorKind::Transport => {
            (Retryable, "unreachable", "check this machine's network, proxy and resolvers, then resume")
        }
        AzureErrorKind::Certificate => (
            Final,
            "certificate-untrusted",
            "add the certificate authority as `tls.ca_file` to the site file, if you trust it",
        ),
        AzureErrorKind::Malformed => (
            Retryable,
            "malformed-answer",
            "a proxy may have answered instead of Azure; check HTTPS_PROXY, then resume",
        ),
    }
}

/// A plain request that failed without having changed anything. `asking` is a noun phrase: `the gateway`.
pub fn from_http(asking: &str, error: &HttpError) -> StepError {
    let (disposition, code, hint) = match error.kind {
        HttpErrorKind::NameNotFound => {
            (Disposition::Retryable, "name-not-found", "check the host name and the site's `dns.resolvers`")
        }
        HttpErrorKind::Connect => {
            (Disposition::Retryable, "unreachable", "check that the host and port can be reached from here")
        }
        HttpErrorKind::Certificate => (
            Disposition::Final,
            "certificate-untrusted",
            "install a certificate that is valid for this name, or add its authority as `tls.ca_file` to the site file",
        ),
        HttpErrorKind::Timeout => {
            (Disposition::Retryable, "no-answer", "check that the host answers from here, then resume")
        }
        HttpErrorKind::Broken => {
            (Disposition::Retryable, "connection-broken", "check the network in between, then resume")
        }
        HttpErrorKind::TooLarge => (Disposition::Final, "answer-too-large", "ask for something that answers with less"),
    };
    StepError::new(disposition, code, format!("cannot ask {asking}: {error}"), hint)
}
