//! `dns.set-ttl`: alone, and before and after a flip of the same run; each goes back to exactly what it found.

use std::collections::BTreeSet;

use lifeboat::{
    run::Disposition,
    sim::{Act, Fault, Moment, RecordView},
};

use super::*;

const TTL: ActionKind = ActionKind::SetTtl;
const FLIP: ActionKind = ActionKind::FlipCname;
const RECORD: &str = "/CNAME/api";

fn arguments() -> Value {
    ttl("60s")
}

fn ttl(ttl: &str) -> Value {
    json!({ "zone": zone(), "record": "api", "ttl": ttl })
}

fn flip(ttl: Option<&str>) -> Value {
    let mut flip = json!({ "zone": zone(), "record": "api", "target": NEW_TARGET });
    if let Some(ttl) = ttl {
        flip["ttl"] = json!(ttl);
    }
    flip
}

fn record(stage: &Stage) -> RecordView {
    stage.world.record("contoso.com", "api").unwrap()
}

/// Everything of the record but the `ETag`.
fn content(stage: &Stage) -> (Option<String>, u32, Value) {
    let record = record(stage);
    (record.target, record.ttl, json!(record.metadata))
}

async fn done(stage: &Stage, kind: ActionKind, arguments: Value) -> Map<String, Value> {
    stage.perform(kind, arguments).await.0.unwrap().outputs
}

#[tokio::test(start_paused = true)]
async fn sets_the_ttl_keeps_everything_else_and_says_when_caches_have_drained() {
    let stage = Stage::new(Scenario::default());
    let probe = stage.probe(TTL, arguments()).await.unwrap();
    assert_eq!(probe.summary, "api.contoso.com: TTL 300 s → 60 s, still at apim-contoso-west.azure-api.net");
    assert_eq!(probe.outputs["ttl"], "1m");
    assert!(!probe.outputs.contains_key("drained_at"));
    assert_eq!(probe.requests[0].headers[0].0, "If-Match");
    assert!(stage.only_read());

    let (performed, journal) = stage.perform_planned(TTL, arguments(), probe.facts).await;
    let outputs = performed.unwrap().outputs;
    let record = record(&stage);
    assert_eq!((record.target.as_deref(), record.ttl), (Some(OLD_TARGET), 60));
    assert_eq!(record.metadata["owner"], "platform-team");
    assert_eq!(record.metadata["lifeboat_ttl_before"], "300 2026-11-23T08:00:00Z run-1");
    let wanted = json!({
        "ttl": "1m", "previous_ttl": "5m", "hostname": "api.contoso.com", "etag": record.etag,
        "drained_at": "2026-11-23T08:05:01Z",
    });
    assert_eq!(Value::Object(outputs.clone()), wanted);
    assert_eq!(journal.intents().len(), 1);
    // Every output of the catalogue, and no other.
    let names: BTreeSet<&str> = TTL.entry().outputs.iter().map(|output| output.name).collect();
    assert_eq!(outputs.keys().map(String::as_str).collect::<BTreeSet<_>>(), names);

    // Once more: nothing is sent, and the outputs are the same.
    stage.pass(2).await;
    let (again, journal) = stage.perform(TTL, arguments()).await;
    assert_eq!(again.unwrap().outputs, outputs);
    assert!(journal.intents().is_empty());
    let probe = stage.probe(TTL, arguments()).await.unwrap();
    assert_eq!(probe.summary, "leaves api.contoso.com as it is: its TTL is 60 s already");
    assert_eq!(probe.requests, []);
    assert_eq!(stage.world.effects().record_puts_received, 1);
}

/// Lower, flip, and all the way back: each undo finds what its own step left.
#[tokio::test(start_paused = true)]
async fn a_lowered_ttl_and_a_flip_of_the_same_run_go_back_one_by_one() {
    for flip_ttl in [None, Some("60s"), Some("30s"), Some("5m")] {
        let stage = Stage::new(Scenario::default());
        let found = content(&stage);
        let lower_facts = stage.probe(TTL, arguments()).await.unwrap().facts;
        let flip_facts = stage.probe(FLIP, flip(flip_ttl)).await.unwrap().facts;
        let lowered = stage.perform_planned(TTL, arguments(), lower_facts).await.0.unwrap().outputs;
        let between = content(&stage);
        // The plan had seen another TTL, but it was this run that changed it.
        let (performed, _) = stage.perform_planned(FLIP, flip(flip_ttl), flip_facts).await;
        let flipped = performed.unwrap_or_else(|error| panic!("{flip_ttl:?}: {error}")).outputs;
        assert_eq!(flipped["previous_target"], OLD_TARGET);
        assert_eq!(flipped["previous_ttl"], "1m", "what the flip found");
        assert_eq!(done(&stage, FLIP, flip(flip_ttl)).await, flipped, "a second look tells the same");

        stage.undo(FLIP, flip(flip_ttl), &flipped).await.0.unwrap();
        assert_eq!(content(&stage), between, "{flip_ttl:?}");
        stage.undo(TTL, arguments(), &lowered).await.0.unwrap();
        assert_eq!(content(&stage), found, "{flip_ttl:?}");
        stage.undo(TTL, arguments(), &lowered).await.0.unwrap();
        assert_eq!(stage.world.effects().record_puts_accepted, 4);
    }
}

/// Raised again behind a flip: the plan of that step had seen the old target.
#[tokio::test(start_paused = true)]
async fn a_ttl_that_is_set_after_a_flip_of_the_same_run_keeps_the_new_target() {
    let stage = Stage::new(Scenario::default());
    let found = content(&stage);
    let facts = stage.probe(TTL, ttl("1h")).await.unwrap().facts;
    let flipped = done(&stage, FLIP, flip(Some("60s"))).await;
    let between = content(&stage);
    let raised = stage.perform_planned(TTL, ttl("1h"), facts).await.0.unwrap().outputs;
    assert_eq!((record(&stage).target.as_deref(), record(&stage).ttl), (Some(NEW_TARGET), 3600));
    assert_eq!(raised["previous_ttl"], "1m");
    stage.undo(TTL, ttl("1h"), &raised).await.0.unwrap();
    assert_eq!(content(&stage), between);
    stage.undo(FLIP, flip(Some("60s")), &flipped).await.0.unwrap();
    assert_eq!(content(&stage), found);
}

/// Caches took the old answer with its long TTL just before that was lowered.
#[tokio::test(start_paused = true)]
async fn propagation_waits_for_the_ttl_from_before_it_was_lowered() {
    let drained = async |first: Value, minutes_between: u64| {
        let stage = Stage::new(Scenario::default());
        done(&stage, TTL, first).await;
        stage.pass(minutes_between).await;
        done(&stage, FLIP, flip(None)).await;
        let propagation = json!({ "zone": zone(), "record": "api", "target": NEW_TARGET });
        let (done, journal) = stage.perform(ActionKind::VerifyPropagation, propagation).await;
        (done.unwrap().outputs["drained_at"].as_str().unwrap().to_owned(), journal.notes())
    };
    // Flipped at once: until 08:05, not 08:01.
    let (at, notes) = drained(arguments(), 0).await;
    assert_eq!(at, "2026-11-23T08:05:01Z");
    assert!(notes.contains("with the TTL that it had until that was changed"), "{notes}");
    // Flipped when the old TTL had run out: its own TTL counts.
    let (at, notes) = drained(arguments(), 10).await;
    assert!(at.starts_with("2026-11-23T08:11:"), "{at}");
    assert!(!notes.contains("until that was changed"), "{notes}");
    // Raised before the flip: the longer one is the flip's own.
    let (at, _) = drained(ttl("20m"), 1).await;
    assert!(at.starts_with("2026-11-23T08:21:"), "{at}");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_changed_since_the_plan_is_left_alone() {
    let change = || Act::ChangeRecord { target: "elsewhere.example.net".to_owned() };
    for fault in
        [Fault::new(change()).on("GET", RECORD).skip(1).times(1), Fault::new(change()).on("PUT", RECORD).times(1)]
    {
        let stage = Stage::with([fault]);
        let facts = stage.probe(TTL, arguments()).await.unwrap().facts;
        let error = stage.perform_planned(TTL, arguments(), facts).await.0.unwrap_err();
        assert_eq!((error.disposition, error.code.as_str()), (Disposition::Refused, "record-changed"));
        assert!(error.message.contains("wanted:     elsewhere.example.net, TTL 60 s"), "{}", error.message);
        assert_eq!(stage.world.effects().record_puts_accepted, 0);
    }
    // Equal content under another ETag is no reason to stop, but not for ever.
    let stage = Stage::with([Fault::new(Act::StaleEtag).on("PUT", RECORD).times(1)]);
    done(&stage, TTL, arguments()).await;
    assert_eq!(stage.world.effects().record_puts_received, 2);
    let stage = Stage::with([Fault::new(Act::StaleEtag).on("PUT", RECORD)]);
    let error = stage.perform(TTL, arguments()).await.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Retryable, "record-contended"));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_looked_for_and_settled_by_reading() {
    for act in [Act::Reset(Moment::After), Act::Reset(Moment::Before), Act::Truncate] {
        let stage = Stage::with([Fault::new(act.clone()).on("PUT", RECORD).times(1)]);
        assert_eq!(done(&stage, TTL, arguments()).await["previous_ttl"], "5m", "{act:?}");
        assert_eq!(stage.world.effects().record_puts_accepted, 1, "{act:?}");
    }
    let stage = Stage::with([Fault::new(Act::Reset(Moment::Before)).on("PUT", RECORD)]);
    let (performed, journal) = stage.perform(TTL, arguments()).await;
    let error = performed.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::InDoubt, "ttl-in-doubt"));
    let intent = journal.intents().pop().unwrap();
    let verdict = stage.settle(TTL, arguments(), Some(&intent), None).await;
    assert!(matches!(verdict, Verdict::DidNotHappen { .. }), "{verdict:?}");

    let stage = Stage::new(Scenario::default());
    let (performed, journal) = stage.perform(TTL, arguments()).await;
    let intent = journal.intents().pop().unwrap();
    let verdict = stage.settle(TTL, arguments(), Some(&intent), None).await;
    assert_eq!(verdict, Verdict::Happened { outputs: performed.unwrap().outputs });
    // The same TTL, but by another run: not ours.
    let mut other = Stage { world: stage.world.clone(), context: stage.context.clone() };
    other.context.run = "run-2".to_owned();
    let verdict = other.settle(TTL, arguments(), Some(&intent), None).await;
    assert!(matches!(verdict, Verdict::Unknown { .. }), "{verdict:?}");
}

#[tokio::test(start_paused = true)]
async fn undo_leaves_a_ttl_alone_that_is_somebody_elses() {
    let stage = Stage::new(Scenario::default());
    let outputs = done(&stage, TTL, arguments()).await;
    let mut other = Stage { world: stage.world.clone(), context: stage.context.clone() };
    other.context.run = "run-2".to_owned();
    done(&other, TTL, ttl("90s")).await;
    let error = stage.undo(TTL, arguments(), &outputs).await.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Refused, "record-changed"));
    assert_eq!(record(&stage).ttl, 90);
    let error = stage.undo(TTL, arguments(), &Map::new()).await.0.unwrap_err();
    assert_eq!(error.code, "previous-unknown");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_changed_blocks_the_plan() {
    let mut scenario = Scenario::default();
    let api = scenario.zone.records.get_mut("api").unwrap();
    api.alias = Some(id("rg", "Microsoft.Network/trafficManagerProfiles", "tm"));
    let stage = Stage::new(scenario);
    let probe = stage.probe(TTL, arguments()).await.unwrap();
    assert_eq!(codes(&probe, Severity::Blocker), ["record-alias"]);
    assert_eq!(stage.perform(TTL, arguments()).await.0.unwrap_err().code, "record-alias");
    for (record, code) in [("@", "record-apex"), ("absent", "record-not-found")] {
        let arguments = json!({ "zone": zone(), "record": record, "ttl": "60s" });
        assert_eq!(stage.probe(TTL, arguments.clone()).await.unwrap_err().code, code);
        assert_eq!(stage.perform(TTL, arguments).await.0.unwrap_err().code, code);
    }
    assert!(stage.only_read());
}
