//! Keeps a schedule: waits, claims what is due, starts it, writes down how it ended. Survives its own end: what was claimed
//! stays claimed, and what was due meanwhile is looked at when the next one starts.
//!
//! Never starts an occurrence twice, one that missed its window, or one of a job whose last one still runs.

use std::{future::Future, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::{CatchUp, Job, Occurrence, Schedule};
use crate::{clock::Clock, run::lease::Holder, store::Store};

/// Version of what is written about an occurrence.
const FORMAT: u32 = 1;

/// A claim that the store refused is tried again after this long, as long as the window lasts.
const AGAIN: Duration = Duration::from_secs(15);

/// Longest sleep: a machine's clock may be set.
const LONGEST: Duration = Duration::from_mins(1);

/// What is written about an occurrence: who took it, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub v: u32,
    /// Tells two schedulers apart also when they are alike: a claim that finds its own bytes counts as its own.
    pub by: Holder,
    pub started_at: Timestamp,
    /// Exit code of what was started; none: not known yet, or never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// What somebody who watches should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Started {
        job: String,
        occurrence: Occurrence,
    },
    Ended {
        job: String,
        occurrence: Occurrence,
        exit: i32,
    },
    /// Another scheduler has it.
    Taken {
        job: String,
        occurrence: Occurrence,
    },
    /// Its window had passed.
    Missed {
        job: String,
        occurrence: Occurrence,
        more: usize,
    },
    /// The one before it still runs.
    Overlaps {
        job: String,
        occurrence: Occurrence,
    },
    StoreFailed {
        job: String,
        error: String,
    },
}

/// What starts a job and waits for its end; whether one is still running somewhere else.
#[derive(Debug)]
pub struct Launch<S, R> {
    /// Exit code; dropped when the scheduler stops.
    pub start: S,
    /// Whether the run of that name is being driven, by anybody.
    pub runs: R,
}

struct Keeper<'a, S, R> {
    schedule: &'a Schedule,
    store: &'a Store,
    clock: &'a Clock,
    by: &'a Holder,
    launch: &'a Launch<S, R>,
    /// Up to which occurrence each job was looked at.
    seen: Vec<Timestamp>,
    /// Jobs that run here.
    running: Vec<bool>,
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
    S: Fn(Job, Occurrence) -> F,
    F: Future<Output = i32> + Send + 'static,
    R: Fn(String) -> G,
    G: Future<Output = bool>,
{
    let now = clock.now();
    let seen = |job: &Job| match job.catch_up {
        CatchUp::Latest => now - SignedDuration::try_from(job.window).unwrap_or(SignedDuration::ZERO),
        // Started by something else at its time, it is due at the moment when that starts it.
        CatchUp::Skip if once => now - SignedDuration::from_mins(1),
        CatchUp::Skip => now,
    };
    let seen = schedule.jobs.iter().map(seen).collect();
    let running = vec![false; schedule.jobs.len()];
    let mut keeper = Keeper { schedule, store, clock, by, launch, seen, running, tell };
    let mut tasks = JoinSet::new();
    tokio::pin!(stop);
    let (mut looks, mut stopped) = (true, false);
    loop {
        let wake = if looks { keeper.look(&mut tasks, once).await } else { clock.now() };
        looks = !once && !stopped;
        if (once || stopped) && tasks.is_empty() {
            return;
        }
        let pause = Duration::try_from(wake.duration_since(clock.now())).unwrap_or_default();
        tokio::select! {
            // What runs is told to stop by whoever started it, and writes it down.
            () = &mut stop, if !stopped => stopped = true,
            ended = tasks.join_next(), if !tasks.is_empty() => {
                if let Some(Ok((place, occurrence, exit))) = ended {
                    keeper.ended(place, occurrence, exit).await;
                }
            }
            () = clock.sleep(pause.min(LONGEST)), if looks => {}
        }
        looks &= !stopped;
    }
}

impl<S, R> Keeper<'_, S, R> {
    /// Starts what is due; when to look again.
    async fn look<F, G>(&mut self, tasks: &mut JoinSet<(usize, Occurrence, i32)>, once: bool) -> Timestamp
    where
        S: Fn(Job, Occurrence) -> F,
        F: Future<Output = i32> + Send + 'static,
        R: Fn(String) -> G,
        G: Future<Output = bool>,
    {
        let mut wake = self.clock.now() + SignedDuration::try_from(LONGEST).unwrap_or_default();
        for (place, job) in self.schedule.jobs.iter().enumerate() {
            let now = self.clock.now();
            if let Some((occurrence, more)) = job.newest_due(self.schedule.seed, self.seen[place], now) {
                match self.take(place, job, occurrence, more).await {
                    Ok(true) => {
                        self.seen[place] = occurrence.at;
                        self.running[place] = true;
                        (self.tell)(Told::Started { job: job.id.clone(), occurrence });
                        let started = (self.launch.start)(job.clone(), occurrence);
                        tasks.spawn(async move { (place, occurrence, started.await) });
                    }
                    Ok(false) => self.seen[place] = occurrence.at,
                    Err(error) => {
                        (self.tell)(Told::StoreFailed { job: job.id.clone(), error });
                        wake = wake.min(now + SignedDuration::try_from(AGAIN).unwrap_or_default());
                    }
                }
            }
            if let Some(next) = job.after(self.schedule.seed, self.seen[place]).filter(|_| !once) {
                // One that could not be claimed is due, and was told.
                wake = wake.min(next.starts.max(now + SignedDuration::from_secs(1)));
            }
        }
        wake
    }

    /// Whether the occurrence is ours to start.
    async fn take<F, G>(&mut self, place: usize, job: &Job, occurrence: Occurrence, more: usize) -> Result<bool, String>
    where
        S: Fn(Job, Occurrence) -> F,
        R: Fn(String) -> G,
        G: Future<Output = bool>,
    {
        let name = job.id.clone();
        let now = self.clock.now();
        if !occurrence.is_due(now) {
            (self.tell)(Told::Missed { job: name, occurrence, more });
            return Ok(false);
        }
        if self.running[place] || self.runs_elsewhere(job, occurrence).await? {
            (self.tell)(Told::Overlaps { job: name, occurrence });
            return Ok(false);
        }
        let kept = Kept { v: FORMAT, by: self.by.clone(), started_at: now, exit: None, ended_at: None };
        let text = serde_json::to_string(&kept).expect("text keys");
        let ours = self.store.claim_occurrence(&job.id, &occurrence.name(), &text).await;
        let ours = ours.map_err(|error| error.to_string())?;
        if !ours {
            (self.tell)(Told::Taken { job: name, occurrence });
        }
        Ok(ours)
    }

    /// Whether the last one that was claimed before, by any scheduler, is still being driven.
    async fn runs_elsewhere<G>(&self, job: &Job, occurrence: Occurrence) -> Result<bool, String>
    where
        R: Fn(String) -> G,
        G: Future<Output = bool>,
    {
        let all = self.store.occurrences(&job.id).await.map_err(|error| error.to_string())?;
        let this = occurrence.name();
        let Some(last) = all.into_iter().filter(|name| *name < this).max() else { return Ok(false) };
        Ok((self.launch.runs)(format!("{}-{last}", job.id)).await)
    }

    async fn ended(&mut self, place: usize, occurrence: Occurrence, exit: i32) {
        let job = &self.schedule.jobs[place];
        self.running[place] = false;
        let now = self.clock.now();
        let (by, ended_at) = (self.by.clone(), Some(now));
        let kept = Kept { v: FORMAT, by, started_at: occurrence.starts, exit: Some(exit), ended_at };
        let text = serde_json::to_string(&kept).expect("text keys");
        if let Err(error) = self.store.note_occurrence(&job.id, &occurrence.name(), &text).await {
            (self.tell)(Told::StoreFailed { job: job.id.clone(), error: error.to_string() });
        }
        (self.tell)(Told::Ended { job: job.id.clone(), occurrence, exit });
    }
}
