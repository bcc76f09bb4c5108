//! What `azure_identity` reaches the world through: our transport and our processes, so that the site's
//! roots, resolvers and proxies hold for tokens too.

use std::{error::Error as StdError, ffi::OsStr, io, process::Output};

use async_trait::async_trait;
use azure_core::{
    error::{Error, ErrorKind},
    http::{
        AsyncRawResponse, Body, HttpClient, Request,
        headers::{HeaderName as IdentityHeader, HeaderValue as IdentityValue, Headers},
    },
};
use http::{HeaderName, HeaderValue, Method};

use crate::net::{Http, HttpError, HttpErrorKind, HttpRequest};

use super::Environment;

/// A token's answer has a few kilobytes.
const LARGEST_ANSWER: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct IdentityTransport(pub Http);

#[async_trait]
impl HttpClient for IdentityTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let wrong = |message: String| Error::with_message(ErrorKind::Other, message);
        let method = Method::from_bytes(request.method().as_str().as_bytes())
            .map_err(|_| wrong("the method is not one of HTTP".to_owned()))?;
        let mut ours = HttpRequest::new(method, request.url().clone());
        ours.max_body = LARGEST_ANSWER;
        for (name, value) in request.headers().iter() {
            // Our own names the tool; theirs would be a second one.
            if name.as_str().eq_ignore_ascii_case("user-agent") {
                continue;
            }
            let name = HeaderName::from_bytes(name.as_str().as_bytes()).map_err(|error| wrong(error.to_string()))?;
            let mut value = HeaderValue::from_str(value.as_str()).map_err(|error| wrong(error.to_string()))?;
            value.set_sensitive(true);
            ours.headers.insert(name, value);
        }
        ours.body = match request.body() {
            Body::Bytes(bytes) => bytes.clone(),
            Body::SeekableStream(_) => return Err(wrong("a request for a token has no stream".to_owned())),
        };
        let response = self.0.send(ours).await.map_err(foreign)?;
        let mut headers = Headers::new();
        for (name, value) in &response.headers {
            if let Ok(value) = value.to_str() {
                headers.insert(IdentityHeader::from(name.as_str().to_owned()), IdentityValue::from(value.to_owned()));
            }
        }
        Ok(AsyncRawResponse::from_bytes(response.status.as_u16().into(), headers, response.body))
    }
}

/// `azure_identity` repeats `Io` and `Connection` and nothing else.
fn foreign(error: HttpError) -> Error {
    let kind = match error.kind {
        HttpErrorKind::Certificate | HttpErrorKind::TooLarge => ErrorKind::Other,
        HttpErrorKind::NameNotFound | HttpErrorKind::Connect => ErrorKind::Connection,
        HttpErrorKind::Timeout | HttpErrorKind::Broken => ErrorKind::Io,
    };
    let message = error.message.clone();
    Error::with_error(kind, error, message)
}

/// The message of a certificate error somewhere in the causes.
pub(super) fn certificate_problem(error: &Error) -> Option<String> {
    cause::<HttpError>(error).filter(|ours| ours.kind == HttpErrorKind::Certificate).map(|ours| ours.message.clone())
}

/// An error of ours somewhere in the causes.
pub(super) fn cause<E: StdError + 'static>(error: &Error) -> Option<&E> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(ours) = cause.downcast_ref::<E>() {
            return Some(ours);
        }
        next = cause.source();
    }
    None
}

/// Runs `az` in its shell; the shell is ended when nobody waits for it any more, `az` itself ends within a second or two.
#[derive(Debug)]
pub(super) struct AzExecutor {
    path: Option<String>,
}

impl AzExecutor {
    pub(super) fn new(environment: &Environment) -> Self {
        Self { path: environment.get("PATH") }
    }
}

#[async_trait]
impl azure_identity::Executor for AzExecutor {
    async fn run(&self, program: &OsStr, args: &[&OsStr]) -> io::Result<Output> {
        let mut command = tokio::process::Command::new(program);
        command.args(args).stdin(std::process::Stdio::null()).kill_on_drop(true);
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        command.output().await
    }
}
