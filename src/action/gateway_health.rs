//! `gateway.health-check`: does the gateway of this service serve the production hostname?
//!
//! Connects to the service's own address and says the production hostname in SNI and Host, as clients will after the
//! flip. Reads only; never follows a redirect; a certificate error is final.

use std::net::SocketAddr;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    Context, Done, Recorder,
    arguments::{GatewayHealth, GatewayPath},
    error,
    fact::{Facts, note},
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
const ANSWER_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);
/// A health answer is short; more is not read.
const MAX_BODY: usize = 1 << 20;

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
    let (facts, findings) = first_look(arguments, context, &service).await;
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
    let facts = match ask(arguments, context, &door, &status_endpoint()).await {
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
    let endpoints: Vec<GatewayPath> =
        std::iter::once(status_endpoint()).chain(arguments.paths.iter().cloned()).collect();
    let mut last = None;
    for round in 1..=arguments.consecutive {
        if round > 1 {
            context.clock.sleep(arguments.interval).await;
        }
        for endpoint in &endpoints {
            let (address, answer) = ask(arguments, context, &door, endpoint)
                .await
                .map_err(|failure| unanswered(arguments, &door, endpoint, &failure))?;
            judge_status(arguments, endpoint, &answer)?;
            if let Some(certificate) = &answer.certificate {
                judge_certificate(arguments, certificate, context.clock.now())?;
            }
            last = Some((address, answer.certificate));
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
    let asked: Vec<Value> =
        endpoints.iter().map(|one| json!({ "path": one.path, "status": one.expect_status })).collect();
    let evidence = json!({
        "gateway": door.host,
        "hostname": arguments.hostname,
        "asked": asked,
        "in_a_row": arguments.consecutive,
        "subject": certificate.map(|one| one.subject),
    });
    Ok(Done { outputs, evidence })
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
) -> Result<(SocketAddr, HttpResponse), HttpError> {
    let port = if door.port == 443 { String::new() } else { format!(":{}", door.port) };
    let text = format!("https://{}{port}{}", arguments.hostname, endpoint.path);
    let unusable = |message: String| HttpError {
        kind: HttpErrorKind::NameNotFound,
        delivery: crate::net::Delivery::NotSent,
        message,
    };
    let url = Url::parse(&text).map_err(|failure| unusable(format!("`{text}` is not a URL: {failure}")))?;
    let mut last = unusable(format!("{} has no address", door.host));
    for address in &door.addresses {
        let mut request = HttpRequest::new(Method::GET, url.clone());
        request.timeout = ANSWER_TIMEOUT;
        request.max_body = MAX_BODY;
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

fn judge_status(arguments: &GatewayHealth, endpoint: &GatewayPath, answer: &HttpResponse) -> Result<(), StepError> {
    let status = answer.status.as_u16();
    if status == endpoint.expect_status {
        return Ok(());
    }
    let mut step = StepError::new(
        Disposition::Retryable,
        "gateway-unhealthy",
        format!(
            "the gateway of {} answered {status} to {} where {} was expected",
            arguments.service.name(),
            endpoint.path,
            endpoint.expect_status
        ),
        "a gateway needs minutes to take a restored configuration: give the step `retry`; else look at the service's \
         gateway logs",
    );
    step.details.insert("status".to_owned(), json!(status));
    Err(step)
}

/// Days left, and the thumbprint when one is wanted. Trust and name were judged when the connection was made. Pure.
fn judge_certificate(arguments: &GatewayHealth, certificate: &Certificate, now: Timestamp) -> Result<(), StepError> {
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
fn differs(arguments: &GatewayHealth, service: &Service, certificate: &Certificate) -> Option<Finding> {
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
