//! Keeps a schedule: waits, claims what is due, starts it, writes down how it ended. Survives its own end: what was claimed
//! stays claimed, a run that was interrupted goes on, and what was due meanwhile starts within its window, or is told.
//!
//! Never starts an occurrence twice, one that missed its window, or one of a job whose last one still runs.

mod aftermath;

use std::{collections::BTreeSet, future::Future, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::task::{Id, JoinSet};

use super::{CatchUp, How, Job, Kept, Occurrence, Schedule, Stands, Told, told::FORMAT};
use crate::{
    clock::Clock,
    run::lease::Holder,
    store::{ClaimedOccurrence, Mark, Store},
};

/// What the store refused is tried again after this long.
const AGAIN: SignedDuration = SignedDuration::from_secs(15);

/// Longest sleep: a machine's clock may be set.
const LONGEST: SignedDuration = SignedDuration::from_mins(1);

/// Further back nobody looks for what was missed.
const FURTHEST: SignedDuration = SignedDuration::from_hours(31 * 24);

/// What starts at the last moment of its window has begun its run, or come to the end of a readiness, within this.
const UNDER_WAY: SignedDuration = SignedDuration::from_mins(15);

/// What others have under way is looked at again after this long: whoever has it may die, and says nothing then.
const OTHERS: SignedDuration = SignedDuration::from_mins(5);

/// The shortest time within which a timer that starts this again and again is not called late.
const TIMER: SignedDuration = SignedDuration::from_mins(1);

/// Exit code of what ended without one.
const BUG: i32 = 101;

/// What starts a job and waits for its end, and what knows its run.
#[derive(Debug)]
pub struct Launch<S, R> {
    /// Exit code; dropped when the scheduler stops.
    pub start: S,
    /// How the run of that name stands; an error is a lower-case fragment.
    pub stands: R,
}

/// How far a job was looked at.
struct Watch {
    seen: Timestamp,
    /// What was to start until then, jitter included, does not start.
    from: Option<Timestamp>,
    /// What came between was missed. Not known of a job that has never been claimed, or was due at other times.
    misses: bool,
    /// When to look after what is claimed and not ended. None: nothing is.
    again: Option<Timestamp>,
}

/// What runs here.
struct Running {
    id: Id,
    occurrence: Occurrence,
    how: How,
}

struct Keeper<'a, S, R> {
    schedule: &'a Schedule,
    store: &'a Store,
    clock: &'a Clock,
    by: &'a Holder,
    launch: &'a Launch<S, R>,
    once: bool,
    /// Of each job; none: the store has not yet said what was claimed.
    watches: Vec<Option<Watch>>,
    running: Vec<Option<Running>>,
    tasks: JoinSet<i32>,
    tell: &'a mut dyn FnMut(Told),
}

/// Runs until `stop`; with `once`, until whatever is due now has ended.
pub async fn keep<S, R, F, G>(
    (schedule, store, clock): (&Schedule, &Store, &Clock),
    by: &Holder,
    launch: &Launch<S, R>,
    once: bool,
    stop: impl Future<Output = ()>,
    tell: &mut dyn FnMut(Told),
) where
    S: Fn(Job, Occurrence, How) -> F,
    F: Future<Output = i32> + Send + 'static,
    R: Fn(String) -> G,
    G: Future<Output = Result<Stands, String>>,
{
    let (watches, running) = schedule.jobs.iter().map(|_| (None, None)).unzip();
    let tasks = JoinSet::new();
    let mut keeper = Keeper { schedule, store, clock, by, launch, once, watches, running, tasks, tell };
    tokio::pin!(stop);
    let (mut looks, mut stopped) = (true, false);
    loop {
        let mut wake = clock.now();
        if looks {
            tokio::select! {
                biased;
                // What was just claimed has not begun, and is told as lost later.
                () = &mut stop => stopped = true,
                next = keeper.look() => wake = next,
            }
            if stopped {
                keeper.stops().await;
            }
        }
        looks = !once && !stopped;
        if (once || stopped) && keeper.tasks.is_empty() {
            return;
        }
        let pause = Duration::try_from(wake.duration_since(clock.now())).unwrap_or_default();
        tokio::select! {
            // What runs is told to stop by whoever started it, and writes it down.
            () = &mut stop, if !stopped => {
                stopped = true;
                keeper.stops().await;
            }
            Some(ended) = keeper.tasks.join_next_with_id() => keeper.ended(ended).await,
            () = clock.sleep(pause), if looks => {}
        }
        looks &= !stopped;
    }
}

impl<S, R, F, G> Keeper<'_, S, R>
where
    S: Fn(Job, Occurrence, How) -> F,
    F: Future<Output = i32> + Send + 'static,
    R: Fn(String) -> G,
    G: Future<Output = Result<Stands, String>>,
{
    /// Starts what is due; when to look again.
    async fn look(&mut self) -> Timestamp {
        let mut wake = self.clock.now() + LONGEST;
        for place in 0..self.schedule.jobs.len() {
            let next = match self.look_at(place).await {
                Ok(next) => next,
                Err(error) => {
                    self.store_failed(place, error);
                    Some(self.clock.now() + AGAIN)
                }
            };
            wake = next.map_or(wake, |next| next.min(wake));
        }
        wake
    }

    /// When to look again at one job. None: it is not due any more.
    async fn look_at(&mut self, place: usize) -> Result<Option<Timestamp>, String> {
        let (job, seed) = (&self.schedule.jobs[place], self.schedule.seed);
        let mut watch = match self.watches[place].take() {
            Some(watch) => watch,
            None => self.begin(job).await?,
        };
        let now = self.clock.now();
        let looked = self.look_again(place, job, &mut watch, now).await;
        let next = job.after(seed, watch.seen).map(|next| next.starts.max(now + SignedDuration::from_secs(1)));
        let next = next.into_iter().chain(watch.again).min();
        self.watches[place] = Some(watch);
        looked.map(|()| next)
    }

    /// At what others have under way, and at what is due.
    async fn look_again(&mut self, place: usize, job: &Job, watch: &mut Watch, now: Timestamp) -> Result<(), String> {
        let mut looked = Ok(());
        if watch.again.is_some_and(|again| again <= now) {
            watch.again = match self.look_after(place, job).await {
                Ok(under_way) => (!under_way.is_empty()).then(|| now + OTHERS),
                Err(error) => {
                    looked = Err(error);
                    Some(now + AGAIN)
                }
            };
        }
        // Also when one of them cannot be asked for: what is due starts, or is missed, and is told.
        if let Some((newest, before)) = job.due(self.schedule.seed, watch.seen, now).split_last() {
            self.take(place, job, watch, *newest, before).await?;
            (watch.seen, watch.misses) = (newest.at, true);
            watch.again.get_or_insert(now + OTHERS);
        }
        looked
    }

    /// What was claimed before, by whomever, says from where on to look.
    async fn begin(&self, job: &Job) -> Result<Watch, String> {
        let claims = self.claims(job).await?;
        let known = self.last_known(job, &claims).await?;
        let now = self.clock.now();
        let window = SignedDuration::try_from(job.window).unwrap_or(FURTHEST);
        let jitter = SignedDuration::try_from(job.jitter).unwrap_or_default();
        let from = match job.catch_up {
            CatchUp::Latest => None,
            // Whatever starts this again and again does so at least twice in a window.
            CatchUp::Skip if self.once => Some(now - (window / 2).max(TIMER)),
            CatchUp::Skip => Some(now),
        };
        let seen = known.unwrap_or_else(|| from.map_or(now - window, |from| from - jitter));
        Ok(Watch { seen: seen.max(now - FURTHEST.max(window)), from, misses: known.is_some(), again: Some(now) })
    }

    async fn claims(&self, job: &Job) -> Result<Vec<ClaimedOccurrence>, String> {
        self.store.occurrences(&job.id).await.map_err(|error| error.to_string())
    }

    /// The newest that was claimed, unless the job was due at other times then.
    async fn last_known(&self, job: &Job, claims: &[ClaimedOccurrence]) -> Result<Option<Timestamp>, String> {
        let Some(newest) = claims.last() else { return Ok(None) };
        let text = self.store.claim_of(&job.id, &newest.name).await.map_err(|error| error.to_string())?;
        let kept = text.and_then(|text| serde_json::from_str::<Kept>(&text).ok());
        let same = kept.is_some_and(|kept| kept.rule == job.rule());
        Ok(job.named(self.schedule.seed, &newest.name).filter(|_| same).map(|occurrence| occurrence.at))
    }

    /// Starts the newest that is due, or says why not.
    async fn take(
        &mut self,
        place: usize,
        job: &Job,
        watch: &Watch,
        newest: Occurrence,
        before: &[Occurrence],
    ) -> Result<(), String> {
        let name = || job.id.clone();
        let in_time = newest.is_due(self.clock.now()) && watch.from.is_none_or(|from| newest.starts > from);
        if !in_time && !watch.misses {
            return Ok(());
        }
        if in_time && self.is_under_way(place, job, newest).await? {
            (self.tell)(Told::Overlaps { job: name(), occurrence: newest });
            return Ok(());
        }
        match self.claim(job, newest).await {
            Ok(true) => {}
            Ok(false) => {
                (self.tell)(Told::Taken { job: name(), occurrence: newest });
                return Ok(());
            }
            // That it was missed is told also when nobody can write it down.
            Err(error) if !in_time => self.store_failed(place, error),
            Err(error) => return Err(error),
        }
        let before = if watch.misses { self.unclaimed(job, before.to_vec()).await } else { Vec::new() };
        // A store that did not answer may have taken minutes.
        if !in_time || !newest.is_due(self.clock.now()) {
            (self.tell)(Told::Missed { job: name(), occurrence: newest, more: before.len() });
            self.note(place, job, newest, None).await;
            return Ok(());
        }
        if let Some((last, before)) = before.split_last() {
            (self.tell)(Told::Missed { job: name(), occurrence: *last, more: before.len() });
        }
        (self.tell)(Told::Started { job: name(), occurrence: newest });
        self.start(place, job, newest, How::Anew);
        Ok(())
    }

    /// Those that no other scheduler had meanwhile.
    async fn unclaimed(&self, job: &Job, mut missed: Vec<Occurrence>) -> Vec<Occurrence> {
        if !missed.is_empty()
            && let Ok(claims) = self.claims(job).await
        {
            let claimed: BTreeSet<String> = claims.into_iter().map(|claim| claim.name).collect();
            missed.retain(|occurrence| !claimed.contains(&occurrence.name()));
        }
        missed
    }

    fn start(&mut self, place: usize, job: &Job, occurrence: Occurrence, how: How) {
        let id = self.tasks.spawn((self.launch.start)(job.clone(), occurrence, how)).id();
        self.running[place] = Some(Running { id, occurrence, how });
    }

    /// Whether the occurrence is ours.
    async fn claim(&self, job: &Job, occurrence: Occurrence) -> Result<bool, String> {
        let text = serde_json::to_string(&self.kept(job, None, None)).expect("text keys");
        let claimed = self.store.claim_occurrence(&job.id, &occurrence.name(), &text).await;
        claimed.map_err(|error| error.to_string())
    }

    /// Whether it was not written before.
    async fn mark(&self, job: &Job, occurrence: Occurrence, mark: Mark) -> Result<bool, String> {
        let text = serde_json::to_string(&self.kept(job, None, None)).expect("text keys");
        let marked = self.store.mark_occurrence(&job.id, &occurrence.name(), mark, &text).await;
        marked.map_err(|error| error.to_string())
    }

    fn kept(&self, job: &Job, exit: Option<i32>, ended_at: Option<Timestamp>) -> Kept {
        Kept { v: FORMAT, by: self.by.clone(), started_at: self.clock.now(), rule: job.rule(), exit, ended_at }
    }

    /// Writes the end of an occurrence down; what cannot be written is looked at again.
    async fn note(&mut self, place: usize, job: &Job, occurrence: Occurrence, exit: Option<i32>) {
        let text = serde_json::to_string(&self.kept(job, exit, Some(self.clock.now()))).expect("text keys");
        if let Err(error) = self.store.note_occurrence(&job.id, &occurrence.name(), &text).await {
            self.store_failed(place, error.to_string());
        }
    }

    fn store_failed(&mut self, place: usize, error: String) {
        (self.tell)(Told::StoreFailed { job: self.schedule.jobs[place].id.clone(), error });
    }
}
