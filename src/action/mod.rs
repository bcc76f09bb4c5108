//! Actions: each probes (reads), performs (changes) and may undo. A closed enum and a library of functions.
//!
//! The rules that every action keeps:
//! - `probe` never writes. It is also what the dry run does.
//! - `perform` reads again what may have moved, then `record.intend(…)`, then sends the one request, then
//!   `record.accepted(…)` where Azure gave an operation, then follows it.
//! - An error after `intend` whose outcome is unknown is [`Disposition::InDoubt`], never retryable.
//! - `settle` only reads, and says what became of an intent.

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use crate::{
    azure::{Arm, Notice, NoticeSink, Operation},
    clock::Clock,
    net::{Dns, Http},
    plan::facts::Fact,
    run::{Intent, StepError, Verdict},
    runbook::StepId,
    site::Site,
};

/// The world as an action sees it.
#[derive(Clone, Debug)]
pub struct Context {
    pub clock: Clock,
    pub http: Http,
    pub dns: Dns,
    pub arm: Arm,
    pub site: Arc<Site>,
    /// Identifies the run in DNS metadata and request ids.
    pub run: String,
    /// Longest timeout of an apim.restore step of the plan: how long a backup must stay valid.
    pub restore_timeout: Duration,
    /// For relative paths of `command` and secret files.
    pub directory: PathBuf,
}

/// One step's arguments, resolved, and what the plan saw for it.
#[derive(Clone, Debug)]
pub struct Call {
    pub step: StepId,
    pub arguments: Map<String, Value>,
    /// The facts of the step's probe at plan time; empty while planning.
    pub planned: Vec<Fact>,
}

/// What a performed step gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Done {
    pub outputs: Map<String, Value>,
    /// What it saw, for the report.
    pub evidence: Value,
}

/// A step's line to the journal.
#[derive(Clone, Debug)]
pub struct Recorder {
    task: u64,
    sender: mpsc::UnboundedSender<(u64, Message)>,
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
        Self { task, sender }
    }

    /// Returns when the intent is durable. When it cannot be made durable this never returns: the step is cancelled.
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
    }
}

use crate::plan::facts::Probe;
use crate::runbook::ActionKind;
use crate::runbook::Effect;
pub async fn probe(_: ActionKind, _: &Call, _: &Context) -> Result<Probe, StepError> {
    unimplemented!()
}
pub async fn perform(_: ActionKind, _: &Call, _: &Context, _: &Recorder) -> Result<Done, StepError> {
    unimplemented!()
}
pub async fn follow(
    _: ActionKind,
    _: &Call,
    _: &Context,
    _: Option<Operation>,
    _: &Intent,
    _: &Recorder,
) -> Result<Done, StepError> {
    unimplemented!()
}
pub async fn settle(
    _: ActionKind,
    _: &Call,
    _: &Context,
    _: Option<&Intent>,
    _: Option<&Operation>,
) -> Result<Verdict, StepError> {
    unimplemented!()
}
pub async fn undo(
    _: ActionKind,
    _: &Call,
    _: &Context,
    _: &Map<String, Value>,
    _: &Recorder,
) -> Result<Done, StepError> {
    unimplemented!()
}
pub fn effect(_: ActionKind, _: &Map<String, Value>) -> Effect {
    unimplemented!()
}
pub fn expected(_: ActionKind, _: &Map<String, Value>) -> Option<Duration> {
    unimplemented!()
}
