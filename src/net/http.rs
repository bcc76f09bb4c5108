//! HTTP: one request, one answer. Never follows a redirect, never repeats a request.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use url::{Host, Url};

use crate::sim::World;

pub use super::real_http::{HttpOptions, RealHttp};

/// Longest that one request may take, unless the caller says otherwise. ARM itself gives up after 120 s (azure-facts 1.5).
pub const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);
/// Largest body that is read, unless the caller says otherwise. A blob listing of 5,000 names is below 8 MiB.
pub const DEFAULT_MAX_BODY: usize = 16 << 20;

/// Its `Debug` leaves the body out, which may hold a secret; headers and URLs that do are marked by who sets them.
#[derive(Clone)]
pub struct HttpRequest {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// From the first byte out to the last byte in.
    pub timeout: Duration,
    pub max_body: usize,
    /// Asked twice it does no more than asked once. So a connection that was used before may carry it, as every read's
    /// does: whether a request was lost with a connection does not matter then.
    pub repeatable: bool,
    /// The URL itself is a secret.
    pub secret_url: bool,
    /// Connect here instead of looking the URL's host up; the URL's host stays SNI and Host.
    pub connect_to: Option<SocketAddr>,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = if self.secret_url { "Sensitive" } else { self.url.as_str() };
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("url", &url)
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.len())
            .field("connect_to", &self.connect_to)
            .finish_non_exhaustive()
    }
}

impl HttpRequest {
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: DEFAULT_TIMEOUT,
            max_body: DEFAULT_MAX_BODY,
            repeatable: false,
            secret_url: false,
            connect_to: None,
        }
    }
}

#[derive(Clone, Debug)]
pub struct HttpResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The server's own certificate, on https.
    pub certificate: Option<Certificate>,
}

impl HttpResponse {
    /// A header as text; absent and unreadable are the same.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-1 of the DER form, upper-case hex, as Azure writes it.
    pub thumbprint: String,
    pub subject: String,
    /// DNS names it is for.
    pub names: Vec<String>,
    pub not_after: Timestamp,
}

/// Whether the request can have reached the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It failed before a byte of the request left: safe to send again, whatever it is.
    NotSent,
    /// It may have been received and acted on.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpErrorKind {
    NameNotFound,
    Connect,
    /// The server's certificate is not trusted, expired or for another name. Final: never retried.
    Certificate,
    Timeout,
    /// The connection broke after it was made.
    Broken,
    TooLarge,
}

#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct HttpError {
    pub kind: HttpErrorKind,
    pub delivery: Delivery,
    /// Lower-case fragment with the host, never with headers or bodies.
    pub message: String,
}

/// Loopback, and the link-local addresses where a machine's metadata service is: no proxy can reach them, and what is
/// sent there does not leave the machine.
pub fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_link_local(),
        Some(Host::Ipv6(address)) => address.is_loopback() || address.is_unicast_link_local(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

/// The transport.
#[derive(Clone, Debug)]
pub enum Http {
    Real(RealHttp),
    Simulated(Arc<World>),
}

impl Http {
    /// Sends `request` once. Cancel safe in the sense of [`Delivery::Unknown`]: dropping it may or may not have sent it.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        match self {
            Self::Real(real) => real.send(request).await,
            Self::Simulated(world) => world.http(request).await,
        }
    }
}
