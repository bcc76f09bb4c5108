//! Asking whoever drives a run, while watching whether it lives at all.
//!
//! ```text
//!  has not said goodbye ─► posted at once ─┬─► answered
//!                                          ├─► fell silent, and the request taken back ─► nobody
//!                                          └─► neither in time
//! ```

use std::time::Duration;

use super::{Heard, Kept, StoreError, inbox, shared::SILENCE};
use crate::run::engine::Request;

/// How often the answer is looked for.
const ANSWER_POLL: Duration = Duration::from_millis(100);

/// How often a directory is looked at for whether the driver's process has ended.
const WATCH: Duration = Duration::from_millis(500);

/// Whoever waits is told why after this long.
const LATE: Duration = Duration::from_secs(3);

/// What became of a request.
#[derive(Debug)]
pub enum Asked {
    Answered(Result<(), String>),
    /// Nobody drives the run, and nobody has taken the request. With who did, if that fell silent without a goodbye.
    Nobody(Option<Box<Heard>>),
    /// The driver lives, and said nothing in time.
    Unanswered {
        heard: Box<Heard>,
        /// It had taken the request, or that cannot be told: it may still act on it.
        taken: bool,
    },
}

impl Kept {
    /// Hands a request to whoever drives the run and waits until it is durable. `unique`: tells two requests apart.
    /// `patience`: how long a living driver is waited for.
    pub async fn ask(&self, unique: &str, request: &Request, patience: Duration) -> Result<Asked, StoreError> {
        let Some(heard) = self.driver().await?.filter(|heard| heard.lives).map(Box::new) else {
            return Ok(Asked::Nobody(None));
        };
        let clock = self.clock();
        // A dead one is to be told from a slow one first.
        let patience = if self.is_shared() { patience.max(SILENCE * 4 / 3) } else { patience };
        let posted = inbox::post(self, &inbox::name_for(heard.claim, unique), request).await?;
        let began = clock.moment();
        let mut told = false;
        let watched = heard.clone();
        let mut gone = std::pin::pin!(self.gone(&watched));
        let has_gone = loop {
            if let Some(answer) = posted.answer().await? {
                return Ok(Asked::Answered(answer));
            }
            let waited = clock.since(&began);
            if waited >= patience {
                break false;
            }
            if let Some(tell) = self.tell().filter(|_| waited >= LATE && !told) {
                told = true;
                tell(&format!("no answer yet from {}; watching whether that process still lives", heard.sentence()));
            }
            tokio::select! {
                () = &mut gone => break true,
                () = clock.sleep(ANSWER_POLL) => {}
            }
        };
        let taken = match posted.withdraw(&format!("taken back {unique}")).await {
            Ok(back) => !back,
            Err(error) => {
                tracing::warn!(%error, "the request cannot be taken back");
                true
            }
        };
        // It may have been answered just now.
        if taken && let Some(answer) = posted.answer().await? {
            return Ok(Asked::Answered(answer));
        }
        Ok(if has_gone && !taken { Asked::Nobody(Some(heard)) } else { Asked::Unanswered { heard, taken } })
    }

    /// Returns when the process that was heard has gone, or has been silent for so long that it counts as dead. Cancel safe.
    async fn gone(&self, heard: &Heard) {
        loop {
            let gone = match self {
                Self::Directory(directory) => {
                    self.clock().sleep(WATCH).await;
                    directory.driver().map(|now| now.is_none_or(|now| now.claim != heard.claim || !now.lives))
                }
                Self::Objects(objects) => objects.quietly().is_silent(heard).await,
            };
            match gone {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, "the driver cannot be watched now");
                    self.clock().sleep(WATCH).await;
                }
            }
        }
    }
}
