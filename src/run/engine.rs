//! The one loop: messages in, decision, durable events, tasks out. Owns the state; nobody else changes it.
//!
//! ```text
//!  tasks ─ messages ─┐
//!  people ─ directives ┼─► events ─► state ─► decide ─► events ─► journal (one sync) ─► observers ─► tasks
//!  clock ─ wake ─────┘
//! ```
//!
//! A task starts, and an intent is acknowledged, only after the append that announces it. When an append fails
//! nothing more starts: every task is dropped, and the process ends with the journal's error.

mod subject;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{mpsc, oneshot},
    task::{AbortHandle, JoinSet},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Disposition, Event, Illegal, Journal, JournalError, Person, State, StepError, StepState, TakeOver, Verdict,
    decide::{self, Task, decide},
    inquiry::{Inquiry, Seen},
    lease::QUIET,
};
use crate::{
    action::{self, Context, Message, Recorder},
    azure::Notice,
    runbook::StepId,
};

pub use super::request::{Request, Response, respond};
pub use subject::Subject;

/// A request that is in flight when somebody says stop may still bring its answer home within this time.
const GRACE: Duration = Duration::from_secs(10);

/// Notices of one step that are journalled: a restore polled once a minute for a day fits; a loop gone wild does not.
const MOST_NOTICES: u32 = 2000;

/// A request and where its answer goes once it is durable, or the reason why it cannot be taken.
#[derive(Debug)]
pub struct Directive {
    pub request: Request,
    pub answer: Answer,
}

/// Where the answer to a request goes.
pub type Answer = oneshot::Sender<Result<(), String>>;

/// A person's claim, and what was seen of it.
struct Looked {
    inquiry: Inquiry,
    seen: Seen,
    answer: Answer,
}

/// Sees every event once it is durable, in order, with the state after the batch it came in.
pub type Observer = Box<dyn FnMut(Timestamp, &Event, &State) + Send>;

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A bug: the engine produced what its own table forbids.
    #[error(transparent)]
    Illegal(#[from] Illegal),
}

struct Live {
    step: usize,
    task: Task,
    /// Attempts that had begun when it started: the next one is another task's.
    attempts: u32,
    handle: AbortHandle,
}

struct Engine {
    state: State,
    journal: Journal,
    context: Arc<Context>,
    observers: Vec<Observer>,
    sender: mpsc::UnboundedSender<(u64, Message)>,
    /// Task number → what runs.
    live: HashMap<u64, Live>,
    /// Step → the number of its task.
    running: HashMap<usize, u64>,
    next_task: u64,
    notices: HashMap<usize, u32>,
    /// Applied to the state, not yet durable.
    batch: Vec<Event>,
    /// Answered when the batch is durable.
    durable: Vec<oneshot::Sender<()>>,
    answers: Vec<Answer>,
    /// Looks at the world for people; none of them is waited for.
    looks: JoinSet<Looked>,
}

/// How this process drives a run.
#[derive(Clone, Debug)]
pub struct Driver {
    pub by: Person,
    pub pid: u32,
    pub version: String,
    /// Number of its claim in the store; none without one.
    pub claim: Option<u64>,
    /// Taken from a process that may still live.
    pub take_over: Option<TakeOver>,
    /// Of its claim: see [`State::owes_quiet`].
    pub quiet_from: Option<u64>,
    /// The generation of each target that it holds, by the target's id.
    pub fences: Arc<BTreeMap<String, u64>>,
    /// Events to write before the first step, such as the confirmation of a person.
    pub first: Vec<Event>,
}

impl Driver {
    /// Who needs no store.
    pub fn new(by: Person, pid: u32, version: impl Into<String>) -> Self {
        let (version, fences) = (version.into(), Arc::default());
        Self { by, pid, version, claim: None, take_over: None, quiet_from: None, fences, first: Vec::new() }
    }
}

/// Drives a run until it stops. The returned state says how.
///
/// Not cancel safe: dropping it detaches from whatever is going on, as a crash would.
pub async fn drive(
    state: State,
    journal: Journal,
    context: Arc<Context>,
    driver: Driver,
    directives: mpsc::Receiver<Directive>,
    observers: Vec<Observer>,
) -> Result<(State, Journal), EngineError> {
    // A task among the tasks that it starts: what they say wakes no other thread, which would cost more than the
    // whole turn does.
    let turns = tokio::spawn(attach_and_turn(state, journal, context, driver, directives, observers));
    match AbortOnDropHandle::new(turns).await {
        Ok(driven) => driven,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime goes down, and the process with it.
            Err(_cancelled) => std::future::pending().await,
        },
    }
}

async fn attach_and_turn(
    state: State,
    journal: Journal,
    context: Arc<Context>,
    driver: Driver,
    mut directives: mpsc::Receiver<Directive>,
    observers: Vec<Observer>,
) -> Result<(State, Journal), EngineError> {
    let (sender, mut messages) = mpsc::unbounded_channel();
    let lease = journal.lease().clone();
    let mut engine = Engine {
        state,
        journal,
        context: Arc::new(Context::clone(&context).under(&lease)),
        observers,
        sender,
        live: HashMap::new(),
        running: HashMap::new(),
        next_task: 0,
        notices: HashMap::new(),
        batch: Vec::new(),
        durable: Vec::new(),
        answers: Vec::new(),
        looks: JoinSet::new(),
    };
    let result = tokio::select! {
        biased;
        to = lease.lost() => Err(JournalError::Superseded { to: Box::new(to) }.into()),
        result = async {
            engine.attach(driver).await?;
            engine.turn(&mut messages, &mut directives).await
        } => result,
    };
    for live in engine.live.values() {
        live.handle.abort();
    }
    result.map(|()| (engine.state, engine.journal))
}

impl Engine {
    /// Says who drives from here on. Where another process may still write its last words, this is written at once, and
    /// after them: they belong to the run.
    async fn attach(&mut self, driver: Driver) -> Result<(), EngineError> {
        if !self.journal.may_be_overtaken() {
            return self.take_up(driver);
        }
        loop {
            let before = self.state.clone();
            self.take_up(driver.clone())?;
            match self.commit().await {
                Err(EngineError::Journal(JournalError::Overtaken { .. })) => {}
                done => return done,
            }
            self.batch.clear();
            self.state = before;
            for record in self.journal.catch_up().await? {
                self.state.apply(record.at, &record.event)?;
                for observer in &mut self.observers {
                    observer(record.at, &record.event, &self.state);
                }
            }
            if self.state.is_over() {
                return Ok(());
            }
        }
    }

    fn take_up(&mut self, driver: Driver) -> Result<(), EngineError> {
        let Driver { by, pid, version, claim, take_over, quiet_from, fences, first } = driver;
        let quiet = signed(self.context.clock.simulated(QUIET));
        let owed = take_over.is_some() || self.state.owes_quiet(quiet_from);
        let quiet_until = owed.then(|| self.context.clock.now() + quiet);
        let generation = self.state.generation + 1;
        self.take(Event::DriverAttached { generation, by, pid, version, claim, take_over, quiet_until, fences })?;
        first.into_iter().try_for_each(|event| self.take(event))
    }

    async fn turn(
        &mut self,
        messages: &mut mpsc::UnboundedReceiver<(u64, Message)>,
        directives: &mut mpsc::Receiver<Directive>,
    ) -> Result<(), EngineError> {
        let mut people = true;
        loop {
            let wake_at = self.decide_all()?;
            self.commit().await?;
            if self.state.stopped.is_some() {
                return Ok(());
            }
            let dropped = self.reconcile();
            // What was dropped may be the last that the end, or a probe, was waiting for.
            if dropped && (self.state.stop.is_some() || self.state.way_back.is_some()) {
                continue;
            }
            let clock = self.context.clock.clone();
            let wake = async {
                match wake_at {
                    Some(at) => clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                directive = directives.recv(), if people => match directive {
                    Some(directive) => self.directive(directive)?,
                    None => people = false,
                },
                Some((task, message)) = messages.recv() => {
                    self.message(task, message)?;
                    while let Ok((task, message)) = messages.try_recv() {
                        self.message(task, message)?;
                    }
                }
                Some(looked) = self.looks.join_next() => match looked {
                    Ok(looked) => self.looked(looked)?,
                    // Its answer is dropped with it, and whoever waits is told so.
                    Err(error) => tracing::warn!(%error, "a look at the world stopped in the middle"),
                },
                () = wake => {}
            }
        }
    }

    /// Decides until nothing follows any more; when to look again.
    fn decide_all(&mut self) -> Result<Option<Timestamp>, EngineError> {
        loop {
            let running = &self.running;
            let now = self.context.clock.now();
            let decision = decide(&self.state, now, &|place| running.contains_key(&place));
            if decision.events.is_empty() {
                let grace = self.state.stop.as_ref().map(|stop| stop.at + signed(GRACE));
                let grace = grace.filter(|grace| *grace > now);
                return Ok(match (decision.wake_at, grace) {
                    (Some(wake), Some(grace)) => Some(wake.min(grace)),
                    (wake, grace) => wake.or(grace),
                });
            }
            for event in decision.events {
                self.take(event)?;
            }
        }
    }

    /// Applies an event to the state and keeps it for the next append.
    fn take(&mut self, event: Event) -> Result<(), EngineError> {
        self.state.apply(self.context.clock.now(), &event)?;
        self.batch.push(event);
        Ok(())
    }

    /// Makes the batch durable; only then tells anybody.
    async fn commit(&mut self) -> Result<(), EngineError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let at = self.state.last_event_at;
        self.journal.append(at, &self.batch).await?;
        for event in self.batch.drain(..) {
            for observer in &mut self.observers {
                observer(at, &event, &self.state);
            }
        }
        for durable in self.durable.drain(..) {
            let _the_step_was_stopped = durable.send(());
        }
        for answer in self.answers.drain(..) {
            let _nobody_waits = answer.send(Ok(()));
        }
        Ok(())
    }

    /// Starts the tasks that the state calls for and stops the ones it does not; whether it stopped any.
    fn reconcile(&mut self) -> bool {
        let stopping = self.state.stop.as_ref().map(|stop| stop.at + signed(GRACE));
        let now = self.context.clock.now();
        let mut over = Vec::new();
        for (number, live) in &self.live {
            let wanted = decide::task(&self.state, live.step) == Some(live.task)
                && self.state.steps[live.step].attempts == live.attempts;
            let left = decide::may_be_left(&self.state, live.step, live.task);
            let stop = stopping.is_some_and(|until| left && (now >= until || !self.is_in_flight(live.step)));
            if !wanted || stop {
                live.handle.abort();
                over.push(*number);
            }
        }
        let dropped = !over.is_empty();
        for number in over {
            if let Some(live) = self.live.remove(&number) {
                self.running.remove(&live.step);
            }
        }
        let missing: Vec<(usize, Task)> = self
            .state
            .active
            .iter()
            .filter(|place| !self.running.contains_key(place))
            .filter_map(|place| decide::task(&self.state, *place).map(|task| (*place, task)))
            .filter(|(place, task)| decide::may_start(&self.state, *place, *task, now))
            .collect();
        for (place, task) in missing {
            self.spawn(place, task);
        }
        dropped
    }

    /// A change was announced and its answer has not come: worth a short wait.
    fn is_in_flight(&self, place: usize) -> bool {
        match &self.state.steps[place].state {
            StepState::Running { attempt, follow: false } => attempt.intent.is_some() && attempt.operation.is_none(),
            StepState::Undoing { intent, .. } => intent.is_some(),
            StepState::Running { follow: true, .. }
            | StepState::Pending { .. }
            | StepState::Waiting { .. }
            | StepState::InDoubt { .. }
            | StepState::Succeeded { .. }
            | StepState::Failed { .. }
            | StepState::Skipped { .. }
            | StepState::Undone
            | StepState::UndoFailed { .. } => false,
        }
    }

    fn spawn(&mut self, place: usize, task: Task) {
        let number = self.next_task;
        self.next_task += 1;
        let subject = Subject::of(&self.state, place);
        let Subject { kind, call, intent, operation, outputs, sent_elsewhere } = subject;
        let context = if sent_elsewhere {
            Arc::new(Context::clone(&self.context).after_another(true))
        } else {
            self.context.clone()
        };
        let record = Recorder::new(number, self.sender.clone()).under(self.journal.lease().clone());
        let mut last_word = LastWord { task: number, sender: self.sender.clone(), said: false };
        let future = async move {
            let message = match task {
                Task::Perform => Message::Finished(action::perform(kind, &call, &context, &record).await),
                Task::Follow => match intent {
                    Some(intent) => {
                        Message::Finished(action::follow(kind, &call, &context, operation, &intent, &record).await)
                    }
                    None => Message::Panicked,
                },
                Task::Settle => {
                    let verdict = action::settle(kind, &call, &context, intent.as_deref(), operation.as_ref()).await;
                    Message::Settled(
                        verdict.unwrap_or_else(|error| Verdict::Unknown { reason: error.message, remedy: error.hint }),
                    )
                }
                Task::Undo => Message::Finished(action::undo(kind, &call, &context, outputs.as_deref(), &record).await),
            };
            last_word.say(message);
        };
        let handle = tokio::spawn(future).abort_handle();
        let attempts = self.state.steps[place].attempts;
        self.live.insert(number, Live { step: place, task, attempts, handle });
        self.running.insert(place, number);
    }

    /// A message of a task; one that was stopped meanwhile is not heard any more.
    fn message(&mut self, task: u64, message: Message) -> Result<(), EngineError> {
        let Some(live) = self.live.get(&task) else {
            return Ok(());
        };
        let (place, kind) = (live.step, live.task);
        let step = self.state.planned(place).id.clone();
        let now = self.context.clock.now();
        let event = match message {
            Message::Intend(intent, durable) => {
                self.durable.push(durable);
                match kind {
                    Task::Undo => Event::UndoIntended { step, intent },
                    Task::Perform | Task::Follow | Task::Settle => Event::ChangeIntended { step, intent },
                }
            }
            Message::Accepted(operation, durable) => {
                self.durable.push(durable);
                Event::OperationAccepted { step, operation }
            }
            Message::Noted(notice) => return self.notice(place, step, notice),
            Message::Finished(Ok(done)) if kind == Task::Undo => {
                Event::UndoSucceeded { step, evidence: done.evidence, word: None }
            }
            Message::Finished(Err(error)) if kind == Task::Undo => Event::UndoFailed { step, error },
            Message::Finished(Ok(done)) => {
                Event::StepSucceeded { step, outputs: done.outputs, evidence: done.evidence }
            }
            Message::Finished(Err(error)) => decide::failed(&self.state, now, place, error),
            Message::Settled(verdict) => Event::StepSettled { step, verdict, word: None },
            Message::Panicked => self.panicked(place, step, kind),
        };
        let ends = !matches!(
            event,
            Event::ChangeIntended { .. } | Event::UndoIntended { .. } | Event::OperationAccepted { .. }
        );
        if ends {
            self.live.remove(&task);
            self.running.remove(&place);
        }
        self.take(event)
    }

    fn notice(&mut self, place: usize, step: StepId, notice: Notice) -> Result<(), EngineError> {
        let same = (notice.message.as_str(), notice.until);
        if self.state.steps[place].note.as_ref().is_some_and(|(message, until)| (message.as_str(), *until) == same) {
            return Ok(());
        }
        let count = self.notices.entry(place).or_default();
        *count += 1;
        if *count > MOST_NOTICES {
            tracing::debug!(%step, message = notice.message, "more notices than are journalled");
            return Ok(());
        }
        self.take(Event::StepNoted { step, message: notice.message, until: notice.until })
    }

    /// A bug in an action: what it had announced is in doubt, everything else failed.
    fn panicked(&self, place: usize, step: StepId, task: Task) -> Event {
        let hint = "this is a bug of lifeboat; resume the run, and report what was printed";
        let error = |disposition| StepError::new(disposition, "bug", "the action stopped in the middle", hint);
        match task {
            Task::Undo => Event::UndoFailed { step, error: error(Disposition::Final) },
            Task::Settle => Event::StepSettled {
                step,
                verdict: Verdict::Unknown { reason: "the probe stopped in the middle".into(), remedy: hint.into() },
                word: None,
            },
            Task::Perform | Task::Follow => match &self.state.steps[place].state {
                StepState::Running { attempt, .. } if attempt.intent.is_some() => {
                    Event::StepInDoubt { step, error: error(Disposition::InDoubt) }
                }
                StepState::Running { .. }
                | StepState::Pending { .. }
                | StepState::Waiting { .. }
                | StepState::InDoubt { .. }
                | StepState::Succeeded { .. }
                | StepState::Failed { .. }
                | StepState::Skipped { .. }
                | StepState::Undoing { .. }
                | StepState::Undone
                | StepState::UndoFailed { .. } => {
                    Event::StepFailed { step, error: error(Disposition::Final), retry_at: None }
                }
            },
        }
    }

    fn directive(&mut self, directive: Directive) -> Result<(), EngineError> {
        let Directive { request, answer } = directive;
        match respond(&self.state, self.context.clock.now(), request) {
            Ok(Response::Take(event)) => {
                self.answers.push(answer);
                self.take(event)
            }
            Ok(Response::Look(inquiry)) => {
                self.look(inquiry, answer);
                Ok(())
            }
            Err(reason) => {
                let _nobody_waits = answer.send(Err(reason));
                Ok(())
            }
        }
    }

    /// Looks at the world for a person's claim, beside everything else.
    fn look(&mut self, inquiry: Inquiry, answer: Answer) {
        let Ok(place) = inquiry.place(&self.state) else { return };
        let (subject, context) = (Subject::of(&self.state, place), self.context.clone());
        let quiet = self.state.quiet_until;
        let _it_ends_with_the_drive = self.looks.spawn(async move {
            // A driver before this one may still send what it had announced.
            if let Some(quiet) = quiet {
                context.clock.sleep_until(quiet).await;
            }
            let seen = subject.look(inquiry.claim, &context).await;
            Looked { inquiry, seen, answer }
        });
    }

    /// What was seen is held against the state as it is by now.
    fn looked(&mut self, looked: Looked) -> Result<(), EngineError> {
        match looked.inquiry.conclude(&self.state, looked.seen) {
            Ok(event) => {
                self.answers.push(looked.answer);
                self.take(event)
            }
            Err(reason) => {
                let _nobody_waits = looked.answer.send(Err(reason));
                Ok(())
            }
        }
    }
}

/// Tells the engine when a task ends without a word.
struct LastWord {
    task: u64,
    sender: mpsc::UnboundedSender<(u64, Message)>,
    said: bool,
}

impl LastWord {
    fn say(&mut self, message: Message) {
        self.said = true;
        let _the_engine_has_gone = self.sender.send((self.task, message));
    }
}

impl Drop for LastWord {
    fn drop(&mut self) {
        if !self.said && std::thread::panicking() {
            self.say(Message::Panicked);
        }
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
