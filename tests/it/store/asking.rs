//! Requests to whoever drives: at once, to that process alone, by one taker, and what becomes of them when it has gone.

use std::{sync::Mutex, time::Duration};

use lifeboat::{
    run::{EngineError, Event, JournalError, Outcome, engine::Request},
    runbook::StepId,
    sim::{
        Scenario,
        bucket::{BucketVerb, Trouble},
    },
    store::{Asked, Kept, StoreError},
};
use object_store::{ObjectStore, ObjectStoreExt, path::Path};

use super::{Place, begin, drive, holder};
use crate::{
    harness::{Stage, on_paused_clock, outcome},
    transitions::person,
};

const PATIENCE: Duration = Duration::from_secs(10);

fn abort() -> Request {
    Request::Stop { by: person("bob"), abort: true, reason: "enough".into(), undo: false }
}

fn early() -> Request {
    Request::Approve { step: StepId::new("approve"), by: person("bob"), comment: None }
}

/// What lies in the inbox of the run, on either medium.
async fn left(place: &Place, kept: &Kept) -> Vec<String> {
    let mut names: Vec<String> = match kept.world_path() {
        None => {
            let control = Path::from("team/dr/runs/test-run/control");
            let listed = place.memory.list_with_delimiter(Some(&control)).await.unwrap();
            listed.objects.iter().map(|meta| meta.location.filename().unwrap().to_owned()).collect()
        }
        Some(world) => {
            let inbox = world.with_file_name("inbox");
            std::fs::read_dir(inbox).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }
    };
    names.retain(|name| [".request", ".taken", ".answer"].iter().any(|end| name.ends_with(end)));
    names.sort();
    names
}

async fn put(place: &Place, kept: &Kept, name: &str, text: &str) {
    match kept.world_path() {
        None => {
            let path = Path::from(format!("team/dr/runs/test-run/control/{name}"));
            place.memory.put(&path, text.to_owned().into()).await.unwrap();
        }
        Some(world) => std::fs::write(world.with_file_name("inbox").join(name), text).unwrap(),
    }
}

/// As the commands ask: without watching first whether the driver lives.
#[test]
fn what_is_asked_has_its_effect_within_two_seconds() {
    on_paused_clock(async {
        for shared in [true, false] {
            let stage = Stage::flagship(Scenario::default());
            let place = Place::on(shared, &stage.clock);
            let claim = begin(&stage, &place.store, "ann").await;
            let kept = claim.kept.clone();
            let clock = stage.clock.clone();
            let asked = async {
                clock.sleep(Duration::from_secs(10 * 60)).await;
                let began = clock.now();
                let refused = kept.ask("1-a", &early(), PATIENCE).await.unwrap();
                assert!(matches!(&refused, Asked::Answered(Err(why)) if why.contains("does not wait")), "{refused:?}");
                assert!(clock.now().duration_since(began).as_secs() < 2);
                let stop = Request::Stop { by: person("bob"), abort: false, reason: "enough".into(), undo: false };
                let began = clock.now();
                assert!(matches!(kept.ask("2-b", &stop, PATIENCE).await.unwrap(), Asked::Answered(Ok(()))));
                assert!(clock.now().duration_since(began).as_secs() < 2);
                assert_eq!(left(&place, &kept).await, Vec::<String>::new());
            };
            let (state, ()) = tokio::join!(drive(&stage, claim, None), asked);
            assert_eq!(outcome(&state.unwrap()), Some(Outcome::Interrupted));
            assert!(matches!(kept.ask("3-c", &abort(), PATIENCE).await.unwrap(), Asked::Nobody(None)));
        }
    });
}

/// Nobody attends: in a shared store it falls silent, in a directory its process ends.
#[test]
fn a_driver_that_proves_dead_gets_nothing_and_is_not_watched_twice() {
    on_paused_clock(async {
        for shared in [true, false] {
            let stage = Stage::flagship(Scenario::default());
            let place = Place::on(shared, &stage.clock);
            let dead = begin(&stage, &place.store, "ann").await;
            let kept = dead.kept.clone();
            let asked = stage.clock.now();
            let dies = async {
                stage.clock.sleep(Duration::from_secs(2)).await;
                if shared { Some(dead) } else { None }
            };
            let request = abort();
            let (answer, _silent) = tokio::join!(kept.ask("1-a", &request, PATIENCE), dies);
            let Asked::Nobody(Some(heard)) = answer.unwrap() else { panic!("it is dead") };
            assert_eq!(heard.holder.by, person("ann"));
            assert_eq!(left(&place, &kept).await, Vec::<String>::new(), "taken back");
            let claim = kept.claim_after(&holder("bob"), Some(&heard)).await.unwrap();
            let waited = stage.clock.now().duration_since(asked).as_secs();
            assert!(waited <= if shared { 17 } else { 3 }, "{waited} s");
            assert_eq!(claim.number, 2);
            let state = drive(&stage, claim, None).await.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Succeeded), "nothing of it was done");
        }
    });
}

/// It lives and has been stopped; whoever asked went away; days later somebody resumes.
#[test]
fn what_was_asked_of_one_process_is_not_done_by_the_next() {
    on_paused_clock(async {
        for shared in [true, false] {
            let stage = Stage::flagship(Scenario::default());
            let place = Place::on(shared, &stage.clock);
            let claim = begin(&stage, &place.store, "ann").await;
            let kept = claim.kept.clone();
            let text = serde_json::to_string(&abort()).unwrap();
            // Of this lifeboat, and of one that did not say for whom.
            let posted = kept.post("for-000001-1-a", &abort()).await.unwrap();
            let older = kept.post("1761730000000-beef", &abort()).await.unwrap();
            // One that had been taken, and answers that nobody came for.
            put(&place, &kept, "for-000001-2-b.request", &text).await;
            put(&place, &kept, "for-000001-2-b.taken", "1 ann1").await;
            put(&place, &kept, "for-000001-3-c.answer", "{\"Ok\":null}").await;
            put(&place, &kept, "1761730000000-cafe.answer", "{\"Ok\":null}").await;
            claim.leave().await;
            let next = kept.claim(&holder("eve"), false).await.unwrap();
            let state = drive(&stage, next, None).await.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
            for posted in [posted, older] {
                let answer = posted.answer().await.unwrap();
                assert!(matches!(&answer, Some(Err(why)) if why.contains("has gone; nothing was done")), "{answer:?}");
            }
            assert_eq!(left(&place, &kept).await, Vec::<String>::new());
        }
    });
}

#[test]
fn of_two_who_want_a_request_one_has_it() {
    on_paused_clock(async {
        for shared in [true, false] {
            let stage = Stage::flagship(Scenario::default());
            let place = Place::on(shared, &stage.clock);
            let claim = begin(&stage, &place.store, "ann").await;
            let kept = claim.kept.clone();
            // The driver has it, and has not removed it yet: it cannot be taken back.
            let had = kept.post("for-000001-1-a", &abort()).await.unwrap();
            put(&place, &kept, "for-000001-1-a.taken", "1 ann1").await;
            assert!(!had.withdraw("mine").await.unwrap());
            // Somebody has taken it back, and its file still lies there: the driver does not do it.
            kept.post("for-000001-2-b", &abort()).await.unwrap();
            put(&place, &kept, "for-000001-2-b.taken", "taken back").await;
            let back = kept.post("for-000001-3-c", &abort()).await.unwrap();
            assert!(back.withdraw("mine").await.unwrap());
            let state = drive(&stage, claim, None).await.unwrap();
            let aborts = kept.load().await.unwrap().1.records.into_iter();
            let aborts = aborts.filter(|record| matches!(record.event, Event::StopRequested { .. })).count();
            assert_eq!((aborts, outcome(&state)), (1, Some(Outcome::Aborted)), "only what it had taken");
        }
    });
}

/// What was taken is done once, although its request cannot be removed for a while.
#[test]
fn a_request_that_stays_is_done_once() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::shared(&stage.clock);
        let claim = begin(&stage, &place.store, "ann").await;
        let kept = claim.kept.clone();
        place.memory.judged_by(|request| match request.verb {
            BucketVerb::Delete => Trouble::Refused,
            BucketVerb::Put | BucketVerb::Get | BucketVerb::List => Trouble::None,
        });
        let clock = stage.clock.clone();
        let asked = async {
            clock.sleep(Duration::from_secs(60)).await;
            let pause = Request::Pause { by: person("bob"), reason: None };
            kept.post("for-000001-1-a", &pause).await.unwrap();
            clock.sleep(Duration::from_secs(10)).await;
            kept.post("for-000001-2-b", &Request::Resume { by: person("bob") }).await.unwrap();
        };
        let (state, ()) = tokio::join!(drive(&stage, claim, None), asked);
        assert_eq!(outcome(&state.unwrap()), Some(Outcome::Succeeded));
        let records = kept.load().await.unwrap().1.records;
        let count = |name: &str| records.iter().filter(|record| record.event.name() == name).count();
        assert_eq!((count("paused"), count("pause-lifted")), (1, 1));
    });
}

/// A person types for minutes, and nobody takes the run for dead meanwhile.
#[test]
fn a_claim_beats_before_its_drive_begins() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::shared(&stage.clock);
        let claim = std::sync::Arc::new(begin(&stage, &place.store, "ann").await);
        let kept = claim.kept.clone();
        let beating = claim.beating();
        stage.clock.sleep(Duration::from_mins(4)).await;
        let refused = kept.claim(&holder("bob"), false).await.unwrap_err();
        assert!(matches!(refused, StoreError::Driven { .. }), "{refused}");
        assert!(claim.lease().holds());
        beating.end().await;
        std::sync::Arc::try_unwrap(claim).unwrap().leave().await;
        let asked = stage.clock.now();
        kept.claim(&holder("bob"), false).await.unwrap();
        assert_eq!(stage.clock.now(), asked, "it has said goodbye");
    });
}

/// May create and not overwrite: every record is written, and no heartbeat.
#[test]
fn heartbeats_that_never_get_through_are_told_and_end_the_drive() {
    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let mut place = Place::shared(&stage.clock);
        place.store =
            place.store.clone().telling(std::sync::Arc::new(|text| TOLD.lock().unwrap().push(text.to_owned())));
        let claim = begin(&stage, &place.store, "ann").await;
        place.memory.judged_by(|request| {
            let beat = request.verb == BucketVerb::Put && request.path.contains("/control/000001.heard");
            if beat { Trouble::Refused } else { Trouble::None }
        });
        let began = stage.clock.now();
        let error = drive(&stage, claim, None).await.unwrap_err();
        assert!(matches!(&error, EngineError::Journal(JournalError::Store(_))), "{error}");
        assert!(error.to_string().contains("control/000001.heard"), "{error}");
        let took = stage.clock.now().duration_since(began).as_secs();
        assert!((60..=75).contains(&took), "{took} s");
        let told = TOLD.lock().unwrap().clone();
        let lapsed = told.iter().filter(|text| text.contains("nothing more is sent to Azure")).count();
        assert_eq!(lapsed, 1, "{told:?}");
        assert_eq!(stage.world.effects().restore_posts_received, 0);
    });
}

/// It lives and attends to nothing: whoever asks is told so once, and hears in the end that it may still come.
#[test]
fn a_driver_that_lives_and_says_nothing_is_told_of_once_and_not_taken_for_dead() {
    for (shared, patience_s) in [(true, 20), (false, 10)] {
        for had in [true, false] {
            on_paused_clock(async {
                let stage = Stage::flagship(Scenario::default());
                let mut place = Place::on(shared, &stage.clock);
                let told = std::sync::Arc::new(Mutex::new(Vec::new()));
                let (clock, telling) = (stage.clock.clone(), told.clone());
                let tell = move |text: &str| telling.lock().unwrap().push((clock.now(), text.to_owned()));
                place.store = place.store.clone().telling(std::sync::Arc::new(tell));
                let claim = std::sync::Arc::new(begin(&stage, &place.store, "ann").await);
                let kept = claim.kept.clone();
                let beating = claim.beating();
                if had {
                    put(&place, &kept, "for-000001-1-a.taken", "1 ann1").await;
                }
                let began = stage.clock.now();
                let asked = kept.ask("1-a", &abort(), PATIENCE).await.unwrap();
                assert!(matches!(asked, Asked::Unanswered { taken, .. } if taken == had), "{asked:?}");
                assert_eq!(stage.clock.now().duration_since(began).as_secs(), patience_s);
                let told = told.lock().unwrap().clone();
                let [(at, text)] = told.as_slice() else { panic!("{told:?}") };
                assert_eq!(at.duration_since(began).as_secs(), 3);
                assert!(text.contains("no answer yet from ann"), "{text}");
                beating.end().await;
            });
        }
    }
}

/// The process that was asked ends, and the next one may have the run before anybody looks.
#[test]
fn a_process_that_says_goodbye_is_not_waited_for_and_the_next_is_not_taken_for_it() {
    for (shared, follows) in [(true, true), (true, false), (false, true), (false, false)] {
        on_paused_clock(async {
            let stage = Stage::flagship(Scenario::default());
            let place = Place::on(shared, &stage.clock);
            let first = begin(&stage, &place.store, "ann").await;
            let kept = first.kept.clone();
            let beating = async {
                let first = std::sync::Arc::new(first);
                let beating = first.beating();
                stage.clock.sleep(Duration::from_secs(2)).await;
                beating.end().await;
                std::sync::Arc::try_unwrap(first).unwrap().leave().await;
                if follows { Some(kept.claim(&holder("bob"), false).await.unwrap()) } else { None }
            };
            let (request, began) = (abort(), stage.clock.now());
            let (asked, _second) = tokio::join!(kept.ask("1-a", &request, PATIENCE), beating);
            let Asked::Nobody(Some(heard)) = asked.unwrap() else { panic!("it has gone") };
            assert_eq!(heard.holder.by, person("ann"));
            let took = stage.clock.now().duration_since(began).as_secs();
            assert!((2..=3).contains(&took), "{took} s");
        });
    }
}

/// The answer to the request that ends the run is slow to write: whoever waits for it gets it all the same.
#[test]
fn the_last_answer_is_written_before_the_process_leaves() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::shared(&stage.clock);
        let claim = begin(&stage, &place.store, "ann").await;
        let kept = claim.kept.clone();
        place.memory.judged_by(|request| {
            let answers = request.verb == BucketVerb::Put && request.path.ends_with(".answer");
            if answers { Trouble::Late(Duration::from_secs(3)) } else { Trouble::None }
        });
        let posted = kept.post("for-000001-1-a", &abort()).await.unwrap();
        let state = drive(&stage, claim, None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Aborted));
        assert_eq!(posted.answer().await.unwrap(), Some(Ok(())));
    });
}
