//! One question to one server; addresses of hosts.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicU32, Ordering},
};

use hickory_resolver::proto::{op::ResponseCode as WireCode, rr::RecordType};
use lifeboat::net::{Dns, DnsRecord, RealDns, RecordData, RecordKind, ResponseCode};
use tokio::net::UdpSocket;

use super::nameserver::{NameServer, Via, add_address, add_alias};

fn dns(resolvers: Vec<SocketAddr>) -> Dns {
    Dns::Real(RealDns::new(resolvers).unwrap())
}

#[tokio::test]
async fn an_alias_is_told_with_its_ttl_and_the_authority_of_the_answer() {
    let server = NameServer::start(|asked, message| {
        message.metadata.authoritative = true;
        add_alias(message, &asked.name, 300, "Apim-East.azure-api.net.");
    })
    .await;
    let answer = dns(vec![]).ask(server.address, "api.contoso.test", RecordKind::Cname, false).await.unwrap();
    assert_eq!((answer.code, answer.authoritative), (ResponseCode::NoError, true));
    let expected = DnsRecord {
        name: "api.contoso.test".to_owned(),
        ttl: 300,
        data: RecordData::Cname("apim-east.azure-api.net".to_owned()),
    };
    assert_eq!(answer.records, [expected]);
    let asked = &server.asked()[0];
    assert_eq!((asked.via, asked.kind, asked.recursion), (Via::Udp, RecordType::CNAME, false));
}

#[tokio::test]
async fn refusals_and_missing_names_are_answers() {
    for (wire, code) in [
        (WireCode::NXDomain, ResponseCode::NxDomain),
        (WireCode::Refused, ResponseCode::Refused),
        (WireCode::ServFail, ResponseCode::ServFail),
        (WireCode::NotImp, ResponseCode::Other(4)),
    ] {
        let server = NameServer::start(move |_, message| message.metadata.response_code = wire).await;
        let answer = dns(vec![]).ask(server.address, "x.test", RecordKind::A, true).await.unwrap();
        assert_eq!((answer.code, answer.records.len(), answer.authoritative), (code, 0, false));
    }
}

#[tokio::test]
async fn a_cut_answer_is_asked_for_again_over_tcp() {
    let server = NameServer::start(|asked, message| match asked.via {
        Via::Udp => message.metadata.truncation = true,
        Via::Tcp => (1..=100).for_each(|last| add_address(message, &asked.name, Ipv4Addr::new(10, 0, 0, last))),
    })
    .await;
    let answer = dns(vec![]).ask(server.address, "many.test", RecordKind::A, true).await.unwrap();
    assert_eq!(answer.records.len(), 100);
    assert_eq!(server.asked().iter().map(|asked| asked.via).collect::<Vec<_>>(), [Via::Udp, Via::Tcp]);
}

#[tokio::test]
async fn nothing_is_kept_between_two_questions() {
    let count = AtomicU32::new(0);
    let server = NameServer::start(move |asked, message| {
        let target = ["east.test.", "west.test."][count.fetch_add(1, Ordering::SeqCst).min(1) as usize];
        add_alias(message, &asked.name, 86_400, target);
    })
    .await;
    let dns = dns(vec![]);
    let mut targets = Vec::new();
    for _ in 0..2 {
        let answer = dns.ask(server.address, "api.test", RecordKind::Cname, true).await.unwrap();
        targets.push(answer.records[0].data.clone());
    }
    assert_eq!(targets, [RecordData::Cname("east.test".to_owned()), RecordData::Cname("west.test".to_owned())]);
}

#[tokio::test]
async fn a_closed_port_is_no_answer() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let error = dns(vec![]).ask(address, "api.test", RecordKind::A, true).await.unwrap_err();
    assert!(error.0.starts_with(&format!("no answer from {address}")), "{error}");
}

#[tokio::test]
async fn aliases_that_the_resolver_leaves_are_followed_to_the_address() {
    let server = NameServer::start(|asked, message| match (asked.name.as_str(), asked.kind) {
        ("api.contoso.test.", _) => add_alias(message, &asked.name, 60, "Apim.azure-api.test."),
        ("apim.azure-api.test.", RecordType::A) => add_address(message, &asked.name, Ipv4Addr::new(10, 1, 2, 3)),
        _ => {}
    })
    .await;
    let found = dns(vec![server.address]).addresses("api.contoso.test").await.unwrap();
    assert_eq!(found, [IpAddr::from([10, 1, 2, 3])]);
}

#[tokio::test]
async fn an_alias_that_points_at_itself_ends() {
    let server = NameServer::start(|asked, message| {
        let next = if asked.name == "a.test." { "b.test." } else { "a.test." };
        add_alias(message, &asked.name, 60, next);
    })
    .await;
    let error = dns(vec![server.address]).addresses("a.test").await.unwrap_err();
    assert!(error.0.contains("alias of more than"), "{error}");
    assert!(server.asked().len() <= 40, "bounded: {}", server.asked().len());
}

#[tokio::test]
async fn the_next_resolver_is_asked_when_one_refuses_and_all_reasons_are_told() {
    let refusing = NameServer::start(|_, message| message.metadata.response_code = WireCode::Refused).await;
    let knowing = NameServer::of(&[("api.test", Ipv4Addr::new(10, 0, 0, 9))]).await;
    let dns = dns(vec![refusing.address, knowing.address]);
    assert_eq!(dns.addresses("api.test").await.unwrap(), [IpAddr::from([10, 0, 0, 9])]);
    let error = dns.addresses("lost.test").await.unwrap_err();
    assert!(error.0.contains("Refused") && error.0.contains("knows no address"), "{error}");
    assert_eq!(dns.panel(), [refusing.address, knowing.address]);
}

#[tokio::test]
async fn addresses_and_this_machine_are_never_asked_for() {
    let server = NameServer::of(&[]).await;
    let dns = dns(vec![server.address]);
    assert_eq!(dns.addresses("10.0.0.4").await.unwrap(), [IpAddr::from([10, 0, 0, 4])]);
    assert_eq!(dns.addresses("[::1]").await.unwrap(), ["::1".parse::<IpAddr>().unwrap()]);
    assert!(dns.addresses("localhost").await.unwrap().iter().all(IpAddr::is_loopback));
    assert_eq!(server.asked(), []);
}

#[test]
fn a_resolver_without_a_port_is_refused() {
    assert!(RealDns::new(vec!["10.0.0.4:0".parse().unwrap()]).unwrap_err().contains("10.0.0.4"));
}
