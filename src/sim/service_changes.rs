//! What a scenario file says of one of the two services: only what differs from the built-in one.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Deserializer};

use super::{
    condition::Condition,
    scenario::{Content, Identity, Service, VirtualNetwork},
};
use crate::runbook::span;

/// What a file may say of a service; the rest stays as it is in the built-in scenario.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceChanges {
    name: Option<String>,
    group: Option<String>,
    location: Option<String>,
    tier: Option<String>,
    capacity: Option<u32>,
    identity: Option<Identity>,
    hostnames: Option<Vec<String>>,
    #[serde(default, with = "span::optional")]
    certificate_validity: Option<Duration>,
    workspaces: Option<Vec<String>>,
    content: Option<Content>,
    ca_certificates: Option<Vec<String>>,
    custom_properties: Option<BTreeMap<String, String>>,
    virtual_network: Option<VirtualNetwork>,
    diagnostic_settings: Option<Vec<String>>,
    portal_revisions: Option<u32>,
    condition: Option<Condition>,
}

impl ServiceChanges {
    fn onto(self, service: Service) -> Service {
        Service {
            name: self.name.unwrap_or(service.name),
            group: self.group.unwrap_or(service.group),
            location: self.location.unwrap_or(service.location),
            tier: self.tier.unwrap_or(service.tier),
            capacity: self.capacity.unwrap_or(service.capacity),
            identity: self.identity.unwrap_or(service.identity),
            hostnames: self.hostnames.unwrap_or(service.hostnames),
            certificate_validity: self.certificate_validity.unwrap_or(service.certificate_validity),
            workspaces: self.workspaces.unwrap_or(service.workspaces),
            content: self.content.unwrap_or(service.content),
            ca_certificates: self.ca_certificates.unwrap_or(service.ca_certificates),
            custom_properties: self.custom_properties.unwrap_or(service.custom_properties),
            virtual_network: self.virtual_network.unwrap_or(service.virtual_network),
            diagnostic_settings: self.diagnostic_settings.unwrap_or(service.diagnostic_settings),
            portal_revisions: self.portal_revisions.unwrap_or(service.portal_revisions),
            condition: self.condition.unwrap_or(service.condition),
        }
    }
}

pub(super) fn active<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Service, D::Error> {
    Ok(ServiceChanges::deserialize(deserializer)?.onto(Service::built_in_active()))
}

pub(super) fn standby<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Service, D::Error> {
    Ok(ServiceChanges::deserialize(deserializer)?.onto(Service::built_in_standby()))
}
