//! `apim.confirm-outage`: is the active service really lost?
//!
//! Looks twice, `hold_off` apart, at four things: Azure's own health signal, the resource manager, the gateway, DNS.
//! Reads only. Refuses when the service looks alive; what could not be seen is called unknown, never lost. Somebody may
//! have decided otherwise, with a reason: then it goes on, and says so.

use std::{fmt, time::Duration};

use http::Method;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, json};
use url::Url;

use super::{
    Context, Done, Recorder,
    arguments::ConfirmOutage,
    fact::{Facts, after, note, note_until},
    gateway_health::STATUS_PATH,
    standing::Standing,
};
use crate::{
    azure::{Arm, AzureErrorKind, apim, health},
    net::{HttpErrorKind, HttpRequest},
    plan::{
        Forced,
        facts::{Finding, Probe},
    },
    run::{Disposition, StepError},
};

/// Code of the refusal to fail over from a living service.
pub const LOOKS_ALIVE: &str = "service-looks-alive";
/// One look lasts at most so long: what does not answer in that time does not serve clients either.
const PATIENCE: Duration = Duration::from_secs(20);
/// What whoever forces a failover should have thought of.
const TWO_REGIONS: &str =
    "a service that lives goes on taking traffic from whoever still resolves to it: writes may go to both regions";
/// What both looks take together when the service is lost and everything waits in vain for a while.
pub const TWO_LOOKS: Duration = Duration::from_secs(10);
/// A gateway that needs longer than this serves nobody.
const GATEWAY_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    Alive,
    Lost,
    /// Says nothing either way, or could not be asked.
    Unknown,
}

/// What one source said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    pub sign: Sign,
    pub said: String,
    /// Something answered, whatever it said: this machine is not cut off.
    pub answered: bool,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.sign {
            Sign::Alive => "alive",
            Sign::Lost => "lost",
            Sign::Unknown => "unknown",
        };
        write!(f, "{sign}: {}", self.said)
    }
}

/// One observation of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Observation {
    pub at: Timestamp,
    pub resource_health: Evidence,
    pub resource_manager: Evidence,
    pub gateway: Evidence,
    pub dns: Evidence,
}

/// What an observation allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Alive,
    Lost,
    /// Nothing speaks for an outage: everything that answered is unknown.
    Unshown,
    /// Nothing answered at all: it may be this machine that is cut off.
    Blind,
}

impl Observation {
    /// Alive: its gateway serves, or Azure both manages it and calls it available. Lost: not alive, something shows it,
    /// and this machine sees anything at all. Pure.
    pub fn look(&self) -> Look {
        let alive = |evidence: &Evidence| evidence.sign == Sign::Alive;
        let any = |told: fn(&Evidence) -> bool| self.lines().into_iter().any(|(_, evidence)| told(evidence));
        if alive(&self.gateway) || (alive(&self.resource_manager) && alive(&self.resource_health)) {
            Look::Alive
        } else if !any(|evidence| evidence.answered) {
            Look::Blind
        } else if any(|evidence| evidence.sign == Sign::Lost) {
            Look::Lost
        } else {
            Look::Unshown
        }
    }

    fn lines(&self) -> [(&'static str, &Evidence); 4] {
        [
            ("resource_health", &self.resource_health),
            ("resource_manager", &self.resource_manager),
            ("gateway", &self.gateway),
            ("dns", &self.dns),
        ]
    }

    fn told(&self) -> String {
        self.lines().map(|(name, evidence)| format!("{} {evidence}", name.replace('_', " "))).join("; ")
    }
}

pub async fn probe(arguments: &ConfirmOutage, forced: Option<&Forced>, context: &Context) -> Result<Probe, StepError> {
    let seen = observe(arguments, context, &context.arm).await;
    let mut facts = Facts::seen("observed from this machine", seen.at);
    for (name, evidence) in seen.lines() {
        facts = facts.with_volatile(&format!("active.{name}"), evidence.to_string());
    }
    let finding = refusal(arguments, &seen).map(|refusal| match forced {
        Some(forced) => Finding::warning(&refusal.code, forced.over(&refusal.message), TWO_REGIONS),
        None => Finding::blocker(&refusal.code, refusal.message, refusal.hint),
    });
    Ok(Probe {
        summary: format!(
            "looks at {} twice, {} apart, and goes on {}",
            arguments.service.name(),
            crate::runbook::span::format(arguments.hold_off),
            if forced.is_some() { "whatever it sees" } else { "only if it looks lost both times" },
        ),
        facts: facts.into_vec(),
        findings: finding.into_iter().collect(),
        verified: true,
        expected: Some(arguments.hold_off.saturating_add(TWO_LOOKS)),
        ..Probe::default()
    })
}

pub async fn perform(
    arguments: &ConfirmOutage,
    forced: Option<&Forced>,
    context: &Context,
    record: &Recorder,
) -> Result<Done, StepError> {
    let arm = context.arm.noting(record.sink());
    let mut seen = Vec::new();
    let mut overrides = Vec::new();
    for look in 1..=2 {
        if look > 1 {
            let next_look = after(context.clock.now(), arguments.hold_off);
            let so_far = if overrides.is_empty() { "looks lost" } else { "does not look lost, and that is overridden" };
            note_until(record, format!("{} {so_far}; looking once more", arguments.service.name()), next_look);
            context.clock.sleep_until(next_look).await;
        }
        let observation = observe(arguments, context, &arm).await;
        note(record, observation.told());
        match (refusal(arguments, &observation), forced) {
            (Some(refusal), Some(forced)) => {
                note(record, forced.over(&refusal.message));
                overrides.push(refusal.code);
            }
            (Some(refusal), None) => return Err(refusal),
            (None, _) => {}
        }
        seen.push(observation);
    }
    let outputs = Map::from_iter([("evidence".to_owned(), json!(seen))]);
    let mut evidence = json!({ "observations": seen });
    if !overrides.is_empty() {
        evidence["forced"] = json!(forced);
        evidence["overridden"] = json!(overrides);
    }
    Ok(Done { outputs, evidence })
}

fn refusal(arguments: &ConfirmOutage, seen: &Observation) -> Option<StepError> {
    let name = arguments.service.name();
    let (code, message, hint) = match seen.look() {
        Look::Lost => return None,
        Look::Alive => (
            LOOKS_ALIVE,
            format!("{name} looks alive: {}", seen.told()),
            "do not fail over by mistake: to move a living service, run in the mode `planned`; if you know better than \
             what is seen here, `--force \"REASON\"` goes on and records it",
        ),
        Look::Unshown => (
            "outage-not-shown",
            format!("nothing shows that {name} is lost: {}", seen.told()),
            "give the credential the right to read the service, or look from a machine that can reach its gateway",
        ),
        Look::Blind => (
            "nothing-observed",
            format!("nothing could be seen of {name}, nor of anything else: {}", seen.told()),
            "this machine may be cut off itself: check its network and resolvers, or run from elsewhere",
        ),
    };
    let mut step = StepError::new(Disposition::Refused, code, message, hint);
    step.details.insert("observation".to_owned(), json!(seen));
    Some(step)
}

async fn observe(arguments: &ConfirmOutage, context: &Context, arm: &Arm) -> Observation {
    let ((resource_manager, gateway_host), resource_health) =
        tokio::join!(ask_resource_manager(arguments, context, arm), ask_health(arguments, context, arm));
    let host = gateway_host.or_else(|| usual_gateway_host(arguments, context));
    let (gateway, dns) = if let Some((host, port)) = host {
        tokio::join!(ask_gateway(context, &host, port), ask_dns(context, &host))
    } else {
        let unknown = || unknown("the name of its gateway is not known", false);
        (unknown(), unknown())
    };
    Observation { at: context.clock.now(), resource_health, resource_manager, gateway, dns }
}

async fn ask_resource_manager(
    arguments: &ConfirmOutage,
    context: &Context,
    arm: &Arm,
) -> (Evidence, Option<(String, u16)>) {
    let answer = tokio::select! {
        answer = apim::get_service(arm, &arguments.service) => answer,
        () = context.clock.patience(PATIENCE) => return (unknown(&no_answer(), false), None),
    };
    match answer {
        Ok(service) => {
            let state = service.provisioning_state().unwrap_or("no state").to_owned();
            let sign = if Standing::of(&service) == Standing::Idle { Sign::Alive } else { Sign::Unknown };
            let evidence = Evidence { sign, said: format!("it is managed, state {state}"), answered: true };
            (evidence, service.properties.as_ref().and_then(|_| usual_door(&service)))
        }
        Err(failure) => {
            let answered = failure.status.is_some();
            let sign = match failure.kind {
                AzureErrorKind::NotFound | AzureErrorKind::Unavailable => Sign::Lost,
                AzureErrorKind::Credential
                | AzureErrorKind::Unauthorized
                | AzureErrorKind::Forbidden
                | AzureErrorKind::Busy
                | AzureErrorKind::Conflict
                | AzureErrorKind::PreconditionFailed
                | AzureErrorKind::Throttled
                | AzureErrorKind::Rejected
                | AzureErrorKind::Transport
                | AzureErrorKind::Certificate
                | AzureErrorKind::Malformed => Sign::Unknown,
            };
            (Evidence { sign, said: failure.to_string(), answered }, None)
        }
    }
}

/// The gateway that clients use: not the regional one.
fn usual_door(service: &apim::Service) -> Option<(String, u16)> {
    let url = Url::parse(service.gateway_url()?).ok()?;
    Some((url.host_str()?.to_owned(), url.port_or_known_default().unwrap_or(443)))
}

async fn ask_health(arguments: &ConfirmOutage, context: &Context, arm: &Arm) -> Evidence {
    let answer = tokio::select! {
        answer = health::availability(arm, &arguments.service) => answer,
        () = context.clock.patience(PATIENCE) => return unknown(&no_answer(), false),
    };
    match answer {
        Ok(availability) => {
            let state = availability.state.as_deref().unwrap_or("Unknown");
            let sign = match state.to_ascii_lowercase().as_str() {
                "available" => Sign::Alive,
                "unavailable" => Sign::Lost,
                _ => Sign::Unknown,
            };
            let summary = availability.summary.as_deref().unwrap_or_default().trim();
            let said = if summary.is_empty() { state.to_owned() } else { format!("{state}, {summary}") };
            Evidence { sign, said, answered: true }
        }
        Err(failure) => unknown(&failure.to_string(), failure.status.is_some()),
    }
}

async fn ask_gateway(context: &Context, host: &str, port: u16) -> Evidence {
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let Ok(url) = Url::parse(&format!("https://{host}{port}{STATUS_PATH}")) else {
        return unknown("the name of its gateway is no host name", false);
    };
    let mut request = HttpRequest::new(Method::GET, url);
    request.timeout = GATEWAY_TIMEOUT;
    match context.http.send(request).await {
        Ok(answer) if answer.status.is_success() => {
            Evidence { sign: Sign::Alive, said: format!("{host} answers {}", answer.status.as_u16()), answered: true }
        }
        Ok(answer) => {
            // A gateway that refuses the question still runs; one that fails does not serve.
            let sign = if answer.status.is_server_error() { Sign::Lost } else { Sign::Unknown };
            Evidence { sign, said: format!("{host} answers {}", answer.status.as_u16()), answered: true }
        }
        Err(failure) => match failure.kind {
            HttpErrorKind::Certificate => unknown(&failure.to_string(), true),
            HttpErrorKind::Connect
            | HttpErrorKind::Timeout
            | HttpErrorKind::Broken
            | HttpErrorKind::NameNotFound
            | HttpErrorKind::TooLarge => Evidence { sign: Sign::Lost, said: failure.to_string(), answered: false },
        },
    }
}

async fn ask_dns(context: &Context, host: &str) -> Evidence {
    match context.dns.addresses(host).await {
        Ok(addresses) => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            // A name that resolves says nothing of what stands behind it, but that this machine can see.
            Evidence { sign: Sign::Unknown, said: format!("{host} is {}", addresses.join(", ")), answered: true }
        }
        Err(failure) => unknown(&failure.to_string(), false),
    }
}

/// What Azure calls a service's gateway, for when it cannot be asked.
fn usual_gateway_host(arguments: &ConfirmOutage, context: &Context) -> Option<(String, u16)> {
    let manager = &context.site.endpoints.resource_manager;
    let clouds = [
        ("management.azure.com", "azure-api.net"),
        ("management.usgovcloudapi.net", "azure-api.us"),
        ("management.chinacloudapi.cn", "azure-api.cn"),
    ];
    let (_, suffix) = clouds.into_iter().find(|(host, _)| manager.ends_with(host))?;
    Some((format!("{}.{suffix}", arguments.service.name().to_ascii_lowercase()), 443))
}

fn unknown(said: &str, answered: bool) -> Evidence {
    Evidence { sign: Sign::Unknown, said: said.to_owned(), answered }
}

fn no_answer() -> String {
    format!("no answer within {} s", PATIENCE.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(gateway: Sign, resource_manager: Sign, resource_health: Sign, answered: bool) -> Observation {
        let evidence = |sign| Evidence { sign, said: String::new(), answered };
        Observation {
            at: Timestamp::UNIX_EPOCH,
            resource_health: evidence(resource_health),
            resource_manager: evidence(resource_manager),
            gateway: evidence(gateway),
            dns: evidence(Sign::Unknown),
        }
    }

    #[test]
    fn a_gateway_that_serves_is_alive_and_azure_must_say_so_twice() {
        use Sign::{Alive, Lost, Unknown};
        for (gateway, manager, health, look) in [
            (Alive, Lost, Lost, Look::Alive),
            (Lost, Alive, Alive, Look::Alive),
            (Unknown, Alive, Alive, Look::Alive),
            (Lost, Alive, Unknown, Look::Lost),
            (Lost, Unknown, Alive, Look::Lost),
            (Lost, Lost, Lost, Look::Lost),
            (Lost, Unknown, Unknown, Look::Lost),
            (Unknown, Unknown, Unknown, Look::Unshown),
            (Unknown, Alive, Unknown, Look::Unshown),
        ] {
            assert_eq!(seen(gateway, manager, health, true).look(), look, "{gateway:?} {manager:?} {health:?}");
        }
        assert_eq!(seen(Lost, Unknown, Unknown, false).look(), Look::Blind);
    }
}
