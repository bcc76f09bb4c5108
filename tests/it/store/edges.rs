//! What a store says of itself, and what it makes of what lies in its way.

use std::time::Duration;

use bytes::Bytes;
use lifeboat::{
    net::Objects,
    run::{JournalError, engine::Request, journal::load_objects},
    sim::Scenario,
    store::{StoreError, Target},
};
use object_store::{ObjectStoreExt, path::Path};

use super::{Place, begin, drive, holder};
use crate::{
    harness::{Stage, on_paused_clock},
    transitions::person,
};

/// The most that is read of a journal: src/run/journal.rs.
const LARGEST: usize = 1 << 30;

#[test]
fn a_store_says_where_it_is_and_a_run_whether_its_world_is_simulated() {
    on_paused_clock(async {
        for shared in [true, false] {
            let stage = Stage::flagship(Scenario::default());
            let place = Place::on(shared, &stage.clock);
            let kept = begin(&stage, &place.store, "ann").await.kept;
            let shown = place.store.shown();
            assert!(shown.ends_with(if shared { "memory://team/dr" } else { "/state" }), "{shown}");
            assert_eq!((kept.is_shared(), kept.is_simulated()), (shared, false));
            if let Some(world) = kept.world_path() {
                std::fs::write(world, "{}").unwrap();
                assert!(kept.is_simulated());
            }
        }
    });
}

#[test]
fn a_request_that_is_gone_is_taken_back_and_one_that_cannot_go_is_not() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::directory(&stage.clock);
        let kept = begin(&stage, &place.store, "ann").await.kept;
        let inbox = place.run("test-run").join("inbox");
        let pause = Request::Pause { by: person("bob"), reason: None };
        let gone = kept.post("for-000001-1-a", &pause).await.unwrap();
        std::fs::remove_file(inbox.join("for-000001-1-a.request")).unwrap();
        assert!(gone.withdraw("mine").await.unwrap());
        let stays = kept.post("for-000001-2-b", &pause).await.unwrap();
        std::fs::remove_file(inbox.join("for-000001-2-b.request")).unwrap();
        std::fs::create_dir(inbox.join("for-000001-2-b.request")).unwrap();
        assert!(matches!(stays.withdraw("mine").await, Err(StoreError::Io { .. })));
    });
}

#[test]
fn a_run_that_nobody_ever_drove_has_no_driver_and_claims_that_cannot_be_read_are_no_answer() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::directory(&stage.clock);
        let kept = begin(&stage, &place.store, "ann").await.kept;
        let drivers = place.run("test-run").join("drivers");
        std::fs::remove_dir_all(&drivers).unwrap();
        assert!(kept.driver().await.unwrap().is_none());
        std::fs::write(&drivers, "not a directory").unwrap();
        assert!(matches!(kept.driver().await, Err(StoreError::Io { .. })));
    });
}

#[test]
fn a_target_that_cannot_be_read_is_not_taken() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::directory(&stage.clock);
        let claim = begin(&stage, &place.store, "ann").await;
        let target = Target { id: "/zone/cname/api".to_owned(), seen: 0 };
        place.store.hold_targets(&claim, std::slice::from_ref(&target)).await.unwrap();
        let targets = place.run("x").ancestors().nth(2).unwrap().join("targets");
        let held = std::fs::read_dir(targets).unwrap().next().unwrap().unwrap().path();
        std::fs::write(&held, vec![b' '; 1 << 20]).unwrap();
        let refused = place.store.hold_targets(&claim, &[target]).await;
        assert!(matches!(refused, Err(StoreError::Io { .. })), "{refused:?}");
    });
}

/// Whether its process lives cannot be told: nobody counts it dead.
#[cfg(unix)]
#[test]
fn a_lock_that_cannot_be_opened_is_not_a_free_one() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::directory(&stage.clock);
        let claim = begin(&stage, &place.store, "ann").await;
        let lock = place.run("test-run").join("drivers/ann1.lock");
        std::fs::remove_file(&lock).unwrap();
        std::os::unix::fs::symlink(&lock, &lock).unwrap();
        assert!(matches!(claim.kept.driver().await, Err(StoreError::Io { .. })));
        assert!(matches!(claim.kept.claim(&holder("bob"), false).await, Err(StoreError::Io { .. })));
    });
}

/// People are told when a driver was last heard of, on a directory too.
#[test]
fn a_driver_on_a_directory_is_heard_of_as_long_as_it_drives() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::directory(&stage.clock);
        let claim = begin(&stage, &place.store, "ann").await;
        let (kept, began) = (claim.kept.clone(), stage.clock.now());
        let heard = async {
            stage.clock.sleep(Duration::from_mins(10)).await;
            kept.driver().await.unwrap().unwrap()
        };
        let (_driven, heard) = tokio::join!(drive(&stage, claim, None), heard);
        assert!(heard.lives);
        let at = heard.at.unwrap().duration_since(began).as_secs();
        assert!((590..=600).contains(&at), "{at} s after the run began");
    });
}

/// Whether somebody has taken the run over cannot be told: nothing is acknowledged.
#[test]
fn a_claim_that_cannot_be_read_stops_the_journal() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::directory(&stage.clock);
        let claim = begin(&stage, &place.store, "ann").await;
        let next = place.run("test-run").join("drivers/000002.json");
        let (_, loaded) = claim.kept.load().await.unwrap();
        let mut journal = claim.journal(Some(&loaded)).await.unwrap();
        std::fs::create_dir(&next).unwrap();
        let event = lifeboat::run::Event::Confirmed { by: person("ann"), what: "x".into() };
        let refused = journal.append(stage.clock.now(), &[event]).await.unwrap_err();
        assert!(matches!(refused, JournalError::Io { action: "cannot read", .. }), "{refused}");
    });
}

#[test]
fn what_is_no_journal_by_its_size_is_not_read() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::shared(&stage.clock);
        let objects = Objects::new(place.memory.clone(), "large", "memory://large", stage.clock.clone());
        // One piece of memory, that nobody writes to, sixteen times.
        let part = Bytes::from(vec![0; LARGEST / 16]);
        for number in 0..16 {
            place.memory.put(&Path::from(format!("large/part-{number}")), part.clone().into()).await.unwrap();
        }
        assert!(matches!(load_objects(&objects).await, Err(JournalError::Empty { .. })), "as large as it may be");
        place.memory.put(&Path::from("large/more"), Bytes::from_static(b"x").into()).await.unwrap();
        assert!(matches!(load_objects(&objects).await, Err(JournalError::TooLarge { .. })));
    });
}
