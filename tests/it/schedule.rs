//! Schedules: each occurrence starts once, in its window, whatever becomes of the schedulers.

mod aftermath;
mod command;
mod recipes;
mod resuming;

use std::{
    collections::BTreeMap,
    future::Future,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use lifeboat::{
    clock::Clock,
    run::{Outcome, lease::Holder},
    schedule::{How, Job, Launch, Occurrence, Schedule, Stands, Told, keep, parse},
    store::Store,
};
use object_store::memory::InMemory;

use crate::{
    harness::{beginning, on_paused_clock},
    transitions::person,
};

fn schedule(keys: &str) -> Schedule {
    let text = format!("version: 1\njobs:\n- {{ id: nightly, do: {{ drill: {{ runbook: r.yaml }} }}, {keys} }}\n");
    parse("s.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

/// What was started, when it was due and when it began.
type Started = Arc<Mutex<Vec<(Timestamp, Timestamp)>>>;

/// Runs by their names, as the store would know them.
type Runs = Arc<Mutex<BTreeMap<String, Stands>>>;

/// One scheduler: keeps the schedule for so long; what it starts lasts `lasts`.
struct Scheduler<'a> {
    schedule: &'a Schedule,
    store: &'a Store,
    clock: &'a Clock,
    lasts: Duration,
    started: Started,
    runs: Runs,
    /// The store does not say how runs stand.
    silent: Arc<AtomicBool>,
}

const DRIVEN: Stands = Stands::Driven { generation: 1 };

/// Not over after its first drive, and predicted to take an hour.
fn open(outcome: Option<Outcome>) -> Stands {
    Stands::Open { outcome, paused: false, generation: 1, predicted: HOUR }
}

impl<'a> Scheduler<'a> {
    fn new(schedule: &'a Schedule, store: &'a Store, clock: &'a Clock, lasts: Duration) -> Self {
        Self {
            schedule,
            store,
            clock,
            lasts,
            started: Started::default(),
            runs: Runs::default(),
            silent: Arc::default(),
        }
    }

    async fn keep(&self, until: Option<Duration>) -> Vec<Told> {
        let start = |job: Job, occurrence: Occurrence, _: How| {
            let (clock, lasts, runs) = (self.clock.clone(), self.lasts, self.runs.clone());
            let run = occurrence.run_of(&job.id);
            self.started.lock().unwrap().push((occurrence.at, clock.now()));
            runs.lock().unwrap().insert(run.clone(), DRIVEN);
            async move {
                clock.sleep(lasts).await;
                runs.lock().unwrap().insert(run, Stands::Over { exit: 0 });
                0
            }
        };
        self.keep_with(start, until).await
    }

    async fn keep_with<F: Future<Output = i32> + Send + 'static>(
        &self,
        start: impl Fn(Job, Occurrence, How) -> F,
        until: Option<Duration>,
    ) -> Vec<Told> {
        let stands = |run: String| {
            let stands = self.runs.lock().unwrap().get(&run).cloned().unwrap_or(Stands::Absent);
            let silent = self.silent.load(Ordering::Relaxed);
            std::future::ready(if silent { Err("it does not answer".to_owned()) } else { Ok(stands) })
        };
        let launch = Launch { start, stands };
        let mut told = Vec::new();
        let stop = async {
            match until {
                Some(until) => self.clock.sleep(until).await,
                None => std::future::pending().await,
            }
        };
        // As alike as two can be: only the nonce differs.
        let nonce = NUMBER.fetch_add(1, Ordering::Relaxed).to_string();
        let by = Holder { by: person("scheduler"), pid: 1, since: beginning(), nonce };
        let with = (self.schedule, self.store, self.clock);
        keep(with, &by, &launch, until.is_none(), stop, &mut |it| told.push(it)).await;
        told
    }

    /// Killed after so long, with everything it would have written; what it started goes on without it.
    async fn killed(&self, after: Duration) {
        tokio::select! {
            _ = self.keep(Some(1000 * HOUR)) => unreachable!(),
            () = self.clock.sleep(after) => {}
        }
    }

    fn due(&self) -> Vec<String> {
        self.started.lock().unwrap().iter().map(|(at, _)| at.strftime("%d %H:%M").to_string()).collect()
    }
}

/// A store that forgets with the process, and the time at which the world begins.
fn shared() -> (Clock, Store) {
    let clock = Clock::starting_at(beginning());
    let store = Store::objects(Arc::new(InMemory::new()), "dr", "memory://dr", clock.clone());
    (clock, store)
}

/// Schedulers so far.
static NUMBER: AtomicU32 = AtomicU32::new(0);

const HOUR: Duration = Duration::from_hours(1);

/// The world begins on Monday 23 November 2026, 03:00 UTC.
async fn kept(keys: &str, lasts: Duration, until: Duration) -> (Vec<String>, Vec<Told>) {
    let ((clock, store), schedule) = (shared(), schedule(keys));
    let scheduler = Scheduler::new(&schedule, &store, &clock, lasts);
    let told = scheduler.keep(Some(until)).await;
    (scheduler.due(), told)
}

#[test]
fn every_occurrence_starts_at_its_time_in_its_zone() {
    on_paused_clock(async {
        let (due, _) = kept("cron: 30 2 * * *, time_zone: Europe/Berlin", HOUR, 72 * HOUR).await;
        assert_eq!(due, ["24 01:30", "25 01:30", "26 01:30"]);
        let (due, _) = kept("cron: 0 */8 * * *, until: 2026-11-23T20:00:00Z", HOUR, 72 * HOUR).await;
        assert_eq!(due, ["23 08:00", "23 16:00"], "expired");
    });
}

#[test]
fn one_does_not_start_beside_the_one_before() {
    on_paused_clock(async {
        let (due, told) =
            kept("cron: 0 * * * *, window: 30m, catch_up: skip", 2 * HOUR + HOUR / 2, 5 * HOUR + HOUR / 2).await;
        assert_eq!(due, ["23 04:00", "23 07:00"]);
        let overlaps = told.iter().filter(|it| matches!(it, Told::Overlaps { .. })).count();
        assert_eq!(overlaps, 3, "{told:?}");
    });
}

#[test]
fn the_jitter_holds_it_back_within_its_window() {
    on_paused_clock(async {
        let ((clock, store), schedule) = (shared(), schedule("cron: 0 * * * *, jitter: 20m, window: 40m"));
        let scheduler = Scheduler::new(&schedule, &store, &clock, Duration::ZERO);
        scheduler.keep(Some(24 * HOUR)).await;
        let late: Vec<i64> =
            scheduler.started.lock().unwrap().iter().map(|(at, began)| began.duration_since(*at).as_secs()).collect();
        assert!(late.len() >= 23 && late.iter().all(|late| (0..=20 * 60).contains(late)), "{late:?}");
        assert!(late.iter().max().unwrap() > &600, "{late:?}");
    });
}

/// Of schedulers on one store, one starts an occurrence; the store may be a directory or objects.
#[test]
fn two_schedulers_on_one_store_start_each_occurrence_once() {
    let directory = tempfile::tempdir().unwrap();
    let both = |clock: &Clock| {
        [
            Store::objects(Arc::new(InMemory::new()), "dr", "memory://dr", clock.clone()),
            Store::directory(directory.path().to_owned(), clock.clone()),
        ]
    };
    on_paused_clock(async {
        let clock = Clock::starting_at(beginning());
        for store in both(&clock) {
            let schedule = schedule("cron: 0 */2 * * *, jitter: 5m");
            let first = Scheduler::new(&schedule, &store, &clock, HOUR);
            let mut second = Scheduler::new(&schedule, &store, &clock, HOUR);
            (second.started, second.runs) = (first.started.clone(), first.runs.clone());
            let (told, other) = tokio::join!(first.keep(Some(48 * HOUR)), second.keep(Some(48 * HOUR)));
            let mut due = first.due();
            assert!(due.len() >= 23, "{due:?}");
            let all = due.len();
            due.sort();
            due.dedup();
            assert_eq!(due.len(), all, "one was started twice: {due:?}");
            let taken = told.iter().chain(&other).filter(|it| matches!(it, Told::Taken { .. })).count();
            assert!(taken >= all - 1, "{taken} of {all} were taken by the other");
        }
    });
}

/// A scheduler is stopped, and another one goes on; what was due meanwhile starts if its window allows and the job says so.
#[test]
fn a_restart_starts_nothing_again_and_catches_up_within_the_window() {
    let run = |keys: &'static str, away: Duration| {
        on_paused_clock(async move {
            let ((clock, store), schedule) = (shared(), schedule(keys));
            let scheduler = Scheduler::new(&schedule, &store, &clock, Duration::from_mins(1));
            scheduler.keep(Some(HOUR + HOUR / 2)).await;
            clock.sleep(away).await;
            scheduler.keep(Some(Duration::from_mins(5))).await;
            scheduler.keep(Some(Duration::from_mins(5))).await;
            scheduler.due()
        })
    };
    // It stops at 04:31 and begins again at 06:11: 05:00 and 06:00 were due.
    let away = Duration::from_mins(100);
    assert_eq!(run("cron: 0 * * * *, window: 20m", away), ["23 03:00", "23 04:00", "23 06:00"]);
    assert_eq!(run("cron: 0 * * * *, window: 10m", away), ["23 03:00", "23 04:00"], "its window had passed");
    assert_eq!(run("cron: 0 * * * *, window: 20m, catch_up: skip", away), ["23 04:00"]);
}

#[test]
fn started_by_a_timer_it_does_what_is_due_and_leaves() {
    on_paused_clock(async {
        let ((clock, store), schedule) = (shared(), schedule("cron: 0 3 * * *, window: 10m"));
        let scheduler = Scheduler::new(&schedule, &store, &clock, HOUR);
        let told = scheduler.keep(None).await;
        assert!(matches!(told.last(), Some(Told::Ended { exit: 0, .. })), "{told:?}");
        assert_eq!(clock.now().duration_since(beginning()).as_hours(), 1, "it waits for what it started");
        // The window has passed, and it was claimed.
        assert_eq!(scheduler.keep(None).await, []);
        assert_eq!(scheduler.due(), ["23 03:00"]);
        assert!(store.occurrences("nightly").await.unwrap().iter().all(|claim| claim.ended), "its end is written");
    });
}

#[test]
fn the_example_is_a_schedule() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/schedule.yaml");
    let schedule = parse("schedule.yaml", &std::fs::read(path).unwrap());
    let schedule = schedule.unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    assert_eq!(schedule.jobs.len(), 3);
}
