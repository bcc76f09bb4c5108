//! What the driver of a run does beside the run: says that it lives, takes requests of other terminals and machines in,
//! and looks whether somebody has taken the run over.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinHandle, JoinSet},
};

use super::{
    Claim, Kept,
    inbox::{self, Taken},
};
use crate::{
    clock::Moment,
    run::{engine::Directive, lease::HEARTBEAT},
};

/// How often requests are looked for in a directory: well below the 2 s that people wait for an effect.
const DIRECTORY_LOOK: Duration = Duration::from_millis(200);

/// In a shared store each look is a request that somebody pays for.
const SHARED_LOOK: Duration = Duration::from_secs(1);

/// The work beside a drive; ends by itself when the drive has ended.
#[derive(Debug)]
pub struct Attendance {
    looks: JoinHandle<()>,
    answers: JoinHandle<()>,
}

impl Attendance {
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
    /// Begins to attend, until whoever receives the directives has gone.
    pub fn attend(self: &Arc<Self>, directives: mpsc::Sender<Directive>) -> Attendance {
        let (sender, taken) = mpsc::unbounded_channel();
        let looks = tokio::spawn(look(self.clone(), directives.clone(), sender));
        let answers = tokio::spawn(answer(self.clone(), directives, taken));
        Attendance { looks, answers }
    }
}

/// Beats and looks. A directive that takes long keeps no heartbeat waiting.
async fn look(claim: Arc<Claim>, directives: mpsc::Sender<Directive>, sender: mpsc::UnboundedSender<Taken>) {
    let clock = claim.kept.clock().clone();
    let pause = match claim.kept {
        Kept::Directory(_) => DIRECTORY_LOOK,
        Kept::Objects(_) => SHARED_LOOK,
    };
    let mut beaten: Option<Moment> = None;
    loop {
        // Due again, or never yet: what was claimed long ago may have lapsed since.
        if beaten.is_none_or(|beaten| clock.since(&beaten) >= HEARTBEAT) {
            let began = clock.moment();
            match claim.beat().await {
                Ok(()) => beaten = Some(began),
                Err(error) if error.is_superseded() => return,
                Err(error) => tracing::warn!(%error, "no heartbeat"),
            }
        }
        match requests(&claim).await {
            Ok(taken) => {
                for taken in taken {
                    let _it_ends_after_this = sender.send(taken);
                }
            }
            Err(error) if error.is_superseded() => return,
            Err(error) => tracing::warn!(%error, "the inbox cannot be read"),
        }
        tokio::select! {
            () = clock.sleep(pause) => {}
            () = directives.closed() => return,
        }
    }
}

async fn requests(claim: &Claim) -> Result<Vec<Taken>, super::StoreError> {
    match &claim.kept {
        Kept::Directory(directory) => {
            claim.look().await?;
            inbox::collect(&directory.inbox_path())
        }
        Kept::Objects(objects) => objects.requests(claim).await,
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
            Err(why) => Err(format!("the request cannot be understood: {why}")),
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
