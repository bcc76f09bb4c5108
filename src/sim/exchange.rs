//! One request and its answer, as every way in hands them over; and the desk at which requests are handled.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;
use serde_json::Value;

use super::{
    authority::Authority,
    fault::Act,
    scenario::{Region, RetryAfter, Scenario},
    state::State,
};

/// A request, whichever way it came in.
#[derive(Debug)]
pub(super) struct Incoming {
    pub method: Method,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Host as the client named it, with its port where it gave one.
    pub authority: String,
    /// Not decoded.
    pub path: String,
    /// Not decoded, without the question mark.
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub door: Door,
}

/// Where a request came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Resource manager, blobs and tokens.
    Front,
    /// The gateway of a service, by its name in lower case.
    Gateway(String),
}

#[derive(Debug)]
pub(super) struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What happens on the connection.
#[derive(Debug)]
pub(super) struct Answer {
    pub delay: Duration,
    pub ending: Ending,
}

#[derive(Debug)]
pub(super) enum Ending {
    Whole(Reply),
    /// Half of the body, then the connection breaks.
    Truncated(Reply),
    Reset,
}

/// All that a handler works with. The state is locked meanwhile: nothing here waits.
pub(super) struct Desk<'a> {
    pub scenario: &'a Scenario,
    pub state: &'a mut State,
    pub authority: &'a Authority,
    pub now: Timestamp,
    /// Simulated seconds per real second.
    pub speed: f64,
}

impl Incoming {
    pub fn host(&self) -> &str {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => &self.authority,
        }
    }

    /// Path and query.
    pub fn target(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }

    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme, self.authority, self.target())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A parameter of the query, decoded. Its name is compared without regard to case, as Azure does.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
    }
}

impl Reply {
    pub fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    pub fn json(status: StatusCode, body: &Value) -> Self {
        Self::empty(status).body("application/json; charset=utf-8", body.to_string())
    }

    /// An error of the resource manager.
    pub fn error(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let error = serde_json::json!({ "error": { "code": code, "message": message.into(), "details": null, "innerError": null } });
        Self::json(status, &error)
    }

    #[must_use]
    pub fn body(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = body.into();
        self
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        let value = HeaderValue::from_str(value.as_ref()).expect("texts of the simulator are visible ASCII");
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }
}

impl Desk<'_> {
    /// Whether a region (display form) is lost now.
    pub fn is_lost(&self, location: &str) -> bool {
        let home = self.scenario.region == Region::Lost && self.scenario.active.location == location;
        let elapsed = Duration::try_from(self.now.duration_since(self.state.started)).unwrap_or_default();
        let fallen = |act: &Act| matches!(act, Act::RegionDown(region) if region == location);
        home || self.scenario.faults.iter().any(|fault| fallen(&fault.act) && fault.is_in_season(elapsed))
    }

    /// The value of a `Retry-After` of so many simulated seconds.
    pub fn retry_after(&self, seconds: u64) -> String {
        match self.scenario.retry_after {
            RetryAfter::Simulated => seconds.to_string(),
            RetryAfter::Real => ((seconds as f64 / self.speed).ceil().max(1.0)).to_string(),
        }
    }

    /// `https://host` with the port where the gateway of a service really listens.
    pub fn gateway_url(&self, service: &str, host: &str) -> String {
        let port = self.state.listening.as_ref().and_then(|listening| listening.gateways.get(service));
        port.map_or_else(|| format!("https://{host}"), |port| format!("https://{host}:{port}"))
    }
}

/// As HTTP writes dates.
pub(super) fn http_date(at: Timestamp) -> String {
    jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&at)
        .expect("years of the simulation have four digits")
}
