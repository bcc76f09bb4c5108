//! Public Azure DNS: the zone and one CNAME record. Key case is odd: `TTL`, `CNAMERecord`, but `metadata`.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use crate::runbook::ResourceId;

use super::{Arm, AzureError};

/// Newest stable (azure-facts 2.1).
pub const API_VERSION: &str = "2018-05-01";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    pub name: String,
    /// Without the trailing dot, lower case.
    pub name_servers: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CnameRecord {
    /// Relative: `api`.
    pub name: String,
    /// Without the trailing dot, lower case; empty in a record that is not stored yet.
    pub fqdn: String,
    pub etag: Option<String>,
    /// Seconds.
    pub ttl: u32,
    /// As stored. None: an alias, or an empty set.
    pub cname: Option<String>,
    pub metadata: BTreeMap<String, String>,
    /// `targetResource.id` of an alias record set.
    pub alias: Option<String>,
}

pub async fn zone(_arm: &Arm, _id: &ResourceId) -> Result<Zone, AzureError> {
    unimplemented!("first commit")
}

pub async fn cname(_arm: &Arm, _zone: &ResourceId, _record: &str) -> Result<CnameRecord, AzureError> {
    unimplemented!("first commit")
}

pub fn cname_url(_arm: &Arm, _zone: &ResourceId, _record: &str) -> Url {
    unimplemented!("first commit")
}

/// What a PUT sends: the whole set, since a PUT replaces it.
pub fn cname_body(_record: &CnameRecord) -> Value {
    unimplemented!("first commit")
}

/// Replaces the record set if it is still the one of `if_match`; gives it as it is now stored.
pub async fn put_cname(
    _arm: &Arm,
    _zone: &ResourceId,
    _record: &CnameRecord,
    _if_match: &str,
) -> Result<CnameRecord, AzureError> {
    unimplemented!("first commit")
}
