//! The rules that an answer of a gateway is held against: status, time, headers, body, certificate.
//!
//! Pure. An error names the path, what was expected and what was found. It never quotes a body, which may hold anything
//! that a client sent or a backend keeps.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::arguments::{GatewayHealth, GatewayPath};
use crate::{
    azure::apim::Service,
    net::{Certificate, HttpResponse},
    plan::facts::Finding,
    run::{Disposition, StepError},
    runbook::span,
};

/// Longest value of a header that an error shows.
const MOST_SHOWN: usize = 120;

const TAKES_MINUTES: &str = "a gateway needs minutes to take a restored configuration: give the step `retry`; else look at the service's gateway logs";

/// Everything that the step says of one path.
///
/// # Errors
/// The first rule that the answer breaks; retryable, for a restored configuration arrives bit by bit.
pub fn judge(
    arguments: &GatewayHealth,
    endpoint: &GatewayPath,
    key: Option<&SecretString>,
    answer: &HttpResponse,
    took: Duration,
    longest: Option<Duration>,
) -> Result<(), StepError> {
    judge_status(arguments, endpoint, key.is_some(), answer)?;
    judge_time(arguments, endpoint, took, longest)?;
    judge_headers(arguments, endpoint, key, answer)?;
    judge_body(arguments, endpoint, answer)
}

fn unhealthy(code: &str, arguments: &GatewayHealth, said: &str, hint: &str) -> StepError {
    let message = format!("the gateway of {} {said}", arguments.service.name());
    StepError::new(Disposition::Retryable, code, message, hint)
}

fn judge_status(
    arguments: &GatewayHealth,
    endpoint: &GatewayPath,
    with_key: bool,
    answer: &HttpResponse,
) -> Result<(), StepError> {
    let (status, wanted) = (answer.status.as_u16(), endpoint.expect_status);
    if status == wanted {
        return Ok(());
    }
    let hint = match (wanted, status) {
        (401 | 403, 200..=299) => {
            "what must be refused is served: do not move traffic there before it is known why (a policy or a \
             subscription requirement that is missing)"
        }
        (_, 401) if with_key => {
            "the service does not know this subscription key: is the restore complete, and the key one of the backup's?"
        }
        (_, 401) => "the API wants a subscription key: say where it is in `subscription_key` of this path",
        (_, _) => TAKES_MINUTES,
    };
    let said = format!("answered {status} to {} where {wanted} was expected", endpoint.path);
    let mut step = unhealthy("gateway-unhealthy", arguments, &said, hint);
    step.details.insert("status".to_owned(), json!(status));
    Err(step)
}

fn judge_time(
    arguments: &GatewayHealth,
    endpoint: &GatewayPath,
    took: Duration,
    longest: Option<Duration>,
) -> Result<(), StepError> {
    let Some(longest) = longest.filter(|longest| took > *longest) else { return Ok(()) };
    let said = format!("took {} to answer {}, and at most {} is allowed", shown(took), endpoint.path, shown(longest));
    let hint = "a cold gateway or backend may need a few requests: give the step `retry`; else look at what the API waits \
                for, or raise `max_latency`";
    Err(unhealthy("gateway-slow", arguments, &said, hint))
}

fn judge_headers(
    arguments: &GatewayHealth,
    endpoint: &GatewayPath,
    key: Option<&SecretString>,
    answer: &HttpResponse,
) -> Result<(), StepError> {
    for (name, wanted) in &endpoint.expect_headers {
        let found: Vec<String> = answer
            .headers
            .get_all(name.as_str())
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        if found.iter().any(|value| value.trim() == wanted.trim()) {
            continue;
        }
        let found = if found.is_empty() {
            "there is none".to_owned()
        } else {
            format!("it is `{}`", masked(&found.join(", "), key))
        };
        let said = format!("answered {} without the header `{name}: {wanted}`: {found}", endpoint.path);
        return Err(unhealthy("gateway-header", arguments, &said, TAKES_MINUTES));
    }
    Ok(())
}

fn judge_body(arguments: &GatewayHealth, endpoint: &GatewayPath, answer: &HttpResponse) -> Result<(), StepError> {
    let Some(wanted) = &endpoint.expect_body else { return Ok(()) };
    if String::from_utf8_lossy(&answer.body).contains(wanted.as_str()) {
        return Ok(());
    }
    let kind = answer.header(CONTENT_TYPE.as_str()).unwrap_or("no content type");
    let said = format!(
        "answered {} with a body that does not hold `{wanted}` ({} bytes, {kind})",
        endpoint.path,
        answer.body.len()
    );
    Err(unhealthy("gateway-body", arguments, &said, TAKES_MINUTES))
}

/// A header's value for people: short, and without the key, should a policy send it back.
fn masked(value: &str, key: Option<&SecretString>) -> String {
    let value = key.map_or_else(|| value.to_owned(), |key| value.replace(key.expose_secret(), "***"));
    if value.chars().count() <= MOST_SHOWN {
        return value;
    }
    value.chars().take(MOST_SHOWN).chain(['…']).collect()
}

/// Whole milliseconds.
fn shown(duration: Duration) -> String {
    span::format(Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
}

/// Days left, and the thumbprint when one is wanted. Trust and name were judged when the connection was made.
pub fn judge_certificate(
    arguments: &GatewayHealth,
    certificate: &Certificate,
    now: Timestamp,
) -> Result<(), StepError> {
    let hostname = &arguments.hostname;
    let left = certificate.not_after.duration_since(now);
    if left < SignedDuration::from_hours(24 * i64::from(arguments.certificate_days)) {
        let days = left.as_hours() / 24;
        return Err(StepError::new(
            Disposition::Final,
            "certificate-expiring",
            format!(
                "the certificate for {hostname} is good until {} ({days} days), and {} days are wanted",
                certificate.not_after, arguments.certificate_days
            ),
            "renew the certificate on the standby, or lower `certificate_days` if you accept the risk",
        ));
    }
    match &arguments.thumbprint {
        Some(wanted) if !same_thumbprint(wanted, &certificate.thumbprint) => Err(StepError::new(
            Disposition::Final,
            "certificate-unexpected",
            format!("the certificate for {hostname} has the thumbprint {}, not {wanted}", certificate.thumbprint),
            "install the expected certificate on the standby, or correct `thumbprint`",
        )),
        Some(_) | None => Ok(()),
    }
}

/// The gateway shows another certificate than ARM says it has for this hostname.
pub fn differs(arguments: &GatewayHealth, service: &Service, certificate: &Certificate) -> Option<Finding> {
    let configured = service
        .gateway_hostnames()
        .into_iter()
        .find(|one| one.host_name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(&arguments.hostname)))?;
    let thumbprint = configured.certificate.as_ref()?.thumbprint.as_deref()?;
    (!same_thumbprint(thumbprint, &certificate.thumbprint)).then(|| {
        Finding::warning(
            "certificate-differs",
            format!(
                "the gateway shows the certificate {} for {}, but Azure says it has {thumbprint}",
                certificate.thumbprint, arguments.hostname
            ),
            "a new certificate may not have reached the gateway yet; or something in front of it ends TLS",
        )
    })
}

/// Azure writes `A1B2…`, people also `a1:b2:…`.
fn same_thumbprint(one: &str, other: &str) -> bool {
    let fold = |text: &str| text.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_ascii_uppercase();
    fold(one) == fold(other)
}
