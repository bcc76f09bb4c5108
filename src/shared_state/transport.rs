//! The object stores' client over our own transport, so that there is no second one: the same roots, resolvers, proxies
//! and TLS, or the simulator.
//!
//! Never repeats a request, but once with a fresh token when a site's own was refused (401 had no effect). Whoever asks
//! the store repeats: each write there is conditional, or of the same bytes.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Full};
use object_store::{
    ClientOptions, RetryConfig,
    client::{
        HttpClient, HttpConnector, HttpError as StoreError, HttpErrorKind as StoreErrorKind,
        HttpRequest as StoreRequest, HttpResponse as StoreResponse, HttpResponseBody, HttpService,
    },
};
use secrecy::ExposeSecret;
use url::Url;

use crate::{
    azure::{TokenSource, storage},
    net::{Delivery, Http, HttpError, HttpErrorKind, HttpRequest, HttpResponse, ListingRefused, http::is_local},
};

/// Longest for one request, of which each carries some kilobytes. A driver counts itself entitled for as long as this
/// after its last word (`run`): an answer that comes later is worth nothing.
const LONGEST_REQUEST: Duration = Duration::from_secs(10);
/// Google's name for the metadata service of its machines, which has no TLS. All others have link-local addresses.
const GOOGLE_METADATA: &str = "metadata.google.internal";
/// Longest part of a refusal that is told.
const LONGEST_REFUSAL: usize = 300;

#[derive(Clone, Debug)]
pub(super) struct Transport {
    pub http: Http,
    /// Gives the tokens of the requests; none where they are signed, or carry a signature.
    pub tokens: Option<Arc<TokenSource>>,
}

/// The library's own repeats are switched off: they look at no clock of ours, and nobody is told of them.
pub(super) fn no_repeats() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

impl HttpConnector for Transport {
    /// The options are the library's own client's: timeouts, proxies and roots are ours here.
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Transport {
    async fn call(&self, request: StoreRequest) -> Result<StoreResponse, StoreError> {
        let request = ours(request).await?;
        let lists = request
            .url
            .query_pairs()
            .any(|(name, value)| matches!((&*name, &*value), ("comp", "list") | ("list-type", _)));
        let mut answer = self.http.send(request.clone()).await.map_err(theirs)?;
        if answer.status == StatusCode::UNAUTHORIZED
            && let Some(again) = self.with_fresh_token(request).await
        {
            answer = self.http.send(again).await.map_err(theirs)?;
        }
        if lists && !answer.status.is_success() {
            let refused = ListingRefused { status: answer.status, said: refusal(&answer.body) };
            return Err(StoreError::new(StoreErrorKind::Unknown, refused));
        }
        Ok(response(answer))
    }
}

impl Transport {
    /// None when there is no other token: the refusal stands.
    async fn with_fresh_token(&self, mut request: HttpRequest) -> Option<HttpRequest> {
        let token = self.tokens.as_ref()?.token(storage::SCOPE, true).await.ok()?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).ok()?;
        value.set_sensitive(true);
        let before = request.headers.insert(header::AUTHORIZATION, value.clone())?;
        (before != value).then_some(request)
    }
}

async fn ours(request: StoreRequest) -> Result<HttpRequest, StoreError> {
    let (parts, body) = request.into_parts();
    let text = parts.uri.to_string();
    let url = Url::parse(&text).map_err(|error| StoreError::new(StoreErrorKind::Unknown, error))?;
    // Tokens and signatures travel here; the state's own URL was looked at, what the environment says was not.
    if url.scheme() != "https" && !is_local(&url) && url.host_str() != Some(GOOGLE_METADATA) {
        let host = url.host_str().unwrap_or_default();
        return Err(StoreError::new_boxed(
            StoreErrorKind::Unknown,
            format!("{host} would be asked over plain http").into(),
        ));
    }
    let mut ours = HttpRequest::new(parts.method, url);
    ours.headers = parts.headers;
    if let Some(value) = ours.headers.get_mut(header::AUTHORIZATION) {
        value.set_sensitive(true);
    }
    ours.body = body.collect().await?.to_bytes();
    ours.timeout = LONGEST_REQUEST;
    ours.repeatable = true;
    Ok(ours)
}

/// The kinds say what the library may repeat, which is nothing; they are told all the same.
fn theirs(error: HttpError) -> StoreError {
    let kind = match (error.kind, error.delivery) {
        (HttpErrorKind::Certificate, _) => StoreErrorKind::Unknown,
        (_, Delivery::NotSent) | (HttpErrorKind::NameNotFound | HttpErrorKind::Connect, Delivery::Unknown) => {
            StoreErrorKind::Connect
        }
        (HttpErrorKind::Timeout, Delivery::Unknown) => StoreErrorKind::Timeout,
        (HttpErrorKind::Broken, Delivery::Unknown) => StoreErrorKind::Interrupted,
        (HttpErrorKind::TooLarge, Delivery::Unknown) => StoreErrorKind::Decode,
    };
    StoreError::new(kind, error)
}

fn response(answer: HttpResponse) -> StoreResponse {
    let HttpResponse { status, headers, body, certificate: _ } = answer;
    let body = if status.is_success() { body } else { Bytes::from(refusal(&body)) };
    let body = Full::new(body).map_err(|never| match never {});
    let mut response = StoreResponse::new(HttpResponseBody::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// `Code: message` of a refusal, in one line. The whole would name the id of an access key, and what was signed.
fn refusal(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let between = |tag: &str| {
        let (_, rest) = text.split_once(&format!("<{tag}>"))?;
        Some(rest.split_once(&format!("</{tag}>"))?.0.trim())
    };
    let said = match (between("Code"), between("Message")) {
        (Some(code), Some(message)) => format!("{code}: {}", message.lines().next().unwrap_or_default()),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        // Google's JSON, a proxy's page.
        (None, None) => text.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    match said.char_indices().nth(LONGEST_REFUSAL) {
        None => said,
        Some((at, _)) => format!("{}…", &said[..at]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line_without_what_was_signed() {
        let azure = "\u{feff}<?xml version=\"1.0\"?><Error><Code>AuthorizationFailure</Code><Message>This request is not \
                     authorized.\nRequestId:1\nTime:2026</Message></Error>";
        assert_eq!(refusal(azure.as_bytes()), "AuthorizationFailure: This request is not authorized.");
        let amazon = "<Error><Code>SignatureDoesNotMatch</Code><Message>The signature does not match</Message>\
                      <AWSAccessKeyId>AKIA</AWSAccessKeyId><StringToSign>secret</StringToSign></Error>";
        assert_eq!(refusal(amazon.as_bytes()), "SignatureDoesNotMatch: The signature does not match");
        assert_eq!(refusal(b"{\n  \"error\": \"invalid_grant\"\n}"), "{ \"error\": \"invalid_grant\" }");
        assert_eq!(refusal("ä".repeat(400).as_bytes()).chars().count(), LONGEST_REFUSAL + 1);
        assert_eq!(refusal(b""), "");
    }
}
