//! `dns.flip-cname`: never over a change that it has not seen, and back again.

use lifeboat::{
    run::Disposition,
    runbook::Effect,
    sim::{Act, Fault, Moment, Status},
};

use super::*;

const FLIP: ActionKind = ActionKind::FlipCname;
const RECORD: &str = "/CNAME/api";

fn arguments() -> Value {
    json!({ "zone": zone(), "record": "api", "target": NEW_TARGET, "ttl": "60s" })
}

async fn planned(stage: &Stage) -> Vec<Fact> {
    stage.probe(FLIP, arguments()).await.unwrap().facts
}

#[tokio::test(start_paused = true)]
async fn moves_the_record_keeps_what_others_wrote_and_notes_what_was_there() {
    let stage = Stage::new(Scenario::default());
    let probe = stage.probe(FLIP, arguments()).await.unwrap();
    assert_eq!(fact(&probe, "record.target"), OLD_TARGET);
    let request = &probe.requests[0];
    assert_eq!((request.method.as_str(), request.headers[0].0.as_str()), ("PUT", "If-Match"));
    assert!(stage.only_read());

    let (done, journal) = stage.perform_planned(FLIP, arguments(), probe.facts).await;
    let done = done.unwrap();
    assert_eq!(done.outputs["previous_target"], OLD_TARGET);
    assert_eq!(done.outputs["previous_ttl"], "5m");
    assert_eq!(done.outputs["hostname"], "api.contoso.com");
    let record = stage.world.record("contoso.com", "api").unwrap();
    assert_eq!((record.target.as_deref(), record.ttl), (Some(NEW_TARGET), 60));
    assert_eq!(done.outputs["etag"], json!(record.etag));
    assert_eq!(record.metadata["owner"], "platform-team");
    assert_eq!(record.metadata["lifeboat_run"], "run-1");
    assert_eq!(record.metadata["lifeboat_previous_target"], OLD_TARGET);
    assert_eq!(record.metadata["lifeboat_previous_ttl"], "300");
    assert_eq!(record.metadata["lifeboat_flipped_at"], "2026-11-23T08:00:00Z");
    assert_eq!(journal.intents().len(), 1);

    // Once more: nothing is sent, and the outputs are the same.
    let (again, journal) = stage.perform(FLIP, arguments()).await;
    assert_eq!(again.unwrap().outputs, done.outputs);
    assert!(journal.intents().is_empty());
    assert_eq!(stage.world.effects().record_puts_received, 1);
}

#[tokio::test(start_paused = true)]
async fn a_stale_etag_with_equal_content_is_no_reason_to_stop() {
    let stage = Stage::with([Fault::new(Act::StaleEtag).on("PUT", RECORD).times(1)]);
    let facts = planned(&stage).await;
    stage.perform_planned(FLIP, arguments(), facts).await.0.unwrap();
    assert_eq!(stage.world.effects().record_puts_accepted, 1);
    assert_eq!(stage.world.effects().record_puts_received, 2);
    // But not for ever.
    let stage = Stage::with([Fault::new(Act::StaleEtag).on("PUT", RECORD)]);
    let error = stage.perform(FLIP, arguments()).await.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Retryable, "record-contended"));
    assert_eq!(stage.world.effects().record_puts_accepted, 0);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_changed_since_the_plan_is_left_alone() {
    let change = || Act::ChangeRecord { target: "elsewhere.example.net".to_owned() };
    // Between the plan and the run, and between the read and the write.
    for fault in
        [Fault::new(change()).on("GET", RECORD).skip(1).times(1), Fault::new(change()).on("PUT", RECORD).times(1)]
    {
        let stage = Stage::with([fault]);
        let facts = planned(&stage).await;
        let error = stage.perform_planned(FLIP, arguments(), facts).await.0.unwrap_err();
        assert_eq!((error.disposition, error.code.as_str()), (Disposition::Refused, "record-changed"));
        for line in
            ["planned on: apim-contoso-west", "found now:  elsewhere.example.net", "wanted:     apim-contoso-east"]
        {
            assert!(error.message.contains(line), "{}", error.message);
        }
        assert_eq!(stage.world.effects().record_puts_accepted, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_does_not_flip_twice() {
    let acted = |code| {
        Act::Status(Status { code, error_code: Some("x".to_owned()), message: None, retry_after: None, acted: true })
    };
    for act in [Act::Reset(Moment::After), Act::Reset(Moment::Before), acted(503), acted(500), Act::Truncate] {
        let stage = Stage::with([Fault::new(act.clone()).on("PUT", RECORD).times(1)]);
        let (done, _) = stage.perform(FLIP, arguments()).await;
        let done = done.unwrap_or_else(|error| panic!("{act:?}: {error}"));
        assert_eq!(done.outputs["previous_target"], OLD_TARGET, "{act:?}");
        assert_eq!(stage.world.effects().record_puts_accepted, 1, "{act:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_nobody_answers_is_in_doubt_and_the_record_tells() {
    let stage = Stage::with([Fault::new(Act::Reset(Moment::Before)).on("PUT", RECORD)]);
    let (done, journal) = stage.perform(FLIP, arguments()).await;
    let error = done.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::InDoubt, "flip-in-doubt"));
    let intent = journal.intents().pop().unwrap();
    let verdict = stage.settle(FLIP, arguments(), Some(&intent), None).await;
    assert!(matches!(verdict, Verdict::DidNotHappen { .. }), "{verdict:?}");
}

#[tokio::test(start_paused = true)]
async fn settling_reads_the_record() {
    let stage = Stage::new(Scenario::default());
    let (done, journal) = stage.perform(FLIP, arguments()).await;
    let intent = journal.intents().pop().unwrap();
    let verdict = stage.settle(FLIP, arguments(), Some(&intent), None).await;
    assert_eq!(verdict, Verdict::Happened { outputs: done.unwrap().outputs });
    // The same target, but by another run: not ours.
    let mut other = Stage { world: stage.world.clone(), context: stage.context.clone() };
    other.context.run = "run-2".to_owned();
    let verdict = other.settle(FLIP, arguments(), Some(&intent), None).await;
    assert!(matches!(verdict, Verdict::Unknown { .. }), "{verdict:?}");
    let verdict = stage.settle(FLIP, arguments(), None, None).await;
    assert!(matches!(verdict, Verdict::DidNotHappen { .. }), "{verdict:?}");
}

#[tokio::test(start_paused = true)]
async fn undo_puts_back_what_was_there_and_only_that() {
    let stage = Stage::new(Scenario::default());
    let before = stage.world.record("contoso.com", "api").unwrap();
    let outputs = stage.perform(FLIP, arguments()).await.0.unwrap().outputs;
    let (undone, journal) = stage.undo(FLIP, arguments(), &outputs).await;
    undone.unwrap();
    assert_eq!(journal.intents().len(), 1);
    let after = stage.world.record("contoso.com", "api").unwrap();
    assert_eq!((&after.target, after.ttl, &after.metadata), (&before.target, before.ttl, &before.metadata));
    // Again: nothing is left to do.
    stage.undo(FLIP, arguments(), &outputs).await.0.unwrap();
    assert_eq!(stage.world.effects().record_puts_accepted, 2);

    // Somebody else has moved it on: it is theirs now.
    let change = Act::ChangeRecord { target: "elsewhere.example.net".to_owned() };
    let stage = Stage::with([Fault::new(change).on("GET", RECORD).skip(1).times(1)]);
    let outputs = stage.perform(FLIP, arguments()).await.0.unwrap().outputs;
    let error = stage.undo(FLIP, arguments(), &outputs).await.0.unwrap_err();
    assert_eq!(error.code, "record-changed");
    assert_eq!(stage.world.record("contoso.com", "api").unwrap().target.as_deref(), Some("elsewhere.example.net"));
}

/// A flip that never arrived, and somebody else has made the same: it is not said to be undone while the record points there.
#[tokio::test(start_paused = true)]
async fn a_flip_that_somebody_else_made_is_not_called_undone() {
    let stage = Stage::with([Fault::new(Act::Reset(Moment::Before)).on("PUT", RECORD).times(1)]);
    let intent = stage.perform(FLIP, arguments()).await.1.intents().pop().unwrap();
    let half = Call { earlier: Some(Arc::new(intent)), ..call(arguments()) };
    action::undo(FLIP, &half, &stage.context, None, &recorder().0).await.unwrap();
    let mut other = Stage { world: stage.world.clone(), context: stage.context.clone() };
    other.context.run = "run-2".to_owned();
    other.perform(FLIP, arguments()).await.0.unwrap();
    let error = action::undo(FLIP, &half, &stage.context, None, &recorder().0).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.disposition), ("record-changed", Disposition::Refused));
    assert!(error.message.contains("nothing on it says that this run made it so"), "{error}");
    assert_eq!(stage.world.record("contoso.com", "api").unwrap().target.as_deref(), Some(NEW_TARGET));
}

/// Without room for the notes there may be room for the generation, which names the run as well.
#[tokio::test(start_paused = true)]
async fn a_full_record_is_known_by_its_generation() {
    let stage = Stage::with([Fault::new(Act::Reset(Moment::Before)).on("PUT", RECORD).times(1)]);
    let intent = stage.perform(FLIP, arguments()).await.1.intents().pop().unwrap();
    for (writer, ours) in [("run-1", true), ("run-2", false)] {
        let mut scenario = Scenario::default();
        let api = scenario.zone.records.get_mut("api").unwrap();
        NEW_TARGET.clone_into(&mut api.target);
        api.ttl = Duration::from_secs(60);
        api.metadata = (0..9).map(|place| (format!("key-{place}"), "x".to_owned())).collect();
        api.metadata.insert("lifeboat_generation".to_owned(), format!("3 {writer}"));
        let verdict = Stage::new(scenario).settle(FLIP, arguments(), Some(&intent), None).await;
        assert_eq!(matches!(verdict, Verdict::Happened { .. }), ours, "{verdict:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_notes_and_the_generation_want_five_entries() {
    for (entries, warnings) in [(5, &[][..]), (6, &["metadata-full"])] {
        let mut scenario = Scenario::default();
        let api = scenario.zone.records.get_mut("api").unwrap();
        api.metadata = (0..entries).map(|place| (format!("key-{place}"), "x".to_owned())).collect();
        let probe = Stage::new(scenario).probe(FLIP, arguments()).await.unwrap();
        assert_eq!(codes(&probe, Severity::Warning), warnings, "{entries}");
    }
}

#[tokio::test(start_paused = true)]
async fn undo_is_for_what_is_reversible() {
    let stage = Stage::new(Scenario::default());
    for &kind in ActionKind::ALL.iter().filter(|kind| kind.entry().effect != Effect::Reversible) {
        let error = stage.undo(kind, json!({}), &Map::new()).await.0.unwrap_err();
        assert_eq!(error.code, "cannot-be-undone");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_flipped_blocks_the_plan() {
    let mut scenario = Scenario::default();
    let api = scenario.zone.records.get_mut("api").unwrap();
    api.alias = Some(id("rg", "Microsoft.Network/trafficManagerProfiles", "tm"));
    let stage = Stage::new(scenario);
    let probe = stage.probe(FLIP, arguments()).await.unwrap();
    assert_eq!(codes(&probe, Severity::Blocker), ["record-alias"]);
    assert_eq!(stage.perform(FLIP, arguments()).await.0.unwrap_err().code, "record-alias");
    for (record, code) in [("@", "record-apex"), ("absent", "record-not-found")] {
        let arguments = json!({ "zone": zone(), "record": record, "target": NEW_TARGET });
        let error = stage.probe(FLIP, arguments.clone()).await.unwrap_err();
        assert_eq!(error.code, code);
        assert!(!error.hint.is_empty());
        assert_eq!(stage.perform(FLIP, arguments).await.0.unwrap_err().code, code);
    }
    assert!(stage.only_read());
}

#[tokio::test(start_paused = true)]
async fn the_plan_of_the_same_world_is_the_same() {
    let stage = Stage::new(Scenario::default());
    let first = stage.probe(FLIP, arguments()).await.unwrap();
    stage.pass(10).await;
    let second = stage.probe(FLIP, arguments()).await.unwrap();
    assert_eq!(first.requests, second.requests);
    assert_eq!(first.outputs, second.outputs);
}

#[tokio::test(start_paused = true)]
async fn a_full_record_keeps_its_owners_notes() {
    let mut scenario = Scenario::default();
    let api = scenario.zone.records.get_mut("api").unwrap();
    api.metadata = (0..8).map(|place| (format!("key-{place}"), "x".to_owned())).collect();
    let stage = Stage::new(scenario);
    let probe = stage.probe(FLIP, arguments()).await.unwrap();
    assert_eq!(codes(&probe, Severity::Warning), ["metadata-full"]);
    stage.perform(FLIP, arguments()).await.0.unwrap();
    let metadata = stage.world.record("contoso.com", "api").unwrap().metadata;
    assert_eq!(metadata.len(), 10);
    assert_eq!(metadata["lifeboat_run"], "run-1");
    assert!(metadata.contains_key("key-7"));
}

#[tokio::test(start_paused = true)]
async fn a_full_record_whose_answer_was_lost_still_knows_its_previous_target() {
    for entries in [8, 10] {
        let mut scenario = Scenario::default();
        let api = scenario.zone.records.get_mut("api").unwrap();
        api.metadata = (0..entries).map(|place| (format!("key-{place}"), "x".to_owned())).collect();
        scenario.faults = vec![Fault::new(Act::Reset(Moment::After)).on("PUT", RECORD).times(1)];
        let stage = Stage::new(scenario);
        let (done, _) = stage.perform(FLIP, arguments()).await;
        let done = done.unwrap();
        assert_eq!(done.outputs["previous_target"], OLD_TARGET, "{entries} entries");
        assert_eq!(stage.world.effects().record_puts_accepted, 1);
    }
}
