//! The real DNS client: hickory's messages over our own sockets, one server at a time.
//!
//! Never caches, never uses a search list for a question to a named server, never takes an answer
//! from anybody but the server that was asked.

use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::LookupIpStrategy,
    net::runtime::TokioRuntimeProvider,
    proto::{
        op::{Message, MessageType, Query, ResponseCode as WireCode},
        rr::{Name, RData, RecordType},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
};

use crate::clock::Clock;

use super::dns::{DnsAnswer, DnsError, DnsRecord, RecordData, RecordKind, ResponseCode};

/// One exchange with one server. A healthy server answers within 100 ms from anywhere; 3 s allows for one that forwards.
const TIMEOUT: Duration = Duration::from_secs(3);
/// UDP loses packets; a second try tells a lost packet from a dead server.
const TRIES: u32 = 2;
/// A CNAME chain that a resolver leaves to us. Azure's own chains have four links.
const LONGEST_CHAIN: usize = 8;
/// Largest UDP answer without EDNS is 512 bytes; what is longer is cut and comes over TCP.
const UDP_BUFFER: usize = 4096;

/// hickory, without a cache.
#[derive(Clone, Debug)]
pub struct RealDns {
    /// The site's; empty: the system's configuration decides.
    resolvers: Vec<SocketAddr>,
    /// Why the system's configuration cannot be used, said when it is needed: a site of addresses never needs it.
    system: Arc<Result<System, String>>,
}

#[derive(Debug)]
struct System {
    resolver: TokioResolver,
    servers: Vec<SocketAddr>,
}

impl RealDns {
    /// `resolvers` empty: the system's configuration. Where that cannot be read, every look-up says so.
    ///
    /// # Errors
    /// A lower-case fragment: a resolver without a port.
    pub fn new(resolvers: Vec<SocketAddr>) -> Result<Self, String> {
        if let Some(wrong) = resolvers.iter().find(|server| server.port() == 0) {
            return Err(format!("the resolver {} has no port", wrong.ip()));
        }
        Ok(Self { system: Arc::new(system()), resolvers })
    }

    pub(super) async fn ask(
        &self,
        server: SocketAddr,
        name: &str,
        kind: RecordKind,
        recursion: bool,
    ) -> Result<DnsAnswer, DnsError> {
        let question = question(name, kind)?;
        let mut last = String::new();
        for _ in 0..TRIES {
            match within(TIMEOUT, exchange_udp(server, &question, recursion)).await {
                Ok(answer) if answer.metadata.truncation => {
                    return match within(TIMEOUT, exchange_tcp(server, &question, recursion)).await {
                        Ok(answer) => Ok(read(&answer)),
                        Err(error) => Err(DnsError(format!("{server} cut its answer and does not serve TCP: {error}"))),
                    };
                }
                Ok(answer) => return Ok(read(&answer)),
                Err(error) => last = error,
            }
        }
        Err(DnsError(format!("no answer from {server}: {last}")))
    }

    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        let host = host.trim_end_matches('.');
        if let Ok(address) = host.trim_matches(['[', ']']).parse() {
            return Ok(vec![address]);
        }
        // RFC 6761: never a question to a server.
        if host.eq_ignore_ascii_case("localhost") {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        if self.resolvers.is_empty() {
            return self.system_addresses(host).await;
        }
        let mut failures = Vec::new();
        for server in &self.resolvers {
            match self.addresses_from(*server, host).await {
                Ok(found) if !found.is_empty() => return Ok(found),
                Ok(_) => failures.push(format!("{server} knows no address")),
                Err(error) => failures.push(error.0),
            }
        }
        Err(DnsError(format!("`{host}` has no address: {}", failures.join("; "))))
    }

    pub(super) fn panel(&self) -> Vec<SocketAddr> {
        match self.system.as_ref() {
            Ok(system) if self.resolvers.is_empty() => system.servers.clone(),
            Ok(_) | Err(_) => self.resolvers.clone(),
        }
    }

    async fn system_addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        let system = self.system.as_ref().as_ref().map_err(|reason| DnsError(reason.clone()))?;
        let found = system.resolver.lookup_ip(host).await;
        let found = found.map_err(|error| DnsError(format!("`{host}` has no address: {error}")))?;
        let addresses: Vec<IpAddr> = found.iter().collect();
        if addresses.is_empty() { Err(DnsError(format!("`{host}` has no address"))) } else { Ok(addresses) }
    }

    /// IPv4 first: it is what every Azure endpoint has, and a broken IPv6 route costs time in an outage.
    async fn addresses_from(&self, server: SocketAddr, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        let (four, six) =
            tokio::join!(self.chase(server, host, RecordKind::A), self.chase(server, host, RecordKind::Aaaa),);
        match (four, six) {
            (Ok(mut four), Ok(six)) => {
                four.extend(six);
                Ok(four)
            }
            // A server that fails on AAAA and knows an A record is good enough, and the other way round.
            (Ok(found), Err(_)) | (Err(_), Ok(found)) if !found.is_empty() => Ok(found),
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }

    /// Follows aliases, also those that the server leaves to the one who asks.
    async fn chase(&self, server: SocketAddr, host: &str, kind: RecordKind) -> Result<Vec<IpAddr>, DnsError> {
        let mut name = host.to_ascii_lowercase();
        for _ in 0..LONGEST_CHAIN {
            let answer = self.ask(server, &name, kind, true).await?;
            let mut addresses = Vec::new();
            for record in &answer.records {
                match &record.data {
                    RecordData::Address(address) => addresses.push(*address),
                    RecordData::Cname(_) | RecordData::Ns(_) | RecordData::Other(_) => {}
                }
            }
            if !addresses.is_empty() {
                return Ok(addresses);
            }
            let end = end_of_chain(&name, &answer.records);
            if end == name {
                return match answer.code {
                    ResponseCode::NoError | ResponseCode::NxDomain => Ok(Vec::new()),
                    ResponseCode::ServFail | ResponseCode::Refused | ResponseCode::Other(_) => {
                        Err(DnsError(format!("{server} answered {:?} for `{name}`", answer.code)))
                    }
                };
            }
            name = end;
        }
        Err(DnsError(format!("`{host}` is an alias of more than {LONGEST_CHAIN} links")))
    }
}

fn end_of_chain(start: &str, records: &[DnsRecord]) -> String {
    let mut name = start;
    // As many steps as there are records: a loop among them ends.
    for _ in records {
        let next = records.iter().filter(|record| record.name == name).find_map(|record| match &record.data {
            RecordData::Cname(target) => Some(target.as_str()),
            RecordData::Address(_) | RecordData::Ns(_) | RecordData::Other(_) => None,
        });
        match next {
            Some(next) => name = next,
            None => break,
        }
    }
    name.to_owned()
}

fn system() -> Result<System, String> {
    let unusable = |error: &dyn std::fmt::Display| format!("the system's DNS configuration cannot be used: {error}");
    let (config, options) = hickory_resolver::system_conf::read_system_conf().map_err(|error| unusable(&error))?;
    let servers = config
        .name_servers()
        .iter()
        .filter_map(|server| Some(SocketAddr::new(server.ip, server.connections.first()?.port)))
        .collect();
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).with_options(options);
    builder.options_mut().cache_size = 0;
    builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    let resolver = builder.build().map_err(|error| unusable(&error))?;
    Ok(System { resolver, servers })
}

fn question(name: &str, kind: RecordKind) -> Result<Query, DnsError> {
    let mut parsed =
        Name::from_str(name).map_err(|error| DnsError(format!("`{name}` is not a domain name: {error}")))?;
    parsed.set_fqdn(true);
    let kind = match kind {
        RecordKind::A => RecordType::A,
        RecordKind::Aaaa => RecordType::AAAA,
        RecordKind::Cname => RecordType::CNAME,
        RecordKind::Ns => RecordType::NS,
        RecordKind::Soa => RecordType::SOA,
    };
    Ok(Query::query(parsed, kind))
}

/// A new id every time.
fn message(question: &Query, recursion: bool) -> Result<(u16, Vec<u8>), String> {
    let mut message = Message::query();
    message.add_query(question.clone());
    message.metadata.recursion_desired = recursion;
    let bytes = message.to_vec().map_err(|error| error.to_string())?;
    Ok((message.metadata.id, bytes))
}

/// None: not an answer to the question that was asked.
fn matching(bytes: &[u8], id: u16, question: &Query) -> Option<Message> {
    let message = Message::from_vec(bytes).ok()?;
    let fits = message.metadata.message_type == MessageType::Response
        && message.metadata.id == id
        // Some servers leave the question out of a refusal.
        && (message.queries.is_empty() || message.queries == [question.clone()]);
    fits.then_some(message)
}

async fn exchange_udp(server: SocketAddr, question: &Query, recursion: bool) -> Result<Message, String> {
    let (id, bytes) = message(question, recursion)?;
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let wrong = |error: std::io::Error| error.to_string();
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await.map_err(wrong)?;
    // Connected: the kernel drops what others send, and an ICMP refusal comes back as an error at once.
    socket.connect(server).await.map_err(wrong)?;
    socket.send(&bytes).await.map_err(wrong)?;
    let mut buffer = vec![0; UDP_BUFFER];
    loop {
        let length = socket.recv(&mut buffer).await.map_err(wrong)?;
        if let Some(answer) = matching(&buffer[..length], id, question) {
            return Ok(answer);
        }
    }
}

async fn exchange_tcp(server: SocketAddr, question: &Query, recursion: bool) -> Result<Message, String> {
    let (id, bytes) = message(question, recursion)?;
    let wrong = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(server).await.map_err(wrong)?;
    let length = u16::try_from(bytes.len()).map_err(|error| error.to_string())?;
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend_from_slice(&bytes);
    stream.write_all(&framed).await.map_err(wrong)?;
    let length = stream.read_u16().await.map_err(wrong)?;
    let mut buffer = vec![0; usize::from(length)];
    stream.read_exact(&mut buffer).await.map_err(wrong)?;
    matching(&buffer, id, question).ok_or_else(|| "the answer does not fit the question".to_owned())
}

async fn within<T>(limit: Duration, exchange: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    tokio::select! {
        result = exchange => result,
        () = Clock::Wall.sleep(limit) => Err(format!("nothing within {} s", limit.as_secs())),
    }
}

fn read(message: &Message) -> DnsAnswer {
    let code = match message.metadata.response_code {
        WireCode::NoError => ResponseCode::NoError,
        WireCode::NXDomain => ResponseCode::NxDomain,
        WireCode::ServFail => ResponseCode::ServFail,
        WireCode::Refused => ResponseCode::Refused,
        other => ResponseCode::Other(other.into()),
    };
    let records = message.answers.iter().map(|record| DnsRecord {
        name: plain(&record.name),
        ttl: record.ttl,
        data: match &record.data {
            RData::A(address) => RecordData::Address(address.0.into()),
            RData::AAAA(address) => RecordData::Address(address.0.into()),
            RData::CNAME(target) => RecordData::Cname(plain(&target.0)),
            RData::NS(server) => RecordData::Ns(plain(&server.0)),
            other => RecordData::Other(other.to_string()),
        },
    });
    DnsAnswer { records: records.collect(), authoritative: message.metadata.authoritative, code }
}

fn plain(name: &Name) -> String {
    name.to_utf8().trim_end_matches('.').to_ascii_lowercase()
}
