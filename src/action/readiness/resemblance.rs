//! What a restore does not bring, compared between the active service and the standby, by name (azure-facts 1.4).
//!
//! When the active service cannot be asked, the inventory that was kept beside the backup stands in for it, and that is
//! said. Pure.

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    services::{SeenService, SeenStandby},
    subjects::ChosenBackup,
};
use crate::{
    action::{choose, manifest::Manifest},
    azure::{
        apim::Service,
        inventory::{Difference, Inventory, InventoryClass, InventoryDifference, InventoryItem},
    },
    plan::{codes, facts::Finding},
};

/// Names of one class that a finding says; the rest is counted.
const MOST_NAMES: usize = 5;

/// What the active service is known by.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub name: String,
    /// Of the active service, wherever it is known from.
    pub location: Option<String>,
    inventory: Option<(Inventory, Option<Timestamp>)>,
    /// It did not answer, and why.
    silence: Option<(String, Timestamp)>,
    identity: Option<String>,
}

impl Known {
    /// From the service itself, else from the newest backup's manifest.
    pub fn of(active: &SeenService, backups: &[ChosenBackup]) -> Self {
        let name = active.id.name().to_owned();
        match &active.service.answer {
            Ok(service) => Self {
                name,
                location: service.location.clone(),
                inventory: active.inventory.as_ref().and_then(|seen| Some((seen.answer.as_ref().ok()?.clone(), None))),
                silence: None,
                identity: Some(identity(service)),
            },
            Err(failure) => {
                let manifest = backups.iter().find_map(|backup| backup.manifest.as_ref());
                let told = manifest.and_then(Manifest::from_value);
                let inventory = manifest.and_then(|data| Inventory::deserialize(data.get("inventory")?).ok());
                let kept_at = told.as_ref().and_then(|manifest| manifest.created);
                Self {
                    name,
                    location: told.and_then(|manifest| manifest.location),
                    inventory: inventory.map(|inventory| (inventory, Some(kept_at.unwrap_or(Timestamp::UNIX_EPOCH)))),
                    silence: Some((failure.to_string(), active.service.at)),
                    identity: None,
                }
            }
        }
    }

    /// What could not be compared because the active service does not answer.
    pub fn unverified(&self) -> Option<Finding> {
        let (why, at) = self.silence.as_ref()?;
        let stands_in = match (&self.inventory, &self.location) {
            (Some((_, Some(kept))), _) => format!("the inventory of {} stands in for it", choose::minute(*kept)),
            (_, Some(_)) => "its region is known from the backup's manifest, and no inventory was kept".to_owned(),
            (_, None) => "neither its region nor what a restore does not bring is known".to_owned(),
        };
        let message = format!("{} could not be asked ({why}); {stands_in}", self.name);
        Some(codes::finding("active-unverified", message).on(self.name.as_str()).seen(*at))
    }

    /// Whether the active service could write a backup the way the restore reads it; it is the next failover's backup.
    pub fn lacks_identity(&self, access: Option<&str>) -> Option<Finding> {
        let kind = self.identity.as_deref()?;
        let (wanted, said) = match access? {
            "system-assigned-identity" => ("systemassigned", "system-assigned"),
            "user-assigned-identity" => ("userassigned", "user-assigned"),
            _ => return None,
        };
        (!kind.contains(wanted)).then(|| {
            let message = format!("{} has no {said} identity, which the restore of its backups comes with", self.name);
            codes::finding("active-identity-missing", message).on(self.name.as_str())
        })
    }
}

/// `systemassigned, userassigned`
fn identity(service: &Service) -> String {
    let kind = service.identity.as_ref().and_then(|identity| identity.kind.as_deref());
    kind.unwrap_or_default().to_ascii_lowercase()
}

/// Class by class. Nothing when neither an active service nor a kept inventory is known: that is told by
/// [`Known::unverified`].
pub fn judge(known: &Known, standby: &SeenStandby) -> Vec<Finding> {
    let (Some((theirs, _)), Some(seen)) = (&known.inventory, &standby.seen.inventory) else { return Vec::new() };
    let Ok(ours) = &seen.answer else { return Vec::new() };
    let name = standby.seen.id.name();
    let differences = theirs.diff(ours);
    let findings = differences.iter().filter_map(|difference| tell(&known.name, name, difference));
    findings.map(|finding| finding.on(name).seen(seen.at)).collect()
}

fn tell(active: &str, standby: &str, found: &InventoryDifference) -> Option<Finding> {
    let code = match found.class {
        // Usage data is every service's own; nobody can bring it.
        InventoryClass::Analytics => return None,
        // Of the gateway's hostnames the probe of apim.verify-standby tells it; portals are told here.
        InventoryClass::HostnameCertificates => "portal-hostname-differs",
        InventoryClass::CaCertificates => "ca-certificates-differ",
        InventoryClass::VirtualNetwork => "virtual-network-differs",
        InventoryClass::ManagedIdentities => "identities-differ",
        InventoryClass::DiagnosticSettings => "diagnostic-settings-differ",
        InventoryClass::CustomProperties => "protocols-differ",
        InventoryClass::DeveloperPortal => "developer-portal-differs",
    };
    let gateway = |item: &&InventoryItem| item.name.starts_with("Proxy ");
    let told = |items: &[InventoryItem]| -> Vec<String> {
        let kept = items.iter().filter(|item| found.class != InventoryClass::HostnameCertificates || !gateway(item));
        kept.map(ToString::to_string).collect()
    };
    match &found.difference {
        Difference::Unknown(why) => Some(codes::finding(
            "inventory-unverified",
            format!("the {} of {active} and {standby} could not be compared: {why}", found.class),
        )),
        Difference::Items { only_first, only_second } => {
            let (theirs, ours) = (told(only_first), told(only_second));
            let sides = [(active, theirs), (standby, ours)].into_iter().filter(|(_, items)| !items.is_empty());
            let sides: Vec<String> = sides.map(|(who, items)| format!("only {who} has {}", names(&items))).collect();
            (!sides.is_empty()).then(|| codes::finding(code, format!("{}: {}", found.class, sides.join("; "))))
        }
    }
}

fn names(items: &[String]) -> String {
    let shown = items.iter().take(MOST_NAMES).cloned().collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(MOST_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
