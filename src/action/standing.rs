//! What a service's own words mean: idle, busy or broken; which tiers can restore; whether two regions are one.
//!
//! Pure.

use serde_json::{Value, json};
use url::Url;

use super::long_change::ChangeKind;
use crate::{azure::apim::Service, plan::facts::Finding};

/// Tiers that can take a restore (azure-facts 1.4). The v2 tiers and Consumption cannot.
pub const RESTORABLE_TIERS: [&str; 4] = ["Developer", "Basic", "Standard", "Premium"];

/// States in which a service stays until somebody acts.
const BROKEN_STATES: [&str; 5] = ["Failed", "ActivationFailed", "TerminationFailed", "Stopped", "Deleted"];

/// Whether something goes on in a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Idle,
    /// The state, as Azure writes it.
    Busy(String),
    /// It will not become idle by waiting.
    Broken(String),
}

impl Standing {
    pub fn of(service: &Service) -> Self {
        let state = service.provisioning_state().unwrap_or("unknown");
        let aims_elsewhere = service.target_provisioning_state().is_some_and(|target| !target.is_empty());
        if !aims_elsewhere && BROKEN_STATES.iter().any(|broken| broken.eq_ignore_ascii_case(state)) {
            Self::Broken(state.to_owned())
        } else if service.is_idle() {
            Self::Idle
        } else {
            Self::Busy(state.to_owned())
        }
    }
}

/// What its state keeps a service from: taking a backup or a restore, now or until somebody acts.
pub fn judge(kind: ChangeKind, name: &str, service: &Service) -> Option<Finding> {
    match Standing::of(service) {
        Standing::Idle => None,
        Standing::Busy(state) => Some(Finding::blocker(
            match kind {
                ChangeKind::Restore => "standby-busy",
                ChangeKind::Backup => "service-busy",
            },
            format!("{name} is busy (state {state}), and takes no {} meanwhile", kind.noun()),
            "wait until its running operation has ended; `az apim show` tells its provisioningState",
        )),
        Standing::Broken(state) => Some(broken(kind, name, &state)),
    }
}

pub fn broken(kind: ChangeKind, name: &str, state: &str) -> Finding {
    Finding::blocker(
        match kind {
            ChangeKind::Restore => "standby-broken",
            ChangeKind::Backup => "service-broken",
        },
        format!("{name} is in the state {state}"),
        "repair it first: its activity log says what failed, and Azure support can reset it",
    )
}

/// What a tier keeps a service from; none: it can take a restore.
pub fn judge_tier(name: &str, tier: Option<&str>) -> Option<Finding> {
    match tier {
        None => Some(Finding::blocker(
            "tier-unknown",
            format!("Azure does not say which tier {name} has"),
            "check that the id is that of an API Management service",
        )),
        Some(tier) if can_restore(tier) => None,
        Some(tier) => Some(Finding::blocker(
            "tier-cannot-restore",
            format!("{name} has the tier {tier}, which has no backup and restore"),
            "use a service of tier Developer, Basic, Standard or Premium; the v2 tiers and Consumption can neither be backed up \
             nor restored",
        )),
    }
}

pub fn can_restore(tier: &str) -> bool {
    RESTORABLE_TIERS.iter().any(|able| able.eq_ignore_ascii_case(tier))
}

/// `West Europe` and `westeurope` are one region.
pub fn same_region(one: &str, other: &str) -> bool {
    let fold = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
    fold(one) == fold(other)
}

pub fn has_system_identity(service: &Service) -> bool {
    identity_kind(service).contains("systemassigned")
}

/// Whether a user-assigned identity with this client id is attached.
pub fn has_user_identity(service: &Service, client_id: &str) -> bool {
    service.identity.as_ref().and_then(|identity| identity.user_assigned_identities.as_ref()).is_some_and(|all| {
        all.values().flatten().any(|one| one.client_id.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(client_id)))
    })
}

pub fn has_identity(service: &Service) -> bool {
    let kind = identity_kind(service);
    kind.contains("systemassigned") || kind.contains("userassigned")
}

fn identity_kind(service: &Service) -> String {
    service.identity.as_ref().and_then(|identity| identity.kind.as_deref()).unwrap_or_default().to_ascii_lowercase()
}

/// Host and port of the gateway that is asked directly: the regional one bypasses routing between regions.
pub fn own_gateway(service: &Service) -> Option<(String, u16)> {
    let properties = service.properties.as_ref()?;
    [properties.gateway_regional_url.as_deref(), properties.gateway_url.as_deref()].into_iter().flatten().find_map(
        |text| {
            let url = Url::parse(text).ok()?;
            Some((url.host_str()?.to_owned(), url.port_or_known_default().unwrap_or(443)))
        },
    )
}

/// What the journal keeps of a service.
pub fn evidence(service: &Service) -> Value {
    json!({
        "etag": service.etag(),
        "provisioning_state": service.provisioning_state(),
        "target_provisioning_state": service.target_provisioning_state(),
        "tier": service.tier(),
        "location": service.location,
    })
}
