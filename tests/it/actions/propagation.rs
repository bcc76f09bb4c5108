//! `dns.verify-propagation`: who lags, who caches, who is silent; and the old TTL.

use lifeboat::sim::{Act, DnsTrouble, Fault};

use super::*;

const PROPAGATION: ActionKind = ActionKind::VerifyPropagation;

fn arguments() -> Value {
    json!({ "zone": zone(), "record": "api", "target": NEW_TARGET })
}

async fn flip(stage: &Stage) {
    let arguments = json!({ "zone": zone(), "record": "api", "target": NEW_TARGET, "ttl": "60s" });
    stage.perform(ActionKind::FlipCname, arguments).await.0.unwrap();
}

fn trouble(server: &str, lag: Option<Duration>) -> Fault {
    Fault::new(Act::DnsServer(DnsTrouble { server: server.to_owned(), lag, down: lag.is_none() }))
}

fn minutes_since_start(stage: &Stage) -> i64 {
    let start: jiff::Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
    stage.context.clock.now().duration_since(start).as_mins()
}

#[tokio::test(start_paused = true)]
async fn waits_for_every_server_and_then_for_the_old_ttl() {
    let stage = Stage::new(Scenario::default());
    // Each resolver holds the old answer when the flip happens.
    for server in stage.world.panel() {
        stage.context.dns.ask(server, "api.contoso.com", lifeboat::net::RecordKind::Cname, true).await.unwrap();
    }
    flip(&stage).await;
    let (done, journal) = stage.perform(PROPAGATION, arguments()).await;
    let done = done.unwrap();
    let servers = done.outputs["servers"].as_object().unwrap();
    let scenario = stage.world.scenario();
    assert_eq!(servers.len(), scenario.dns.name_servers.len() + scenario.dns.resolvers);
    assert!(servers.values().all(|said| said == "gives the new target"), "{servers:?}");
    assert!(journal.notes().contains("still has apim-contoso-west.azure-api.net in its cache"), "{}", journal.notes());
    let drained: jiff::Timestamp = done.outputs["drained_at"].as_str().unwrap().parse().unwrap();
    assert!(drained <= stage.context.clock.now(), "it has waited for it");
    assert!((5..=6).contains(&minutes_since_start(&stage)), "the old TTL of 5 minutes");
}

#[tokio::test(start_paused = true)]
async fn without_drain_it_ends_when_all_agree() {
    let stage = Stage::new(Scenario::default());
    flip(&stage).await;
    let mut arguments = arguments();
    arguments["drain"] = json!(false);
    let done = stage.perform(PROPAGATION, arguments).await.0.unwrap();
    assert_eq!(done.outputs["drained_at"], Value::Null);
    assert!(minutes_since_start(&stage) < 2);
}

#[tokio::test(start_paused = true)]
async fn a_lagging_name_server_is_named_and_its_answer_drains_later() {
    let server = Scenario::default().dns.name_servers[1].clone();
    let stage = Stage::with([trouble(&server, Some(Duration::from_mins(4)))]);
    flip(&stage).await;
    let (done, journal) = stage.perform(PROPAGATION, arguments()).await;
    done.unwrap();
    let said = format!("{server} lags: it still answers {OLD_TARGET}");
    assert!(journal.notes().contains(&said), "{}", journal.notes());
    assert!((9..=10).contains(&minutes_since_start(&stage)), "4 minutes of lag and the TTL that was given meanwhile");
}

#[tokio::test(start_paused = true)]
async fn a_silent_name_server_is_waited_for_and_a_silent_resolver_is_not() {
    let server = Scenario::default().dns.name_servers[0].clone();
    let stage = Stage::with([trouble("resolver-1", None)]);
    flip(&stage).await;
    let (done, journal) = stage.perform(PROPAGATION, arguments()).await;
    let servers = done.unwrap().outputs["servers"].to_string();
    assert!(servers.contains("does not answer"), "{servers}");
    assert!(journal.notes().contains("does not answer"));

    let stage = Stage::with([trouble(&server, None)]);
    flip(&stage).await;
    let (record, journal) = recorder();
    let step = call(arguments());
    tokio::select! {
        _ = action::perform(PROPAGATION, &step, &stage.context, &record) => panic!("{server} has never answered"),
        () = stage.pass(14) => {}
    }
    assert!(journal.notes().contains(&format!("{server} does not answer")), "{}", journal.notes());
}

#[tokio::test(start_paused = true)]
async fn a_record_that_was_never_flipped_is_never_taken_for_propagated() {
    let stage = Stage::new(Scenario::default());
    let (record, journal) = recorder();
    let step = call(arguments());
    tokio::select! {
        _ = action::perform(PROPAGATION, &step, &stage.context, &record) => panic!("nobody gives the new target"),
        () = stage.pass(10) => {}
    }
    assert!(journal.notes().contains("lags"));
    let notes = journal.notes().lines().count();
    assert!(notes < 60, "{notes} notes in ten minutes: only news, and now and then a reminder");
}

#[tokio::test(start_paused = true)]
async fn the_site_can_name_the_servers() {
    let stage = Stage::new(Scenario::default());
    let mut site = stage.world.site();
    let addresses = stage.context.dns.addresses(&Scenario::default().dns.name_servers[0]).await.unwrap();
    let server = std::net::SocketAddr::new(addresses[0], 53);
    site.dns.authoritative.insert("Contoso.com".to_owned(), vec![server]);
    let mut context = stage.context.clone();
    context.site = Arc::new(site);
    let stage = Stage { world: stage.world, context };
    flip(&stage).await;
    let done = stage.perform(PROPAGATION, arguments()).await.0.unwrap();
    assert!(done.outputs["servers"].as_object().unwrap().contains_key(&server.to_string()));
}

#[tokio::test(start_paused = true)]
async fn the_probe_expects_the_old_ttl() {
    let stage = Stage::with([trouble("resolver-1", None)]);
    let probe = stage.probe(PROPAGATION, arguments()).await.unwrap();
    assert_eq!(probe.expected, Some(Duration::from_mins(5)));
    assert_eq!(codes(&probe, Severity::Warning), ["dns-server-silent"]);
    assert!(!probe.verified);
}
