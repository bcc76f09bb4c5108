//! DNS: name servers of the zone, each a little behind what was written; resolvers that cache what they hear; and
//! the addresses of everything else that the simulated cloud has.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use jiff::SignedDuration;

use super::{
    condition::Gateway,
    exchange::Desk,
    fault::Act,
    state::{CachedName, Listening},
    traffic_manager,
};
use crate::net::{DnsAnswer, DnsRecord, RecordData, RecordKind, ResponseCode};

/// Of addresses, and of answers that a name does not exist.
const TTL: u32 = 60;
/// Of the zone's own NS and SOA records, as in Azure.
const APEX_TTL: u32 = 172_800;
const DNS_PORT: u16 = 53;

/// Resource manager, blobs and tokens in the world without sockets.
pub(super) const FRONT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

/// Names of the front besides those that the scenario makes: the cloud's own, and who vouches for clients.
const FRONT_HOSTS: [&str; 4] =
    ["management.azure.com", "login.microsoftonline.com", "dev.azure.com", "pipelines.actions.githubusercontent.com"];

/// Which server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// A name server of the zone, from 0.
    Authoritative(usize),
    /// From 0.
    Resolver(usize),
}

/// Where a server answers.
pub(super) fn address(listening: Option<&Listening>, server: Server) -> SocketAddr {
    let loopback = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let low = |place: usize| u8::try_from(place + 10).unwrap_or(u8::MAX);
    match (listening, server) {
        (Some(listening), Server::Authoritative(place)) => loopback(listening.name_servers[place]),
        (Some(listening), Server::Resolver(place)) => loopback(listening.resolvers[place]),
        (None, Server::Authoritative(place)) => (Ipv4Addr::new(198, 51, 100, low(place)), DNS_PORT).into(),
        (None, Server::Resolver(place)) => (Ipv4Addr::new(192, 0, 2, low(place)), DNS_PORT).into(),
    }
}

impl Desk<'_> {
    pub fn server_at(&self, address_asked: SocketAddr) -> Option<Server> {
        let listening = self.state.listening.as_ref();
        let named = (0..self.scenario.dns.name_servers.len()).map(Server::Authoritative);
        let mut all = named.chain((0..self.scenario.dns.resolvers).map(Server::Resolver));
        all.find(|server| address(listening, *server) == address_asked)
    }

    /// None: the server does not answer.
    pub fn ask(&mut self, server: Server, name: &str, kind: RecordKind) -> Option<DnsAnswer> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let lag = self.lag(server)?;
        Some(match server {
            Server::Authoritative(_) => self.authoritative(&name, kind, lag),
            Server::Resolver(place) => self.resolve(place, &name, kind, lag),
        })
    }

    /// How far behind a server is; none: it is down.
    fn lag(&self, server: Server) -> Option<Duration> {
        let (name, usual) = match server {
            Server::Authoritative(place) => (self.scenario.dns.name_servers[place].clone(), self.scenario.dns.lag),
            Server::Resolver(place) => (format!("resolver-{}", place + 1), Duration::ZERO),
        };
        let elapsed = Duration::try_from(self.now.duration_since(self.state.started)).unwrap_or_default();
        let mut lag = usual;
        for fault in self.scenario.faults.iter().filter(|fault| fault.is_in_season(elapsed)) {
            match &fault.act {
                Act::DnsServer(trouble) if trouble.server == name && trouble.down => return None,
                Act::DnsServer(trouble) if trouble.server == name => lag = lag.max(trouble.lag.unwrap_or_default()),
                _ => {}
            }
        }
        Some(lag)
    }

    /// Name relative to the zone; `@` for the zone itself; none: elsewhere.
    fn relative(&self, name: &str) -> Option<String> {
        let zone = self.scenario.zone.name.to_ascii_lowercase();
        if name == zone {
            return Some("@".to_owned());
        }
        name.strip_suffix(&zone).and_then(|rest| rest.strip_suffix('.')).map(str::to_owned)
    }

    fn authoritative(&self, name: &str, kind: RecordKind, lag: Duration) -> DnsAnswer {
        let answer = |records, code| DnsAnswer { records, authoritative: true, code };
        let Some(relative) = self.relative(name) else {
            return DnsAnswer { records: Vec::new(), authoritative: false, code: ResponseCode::Refused };
        };
        if relative == "@" {
            return answer(self.apex(name, kind), ResponseCode::NoError);
        }
        match self.written(&relative, lag) {
            Some((target, ttl)) => answer(vec![cname(name, &target, ttl)], ResponseCode::NoError),
            None => answer(Vec::new(), ResponseCode::NxDomain),
        }
    }

    /// Target and TTL of a record as a server sees it that is so far behind.
    fn written(&self, relative: &str, lag: Duration) -> Option<(String, u32)> {
        let lag = SignedDuration::try_from(lag).unwrap_or(SignedDuration::MAX);
        let moment = self.now.checked_sub(lag).unwrap_or(jiff::Timestamp::MIN);
        self.state.records.get(relative).and_then(|record| record.at(moment))
    }

    fn apex(&self, name: &str, kind: RecordKind) -> Vec<DnsRecord> {
        let record = |data| DnsRecord { name: name.to_owned(), ttl: APEX_TTL, data };
        let servers = &self.scenario.dns.name_servers;
        match kind {
            RecordKind::Ns => servers.iter().map(|server| record(RecordData::Ns(server.clone()))).collect(),
            RecordKind::Soa => {
                vec![record(RecordData::Other(format!(
                    "{}. azuredns-hostmaster.microsoft.com. 1 3600 300 2419200 300",
                    servers[0]
                )))]
            }
            RecordKind::A | RecordKind::Aaaa | RecordKind::Cname => Vec::new(),
        }
    }

    /// The apex as resolvers find it: from the parent zone they are sent to whomever the domain is delegated to.
    fn delegation(&self, name: &str, kind: RecordKind) -> Vec<DnsRecord> {
        let delegated = &self.scenario.dns.delegated_to;
        if kind != RecordKind::Ns || delegated.is_empty() {
            return self.apex(name, kind);
        }
        let record = |server: &String| DnsRecord {
            name: name.to_owned(),
            ttl: APEX_TTL,
            data: RecordData::Ns(server.trim_end_matches('.').to_ascii_lowercase()),
        };
        delegated.iter().map(record).collect()
    }

    /// What a resolver says: from its cache while that is fresh, else from the first name server that answers.
    fn resolve(&mut self, place: usize, name: &str, kind: RecordKind, overstay: Duration) -> DnsAnswer {
        let answer = |records, code| DnsAnswer { records, authoritative: false, code };
        let Some(relative) = self.relative(name) else {
            if let Some((target, ttl)) = traffic_manager::resolved(self, name) {
                let mut records = vec![cname(name, &target, ttl)];
                records.extend(self.elsewhere(&target, kind));
                return answer(records, ResponseCode::NoError);
            }
            let records = self.elsewhere(name, kind);
            let known = !records.is_empty() || !self.elsewhere(name, RecordKind::A).is_empty();
            return answer(records, if known { ResponseCode::NoError } else { ResponseCode::NxDomain });
        };
        if relative == "@" {
            if kind == RecordKind::Ns && self.scenario.dns.hides_delegation {
                return answer(Vec::new(), ResponseCode::Refused);
            }
            return answer(self.delegation(name, kind), ResponseCode::NoError);
        }
        let Some(cached) = self.cached(place, &relative, overstay) else {
            return answer(Vec::new(), ResponseCode::ServFail);
        };
        let Some((target, _)) = cached.answer else { return answer(Vec::new(), ResponseCode::NxDomain) };
        let left = u32::try_from(cached.expires.duration_since(self.now).as_secs().max(0)).unwrap_or(u32::MAX);
        let mut records = vec![cname(name, &target, left)];
        let target = target.trim_end_matches('.').to_ascii_lowercase();
        match kind {
            RecordKind::Cname => {}
            RecordKind::A | RecordKind::Aaaa | RecordKind::Ns | RecordKind::Soa => {
                records.extend(self.elsewhere(&target, kind));
            }
        }
        answer(records, ResponseCode::NoError)
    }

    /// None: no name server answers.
    fn cached(&mut self, place: usize, relative: &str, overstay: Duration) -> Option<CachedName> {
        let fresh = |cached: &&CachedName| cached.expires.saturating_add(overstay).is_ok_and(|end| end > self.now);
        if let Some(cached) = self.state.caches[place].get(relative).filter(fresh) {
            return Some(cached.clone());
        }
        let servers = self.scenario.dns.name_servers.len();
        let mut lags = (0..servers).map(|step| self.lag(Server::Authoritative((place + step) % servers)));
        let lag = lags.find_map(|lag| lag)?;
        let answer = self.written(relative, lag);
        let ttl = answer.as_ref().map_or(TTL, |(_, ttl)| *ttl);
        let expires = self.now.checked_add(SignedDuration::from_secs(i64::from(ttl))).unwrap_or(jiff::Timestamp::MAX);
        let cached = CachedName { answer, expires };
        self.state.caches[place].insert(relative.to_owned(), cached.clone());
        Some(cached)
    }

    /// The rest of the internet.
    fn elsewhere(&self, name: &str, kind: RecordKind) -> Vec<DnsRecord> {
        if kind != RecordKind::A {
            return Vec::new();
        }
        let address = self.host(name);
        let record = |address| DnsRecord { name: name.to_owned(), ttl: TTL, data: RecordData::Address(address) };
        address.map(record).into_iter().collect()
    }

    fn host(&self, name: &str) -> Option<IpAddr> {
        if self.scenario.dns.unknown.iter().any(|unknown| unknown.eq_ignore_ascii_case(name)) {
            return None;
        }
        let listening = self.state.listening.as_ref();
        let local = |address: Ipv4Addr| IpAddr::V4(if listening.is_some() { Ipv4Addr::LOCALHOST } else { address });
        let mut services = self.state.services.values();
        if let Some(service) = services.find(|it| it.gateway_host() == name || it.regional_host() == name) {
            let known = service.spec.condition.gateway != Gateway::Unresolvable;
            return known.then(|| local(service.address));
        }
        if let Some(place) = self.scenario.dns.name_servers.iter().position(|it| it.eq_ignore_ascii_case(name)) {
            return Some(address(listening, Server::Authoritative(place)).ip());
        }
        let front = FRONT_HOSTS.contains(&name)
            || name.strip_suffix(".blob.core.windows.net") == Some(&self.scenario.storage.account.to_ascii_lowercase())
            || name.strip_suffix(".vault.azure.net") == Some(&self.scenario.vault.name.to_ascii_lowercase());
        front.then(|| local(FRONT))
    }
}

fn cname(name: &str, target: &str, ttl: u32) -> DnsRecord {
    let target = target.trim_end_matches('.').to_ascii_lowercase();
    DnsRecord { name: name.to_owned(), ttl, data: RecordData::Cname(target) }
}
