//! Processes that were stopped and wake up late, take-overs that end early, and runs that died before they began: nothing
//! acknowledged is lost, and nobody judges what another one may still send.

use std::{sync::Mutex, time::Duration};

use lifeboat::{
    cli::others::others,
    clock::Clock,
    run::{
        Event, Journal, JournalError, Outcome, RunId,
        engine::Request,
        journal::Loaded,
        lease::{Holder, QUIET},
    },
    runbook::ResourceId,
    sim::{
        Scenario,
        bucket::{BucketVerb, Trouble},
    },
    store::{Asked, Claim, Kept, StoreError, Target},
};

use super::{Place, begin, drive, holder, planned, run_id};
use crate::{
    harness::{Stage, on_paused_clock, outcome},
    transitions::person,
};

fn note(what: &str) -> Vec<Event> {
    vec![Event::Confirmed { by: person("ann"), what: what.to_owned() }]
}

async fn loaded(claim: &Claim) -> Loaded {
    claim.kept.load().await.unwrap().1
}

async fn open(claim: &Claim) -> Journal {
    claim.journal(Some(&loaded(claim).await)).await.unwrap()
}

async fn noted(kept: &Kept) -> Vec<String> {
    let records = kept.load().await.unwrap().1.records;
    records
        .into_iter()
        .filter_map(|record| if let Event::Confirmed { what, .. } = record.event { Some(what) } else { None })
        .collect()
}

fn is_superseded<T>(result: &Result<T, JournalError>) -> bool {
    matches!(result, Err(JournalError::Superseded { .. }))
}

/// It writes after the next one has read the journal, and before that one writes.
#[test]
fn what_a_stopped_process_writes_when_it_wakes_damages_nothing() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::directory(&stage.clock);
        let ann = begin(&stage, &place.store, "ann").await;
        let mut hers = open(&ann).await;
        let now = stage.clock.now();
        hers.append(now, &note("before")).await.unwrap();
        let bob = ann.kept.claim(&holder("bob"), true).await.unwrap();
        let read = loaded(&bob).await;
        assert!(is_superseded(&hers.append(now, &note("too late")).await));
        bob.journal(Some(&read)).await.unwrap().append(now, &note("his")).await.unwrap();
        assert_eq!(noted(&ann.kept).await, ["before", "his"]);
    });
}

/// Whoever took the run over has gone without a word, and the first process is still stopped.
#[test]
fn a_take_over_that_ended_early_leaves_the_first_process_shut_out() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::directory(&stage.clock);
        let ann = begin(&stage, &place.store, "ann").await;
        let mut hers = open(&ann).await;
        let now = stage.clock.now();
        let (journal, file) = (place.run("test-run").join("journal.jsonl"), place.run("test-run").join("first"));
        std::fs::hard_link(&journal, &file).unwrap();
        drop(ann.kept.claim(&holder("bob"), true).await.unwrap());
        // It died before it had copied anything.
        std::fs::rename(&file, &journal).unwrap();
        let eve = ann.kept.claim(&holder("eve"), false).await.unwrap();
        assert_eq!(eve.over.as_ref().map(|over| over.by.clone()), Some(person("ann")));
        let read = loaded(&eve).await;
        let mut theirs = eve.journal(Some(&read)).await.unwrap();
        assert!(is_superseded(&hers.append(now, &note("too late")).await));
        theirs.append(now, &note("hers")).await.unwrap();
        assert_eq!(noted(&ann.kept).await, ["hers"]);
    });
}

/// Real threads: each takes the run over from whoever has it, writes, and looks whether it is acknowledged.
#[test]
fn of_many_who_take_a_run_over_at_once_none_loses_what_was_acknowledged() {
    let clock = Clock::Wall;
    let (place, kept) = on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::directory(&clock);
        let kept = begin(&stage, &place.store, "ann").await.kept.clone();
        (place, kept)
    });
    let acknowledged = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (kept, acknowledged) = (&kept, &acknowledged);
            scope.spawn(move || {
                let mut claims = Vec::new();
                for round in 0..8 {
                    let what = format!("{thread}x{round}");
                    let holder = Holder { nonce: what.clone(), ..holder("bob") };
                    let written = on_paused_clock(async {
                        let claim = kept.claim(&holder, true).await.unwrap();
                        let read = loaded(&claim).await;
                        let written = match claim.journal(Some(&read)).await {
                            Ok(mut journal) => journal.append(read.records[0].at, &note(&what)).await,
                            Err(StoreError::Journal(error)) => Err(error),
                            Err(StoreError::Superseded { to, .. }) => Err(JournalError::Superseded { to }),
                            Err(error) => panic!("{error}"),
                        };
                        claims.push(claim);
                        written
                    });
                    match written {
                        Ok(()) => acknowledged.lock().unwrap().push(what),
                        Err(JournalError::Superseded { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    let noted = on_paused_clock(noted(&kept));
    let acknowledged = acknowledged.into_inner().unwrap();
    let lost: Vec<&String> = acknowledged.iter().filter(|what| !noted.contains(what)).collect();
    assert!(lost.is_empty() && !acknowledged.is_empty(), "lost {lost:?} of {acknowledged:?}");
    drop(place);
}

/// Drives under a claim for so long.
async fn drive_for(stage: &Stage, claim: Claim, reason: Option<&str>, seconds: u64) {
    let kept = claim.kept.clone();
    let name = format!("{}-stop", claim.number);
    let stop = async {
        stage.clock.sleep(Duration::from_secs(seconds)).await;
        let stop = Request::Stop { by: person("joe"), abort: false, reason: "enough".into(), undo: false };
        let asked = Box::pin(kept.ask(&name, &stop, Duration::from_secs(10))).await.unwrap();
        assert!(matches!(asked, Asked::Answered(Ok(()))), "{asked:?}");
    };
    let (state, ()) = tokio::join!(Box::pin(drive(stage, claim, reason)), Box::pin(stop));
    assert_eq!(outcome(&state.unwrap()), Some(Outcome::Interrupted));
}

/// For every drive, how long it leaves alone what is in doubt.
async fn quiet(kept: &Kept) -> Vec<Option<i64>> {
    let records = kept.load().await.unwrap().1.records;
    let attached = records.into_iter().filter_map(|record| match record.event {
        Event::DriverAttached { quiet_until, .. } => {
            Some(quiet_until.map(|until| until.duration_since(record.at).as_secs()))
        }
        _ => None,
    });
    attached.collect()
}

fn whole() -> i64 {
    i64::try_from(QUIET.as_secs()).unwrap()
}

#[test]
fn what_is_owed_to_the_first_process_outlives_a_take_over_that_ended_early() {
    on_paused_clock(async {
        for shared in [true, false] {
            let stage = Stage::flagship(Scenario::default());
            let place = Place::on(shared, &stage.clock);
            let ann = begin(&stage, &place.store, "ann").await;
            let kept = ann.kept.clone();
            let bob = kept.claim(&holder("bob"), true).await.unwrap();
            drop(ann);
            drive_for(&stage, bob, Some("hers sleeps"), 2).await;
            // Its own two seconds were not enough.
            drive_for(&stage, kept.claim(&holder("eve"), false).await.unwrap(), None, 60).await;
            drive_for(&stage, kept.claim(&holder("joe"), false).await.unwrap(), None, 2).await;
            assert_eq!(quiet(&kept).await, [Some(whole()), Some(whole()), None], "shared: {shared}");

            // Taken over, and gone again before it attached.
            let tim = kept.claim(&holder("tim"), false).await.unwrap();
            kept.claim(&holder("ned"), true).await.unwrap().leave().await;
            drop(tim);
            kept.claim(&holder("kim"), false).await.unwrap().leave().await;
            drive_for(&stage, kept.claim(&holder("zoe"), false).await.unwrap(), None, 60).await;
            drive_for(&stage, kept.claim(&holder("max"), false).await.unwrap(), None, 2).await;
            assert_eq!(quiet(&kept).await[3..], [Some(whole()), None], "shared: {shared}");
        }
    });
}

/// It may have beaten right after the last look.
#[test]
fn whoever_goes_on_after_one_that_fell_silent_keeps_quiet_too() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::shared(&stage.clock);
        let kept = begin(&stage, &place.store, "ann").await.kept.clone();
        drive_for(&stage, kept.claim(&holder("bob"), false).await.unwrap(), None, 60).await;
        drive_for(&stage, kept.claim(&holder("eve"), false).await.unwrap(), None, 2).await;
        assert_eq!(quiet(&kept).await, [Some(whole()), None]);
    });
}

/// The clock of whoever watches is set forward by more than the silence; the paused machine's timer is not.
#[test]
fn a_clock_that_leaps_is_no_silence() {
    on_paused_clock(async {
        let clock = Clock::scaled(1000.0);
        let place = Place::shared(&clock);
        let ann = place.store.begin(&run_id(), &holder("ann")).await.unwrap();
        let leaps = clock.clone();
        place.memory.judged_by(move |request| {
            let moment = leaps.moment();
            while request.verb == BucketVerb::List && leaps.since(&moment) < Duration::from_secs(20) {}
            Trouble::None
        });
        let before = place.memory.log().len();
        ann.kept.claim(&holder("bob"), false).await.unwrap();
        let looks = place.memory.log()[before..].iter().filter(|request| request.verb == BucketVerb::List).count();
        assert!(looks >= 15, "{looks} looks in 15 s");
    });
}

fn record() -> Target {
    Target { id: "/zone/cname/api".to_owned(), seen: 0 }
}

/// Its process was stopped between taking its target and its first record.
#[test]
fn a_run_whose_target_was_taken_does_not_begin_any_more() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::shared(&stage.clock);
        let first = place.store.begin(&run_id(), &holder("ann")).await.unwrap();
        place.store.hold_targets(&first, &[record()]).await.unwrap();
        let second = place.store.begin(&RunId("second".into()), &holder("bob")).await.unwrap();
        place.store.hold_targets(&second, &[record()]).await.unwrap();
        let error = first.begin(stage.clock.now(), &planned(&stage, "ann").await).await.unwrap_err();
        assert!(error.is_superseded(), "{error}");
        second.begin(stage.clock.now(), &planned(&stage, "bob").await).await.unwrap();
    });
}

/// It was slow, and began while somebody watched it.
#[test]
fn a_run_that_begins_while_it_is_watched_keeps_its_target() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::shared(&stage.clock);
        let first = place.store.begin(&run_id(), &holder("ann")).await.unwrap();
        place.store.hold_targets(&first, &[record()]).await.unwrap();
        let second = place.store.begin(&RunId("second".into()), &holder("bob")).await.unwrap();
        let planned = planned(&stage, "ann").await;
        let begins = async {
            stage.clock.sleep(Duration::from_secs(10)).await;
            first.begin(stage.clock.now(), &planned).await.unwrap();
        };
        let targets = [record()];
        let ((), held) = tokio::join!(begins, place.store.hold_targets(&second, &targets));
        assert!(matches!(held, Err(StoreError::TargetHeld { .. })), "{held:?}");
        first.look().await.unwrap();
    });
}

/// Claimed, or with an empty journal: no plan, so no run.
#[test]
fn a_run_that_died_before_its_first_record_stands_in_nobodys_way() {
    on_paused_clock(async {
        for shared in [true, false] {
            let stage = Stage::flagship(Scenario::default());
            let place = Place::on(shared, &stage.clock);
            let dead = place.store.begin(&run_id(), &holder("ann")).await.unwrap();
            place.store.hold_targets(&dead, &[record()]).await.unwrap();
            drop(dead.journal(None).await.unwrap());
            drop(dead);
            let service = ResourceId::parse(
                "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/\
                 Microsoft.ApiManagement/service/apim",
            )
            .unwrap();
            let needed = others(place.store.clone(), None).that_need(&service, "account", "container").await;
            assert_eq!(needed.unwrap(), None);
            let error = place.store.begin(&run_id(), &holder("bob")).await.unwrap_err();
            assert!(matches!(error, StoreError::NotBegun(_)), "{error}");
            assert!(error.hint().contains("choose another --run-id"), "{}", error.hint());
            let next = place.store.begin(&RunId("second".into()), &holder("bob")).await.unwrap();
            assert_eq!(place.store.hold_targets(&next, &[record()]).await.unwrap()[&record().id], 2);
        }
    });
}

/// A lifeboat from before there were claims drives by a lock of its own.
#[test]
fn an_older_lifeboat_is_not_driven_beside() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::directory(&stage.clock);
        let kept = begin(&stage, &place.store, "ann").await.kept.clone();
        let path = place.run("test-run").join("driver.lock");
        std::fs::write(
            &path,
            r#"{"by":{"name":"old","host":"there","verified":false},"pid":9,"since":"2026-11-23T03:00:00Z"}"#,
        )
        .unwrap();
        let lock = std::fs::File::open(&path).unwrap();
        lock.lock().unwrap();
        for take_over in [false, true] {
            let error = kept.claim(&holder("bob"), take_over).await.unwrap_err();
            let StoreError::Driven { heard, .. } = &error else { panic!("{error}") };
            assert_eq!((heard.holder.by.name.as_str(), heard.holder.pid), ("old", 9));
        }
        assert!(kept.driver().await.unwrap().unwrap().lives);
        drop(lock);
        kept.claim(&holder("bob"), false).await.unwrap();
    });
}
