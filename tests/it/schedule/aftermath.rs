//! What becomes of what a scheduler did not start, did not end, or did not live to see.

use jiff::SignedDuration;
use object_store::throttle::{ThrottleConfig, ThrottledStore};

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

fn minute(at: &Occurrence) -> String {
    at.at.strftime("%d %H:%M").to_string()
}

/// What was missed: the newest, and how many before it.
fn missed(told: &[Told]) -> Vec<(String, usize)> {
    let of = |told: &Told| match told {
        Told::Missed { occurrence, more, .. } => Some((minute(occurrence), *more)),
        _ => None,
    };
    told.iter().filter_map(of).collect()
}

fn readiness(keys: &str) -> Schedule {
    let text = format!("version: 1\njobs:\n- {{ id: nightly, do: {{ readiness: {{ runbook: r.yaml }} }}, {keys} }}\n");
    parse("s.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

#[test]
fn a_job_does_not_start_beside_its_last_run_that_a_dead_scheduler_left() {
    on_paused_clock(async {
        let ((clock, store), schedule) = (shared(), schedule("cron: 0 * * * *, window: 30m"));
        let first = Scheduler::new(&schedule, &store, &clock, 50 * MINUTE);
        first.killed(HOUR + 10 * MINUTE).await;
        assert_eq!(first.due(), ["23 03:00", "23 04:00"]);
        // Its drill of 04:00 is still driven, until 05:40.
        let second = Scheduler { runs: first.runs.clone(), ..Scheduler::new(&schedule, &store, &clock, MINUTE) };
        let runs = first.runs.clone();
        let end = async {
            clock.sleep(HOUR + HOUR / 2).await;
            runs.lock().unwrap().insert("nightly-20261123T040000Z".to_owned(), Stands::Over { exit: 0 });
        };
        let (told, ()) = tokio::join!(second.keep(Some(3 * HOUR)), end);
        assert!(matches!(&told[0], Told::Overlaps { occurrence, .. } if minute(occurrence) == "23 05:00"), "{told:?}");
        assert_eq!(second.due(), ["23 06:00", "23 07:00"]);
        assert!(store.occurrences("nightly").await.unwrap().iter().all(|claim| claim.ended));
    });
}

#[test]
fn a_readiness_does_not_start_beside_one_of_another_scheduler() {
    on_paused_clock(async {
        let ((clock, store), schedule) = (shared(), readiness("cron: \"*/10 * * * *\", window: 5m"));
        let first = Scheduler::new(&schedule, &store, &clock, 15 * MINUTE);
        let second =
            Scheduler { started: first.started.clone(), ..Scheduler::new(&schedule, &store, &clock, 15 * MINUTE) };
        let (_, told) = tokio::join!(first.keep(Some(2 * HOUR)), second.keep(Some(2 * HOUR)));
        let began: Vec<Timestamp> = first.started.lock().unwrap().iter().map(|(_, began)| *began).collect();
        assert!(began.len() >= 5, "{began:?}");
        let apart = |pair: &[Timestamp]| pair[1].duration_since(pair[0]) >= 15 * SignedDuration::from_mins(1);
        assert!(began.windows(2).all(apart), "{began:?}");
        assert!(told.iter().any(|told| matches!(told, Told::Overlaps { .. })), "{told:?}");
    });
}

#[test]
fn what_was_missed_while_no_scheduler_ran_is_told_once() {
    on_paused_clock(async {
        let ((clock, store), hourly) = (shared(), schedule("cron: 0 * * * *, window: 20m"));
        let first = Scheduler::new(&hourly, &store, &clock, MINUTE);
        assert_eq!(missed(&first.keep(Some(HOUR + HOUR / 2)).await), [], "a job that is new has missed nothing");
        // 04:30 to 08:10: 05:00, 06:00 and 07:00 are lost, and 08:00 may start.
        clock.sleep(3 * HOUR + 40 * MINUTE).await;
        let (second, third) = (first.keep(Some(MINUTE)).await, first.keep(Some(MINUTE)).await);
        assert_eq!(missed(&second), [("23 07:00".to_owned(), 2)]);
        assert_eq!(first.due(), ["23 03:00", "23 04:00", "23 08:00"]);
        assert_eq!(third, [], "it was told");
        // To 10:40: 09:00 and 10:00 are lost, and nothing may start.
        clock.sleep(2 * HOUR + HOUR / 2).await;
        let (fourth, fifth) = (first.keep(None).await, first.keep(None).await);
        assert_eq!(missed(&fourth), [("23 10:00".to_owned(), 1)]);
        assert_eq!(fifth, []);
        // Who changes when it is due has missed nothing of what it was not.
        clock.sleep(3 * HOUR).await;
        let edited = schedule("cron: 5 * * * *, window: 20m");
        let changed = Scheduler::new(&edited, &store, &clock, MINUTE);
        assert_eq!(missed(&changed.keep(Some(MINUTE)).await), []);
    });
}

#[test]
fn what_a_scheduler_claimed_and_never_began_is_told_once_when_its_time_is_over() {
    on_paused_clock(async {
        let ((clock, store), schedule) = (shared(), schedule("cron: 0 3 * * *, window: 30m"));
        let scheduler = Scheduler::new(&schedule, &store, &clock, MINUTE);
        assert!(store.claim_occurrence("nightly", "20261123T030000Z", "{}").await.unwrap());
        clock.sleep(40 * MINUTE).await;
        assert_eq!(scheduler.keep(None).await, [], "whoever claimed it may be beginning");
        clock.sleep(10 * MINUTE).await;
        let told = scheduler.keep(None).await;
        assert!(matches!(told.as_slice(), [Told::Lost { .. }]), "{told:?}");
        assert_eq!(scheduler.keep(None).await, []);
        assert_eq!(scheduler.due(), Vec::<String>::new());
    });
}

#[test]
fn a_run_that_died_goes_on_and_any_other_that_is_not_over_is_told_on_each_look() {
    on_paused_clock(async {
        let resumed = |open: Stands| async move {
            let ((clock, store), schedule) = (shared(), schedule("cron: 0 3 * * *, window: 30m"));
            let scheduler = Scheduler::new(&schedule, &store, &clock, MINUTE);
            let start = |stands: Stands| {
                let runs = scheduler.runs.clone();
                move |job: Job, occurrence: Occurrence, how: How| {
                    let stands = if how == How::Resumed { Stands::Over { exit: 0 } } else { stands.clone() };
                    runs.lock().unwrap().insert(occurrence.run_of(&job.id), stands);
                    std::future::ready(if how == How::Resumed { 0 } else { 6 })
                }
            };
            let first = scheduler.keep_with(start(open.clone()), None).await;
            assert!(matches!(first.last(), Some(Told::Open { .. })), "{first:?}");
            let later =
                [scheduler.keep_with(start(open.clone()), None).await, scheduler.keep_with(start(open), None).await];
            (later, store.occurrences("nightly").await.unwrap()[0].ended)
        };
        let ([next, after], ended) = resumed(open(None)).await;
        assert!(matches!(next.as_slice(), [Told::Resumed { .. }, Told::Ended { exit: 0, .. }]), "{next:?}");
        assert!(after.is_empty() && ended, "{after:?}");
        let paused = Stands::Open { outcome: None, paused: true, generation: 1, predicted: HOUR };
        for stands in [open(Some(Outcome::Failed)), open(Some(Outcome::Stuck)), paused] {
            let (later, ended) = resumed(stands).await;
            assert!(later.iter().all(|told| matches!(told.as_slice(), [Told::Open { .. }])), "{later:?}");
            assert!(!ended, "it is not over");
        }
    });
}

#[test]
fn another_scheduler_goes_on_with_the_run_of_one_that_dies() {
    on_paused_clock(async {
        let ((clock, store), schedule) = (shared(), schedule("cron: 0 4 * * *, window: 30m"));
        let first = Scheduler::new(&schedule, &store, &clock, HOUR);
        let second = Scheduler { runs: first.runs.clone(), ..Scheduler::new(&schedule, &store, &clock, MINUTE) };
        let runs = first.runs.clone();
        let dies = async {
            first.killed(HOUR + 20 * MINUTE).await;
            assert_eq!(first.due(), ["23 04:00"]);
            // In a shared store a driver is believed to live for a while after its last word.
            clock.sleep(2 * MINUTE).await;
            runs.lock().unwrap().insert("nightly-20261123T040000Z".to_owned(), open(None));
        };
        // It starts while the first one drives, and the job is not due before tomorrow.
        let lives = async {
            clock.sleep(HOUR + 10 * MINUTE).await;
            second.keep(Some(HOUR)).await
        };
        let ((), told) = tokio::join!(dies, lives);
        assert!(matches!(told.as_slice(), [Told::Resumed { .. }, Told::Ended { exit: 0, .. }]), "{told:?}");
        let (_, began) = second.started.lock().unwrap()[0];
        assert!(began.duration_since(beginning()) <= SignedDuration::from_mins(60 + 22 + 6), "{began}");
    });
}

#[test]
fn a_task_that_panics_ends_its_job_and_not_those_after_it() {
    on_paused_clock(async {
        let ((clock, store), schedule) = (shared(), schedule("cron: 0 * * * *, window: 30m"));
        let scheduler = Scheduler::new(&schedule, &store, &clock, MINUTE);
        let start = |_: Job, occurrence: Occurrence, _: How| async move {
            assert_ne!(minute(&occurrence), "23 04:00", "it panics");
            0
        };
        let told = scheduler.keep_with(start, Some(2 * HOUR + HOUR / 2)).await;
        let exits = told.iter().filter_map(|told| match told {
            Told::Ended { exit, .. } => Some(*exit),
            _ => None,
        });
        assert_eq!(exits.collect::<Vec<_>>(), [0, 101, 0], "{told:?}");
    });
}

/// The store takes longer than the window lasts.
#[test]
fn nothing_starts_whose_window_ended_while_it_was_claimed() {
    on_paused_clock(async {
        let (clock, schedule) = (Clock::starting_at(beginning()), schedule("cron: 0 3 * * *, window: 10s"));
        let wait_put_per_call = Duration::from_secs(15);
        let slow =
            ThrottledStore::new(InMemory::new(), ThrottleConfig { wait_put_per_call, ..ThrottleConfig::default() });
        let store = Store::objects(Arc::new(slow), "dr", "memory://dr", clock.clone());
        let scheduler = Scheduler::new(&schedule, &store, &clock, MINUTE);
        let told = scheduler.keep(None).await;
        assert_eq!((missed(&told), told.len()), (vec![("23 03:00".to_owned(), 0)], 1), "{told:?}");
        assert_eq!(scheduler.due(), Vec::<String>::new());
    });
}

#[test]
fn started_by_a_timer_that_is_late_it_starts_what_does_not_catch_up_too() {
    on_paused_clock(async {
        let keys = "cron: 0 * * * *, window: 40m, jitter: 20m, catch_up: skip";
        let ((clock, store), schedule) = (shared(), schedule(keys));
        let scheduler = Scheduler::new(&schedule, &store, &clock, Duration::ZERO);
        // As a timer does it: every ten minutes, and never at the full hour.
        clock.sleep(7 * MINUTE).await;
        let mut told = Vec::new();
        for _ in 0..6 * 12 {
            told.extend(scheduler.keep(None).await);
            clock.sleep(10 * MINUTE).await;
        }
        assert_eq!((scheduler.due().len(), missed(&told)), (12, vec![]), "{told:?}");
        // Away for five hours, and again near the end of a window.
        clock.sleep(5 * HOUR + 31 * MINUTE).await;
        assert!(!missed(&scheduler.keep(None).await).is_empty());
        assert_eq!(scheduler.due().len(), 12);
    });
}
