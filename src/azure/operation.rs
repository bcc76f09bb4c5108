//! Long-running operations: follow the returned URL verbatim, decide by body, survive everything in between.
//!
//! Never takes a status for an outcome: a 200 may say `InProgress`, a 400 may be the operation's own failure
//! (azure-facts 0.1, 0.2, 9). What cannot be told is [`OperationState::Lost`]: then the resource itself is read.

use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::net::HttpResponse;

use super::{
    Arm, AzureError, AzureErrorKind,
    arm::{self, Reply},
    refusal::{Said, said_in},
};

/// Where an accepted operation can be watched. Everything needed to go on from another machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Verbatim from `Location` or `Azure-AsyncOperation`.
    pub url: String,
    /// Seconds to wait before the first look.
    pub retry_after_s: Option<u64>,
}

/// What one look at an operation said.
#[derive(Clone, Debug, PartialEq)]
pub enum OperationState {
    /// Goes on; `retry_after_s` from the answer.
    Running {
        retry_after_s: Option<u64>,
    },
    /// The final body: the resource, or the monitor's own.
    Succeeded(Value),
    Failed {
        code: Option<String>,
        message: String,
    },
    /// Azure does not know the operation (any more), or says nothing about it: read the resource itself.
    Lost,
}

impl Operation {
    /// Prefers `Azure-AsyncOperation`, else `Location`; none when the answer names neither.
    pub fn from_reply(reply: &Reply) -> Option<Self> {
        let named = |name: &str| text(&reply.headers, name);
        let url = named("azure-asyncoperation").or_else(|| named("location"))?;
        Some(Self { url: url.to_owned(), retry_after_s: reply.retry_after_s })
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim).filter(|value| !value.is_empty())
}

/// One look.
///
/// # Errors
/// Only when nothing was learnt about the operation: no token, 403, throttled, no answer. Look again later.
pub async fn look(arm: &Arm, operation: &Operation) -> Result<OperationState, AzureError> {
    let Some(url) = arm.follow(&operation.url) else {
        arm.note("the operation's URL is not one; the resource itself is read instead".to_owned());
        return Ok(OperationState::Lost);
    };
    if let Err(error) = arm.check_origin(&url) {
        arm.note(format!("the operation cannot be followed: {error}; the resource itself is read instead"));
        return Ok(OperationState::Lost);
    }
    let response = arm.look(url.clone()).await?;
    judge(arm, &url, &response)
}

/// What an answer to a look at `url` says. Asks nobody: `arm` only lends its clock, and its words for a refusal.
/// Public for the fuzz targets, which give it every answer that there can be.
///
/// # Errors
/// As [`look`].
pub fn judge(arm: &Arm, url: &Url, response: &HttpResponse) -> Result<OperationState, AzureError> {
    let method = http::Method::GET;
    let what = arm::describe(&method, url);
    let retry_after_s = arm.retry_after_s(&response.headers);
    // Somebody else answers there, whatever the body says; the resource knows.
    if response.status.is_redirection() {
        return Ok(OperationState::Lost);
    }
    // A status of no class is no answer either: look again.
    if !response.status.is_success() {
        return judge_refusal(arm.refusal(&method, &what, response), response, retry_after_s);
    }
    let running = OperationState::Running { retry_after_s };
    let body = match arm::parse(&response.body) {
        Ok(body) => body,
        Err(_) if response.status == StatusCode::ACCEPTED => Value::Null,
        Err(reason) => {
            return Err(AzureError {
                status: Some(response.status.as_u16()),
                ..AzureError::new(AzureErrorKind::Malformed, format!("the answer to {what} is not JSON: {reason}"))
            });
        }
    };
    Ok(judge_body(response.status, body, running))
}

/// A bad answer to a look: the operation's own failure, or trouble on the way to it.
fn judge_refusal(
    error: AzureError,
    response: &HttpResponse,
    retry_after_s: Option<u64>,
) -> Result<OperationState, AzureError> {
    match error.kind {
        AzureErrorKind::NotFound => Ok(OperationState::Lost),
        AzureErrorKind::Rejected if response.status == StatusCode::GONE => Ok(OperationState::Lost),
        // The service is in transition: that is what is being waited for.
        AzureErrorKind::Busy => Ok(OperationState::Running { retry_after_s }),
        // Azure's front door refused the look itself (an api-version, a header): nothing is known of the operation.
        AzureErrorKind::Rejected | AzureErrorKind::Conflict | AzureErrorKind::PreconditionFailed
            if error.code.is_none() || response.header("x-ms-failure-cause") == Some("gateway") =>
        {
            Err(error)
        }
        AzureErrorKind::Rejected | AzureErrorKind::Conflict | AzureErrorKind::PreconditionFailed => {
            let message = said_in_body(response).message.unwrap_or_else(|| error.message.clone());
            Ok(OperationState::Failed { code: error.code, message })
        }
        AzureErrorKind::Credential
        | AzureErrorKind::Unauthorized
        | AzureErrorKind::Forbidden
        | AzureErrorKind::Throttled
        | AzureErrorKind::Unavailable
        | AzureErrorKind::Transport
        | AzureErrorKind::Certificate
        | AzureErrorKind::Malformed => Err(error),
    }
}

fn said_in_body(response: &HttpResponse) -> Said {
    super::refusal::said(&response.body)
}

/// A good answer to a look.
fn judge_body(status: StatusCode, body: Value, running: OperationState) -> OperationState {
    if let Some(state) = body.get("status").and_then(Value::as_str) {
        return match Word::of(state) {
            Word::Succeeded => OperationState::Succeeded(body),
            Word::Failed => failed(&body, state),
            Word::Other => running,
        };
    }
    if status == StatusCode::ACCEPTED {
        return running;
    }
    match body.pointer("/properties/provisioningState").and_then(Value::as_str) {
        Some(state) => match Word::of(state) {
            Word::Succeeded => OperationState::Succeeded(body),
            Word::Failed => failed(&body, state),
            Word::Other => running,
        },
        // 200 without a word about the operation, 204: some clients take that for success (azure-facts 9).
        // Waiting longer would not teach more; the resource knows.
        None => OperationState::Lost,
    }
}

enum Word {
    Succeeded,
    Failed,
    /// In progress, in whatever words.
    Other,
}

impl Word {
    fn of(state: &str) -> Self {
        let is = |word: &str| state.eq_ignore_ascii_case(word);
        if is("Succeeded") {
            Self::Succeeded
        } else if is("Failed") || is("Canceled") || is("Cancelled") {
            Self::Failed
        } else {
            Self::Other
        }
    }
}

fn failed(body: &Value, state: &str) -> OperationState {
    let said = body.get("error").map(said_in).unwrap_or_default();
    let message = said.message.unwrap_or_else(|| format!("Azure says only `{state}`"));
    OperationState::Failed { code: said.code, message }
}
