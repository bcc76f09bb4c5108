//! An old decision never goes over a newer one: the generation in a record's metadata, and the gate before a change.

use std::collections::BTreeMap;

use lifeboat::{
    action::{generation, record_of},
    run::{Disposition, lease::Lease},
};

use super::*;

/// Each change of a record: the action, its arguments, and where the record is.
fn changes() -> [(ActionKind, Value, &'static str); 3] {
    [
        (ActionKind::FlipCname, json!({ "zone": zone(), "record": "api", "target": NEW_TARGET }), "contoso.com"),
        (ActionKind::SetTtl, json!({ "zone": zone(), "record": "api", "ttl": "30s" }), "contoso.com"),
        (
            ActionKind::FlipPrivateCname,
            json!({ "zone": private_zone(), "record": "api", "target": NEW_TARGET }),
            "contoso.internal",
        ),
    ]
}

/// A stage whose process is that run.
fn as_run(stage: &Stage, run: &str) -> Stage {
    let context = stage.context.clone().for_run(run, Duration::from_mins(90));
    Stage { world: stage.world.clone(), context }
}

/// The call of a process that holds the record as that generation.
async fn held(stage: &Stage, kind: ActionKind, arguments: &Value, generation: u64) -> Call {
    let probe = stage.probe(kind, arguments.clone()).await.unwrap();
    let fences = probe.targets.iter().map(|target| (target.clone(), generation)).collect();
    Call { fences: Arc::new(fences), planned: probe.facts, ..call(arguments.clone()) }
}

async fn perform(stage: &Stage, kind: ActionKind, call: &Call) -> Result<Done, StepError> {
    action::perform(kind, call, &stage.context, &recorder().0).await
}

#[tokio::test(start_paused = true)]
async fn an_older_generation_writes_nothing_and_a_newer_one_does() {
    for (kind, arguments, zone) in changes() {
        let stage = Stage::new(Scenario::default());
        let (mine, yours) = (as_run(&stage, "run-1"), as_run(&stage, "run-2"));
        // Both were planned on the same record; the one that came later was faster.
        let old = held(&mine, kind, &arguments, 3).await;
        let equal = Call { fences: held(&yours, kind, &arguments, 4).await.fences, ..old.clone() };
        let new = held(&yours, kind, &arguments, 4).await;
        perform(&yours, kind, &new).await.unwrap();
        let stored = stage.world.record(zone, "api").unwrap();
        assert_eq!(stored.metadata["lifeboat_generation"], "4 run-2", "{kind}");
        assert_eq!(stored.metadata["owner"], "platform-team");
        let written = stage.world.effects().record_puts_received;

        let elsewhere = match kind {
            ActionKind::SetTtl => json!({ "zone": super::zone(), "record": "api", "ttl": "90s" }),
            _ => arguments.clone(),
        };
        for (call, own) in [(&old, 3), (&equal, 4)] {
            let Value::Object(given) = elsewhere.clone() else { panic!("a map") };
            let refused = perform(&mine, kind, &Call { arguments: given, ..call.clone() }).await.unwrap_err();
            assert_eq!((refused.code.as_str(), refused.disposition), ("generation-older", Disposition::Refused));
            assert!(
                refused
                    .message
                    .ends_with(&format!("was written by run `run-2` as generation 4, and this run holds it as {own}")),
                "{refused}"
            );
        }
        assert_eq!(stage.world.effects().record_puts_received, written, "{kind}");
        assert_eq!(stage.world.record(zone, "api").unwrap().etag, stored.etag);
    }
}

#[tokio::test(start_paused = true)]
async fn the_way_back_keeps_its_place_in_the_order() {
    for (kind, arguments, zone) in changes() {
        let stage = Stage::new(Scenario::default());
        let before = stage.world.record(zone, "api").unwrap();
        let (mine, yours) = (as_run(&stage, "run-1"), as_run(&stage, "run-2"));
        let call = held(&mine, kind, &arguments, 6).await;
        let outputs = perform(&mine, kind, &call).await.unwrap().outputs;
        // Taken up by another process of the same run: one higher.
        let again = held(&mine, kind, &arguments, 7).await;
        let older = held(&yours, kind, &arguments, 5).await;
        let undo = |stage: Stage, call: Call| {
            let outputs = outputs.clone();
            async move { action::undo(kind, &call, &stage.context, Some(&outputs), &recorder().0).await }
        };
        assert_eq!(undo(as_run(&stage, "run-2"), older).await.unwrap_err().code, "generation-older", "{kind}");
        undo(as_run(&stage, "run-1"), again).await.unwrap();
        let back = stage.world.record(zone, "api").unwrap();
        assert_eq!((&back.target, back.ttl), (&before.target, before.ttl));
        let mut expected = before.metadata.clone();
        expected.insert("lifeboat_generation".to_owned(), "7 run-1".to_owned());
        assert_eq!(back.metadata, expected, "{kind}");
        // What undid it before is too old by now.
        assert_eq!(undo(as_run(&stage, "run-1"), call).await.unwrap_err().code, "generation-older", "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_sees_the_generation_and_names_the_record_without_a_probe() {
    let stage = Stage::new(Scenario::default());
    let (kind, arguments, _) = changes()[0].clone();
    let call = held(&stage, kind, &arguments, 12).await;
    assert_eq!(generation(&call.planned), 0);
    perform(&stage, kind, &call).await.unwrap();
    let probe = stage.probe(kind, arguments.clone()).await.unwrap();
    assert_eq!(generation(&probe.facts), 12);
    for (kind, arguments, _) in changes() {
        let probe = stage.probe(kind, arguments.clone()).await.unwrap();
        let Value::Object(mut given) = arguments else { panic!("a map") };
        assert_eq!(record_of(kind, &given).as_ref(), probe.targets.first());
        given.insert("record".to_owned(), json!("${{ steps.x.record }}"));
        assert_eq!(record_of(kind, &given), None);
    }
    assert_eq!(record_of(ActionKind::VerifyPropagation, &call.arguments), None);
}

/// Who held no locks is not shut out: its plan could not tell that it would write the record.
#[tokio::test(start_paused = true)]
async fn without_a_lock_nothing_is_noted_and_nobody_shut_out() {
    let stage = Stage::new(Scenario::default());
    let (kind, arguments, zone) = changes()[1].clone();
    perform(&stage, kind, &held(&stage, kind, &arguments, 2).await).await.unwrap();
    let other = as_run(&stage, "run-2");
    other.perform(kind, json!({ "zone": super::zone(), "record": "api", "ttl": "45s" })).await.0.unwrap();
    let stored = stage.world.record(zone, "api").unwrap();
    assert_eq!((stored.ttl, stored.metadata["lifeboat_generation"].as_str()), (45, "2 run-1"));
}

/// The request of a process that was stopped after its intent waits for a heartbeat, wherever it had got to.
#[tokio::test(start_paused = true)]
async fn no_change_leaves_while_the_lease_has_lapsed() {
    let mut stage = Stage::new(Scenario::default());
    let clock = stage.context.clock.clone();
    let lease = Lease::beginning(clock.clone());
    stage.context = stage.context.clone().under(&lease);
    clock.sleep(Duration::from_secs(9)).await;
    assert!(lease.holds());
    clock.sleep(Duration::from_secs(1)).await;
    assert!(!lease.holds());
    let (kind, arguments, _) = changes()[0].clone();
    let call = Call { fences: Arc::new(BTreeMap::new()), ..call(arguments) };
    let beat = async {
        clock.sleep(Duration::from_mins(5)).await;
        assert!(stage.only_read());
        lease.renew(clock.moment());
    };
    let (done, ()) = tokio::join!(perform(&stage, kind, &call), beat);
    done.unwrap();
    assert_eq!(stage.world.effects().record_puts_accepted, 1);

    lease.lose(crate::store::holder("bob"));
    lease.renew(clock.moment());
    assert!(!lease.holds(), "there is no way back from lost");
    assert_eq!(lease.lost().await.by.name, "bob");
}
