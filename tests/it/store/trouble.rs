//! The shared store in trouble, processes that were stopped, and two that race: each effect at most once, and nothing
//! after an append that failed.

use std::{sync::Mutex, time::Duration};

use jiff::Timestamp;
use lifeboat::{
    run::{EngineError, Event, JournalError, Outcome, State, lease::QUIET},
    sim::{
        Scenario,
        bucket::{BucketVerb, Trouble},
    },
    store::{Kept, StoreError},
};

use super::{Place, begin, drive, drive_unattended, holder};
use crate::harness::{Stage, on_paused_clock, outcome};

fn assert_moved_once(stage: &Stage, state: &State) {
    assert_eq!(outcome(state), Some(Outcome::Succeeded), "{:?}", state.stopped);
    let effects = stage.world.effects();
    assert_eq!((effects.restore_posts_received, effects.record_puts_accepted), (1, 1), "{effects:?}");
}

async fn events(kept: &Kept) -> Vec<(Timestamp, Event)> {
    kept.load().await.unwrap().1.records.into_iter().map(|record| (record.at, record.event)).collect()
}

fn superseded<T>(driven: &Result<T, EngineError>) -> bool {
    matches!(driven, Err(EngineError::Journal(JournalError::Superseded { .. })))
}

#[test]
fn of_two_who_go_on_with_a_run_one_does() {
    on_paused_clock(async {
        for shared in [true, false] {
            let stage = Stage::flagship(Scenario::default());
            let place = Place::on(shared, &stage.clock);
            let first = begin(&stage, &place.store, "ann").await;
            let kept = first.kept.clone();
            first.leave().await;
            let go_on = async |name: &str| match kept.claim(&holder(name), false).await {
                Ok(claim) => Ok(drive(&stage, claim, None).await.unwrap()),
                Err(refused) => Err(refused),
            };
            let (state, refused) = match tokio::join!(go_on("bob"), go_on("eve")) {
                (Ok(state), Err(refused)) | (Err(refused), Ok(state)) => (state, refused),
                (Ok(_), Ok(_)) => panic!("both drove"),
                (Err(bob), Err(eve)) => panic!("{bob}; {eve}"),
            };
            assert!(matches!(refused, StoreError::Driven { .. }), "{refused}");
            assert_moved_once(&stage, &state);
        }
    });
}

#[test]
fn of_two_who_take_a_run_over_one_does() {
    on_paused_clock(async {
        for shared in [true, false] {
            let stage = Stage::flagship(Scenario::default());
            let place = Place::on(shared, &stage.clock);
            let first = begin(&stage, &place.store, "ann").await;
            let kept = first.kept.clone();
            let take = async |name: &str, after: u64| {
                stage.clock.sleep(Duration::from_secs(after)).await;
                let claim = kept.claim(&holder(name), true).await.unwrap();
                drive(&stage, claim, Some("hers is better")).await
            };
            let (ann, bob, eve) = tokio::join!(drive(&stage, first, None), take("bob", 600), take("eve", 600));
            assert!(superseded(&ann));
            let (won, lost) = if bob.is_ok() { (bob, eve) } else { (eve, bob) };
            assert!(superseded(&lost), "{:?}", lost.err());
            assert_moved_once(&stage, &won.unwrap());
        }
    });
}

/// The append is durable, and its answer takes so long; meanwhile somebody takes the run over.
async fn delayed(announces: &'static str, answer: Duration) -> (Stage, State, Vec<(Timestamp, Event)>) {
    let stage = Stage::flagship(Scenario::default());
    let place = Place::shared(&stage.clock);
    let claim = begin(&stage, &place.store, "ann").await;
    let kept = claim.kept.clone();
    let seen: &'static Mutex<bool> = Box::leak(Box::new(Mutex::new(false)));
    place.memory.judged_by(move |request| {
        let mut seen = seen.lock().unwrap();
        let late = !*seen && request.writes("\"change-intended\"") && request.writes(announces);
        *seen |= late;
        if late { Trouble::AnswerLate(answer) } else { Trouble::None }
    });
    let second = async {
        while !*seen.lock().unwrap() {
            // A process that is not stopped beats.
            stage.clock.sleep(Duration::from_millis(500)).await;
            if !*seen.lock().unwrap() {
                claim.beat().await.unwrap();
            }
        }
        let claim = kept.claim(&holder("bob"), true).await.unwrap();
        drive(&stage, claim, Some("the laptop sleeps")).await.unwrap()
    };
    // Its future is dropped when the second one is done: a process that never woke up, or hangs before its request.
    let mut first = Box::pin(drive_unattended(&stage, &claim));
    let mut second = Box::pin(second);
    let state = tokio::select! {
        first = &mut first => {
            assert!(superseded(&first), "{:?}", first.err());
            second.as_mut().await
        }
        state = &mut second => state,
    };
    drop((first, second));
    let events = events(&kept).await;
    (stage, state, events)
}

/// Stopped between the intent and its request for longer than the lease: the request never leaves, and the new driver
/// sends its own, once. Stopped for less: it leaves, and the new driver finds it.
#[test]
fn a_writer_that_was_stopped_after_its_intent_does_nothing_twice() {
    for announces in ["/restore?", "/CNAME/api?"] {
        for (seconds, sent) in [(3, true), (19, false)] {
            on_paused_clock(async {
                let (stage, state, events) = delayed(announces, Duration::from_secs(seconds)).await;
                assert_moved_once(&stage, &state);
                let taken = events.iter().find_map(|(at, event)| match event {
                    Event::DriverAttached { take_over: Some(_), quiet_until, .. } => Some((*at, quiet_until.unwrap())),
                    _ => None,
                });
                let (attached, quiet) = taken.unwrap();
                assert_eq!(quiet.duration_since(attached).as_secs(), i64::try_from(QUIET.as_secs()).unwrap());
                let settled = events.iter().find(|(_, event)| matches!(event, Event::StepSettled { .. })).unwrap();
                assert!(settled.0 >= quiet, "settled at {}, quiet until {quiet}", settled.0);
                let intents = events.iter().filter(|(_, event)| {
                    matches!(event, Event::ChangeIntended { intent, .. } if intent.request.url.contains(announces))
                });
                assert_eq!(intents.count(), if sent { 1 } else { 2 }, "{announces} after {seconds} s");
            });
        }
    }
}

/// What the dead process had put on its way arrives after the new one has read the journal.
#[test]
fn last_words_that_arrive_late_belong_to_the_run() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::shared(&stage.clock);
        let claim = begin(&stage, &place.store, "ann").await;
        let kept = claim.kept.clone();
        place.memory.judged_by(|request| {
            let late = request.writes("\"change-intended\"") && request.writes("/restore?");
            if late { Trouble::Late(Duration::from_secs(15)) } else { Trouble::None }
        });
        let clock = stage.clock.clone();
        let cut = async {
            let late = |log: Vec<lifeboat::sim::bucket::BucketRequest>| {
                log.iter().any(|request| request.writes("\"change-intended\"") && request.writes("/restore?"))
            };
            while !late(place.memory.log()) {
                clock.sleep(Duration::from_millis(200)).await;
                claim.beat().await.unwrap();
            }
        };
        tokio::select! {
            driven = drive_unattended(&stage, &claim) => panic!("{:?}", driven.err()),
            () = cut => {}
        }
        place.memory.recover();
        let next = kept.claim(&holder("bob"), true).await.unwrap();
        let (state, loaded) = kept.load().await.unwrap();
        let before = loaded.records.len();
        let journal = next.journal(Some(&loaded)).await.unwrap();
        clock.sleep(Duration::from_secs(16)).await;
        assert_eq!(kept.load().await.unwrap().1.records.len(), before + 1, "the last word has arrived");
        let (sender, directives) = tokio::sync::mpsc::channel(16);
        let operator = lifeboat::prove::operator::simulated_operator(clock.clone(), sender.clone());
        let next = std::sync::Arc::new(next);
        let attendance = next.attend(sender);
        let driver = lifeboat::run::engine::Driver {
            claim: Some(next.number),
            ..lifeboat::run::engine::Driver::new(next.holder.by.clone(), 8, "test")
        };
        let context = std::sync::Arc::new(stage.context());
        let seen: &'static Mutex<Vec<Event>> = Box::leak(Box::default());
        let see = Box::new(|_, event: &Event, _: &State| seen.lock().unwrap().push(event.clone()));
        let observers: Vec<lifeboat::run::engine::Observer> = vec![operator, see];
        let driven = lifeboat::run::engine::drive(state, journal, context, driver, directives, observers).await;
        attendance.end().await;
        assert_moved_once(&stage, &driven.unwrap().0);
        let events = events(&kept).await;
        assert!(matches!(events[before].1, Event::ChangeIntended { .. }), "{:?}", events[before]);
        assert!(matches!(events[before + 1].1, Event::DriverAttached { generation: 2, .. }));
        let written: Vec<Event> = events[before..].iter().map(|(_, event)| event.clone()).collect();
        assert_eq!(*seen.lock().unwrap(), written, "views miss nothing, and number it as the journal does");
    });
}

#[test]
fn answers_that_get_lost_change_nothing() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::shared(&stage.clock);
        place.memory.judged_by(|request| match request.verb {
            BucketVerb::Put if request.number % 3 == 0 => Trouble::AnswerLost,
            BucketVerb::Get if request.number % 5 == 0 => Trouble::Refused,
            BucketVerb::List | BucketVerb::Delete if request.number % 4 == 0 => Trouble::Refused,
            BucketVerb::Put | BucketVerb::Get | BucketVerb::List | BucketVerb::Delete => Trouble::None,
        });
        let claim = begin(&stage, &place.store, "ann").await;
        let kept = claim.kept.clone();
        assert_moved_once(&stage, &drive(&stage, claim, None).await.unwrap());
        assert!(kept.load().await.unwrap().0.is_over());
    });
}

#[test]
fn a_store_that_is_away_for_a_while_is_waited_for() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::shared(&stage.clock);
        let claim = begin(&stage, &place.store, "ann").await;
        let (clock, memory) = (stage.clock.clone(), place.memory.clone());
        let outage = async {
            for trouble in [Trouble::Refused, Trouble::Hangs] {
                clock.sleep(Duration::from_secs(300)).await;
                memory.judged_by(move |_| trouble);
                clock.sleep(Duration::from_secs(30)).await;
                memory.recover();
            }
        };
        let (driven, ()) = tokio::join!(drive(&stage, claim, None), outage);
        assert_moved_once(&stage, &driven.unwrap());
    });
}

#[test]
fn a_store_that_refuses_for_good_ends_the_drive_and_nothing_more_starts() {
    for after in [5, 200, 20 * 60] {
        on_paused_clock(async {
            let stage = Stage::flagship(Scenario::default());
            let place = Place::shared(&stage.clock);
            let claim = begin(&stage, &place.store, "ann").await;
            let kept = claim.kept.clone();
            let (clock, memory) = (stage.clock.clone(), place.memory.clone());
            let outage = async {
                clock.sleep(Duration::from_secs(after)).await;
                memory.judged_by(|_| Trouble::Refused);
            };
            let (driven, ()) = tokio::join!(drive(&stage, claim, None), outage);
            let error = driven.unwrap_err();
            assert!(matches!(error, EngineError::Journal(JournalError::Store(_))), "{error}");
            assert!(error.to_string().contains("503 Server Busy"), "{error}");
            let before = stage.world.effects();
            clock.sleep(Duration::from_secs(3600)).await;
            memory.recover();
            let told = events(&kept).await;
            let intents = told.iter().filter(|(_, event)| matches!(event, Event::ChangeIntended { .. })).count();
            let sent = before.restore_posts_received + before.record_puts_accepted;
            assert!(usize::try_from(sent).unwrap() <= intents, "{before:?}");
            let mut state = resume(&stage, &kept).await;
            if state.failure().is_some_and(|(_, error)| ["timeout", "approval-missing"].contains(&&*error.code)) {
                state = resume(&stage, &kept).await;
            }
            assert_moved_once(&stage, &state);
        });
    }
}

async fn resume(stage: &Stage, kept: &Kept) -> State {
    let claim = kept.claim(&holder("bob"), false).await;
    let claim = match claim {
        Ok(claim) => claim,
        Err(error) => panic!("{error}"),
    };
    drive(stage, claim, None).await.unwrap()
}

/// Superseded while it only waits: it finds out within two seconds, and says nothing more to the journal.
#[test]
fn whoever_is_superseded_knows_it_soon() {
    on_paused_clock(async {
        for shared in [true, false] {
            let stage = Stage::flagship(Scenario::default());
            let place = Place::on(shared, &stage.clock);
            let claim = begin(&stage, &place.store, "ann").await;
            let kept = claim.kept.clone();
            let clock = stage.clock.clone();
            let second = async {
                // Long before its next heartbeat.
                clock.sleep(Duration::from_secs(601)).await;
                let claim = kept.claim(&holder("bob"), true).await.unwrap();
                (clock.now(), kept.load().await.unwrap().1.records.len(), claim)
            };
            let first = async { (drive(&stage, claim, None).await, clock.now()) };
            let ((driven, ended), (claimed, records, _claim)) = tokio::join!(first, second);
            assert!(superseded(&driven));
            let took = ended.duration_since(claimed);
            assert!(took.as_secs() <= 2, "{took}");
            assert_eq!(kept.load().await.unwrap().1.records.len(), records);
        }
    });
}

#[test]
fn an_event_is_one_request_and_a_fold_is_one_listing_and_the_records() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::shared(&stage.clock);
        let claim = begin(&stage, &place.store, "ann").await;
        let kept = claim.kept.clone();
        drive(&stage, claim, None).await.unwrap();
        let records = kept.load().await.unwrap().1.records.len();
        let log = place.memory.log();
        let appends = log.iter().filter(|request| request.path.contains("/journal/"));
        let puts = appends.filter(|request| request.verb == BucketVerb::Put).count();
        assert_eq!(puts, records, "requests per event: 1.0");

        let next = kept.claim(&holder("bob"), false).await.unwrap();
        let (_, loaded) = kept.load().await.unwrap();
        let mut journal = next.journal(Some(&loaded)).await.unwrap();
        let event = |number| Event::Confirmed { by: crate::transitions::person("ann"), what: format!("{number}") };
        let more: Vec<Event> = (records..1000).map(event).collect();
        journal.append(stage.clock.now(), &more).await.unwrap();
        let before = place.memory.log().len();
        lifeboat::run::journal::load_objects(&objects(&place, &stage)).await.unwrap();
        let log = place.memory.log();
        let count = |verb| log[before..].iter().filter(|request| request.verb == verb).count();
        assert_eq!((count(BucketVerb::List), count(BucketVerb::Get)), (1, 1000));
        assert_eq!(log.len() - before, 1001);
    });
}

fn objects(place: &Place, stage: &Stage) -> lifeboat::net::Objects {
    let clock = stage.clock.clone();
    lifeboat::net::Objects::new(place.memory.clone(), "team/dr/runs/test-run/journal", "memory://journal", clock)
}
