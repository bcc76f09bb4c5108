//! The backups that exist when the world begins, and their manifests.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use crate::azure::{apim::Service, inventory};

use super::{
    apim_lists, apim_shown,
    authority::Authority,
    exchange::Desk,
    gateway,
    scenario::{Identity, Scenario, TrapKind},
    state::{Blob, BlobBody, State},
};

/// Size of the oldest; each newer one is a little larger, as configuration grows.
const SMALLEST_BACKUP: u64 = 1_843_200;
const GROWTH: u64 = 4096;

/// Puts the scenario's backups into the container.
pub(super) fn fill(scenario: &Scenario, state: &mut State, authority: &Authority) {
    let backups = &scenario.backups;
    for place in 0..backups.count {
        let age = backups.newest + backups.every * place;
        let size = SMALLEST_BACKUP + GROWTH * u64::from(backups.count - place);
        put(scenario, state, authority, age, |blob| blob.size = size);
    }
    for trap in &backups.traps {
        put(scenario, state, authority, trap.age, |blob| match trap.kind {
            TrapKind::Empty => blob.size = 0,
            TrapKind::Archived => "Archive".clone_into(&mut blob.tier),
            TrapKind::Copying => blob.copy_status = Some("pending".to_owned()),
        });
    }
}

fn put(
    scenario: &Scenario,
    state: &mut State,
    authority: &Authority,
    age: std::time::Duration,
    shape: impl FnOnce(&mut Blob),
) {
    let created = whole_second(state.started.checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH));
    let service = &scenario.active;
    let name = format!("{}-{}.apimbackup", service.name, created.strftime("%Y%m%dT%H%M%SZ"));
    let etag = format!("0x8DE{:012X}", state.draw() >> 16);
    let mut blob = Blob {
        created,
        modified: created,
        etag,
        size: SMALLEST_BACKUP,
        content_type: "application/octet-stream".to_owned(),
        tier: "Hot".to_owned(),
        copy_status: None,
        metadata: BTreeMap::from([("created".to_owned(), created.to_string())]),
        body: BlobBody::Backup { tier: service.tier.clone(), content: service.content.clone() },
    };
    shape(&mut blob);
    if scenario.backups.manifests {
        let text = manifest(scenario, state, authority, &name, created);
        let etag = format!("0x8DE{:012X}", state.draw() >> 16);
        let size = text.len() as u64;
        state.blobs.insert(
            format!("{name}.manifest.json"),
            Blob {
                etag,
                size,
                content_type: "application/json".to_owned(),
                tier: "Hot".to_owned(),
                copy_status: None,
                metadata: BTreeMap::new(),
                body: BlobBody::Text(text),
                ..blob.clone()
            },
        );
    }
    state.blobs.insert(name, blob);
}

/// Design §5: what the active service was when the backup was made.
fn manifest(scenario: &Scenario, state: &mut State, authority: &Authority, backup: &str, created: Timestamp) -> String {
    let spec = &scenario.active;
    let name = spec.name.to_ascii_lowercase();
    let desk = Desk { scenario, state, authority, now: created, speed: 1.0 };
    let shown = apim_shown::service_json(&desk, &name);
    let diagnostics = apim_lists::diagnostics_of(&desk, &desk.state.services[&name]);
    let read = serde_json::from_value::<Service>(shown.clone()).ok().zip(serde_json::from_value(diagnostics).ok());
    let (service, diagnostics) = read.expect("the simulator writes what the client reads");
    let inventory = inventory::assemble(&service, Ok(diagnostics), Ok(spec.portal_revisions as usize));
    let service = &desk.state.services[&name];
    let identity = match spec.identity {
        Identity::None => "None",
        Identity::SystemAssigned => "SystemAssigned",
        Identity::UserAssigned => "UserAssigned",
        Identity::Both => "SystemAssigned, UserAssigned",
    };
    let hostnames: Vec<_> = spec
        .hostnames
        .iter()
        .map(|host| {
            let certificate = &gateway::custom(authority, service, host).shown;
            json!({
                "type": "Proxy",
                "hostname": host,
                "thumbprint": certificate.thumbprint,
                "expires": certificate.not_after.to_string(),
            })
        })
        .collect();
    let counted = |mut names: Vec<&str>| {
        names.sort_unstable();
        json!({ "count": names.len(), "names": names })
    };
    let content = &spec.content;
    let manifest = json!({
        "version": 1,
        "backup": backup,
        "created": created.to_string(),
        "service": format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.ApiManagement/service/{}",
            scenario.subscription, spec.group, spec.name
        ),
        "tier": spec.tier,
        "capacity": spec.capacity,
        "location": spec.location,
        "identity": identity,
        "hostnames": hostnames,
        "apis": counted(content.apis.iter().map(|api| api.name.as_str()).collect()),
        "products": counted(content.products.iter().map(String::as_str).collect()),
        "subscriptions": counted(content.subscriptions.iter().map(String::as_str).collect()),
        "named_values": counted(content.named_values.iter().map(String::as_str).collect()),
        "inventory": inventory,
        "observed": { "content": created.to_string(), "service": created.to_string() },
        "lifeboat": env!("CARGO_PKG_VERSION"),
    });
    format!("{manifest:#}\n")
}

fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
