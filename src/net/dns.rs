//! DNS: one question to one named server, or the addresses of a host.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use crate::sim::World;

pub use super::real_dns::RealDns;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    A,
    Aaaa,
    Cname,
    Ns,
    Soa,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordData {
    Address(IpAddr),
    /// Without the trailing dot, lower case.
    Cname(String),
    Ns(String),
    Other(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsRecord {
    /// Without the trailing dot, lower case.
    pub name: String,
    /// Seconds.
    pub ttl: u32,
    pub data: RecordData,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseCode {
    NoError,
    NxDomain,
    ServFail,
    Refused,
    Other(u16),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsAnswer {
    pub records: Vec<DnsRecord>,
    pub authoritative: bool,
    pub code: ResponseCode,
}

#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct DnsError(pub String);

#[derive(Clone, Debug)]
pub enum Dns {
    Real(RealDns),
    Simulated(Arc<World>),
}

impl Dns {
    /// Asks `server` and no other, over UDP and, when the answer is cut, over TCP. No cache, no search list.
    /// `recursion`: wanted of a resolver, not of an authoritative server.
    pub async fn ask(
        &self,
        server: SocketAddr,
        name: &str,
        kind: RecordKind,
        recursion: bool,
    ) -> Result<DnsAnswer, DnsError> {
        match self {
            Self::Real(real) => real.ask(server, name, kind, recursion).await,
            Self::Simulated(world) => world.dns(server, name, kind).await,
        }
    }

    /// Addresses of a host, through the site's resolvers when it names some, else through the system. Never empty.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        match self {
            Self::Real(real) => real.addresses(host).await,
            Self::Simulated(world) => world.addresses(host).await,
        }
    }

    /// The resolvers that users of this machine ask: the site's, else the system's.
    pub fn panel(&self) -> Vec<SocketAddr> {
        match self {
            Self::Real(real) => real.panel(),
            Self::Simulated(world) => world.panel(),
        }
    }
}
