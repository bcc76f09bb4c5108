//! The services themselves: deleted, retired, cut off from what they need, or with certificates that end.
//!
//! State, tier, workspaces and gateway hostnames are told by the probes of the steps.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{
    ask::{Asker, Seen},
    roles,
    subjects::{Standby, Subject},
};
use crate::{
    action::choose,
    azure::{
        AzureError, AzureErrorKind,
        apim::{self, API_VERSION, HostnameConfiguration, Service},
        apim_state::{self, Connectivity, Deleted},
        inventory::{self, Inventory},
    },
    plan::{codes, facts::Finding},
    runbook::ResourceId,
};

/// A certificate takes days to be ordered and installed in two regions.
const CERTIFICATE_DAYS: i64 = 30;

/// A service that was asked.
#[derive(Clone, Debug)]
pub struct SeenService {
    pub id: ResourceId,
    pub service: Seen<Service>,
    /// What no restore brings; none when the service did not answer.
    pub inventory: Option<Seen<Inventory>>,
}

/// A service that takes over, asked more.
#[derive(Clone, Debug)]
pub struct SeenStandby {
    pub seen: SeenService,
    network: Option<Seen<Vec<Connectivity>>>,
    deleted: Option<Seen<Option<Deleted>>>,
    looked_at: BTreeSet<String>,
    pub roles: Vec<Finding>,
}

pub async fn observe_active(asker: &Asker<'_>, active: &Subject) -> SeenService {
    let service = asker.ask(apim::get_service(asker.arm(), &active.id)).await;
    let inventory = holdings(asker, &active.id, &service).await;
    SeenService { id: active.id.clone(), service, inventory }
}

pub async fn observe_standby(asker: &Asker<'_>, standby: &Standby) -> SeenStandby {
    let id = &standby.subject.id;
    let service = asker.ask(apim::get_service(asker.arm(), id)).await;
    let answers = service.answer.is_ok();
    let network =
        async { if answers { Some(asker.ask(apim_state::network_status(asker.arm(), id)).await) } else { None } };
    let gone = service.answer.as_ref().is_err_and(|failure| failure.kind == AzureErrorKind::NotFound);
    let deleted = async { if gone { Some(asker.ask(apim_state::deleted(asker.arm(), id)).await) } else { None } };
    let (network, deleted, inventory, roles) = tokio::join!(
        network,
        deleted,
        holdings(asker, id, &service),
        roles::look(asker, &standby.roles, service.answer.as_ref().ok()),
    );
    let seen = SeenService { id: id.clone(), service, inventory };
    SeenStandby { seen, network, deleted, looked_at: standby.looked_at.clone(), roles }
}

/// Counts as one question: its two lists are short.
async fn holdings(asker: &Asker<'_>, id: &ResourceId, service: &Seen<Service>) -> Option<Seen<Inventory>> {
    let service = service.answer.as_ref().ok()?;
    Some(asker.ask(async { Ok::<_, AzureError>(inventory::collect(asker.arm(), id, service).await) }).await)
}

/// What stands in the way on the side of the standby. Pure.
pub fn judge(standby: &SeenStandby, now: Timestamp) -> Vec<Finding> {
    let name = standby.seen.id.name();
    let mut findings: Vec<Finding> = deleted(name, standby).into_iter().collect();
    if let Ok(service) = &standby.seen.service.answer {
        let at = standby.seen.service.at;
        let of_service = platform(name, service).into_iter().chain(version(name, service)).chain(certificates(
            name,
            service,
            &standby.looked_at,
            now,
        ));
        findings.extend(of_service.map(|finding| finding.seen(at)));
    }
    findings.extend(network(name, standby));
    findings.extend(standby.roles.iter().cloned());
    findings.into_iter().map(|finding| finding.on(name)).collect()
}

/// The probes say that it is not there; this says why, and how to have it back.
fn deleted(name: &str, standby: &SeenStandby) -> Option<Finding> {
    let seen = standby.deleted.as_ref()?;
    let deleted = seen.answer.as_ref().ok()?.as_ref()?;
    let when = |at: Option<Timestamp>| at.map_or_else(|| "an unknown time".to_owned(), choose::minute);
    let message = format!(
        "{name} was deleted at {}; its name is kept, and it can be brought back, until {}",
        when(deleted.deleted_at),
        when(deleted.kept_until)
    );
    Some(codes::finding("standby-deleted", message).seen(seen.at))
}

fn platform(name: &str, service: &Service) -> Option<Finding> {
    let platform = service.properties.as_ref()?.platform_version.as_deref()?;
    let retired = ["stv1", "mtv1"].iter().any(|old| old.eq_ignore_ascii_case(platform));
    retired.then(|| {
        codes::finding("platform-retired", format!("{name} runs on the platform {platform}, which Azure has retired"))
    })
}

/// Versions are dates, so their texts compare as they do.
fn version(name: &str, service: &Service) -> Option<Finding> {
    let least = service.properties.as_ref()?.api_version_constraint.as_ref()?.min_api_version.as_deref()?;
    (least > API_VERSION).then(|| {
        codes::finding(
            "api-version-too-old",
            format!("{name} answers the API version {least} and newer, and this program speaks {API_VERSION}"),
        )
    })
}

/// Of every custom hostname that no step's own probe connects to.
fn certificates(name: &str, service: &Service, looked_at: &BTreeSet<String>, now: Timestamp) -> Vec<Finding> {
    let all = service.properties.as_ref().and_then(|properties| properties.hostname_configurations.as_deref());
    let mut findings = Vec::new();
    for hostname in all.unwrap_or_default() {
        let Some(host) = hostname.host_name.as_deref().map(str::to_ascii_lowercase) else { continue };
        findings.extend(not_ready(name, &host, hostname));
        let Some(expiry) = hostname.certificate.as_ref().and_then(|certificate| certificate.expiry) else { continue };
        let left = expiry.duration_since(now);
        if !looked_at.contains(&host) && left < SignedDuration::from_hours(24 * CERTIFICATE_DAYS) {
            let days = left.as_hours() / 24;
            findings.push(codes::finding(
                "certificate-expires-soon",
                format!("the certificate of {name} for {host} is good until {} ({days} days)", choose::minute(expiry)),
            ));
        }
    }
    findings
}

fn not_ready(name: &str, host: &str, hostname: &HostnameConfiguration) -> Option<Finding> {
    let status = hostname.certificate_status.as_deref().filter(|status| !status.eq_ignore_ascii_case("Completed"))?;
    Some(codes::finding(
        "certificate-not-ready",
        format!("the certificate of {name} for {host} is not in place: {status}"),
    ))
}

fn network(name: &str, standby: &SeenStandby) -> Vec<Finding> {
    let Some(seen) = &standby.network else { return Vec::new() };
    let finding = match &seen.answer {
        Err(failure) => Some(codes::finding(
            "network-unverified",
            format!("it is not known whether {name} reaches what it depends on: {failure}"),
        )),
        Ok(all) => {
            let bad = |one: &&Connectivity| {
                one.status.as_deref().is_some_and(|status| status.eq_ignore_ascii_case("failure"))
                    && one.is_optional != Some(true)
            };
            let bad: Vec<&str> = all.iter().filter(bad).map(|one| one.name.as_deref().unwrap_or("?")).collect();
            (!bad.is_empty()).then(|| {
                codes::finding(
                    "network-failing",
                    format!("{name} does not reach what it depends on: {}", bad.join(", ")),
                )
            })
        }
    };
    finding.map(|finding| finding.seen(seen.at)).into_iter().collect()
}
