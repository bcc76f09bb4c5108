//! A step's line to the journal: an intent is durable before the request leaves, an operation before anything else.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::Done;
use crate::{
    azure::{Notice, NoticeSink, Operation},
    run::{Intent, StepError, Verdict, lease::Lease},
};

/// A step's line to the journal.
#[derive(Clone, Debug)]
pub struct Recorder {
    task: u64,
    sender: mpsc::UnboundedSender<(u64, Message)>,
    lease: Lease,
}

/// What a running step tells the engine.
#[derive(Debug)]
pub enum Message {
    Intend(Intent, oneshot::Sender<()>),
    Accepted(Operation, oneshot::Sender<()>),
    Noted(Notice),
    Finished(Result<Done, StepError>),
    Settled(Verdict),
    /// The action has a bug; it says nothing more.
    Panicked,
}

impl Recorder {
    /// `task` tells the engine whose message it is, also when the step has moved on since.
    pub fn new(task: u64, sender: mpsc::UnboundedSender<(u64, Message)>) -> Self {
        Self { task, sender, lease: Lease::unlimited() }
    }

    /// The same line, of a process that another one may supersede.
    #[must_use]
    pub fn under(mut self, lease: Lease) -> Self {
        self.lease = lease;
        self
    }

    /// Returns when the intent is durable, and this process still drives the run. When it cannot be made durable, or
    /// somebody has taken the run over, this never returns: the step is cancelled.
    pub async fn intend(&self, intent: Intent) {
        self.durable(|done| Message::Intend(intent, done)).await;
    }

    /// Returns when the operation is durable, as `intend`.
    pub async fn accepted(&self, operation: Operation) {
        self.durable(|done| Message::Accepted(operation, done)).await;
    }

    /// Shows what is waited for. Does not wait and cannot fail.
    pub fn note(&self, notice: Notice) {
        let _closed = self.sender.send((self.task, Message::Noted(notice)));
    }

    pub fn sink(&self) -> NoticeSink {
        let recorder = self.clone();
        Arc::new(move |notice| recorder.note(notice))
    }

    async fn durable(&self, message: impl FnOnce(oneshot::Sender<()>) -> Message) {
        let (done, durable) = oneshot::channel();
        let sent = self.sender.send((self.task, message(done)));
        if sent.is_err() || durable.await.is_err() {
            // The engine has gone or its journal has failed: the request must never leave.
            std::future::pending::<()>().await;
        }
        // This process may have been stopped since the append, for longer than anybody waits for it.
        self.lease.held().await;
    }
}
