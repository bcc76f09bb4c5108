//! A thin client of Azure Resource Manager: paths in, JSON out, typed errors, Retry-After obeyed and visible.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use crate::{
    clock::Clock,
    net::{Delivery, Http},
    runbook::ResourceId,
    site::Endpoints,
};

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
    /// An earlier attempt of the same call ended without an answer: a 412 may be to our own effect. Read again.
    pub repeated_unknown: bool,
}

/// A request's JSON body; may hold a secret, so it never prints itself.
#[derive(Clone, Default)]
pub struct RequestBody(SecretString);

impl RequestBody {
    pub fn empty() -> Self {
        Self::default()
    }

    pub fn json(value: &Value) -> Self {
        Self(SecretString::from(value.to_string()))
    }
}

impl std::fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RequestBody(..)")
    }
}

/// An answer below 400.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// JSON null when it was empty.
    pub body: Value,
    /// `x-ms-request-id`.
    pub request_id: Option<String>,
    /// `x-ms-correlation-request-id`.
    pub correlation_id: Option<String>,
    /// An attempt before this one ended without an answer, so this answer may be to its effect.
    pub repeated_unknown: bool,
}

/// The resource manager of one site. Cheap to clone.
#[derive(Clone)]
pub struct Arm {
    pub tokens: Arc<TokenSource>,
}

impl std::fmt::Debug for Arm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arm").finish_non_exhaustive()
    }
}

impl Arm {
    pub fn new(_http: Http, _endpoints: &Endpoints, _tokens: Arc<TokenSource>, _clock: Clock) -> Self {
        unimplemented!("first commit")
    }

    /// The same resource manager, whose waits are told to `sink`.
    #[must_use]
    pub fn noting(&self, _sink: NoticeSink) -> Self {
        unimplemented!("first commit")
    }

    /// `suffix` begins with a slash or is empty: `/restore`.
    pub fn url(&self, _id: &ResourceId, _suffix: &str, _api_version: &str) -> Url {
        unimplemented!("first commit")
    }

    /// For paths that are no resource ids: `/subscriptions/…/resourceGroups/…`.
    pub fn path_url(&self, _path: &str, _api_version: &str) -> Url {
        unimplemented!("first commit")
    }

    pub async fn get(&self, _url: Url) -> Result<Reply, AzureError> {
        unimplemented!("first commit")
    }

    pub async fn head(&self, _url: Url) -> Result<Reply, AzureError> {
        unimplemented!("first commit")
    }

    pub async fn put(&self, _url: Url, _body: &Value, _if_match: Option<&str>) -> Result<Reply, AzureError> {
        unimplemented!("first commit")
    }

    /// Sent at most once where it can have had an effect: repeated only on 401 (once), on 429 and on [`Delivery::NotSent`].
    pub async fn post_once(&self, _url: Url, _body: RequestBody) -> Result<Reply, AzureError> {
        unimplemented!("first commit")
    }
}
