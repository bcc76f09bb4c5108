//! Each kind of fault does what it says, and only as often as it says.

use std::net::SocketAddr;

use lifeboat::net::{Delivery, HttpErrorKind, RecordKind, ResponseCode};
use lifeboat::sim::{Act, DnsTrouble, Fault, GatewayFault, GatewayTrouble, Moment, Status};

use super::*;

fn with(faults: Vec<Fault>) -> Arc<World> {
    world(Scenario { faults, ..Scenario::default() })
}

async fn statuses(world: &World, url: &str, requests: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..requests {
        statuses.push(get(world, url).await.status.as_u16());
    }
    statuses
}

#[tokio::test(start_paused = true)]
async fn a_status_strikes_as_often_as_it_says() {
    let act = Act::Status(Status {
        code: 429,
        error_code: None,
        message: None,
        retry_after: Some(Duration::from_secs(17)),
        acted: false,
    });
    let world = with(vec![Fault::new(act).on("GET", "*/service/apim-contoso-east?*").skip(1).times(2)]);
    let url = arm(STANDBY, APIM);
    assert_eq!(get(&world, &url).await.status, 200);
    let answer = get(&world, &url).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, Some("17")));
    assert_eq!(body(&answer)["error"]["code"], "TooManyRequests");
    assert!(answer.header("x-ms-request-id").is_some());
    assert_eq!(get(&world, &arm(RECORD, DNS)).await.status, 200, "another path");
    assert_eq!(statuses(&world, &url, 2).await, [429, 200]);
    assert_eq!(world.requests()[1].faults, ["status 429"]);
}

#[tokio::test(start_paused = true)]
async fn chance_repeats_with_its_seed_and_seasons_begin_and_end() {
    let url = arm(STANDBY, APIM);
    let seeded = async |seed| {
        let faults = vec![Fault::status(503, "ServiceUnavailable").probability(0.5)];
        statuses(&world(Scenario { seed, faults, ..Scenario::default() }), &url, 40).await
    };
    let first = seeded(3).await;
    assert_eq!(first, seeded(3).await);
    assert_ne!(first, seeded(4).await);
    let struck = first.iter().filter(|status| **status == 503).count();
    assert!((8..=32).contains(&struck), "{struck} of 40");

    let world = with(vec![Fault::status(503, "X").between(MINUTE, Some(3 * MINUTE))]);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(get(&world, &url).await.status.as_u16());
        world.clock().sleep(MINUTE).await;
    }
    assert_eq!(seen, [200, 503, 503, 200]);
}

#[tokio::test(start_paused = true)]
async fn a_reset_happens_before_or_after_azure_acted() {
    for (moment, accepted) in [(Moment::Before, 0), (Moment::After, 1)] {
        let world = with(vec![Fault::new(Act::Reset(moment)).on("POST", "/restore").times(1)]);
        let url = arm(&format!("{STANDBY}/restore"), APIM);
        let error = send(&world, Method::POST, &url, Some(backup(&world, "6h"))).await.unwrap_err();
        assert_eq!((error.kind, error.delivery), (HttpErrorKind::Broken, Delivery::Unknown));
        let effects = world.effects();
        assert_eq!((effects.restore_posts_received, effects.restores_accepted), (1, accepted));
        assert_eq!(world.requests()[0].status, None);
    }
    let act = Act::Status(Status { code: 500, error_code: None, message: None, retry_after: None, acted: true });
    let world = with(vec![Fault::new(act).on("POST", "/restore")]);
    let url = arm(&format!("{STANDBY}/restore"), APIM);
    assert_eq!(send(&world, Method::POST, &url, Some(backup(&world, "6h"))).await.unwrap().status, 500);
    assert_eq!(world.effects().restores_accepted, 1);
}

#[tokio::test(start_paused = true)]
async fn a_hang_outlasts_the_client_and_a_cut_body_is_seen() {
    let hang = Fault::new(Act::Hang(2 * MINUTE)).times(1);
    let world = with(vec![hang, Fault::new(Act::Truncate).skip(1)]);
    let began = world.clock().now();
    let error = send(&world, Method::GET, &arm(STANDBY, APIM), None).await.unwrap_err();
    assert_eq!((error.kind, error.delivery), (HttpErrorKind::Timeout, Delivery::Unknown));
    assert_eq!(world.clock().now().duration_since(began).as_secs(), 60);
    // The second fault has not counted a request that the first one decided.
    assert_eq!(get(&world, &arm(STANDBY, APIM)).await.status, 200);
    let error = send(&world, Method::GET, &arm(STANDBY, APIM), None).await.unwrap_err();
    assert_eq!((error.kind, error.delivery), (HttpErrorKind::Broken, Delivery::Unknown));
}

#[tokio::test(start_paused = true)]
async fn tokens_expire_when_told() {
    let world = with(vec![Fault::new(Act::ExpireTokens).skip(1).times(1)]);
    assert_eq!(statuses(&world, &arm(STANDBY, APIM), 3).await, [200, 401, 200]);
}

#[tokio::test(start_paused = true)]
async fn operations_are_lost_fail_or_stick() {
    let lost = with(vec![Fault::new(Act::LoseOperation).on("GET", "operationresults").skip(1).times(1)]);
    let url = restore(&lost).await;
    assert_eq!(statuses(&lost, &url, 3).await, [202, 404, 404]);
    lost.clock().sleep(46 * MINUTE).await;
    assert_eq!(lost.effects().restores_completed, 1, "it has gone on");

    let failure =
        Act::FailOperation { code: "RestoreFailed".to_owned(), message: "Cannot restore: backup expired".to_owned() };
    let failing = with(vec![Fault::new(failure.clone()).on("POST", "/restore")]);
    let url = restore(&failing).await;
    assert_eq!(get(&failing, &url).await.status, 202, "it fails at its end");
    failing.clock().sleep(46 * MINUTE).await;
    let failed = get(&failing, &url).await;
    assert_eq!(
        (failed.status.as_u16(), &body(&failed)["error"]["message"]),
        (400, &json!("Cannot restore: backup expired"))
    );

    let failing = with(vec![Fault::new(failure).on("GET", "operationresults").skip(1)]);
    let url = restore(&failing).await;
    assert_eq!(statuses(&failing, &url, 2).await, [202, 400]);
    assert_eq!(failing.effects().restores_completed, 0);

    let stuck = with(vec![Fault::new(Act::StickOperation).on("POST", "/restore")]);
    let url = restore(&stuck).await;
    stuck.clock().sleep(600 * MINUTE).await;
    assert_eq!(get(&stuck, &url).await.status, 202);
    assert_eq!(stuck.service("apim-contoso-east").unwrap().provisioning_state, "Updating");
}

#[tokio::test(start_paused = true)]
async fn somebody_else_writes_the_record() {
    let put = async |world: &World| {
        let etag = world.record("contoso.com", "api").unwrap().etag;
        let set = json!({ "properties": { "TTL": 60, "CNAMERecord": { "cname": "x.example" } } });
        send_with(world, Method::PUT, &arm(RECORD, DNS), Some(set), &[("if-match", &etag)]).await.unwrap().status
    };
    let world = with(vec![Fault::new(Act::StaleEtag).on("PUT", "/CNAME/api").times(1)]);
    assert_eq!(put(&world).await, 412);
    assert_eq!(world.record("contoso.com", "api").unwrap().target.unwrap(), "apim-contoso-west.azure-api.net");
    assert_eq!(put(&world).await, 200);

    let world =
        with(vec![Fault::new(Act::ChangeRecord { target: "other.example".to_owned() }).on("PUT", "/CNAME/api")]);
    assert_eq!(put(&world).await, 412);
    assert_eq!(world.record("contoso.com", "api").unwrap().target.unwrap(), "other.example");
}

#[tokio::test(start_paused = true)]
async fn name_servers_lag_or_say_nothing() {
    let trouble =
        |server: &str, lag, down| Fault::new(Act::DnsServer(DnsTrouble { server: server.to_owned(), lag, down }));
    let world = with(vec![
        trouble("ns3-07.azure-dns.org", Some(10 * MINUTE), false),
        trouble("ns1-07.azure-dns.com", None, true),
        trouble("resolver-1", None, true),
    ]);
    let server = async |name: &str| SocketAddr::new(world.addresses(name).await.unwrap()[0], 53);
    let [down, good, late] = [
        server("ns1-07.azure-dns.com").await,
        server("ns2-07.azure-dns.net").await,
        server("ns3-07.azure-dns.org").await,
    ];
    let set = json!({ "properties": { "TTL": 60, "CNAMERecord": { "cname": "x.example" } } });
    send(&world, Method::PUT, &arm(RECORD, DNS), Some(set)).await.unwrap();
    world.clock().sleep(5 * MINUTE).await;
    let target =
        async |server| world.dns(server, "api.contoso.com", RecordKind::Cname).await.map(|answer| answer.records);
    assert_ne!(target(good).await.unwrap(), target(late).await.unwrap());
    assert!(target(down).await.is_err());
    assert!(target(world.panel()[0]).await.is_err());
    assert!(target(world.panel()[1]).await.is_ok());
    world.clock().sleep(6 * MINUTE).await;
    assert_eq!(target(good).await.unwrap(), target(late).await.unwrap());

    let all = Scenario::default().dns.name_servers;
    let world = with(all.iter().map(|server| trouble(server, None, true)).collect());
    let answer = world.dns(world.panel()[0], "api.contoso.com", RecordKind::Cname).await.unwrap();
    assert_eq!(answer.code, ResponseCode::ServFail);
}

#[tokio::test(start_paused = true)]
async fn gateways_flap_and_show_the_wrong_certificate() {
    let ask = async |trouble, requests: usize| {
        let gateway = GatewayFault { service: "apim-contoso-east".to_owned(), trouble };
        let world = with(vec![Fault::new(Act::Gateway(gateway)).times(4)]);
        let mut kinds = Vec::new();
        for _ in 0..requests {
            let url = "https://api.contoso.com/status-0123456789abcdef".parse().unwrap();
            let mut request = HttpRequest::new(Method::GET, url);
            request.connect_to = Some("203.0.113.11:443".parse().unwrap());
            kinds.push(world.http(request).await.err().map(|error| error.kind));
        }
        kinds
    };
    let refused = Some(HttpErrorKind::Connect);
    let certificate = Some(HttpErrorKind::Certificate);
    assert_eq!(ask(GatewayTrouble::Flap, 6).await, [refused, None, refused, None, None, None]);
    assert_eq!(ask(GatewayTrouble::Down, 5).await, [refused, refused, refused, refused, None]);
    assert_eq!(ask(GatewayTrouble::WrongCertificate, 1).await, [certificate]);
    assert_eq!(ask(GatewayTrouble::ExpiredCertificate, 1).await, [certificate]);
}

#[tokio::test(start_paused = true)]
async fn a_region_goes_down_with_all_that_is_in_it() {
    let world = with(vec![Fault::new(Act::RegionDown("North Europe".to_owned())).between(MINUTE, None)]);
    assert_eq!(get(&world, &arm(STANDBY, APIM)).await.status, 200);
    world.clock().sleep(MINUTE).await;
    assert_eq!(get(&world, &arm(STANDBY, APIM)).await.status, 503);
    let list = "https://stcontosodr.blob.core.windows.net/apim-backups?restype=container&comp=list";
    assert_eq!(get(&world, list).await.status, 503);
    assert_eq!(get(&world, &arm(RECORD, DNS)).await.status, 200, "reading works");
    let set = json!({ "properties": { "TTL": 60, "CNAMERecord": { "cname": "x.example" } } });
    assert_eq!(send(&world, Method::PUT, &arm(RECORD, DNS), Some(set)).await.unwrap().status, 503);
}
