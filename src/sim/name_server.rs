//! Name servers and resolvers on UDP and TCP.

use std::{net::Ipv4Addr, str::FromStr, sync::Arc, time::Duration};

use hickory_server::{
    Server as Listener,
    net::runtime::Time,
    proto::{
        op::{Edns, Header, HeaderCounts, Metadata, ResponseCode as Code},
        rr::{
            Name, RData, Record, RecordType,
            rdata::{A, AAAA, CNAME, NS, SOA},
        },
    },
    server::{Request, RequestHandler, ResponseHandler, ResponseInfo},
    zone_handler::MessageResponseBuilder,
};
use tokio::net::{TcpListener, UdpSocket};

use super::{names::Server, world::World};
use crate::net::{DnsAnswer, DnsRecord, RecordData, RecordKind, ResponseCode};

/// An idle TCP connection is closed after it.
const TCP_PATIENCE: Duration = Duration::from_secs(10);
/// Answers that may wait on one TCP connection.
const TCP_QUEUE: usize = 32;
/// What a datagram may carry without fragments, as name servers have agreed (DNS flag day 2020).
const PAYLOAD: u16 = 1232;

struct NameServer {
    world: Arc<World>,
    server: Server,
}

/// Answers on both sockets until it is dropped.
pub(super) fn listen(world: Arc<World>, server: Server, datagrams: UdpSocket, streams: TcpListener) -> Running {
    let mut listener = Listener::new(NameServer { world, server });
    listener.register_socket(datagrams);
    listener.register_listener(streams, TCP_PATIENCE, TCP_QUEUE);
    Running(listener)
}

/// A name server that answers. Dropping it stops it.
pub(super) struct Running(Listener<NameServer>);

impl Running {
    pub async fn stop(mut self) {
        if let Err(error) = self.0.shutdown_gracefully().await {
            tracing::debug!(%error, "a name server of the simulator ended late");
        }
    }
}

#[async_trait::async_trait]
impl RequestHandler for NameServer {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut handle: R) -> ResponseInfo {
        let mut metadata = Metadata::response_from_request(&request.metadata);
        let silence = |metadata| ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() });
        let Ok(info) = request.request_info() else {
            metadata.response_code = Code::FormErr;
            return send(&mut handle, request, metadata, &[]).await.unwrap_or_else(|| silence(metadata));
        };
        let name = info.query.name().to_string();
        let kind = kind_of(info.query.query_type());
        let answer = self.world.at_desk(|desk| desk.ask(self.server, &name, kind));
        // A server that is down says nothing; the client waits as long as it likes.
        let Some(answer) = answer else { return silence(metadata) };
        self.world.clock.sleep(self.world.scenario.latency).await;
        metadata.authoritative = answer.authoritative;
        metadata.recursion_available = matches!(self.server, Server::Resolver(_));
        metadata.response_code = code_of(&answer);
        let records: Vec<Record> = answer.records.iter().filter_map(record_of).collect();
        send(&mut handle, request, metadata, &records).await.unwrap_or_else(|| silence(metadata))
    }
}

async fn send<R: ResponseHandler>(
    handle: &mut R,
    request: &Request,
    metadata: Metadata,
    records: &[Record],
) -> Option<ResponseInfo> {
    let mut edns = Edns::new();
    edns.set_max_payload(PAYLOAD).set_version(0);
    let wanted = request.edns.as_ref().map(|_| &edns);
    let response = MessageResponseBuilder::new(&request.queries, wanted).build(metadata, records, [], [], []);
    match handle.send_response(response).await {
        Ok(info) => Some(info),
        Err(error) => {
            tracing::debug!(%error, "an answer of a simulated name server was not sent");
            None
        }
    }
}

fn kind_of(kind: RecordType) -> RecordKind {
    match kind {
        RecordType::A => RecordKind::A,
        RecordType::CNAME => RecordKind::Cname,
        RecordType::NS => RecordKind::Ns,
        RecordType::SOA => RecordKind::Soa,
        // Of every other type the simulated cloud has as much as of AAAA: CNAMEs on the way, and nothing at the end.
        _ => RecordKind::Aaaa,
    }
}

fn code_of(answer: &DnsAnswer) -> Code {
    match answer.code {
        ResponseCode::NoError => Code::NoError,
        ResponseCode::NxDomain => Code::NXDomain,
        ResponseCode::ServFail => Code::ServFail,
        ResponseCode::Refused => Code::Refused,
        ResponseCode::Other(code) => Code::from(0, u8::try_from(code).unwrap_or(u8::MAX)),
    }
}

/// None: a target that is no name, such as a client may have put into the record.
fn record_of(record: &DnsRecord) -> Option<Record> {
    let data = match &record.data {
        RecordData::Address(std::net::IpAddr::V4(address)) => RData::A(A::from(*address)),
        RecordData::Address(std::net::IpAddr::V6(address)) => RData::AAAA(AAAA::from(*address)),
        RecordData::Cname(target) => RData::CNAME(CNAME(full(target)?)),
        RecordData::Ns(server) => RData::NS(NS(full(server)?)),
        RecordData::Other(text) => RData::SOA(authority(text)?),
    };
    Some(Record::from_rdata(full(&record.name)?, record.ttl, data))
}

fn full(name: &str) -> Option<Name> {
    let mut name = Name::from_str(name).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// The only other record there is: a zone's start of authority, as text.
fn authority(text: &str) -> Option<SOA> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [server, mailbox, serial, refresh, retry, expire, minimum] = words.as_slice() else { return None };
    Some(SOA::new(
        full(server)?,
        full(mailbox)?,
        serial.parse().ok()?,
        refresh.parse().ok()?,
        retry.parse().ok()?,
        expire.parse().ok()?,
        minimum.parse().ok()?,
    ))
}

/// Binds UDP and TCP of one port of 127.0.0.1; 0: of any that is free for both.
pub(super) async fn bind(port: u16) -> std::io::Result<(UdpSocket, TcpListener)> {
    /// Whoever has a free UDP port finds its TCP twin free nearly always.
    const TRIES: u32 = 16;
    let mut tried = 0;
    loop {
        let datagrams = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).await?;
        match TcpListener::bind(datagrams.local_addr()?).await {
            Ok(streams) => return Ok((datagrams, streams)),
            Err(error) if port != 0 || tried == TRIES => return Err(error),
            Err(_) => tried += 1,
        }
    }
}
