//! What a failover may trip over, as a scenario says it: the condition of a service, an account, the rights.
//!
//! Pure data with defaults; everything here is as it should be unless the scenario says otherwise.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::runbook::span;

/// Of an API Management service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Condition {
    /// `provisioningState`: `Succeeded`, `Updating`, `Failed`, …
    pub state: String,
    /// Deleted a day ago: its name is kept for another day.
    pub deleted: bool,
    pub gateway: Gateway,
    /// `stv1`, `stv2`, `stv2.1`.
    pub platform: String,
    /// The oldest API version that the service answers; none: any.
    pub min_api_version: Option<String>,
    /// Of the management and the developer portal: type and hostname, such as `DeveloperPortal: portal.contoso.com`.
    pub portals: BTreeMap<String, String>,
    /// `Completed`, `InProgress`, `Failed`: of the certificates of its hostnames.
    pub certificate_status: String,
    /// Dependencies that the service cannot reach, and must.
    pub network_failures: Vec<String>,
    /// What the activity log says was changed in it.
    pub changed: Vec<Changed>,
}

/// A change before the world began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changed {
    /// Below the service: `apis/orders`; empty: the service itself.
    pub what: String,
    /// `write`, `delete`, `regenerateKey/action`.
    pub operation: String,
    #[serde(with = "span")]
    pub ago: Duration,
    pub by: String,
}

/// What Azure says of a service's gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gateway {
    Named,
    /// No URL of it.
    Unnamed,
    /// A URL whose name no resolver knows.
    Unresolvable,
}

impl Default for Condition {
    fn default() -> Self {
        Self {
            state: "Succeeded".to_owned(),
            deleted: false,
            gateway: Gateway::Named,
            platform: "stv2".to_owned(),
            min_api_version: None,
            portals: BTreeMap::new(),
            certificate_status: "Completed".to_owned(),
            network_failures: Vec::new(),
            changed: Vec::new(),
        }
    }
}

/// Who may reach the account, and where a copy of it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reach {
    /// Public network access.
    pub public: bool,
    /// The firewall lets nobody in but those below.
    pub firewall: bool,
    /// It lets trusted Azure services in.
    pub trusted_services: bool,
    /// `Standard_ZRS`, `Standard_RAGRS`, …
    pub sku: String,
    /// Where the copy of a geo-redundant account is.
    pub secondary: Option<String>,
    /// How far behind the copy is.
    #[serde(with = "span")]
    pub lag: Duration,
    /// Its primary region answers.
    pub available: bool,
}

impl Default for Reach {
    fn default() -> Self {
        Self {
            public: true,
            firewall: false,
            trusted_services: true,
            sku: "Standard_ZRS".to_owned(),
            secondary: None,
            lag: Duration::from_mins(10),
            available: true,
        }
    }
}

/// What the simulated client may do, what is locked, who holds which role, and what is left of ARM's budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Authorization {
    pub actions: Vec<String>,
    pub not_actions: Vec<String>,
    pub data_actions: Vec<String>,
    pub not_data_actions: Vec<String>,
    pub locks: Vec<Lock>,
    /// Of the services' identities.
    pub roles: Vec<Role>,
    /// `x-ms-ratelimit-remaining-subscription-reads`.
    pub reads_left: u32,
    /// `x-ms-ratelimit-remaining-subscription-writes`.
    pub writes_left: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    pub name: String,
    pub level: LockLevel,
    /// Name of a resource or of a resource group; `subscription` is the subscription.
    pub on: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockLevel {
    ReadOnly,
    CannotDelete,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Name of the service that holds it.
    pub holder: String,
    /// Its built-in name: `Storage Blob Data Contributor`.
    pub role: String,
    /// As of a lock: the account, a group, or `subscription`.
    pub on: String,
}

impl Default for Authorization {
    fn default() -> Self {
        let everything = || vec!["*".to_owned()];
        let role = |holder: &str| Role {
            holder: holder.to_owned(),
            role: "Storage Blob Data Contributor".to_owned(),
            on: "stcontosodr".to_owned(),
        };
        Self {
            actions: everything(),
            not_actions: Vec::new(),
            data_actions: everything(),
            not_data_actions: Vec::new(),
            locks: Vec::new(),
            roles: vec![role("apim-contoso-west"), role("apim-contoso-east")],
            reads_left: 249,
            writes_left: 199,
        }
    }
}
