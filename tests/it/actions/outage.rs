//! `apim.confirm-outage`: two looks, and no failover of a living service.

use lifeboat::{
    run::Disposition,
    sim::{Act, DnsTrouble, Fault},
};

use super::*;

const OUTAGE: ActionKind = ActionKind::ConfirmOutage;

#[tokio::test(start_paused = true)]
async fn a_lost_service_is_looked_at_twice() {
    let stage = Stage::new(Scenario::default());
    let start = stage.context.clock.now();
    let (done, journal) = stage.perform(OUTAGE, json!({ "service": active() })).await;
    let evidence = done.unwrap().outputs["evidence"].clone();
    assert_eq!(evidence.as_array().unwrap().len(), 2);
    assert_eq!(evidence[0]["gateway"]["sign"], "lost", "{evidence}");
    let apart = stage.context.clock.now().duration_since(start);
    assert!(apart.as_secs() >= 120, "{apart}");
    assert!(journal.notes().contains("looks lost"));
    assert!(stage.only_read());
}

#[tokio::test(start_paused = true)]
async fn a_living_service_is_not_failed_over() {
    let stage = Stage::new(Scenario::alive());
    let error = stage.perform(OUTAGE, json!({ "service": active() })).await.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Refused, "service-looks-alive"));
    assert!(error.details.contains_key("observation"));
    let probe = stage.probe(OUTAGE, json!({ "service": active() })).await.unwrap();
    assert_eq!(codes(&probe, Severity::Blocker), ["service-looks-alive"]);
    assert!(fact(&probe, "active.gateway").as_str().unwrap().starts_with("alive"));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_comes_back_between_the_looks_is_not_failed_over() {
    let mut scenario = Scenario::alive();
    let lost = Act::RegionDown("West Europe".to_owned());
    scenario.faults = vec![Fault::new(lost).between(Duration::ZERO, Some(Duration::from_secs(90)))];
    let stage = Stage::new(scenario);
    let error = stage.perform(OUTAGE, json!({ "service": active(), "hold_off": "2m" })).await.0.unwrap_err();
    assert_eq!(error.code, "service-looks-alive");
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_sees_nothing_confirms_nothing() {
    let down = |number: usize| {
        let server = format!("resolver-{number}");
        Fault::new(Act::DnsServer(DnsTrouble { server, lag: None, down: true }))
    };
    let resolvers = Scenario::default().dns.resolvers;
    let stage = Stage::with((1..=resolvers).map(down));
    let error = stage.perform(OUTAGE, json!({ "service": active() })).await.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Refused, "nothing-observed"));
}
