//! Arguments of what moves names and watches them move.

use std::time::Duration;

use serde::Deserialize;

use super::{any_dns_zone, dns_zone, hostname, not_empty};
use crate::runbook::{ResourceId, span};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetTtl {
    #[serde(deserialize_with = "dns_zone")]
    pub zone: ResourceId,
    #[serde(deserialize_with = "not_empty")]
    pub record: String,
    #[serde(with = "span")]
    pub ttl: Duration,
}

/// Of `dns.flip-cname` and `private-dns.flip-cname`: the zone's own type tells which.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlipCname {
    #[serde(deserialize_with = "any_dns_zone")]
    pub zone: ResourceId,
    #[serde(deserialize_with = "not_empty")]
    pub record: String,
    #[serde(deserialize_with = "hostname")]
    pub target: String,
    #[serde(default, with = "span::optional")]
    pub ttl: Option<Duration>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyPropagation {
    #[serde(deserialize_with = "dns_zone")]
    pub zone: ResourceId,
    #[serde(deserialize_with = "not_empty")]
    pub record: String,
    #[serde(deserialize_with = "hostname")]
    pub target: String,
    #[serde(default = "VerifyPropagation::interval", with = "span")]
    pub interval: Duration,
    #[serde(default = "VerifyPropagation::drain")]
    pub drain: bool,
}

impl VerifyPropagation {
    fn interval() -> Duration {
        Duration::from_secs(5)
    }

    fn drain() -> bool {
        true
    }
}
