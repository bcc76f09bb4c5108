//! Who may drive: nobody beside a living process; whoever takes over; and what the other one learns.

use std::time::Duration;

use lifeboat::{
    run::{EngineError, JournalError, Outcome, lease::LEASE},
    sim::Scenario,
    store::StoreError,
};

use super::{Place, begin, drive, holder, run_id};
use crate::{
    harness::{Stage, on_paused_clock, outcome},
    transitions::person,
};

/// The flagship ends the same on both media, and says goodbye.
#[test]
fn a_whole_run_on_either_medium() {
    on_paused_clock(async {
        for shared in [true, false] {
            let stage = Stage::flagship(Scenario::default());
            let place = Place::on(shared, &stage.clock);
            let claim = begin(&stage, &place.store, "ann").await;
            let state = drive(&stage, claim, None).await.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
            let kept = place.store.open("test-run").await.unwrap();
            let (folded, loaded) = kept.load().await.unwrap();
            assert!(folded.is_over());
            assert!(loaded.records.len() > 20);
            let driver = kept.driver().await.unwrap().unwrap();
            assert_eq!((driver.claim, driver.holder.by.name.as_str(), driver.lives), (1, "ann", false));
            assert_eq!(place.store.list().await.unwrap().len(), 1);
            assert!(matches!(place.store.begin(&run_id(), &holder("bob")).await, Err(StoreError::RunExists(_))));
            assert!(matches!(place.store.open("other").await, Err(StoreError::NoSuchRun { .. })));
        }
    });
}

#[test]
fn a_driver_that_lives_is_not_driven_beside() {
    on_paused_clock(async {
        for shared in [true, false] {
            let stage = Stage::flagship(Scenario::default());
            let place = Place::on(shared, &stage.clock);
            let claim = begin(&stage, &place.store, "ann").await;
            let kept = claim.kept.clone();
            let clock = stage.clock.clone();
            let other = async {
                clock.sleep(Duration::from_secs(30)).await;
                let asked = clock.now();
                let error = kept.claim(&holder("bob"), false).await.unwrap_err();
                let waited = clock.now().duration_since(asked).as_secs();
                let StoreError::Driven { heard, .. } = &error else { panic!("{error}") };
                assert_eq!(heard.holder.by, person("ann"));
                assert!(heard.at.is_some_and(|at| clock.now().duration_since(at).as_secs() <= 6), "{heard:?}");
                assert!(error.to_string().contains("ann on here, process 7, since 2026-11-23"), "{error}");
                assert!(error.to_string().contains("last heard"), "{error}");
                assert!(error.hint().contains("--take-over"), "{}", error.hint());
                assert!(waited <= 6, "a heartbeat is seen within {waited} s");
            };
            let (driven, ()) = tokio::join!(drive(&stage, claim, None), other);
            assert_eq!(outcome(&driven.unwrap()), Some(Outcome::Succeeded));
        }
    });
}

/// A claim that nobody attends and nobody left: a process that died.
#[test]
fn a_driver_that_fell_silent_is_dead_after_a_while() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::shared(&stage.clock);
        let dead = begin(&stage, &place.store, "ann").await;
        let asked = stage.clock.now();
        let claim = dead.kept.claim(&holder("bob"), false).await.unwrap();
        let waited = stage.clock.now().duration_since(asked).as_secs();
        assert_eq!(waited, 15);
        assert!(u64::try_from(waited).unwrap() > LEASE.as_secs(), "it may count itself the driver no more");
        assert_eq!(claim.over, None, "nothing is taken from the dead");
        let superseded = dead.beat().await.unwrap_err();
        assert!(matches!(superseded, StoreError::Superseded { .. }));
        assert!(superseded.hint().contains("if nobody drives it, `lifeboat resume test-run`"), "{}", superseded.hint());
        assert!(!dead.lease().holds());
        let state = drive(&stage, claim, None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded));
    });
}

/// A lock goes with its process.
#[test]
fn in_a_directory_the_dead_are_known_at_once() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::directory(&stage.clock);
        drop(begin(&stage, &place.store, "ann").await);
        let asked = stage.clock.now();
        let claim = place.store.open("test-run").await.unwrap().claim(&holder("bob"), false).await.unwrap();
        assert_eq!((claim.number, stage.clock.now()), (2, asked));
    });
}

#[test]
fn taken_over_in_the_middle_the_first_one_stops_and_every_effect_happens_once() {
    on_paused_clock(async {
        for shared in [true, false] {
            let stage = Stage::flagship(Scenario::default());
            let place = Place::on(shared, &stage.clock);
            let claim = begin(&stage, &place.store, "ann").await;
            let kept = claim.kept.clone();
            let clock = stage.clock.clone();
            let second = async {
                // The restore goes on by now.
                clock.sleep(Duration::from_secs(10 * 60)).await;
                let claim = kept.claim(&holder("bob"), true).await.unwrap();
                assert_eq!(claim.over.as_ref().map(|over| over.by.clone()), Some(person("ann")));
                drive(&stage, claim, Some("the laptop is in the bin")).await
            };
            let (first, second) = tokio::join!(drive(&stage, claim, None), second);
            match first {
                Err(EngineError::Journal(JournalError::Superseded { to })) => assert_eq!(to.by, person("bob")),
                Err(error) => panic!("{error}"),
                Ok(_) => panic!("the first one went on"),
            }
            let state = second.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
            let took = state.take_over.as_ref().unwrap();
            assert_eq!((&took.from, took.reason.as_str()), (&person("ann"), "the laptop is in the bin"));
            let effects = stage.world.effects();
            assert_eq!((effects.restore_posts_received, effects.record_puts_accepted), (1, 1), "{effects:?}");
        }
    });
}
