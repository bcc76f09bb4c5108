//! Scenarios: the world as it is when the simulator starts, and what goes wrong in it.
//!
//! Pure: text or Rust in, data out. Every key has a default, so a scenario file says only what differs from
//! the built-in world: West Europe is lost, the standby in North Europe is ready, backups are nightly.
//! Never reads a clock: all times are relative to the start of the world.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    condition::{Authorization, Condition, Reach},
    fault::Fault,
    pools::{FrontDoor, TrafficManager},
    private_zone::PrivateZone,
    service_changes,
};
use crate::runbook::span;

/// Format of scenario files. 1: the first.
pub const SCENARIO_VERSION: u32 = 1;
/// Longest scenario file that is read. The built-in one is below 4 KiB.
pub const LONGEST_SCENARIO: usize = 1 << 20;

/// A scenario that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ScenarioError {
    /// Lower-case fragment; ends with `at line …, column …` where the place is known.
    pub message: String,
    /// Counted from 1.
    pub line: Option<u64>,
    /// Counted from 1.
    pub column: Option<u64>,
}

/// The world at its start, and its faults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    pub version: u32,
    /// Everything random is drawn from it.
    pub seed: u64,
    /// What has become of the region of the active service.
    pub region: Region,
    pub subscription: String,
    pub tenant: String,
    #[serde(deserialize_with = "service_changes::active")]
    pub active: Service,
    #[serde(deserialize_with = "service_changes::standby")]
    pub standby: Service,
    pub storage: Storage,
    pub vault: Vault,
    pub backups: Backups,
    pub zone: Zone,
    pub private_zone: PrivateZone,
    pub traffic_manager: TrafficManager,
    pub front_door: FrontDoor,
    pub dns: NameService,
    /// Resource groups whose own metadata is elsewhere than what is in them.
    pub groups: BTreeMap<String, String>,
    pub authorization: Authorization,
    /// How long an access token is good for.
    #[serde(with = "span")]
    pub token_lifetime: Duration,
    /// Between a request and its answer.
    #[serde(with = "span")]
    pub latency: Duration,
    #[serde(with = "span")]
    pub restore_duration: Duration,
    /// Standard deviation of the logarithm of how long a restore or a backup takes; 0: always the same.
    pub duration_spread: f64,
    #[serde(with = "span")]
    pub backup_duration: Duration,
    /// How long Azure looks at a restore before it refuses it.
    #[serde(with = "span")]
    pub refusal_after: Duration,
    pub retry_after: RetryAfter,
    /// Most items in one page of a list of what a service holds.
    pub list_page: usize,
    pub faults: Vec<Fault>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Region {
    Lost,
    Alive,
}

/// Which seconds a `Retry-After` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryAfter {
    /// Simulated ones: for clients that share the simulator's clock, as `lifeboat` does.
    Simulated,
    /// Scaled down by the speed, at least 1: for clients that know nothing of it, such as `az`.
    Real,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Identity {
    None,
    SystemAssigned,
    UserAssigned,
    Both,
}

/// An API Management service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub name: String,
    pub group: String,
    /// Display form: `North Europe`.
    pub location: String,
    /// `Developer`, `Basic`, `Standard`, `Premium`, `StandardV2`, …
    pub tier: String,
    pub capacity: u32,
    pub identity: Identity,
    /// Custom gateway hostnames. Services that share a name share its certificate.
    pub hostnames: Vec<String>,
    /// How long the certificates of the custom hostnames are still good for.
    #[serde(with = "span")]
    pub certificate_validity: Duration,
    pub workspaces: Vec<String>,
    pub content: Content,
    /// Subjects of the authorities that it trusts beside the public ones.
    #[serde(default)]
    pub ca_certificates: Vec<String>,
    /// Protocols and ciphers.
    #[serde(default)]
    pub custom_properties: BTreeMap<String, String>,
    #[serde(default)]
    pub virtual_network: VirtualNetwork,
    /// Names of its diagnostic settings in Azure Monitor.
    #[serde(default)]
    pub diagnostic_settings: Vec<String>,
    /// How often the developer portal was published.
    #[serde(default)]
    pub portal_revisions: u32,
    #[serde(default)]
    pub condition: Condition,
}

/// How a service stands in a virtual network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VirtualNetwork {
    #[default]
    None,
    External,
    Internal,
}

/// What a backup holds and a restore brings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Content {
    pub apis: Vec<Api>,
    pub products: Vec<String>,
    pub subscriptions: Vec<String>,
    pub named_values: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    pub name: String,
    /// First segments of its URLs, without slashes at the ends.
    pub path: String,
    /// Refuses whoever comes without the key of a subscription.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub subscription_required: bool,
    /// What it answers with, besides its own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// The account that holds the backups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    pub account: String,
    pub group: String,
    pub location: String,
    pub container: String,
    pub shared_key: bool,
    /// A CORS rule on the blob service breaks backup and restore.
    pub cors: bool,
    /// Most blobs in one page of a listing, whatever `maxresults` says.
    pub page: usize,
    pub reach: Reach,
}

/// The key vault that can hold the account's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Vault {
    pub name: String,
    pub location: String,
    /// Whether the caller may read secrets.
    pub readable: bool,
    /// Names and values. None: the first key of the storage account.
    pub secrets: BTreeMap<String, Option<String>>,
}

/// Backups that exist at the start; each has a manifest beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backups {
    pub count: u32,
    /// Age of the newest.
    #[serde(with = "span")]
    pub newest: Duration,
    #[serde(with = "span")]
    pub every: Duration,
    pub manifests: bool,
    /// Blobs that look like newer backups and cannot be restored.
    pub traps: Vec<Trap>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trap {
    pub kind: TrapKind,
    #[serde(with = "span")]
    pub age: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrapKind {
    /// Zero bytes long.
    Empty,
    /// In the archive tier.
    Archived,
    /// A copy into it has not ended.
    Copying,
}

/// The public DNS zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Zone {
    pub name: String,
    pub group: String,
    /// Where the resource group's own metadata is.
    pub location: String,
    /// The resource manager names its name servers.
    pub served: bool,
    pub records: BTreeMap<String, Cname>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cname {
    /// Empty: the set holds no record.
    pub target: String,
    #[serde(with = "span")]
    pub ttl: Duration,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// An alias record set: the resource it stands for. It has no literal target then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
}

/// Name servers of the zone, and resolvers that cache what they say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NameService {
    pub name_servers: Vec<String>,
    /// Between a write and the answers of the name servers.
    #[serde(with = "span")]
    pub lag: Duration,
    /// How many caching resolvers the panel has.
    pub resolvers: usize,
    /// Name servers that the domain is delegated to; empty: those of the zone.
    pub delegated_to: Vec<String>,
    /// Resolvers answer no question for name servers.
    pub hides_delegation: bool,
    /// Name servers whose address no resolver knows.
    pub unknown: Vec<String>,
}

impl Scenario {
    /// Reads a scenario file: YAML, unknown keys are errors, absent keys are as in the built-in scenario.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        if text.len() > LONGEST_SCENARIO {
            return Err(ScenarioError::plain(format!("the scenario is longer than {LONGEST_SCENARIO} bytes")));
        }
        let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
        let scenario: Self = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let place = error.location();
            ScenarioError {
                message: error.to_string(),
                line: place.map(|place| place.line()),
                column: place.map(|place| place.column()),
            }
        })?;
        scenario.checked()
    }

    /// The same world with its active region alive.
    pub fn alive() -> Self {
        Self { region: Region::Alive, ..Self::default() }
    }

    fn checked(self) -> Result<Self, ScenarioError> {
        if self.version != SCENARIO_VERSION {
            return Err(ScenarioError::plain(format!(
                "scenario version {} is not known; this program reads version {SCENARIO_VERSION}",
                self.version
            )));
        }
        for (place, fault) in self.faults.iter().enumerate() {
            fault.check(&self).map_err(|what| ScenarioError::plain(format!("fault {}: {what}", place + 1)))?;
        }
        for api in [&self.active, &self.standby].into_iter().flat_map(|service| &service.content.apis) {
            api.check().map_err(ScenarioError::plain)?;
        }
        let wrong = [
            (self.active.name == self.standby.name, "`active` and `standby` have the same name"),
            (self.dns.name_servers.is_empty(), "`dns.name_servers` is empty"),
            (self.dns.name_servers.len() > 50, "more than 50 name servers"),
            (!(1..=50).contains(&self.dns.resolvers), "`dns.resolvers` must be 1 to 50"),
            (self.storage.page == 0, "`storage.page` must be at least 1"),
            (self.list_page == 0, "`list_page` must be at least 1"),
            (self.backups.count > 5000, "more than 5000 backups"),
            (self.token_lifetime < Duration::from_mins(1), "`token_lifetime` must be at least 1m"),
        ];
        match wrong.into_iter().find(|(holds, _)| *holds) {
            Some((_, message)) => Err(ScenarioError::plain(message.to_owned())),
            None => Ok(self),
        }
    }
}

impl Api {
    fn check(&self) -> Result<(), String> {
        let fits = |(name, value): (&String, &String)| {
            http::HeaderName::try_from(name.as_str()).is_ok() && http::HeaderValue::try_from(value.as_str()).is_ok()
        };
        match self.headers.iter().find(|header| !fits(*header)) {
            Some((name, _)) => Err(format!("api `{}`: `{name}` and its value are no header", self.name)),
            None => Ok(()),
        }
    }
}

impl ScenarioError {
    fn plain(message: String) -> Self {
        Self { message, line: None, column: None }
    }
}
