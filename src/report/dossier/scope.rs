//! What a run covers, and what a restore does not bring.

use serde::Serialize;

use crate::{
    plan::{Plan, PlannedStep},
    runbook::ActionKind,
};

#[derive(Clone, Debug, Serialize)]
pub struct Scope {
    /// One line a step that changes something.
    pub covers: Vec<String>,
    /// What has to be in place already, because a restore leaves it as it is. Empty: nothing is restored.
    pub not_brought: Vec<&'static str>,
    /// What no run of lifeboat does.
    pub excluded: Vec<&'static str>,
}

/// Microsoft's list of what a backup does not hold, and what users found out besides (docs/reference/actions.md,
/// <https://learn.microsoft.com/azure/api-management/api-management-howto-disaster-recovery-backup-restore>).
const NOT_BROUGHT: [&str; 12] = [
    "usage data and analytics",
    "certificates of custom domains: the standby keeps its own host names and certificates",
    "custom CA certificates, intermediate and root",
    "settings of virtual network integration",
    "configuration of managed identities, and the roles that other resources grant to them",
    "Azure Monitor diagnostic settings",
    "protocol and cipher settings",
    "content of the developer portal",
    "additional regions and units",
    "self-hosted gateways: they come back, and have to be deployed anew with the standby's configuration endpoint",
    "authorizations of the credential manager",
    "network security groups, firewalls and private endpoints around the service",
];

const EXCLUDED: [&str; 3] = [
    "backends, databases and everything behind the API Management service: they fail over by themselves or stay",
    "clients that hold a connection or an address for longer than the record's TTL",
    "services, regions and names that no step of the runbook names",
];

pub(super) fn of(plan: &Plan) -> Scope {
    let changes = plan.steps.iter().filter(|step| changes(step));
    let restores = plan.steps.iter().any(|step| step.action == ActionKind::Restore);
    Scope {
        covers: changes.map(|step| format!("{}: {}", step.id, step.probe.summary)).collect(),
        not_brought: if restores { NOT_BROUGHT.to_vec() } else { Vec::new() },
        excluded: EXCLUDED.to_vec(),
    }
}

/// It asks for a change of the world.
pub(super) fn changes(step: &PlannedStep) -> bool {
    step.effect != crate::runbook::Effect::ReadOnly
}
