//! Azure DNS, public and private: the zone and one CNAME record. The zone's own type tells which of both is meant.
//!
//! ```text
//!            api-version  keys of a record set                      besides
//!  public    2018-05-01   TTL  CNAMERecord  (odd, but so)  metadata  targetResource: an alias
//!  private   2024-06-01   ttl  cnameRecord                 metadata  isAutoRegistered: Azure's own, of a machine
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::runbook::{ResourceId, catalog::PRIVATE_DNS_ZONE};

use super::{Arm, AzureError, AzureErrorKind, Reply};

/// Newest stable of public zones (azure-facts 2.1).
pub const API_VERSION: &str = "2018-05-01";
/// Newest stable of private zones (azure-facts 2.2).
pub const PRIVATE_API_VERSION: &str = "2024-06-01";

pub fn is_private(zone: &ResourceId) -> bool {
    zone.is_of(PRIVATE_DNS_ZONE)
}

fn api_version(zone: &ResourceId) -> &'static str {
    if is_private(zone) { PRIVATE_API_VERSION } else { API_VERSION }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    pub name: String,
    /// Without the trailing dot, lower case. Empty for a private zone, which only its networks can ask.
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
    /// Azure writes it for a virtual machine and takes it away again.
    pub auto_registered: bool,
}

pub async fn zone(arm: &Arm, id: &ResourceId) -> Result<Zone, AzureError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Properties {
        name_servers: Option<Vec<String>>,
    }
    #[derive(Deserialize)]
    struct Body {
        name: Option<String>,
        properties: Option<Properties>,
    }
    let body: Body = arm.get(arm.url(id, "", api_version(id))).await?.read("the DNS zone")?;
    let name_servers = body.properties.and_then(|properties| properties.name_servers).unwrap_or_default();
    Ok(Zone {
        name: body.name.unwrap_or_else(|| id.name().to_owned()),
        name_servers: name_servers.iter().map(|server| plain(server)).collect(),
    })
}

pub async fn cname(arm: &Arm, zone: &ResourceId, record: &str) -> Result<CnameRecord, AzureError> {
    stored(arm.get(cname_url(arm, zone, record)).await?, record)
}

pub fn cname_url(arm: &Arm, zone: &ResourceId, record: &str) -> Url {
    arm.url_below(zone, &["CNAME", record], api_version(zone))
}

/// What a PUT sends: the whole set, since a PUT replaces it. An alias and a literal name never stand together.
pub fn cname_body(zone: &ResourceId, record: &CnameRecord) -> Value {
    let (ttl, cname_record) = if is_private(zone) { ("ttl", "cnameRecord") } else { ("TTL", "CNAMERecord") };
    let mut properties = json!({ ttl: record.ttl, "metadata": record.metadata });
    match (&record.cname, &record.alias) {
        (Some(cname), _) => properties[cname_record] = json!({ "cname": cname }),
        (None, Some(alias)) => properties["targetResource"] = json!({ "id": alias }),
        (None, None) => {}
    }
    json!({ "properties": properties })
}

/// What a PATCH sends: only what decides where traffic goes. None: the target stays.
pub fn cname_patch(zone: &ResourceId, target: Option<&str>, ttl: u32) -> Value {
    let record = CnameRecord { cname: target.map(str::to_owned), ttl, ..CnameRecord::default() };
    let mut body = cname_body(zone, &record);
    if let Some(properties) = body["properties"].as_object_mut() {
        properties.remove("metadata");
    }
    body
}

/// Replaces the record set if it is still the one of `if_match`; gives it as it is now stored.
///
/// # Errors
/// A 412 with `repeated_unknown` may be to our own first attempt: read the record again.
pub async fn put_cname(
    arm: &Arm,
    zone: &ResourceId,
    record: &CnameRecord,
    if_match: &str,
) -> Result<CnameRecord, AzureError> {
    let url = cname_url(arm, zone, &record.name);
    stored(arm.put(url, &cname_body(zone, record), Some(if_match)).await?, &record.name)
}

#[derive(Deserialize)]
struct RecordSet {
    name: Option<String>,
    etag: Option<String>,
    properties: Option<Properties>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    // The newest preview and the private zones write it `ttl`.
    #[serde(rename = "TTL", alias = "ttl")]
    ttl: Option<u32>,
    fqdn: Option<String>,
    #[serde(rename = "CNAMERecord", alias = "cnameRecord")]
    cname_record: Option<Target>,
    metadata: Option<BTreeMap<String, Option<String>>>,
    target_resource: Option<Alias>,
    is_auto_registered: Option<bool>,
}

#[derive(Deserialize)]
struct Target {
    cname: Option<String>,
}

#[derive(Deserialize)]
struct Alias {
    id: Option<String>,
}

fn stored(reply: Reply, record: &str) -> Result<CnameRecord, AzureError> {
    let etag = reply.headers.get("etag").and_then(|etag| etag.to_str().ok()).map(str::to_owned);
    let set: RecordSet = reply.read("the record set")?;
    let properties = set.properties.ok_or_else(|| {
        AzureError::new(AzureErrorKind::Malformed, format!("the record set `{record}` has no properties"))
    })?;
    // A TTL of its own invention would be written back with the flip.
    let ttl = properties
        .ttl
        .ok_or_else(|| AzureError::new(AzureErrorKind::Malformed, format!("the record set `{record}` has no TTL")))?;
    let metadata = properties.metadata.unwrap_or_default();
    Ok(CnameRecord {
        name: set.name.unwrap_or_else(|| record.to_owned()),
        fqdn: properties.fqdn.as_deref().map(plain).unwrap_or_default(),
        etag: set.etag.or(etag),
        ttl,
        cname: properties.cname_record.and_then(|target| target.cname),
        metadata: metadata.into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect(),
        alias: properties.target_resource.and_then(|alias| alias.id),
        auto_registered: properties.is_auto_registered.unwrap_or(false),
    })
}

fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
