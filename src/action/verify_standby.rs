//! `apim.verify-standby`: can this service take a restore of that one's backup?
//!
//! Reads only. What it compares with, in this order: the active service, the backup's manifest, `expect_tier`.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    Context, Done, Recorder,
    arguments::{Backup, VerifyStandby},
    error,
    fact::{Facts, note, remark},
    long_change::ChangeKind,
    manifest::{self, Manifest},
    serving, standing, whose,
};
use crate::{
    azure::{
        Arm, AzureError, AzureErrorKind,
        apim::{self, HostnameConfiguration, Service},
        apim_content,
    },
    plan::{
        codes,
        facts::{Finding, Probe, Severity},
        live,
    },
    run::{Disposition, StepError},
    runbook::ResourceId,
};

/// The active service may be lost: whether it answers is worth this long and no longer, since the manifest can stand in.
const PATIENCE_WITH_ACTIVE: Duration = Duration::from_secs(20);

/// All that was read.
#[derive(Debug)]
pub struct Seen {
    pub standby: Service,
    /// An error: it is not known whether there are any.
    pub workspaces: Result<Vec<String>, String>,
    /// An error says why it did not answer; none: nobody asked.
    pub active: Option<Result<Service, String>>,
    pub manifest: Option<Manifest>,
    /// The service whose backup it must be.
    pub of: Option<ResourceId>,
    pub expect_tier: Option<String>,
}

/// What the standby was held against.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    /// `active`, `manifest`, `expect_tier`, `nothing`.
    source: &'static str,
    tier: Option<String>,
    location: Option<String>,
    capacity: Option<u32>,
    /// Custom gateway hostnames with the thumbprints of their certificates.
    hostnames: Vec<(String, Option<String>)>,
}

pub async fn probe(arguments: &VerifyStandby, context: &Context) -> Result<Probe, StepError> {
    let seen = observe(arguments, context, &context.arm).await?;
    let model = model(&seen);
    let standby = &seen.standby;
    let serving = serving::look(standby, context).await;
    let mut findings = judge(arguments.standby.name(), &seen);
    findings.extend(serving.unverified(arguments.standby.name()));
    let source = format!("GET {}", apim::service_url(&context.arm, &arguments.standby));
    let facts = Facts::seen(source, context.clock.now())
        .with("standby.tier", standby.tier())
        .with("standby.location", standby.location.as_deref())
        .with("standby.state", standby.provisioning_state())
        .with(live::STANDBY_HOST, standby.gateway_host())
        .with(live::SERVES, serving.hostnames)
        .with("standby.compared_with", model.source)
        .with("standby.compared_tier", model.tier.as_deref())
        .with_volatile("standby.etag", standby.etag())
        .with_volatile("active.answers", seen.active.as_ref().map(Result::is_ok));
    let against = model.tier.as_deref().unwrap_or("no other tier");
    Ok(Probe {
        summary: format!(
            "verifies that {} ({}) can take a backup of tier {against}, compared with {}",
            arguments.standby.name(),
            standby.tier().unwrap_or("no tier"),
            model.source,
        ),
        facts: facts.into_vec(),
        outputs: outputs(&seen, &model),
        findings,
        verified: true,
        ..Probe::default()
    })
}

pub async fn perform(arguments: &VerifyStandby, context: &Context, record: &Recorder) -> Result<Done, StepError> {
    let arm = context.arm.noting(record.sink());
    let seen = observe(arguments, context, &arm).await?;
    let findings = judge(arguments.standby.name(), &seen);
    if let Some(blocker) = findings.iter().find(|finding| finding.severity == Severity::Blocker) {
        let disposition = if blocker.code == "standby-busy" { Disposition::Retryable } else { Disposition::Final };
        return Err(StepError::new(disposition, &blocker.code, blocker.message.as_str(), blocker.remedy.as_str()));
    }
    for finding in &findings {
        note(record, &finding.message);
    }
    let evidence = json!({ "standby": standing::evidence(&seen.standby), "findings": findings });
    Ok(Done { outputs: outputs(&seen, &model(&seen)), evidence })
}

async fn observe(arguments: &VerifyStandby, context: &Context, arm: &Arm) -> Result<Seen, StepError> {
    let (standby, workspaces, active) = tokio::join!(
        apim::get_service(arm, &arguments.standby),
        apim_content::list_workspaces(arm, &arguments.standby),
        ask_active(arguments.active.as_ref(), context),
    );
    let standby = standby.map_err(|failure| unreadable(&arguments.standby, &failure))?;
    Ok(Seen {
        standby,
        workspaces: workspaces.map_err(|failure| failure.to_string()),
        active,
        manifest: manifest_of(arguments.backup.as_ref(), context).await,
        of: arguments.active.clone(),
        expect_tier: arguments.expect_tier.clone(),
    })
}

/// The standby must be readable; a 404 has causes of its own.
pub fn unreadable(id: &ResourceId, failure: &AzureError) -> StepError {
    let mut step = error::from_read(&format!("the service {}", id.name()), failure);
    if failure.kind == AzureErrorKind::NotFound {
        "standby-not-found".clone_into(&mut step.code);
        step.hint = format!(
            "check the id `{id}`; a service that was deleted less than 48 hours ago keeps its name \
             (`az apim deletedservice list`), and a wrong subscription also answers 404"
        );
    }
    step
}

async fn ask_active(active: Option<&ResourceId>, context: &Context) -> Option<Result<Service, String>> {
    let id = active?;
    let answer = tokio::select! {
        answer = apim::get_service(&context.arm, id) => answer.map_err(|failure| failure.to_string()),
        () = context.clock.patience(PATIENCE_WITH_ACTIVE) => {
            Err(format!("no answer within {} s", PATIENCE_WITH_ACTIVE.as_secs()))
        }
    };
    Some(answer)
}

/// The manifest that came with the backup, else the one in storage. Unreadable is the same as absent:
/// the comparison then falls back, and says what it fell back to.
async fn manifest_of(backup: Option<&Backup>, context: &Context) -> Option<Manifest> {
    let backup = backup?;
    if let Some(data) = &backup.manifest_data {
        return Manifest::from_value(data);
    }
    let read = manifest::read(&context.blobs, &backup.account, &backup.container, &backup.name).await;
    read.ok().flatten().as_ref().and_then(Manifest::from_value)
}

fn model(seen: &Seen) -> Model {
    if let Some(Ok(active)) = &seen.active
        && active.tier().is_some()
    {
        return Model {
            source: "active",
            tier: active.tier().map(str::to_owned),
            location: active.location.clone(),
            capacity: active.sku.as_ref().and_then(|sku| sku.capacity),
            hostnames: custom_hostnames(active),
        };
    }
    if let Some(manifest) = &seen.manifest
        && manifest.tier.is_some()
    {
        return Model {
            source: "manifest",
            tier: manifest.tier.clone(),
            location: manifest.location.clone(),
            capacity: manifest.capacity,
            hostnames: manifest.gateway_hostnames().map(|one| (one.name.clone(), one.thumbprint.clone())).collect(),
        };
    }
    match &seen.expect_tier {
        Some(tier) => Model { source: "expect_tier", tier: Some(tier.clone()), ..Model::default() },
        None => Model { source: "nothing", ..Model::default() },
    }
}

/// Hostnames that somebody chose: not the built-in `<name>.azure-api.net`.
pub fn custom_hostnames(service: &Service) -> Vec<(String, Option<String>)> {
    let built_in = service.gateway_host();
    let custom = |one: &&HostnameConfiguration| {
        let name = one.host_name.as_deref().map(str::to_ascii_lowercase);
        name.is_some() && name != built_in
    };
    let thumbprint = |one: &HostnameConfiguration| one.certificate.as_ref()?.thumbprint.clone();
    service
        .gateway_hostnames()
        .into_iter()
        .filter(custom)
        .map(|one| (one.host_name.clone().unwrap_or_default(), thumbprint(one)))
        .collect()
}

fn outputs(seen: &Seen, model: &Model) -> Map<String, Value> {
    let standby = &seen.standby;
    let pairs = [
        ("gateway_host", json!(standby.gateway_host())),
        ("gateway_url", json!(standby.gateway_url())),
        ("tier", json!(standby.tier())),
        ("location", json!(standby.location)),
        ("compared_with", json!(model.source)),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Everything that stands in the way, the worst first. Pure.
pub fn judge(name: &str, seen: &Seen) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(standing::judge(ChangeKind::Restore, name, &seen.standby));
    findings.extend(judge_origin(seen));
    let model = model(seen);
    findings.extend(judge_tier(name, &seen.standby, &model));
    match &seen.workspaces {
        Ok(workspaces) if workspaces.is_empty() => {}
        Ok(workspaces) => findings.push(Finding::blocker(
            "workspaces",
            format!(
                "{name} has workspaces ({}), and Azure refuses to restore to such a service",
                workspaces.join(", ")
            ),
            "delete the workspaces, or choose a standby without any",
        )),
        Err(why) => findings.push(Finding::warning(
            "workspaces-unknown",
            format!("it is not known whether {name} has workspaces: {why}"),
            "grant Microsoft.ApiManagement/service/workspaces/read, or look in the portal",
        )),
    }
    if let Some(Err(why)) = &seen.active {
        findings.push(remark(
            "active-silent",
            format!("the active service does not answer: {why}"),
            "expected in an outage",
        ));
    }
    findings.extend(judge_resemblance(name, &seen.standby, &model));
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// A container may hold the backups of several services, and Azure restores whichever it is told to.
fn judge_origin(seen: &Seen) -> Option<Finding> {
    let (of, told) = (seen.of.as_ref()?, seen.manifest.as_ref()?.service.as_ref()?);
    whose::is_other(told, of).then(|| {
        codes::finding(
            "backup-of-another-service",
            format!("the backup's manifest says that it is of {told}, and the active service is {of}"),
        )
    })
}

fn judge_tier(name: &str, standby: &Service, model: &Model) -> Option<Finding> {
    if let Some(finding) = standing::judge_tier(name, standby.tier()) {
        return Some(finding);
    }
    let tier = standby.tier()?;
    match &model.tier {
        Some(other) if other.eq_ignore_ascii_case(tier) => None,
        Some(other) => Some(Finding::blocker(
            "tier-mismatch",
            format!("{name} has the tier {tier}, but the backup is of tier {other} (from {})", model.source),
            format!("change the standby to {other} (`az apim update --sku-name {other}`), or choose another standby"),
        )),
        None => Some(Finding::warning(
            "tier-not-compared",
            "the tier could not be compared: neither the active service nor a manifest could be read",
            "set `expect_tier`; Azure itself refuses a restore of another tier, but only once it is asked",
        )),
    }
}

fn judge_resemblance(name: &str, standby: &Service, model: &Model) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let (Some(here), Some(there)) = (&standby.location, &model.location)
        && standing::same_region(here, there)
    {
        findings.push(Finding::warning(
            "same-region",
            format!("{name} is in {here}, the region of the service that it stands in for"),
            "an outage of that region takes both; choose a standby in another region",
        ));
    }
    if !standing::has_identity(standby) {
        findings.push(Finding::warning(
            "no-identity",
            format!("{name} has no managed identity, so it can read the backup by access key only"),
            "assign one and grant it `Storage Blob Data Contributor` on the account, or use `access: access-key`",
        ));
    }
    if let (Some(here), Some(there)) = (standby.sku.as_ref().and_then(|sku| sku.capacity), model.capacity)
        && here < there
    {
        findings.push(remark(
            "standby-smaller",
            format!("{name} has {here} units where the other has {there}"),
            "scale it out after the failover if the load needs it",
        ));
    }
    let own = custom_hostnames(standby);
    for (hostname, thumbprint) in &model.hostnames {
        match own.iter().find(|(one, _)| one.eq_ignore_ascii_case(hostname)) {
            None => findings.push(Finding::warning(
                "hostname-missing",
                format!("{name} does not serve {hostname}; a restore does not bring hostnames"),
                format!("add {hostname} with its certificate to the standby's gateway"),
            )),
            Some((_, Some(shown))) if thumbprint.as_ref().is_some_and(|other| !other.eq_ignore_ascii_case(shown)) => {
                findings.push(Finding::warning(
                    "certificate-differs",
                    format!("{name} shows another certificate for {hostname} than the service it stands in for"),
                    "check that clients accept both; the same certificate on both is what Microsoft recommends",
                ));
            }
            Some(_) => {}
        }
    }
    findings
}
