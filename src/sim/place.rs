//! Sites that point at a simulated world, with values for the parameters of `apim-failover`.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};

use super::{
    names::{self, Server},
    scenario::Scenario,
    state::Listening,
    world::World,
};
use crate::site::{Cloud, Credential, Endpoints, SecretReference, Site, SiteDns};

const SCOPE: &str = "https://management.azure.com/.default";

impl World {
    /// A site for use inside the process: `Credential::Simulated`, endpoints as in the public cloud, and name
    /// servers that are found through the zone, as in the public cloud.
    pub fn site(&self) -> Site {
        Site {
            cloud: Cloud::Public,
            endpoints: Endpoints {
                resource_manager: "https://management.azure.com".to_owned(),
                scope: SCOPE.to_owned(),
                authority: "https://login.microsoftonline.com".to_owned(),
                blob: "https://{account}.blob.core.windows.net".to_owned(),
                key_vault: "https://{vault}.vault.azure.net".to_owned(),
            },
            credential: Credential::Simulated,
            ca_certificates: vec![self.ca_certificate().to_owned()],
            dns: SiteDns { resolvers: self.panel(), authoritative: BTreeMap::new() },
            state: None,
            state_credential: None,
            approval: None,
            notify: Vec::new(),
            rehearsal: None,
            parameters: parameters(&self.scenario),
            simulated: None,
        }
    }

    /// A site for clients that come over sockets.
    pub(super) fn listening_site(&self, listening: &Listening, token_file: &Path) -> Site {
        let servers = 0..self.scenario.dns.name_servers.len();
        let servers = servers.map(|place| names::address(Some(listening), Server::Authoritative(place))).collect();
        let http = format!("http://127.0.0.1:{}", listening.http);
        Site {
            cloud: Cloud::Custom,
            endpoints: Endpoints {
                blob: format!("{http}/{{account}}"),
                key_vault: format!("{http}/{{vault}}"),
                resource_manager: http,
                scope: SCOPE.to_owned(),
                authority: format!("https://127.0.0.1:{}", listening.https),
            },
            credential: Credential::Token(SecretReference::File(token_file.to_owned())),
            ca_certificates: vec![self.ca_certificate().to_owned()],
            dns: SiteDns {
                resolvers: self.panel(),
                authoritative: BTreeMap::from([(self.scenario.zone.name.clone(), servers)]),
            },
            state: None,
            state_credential: None,
            approval: None,
            notify: Vec::new(),
            rehearsal: None,
            parameters: parameters(&self.scenario),
            simulated: self.shared_clock(),
        }
    }
}

fn parameters(scenario: &Scenario) -> BTreeMap<String, Value> {
    let id = |group: &str, kind: &str, name: &str| {
        json!(format!("/subscriptions/{}/resourceGroups/{group}/providers/{kind}/{name}", scenario.subscription))
    };
    let service = "Microsoft.ApiManagement/service";
    let (active, standby, storage, zone) = (&scenario.active, &scenario.standby, &scenario.storage, &scenario.zone);
    let private = &scenario.private_zone;
    // The name that users call: the record that the first custom hostname is.
    let record = active.hostnames.iter().find_map(|host| host.strip_suffix(&format!(".{}", zone.name)));
    let mut parameters = BTreeMap::from([
        ("active".to_owned(), id(&active.group, service, &active.name)),
        ("standby".to_owned(), id(&standby.group, service, &standby.name)),
        ("storage".to_owned(), id(&storage.group, "Microsoft.Storage/storageAccounts", &storage.account)),
        ("container".to_owned(), json!(storage.container)),
        ("zone".to_owned(), id(&zone.group, "Microsoft.Network/dnsZones", &zone.name)),
        ("private_zone".to_owned(), id(&private.group, "Microsoft.Network/privateDnsZones", &private.name)),
        ("record".to_owned(), json!(record.unwrap_or("api"))),
    ]);
    let (traffic, front) = (&scenario.traffic_manager, &scenario.front_door);
    if let Some(name) = production(&traffic.profiles) {
        let profile = id(&traffic.group, "Microsoft.Network/trafficManagerProfiles", name);
        parameters.insert("traffic_manager".to_owned(), profile);
    }
    if let Some(name) = production(&front.profiles) {
        parameters.insert("front_door".to_owned(), id(&front.group, "Microsoft.Cdn/profiles", name));
    }
    parameters
}

/// The first by name that is not for drills.
fn production<T>(profiles: &BTreeMap<String, T>) -> Option<&str> {
    let mut names = profiles.keys().map(String::as_str);
    names.find(|name| !name.ends_with("-drill"))
}
