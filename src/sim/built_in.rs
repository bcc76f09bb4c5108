//! The built-in scenario: West Europe is lost. `examples/scenario.yaml` says the same, key by key.

use std::{collections::BTreeMap, time::Duration};

use super::condition::{Authorization, Condition, Reach};
use super::pools::{FrontDoor, TrafficManager};
use super::private_zone::PrivateZone;
use super::scenario::{
    Api, Backups, Cname, Content, Identity, NameService, Region, RetryAfter, SCENARIO_VERSION, Scenario, Service,
    Storage, Trap, TrapKind, Vault, VirtualNetwork, Zone,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

impl Default for Scenario {
    fn default() -> Self {
        Self {
            version: SCENARIO_VERSION,
            seed: 1,
            region: Region::Lost,
            subscription: "00000000-0000-0000-0000-000000000001".to_owned(),
            tenant: "00000000-0000-0000-0000-00000000000a".to_owned(),
            active: Service::built_in_active(),
            standby: Service::built_in_standby(),
            storage: Storage::default(),
            vault: Vault::default(),
            backups: Backups::default(),
            zone: Zone::default(),
            private_zone: PrivateZone::default(),
            traffic_manager: TrafficManager::default(),
            front_door: FrontDoor::default(),
            dns: NameService::default(),
            groups: BTreeMap::new(),
            authorization: Authorization::default(),
            token_lifetime: HOUR,
            latency: 40 * Duration::from_millis(1),
            restore_duration: 45 * MINUTE,
            duration_spread: 0.0,
            backup_duration: 10 * MINUTE,
            refusal_after: MINUTE,
            retry_after: RetryAfter::Simulated,
            list_page: 100,
            faults: Vec::new(),
        }
    }
}

impl Service {
    /// `apim-contoso-west`: the one that is lost.
    pub fn built_in_active() -> Self {
        Self {
            name: "apim-contoso-west".to_owned(),
            group: "rg-apim-west".to_owned(),
            location: "West Europe".to_owned(),
            tier: "Premium".to_owned(),
            capacity: 2,
            identity: Identity::SystemAssigned,
            hostnames: vec!["api.contoso.com".to_owned(), "api-drill.contoso.com".to_owned()],
            certificate_validity: 200 * DAY,
            workspaces: Vec::new(),
            content: Content {
                apis: [("orders", "orders"), ("payments", "payments"), ("catalog", "catalog/v2")]
                    .map(|(name, path)| Api { name: name.to_owned(), path: path.to_owned(), ..Api::default() })
                    .to_vec(),
                products: texts(&["partners", "internal"]),
                subscriptions: texts(&["master", "partner-fabrikam", "partner-northwind", "internal-web"]),
                named_values: texts(&["backend-url", "jwt-issuer", "rate-limit"]),
            },
            ca_certificates: texts(&["CN=Contoso Internal Root CA"]),
            custom_properties: ["Tls10", "Tls11"]
                .map(|name| {
                    (
                        format!("Microsoft.WindowsAzure.ApiManagement.Gateway.Security.Protocols.{name}"),
                        "False".to_owned(),
                    )
                })
                .into(),
            virtual_network: VirtualNetwork::None,
            diagnostic_settings: texts(&["to-log-analytics"]),
            portal_revisions: 3,
            condition: Condition::default(),
        }
    }

    /// `apim-contoso-east`: the one that takes over. Empty until something is restored to it.
    pub fn built_in_standby() -> Self {
        Self {
            name: "apim-contoso-east".to_owned(),
            group: "rg-apim-east".to_owned(),
            location: "North Europe".to_owned(),
            content: Content { subscriptions: texts(&["master"]), ..Content::default() },
            ..Self::built_in_active()
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            account: "stcontosodr".to_owned(),
            group: "rg-dr".to_owned(),
            location: "North Europe".to_owned(),
            container: "apim-backups".to_owned(),
            shared_key: true,
            cors: false,
            page: 25,
            reach: Reach::default(),
        }
    }
}

impl Default for Vault {
    fn default() -> Self {
        Self {
            name: "kv-contoso-dr".to_owned(),
            location: "North Europe".to_owned(),
            readable: true,
            secrets: BTreeMap::from([("storage-key".to_owned(), None)]),
        }
    }
}

impl Default for Backups {
    fn default() -> Self {
        Self {
            count: 34,
            newest: 6 * HOUR,
            every: DAY,
            manifests: true,
            traps: vec![
                Trap { kind: TrapKind::Empty, age: 7 * HOUR },
                Trap { kind: TrapKind::Archived, age: 8 * HOUR },
                Trap { kind: TrapKind::Copying, age: 9 * HOUR },
            ],
        }
    }
}

impl Default for Zone {
    fn default() -> Self {
        let record = || Cname {
            target: "apim-contoso-west.azure-api.net".to_owned(),
            ttl: 300 * SECOND,
            metadata: BTreeMap::from([("owner".to_owned(), "platform-team".to_owned())]),
            alias: None,
        };
        Self {
            name: "contoso.com".to_owned(),
            group: "rg-dns".to_owned(),
            location: "North Europe".to_owned(),
            served: true,
            records: BTreeMap::from([("api".to_owned(), record()), ("api-drill".to_owned(), record())]),
        }
    }
}

impl Default for NameService {
    fn default() -> Self {
        Self {
            name_servers: texts(&[
                "ns1-07.azure-dns.com",
                "ns2-07.azure-dns.net",
                "ns3-07.azure-dns.org",
                "ns4-07.azure-dns.info",
            ]),
            lag: 2 * SECOND,
            resolvers: 2,
            delegated_to: Vec::new(),
            hides_delegation: false,
            unknown: Vec::new(),
        }
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
