//! What becomes of what was claimed and has not ended: somebody is at work on it, it goes on here, or people are told.

use jiff::{SignedDuration, Timestamp};
use tokio::task::{Id, JoinError};

use super::{BUG, Keeper, Running, UNDER_WAY};
use crate::{
    run::Outcome,
    schedule::{How, Job, Kept, Occurrence, Stands, Told, Work},
    store::{ClaimedOccurrence, Mark},
};

/// A run that ends so often without an end of its own has something that a person must look at.
const MOST_RESUMED: u32 = 3;

/// Whoever goes on with a run drives it within this: one that fell silent in a shared store is watched for a while first.
const ATTACHED: SignedDuration = SignedDuration::from_mins(2);

impl<S, R, F, G> Keeper<'_, S, R>
where
    S: Fn(Job, Occurrence, How) -> F,
    F: Future<Output = i32> + Send + 'static,
    R: Fn(String) -> G,
    G: Future<Output = Result<Stands, String>>,
{
    /// Whether another occurrence of the job is under way, here or elsewhere.
    pub(super) async fn is_under_way(
        &mut self,
        place: usize,
        job: &Job,
        occurrence: Occurrence,
    ) -> Result<bool, String> {
        if self.running[place].is_some() {
            return Ok(true);
        }
        let under_way = self.look_after(place, job).await?;
        Ok(under_way.iter().any(|other| *other != occurrence))
    }

    /// What becomes of what was claimed and whose end nobody has written; those that are under way.
    pub(super) async fn look_after(&mut self, place: usize, job: &Job) -> Result<Vec<Occurrence>, String> {
        let (mut under_way, mut failed) = (Vec::new(), None);
        for claim in self.claims(job).await?.into_iter().filter(|claim| !claim.ended) {
            let Some(occurrence) = job.named(self.schedule.seed, &claim.name) else { continue };
            let here = self.running[place].as_ref().is_some_and(|running| running.occurrence == occurrence);
            match if here { Ok(true) } else { self.is_at_work(place, job, occurrence, &claim).await } {
                Ok(true) => under_way.push(occurrence),
                Ok(false) => {}
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(under_way), Err)
    }

    /// Whether somebody is at work on it; else it goes on, or is told, or its end is written.
    async fn is_at_work(
        &mut self,
        place: usize,
        job: &Job,
        occurrence: Occurrence,
        claim: &ClaimedOccurrence,
    ) -> Result<bool, String> {
        let stands = self.stands(job, occurrence).await?;
        match stands {
            Stands::Driven { .. } => Ok(true),
            // No machine can tell whether another one lives: its time has to pass.
            Stands::Absent if self.clock.now() < occurrence.ends + UNDER_WAY => Ok(true),
            Stands::Absent => {
                (self.tell)(Told::Lost { job: job.id.clone(), occurrence });
                self.note(place, job, occurrence, None).await;
                Ok(false)
            }
            Stands::Over { exit } => {
                self.note(place, job, occurrence, Some(exit)).await;
                Ok(false)
            }
            Stands::Open { outcome, paused, .. } => match stays(&stands, occurrence, claim, self.clock.now()) {
                Some(why) => {
                    self.leave(job, occurrence, outcome, paused, why).await;
                    Ok(false)
                }
                None => self.resume(place, job, occurrence, claim).await,
            },
            Stands::Unreadable(error) => {
                self.leave(job, occurrence, None, false, unreadable(&error)).await;
                Ok(false)
            }
        }
    }

    /// Goes on with a run, unless another scheduler does. True: somebody does.
    async fn resume(
        &mut self,
        place: usize,
        job: &Job,
        occurrence: Occurrence,
        claim: &ClaimedOccurrence,
    ) -> Result<bool, String> {
        if self.running[place].is_some() || self.goes_on(job, occurrence, claim).await? {
            return Ok(true);
        }
        if self.mark(job, occurrence, Mark::Resumed(claim.resumed + 1)).await? {
            (self.tell)(Told::Resumed { job: job.id.clone(), occurrence });
            self.start(place, job, occurrence, How::Resumed);
        } else {
            (self.tell)(Told::Taken { job: job.id.clone(), occurrence });
        }
        Ok(true)
    }

    /// Whether another scheduler has just begun to go on with a run.
    async fn goes_on(&self, job: &Job, occurrence: Occurrence, claim: &ClaimedOccurrence) -> Result<bool, String> {
        if claim.resumed == 0 {
            return Ok(false);
        }
        let text = self.store.mark_of(&job.id, &occurrence.name(), Mark::Resumed(claim.resumed)).await;
        let kept = text.map_err(|error| error.to_string())?.and_then(|text| serde_json::from_str::<Kept>(&text).ok());
        Ok(kept.is_some_and(|kept| self.clock.now() < kept.started_at + ATTACHED))
    }

    /// Leaves a run to people, and tells them. A store that cannot write down that they were told keeps nobody silent.
    async fn leave(&mut self, job: &Job, occurrence: Occurrence, outcome: Option<Outcome>, paused: bool, why: String) {
        let first = !why.is_empty() && self.mark(job, occurrence, Mark::Told).await.unwrap_or(true);
        (self.tell)(Told::Open { job: job.id.clone(), occurrence, outcome, paused, why, first });
    }

    /// The end of this scheduler, and no person, interrupts what it has under way: the next one goes on with it.
    pub(super) async fn stops(&mut self) {
        for (place, job) in self.schedule.jobs.iter().enumerate() {
            let Some(Running { occurrence, .. }) = self.running[place] else { continue };
            let stands = self.stands(job, occurrence).await;
            let Ok(Stands::Driven { generation } | Stands::Open { generation, .. }) = stands else { continue };
            if let Err(error) = self.mark(job, occurrence, Mark::Stopped(generation)).await {
                self.store_failed(place, error);
            }
        }
    }

    async fn stands(&self, job: &Job, occurrence: Occurrence) -> Result<Stands, String> {
        match &job.work {
            Work::Drill { .. } | Work::Backup { .. } => (self.launch.stands)(occurrence.run_of(&job.id)).await,
            Work::Readiness { .. } => Ok(Stands::Absent),
        }
    }

    /// What was started here has ended, or panicked.
    pub(super) async fn ended(&mut self, ended: Result<(Id, i32), JoinError>) {
        let (id, exit) = ended.unwrap_or_else(|error| (error.id(), BUG));
        let is = |running: &Option<Running>| running.as_ref().is_some_and(|running| running.id == id);
        let Some(place) = self.running.iter().position(is) else { return };
        let Some(Running { occurrence, how, .. }) = self.running[place].take() else { return };
        let job = &self.schedule.jobs[place];
        let ended = Told::Ended { job: job.id.clone(), occurrence, exit };
        let stands = self.stands(job, occurrence).await;
        match (how, &stands) {
            // Somebody was faster, and what was to go on here was only refused.
            (How::Resumed, Ok(Stands::Driven { .. })) => {
                (self.tell)(Told::Taken { job: job.id.clone(), occurrence });
            }
            // Somebody paused it before it went on.
            (How::Resumed, Ok(Stands::Open { paused: true, .. })) => {}
            (How::Anew | How::Resumed, _) => (self.tell)(ended),
        }
        match stands {
            // Its end is not written: whoever looks next sees it again.
            Ok(Stands::Open { outcome, paused, .. }) => {
                self.leave(job, occurrence, outcome, paused, String::new()).await;
            }
            Ok(Stands::Unreadable(error)) => self.leave(job, occurrence, None, false, unreadable(&error)).await,
            // Somebody else goes on with it.
            Ok(Stands::Driven { .. }) => {}
            Ok(Stands::Absent | Stands::Over { .. }) => self.note(place, job, occurrence, Some(exit)).await,
            Err(error) => self.store_failed(place, error),
        }
    }
}

/// Why nobody but a person goes on with a run; empty: how it stands says it. None: the next scheduler does.
fn stays(stands: &Stands, occurrence: Occurrence, claim: &ClaimedOccurrence, now: Timestamp) -> Option<String> {
    let Stands::Open { outcome, paused, generation, predicted } = stands else { return Some(String::new()) };
    let ends = occurrence.ends.checked_add(*predicted).unwrap_or(Timestamp::MAX);
    match outcome {
        _ if *paused => Some(String::new()),
        Some(Outcome::Interrupted) if claim.stopped != Some(*generation) => Some("somebody stopped it".to_owned()),
        None | Some(Outcome::Interrupted) if now >= ends => Some(format!("its time was over at {ends}")),
        None | Some(Outcome::Interrupted) if claim.resumed >= MOST_RESUMED => {
            Some(format!("it was resumed {MOST_RESUMED} times, and did not come to its end"))
        }
        None | Some(Outcome::Interrupted) => None,
        Some(
            Outcome::Succeeded
            | Outcome::Failed
            | Outcome::Refused
            | Outcome::Undone
            | Outcome::Stuck
            | Outcome::Aborted,
        ) => Some(String::new()),
    }
}

fn unreadable(error: &str) -> String {
    format!("it cannot be read: {error}")
}
