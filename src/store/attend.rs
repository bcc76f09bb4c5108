//! What the driver of a run does beside the run: says that it lives, takes requests of other terminals and machines in,
//! and looks whether somebody has taken the run over.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinHandle, JoinSet},
};

use super::{
    Claim, Kept, StoreError,
    inbox::{self, Reader, Taken},
};
use crate::{
    clock::Moment,
    net::objects::PATIENCE,
    run::{engine::Directive, lease::HEARTBEAT},
};

/// How often requests are looked for in a directory: well below the 2 s that people wait for an effect.
const DIRECTORY_LOOK: Duration = Duration::from_millis(200);

/// In a shared store each look is a request that somebody pays for.
const SHARED_LOOK: Duration = Duration::from_secs(1);

/// Heartbeats beside what comes before a drive, such as a question to a person: else others would take the run for
/// nobody's.
#[derive(Debug)]
pub struct Beating {
    until: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Beating {
    /// Returns when the last heartbeat was written, so that it comes before whatever is said next.
    pub async fn end(self) {
        drop(self.until);
        if self.task.await.is_err() {
            tracing::warn!("the heartbeats stopped in the middle");
        }
    }
}

/// The work beside a drive; ends by itself when the drive has ended.
#[derive(Debug)]
pub struct Attendance {
    looks: JoinHandle<()>,
    answers: JoinHandle<()>,
    unheard: oneshot::Receiver<StoreError>,
}

impl Attendance {
    /// Drives, as long as it can be heard that this process does.
    ///
    /// # Errors
    /// For a minute no heartbeat got through, so that others may count this process dead: the store's error.
    pub async fn drive<T>(&mut self, drive: impl Future<Output = T>) -> Result<T, StoreError> {
        tokio::select! {
            biased;
            driven = drive => Ok(driven),
            Ok(error) = &mut self.unheard => Err(error),
        }
    }

    /// Returns when the last answer was written: whoever waits for it shall have it.
    pub async fn end(self) {
        for task in [self.looks, self.answers] {
            if task.await.is_err() {
                tracing::warn!("the inbox was left in the middle");
            }
        }
    }
}

impl Claim {
    /// Begins to beat, until that is ended.
    pub fn beating(self: &Arc<Self>) -> Beating {
        let (until, mut ended) = oneshot::channel();
        let mut heartbeats = Heartbeats::of(self.clone());
        let task = tokio::spawn(async move {
            let clock = heartbeats.claim.kept.clock().clone();
            // Lost or unheard: whatever is done under the claim finds out itself.
            while heartbeats.beat().await.is_ok() {
                tokio::select! {
                    () = clock.sleep(HEARTBEAT) => {}
                    _ = &mut ended => return,
                }
            }
        });
        Beating { until, task }
    }

    /// Begins to attend, until whoever receives the directives has gone.
    pub fn attend(self: &Arc<Self>, directives: mpsc::Sender<Directive>) -> Attendance {
        let pause = match self.kept {
            Kept::Directory(_) => DIRECTORY_LOOK,
            Kept::Objects(_) => SHARED_LOOK,
        };
        self.attend_every(pause, directives)
    }

    /// The same, for whoever may hear later of requests, and of having been superseded.
    pub fn attend_every(self: &Arc<Self>, pause: Duration, directives: mpsc::Sender<Directive>) -> Attendance {
        let (sender, taken) = mpsc::unbounded_channel();
        let (failed, unheard) = oneshot::channel();
        let looks = look(self.clone(), pause, directives.clone(), sender);
        let looks = tokio::spawn(async move {
            if let Err(error) = looks.await
                && !error.is_superseded()
            {
                let _the_drive_has_ended = failed.send(error);
            }
        });
        let answers = tokio::spawn(answer(self.clone(), directives, taken));
        Attendance { looks, answers, unheard }
    }
}

/// The heartbeats of a claim, as long as they get through.
struct Heartbeats {
    claim: Arc<Claim>,
    beaten: Option<Moment>,
    /// Since when none has got through.
    failing: Option<Moment>,
    told: bool,
}

impl Heartbeats {
    fn of(claim: Arc<Claim>) -> Self {
        Self { claim, beaten: None, failing: None, told: false }
    }

    /// Beats if it is due again, or never was yet: what was claimed long ago may have lapsed since.
    ///
    /// # Errors
    /// The run was taken over; or for [`PATIENCE`] no heartbeat got through.
    async fn beat(&mut self) -> Result<(), StoreError> {
        let clock = self.claim.kept.clock();
        if self.beaten.is_some_and(|beaten| clock.since(&beaten) < HEARTBEAT) {
            return Ok(());
        }
        let began = clock.moment();
        match self.claim.beat().await {
            Ok(()) => {
                self.beaten = Some(began);
                self.failing = None;
                if std::mem::take(&mut self.told) {
                    self.tell("heartbeats get through again, and the run goes on");
                }
                Ok(())
            }
            Err(error) if error.is_superseded() => Err(error),
            Err(error) => {
                tracing::warn!(%error, "no heartbeat");
                // From when it was known: the machine may have slept in between.
                let failing = *self.failing.get_or_insert_with(|| clock.moment());
                if clock.since(&failing) >= PATIENCE {
                    return Err(error);
                }
                if !self.told && !self.claim.lease().holds() {
                    self.told = true;
                    let run = self.claim.kept.run();
                    self.tell(&format!(
                        "run `{run}` cannot say that it is driven ({error}): nothing more is sent to Azure until it can, \
                         and after {} s this process gives up",
                        PATIENCE.as_secs()
                    ));
                }
                Ok(())
            }
        }
    }

    fn tell(&self, text: &str) {
        if let Some(tell) = self.claim.kept.tell() {
            tell(text);
        }
    }
}

/// Beats and looks. A directive that takes long keeps no heartbeat waiting.
async fn look(
    claim: Arc<Claim>,
    pause: Duration,
    directives: mpsc::Sender<Directive>,
    sender: mpsc::UnboundedSender<Taken>,
) -> Result<(), StoreError> {
    let clock = claim.kept.clock().clone();
    let mut heartbeats = Heartbeats::of(claim.clone());
    let mut reader = Reader::new(&claim.kept, claim.number, format!("{} {}", claim.number, claim.holder.nonce));
    loop {
        heartbeats.beat().await?;
        match listed(&claim).await {
            Ok(listed) => {
                for taken in reader.collect(&listed).await {
                    let _it_ends_after_this = sender.send(taken);
                }
            }
            Err(error) if error.is_superseded() => return Err(error),
            Err(error) => tracing::warn!(%error, "the inbox cannot be read"),
        }
        tokio::select! {
            () = clock.sleep(pause) => {}
            () = directives.closed() => return Ok(()),
        }
    }
}

/// What lies in the inbox, unless somebody has taken the run over.
async fn listed(claim: &Claim) -> Result<Vec<(String, u64)>, StoreError> {
    match &claim.kept {
        Kept::Directory(directory) => {
            claim.look().await?;
            inbox::list(&directory.inbox_path())
        }
        Kept::Objects(objects) => objects.beside(claim).await,
    }
}

/// Hands each request to the drive and writes down what became of it. An answer that has to wait for a look at the world
/// holds up no other request.
async fn answer(claim: Arc<Claim>, directives: mpsc::Sender<Directive>, mut taken: mpsc::UnboundedReceiver<Taken>) {
    let mut answers = JoinSet::new();
    while let Some(Taken { name, request }) = taken.recv().await {
        while answers.try_join_next().is_some() {}
        let claim = claim.clone();
        let answered = match request {
            Err(why) => Err(why),
            Ok(request) => {
                let (answer, answered) = oneshot::channel();
                let _the_run_is_over = directives.send(Directive { request, answer }).await;
                Ok(answered)
            }
        };
        answers.spawn(async move {
            let result = match answered {
                Ok(answered) => answered.await.unwrap_or_else(|_| Err("the run stopped meanwhile".to_owned())),
                Err(why) => Err(why),
            };
            if let Err(error) = inbox::reply(&claim.kept, &name, &result).await {
                tracing::warn!(%error, "an answer cannot be written");
            }
        });
    }
    while answers.join_next().await.is_some() {}
}
