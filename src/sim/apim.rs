//! API Management through the resource manager: the service, backup and restore, and what comes of them.
//!
//! Follows the recorded wire (azure-facts §1.1): 202 with an empty body, `Location` and `Retry-After`; the same again
//! for each poll; 200 with the whole service at the end; a failure as 400 on the poll; 409 without `Retry-After`.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    apim_lists,
    apim_shown::service_json,
    arm::{self, Place},
    base64,
    exchange::{Desk, Incoming, Reply},
    scenario::Identity,
    state::{Blob, BlobBody, Operation, OperationKind, Planned, ServiceState},
};

/// Azure guarantees a backup for so long (azure-facts §1.4).
const BACKUP_LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);
/// What Azure sends while an operation goes on (recorded).
const POLL_AFTER_S: u64 = 60;
/// A backup of a small service.
const BACKUP_SIZE: u64 = 1_843_200;

pub(super) const KIND: &str = "Microsoft.ApiManagement/service";

/// Body of backup and restore. The key is looked at and dropped.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    storage_account: String,
    container_name: String,
    backup_name: String,
    access_type: Option<String>,
    access_key: Option<String>,
    client_id: Option<String>,
}

pub(super) fn answer(desk: &mut Desk<'_>, incoming: &Incoming, place: &Place<'_>) -> Reply {
    let name = place.rest[2].to_ascii_lowercase();
    let group = place.group.unwrap_or_default();
    let known = |it: &&ServiceState| it.spec.group.eq_ignore_ascii_case(group) && !it.spec.condition.deleted;
    let Some(service) = desk.state.services.get(&name).filter(known) else {
        return arm::not_found(KIND, place.rest[2], group);
    };
    if desk.is_lost(&service.spec.location) {
        let message = "The service is temporarily unavailable. Please try again later.";
        return Reply::error(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message);
    }
    let below: Vec<String> = place.rest[3..].iter().map(|segment| segment.to_ascii_lowercase()).collect();
    let below: Vec<&str> = below.iter().map(String::as_str).collect();
    let reads = incoming.method == Method::GET || incoming.method == Method::HEAD;
    match below.as_slice() {
        [] if reads => Reply::json(StatusCode::OK, &service_json(desk, &name)),
        ["restore"] if incoming.method == Method::POST => start(desk, incoming, place, OperationKind::Restore),
        ["backup"] if incoming.method == Method::POST => start(desk, incoming, place, OperationKind::Backup),
        ["operationresults", _] if reads => poll(desk, incoming, place.rest[4]),
        ["networkstatus"] if reads => apim_lists::network_status(desk, service),
        [collection] if reads && apim_lists::is_list(collection) => {
            apim_lists::answer(desk, incoming, &name, collection)
        }
        [] | ["restore" | "backup" | "networkstatus"] | ["operationresults", _] => arm::no_method(incoming),
        [collection] if apim_lists::is_list(collection) => arm::no_method(incoming),
        _ => arm::no_route(incoming),
    }
}

/// The services of a group, or of the subscription. Those of a lost region are left out: nobody can ask them.
pub(super) fn services(desk: &Desk<'_>, incoming: &Incoming, place: &Place<'_>) -> Reply {
    if incoming.method != Method::GET {
        return arm::no_method(incoming);
    }
    let here = |service: &ServiceState| {
        place.group.is_none_or(|group| group.eq_ignore_ascii_case(&service.spec.group))
            && !desk.is_lost(&service.spec.location)
    };
    let found = desk.state.services.iter().filter(|(_, service)| here(service));
    let value: Vec<Value> = found.map(|(name, _)| service_json(desk, name)).collect();
    Reply::json(StatusCode::OK, &json!({ "value": value, "nextLink": null }))
}

/// Accepts a backup or a restore, or refuses it at once.
fn start(desk: &mut Desk<'_>, incoming: &Incoming, place: &Place<'_>, kind: OperationKind) -> Reply {
    let name = place.rest[2].to_ascii_lowercase();
    let service = &desk.state.services[&name];
    if service.is_busy() {
        let message = format!(
            "The API Service {} is transitioning at this time. Please try the request again later.",
            service.spec.name
        );
        return Reply::error(StatusCode::CONFLICT, "ServiceLocked", message);
    }
    let tier = &service.spec.tier;
    if tier == "Consumption" || tier.ends_with("V2") {
        let message = format!("Method not allowed in {tier} pricing tier");
        return Reply::error(StatusCode::BAD_REQUEST, "MethodNotAllowedInPricingTier", message);
    }
    let parameters: Parameters = match serde_json::from_slice(&incoming.body) {
        Ok(parameters) => parameters,
        Err(error) => {
            let message = format!("Invalid request body: {error}");
            return Reply::error(StatusCode::BAD_REQUEST, "InvalidParameters", message);
        }
    };
    let outcome = match refusal(desk, service, &parameters, kind) {
        Some((code, message)) => Planned::Failed { code: code.to_owned(), message },
        None => planned(desk, &parameters, kind),
    };
    let region = super::state::compact(&service.spec.location);
    let lasts = match (&outcome, kind) {
        (Planned::Failed { .. }, _) => desk.scenario.refusal_after,
        (_, OperationKind::Restore) => desk.state.around(desk.scenario.restore_duration, desk.scenario.duration_spread),
        (_, OperationKind::Backup) => desk.state.around(desk.scenario.backup_duration, desk.scenario.duration_spread),
    };
    let verb = match kind {
        OperationKind::Backup => "Backup",
        OperationKind::Restore => "Restore",
    };
    let mark = desk.state.draw() >> 32;
    let id = base64::encode(format!("{region}:{name}_{verb}_{mark:08x}").as_bytes());
    let ends = desk.now.checked_add(lasts).unwrap_or(jiff::Timestamp::MAX);
    let operation = Operation { id, service: name.clone(), kind, ends: Some(ends), outcome, ended: false, lost: false };
    let location = format!(
        "{}://{}/subscriptions/{}/resourceGroups/{}/providers/{KIND}/{}/operationresults/{}?api-version={}",
        incoming.scheme,
        incoming.authority,
        desk.scenario.subscription,
        place.group.unwrap_or_default(),
        place.rest[2],
        operation.id,
        incoming.parameter("api-version").unwrap_or_default(),
    );
    desk.state.operations.push(operation);
    desk.state.services.get_mut(&name).expect("looked up above").begin();
    match kind {
        OperationKind::Restore => desk.state.effects.restores_accepted += 1,
        OperationKind::Backup => desk.state.effects.backups_accepted += 1,
    }
    desk.state.changed = true;
    accepted(desk, &location)
}

fn accepted(desk: &Desk<'_>, location: &str) -> Reply {
    Reply::empty(StatusCode::ACCEPTED).with("location", location).with("retry-after", desk.retry_after(POLL_AFTER_S))
}

/// Why Azure will fail it, after a look: its own texts where they are known.
fn refusal(
    desk: &Desk<'_>,
    service: &ServiceState,
    parameters: &Parameters,
    kind: OperationKind,
) -> Option<(&'static str, String)> {
    const STORAGE: &str = "InvalidParameters";
    let storage = &desk.scenario.storage;
    if storage.cors {
        let message = "Invalid parameter: Requested value 'GET,HEAD,POST,OPTIONS,MERGE,PUT,PATCH' was not found. \
                       (Parameter 'backupStorageAccount')";
        return Some((STORAGE, message.to_owned()));
    }
    if parameters.storage_account != storage.account || desk.is_lost(&storage.location) {
        return Some((STORAGE, format!("The storage account '{}' cannot be reached.", parameters.storage_account)));
    }
    if parameters.container_name != storage.container {
        return Some((STORAGE, format!("The container '{}' does not exist.", parameters.container_name)));
    }
    if let Some(message) = no_access(desk, service, parameters) {
        return Some((STORAGE, message));
    }
    if kind == OperationKind::Backup {
        return None;
    }
    let Some(blob) = desk.state.blobs.get(&parameters.backup_name) else {
        return Some((STORAGE, format!("The backup '{}' does not exist.", parameters.backup_name)));
    };
    let BlobBody::Backup { tier, .. } = &blob.body else {
        return Some(("RestoreFailed", "Cannot restore: the blob is not a backup".to_owned()));
    };
    let message = if blob.size == 0 || blob.tier == "Archive" || blob.copy_status.as_deref() == Some("pending") {
        "Cannot restore: the backup cannot be read".to_owned()
    } else if *tier != service.spec.tier {
        format!("Cannot restore: current SKU is '{}', backup SKU is '{tier}'", service.spec.tier)
    } else if desk.now.duration_since(blob.created) > BACKUP_LIFETIME {
        "Cannot restore: backup expired".to_owned()
    } else {
        return None;
    };
    Some(("RestoreFailed", message))
}

fn no_access(desk: &Desk<'_>, service: &ServiceState, parameters: &Parameters) -> Option<String> {
    let has = |wanted: Identity| service.spec.identity == wanted || service.spec.identity == Identity::Both;
    match parameters.access_type.as_deref().unwrap_or("AccessKey") {
        "AccessKey" => {
            let key = parameters.access_key.as_ref();
            let known = key.is_some_and(|key| desk.state.account_keys.contains(key));
            (!known || !desk.scenario.storage.shared_key)
                .then(|| "The storage account refused the access key.".to_owned())
        }
        "SystemAssignedManagedIdentity" => {
            (!has(Identity::SystemAssigned)).then(|| "The service has no system-assigned managed identity.".to_owned())
        }
        "UserAssignedManagedIdentity" => (!has(Identity::UserAssigned) || parameters.client_id.is_none())
            .then(|| "The service has no user-assigned managed identity with this client id.".to_owned()),
        other => Some(format!("'{other}' is not an access type.")),
    }
}

fn planned(desk: &Desk<'_>, parameters: &Parameters, kind: OperationKind) -> Planned {
    let blob = parameters.backup_name.clone();
    match (kind, desk.state.blobs.get(&blob).map(|blob| &blob.body)) {
        (OperationKind::Restore, Some(BlobBody::Backup { content, .. })) => {
            Planned::Restored { backup: blob, content: content.clone() }
        }
        (OperationKind::Restore, _) => unreachable!("refused before: not a backup"),
        (OperationKind::Backup, _) => Planned::BackedUp { blob },
    }
}

fn poll(desk: &Desk<'_>, incoming: &Incoming, id: &str) -> Reply {
    let known = desk.state.operations.iter().find(|operation| operation.id == id && !operation.lost);
    let Some(operation) = known else {
        return Reply::error(StatusCode::NOT_FOUND, "ResourceNotFound", "The operation was not found.");
    };
    match &operation.outcome {
        _ if !operation.ended => accepted(desk, &incoming.url()),
        Planned::Failed { code, message } => Reply::error(StatusCode::BAD_REQUEST, code, message.clone()),
        Planned::Restored { .. } | Planned::BackedUp { .. } => {
            Reply::json(StatusCode::OK, &service_json(desk, &operation.service))
        }
    }
}

/// Brings about what has ended by now.
pub(super) fn settle(desk: &mut Desk<'_>) {
    for place in 0..desk.state.operations.len() {
        let operation = &desk.state.operations[place];
        let Some(ended_at) = operation.ends.filter(|ends| !operation.ended && *ends <= desk.now) else { continue };
        let (name, outcome) = (operation.service.clone(), operation.outcome.clone());
        desk.state.operations[place].ended = true;
        desk.state.changed = true;
        let etag = format!("0x8DE{:012X}", desk.state.draw() >> 16);
        let service = desk.state.services.get_mut(&name).expect("operations are of known services");
        service.end();
        match outcome {
            Planned::Restored { backup, content } => {
                service.content = content;
                service.restored_from = Some(backup);
                desk.state.effects.restores_completed += 1;
            }
            Planned::BackedUp { blob } => {
                let body = BlobBody::Backup { tier: service.spec.tier.clone(), content: service.content.clone() };
                desk.state.blobs.insert(
                    blob,
                    Blob {
                        created: ended_at,
                        modified: ended_at,
                        etag,
                        size: BACKUP_SIZE,
                        content_type: "application/octet-stream".to_owned(),
                        tier: "Hot".to_owned(),
                        copy_status: None,
                        metadata: BTreeMap::new(),
                        body,
                    },
                );
                desk.state.effects.backups_completed += 1;
            }
            Planned::Failed { .. } => {}
        }
    }
}
