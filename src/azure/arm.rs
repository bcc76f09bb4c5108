//! A thin client of Azure Resource Manager: paths in, JSON out, typed errors, Retry-After obeyed and visible.

use std::sync::Arc;

use jiff::Timestamp;

use crate::net::Delivery;

use super::TokenSource;

/// Something a person watching should see: what is waited for and until when.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Lower-case fragment.
    pub message: String,
    pub until: Option<Timestamp>,
}

/// Where notices go; must not block.
pub type NoticeSink = Arc<dyn Fn(Notice) + Send + Sync>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AzureErrorKind {
    /// No token could be had.
    Credential,
    /// 401 also with a fresh token.
    Unauthorized,
    /// 403: the message names the permission.
    Forbidden,
    /// 404.
    NotFound,
    /// 409 `ServiceLocked` and its like: wait until the service is idle.
    Busy,
    /// Any other 409.
    Conflict,
    /// 412.
    PreconditionFailed,
    /// 429, and the waits allowed for it are used up.
    Throttled,
    /// 5xx, and the repeats allowed for it are used up.
    Unavailable,
    /// Any other 4xx.
    Rejected,
    /// No answer: see `delivery`.
    Transport,
    /// The server's certificate is not trusted. Final.
    Certificate,
    /// An answer that cannot be understood.
    Malformed,
}

/// What Azure, or the way to it, said. `Display` is one lower-case line: message, code and status, no secrets.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct AzureError {
    pub kind: AzureErrorKind,
    /// Whether the request can have had an effect. A 4xx had none; a 5xx or a broken connection may have.
    pub delivery: Delivery,
    pub status: Option<u16>,
    /// Azure's own code: `ServiceLocked`.
    pub code: Option<String>,
    pub message: String,
    /// What to do, when it is known: the role or permission that is missing, `az login`, …
    pub hint: Option<String>,
    /// `x-ms-request-id`.
    pub request_id: Option<String>,
    /// `x-ms-correlation-request-id`.
    pub correlation_id: Option<String>,
}

/// The resource manager of one site.
#[derive(Clone)]
pub struct Arm {
    pub tokens: Arc<TokenSource>,
}

impl std::fmt::Debug for Arm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arm").finish_non_exhaustive()
    }
}
