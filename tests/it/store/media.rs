//! Targets: one run at a time, on either medium, with a higher generation each time.

use lifeboat::{
    run::{Event, Outcome, RunId},
    sim::Scenario,
    store::{StoreError, Target},
};

use super::{Place, begin, holder};
use crate::{
    harness::{Stage, on_paused_clock},
    transitions::person,
};

fn target(id: &str, seen: u64) -> Target {
    Target { id: id.to_owned(), seen }
}

#[test]
fn a_target_is_held_until_its_run_is_over_and_its_generation_only_grows() {
    on_paused_clock(async {
        for shared in [true, false] {
            let stage = Stage::flagship(Scenario::default());
            let place = Place::on(shared, &stage.clock);
            let (record, service) = (target("/zone/cname/api", 0), target("/apim/east", 4));
            let first = begin(&stage, &place.store, "ann").await;
            let both = [record.clone(), service.clone()];
            let fences = place.store.hold_targets(&first, &both).await.unwrap();
            assert_eq!(fences[&record.id], 1);
            assert_eq!(fences[&service.id], 5, "what the world shows counts too");

            // Another run, which has not begun, beside one that is not over.
            let second = place.store.begin(&RunId("second".into()), &holder("bob")).await.unwrap();
            let error = place.store.hold_targets(&second, std::slice::from_ref(&record)).await.unwrap_err();
            let StoreError::TargetHeld { run, target, what } = &error else { panic!("{error}") };
            assert_eq!((&*run.0, target), ("test-run", &record.id));
            assert!(what.contains("taken by ann on here since 2026-11-23 03:00:00Z"), "{what}");

            // The same run again: a higher one.
            let kept = first.kept.clone();
            first.leave().await;
            let again = kept.claim(&holder("eve"), false).await.unwrap();
            let fences = place.store.hold_targets(&again, &both).await.unwrap();
            assert_eq!((fences[&record.id], fences[&service.id]), (2, 6));

            let (_, loaded) = kept.load().await.unwrap();
            let over = Event::RunStopped { outcome: Outcome::Aborted, reason: "enough".into() };
            again.journal(Some(&loaded)).await.unwrap().append(stage.clock.now(), &[over]).await.unwrap();
            let fences = place.store.hold_targets(&second, &both).await.unwrap();
            assert_eq!((fences[&record.id], fences[&service.id]), (3, 7));

            // The second has not begun but lives; then it has gone, and never began.
            let third = place.store.begin(&RunId("third".into()), &holder("joe")).await.unwrap();
            if !shared {
                let error = place.store.hold_targets(&third, &both).await.unwrap_err();
                assert!(error.to_string().contains("begun by bob"), "{error}");
            }
            second.leave().await;
            assert_eq!(place.store.hold_targets(&third, &both).await.unwrap()[&record.id], 4);
        }
    });
}

/// Whoever was superseded takes nothing.
#[test]
fn a_superseded_process_takes_no_target() {
    on_paused_clock(async {
        for shared in [true, false] {
            let stage = Stage::flagship(Scenario::default());
            let place = Place::on(shared, &stage.clock);
            let first = begin(&stage, &place.store, "ann").await;
            let next = first.kept.claim(&holder("bob"), true).await.unwrap();
            let record = target("/zone/cname/api", 0);
            assert_eq!(place.store.hold_targets(&next, std::slice::from_ref(&record)).await.unwrap()[&record.id], 1);
            let error = place.store.hold_targets(&first, std::slice::from_ref(&record)).await.unwrap_err();
            assert!(error.is_superseded(), "{error}");
            assert_eq!(next.over.map(|over| over.by), Some(person("ann")));
        }
    });
}
