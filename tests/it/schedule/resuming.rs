//! What a scheduler goes on with by itself, and what it leaves to people.

use object_store::throttle::{ThrottleConfig, ThrottledStore};

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

const RUN: &str = "nightly-20261123T030000Z";

/// Starts what ends at once with that exit code and leaves its run like that.
fn leaves(runs: &Runs, stands: Stands, exit: i32) -> impl Fn(Job, Occurrence, How) -> std::future::Ready<i32> {
    let runs = runs.clone();
    move |job, occurrence, _| {
        runs.lock().unwrap().insert(occurrence.run_of(&job.id), stands.clone());
        std::future::ready(exit)
    }
}

fn resumed(told: &[Told]) -> usize {
    told.iter().filter(|told| matches!(told, Told::Resumed { .. })).count()
}

/// Why runs are left to people, and whether that was new.
fn left(told: &[Told]) -> Vec<(&str, bool)> {
    let of = |told| match told {
        &Told::Open { ref why, first, .. } if !why.is_empty() => Some((why.as_str(), first)),
        _ => None,
    };
    told.iter().filter_map(of).collect()
}

#[test]
fn a_run_that_never_ends_by_itself_goes_on_three_times_and_people_are_told_once() {
    on_paused_clock(async {
        let ((clock, store), schedule) = (shared(), schedule("cron: 0 3 * * *, window: 30m"));
        let scheduler = Scheduler::new(&schedule, &store, &clock, MINUTE);
        let dies = || leaves(&scheduler.runs, open(None), 4);
        let told = scheduler.keep_with(dies(), Some(HOUR)).await;
        assert_eq!((resumed(&told), left(&told).len()), (3, 1), "{told:?}");
        assert!(left(&told)[0].0.contains("3 times") && left(&told)[0].1, "{told:?}");
        let told = scheduler.keep_with(dies(), None).await;
        assert!(resumed(&told) == 0 && matches!(left(&told)[..], [(_, false)]), "on another machine too: {told:?}");
    });
}

#[test]
fn a_run_goes_on_only_while_its_window_and_its_predicted_time_last() {
    let later = |keys: &'static str, after: Duration| {
        on_paused_clock(async move {
            let ((clock, store), schedule) = (shared(), schedule(keys));
            let scheduler = Scheduler::new(&schedule, &store, &clock, MINUTE);
            scheduler.keep_with(leaves(&scheduler.runs, open(None), 6), None).await;
            clock.sleep(after).await;
            scheduler.keep(None).await
        })
    };
    let keys = "cron: 0 3 * * *, window: 30m";
    let told = later(keys, 89 * MINUTE);
    assert!(matches!(told[..], [Told::Resumed { .. }, Told::Ended { exit: 0, .. }]), "{told:?}");
    let told = later(keys, 90 * MINUTE);
    assert!(resumed(&told) == 0 && left(&told)[0].0.contains("its time was over"), "{told:?}");
    let told = later("cron: 0 3 * * *, window: 30m, until: 2026-11-23T03:10:00Z", 70 * MINUTE);
    assert!(resumed(&told) == 0 && left(&told)[0].0.contains("its time was over"), "it has expired: {told:?}");
}

#[test]
fn what_its_scheduler_stopped_goes_on_and_what_a_person_stopped_does_not() {
    on_paused_clock(async {
        let ((clock, store), schedule) = (shared(), schedule("cron: 0 3 * * *, window: 30m"));
        let scheduler = Scheduler::new(&schedule, &store, &clock, MINUTE);
        let interrupted = |generation| Stands::Open {
            outcome: Some(Outcome::Interrupted),
            paused: false,
            generation,
            predicted: HOUR,
        };
        // Stopped after ten minutes; the drill takes one more to write it down.
        let start = |_: Job, _: Occurrence, _: How| {
            let (clock, runs) = (clock.clone(), scheduler.runs.clone());
            runs.lock().unwrap().insert(RUN.to_owned(), DRIVEN);
            async move {
                clock.sleep(11 * MINUTE).await;
                runs.lock().unwrap().insert(RUN.to_owned(), interrupted(1));
                6
            }
        };
        scheduler.keep_with(start, Some(10 * MINUTE)).await;
        // The next one goes on with it, and somebody stops that.
        let told = scheduler.keep_with(leaves(&scheduler.runs, interrupted(2), 6), None).await;
        assert_eq!(resumed(&told), 1, "{told:?}");
        let told = scheduler.keep(None).await;
        assert!(resumed(&told) == 0 && left(&told) == [("somebody stopped it", true)], "{told:?}");
    });
}

#[test]
fn of_two_schedulers_that_see_it_one_goes_on_with_a_run() {
    on_paused_clock(async {
        // At once, or one a moment after the other.
        for (wait_put_per_call, taken) in [(Duration::from_secs(1), 1), (Duration::ZERO, 0)] {
            let (clock, schedule) = (Clock::starting_at(beginning()), schedule("cron: 0 3 * * *, window: 30m"));
            let slow = ThrottleConfig { wait_put_per_call, ..ThrottleConfig::default() };
            let objects = Arc::new(ThrottledStore::new(InMemory::new(), slow));
            let store = Store::objects(objects, "dr", "memory://dr", clock.clone());
            let first = Scheduler::new(&schedule, &store, &clock, 10 * MINUTE);
            first.keep_with(leaves(&first.runs, open(None), 6), None).await;
            // Each sees it as it was: what the other starts has not claimed it yet.
            let second = Scheduler::new(&schedule, &store, &clock, 10 * MINUTE);
            second.runs.lock().unwrap().insert(RUN.to_owned(), open(None));
            let (mut told, other) = tokio::join!(first.keep(None), second.keep(None));
            told.extend(other);
            let others = told.iter().filter(|told| matches!(told, Told::Taken { .. })).count();
            assert_eq!((resumed(&told), others), (1, taken), "{told:?}");
        }
    });
}

/// Somebody else goes on with it, or pauses it, before what was started here has claimed it.
#[test]
fn what_was_only_refused_because_a_person_was_faster_has_not_failed() {
    on_paused_clock(async {
        let paused = Stands::Open { outcome: None, paused: true, generation: 1, predicted: HOUR };
        for stands in [DRIVEN, paused] {
            let ((clock, store), schedule) = (shared(), schedule("cron: 0 3 * * *, window: 30m"));
            let scheduler = Scheduler::new(&schedule, &store, &clock, MINUTE);
            scheduler.keep_with(leaves(&scheduler.runs, open(None), 6), None).await;
            let told = scheduler.keep_with(leaves(&scheduler.runs, stands, 4), None).await;
            let expected =
                matches!(told[..], [Told::Resumed { .. }, Told::Taken { .. } | Told::Open { paused: true, .. }]);
            assert!(expected, "{told:?}");
        }
    });
}

#[test]
fn a_run_that_cannot_be_read_is_told_once_and_its_job_goes_on() {
    on_paused_clock(async {
        let ((clock, store), schedule) = (shared(), schedule("cron: 0 * * * *, window: 20m"));
        let scheduler = Scheduler::new(&schedule, &store, &clock, MINUTE);
        let damaged = Stands::Unreadable("line 7 is damaged".to_owned());
        scheduler.keep_with(leaves(&scheduler.runs, damaged, 1), None).await;
        let told = scheduler.keep(Some(2 * HOUR + 50 * MINUTE)).await;
        assert_eq!(scheduler.due(), ["23 04:00", "23 05:00"]);
        assert!(left(&told).iter().all(|(why, _)| why.contains("line 7 is damaged")), "{told:?}");
        assert!(left(&told).len() >= 3 && left(&told).iter().all(|(_, first)| !first), "told before: {told:?}");
    });
}

#[test]
fn what_is_due_while_the_store_does_not_say_how_the_last_run_stands_is_told_as_missed() {
    on_paused_clock(async {
        let ((clock, store), schedule) = (shared(), schedule("cron: 0 * * * *, window: 20m"));
        let scheduler = Scheduler::new(&schedule, &store, &clock, MINUTE);
        scheduler.keep_with(leaves(&scheduler.runs, open(Some(Outcome::Failed)), 1), None).await;
        scheduler.silent.store(true, Ordering::Relaxed);
        let told = scheduler.keep(Some(HOUR + HOUR / 2)).await;
        let missed = told.iter().filter(|told| matches!(told, Told::Missed { .. })).count();
        assert_eq!((missed, scheduler.due()), (1, vec![]), "while it is silent: {told:?}");
        scheduler.silent.store(false, Ordering::Relaxed);
        scheduler.keep(Some(HOUR)).await;
        assert_eq!(scheduler.due(), ["23 05:00"]);
    });
}

/// The store does not answer, and somebody stops the scheduler meanwhile.
#[test]
fn a_look_that_takes_long_is_interrupted_too() {
    on_paused_clock(async {
        let (clock, schedule) = (Clock::starting_at(beginning()), schedule("cron: 0 3 * * *, window: 30m"));
        let slow = ThrottleConfig { wait_put_per_call: HOUR, ..ThrottleConfig::default() };
        let objects = Arc::new(ThrottledStore::new(InMemory::new(), slow));
        let store = Store::objects(objects, "dr", "memory://dr", clock.clone());
        let scheduler = Scheduler::new(&schedule, &store, &clock, MINUTE);
        scheduler.keep(Some(MINUTE)).await;
        assert_eq!(clock.now().duration_since(beginning()).as_mins(), 1);
        assert!(scheduler.due().is_empty());
    });
}
