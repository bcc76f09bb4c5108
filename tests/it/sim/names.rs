//! The zone through the resource manager, and what DNS answers before and after a write.

use std::net::SocketAddr;

use lifeboat::net::{DnsAnswer, RecordData, RecordKind, ResponseCode};

use super::*;

fn flipped(etag: Option<&str>) -> Value {
    let mut set = json!({ "properties": {
        "TTL": 60, "CNAMERecord": { "cname": "apim-contoso-east.azure-api.net" }, "metadata": { "run": "r1" },
    } });
    if let Some(etag) = etag {
        set["etag"] = json!(etag);
    }
    set
}

async fn put(world: &World, headers: &[(&'static str, &str)]) -> HttpResponse {
    send_with(world, Method::PUT, &arm(RECORD, DNS), Some(flipped(None)), headers).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_record_set_is_written_under_its_etag() {
    let world = world(Scenario::default());
    let before = body(&get(&world, &arm(RECORD, DNS)).await);
    assert_eq!(before["properties"]["TTL"], 300);
    assert_eq!(before["properties"]["CNAMERecord"]["cname"], "apim-contoso-west.azure-api.net");
    assert_eq!(before["properties"]["metadata"], json!({ "owner": "platform-team" }));
    assert_eq!(before["properties"]["fqdn"], "api.contoso.com.");
    let etag = before["etag"].as_str().unwrap();

    assert_eq!(put(&world, &[("if-none-match", "*")]).await.status, 412);
    let after = put(&world, &[("if-match", etag)]).await;
    assert_eq!(after.status, 200);
    assert_ne!(body(&after)["etag"], before["etag"]);
    let stale = put(&world, &[("if-match", etag)]).await;
    assert_eq!((stale.status.as_u16(), &body(&stale)["error"]["code"]), (412, &json!("PreconditionFailed")));

    let view = world.record("contoso.com", "api").unwrap();
    assert_eq!((view.target.as_deref(), view.ttl), (Some("apim-contoso-east.azure-api.net"), 60));
    assert_eq!(view.metadata.get("owner"), None, "a PUT replaces the whole set");
    let effects = world.effects();
    assert_eq!((effects.record_puts_received, effects.record_puts_accepted), (3, 1));

    let url = arm(&RECORD.replace("/api", "/new"), DNS);
    let created = send_with(&world, Method::PUT, &url, Some(flipped(None)), &[("if-none-match", "*")]).await.unwrap();
    assert_eq!(created.status, 201);
    assert_eq!(send(&world, Method::DELETE, &url, None).await.unwrap().status, 200);
    assert_eq!(send(&world, Method::DELETE, &url, None).await.unwrap().status, 204);
    assert_eq!(get(&world, &url).await.status, 404);
    let bad = send(&world, Method::PUT, &url, Some(json!({ "properties": { "TTL": 60 } }))).await.unwrap();
    assert_eq!(bad.status, 400);
    let zone = body(&get(&world, &arm(RECORD.strip_suffix("/CNAME/api").unwrap(), DNS)).await);
    assert_eq!(zone["properties"]["nameServers"][0], "ns1-07.azure-dns.com.");
}

async fn ask(world: &World, server: SocketAddr) -> (DnsAnswer, String) {
    let answer = world.dns(server, "api.contoso.com", RecordKind::Cname).await.unwrap();
    let RecordData::Cname(target) = answer.records[0].data.clone() else { panic!("{answer:?}") };
    (answer, target)
}

#[tokio::test(start_paused = true)]
async fn name_servers_follow_and_resolvers_wait_for_the_ttl() {
    let world = world(Scenario::default());
    let resolver = world.panel()[1];
    let servers = world.addresses("ns2-07.azure-dns.net").await.unwrap();
    let server = SocketAddr::new(servers[0], 53);
    let (answer, _) = ask(&world, server).await;
    assert!(answer.authoritative);
    assert_eq!(answer.records[0].ttl, 300);
    world.clock().sleep(MINUTE).await;
    let (answer, target) = ask(&world, resolver).await;
    assert!(!answer.authoritative);
    assert_eq!((answer.records[0].ttl, target.as_str()), (300, "apim-contoso-west.azure-api.net"));

    put(&world, &[]).await;
    assert_eq!(ask(&world, server).await.1, "apim-contoso-west.azure-api.net", "it lags by 2 s");
    world.clock().sleep(Duration::from_secs(3)).await;
    assert_eq!(ask(&world, server).await.1, "apim-contoso-east.azure-api.net");
    let (answer, target) = ask(&world, resolver).await;
    assert_eq!(target, "apim-contoso-west.azure-api.net", "it is in the cache");
    assert!((290..300).contains(&answer.records[0].ttl));
    world.clock().sleep(5 * MINUTE).await;
    let (answer, target) = ask(&world, resolver).await;
    assert_eq!((answer.records[0].ttl, target.as_str()), (60, "apim-contoso-east.azure-api.net"));
    let addresses = world.addresses("api.contoso.com").await.unwrap();
    assert_eq!(addresses, world.addresses("apim-contoso-east.azure-api.net").await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn names_that_are_not_there_are_told_apart() {
    let world = world(Scenario::default());
    let server = SocketAddr::new(world.addresses("ns1-07.azure-dns.com").await.unwrap()[0], 53);
    let code = async |server, name: &str, kind| world.dns(server, name, kind).await.unwrap().code;
    assert_eq!(code(server, "none.contoso.com", RecordKind::A).await, ResponseCode::NxDomain);
    assert_eq!(code(server, "example.org", RecordKind::A).await, ResponseCode::Refused);
    assert_eq!(code(server, "contoso.com", RecordKind::Cname).await, ResponseCode::NoError);
    let resolver = world.panel()[0];
    assert_eq!(code(resolver, "none.contoso.com", RecordKind::A).await, ResponseCode::NxDomain);
    assert_eq!(code(resolver, "example.org", RecordKind::A).await, ResponseCode::NxDomain);
    let servers = world.dns(resolver, "contoso.com", RecordKind::Ns).await.unwrap();
    assert_eq!(servers.records.len(), 4);
    assert!(world.addresses("example.org").await.is_err());
    assert!(world.dns("192.0.2.99:53".parse().unwrap(), "contoso.com", RecordKind::A).await.is_err());
}
