//! One call to Azure until it is answered for good: tokens, Retry-After, repeats by method, ids in the log.
//!
//! ```text
//!            reads, conditional changes        POST, changes without a condition
//!  401       once more with a fresh token      once more with a fresh token (a 401 had no effect)
//!  429       after Retry-After                 after Retry-After (had no effect)
//!  503       after Retry-After                 never: the outcome is unknown
//!  408 5xx   after a backoff                   never
//!  not sent  after a backoff                   after a backoff (nothing left this machine)
//!  broken    after a backoff                   never
//! ```
//!
//! Never sends a token to another origin than its own, never repeats after a certificate error, never waits longer
//! than [`LONGEST_WAIT`] at a time or [`LONGEST_TOTAL_WAIT`] in all, and says every wait to the notice sink.

use std::{sync::Arc, time::Duration};

use azure_core::Uuid;
use backon::{BackoffBuilder, ExponentialBuilder};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{
    clock::Clock,
    net::{Delivery, Http, HttpError, HttpErrorKind, HttpRequest, HttpResponse},
};

use super::{AzureError, AzureErrorKind, Budget, Gate, Notice, NoticeSink, TokenSource, retry_after::retry_after};

/// Longest obeyed Retry-After. ARM's buckets refill within seconds; a service that asks for more is asked again by then,
/// so that nobody sits in front of an hour's silence during an outage.
pub const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// All waits of one call. Past that the step's own retry, timeout and report are the better place.
pub const LONGEST_TOTAL_WAIT: Duration = Duration::from_mins(15);
/// Repeats of one call, whatever the reason. With the backoff below the last comes after about two minutes.
const MOST_REPEATS: usize = 8;
/// First wait where Azure names none; doubles.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// Backoff stops doubling here: a region that comes back should be noticed within half a minute.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// Whether a call may be sent again when nobody knows what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// GET, HEAD, PUT and DELETE under a condition, and POSTs that only read.
    Safe,
    Never,
}

/// One call. Its body may hold a secret: no `Debug`.
pub(super) struct Call {
    pub method: Method,
    pub url: Url,
    /// Beside the ones that every call carries.
    pub headers: HeaderMap,
    pub body: SecretString,
    pub repeat: Repeat,
    pub max_body: usize,
}

impl Call {
    pub(super) fn new(method: Method, url: Url, repeat: Repeat) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: SecretString::default(),
            repeat,
            max_body: crate::net::http::DEFAULT_MAX_BODY,
        }
    }
}

/// The last answer of a call, whatever its status.
pub(super) struct Answer {
    pub response: HttpResponse,
    /// An earlier attempt ended without an answer that tells what became of it.
    pub repeated_unknown: bool,
}

/// Sends calls to one origin with tokens of one scope.
#[derive(Clone)]
pub(super) struct Exchange {
    pub http: Http,
    pub tokens: Arc<TokenSource>,
    pub clock: Clock,
    pub scope: String,
    /// Tokens go here and nowhere else.
    pub origin: Url,
    pub sink: Option<NoticeSink>,
    pub gate: Gate,
    /// Shared by all copies.
    pub budget: Arc<Budget>,
}

/// What to do after one attempt.
enum Next {
    Answered(HttpResponse),
    FreshToken,
    Failed(HttpError),
    Again(Again),
}

struct Again {
    /// What is returned when no repeat is left.
    last: Result<HttpResponse, HttpError>,
    /// Azure's own wish.
    asked: Option<Duration>,
    why: String,
    /// The attempt may have had an effect.
    unknown: bool,
}

impl Exchange {
    /// # Errors
    /// No token, a foreign origin, or no answer at all. A bad status is an answer.
    pub(super) async fn send(&self, call: &Call) -> Result<Answer, AzureError> {
        self.check_origin(&call.url)?;
        let mut backoff = ExponentialBuilder::new()
            .with_min_delay(FIRST_BACKOFF)
            .with_max_delay(LONGEST_BACKOFF)
            .with_factor(2.0)
            .with_max_times(MOST_REPEATS)
            .build();
        let mut waited = Duration::ZERO;
        let mut fresh = false;
        let mut repeated_unknown = false;
        loop {
            let token = match self.tokens.token_noting(&self.scope, fresh, self.sink.as_ref()).await {
                Ok(token) => token,
                Err(error) => return Err(after(error, call, repeated_unknown)),
            };
            let outcome = self.attempt(call, &token).await;
            // A second 401 in a row is final: a fresh token did not help.
            let refreshed = std::mem::replace(&mut fresh, false);
            let again = match self.judge(call, outcome, refreshed) {
                Next::Answered(response) => return Ok(Answer { response, repeated_unknown }),
                Next::Failed(error) => return Err(after(no_answer(&error), call, repeated_unknown)),
                Next::FreshToken => {
                    tracing::debug!(url = %call.url, "401: asking for a fresh token");
                    fresh = true;
                    continue;
                }
                Next::Again(again) => again,
            };
            repeated_unknown |= again.unknown;
            let wait = backoff.next().map(|next| again.asked.map_or(next, |asked| asked.min(LONGEST_WAIT)));
            match wait {
                Some(wait) if waited + wait <= LONGEST_TOTAL_WAIT => {
                    waited += wait;
                    self.pause(wait, again.asked, &again.why).await;
                }
                Some(_) | None => {
                    return match again.last {
                        Ok(response) => Ok(Answer { response, repeated_unknown }),
                        Err(error) => Err(after(no_answer(&error), call, repeated_unknown)),
                    };
                }
            }
        }
    }

    /// # Errors
    /// When `url` is not of the origin that the tokens are for; nothing has been sent.
    pub(super) fn check_origin(&self, url: &Url) -> Result<(), AzureError> {
        let bare = url.username().is_empty() && url.password().is_none();
        if bare && url.origin() == self.origin.origin() {
            return Ok(());
        }
        let (host, own) = (url.host_str().unwrap_or("nowhere"), self.origin.origin().ascii_serialization());
        Err(AzureError {
            hint: Some(format!("tokens go to {own} and nowhere else; check the site's endpoints")),
            ..AzureError::new(AzureErrorKind::Malformed, format!("nothing was sent to {host}: it is not {own}"))
        })
    }

    async fn attempt(&self, call: &Call, token: &SecretString) -> Result<HttpResponse, HttpError> {
        let mut request = HttpRequest::new(call.method.clone(), call.url.clone());
        request.headers.clone_from(&call.headers);
        request.body = call.body.expose_secret().to_owned().into();
        request.max_body = call.max_body;
        request.headers.insert(header::AUTHORIZATION, bearer(token)?);
        let id = Uuid::new_v4().to_string();
        request.headers.insert(CLIENT_REQUEST_ID, text(&id));
        request.headers.insert(RETURN_CLIENT_REQUEST_ID, HeaderValue::from_static("true"));
        self.gate.pass(&call.method).await;
        let outcome = self.http.send(request).await;
        if let Ok(response) = &outcome {
            self.budget.note(&response.headers);
        }
        match &outcome {
            Ok(response) => tracing::debug!(
                method = %call.method,
                path = call.url.path(),
                status = response.status.as_u16(),
                client_request_id = id,
                request_id = response.header("x-ms-request-id"),
                correlation_id = response.header("x-ms-correlation-request-id"),
                routing_id = response.header("x-ms-routing-request-id"),
                "answered"
            ),
            Err(error) => tracing::debug!(
                method = %call.method,
                path = call.url.path(),
                client_request_id = id,
                kind = ?error.kind,
                delivery = ?error.delivery,
                "not answered: {error}"
            ),
        }
        outcome
    }

    fn judge(&self, call: &Call, outcome: Result<HttpResponse, HttpError>, refreshed: bool) -> Next {
        let safe = call.repeat == Repeat::Safe;
        let response = match outcome {
            Ok(response) => response,
            Err(error) => {
                return match (error.kind, error.delivery) {
                    (HttpErrorKind::Certificate | HttpErrorKind::TooLarge, _) => Next::Failed(error),
                    (_, Delivery::NotSent) => Next::Again(Again::broken(error, false)),
                    (_, Delivery::Unknown) if safe => Next::Again(Again::broken(error, true)),
                    (_, Delivery::Unknown) => Next::Failed(error),
                };
            }
        };
        let (why, unknown) = match response.status {
            StatusCode::UNAUTHORIZED if !refreshed => return Next::FreshToken,
            StatusCode::TOO_MANY_REQUESTS => ("Azure is throttling".to_owned(), false),
            StatusCode::SERVICE_UNAVAILABLE if safe => ("Azure is not available (503)".to_owned(), true),
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::GATEWAY_TIMEOUT
                if safe =>
            {
                (format!("Azure answered {}", response.status.as_u16()), true)
            }
            _ => return Next::Answered(response),
        };
        let asked = retry_after(&response.headers, self.clock.now());
        Next::Again(Again { last: Ok(response), asked, why, unknown })
    }

    /// Cancel safe.
    async fn pause(&self, wait: Duration, asked: Option<Duration>, why: &str) {
        let until = self.clock.now() + jiff::SignedDuration::try_from(wait).unwrap_or(jiff::SignedDuration::MAX);
        let message = match asked {
            Some(asked) if asked > wait => {
                format!("{why} and asks for {} s; trying again in {} s", asked.as_secs(), wait.as_secs())
            }
            Some(_) | None => format!("{why}; trying again in {:.0} s", wait.as_secs_f64()),
        };
        tracing::debug!("{message}");
        if let Some(sink) = &self.sink {
            sink(Notice { message, until: Some(until) });
        }
        self.clock.sleep_until(until).await;
    }
}

impl Again {
    fn broken(error: HttpError, unknown: bool) -> Self {
        Self { asked: None, why: error.message.clone(), unknown, last: Err(error) }
    }
}

const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");
const RETURN_CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-return-client-request-id");

/// Sensitive: its `Debug` says so instead of showing it.
fn bearer(token: &SecretString) -> Result<HeaderValue, HttpError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).map_err(|_| HttpError {
        kind: HttpErrorKind::Connect,
        delivery: Delivery::NotSent,
        message: "the access token holds characters that no header may hold".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).expect("a UUID is made of header characters")
}

/// What an error of this attempt means for the whole call.
pub(super) fn after(error: AzureError, call: &Call, repeated_unknown: bool) -> AzureError {
    let reads = call.method == Method::GET || call.method == Method::HEAD;
    let delivery = match (reads, repeated_unknown) {
        // A read has no effect, whatever became of it.
        (true, _) => Delivery::NotSent,
        (false, true) => Delivery::Unknown,
        (false, false) => error.delivery,
    };
    AzureError { delivery, repeated_unknown, ..error }
}

fn no_answer(error: &HttpError) -> AzureError {
    let (kind, hint) = match error.kind {
        HttpErrorKind::Certificate => (
            AzureErrorKind::Certificate,
            Some("if a proxy of yours signs for it, name its root in the site's `tls.ca_file`; else do not go on"),
        ),
        HttpErrorKind::NameNotFound => (
            AzureErrorKind::Transport,
            Some("check the site's `dns.resolvers` and `endpoints`, and this machine's way to the internet"),
        ),
        HttpErrorKind::Connect => (
            AzureErrorKind::Transport,
            Some("check this machine's way to Azure: HTTPS_PROXY, firewall, private endpoints"),
        ),
        HttpErrorKind::TooLarge => (AzureErrorKind::Malformed, None),
        HttpErrorKind::Timeout | HttpErrorKind::Broken => (AzureErrorKind::Transport, None),
    };
    AzureError {
        delivery: error.delivery,
        hint: hint.map(str::to_owned),
        ..AzureError::new(kind, error.message.clone())
    }
}
