//! The private DNS zone as a scenario has it. Data only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::scenario::{Cname, Zone};

/// The private DNS zone: served by the resource manager alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrivateZone {
    pub name: String,
    pub group: String,
    /// Where the resource group's own metadata is.
    pub location: String,
    pub records: BTreeMap<String, Cname>,
    /// Names of the records that Azure registered for virtual machines.
    pub auto_registered: Vec<String>,
}

impl Default for PrivateZone {
    fn default() -> Self {
        Self {
            name: "contoso.internal".to_owned(),
            group: "rg-network".to_owned(),
            location: "North Europe".to_owned(),
            records: Zone::default().records,
            auto_registered: Vec::new(),
        }
    }
}
