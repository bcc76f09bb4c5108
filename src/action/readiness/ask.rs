//! One question after another, so many at once, each with a limit to the patience.

use std::{future::Future, time::Duration};

use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::{
    action::Context,
    azure::{Arm, AzureError, AzureErrorKind},
};

/// Beside the sixteen probes of a plan, and with them within what ARM takes at once (azure-facts 4: 250, then 25 a second).
const READS_AT_ONCE: usize = 16;
/// What is in a lost region does not answer: whether it does is worth this long and no longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was answered, and when.
#[derive(Clone, Debug)]
pub struct Seen<T> {
    pub at: Timestamp,
    pub answer: Result<T, AzureError>,
}

/// Asks.
#[derive(Debug)]
pub struct Asker<'a> {
    pub context: &'a Context,
    room: Semaphore,
}

impl<'a> Asker<'a> {
    pub fn new(context: &'a Context) -> Self {
        Self { context, room: Semaphore::new(READS_AT_ONCE) }
    }

    pub fn arm(&self) -> &'a Arm {
        &self.context.arm
    }

    /// Waits for room, then for the answer. Cancel safe: it only reads.
    pub async fn ask<T>(&self, question: impl Future<Output = Result<T, AzureError>>) -> Seen<T> {
        let _room = self.room.acquire().await.expect("the semaphore is never closed");
        let clock = &self.context.clock;
        let answer = tokio::select! {
            biased;
            answer = question => answer,
            () = clock.patience(PATIENCE) => {
                Err(AzureError::new(AzureErrorKind::Transport, format!("no answer within {} s", PATIENCE.as_secs())))
            }
        };
        Seen { at: clock.now(), answer }
    }
}
