//! The way in without sockets. Holds on tokio's paused clock: every wait is the clock's.
//!
//! What a transport does between a client and a server is modelled here: names, addresses, certificates, time
//! limits, broken connections. Errors are those of the real transport.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use http::{Method, header::CONTENT_LENGTH};

use super::{
    exchange::{Answer, Door, Ending, Incoming},
    gateway::{self, Welcome},
    names::{self, Server},
    world::World,
};
use crate::net::{
    Certificate, Delivery, DnsAnswer, DnsError, HttpError, HttpErrorKind, HttpRequest, HttpResponse, RecordData,
    RecordKind,
};

/// How long a client waits for a name server that does not answer.
const DNS_PATIENCE: Duration = Duration::from_secs(5);
/// Of the front's certificate.
const FRONT_VALIDITY: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 * 180);

impl World {
    /// Sends `request` once, as the real transport does.
    ///
    /// # Errors
    /// As the real transport's; nothing of the request's headers or body is in them.
    pub async fn http(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let host = request.url.host_str().unwrap_or_default().to_ascii_lowercase();
        let failed = |kind, delivery, message: String| HttpError { kind, delivery, message };
        let address = if let Some(address) = request.connect_to {
            address
        } else {
            let found = self.addresses(&host).await.map_err(|error| {
                failed(HttpErrorKind::NameNotFound, Delivery::NotSent, format!("{host} was not found: {error}"))
            })?;
            SocketAddr::new(found[0], request.url.port_or_known_default().unwrap_or(443))
        };
        let certificate = self.connect(address, &host, request.url.scheme() == "https");
        let (door, certificate) = match certificate {
            Ok(met) => met,
            Err(error) => {
                self.clock.sleep(self.scenario.latency).await;
                return Err(error);
            }
        };
        let answer = self.answer(&incoming(&request, door));
        if answer.delay >= request.timeout {
            self.clock.sleep(request.timeout).await;
            let message = format!("{host} did not answer within {}", crate::runbook::span::format(request.timeout));
            return Err(failed(HttpErrorKind::Timeout, Delivery::Unknown, message));
        }
        self.clock.sleep(answer.delay).await;
        finish(answer, &request, certificate)
    }

    /// Asks one server. `server` is one of [`World::panel`] or of a name server's addresses.
    ///
    /// # Errors
    /// Nothing answers there.
    pub async fn dns(&self, server: SocketAddr, name: &str, kind: RecordKind) -> Result<DnsAnswer, DnsError> {
        let answer = self.at_desk(|desk| {
            let known = desk.server_at(server)?;
            desk.ask(known, name, kind)
        });
        let Some(answer) = answer else {
            self.clock.sleep(DNS_PATIENCE).await;
            return Err(DnsError(format!("no answer from {server} within 5s")));
        };
        self.clock.sleep(self.scenario.latency).await;
        Ok(answer)
    }

    /// Addresses of a host, from the first resolver of the panel that answers. Never empty.
    ///
    /// # Errors
    /// No resolver knows the host, or none answers.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        if let Ok(address) = host.trim_matches(['[', ']']).parse() {
            return Ok(vec![address]);
        }
        let mut last = DnsError("there is no resolver".to_owned());
        for server in self.panel() {
            match self.dns(server, host, RecordKind::A).await {
                Ok(answer) => {
                    let addresses: Vec<IpAddr> = answer.records.iter().filter_map(address_of).collect();
                    if !addresses.is_empty() {
                        return Ok(addresses);
                    }
                    last = DnsError(format!("{host} has no address"));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Where the simulated resolvers answer.
    pub fn panel(&self) -> Vec<SocketAddr> {
        let listening = self.listening();
        let places = 0..self.scenario.dns.resolvers;
        places.map(|place| names::address(listening.as_ref(), Server::Resolver(place))).collect()
    }

    /// Meets a connection: whose door it is, and the certificate that was shown and accepted.
    fn connect(&self, address: SocketAddr, host: &str, tls: bool) -> Result<(Door, Option<Certificate>), HttpError> {
        let refused = || HttpError {
            kind: HttpErrorKind::Connect,
            delivery: Delivery::NotSent,
            message: format!("{address} refused the connection for {host}"),
        };
        let now = self.now();
        let door = self.door(address).ok_or_else(refused)?;
        let leaf = match &door {
            Door::Gateway(_) if !tls => return Err(refused()),
            Door::Front if !tls => return Ok((door, None)),
            Door::Gateway(service) => match self.at_desk(|desk| gateway::welcome(desk, service, Some(host))) {
                Welcome::Refused => return Err(refused()),
                Welcome::Shows(leaf) => leaf,
            },
            Door::Front => self.authority.leaf(&[host], FRONT_VALIDITY),
        };
        leaf.verify(host, now).map_err(|message| HttpError {
            kind: HttpErrorKind::Certificate,
            delivery: Delivery::NotSent,
            message,
        })?;
        Ok((door, Some(leaf.shown.clone())))
    }

    /// Who listens at an address; none: nobody.
    fn door(&self, address: SocketAddr) -> Option<Door> {
        self.at_desk(|desk| match &desk.state.listening {
            None if address.ip() == IpAddr::V4(names::FRONT) => Some(Door::Front),
            None => {
                let mut services = desk.state.services.iter();
                let found = services.find(|(_, service)| address.ip() == service.address && address.port() == 443);
                found.map(|(name, _)| Door::Gateway(name.clone()))
            }
            Some(listening) if [listening.http, listening.https].contains(&address.port()) => Some(Door::Front),
            Some(listening) => {
                let found = listening.gateways.iter().find(|(_, port)| **port == address.port());
                found.map(|(name, _)| Door::Gateway(name.clone()))
            }
        })
    }
}

fn incoming(request: &HttpRequest, door: Door) -> Incoming {
    let url = &request.url;
    let host = url.host_str().unwrap_or_default();
    Incoming {
        method: request.method.clone(),
        scheme: if url.scheme() == "https" { "https" } else { "http" },
        authority: url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
        path: url.path().to_owned(),
        query: url.query().unwrap_or_default().to_owned(),
        headers: request.headers.clone(),
        body: request.body.clone(),
        door,
    }
}

fn finish(answer: Answer, request: &HttpRequest, certificate: Option<Certificate>) -> Result<HttpResponse, HttpError> {
    let (host, max_body) = (request.url.host_str().unwrap_or_default(), request.max_body);
    let failed = |kind, message: String| Err(HttpError { kind, delivery: Delivery::Unknown, message });
    match answer.ending {
        Ending::Reset => failed(HttpErrorKind::Broken, format!("{host} reset the connection")),
        Ending::Truncated(_) => {
            failed(HttpErrorKind::Broken, format!("{host} closed the connection within the answer"))
        }
        Ending::Whole(mut reply) => {
            reply.headers.insert(CONTENT_LENGTH, reply.body.len().into());
            if request.method == Method::HEAD {
                reply.body.clear();
            }
            if reply.body.len() > max_body {
                return failed(HttpErrorKind::TooLarge, format!("{host} sent more than {max_body} bytes"));
            }
            Ok(HttpResponse { status: reply.status, headers: reply.headers, body: reply.body, certificate })
        }
    }
}

fn address_of(record: &crate::net::DnsRecord) -> Option<IpAddr> {
    match &record.data {
        RecordData::Address(address) => Some(*address),
        RecordData::Cname(_) | RecordData::Ns(_) | RecordData::Other(_) => None,
    }
}
