//! A thin client of Azure Resource Manager: paths in, JSON out, typed errors, Retry-After obeyed and visible.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::{
    clock::Clock,
    net::{Delivery, Http, HttpResponse},
    runbook::ResourceId,
    site::Endpoints,
};

use super::{
    Budget, Gate, TokenSource,
    exchange::{self, Answer, Call, Exchange, LONGEST_WAIT, Repeat},
    refusal, retry_after,
};

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
    /// 412, and storage's 409 `BlobAlreadyExists`.
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
    /// Retry-After in seconds, capped.
    pub retry_after_s: Option<u64>,
    /// An attempt before this one ended without an answer, so this answer may be to its effect.
    pub repeated_unknown: bool,
}

impl Reply {
    /// The body as a `T`; `what` for the message: `the service`.
    ///
    /// # Errors
    /// [`AzureErrorKind::Malformed`].
    pub fn read<T: DeserializeOwned>(self, what: &str) -> Result<T, AzureError> {
        serde_json::from_value(self.body).map_err(|error| AzureError {
            status: Some(self.status.as_u16()),
            request_id: self.request_id,
            correlation_id: self.correlation_id,
            ..AzureError::new(AzureErrorKind::Malformed, format!("{what} cannot be read from the answer: {error}"))
        })
    }
}

impl AzureError {
    /// An error that nothing more is known of: no effect, no status, no ids.
    pub fn new(kind: AzureErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            delivery: Delivery::NotSent,
            status: None,
            code: None,
            message: message.into(),
            hint: None,
            request_id: None,
            correlation_id: None,
            repeated_unknown: false,
        }
    }
}

/// The resource manager of one site. Cheap to clone.
#[derive(Clone)]
pub struct Arm {
    pub tokens: Arc<TokenSource>,
    exchange: Exchange,
}

impl std::fmt::Debug for Arm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arm").field("resource_manager", &self.exchange.origin.as_str()).finish_non_exhaustive()
    }
}

impl Arm {
    /// # Errors
    /// A lower-case fragment when `endpoints.resource_manager` is not a URL of http or https.
    pub fn new(http: Http, endpoints: &Endpoints, tokens: Arc<TokenSource>, clock: Clock) -> Result<Self, String> {
        let origin = base_url(&endpoints.resource_manager)?;
        let scope = endpoints.scope.clone();
        let exchange = Exchange {
            http,
            tokens: Arc::clone(&tokens),
            clock,
            scope,
            origin,
            sink: None,
            gate: Gate::default(),
            budget: Arc::default(),
        };
        Ok(Self { tokens, exchange })
    }

    /// The same resource manager, whose waits are told to `sink`.
    #[must_use]
    pub fn noting(&self, sink: NoticeSink) -> Self {
        let mut arm = self.clone();
        arm.exchange.sink = Some(sink);
        arm
    }

    /// The same resource manager, whose changes leave when `gate` says so.
    #[must_use]
    pub fn gated(mut self, gate: Gate) -> Self {
        self.exchange.gate = gate;
        self
    }

    /// What is left of the requests that the resource manager takes.
    pub fn budget(&self) -> &Budget {
        &self.exchange.budget
    }

    /// `suffix` begins with a slash or is empty: `/restore`.
    pub fn url(&self, id: &ResourceId, suffix: &str, api_version: &str) -> Url {
        self.path_url(&format!("{id}{suffix}"), api_version)
    }

    /// A resource below another. Each name stands in one segment, so a slash or a question mark in it leads nowhere else.
    pub fn url_below(&self, id: &ResourceId, segments: &[&str], api_version: &str) -> Url {
        let mut url = self.url(id, "", api_version);
        // A URL of http always has segments.
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(segments);
        }
        url
    }

    /// For paths that are no resource ids: `/subscriptions/…/resourceGroups/…`.
    pub fn path_url(&self, path: &str, api_version: &str) -> Url {
        let mut url = self.exchange.origin.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        url.query_pairs_mut().append_pair("api-version", api_version);
        url
    }

    /// `link` verbatim when it is absolute, else against the resource manager. None: not a URL at all.
    pub fn follow(&self, link: &str) -> Option<Url> {
        self.exchange.origin.join(link).ok()
    }

    pub async fn get(&self, url: Url) -> Result<Reply, AzureError> {
        self.call(Call::new(Method::GET, url, Repeat::Safe)).await
    }

    pub async fn head(&self, url: Url) -> Result<Reply, AzureError> {
        self.call(Call::new(Method::HEAD, url, Repeat::Safe)).await
    }

    /// With `if_match` it is repeated like a read: the first one that arrives makes every other one a 412.
    /// Look at `repeated_unknown` of a 412 before calling it somebody else's change.
    pub async fn put(&self, url: Url, body: &Value, if_match: Option<&str>) -> Result<Reply, AzureError> {
        let repeat = if if_match.is_some() { Repeat::Safe } else { Repeat::Never };
        let mut call = Call::new(Method::PUT, url, repeat);
        if let Some(etag) = if_match {
            let etag = HeaderValue::from_str(etag).map_err(|_| {
                AzureError::new(AzureErrorKind::Malformed, "the ETag holds characters no header may hold")
            })?;
            call.headers.insert(header::IF_MATCH, etag);
        }
        self.call(with_body(call, &RequestBody::json(body))).await
    }

    /// A PATCH of what has no `ETag`, sent like [`Self::post_once`].
    pub async fn patch_once(&self, url: Url, body: &Value) -> Result<Reply, AzureError> {
        self.call(with_body(Call::new(Method::PATCH, url, Repeat::Never), &RequestBody::json(body))).await
    }

    /// Sent at most once where it can have had an effect: repeated only on 401 (once), on 429 and on [`Delivery::NotSent`].
    pub async fn post_once(&self, url: Url, body: RequestBody) -> Result<Reply, AzureError> {
        self.call(with_body(Call::new(Method::POST, url, Repeat::Never), &body)).await
    }

    /// A POST that only reads, as `listKeys`: repeated like a GET.
    pub(super) async fn post_reading(&self, url: Url) -> Result<Reply, AzureError> {
        self.call(with_body(Call::new(Method::POST, url, Repeat::Safe), &RequestBody::empty())).await
    }

    /// One GET whose bad answers are given as they are; see [`Exchange::send`] for what is repeated.
    pub(super) async fn look(&self, url: Url) -> Result<HttpResponse, AzureError> {
        Ok(self.exchange.send(&Call::new(Method::GET, url, Repeat::Safe)).await?.response)
    }

    /// # Errors
    /// When `url` is not the resource manager's own; see [`Exchange::check_origin`].
    pub(super) fn check_origin(&self, url: &Url) -> Result<(), AzureError> {
        self.exchange.check_origin(url)
    }

    pub(super) fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Tells whoever watches.
    pub(super) fn note(&self, message: String) {
        tracing::warn!("{message}");
        if let Some(sink) = &self.exchange.sink {
            sink(Notice { message, until: None });
        }
    }

    /// What a bad answer means.
    pub(super) fn refusal(&self, method: &Method, what: &str, response: &HttpResponse) -> AzureError {
        let mut error = refusal::refusal(method, what, response);
        if error.kind == AzureErrorKind::Unauthorized {
            error.hint = Some(self.tokens.why_unauthorized(self.exchange.clock.now()));
        }
        error.message = format!("the resource manager {}", error.message);
        error
    }

    pub(super) fn retry_after_s(&self, headers: &HeaderMap) -> Option<u64> {
        let asked = retry_after::retry_after(headers, self.exchange.clock.now())?;
        Some(asked.min(LONGEST_WAIT).as_secs())
    }

    async fn call(&self, call: Call) -> Result<Reply, AzureError> {
        let what = describe(&call.method, &call.url);
        let Answer { response, repeated_unknown } = self.exchange.send(&call).await?;
        if !response.status.is_success() {
            let error = self.refusal(&call.method, &what, &response);
            return Err(exchange::after(error, &call, repeated_unknown));
        }
        let body = match parse(&response.body) {
            Ok(body) => body,
            // The operation's URL is in the headers and matters more than a body that says nothing.
            Err(_) if response.status == StatusCode::ACCEPTED => Value::Null,
            Err(reason) => {
                let error = AzureError {
                    delivery: Delivery::Unknown,
                    status: Some(response.status.as_u16()),
                    request_id: response.header("x-ms-request-id").map(str::to_owned),
                    correlation_id: response.header("x-ms-correlation-request-id").map(str::to_owned),
                    ..AzureError::new(AzureErrorKind::Malformed, format!("the answer to {what} is not JSON: {reason}"))
                };
                return Err(exchange::after(error, &call, repeated_unknown));
            }
        };
        Ok(Reply {
            status: response.status,
            request_id: response.header("x-ms-request-id").map(str::to_owned),
            correlation_id: response.header("x-ms-correlation-request-id").map(str::to_owned),
            retry_after_s: self.retry_after_s(&response.headers),
            headers: response.headers,
            body,
            repeated_unknown,
        })
    }
}

fn with_body(mut call: Call, body: &RequestBody) -> Call {
    if !body.0.expose_secret().is_empty() {
        call.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    call.body = body.0.clone();
    call
}

/// JSON null for an empty body.
pub(super) fn parse(body: &[u8]) -> Result<Value, String> {
    let body = refusal::without_mark(body);
    if body.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

/// The last member of the path's provider part says enough: `POST Microsoft.ApiManagement/service/apim-west/restore`.
pub(super) fn describe(method: &Method, url: &Url) -> String {
    let path = url.path();
    let short = path.rsplit_once("/providers/").map_or(path, |(_, provider)| provider);
    format!("{method} {short}")
}

/// # Errors
/// A lower-case fragment when it is not a URL of http or https.
pub(super) fn base_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("`{text}` is not a URL: {error}"))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        _ => Err(format!("`{text}` is not a URL of http or https")),
    }
}
