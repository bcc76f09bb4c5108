//! Pools that spread traffic, as a scenario has them and as the world remembers them: Traffic Manager's profiles with
//! their endpoints, Front Door's profiles with the origins of one group. Data only.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::runbook::span;

/// Traffic Manager's profiles, by name. The DNS name of each is its own name below `trafficmanager.net`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrafficManager {
    pub group: String,
    /// Where the resource group's own metadata is.
    pub location: String,
    pub profiles: BTreeMap<String, TrafficProfile>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrafficProfile {
    #[serde(with = "span")]
    pub ttl: Duration,
    #[serde(default = "yes")]
    pub enabled: bool,
    pub endpoints: BTreeMap<String, PoolMember>,
}

/// Front Door's profiles, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FrontDoor {
    pub group: String,
    /// Where the resource group's own metadata is.
    pub location: String,
    /// How long a change of an origin goes on; zero: it is answered by 200 at once.
    #[serde(with = "span")]
    pub update_duration: Duration,
    pub profiles: BTreeMap<String, FrontDoorProfile>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrontDoorProfile {
    pub origin_group: String,
    pub origins: BTreeMap<String, PoolMember>,
}

/// An endpoint or an origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolMember {
    pub target: String,
    pub enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    pub weight: u32,
    /// What Traffic Manager's probes say while it is enabled; absent: what they would see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
}

/// What of a member changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    pub enabled: bool,
    pub priority: Option<u32>,
    pub weight: u32,
}

/// What the world remembers. By names in lower case, with a slash between.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Pools {
    /// `profile/endpoint`.
    pub endpoints: BTreeMap<String, Setting>,
    /// `profile/origin`.
    pub origins: BTreeMap<String, Setting>,
    pub updates: Vec<Update>,
}

/// A change of an origin that Front Door has accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Update {
    pub id: String,
    /// `profile/origin`.
    pub origin: String,
    pub to: Setting,
    /// None: it never ends.
    pub ends: Option<Timestamp>,
    /// Code and message, when that is what it comes to.
    pub failure: Option<(String, String)>,
    pub ended: bool,
    /// Its URL is not found any more.
    pub lost: bool,
}

fn yes() -> bool {
    true
}

impl Default for TrafficManager {
    fn default() -> Self {
        let profile = || TrafficProfile { ttl: Duration::from_mins(1), enabled: true, endpoints: members() };
        Self {
            group: "rg-traffic".to_owned(),
            location: "North Europe".to_owned(),
            profiles: ["tm-contoso-api", "tm-contoso-drill"].map(|name| (name.to_owned(), profile())).into(),
        }
    }
}

impl Default for FrontDoor {
    fn default() -> Self {
        let profile = || FrontDoorProfile { origin_group: "apim".to_owned(), origins: members() };
        Self {
            group: "rg-traffic".to_owned(),
            location: "North Europe".to_owned(),
            update_duration: Duration::from_secs(90),
            profiles: ["afd-contoso", "afd-contoso-drill"].map(|name| (name.to_owned(), profile())).into(),
        }
    }
}

/// West takes all the traffic; east stands by, switched off.
fn members() -> BTreeMap<String, PoolMember> {
    let member = |target: &str, enabled, priority| PoolMember {
        target: target.to_owned(),
        enabled,
        priority: Some(priority),
        weight: 1000,
        health: None,
    };
    BTreeMap::from([
        ("east".to_owned(), member("apim-contoso-east.azure-api.net", false, 2)),
        ("west".to_owned(), member("apim-contoso-west.azure-api.net", true, 1)),
    ])
}

impl PoolMember {
    fn setting(&self) -> Setting {
        Setting { enabled: self.enabled, priority: self.priority, weight: self.weight }
    }
}

impl Pools {
    pub fn new(traffic_manager: &TrafficManager, front_door: &FrontDoor) -> Self {
        let mut pools = Self::default();
        for (profile, spec) in &traffic_manager.profiles {
            let settings = spec.endpoints.iter().map(|(name, member)| (key(profile, name), member.setting()));
            pools.endpoints.extend(settings);
        }
        for (profile, spec) in &front_door.profiles {
            let settings = spec.origins.iter().map(|(name, member)| (key(profile, name), member.setting()));
            pools.origins.extend(settings);
        }
        pools
    }
}

pub(super) fn key(profile: &str, member: &str) -> String {
    format!("{profile}/{member}").to_ascii_lowercase()
}
