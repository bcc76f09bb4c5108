//! `http.request`: one request to anywhere, and what it answered.
//!
//! Never follows a redirect, never sends a token, and never repeats a request that may change something.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value, json};

use super::{
    Context, Done, Outside, Recorder,
    arguments::{HttpCall, RequestMethod},
    error,
};
use crate::{
    net::{Delivery, HttpErrorKind, HttpRequest, HttpResponse},
    plan::facts::{PlannedRequest, Probe},
    run::{Disposition, Intent, StepError, Verdict},
};

/// What is kept of an answer: enough for a status page, small in the journal.
const KEPT_BODY: usize = 64 << 10;
/// The largest answer that is read at all.
const MAX_BODY: usize = 4 << 20;

impl RequestMethod {
    pub fn reads_only(self) -> bool {
        match self {
            Self::Get | Self::Head => true,
            Self::Post | Self::Put | Self::Patch | Self::Delete => false,
        }
    }

    fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Head => Method::HEAD,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
        }
    }
}

/// Sends nothing: the request may be dear, also when it only reads.
pub fn probe(call: &HttpCall) -> Result<Probe, StepError> {
    headers(call)?;
    Ok(Probe {
        summary: format!("sends {} {}", call.method.method(), call.url),
        requests: vec![planned(call)],
        verified: false,
        ..Probe::default()
    })
}

pub async fn perform(call: &HttpCall, context: &Context, record: &Recorder) -> Result<Done, StepError> {
    let mut request = HttpRequest::new(call.method.method(), call.url.clone());
    request.headers = headers(call)?;
    request.body = call.body.clone().unwrap_or_default().into();
    request.max_body = MAX_BODY;
    let sent_at = context.clock.now();
    if !call.method.reads_only() {
        record.intend(Intent { request: planned(call), before: json!({ "sent_at": sent_at }) }).await;
    }
    let answer = context.http.send(request).await;
    if context.outside == Outside::Pretended
        && answer.as_ref().is_err_and(|failure| failure.kind == HttpErrorKind::NameNotFound)
    {
        return Ok(pretended(call));
    }
    let answer = answer.map_err(|failure| {
        let unknown = failure.delivery == Delivery::Unknown && !call.method.reads_only();
        if unknown && failure.kind != HttpErrorKind::Certificate {
            in_doubt(call, &failure.to_string())
        } else {
            error::from_http(call.url.host_str().unwrap_or("the host"), &failure)
        }
    })?;
    judge(call, &answer)
}

/// As if it had answered just what is wanted.
fn pretended(call: &HttpCall) -> Done {
    let status = call.expect_status.first().copied().unwrap_or(200);
    let outputs = Map::from_iter([("status".to_owned(), json!(status)), ("body".to_owned(), json!(""))]);
    Done { outputs, evidence: json!({ "url": call.url.as_str(), "pretended": true }) }
}

/// Nothing can be read that would tell whether it arrived.
pub fn settle(call: &HttpCall) -> Verdict {
    if call.method.reads_only() {
        return Verdict::DidNotHappen { reason: "the request only reads".to_owned() };
    }
    Verdict::Unknown {
        reason: format!(
            "{} {} may or may not have arrived, and only its receiver knows",
            call.method.method(),
            call.url
        ),
        remedy: "look at the receiver; then `lifeboat abort` this run and start another that leaves out what is done"
            .to_owned(),
    }
}

fn judge(call: &HttpCall, answer: &HttpResponse) -> Result<Done, StepError> {
    let status = answer.status.as_u16();
    let expected =
        if call.expect_status.is_empty() { answer.status.is_success() } else { call.expect_status.contains(&status) };
    if expected {
        let outputs = Map::from_iter([("status".to_owned(), json!(status)), ("body".to_owned(), json!(text(answer)))]);
        return Ok(Done { outputs, evidence: json!({ "url": call.url.as_str(), "status": status }) });
    }
    let wanted = match call.expect_status.as_slice() {
        [] => "a 2xx".to_owned(),
        statuses => statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" or "),
    };
    let message = format!("{} {} answered {status} where {wanted} was expected", call.method.method(), call.url);
    // A server that failed may have acted before it failed.
    if !call.method.reads_only() && answer.status.is_server_error() {
        return Err(in_doubt(call, &message));
    }
    let disposition = if call.method.reads_only() { Disposition::Retryable } else { Disposition::Final };
    let mut failure = StepError::new(
        disposition,
        "unexpected-status",
        message,
        "look at the answer in the details; `expect_status` lists other statuses that count as success",
    );
    failure.details.insert("status".to_owned(), json!(status));
    failure.details.insert("body".to_owned(), json!(text(answer).chars().take(1000).collect::<String>()));
    Err(failure)
}

fn in_doubt(call: &HttpCall, message: &str) -> StepError {
    StepError::new(
        Disposition::InDoubt,
        "request-in-doubt",
        format!("it is not known whether {} {} took effect: {message}", call.method.method(), call.url),
        "look at the receiver; the request is not sent again by itself",
    )
}

fn headers(call: &HttpCall) -> Result<HeaderMap, StepError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &call.headers {
        let (Ok(key), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) else {
            return Err(StepError::new(
                Disposition::Final,
                "invalid-arguments",
                format!("`{name}` and its value cannot be sent as a header"),
                "use visible ASCII characters, and no line breaks",
            ));
        };
        headers.insert(key, value);
    }
    Ok(headers)
}

fn planned(call: &HttpCall) -> PlannedRequest {
    PlannedRequest {
        method: call.method.method().to_string(),
        url: call.url.to_string(),
        headers: call.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        body: call.body.clone().map(Value::from),
    }
}

fn text(answer: &HttpResponse) -> String {
    let kept = &answer.body[..answer.body.len().min(KEPT_BODY)];
    String::from_utf8_lossy(kept).into_owned()
}
