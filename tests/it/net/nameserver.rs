//! A name server that answers as a test says, on UDP and TCP of one port.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use hickory_resolver::proto::{
    op::{Message, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, CNAME},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
    task::JoinHandle,
};

/// How a question came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    Udp,
    Tcp,
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) via: Via,
    /// With the trailing dot.
    pub(crate) name: String,
    pub(crate) kind: RecordType,
    pub(crate) recursion: bool,
}

type Reply = dyn Fn(&Asked, &mut Message) + Send + Sync;

pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl NameServer {
    /// `reply` fills in the answer.
    pub(crate) async fn start(reply: impl Fn(&Asked, &mut Message) + Send + Sync + 'static) -> Self {
        let reply: Arc<Reply> = Arc::new(reply);
        let (udp, tcp) = same_port().await;
        let address = udp.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (over_udp, log) = (Arc::clone(&reply), Arc::clone(&asked));
        let udp = tokio::spawn(async move {
            let mut buffer = [0; 1500];
            loop {
                let (length, peer) = udp.recv_from(&mut buffer).await.unwrap();
                let answer = respond(Via::Udp, &buffer[..length], &over_udp, &log);
                // Somebody else's answer comes first, with another id: it must be passed over.
                let mut forged = answer.clone();
                forged[0] ^= 0xff;
                udp.send_to(&forged, peer).await.unwrap();
                udp.send_to(&answer, peer).await.unwrap();
            }
        });
        let log = Arc::clone(&asked);
        let tcp = tokio::spawn(async move {
            loop {
                let (mut stream, _) = tcp.accept().await.unwrap();
                let mut buffer = vec![0; usize::from(stream.read_u16().await.unwrap())];
                stream.read_exact(&mut buffer).await.unwrap();
                let answer = respond(Via::Tcp, &buffer, &reply, &log);
                stream.write_u16(answer.len().try_into().unwrap()).await.unwrap();
                stream.write_all(&answer).await.unwrap();
            }
        });
        Self { address, asked, tasks: vec![udp, tcp] }
    }

    /// Knows these names' IPv4 addresses and no others.
    pub(crate) async fn of(addresses: &[(&str, Ipv4Addr)]) -> Self {
        let known: Vec<(String, Ipv4Addr)> = addresses.iter().map(|(name, at)| (format!("{name}."), *at)).collect();
        Self::start(move |asked, message| match known.iter().find(|(name, _)| *name == asked.name) {
            Some((_, at)) if asked.kind == RecordType::A => add_address(message, &asked.name, *at),
            Some(_) => {}
            None => message.metadata.response_code = ResponseCode::NXDomain,
        })
        .await
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

pub(crate) fn add_address(message: &mut Message, name: &str, at: Ipv4Addr) {
    message.add_answer(Record::from_rdata(Name::from_ascii(name).unwrap(), 60, RData::A(A(at))));
}

pub(crate) fn add_alias(message: &mut Message, name: &str, ttl: u32, target: &str) {
    let target = CNAME(Name::from_ascii(target).unwrap());
    message.add_answer(Record::from_rdata(Name::from_ascii(name).unwrap(), ttl, RData::CNAME(target)));
}

/// A port that is free for both; the second bind may lose to another process.
async fn same_port() -> (UdpSocket, TcpListener) {
    for _ in 0..20 {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
    panic!("no port is free for both UDP and TCP");
}

fn respond(via: Via, bytes: &[u8], reply: &Arc<Reply>, log: &Arc<Mutex<Vec<Asked>>>) -> Vec<u8> {
    let question = Message::from_vec(bytes).unwrap();
    let query = question.queries[0].clone();
    let recursion = question.metadata.recursion_desired;
    let asked = Asked { via, name: query.name().to_ascii(), kind: query.query_type(), recursion };
    log.lock().unwrap().push(asked.clone());
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.add_query(query);
    reply(&asked, &mut answer);
    answer.to_vec().unwrap()
}
