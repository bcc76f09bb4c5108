//! `gateway.health-check`: does the gateway of this service serve the production hostname?
//!
//! Connects to the service's own address and says the production hostname in SNI and Host, as clients will after the
//! flip. Reads only; never follows a redirect; a certificate error is final. What an answer is held against stands in
//! [`super::gateway_rules`]. One answer that breaks a rule fails the attempt: the next one counts from the beginning.

use std::{net::SocketAddr, time::Duration};

use http::{HeaderName, HeaderValue, Method};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    Context, Done, Recorder,
    arguments::{GatewayHealth, GatewayPath},
    error,
    fact::{Facts, note},
    gateway_rules::{differs, judge, judge_certificate},
    secret::{self, Purpose},
    standing, verify_standby,
};
use crate::{
    azure::{
        Arm,
        apim::{self, Service},
    },
    net::{Certificate, HttpError, HttpErrorKind, HttpRequest, HttpResponse},
    plan::facts::{Finding, Probe},
    run::{Disposition, StepError},
};

/// Answered by every gateway that runs, without a subscription key (azure-facts 1.3).
pub const STATUS_PATH: &str = "/status-0123456789abcdef";
/// A gateway that needs longer than this is not healthy.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// A health answer is short; more is not read.
const MAX_BODY: usize = 1 << 20;
/// How API Management wants a subscription key.
const KEY_HEADER: HeaderName = HeaderName::from_static("ocp-apim-subscription-key");

const SUBSCRIPTION_KEY: Purpose = Purpose {
    code: "subscription-key-missing",
    what: "the subscription key for the gateway",
    remedy: "set it where lifeboat runs; `subscription_key` of the path names the variable, the file or the vault",
};

/// A path that is asked, and the key that goes with it.
#[derive(Debug)]
struct Question {
    endpoint: GatewayPath,
    key: Option<SecretString>,
    /// The slowest answer so far.
    slowest: Duration,
}

/// Where the gateway is.
#[derive(Clone, Debug)]
struct Door {
    host: String,
    port: u16,
    addresses: Vec<SocketAddr>,
}

pub async fn probe(arguments: &GatewayHealth, context: &Context) -> Result<Probe, StepError> {
    let service = read(arguments, &context.arm).await?;
    let each = match arguments.paths.len() {
        0 => String::new(),
        more => format!(", {} paths each", more + 1),
    };
    let (facts, mut findings) = first_look(arguments, context, &service).await;
    for path in &arguments.paths {
        if let Some(place) = key_of(path)? {
            findings.extend(secret::absent(&place, &SUBSCRIPTION_KEY, context).await);
        }
    }
    Ok(Probe {
        summary: format!(
            "asks the gateway of {} for {}, {} times in a row{each}",
            arguments.service.name(),
            arguments.hostname,
            arguments.consecutive,
        ),
        facts: facts.into_vec(),
        findings,
        verified: false,
        expected: Some(arguments.interval.saturating_mul(arguments.consecutive)),
        ..Probe::default()
    })
}

/// How the gateway answers today. The restore comes first: that is worth knowing, and no reason to stop.
async fn first_look(arguments: &GatewayHealth, context: &Context, service: &Service) -> (Facts, Vec<Finding>) {
    let now = context.clock.now();
    let door = match door(arguments, context, service).await {
        Ok(door) => door,
        Err(failure) => {
            let facts = Facts::seen("gatewayRegionalUrl of the service", now)
                .with_volatile("gateway.error", failure.message.as_str());
            return (facts, vec![Finding::warning(&failure.code, failure.message, failure.hint)]);
        }
    };
    let source = format!("GET https://{}{STATUS_PATH} at {}", arguments.hostname, door.host);
    let facts = Facts::seen(source, now).with("gateway.host", door.host.as_str());
    let mut findings = Vec::new();
    let facts = match ask(arguments, context, &door, &status_endpoint(), None).await {
        Ok((address, answer)) => {
            if let Some(certificate) = &answer.certificate {
                if let Err(failure) = judge_certificate(arguments, certificate, now) {
                    findings.push(Finding::warning(&failure.code, failure.message, failure.hint));
                }
                findings.extend(differs(arguments, service, certificate));
            }
            facts
                .with_volatile("gateway.address", address.to_string())
                .with_volatile("gateway.status", answer.status.as_u16())
                .with_volatile("gateway.certificate", answer.certificate.map(|one| one.thumbprint))
        }
        Err(failure) => {
            if failure.kind == HttpErrorKind::Certificate {
                let (name, hostname) = (arguments.service.name(), &arguments.hostname);
                findings.push(Finding::warning(
                    "certificate-untrusted",
                    format!("the gateway of {name} shows no good certificate for {hostname}: {failure}"),
                    "a restore brings no certificates: install one for this hostname on the standby",
                ));
            }
            facts.with_volatile("gateway.error", failure.to_string())
        }
    };
    (facts, findings)
}

pub async fn perform(arguments: &GatewayHealth, context: &Context, record: &Recorder) -> Result<Done, StepError> {
    let arm = context.arm.noting(record.sink());
    let service = read(arguments, &arm).await?;
    let door = door(arguments, context, &service).await?;
    let mut questions = questions(arguments, context).await?;
    let mut last = None;
    for round in 1..=arguments.consecutive {
        if round > 1 {
            context.clock.sleep(arguments.interval).await;
        }
        for question in &mut questions {
            last = Some(answered(arguments, context, &door, question).await?);
        }
    }
    let (address, certificate) = last.expect("`consecutive` is at least 1, so something was asked");
    if let Some(finding) = certificate.as_ref().and_then(|certificate| differs(arguments, &service, certificate)) {
        note(record, finding.message);
    }
    let outputs = Map::from_iter([
        ("address".to_owned(), json!(address.to_string())),
        ("thumbprint".to_owned(), json!(certificate.as_ref().map(|one| &one.thumbprint))),
        ("certificate_expires".to_owned(), json!(certificate.as_ref().map(|one| one.not_after))),
    ]);
    let asked: Vec<Value> = questions.iter().map(shown).collect();
    let evidence = json!({
        "gateway": door.host,
        "hostname": arguments.hostname,
        "asked": asked,
        "in_a_row": arguments.consecutive,
        "subject": certificate.map(|one| one.subject),
    });
    Ok(Done { outputs, evidence })
}

/// Asks once and judges the answer; who answered, and which certificate was shown.
async fn answered(
    arguments: &GatewayHealth,
    context: &Context,
    door: &Door,
    question: &mut Question,
) -> Result<(SocketAddr, Option<Certificate>), StepError> {
    let endpoint = &question.endpoint;
    let began = context.clock.now();
    let (address, answer) = ask(arguments, context, door, endpoint, question.key.as_ref())
        .await
        .map_err(|failure| unanswered(arguments, door, endpoint, &failure))?;
    let took = Duration::try_from(context.clock.now().duration_since(began)).unwrap_or_default();
    let longest = longest(arguments, endpoint).map(|longest| context.clock.lenient(longest));
    judge(arguments, endpoint, question.key.as_ref(), &answer, took, longest)?;
    if let Some(certificate) = &answer.certificate {
        judge_certificate(arguments, certificate, context.clock.now())?;
    }
    question.slowest = question.slowest.max(took);
    Ok((address, answer.certificate))
}

/// The status endpoint, then the paths; the keys are read here, at the moment of use.
async fn questions(arguments: &GatewayHealth, context: &Context) -> Result<Vec<Question>, StepError> {
    let mut questions = vec![Question { endpoint: status_endpoint(), key: None, slowest: Duration::ZERO }];
    for endpoint in &arguments.paths {
        let key = match key_of(endpoint)? {
            Some(reference) => Some(secret::read(&reference, &SUBSCRIPTION_KEY, context).await?),
            None => None,
        };
        questions.push(Question { endpoint: endpoint.clone(), key, slowest: Duration::ZERO });
    }
    Ok(questions)
}

fn key_of(endpoint: &GatewayPath) -> Result<Option<secret::Place>, StepError> {
    let Some(given) = &endpoint.subscription_key else { return Ok(None) };
    given.reference().map(Some).ok_or_else(|| {
        StepError::new(
            Disposition::Final,
            "invalid-arguments",
            format!("`subscription_key` of {} does not name exactly one place", endpoint.path),
            "write { env: NAME }, { file: PATH } or { key_vault: URL }",
        )
    })
}

/// Of this path, else of any.
fn longest(arguments: &GatewayHealth, endpoint: &GatewayPath) -> Option<Duration> {
    endpoint.max_latency.or(arguments.max_latency)
}

/// What was asked and how it was answered, for the report.
fn shown(question: &Question) -> Value {
    let endpoint = &question.endpoint;
    let mut shown = json!({
        "path": endpoint.path,
        "status": endpoint.expect_status,
        "slowest_ms": u64::try_from(question.slowest.as_millis()).unwrap_or(u64::MAX),
    });
    if !endpoint.expect_headers.is_empty() {
        shown["headers"] = json!(endpoint.expect_headers);
    }
    if let Some(body) = &endpoint.expect_body {
        shown["body_holds"] = json!(body);
    }
    if question.key.is_some() {
        shown["with_subscription_key"] = json!(true);
    }
    shown
}

fn status_endpoint() -> GatewayPath {
    GatewayPath { path: STATUS_PATH.to_owned(), expect_status: 200, ..GatewayPath::default() }
}

async fn read(arguments: &GatewayHealth, arm: &Arm) -> Result<Service, StepError> {
    apim::get_service(arm, &arguments.service)
        .await
        .map_err(|failure| verify_standby::unreadable(&arguments.service, &failure))
}

async fn door(arguments: &GatewayHealth, context: &Context, service: &Service) -> Result<Door, StepError> {
    let (host, port) = standing::own_gateway(service).ok_or_else(|| {
        StepError::new(
            Disposition::Retryable,
            "gateway-unknown",
            format!("Azure names no gateway of {}", arguments.service.name()),
            "wait until the service is activated; a service whose gateway is disabled cannot take over",
        )
    })?;
    let addresses = context.dns.addresses(&host).await.map_err(|failure| {
        StepError::new(
            Disposition::Retryable,
            "gateway-not-found",
            format!("the address of {host} cannot be had: {failure}"),
            "check the site's `dns.resolvers`; an internal gateway has an address inside its virtual network only",
        )
    })?;
    let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
    Ok(Door { host, port, addresses })
}

/// The first address that answers, and what it answered.
async fn ask(
    arguments: &GatewayHealth,
    context: &Context,
    door: &Door,
    endpoint: &GatewayPath,
    key: Option<&SecretString>,
) -> Result<(SocketAddr, HttpResponse), HttpError> {
    let port = if door.port == 443 { String::new() } else { format!(":{}", door.port) };
    let text = format!("https://{}{port}{}", arguments.hostname, endpoint.path);
    let unusable = |message: String| HttpError {
        kind: HttpErrorKind::NameNotFound,
        delivery: crate::net::Delivery::NotSent,
        message,
    };
    let url = Url::parse(&text).map_err(|failure| unusable(format!("`{text}` is not a URL: {failure}")))?;
    let key = match key.map(|key| HeaderValue::from_str(key.expose_secret())) {
        Some(Ok(mut value)) => {
            value.set_sensitive(true);
            Some(value)
        }
        Some(Err(_)) => return Err(unusable("the subscription key is no text that a header can carry".to_owned())),
        None => None,
    };
    let mut last = unusable(format!("{} has no address", door.host));
    for address in &door.addresses {
        let mut request = HttpRequest::new(Method::GET, url.clone());
        // Longer than what is allowed is answered in words that say how long it took.
        request.timeout = longest(arguments, endpoint).unwrap_or_default().max(ANSWER_TIMEOUT);
        request.max_body = MAX_BODY;
        request.headers.extend(key.clone().map(|key| (KEY_HEADER, key)));
        request.connect_to = Some(*address);
        match context.http.send(request).await {
            Ok(answer) => return Ok((*address, answer)),
            // What one address shows is what clients would be shown.
            Err(failure) if failure.kind == HttpErrorKind::Certificate => return Err(failure),
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

fn unanswered(arguments: &GatewayHealth, door: &Door, endpoint: &GatewayPath, failure: &HttpError) -> StepError {
    let asking = format!(
        "the gateway of {} ({}) for https://{}{}",
        arguments.service.name(),
        door.host,
        arguments.hostname,
        endpoint.path
    );
    let mut step = error::from_http(&asking, failure);
    if failure.kind != HttpErrorKind::Certificate {
        "gateway-silent".clone_into(&mut step.code);
        "a gateway is restarted by a restore: give the step `retry`; check that this machine may reach it on port 443"
            .clone_into(&mut step.hint);
    }
    step
}
