//! When a driver says that it lives, and when it stops saying so.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use lifeboat::{
    clock::Clock,
    run::{Outcome, lease::HEARTBEAT},
    sim::{
        Scenario,
        bucket::{BucketVerb, Trouble},
    },
};

use super::{Place, begin, drive, holder};
use crate::harness::{Stage, on_paused_clock, outcome};

/// When the first claim's heartbeats are written from here on.
fn heard(place: &Place, clock: &Clock) -> Arc<Mutex<Vec<Timestamp>>> {
    let (times, clock) = (Arc::new(Mutex::new(Vec::new())), clock.clone());
    let heard = times.clone();
    place.memory.judged_by(move |request| {
        if request.verb == BucketVerb::Put && request.path.ends_with("/control/000001.heard") {
            times.lock().unwrap().push(clock.now());
        }
        Trouble::None
    });
    heard
}

#[test]
fn a_driver_beats_as_often_as_it_says_and_no_more() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::shared(&stage.clock);
        let claim = begin(&stage, &place.store, "ann").await;
        let heard = heard(&place, &stage.clock);
        let state = drive(&stage, claim, None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded));
        let mut heard = heard.lock().unwrap().clone();
        // The last one is its goodbye.
        heard.pop();
        assert!(heard.len() > 300, "{}", heard.len());
        let beat = SignedDuration::try_from(HEARTBEAT).unwrap();
        let other = heard.windows(2).find(|pair| pair[1].duration_since(pair[0]) != beat);
        assert_eq!(other, None);
    });
}

/// Somebody pays for each request: a look at what others want is one listing.
#[test]
fn a_look_at_what_others_want_is_one_listing() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::shared(&stage.clock);
        let claim = begin(&stage, &place.store, "ann").await;
        let before = place.memory.log().len();
        let began = stage.clock.now();
        drive(&stage, claim, None).await.unwrap();
        let seconds = stage.clock.now().duration_since(began).as_secs();
        let log = place.memory.log().split_off(before);
        let count = |verb| i64::try_from(log.iter().filter(|request| request.verb == verb).count()).unwrap();
        let looks = count(BucketVerb::List);
        assert!((seconds..=seconds + 2).contains(&looks), "{looks} listings in {seconds} s");
        // Before each heartbeat whether another claim was made, and the journal once.
        let beats = seconds / 5 + 1;
        assert!(count(BucketVerb::Get) <= beats + 2, "{} reads in {beats} heartbeats", count(BucketVerb::Get));
    });
}

/// Before its drive begins nothing else tells it.
#[test]
fn a_superseded_process_beats_no_more() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        let place = Place::shared(&stage.clock);
        let claim = Arc::new(begin(&stage, &place.store, "ann").await);
        let beating = claim.beating();
        stage.clock.sleep(Duration::from_mins(1)).await;
        let next = claim.kept.claim(&holder("bob"), true).await.unwrap();
        let heard = heard(&place, &stage.clock);
        stage.clock.sleep(Duration::from_secs(50)).await;
        let times = heard.lock().unwrap().len();
        assert!(times <= 1, "{times}");
        assert!(!claim.lease().holds());
        beating.end().await;
        next.leave().await;
    });
}
