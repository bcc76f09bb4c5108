//! `private-dns.flip-cname`: the same code as for public zones, in the private zones' own dialect.

use lifeboat::{
    run::Disposition,
    sim::{Act, Fault, Moment},
};

use super::*;

const FLIP: ActionKind = ActionKind::FlipPrivateCname;
const RECORD: &str = "/privateDnsZones/contoso.internal/CNAME/api?";

fn arguments() -> Value {
    json!({ "zone": private_zone(), "record": "api", "target": NEW_TARGET, "ttl": "60s" })
}

#[tokio::test(start_paused = true)]
async fn moves_the_private_record_there_and_back_and_the_public_one_not_at_all() {
    let stage = Stage::new(Scenario::default());
    let found = stage.world.record("contoso.internal", "api").unwrap();
    let public = stage.world.record("contoso.com", "api").unwrap();
    let probe = stage.probe(FLIP, arguments()).await.unwrap();
    assert_eq!(probe.findings, [], "a private zone has no name servers that could be missing");
    assert_eq!(
        probe.summary,
        "api.contoso.internal: apim-contoso-west.azure-api.net → apim-contoso-east.azure-api.net, TTL 300 s → 60 s"
    );
    let request = &probe.requests[0];
    assert!(request.url.contains(RECORD) && request.url.ends_with("api-version=2024-06-01"), "{}", request.url);
    let properties = &request.body.as_ref().unwrap()["properties"];
    assert_eq!((&properties["ttl"], &properties["cnameRecord"]["cname"]), (&json!(60), &json!(NEW_TARGET)));
    assert!(probe.targets[0].contains("/privatednszones/contoso.internal/cname/api"), "{:?}", probe.targets);

    let outputs = stage.perform_planned(FLIP, arguments(), probe.facts).await.0.unwrap().outputs;
    assert_eq!(outputs["hostname"], "api.contoso.internal");
    assert_eq!((&outputs["previous_target"], &outputs["previous_ttl"]), (&json!(OLD_TARGET), &json!("5m")));
    let moved = stage.world.record("contoso.internal", "api").unwrap();
    assert_eq!((moved.target.as_deref(), moved.ttl), (Some(NEW_TARGET), 60));
    assert_eq!((&*moved.metadata["owner"], &*moved.metadata["lifeboat_run"]), ("platform-team", "run-1"));
    assert_eq!(stage.perform(FLIP, arguments()).await.0.unwrap().outputs, outputs, "a second look tells the same");

    stage.undo(FLIP, arguments(), &outputs).await.0.unwrap();
    let back = stage.world.record("contoso.internal", "api").unwrap();
    assert_eq!((back.target, back.ttl, back.metadata), (found.target, found.ttl, found.metadata));
    assert_eq!(stage.world.record("contoso.com", "api").unwrap(), public);
    assert_eq!(stage.world.effects().record_puts_accepted, 2);
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_change_a_stale_etag_and_a_lost_answer_are_the_public_flips() {
    let change = || Act::ChangeRecord { target: "elsewhere.example.net".to_owned() };
    let stage = Stage::with([Fault::new(change()).on("PUT", RECORD).times(1)]);
    let facts = stage.probe(FLIP, arguments()).await.unwrap().facts;
    let error = stage.perform_planned(FLIP, arguments(), facts).await.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Refused, "record-changed"));
    assert_eq!(stage.world.effects().record_puts_accepted, 0);

    let stage = Stage::with([Fault::new(Act::StaleEtag).on("PUT", RECORD).times(1)]);
    stage.perform(FLIP, arguments()).await.0.unwrap();
    assert_eq!(stage.world.effects().record_puts_received, 2);

    for moment in [Moment::Before, Moment::After] {
        let stage = Stage::with([Fault::new(Act::Reset(moment)).on("PUT", RECORD).times(1)]);
        let (done, journal) = stage.perform(FLIP, arguments()).await;
        assert_eq!(stage.world.effects().record_puts_accepted, 1);
        let intent = journal.intents().pop().unwrap();
        let verdict = stage.settle(FLIP, arguments(), Some(&intent), None).await;
        assert_eq!(verdict, Verdict::Happened { outputs: done.unwrap().outputs });
    }
}

#[tokio::test(start_paused = true)]
async fn what_azure_registered_for_a_machine_is_refused() {
    let mut scenario = Scenario::default();
    scenario.private_zone.auto_registered.push("api".to_owned());
    let stage = Stage::new(scenario);
    let probe = stage.probe(FLIP, arguments()).await.unwrap();
    assert_eq!(codes(&probe, Severity::Blocker), ["record-auto-registered"]);
    let error = stage.perform(FLIP, arguments()).await.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Refused, "record-auto-registered"));
    assert!(stage.only_read());
    let absent = json!({ "zone": private_zone(), "record": "absent", "target": NEW_TARGET });
    assert_eq!(stage.probe(FLIP, absent).await.unwrap_err().code, "record-not-found");
}

/// No server of the internet knows it.
#[tokio::test(start_paused = true)]
async fn public_name_servers_do_not_serve_it() {
    let stage = Stage::new(Scenario::default());
    for server in stage.world.panel() {
        let answer =
            stage.context.dns.ask(server, "api.contoso.internal", lifeboat::net::RecordKind::Cname, true).await;
        assert!(answer.unwrap().records.is_empty());
    }
}
