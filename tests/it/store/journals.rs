//! The journal in a shared store: one object a record, whole or refused by name.

use lifeboat::{
    net::Objects,
    run::{
        Event, JournalError,
        journal::{Journal, load_objects},
    },
    sim::Scenario,
    store::StoreError,
};
use object_store::{ObjectStoreExt, path::Path};

use super::{Place, begin, holder};
use crate::{
    harness::{Stage, on_paused_clock},
    transitions::person,
};

fn record(seq: u64) -> Path {
    Path::from(format!("team/dr/runs/test-run/journal/{seq:010}.json"))
}

/// Eleven records.
async fn written(stage: &Stage, place: &Place) -> lifeboat::store::Claim {
    let claim = begin(stage, &place.store, "ann").await;
    let (_, loaded) = claim.kept.load().await.unwrap();
    let mut journal = claim.journal(Some(&loaded)).await.unwrap();
    let events: Vec<Event> =
        (0..10).map(|number| Event::Confirmed { by: person("ann"), what: format!("host-{number}") }).collect();
    journal.append(stage.clock.now(), &events).await.unwrap();
    claim
}

#[test]
fn records_lie_one_by_one_and_read_like_the_file() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::shared(&stage.clock);
        let claim = written(&stage, &place).await;
        let (_, loaded) = claim.kept.load().await.unwrap();
        assert_eq!(loaded.records.len(), 11);
        let mut whole = Vec::new();
        for seq in 0..11 {
            whole.extend_from_slice(&place.memory.get(&record(seq)).await.unwrap().bytes().await.unwrap());
        }
        let parsed = lifeboat::run::journal::parse(std::path::Path::new("joined"), &whole).unwrap();
        assert_eq!(parsed.head_hash(), loaded.head_hash());
        assert_eq!((parsed.records, parsed.torn), (loaded.records, 0));
    });
}

#[test]
fn a_gap_and_foreign_bytes_are_refused_by_name() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::shared(&stage.clock);
        let claim = written(&stage, &place).await;
        let kept = claim.kept.clone();
        let good = place.memory.get(&record(4)).await.unwrap().bytes().await.unwrap();

        place.memory.delete(&record(4)).await.unwrap();
        let error = kept.load().await.unwrap_err();
        assert!(matches!(error, StoreError::Journal(JournalError::Missing { .. })), "{error}");
        assert_eq!(
            error.to_string(),
            "memory://team/dr/runs/test-run/journal/0000000004.json is not there, and \
             memory://team/dr/runs/test-run/journal/0000000005.json is"
        );
        for (bytes, what) in [
            (b"{}".to_vec(), "it does not end in a line feed"),
            (b"{}\n".to_vec(), "missing field `v`"),
            ([&good[..], &good[..]].concat(), "it holds more than one line"),
            (good.iter().map(|byte| if *byte == b'3' { b'4' } else { *byte }).collect(), "checksum"),
        ] {
            place.memory.put(&record(4), bytes.into()).await.unwrap();
            let error = kept.load().await.unwrap_err().to_string();
            assert!(error.contains("0000000004.json: line 1 is damaged") && error.contains(what), "{error}");
        }
        let fifth = place.memory.get(&record(5)).await.unwrap().bytes().await.unwrap();
        place.memory.put(&record(4), fifth.into()).await.unwrap();
        let error = kept.load().await.unwrap_err().to_string();
        assert!(error.contains("number 4 expected, 5 found"), "{error}");
        place.memory.put(&record(4), good.into()).await.unwrap();
        kept.load().await.unwrap();
    });
}

#[test]
fn an_append_whose_place_is_taken_is_not_acknowledged() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::shared(&stage.clock);
        let claim = written(&stage, &place).await;
        let (_, loaded) = claim.kept.load().await.unwrap();
        let event = |what: &str| vec![Event::Confirmed { by: person("ann"), what: what.to_owned() }];
        let at = stage.clock.now();
        let mut ours = claim.journal(Some(&loaded)).await.unwrap();
        let mut same = claim.journal(Some(&loaded)).await.unwrap();
        let mut other = claim.journal(Some(&loaded)).await.unwrap();
        ours.append(at, &event("ours")).await.unwrap();
        // As after an answer that was lost: the very bytes are there.
        same.append(at, &event("ours")).await.unwrap();
        let error = other.append(at, &event("theirs")).await.unwrap_err();
        assert!(matches!(error, JournalError::Overtaken { .. }), "nobody claimed the run after: {error}");
        let next = claim.kept.claim(&holder("bob"), true).await.unwrap();
        let error = other.append(at, &event("theirs")).await.unwrap_err();
        match error {
            JournalError::Superseded { to } => assert_eq!(*to, next.holder),
            other => panic!("{other}"),
        }
        let caught: Vec<Event> = other.catch_up().await.unwrap().into_iter().map(|record| record.event).collect();
        assert_eq!(caught, event("ours"));
    });
}

#[test]
fn nothing_there_is_no_run() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::shared(&stage.clock);
        let objects = Objects::new(place.memory.clone(), "nowhere", "memory://nowhere", stage.clock.clone());
        assert!(matches!(load_objects(&objects).await, Err(JournalError::Empty { .. })));
        let mut journal = Journal::in_objects(objects.clone(), None);
        journal.append(stage.clock.now(), &[Event::Confirmed { by: person("ann"), what: "x".into() }]).await.unwrap();
        assert_eq!(load_objects(&objects).await.unwrap().records.len(), 1);
    });
}

#[test]
fn a_directory_without_runs_has_none_and_one_that_cannot_be_read_says_so() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::directory(&stage.clock);
        assert!(place.store.list().await.unwrap().is_empty());
        let runs = place.run("x").parent().unwrap().to_owned();
        std::fs::create_dir_all(runs.parent().unwrap()).unwrap();
        std::fs::write(&runs, "not a directory").unwrap();
        let refused = place.store.list().await.unwrap_err().to_string();
        assert!(refused.contains("runs"), "{refused}");
    });
}
