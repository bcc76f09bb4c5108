//! State is a fold of events. Every legal transition of a step stands in one `match`; an illegal one is a typed error.
//!
//! Pure: never reads the clock, never does I/O.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Disposition, Event, Intent, Outcome, Person, RunId, StepError, TakeOver, Verdict,
    transition::{self, Illegal},
};
use crate::{
    azure::Operation,
    plan::{Plan, PlannedStep},
    runbook::{ActionKind, OnFailure, Scope, StepId},
};

/// The detail of an undo's error that holds the command which would finish by hand.
pub const BY_HAND: &str = "by_hand";

/// One attempt at a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    pub since: Timestamp,
    pub deadline: Timestamp,
    /// How often it began anew after a change that a probe settled as not happened.
    #[serde(skip_serializing_if = "is_zero")]
    pub restarts: u32,
    /// Every expression resolved.
    #[serde(skip)]
    pub arguments: Arc<Map<String, Value>>,
    /// A change that was announced; a request may have left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<Box<Intent>>,
    /// Azure accepted it; here it can be watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
}

/// Where a step is. The names are what people read.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum StepState {
    /// Not started. `carried`: it was interrupted before anything was sent and goes on with the same attempt.
    Pending {
        #[serde(skip_serializing_if = "Option::is_none")]
        carried: Option<Carried>,
    },
    Running {
        attempt: Attempt,
        /// It was in doubt and a probe found that its operation goes on: follow it, send nothing.
        follow: bool,
    },
    /// An attempt failed; the next starts at `until`.
    Waiting {
        next_attempt: u32,
        until: Timestamp,
        error: StepError,
    },
    /// A process died or a deadline passed while it ran. Only a probe leads out.
    InDoubt {
        attempt: Attempt,
        /// None: the process that drove it is gone.
        error: Option<StepError>,
        /// What a probe could not tell, and what would settle it.
        unknown: Option<Unsettled>,
    },
    /// Terminal, unless it is undone.
    Succeeded {
        #[serde(skip)]
        outputs: Arc<Map<String, Value>>,
    },
    /// For good in this drive; a resume tries it again.
    Failed {
        error: StepError,
    },
    /// Terminal.
    Skipped {
        reason: String,
        /// Who decided to go on without it; none: its `when` is false.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<Person>,
    },
    Undoing {
        outputs: Arc<Map<String, Value>>,
        intent: Option<Box<Intent>>,
    },
    /// Terminal.
    Undone,
    UndoFailed {
        outputs: Arc<Map<String, Value>>,
        error: StepError,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Carried {
    pub attempt: u32,
    pub deadline: Timestamp,
    /// As [`Attempt::restarts`].
    #[serde(skip_serializing_if = "is_zero")]
    pub restarts: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unsettled {
    pub reason: String,
    pub remedy: String,
}

impl StepState {
    /// One word for people and programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Running { .. } => "running",
            Self::Waiting { .. } => "waiting",
            Self::InDoubt { .. } => "in doubt",
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Skipped { .. } => "skipped",
            Self::Undoing { .. } => "undoing",
            Self::Undone => "undone",
            Self::UndoFailed { .. } => "undo failed",
        }
    }

    /// Why it is in doubt, as far as anybody who lives knows.
    pub fn doubt(&self) -> Option<&StepError> {
        match self {
            Self::InDoubt { error, .. } => error.as_ref(),
            Self::Pending { .. }
            | Self::Running { .. }
            | Self::Waiting { .. }
            | Self::Succeeded { .. }
            | Self::Failed { .. }
            | Self::Skipped { .. }
            | Self::Undoing { .. }
            | Self::Undone
            | Self::UndoFailed { .. } => None,
        }
    }

    /// How often the attempt that starts next has begun anew already.
    pub(super) fn restarts(&self) -> u32 {
        match self {
            Self::Pending { carried: Some(carried) } => carried.restarts,
            Self::Pending { carried: None }
            | Self::Running { .. }
            | Self::Waiting { .. }
            | Self::InDoubt { .. }
            | Self::Succeeded { .. }
            | Self::Failed { .. }
            | Self::Skipped { .. }
            | Self::Undoing { .. }
            | Self::Undone
            | Self::UndoFailed { .. } => 0,
        }
    }

    /// It was done, and is taken back.
    fn goes_back(&self) -> bool {
        match self {
            Self::Undoing { .. } | Self::Undone | Self::UndoFailed { .. } => true,
            Self::Pending { .. }
            | Self::Running { .. }
            | Self::Waiting { .. }
            | Self::InDoubt { .. }
            | Self::Succeeded { .. }
            | Self::Failed { .. }
            | Self::Skipped { .. } => false,
        }
    }

    fn is_active(&self) -> bool {
        match self {
            Self::Running { .. } | Self::Waiting { .. } | Self::InDoubt { .. } | Self::Undoing { .. } => true,
            Self::Pending { .. }
            | Self::Succeeded { .. }
            | Self::Failed { .. }
            | Self::Skipped { .. }
            | Self::Undone
            | Self::UndoFailed { .. } => false,
        }
    }
}

/// A step, its state, and what a person watching wants to know beside it.
#[derive(Clone, Debug)]
pub struct StepRecord {
    pub state: StepState,
    /// When the first attempt of this drive or an earlier one began.
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Attempts begun in all.
    pub attempts: u32,
    /// The last notice, and until when it holds.
    pub note: Option<(String, Option<Timestamp>)>,
    /// Changes announced so far, in all attempts.
    pub changes: u32,
    /// The last change that was announced, in whichever attempt; not one of an undo.
    pub intended: Option<Arc<Intent>>,
    pub approvals: Vec<Person>,
    pub refusal: Option<(Person, Option<String>)>,
}

/// The fold of a run's events.
#[derive(Clone, Debug)]
pub struct State {
    pub run: RunId,
    pub plan: Arc<Plan>,
    pub by: Person,
    /// In the plan's order.
    pub steps: Vec<StepRecord>,
    /// Outputs of the steps that are done, for expressions.
    pub scope: Scope,
    pub created_at: Timestamp,
    pub last_event_at: Timestamp,
    pub generation: u32,
    pub driver: Option<Person>,
    /// This drive was taken from a process that may still live.
    pub take_over: Option<TakeOver>,
    /// Until then nothing is settled or undone: the driver before may still send what it had announced.
    pub quiet_until: Option<Timestamp>,
    /// The generation of each target that this driver holds, by the target's id.
    pub fences: Arc<BTreeMap<String, u64>>,
    pub confirmed: Option<(Person, String)>,
    /// SIGINT, SIGTERM or abort, in this drive.
    pub stop: Option<Stop>,
    /// Somebody gave the run up and wants back what can be taken back. Outlives drives: nothing goes forward any more.
    pub way_back: Option<Stop>,
    /// How the last drive ended; none while somebody drives, or when the driver died.
    pub stopped: Option<(Outcome, String, Timestamp)>,
    /// Pending steps whose needs are met.
    pub ready: BTreeSet<usize>,
    /// Running, waiting, in doubt or undoing.
    pub active: BTreeSet<usize>,
    /// Failed for good, not tolerated, or their undo failed.
    pub failed: BTreeSet<usize>,
    /// Reversible steps that succeeded, in the order in which they did.
    pub done: Vec<usize>,
    pub finished: usize,
    index: HashMap<StepId, usize>,
    dependents: Vec<Vec<usize>>,
    unmet: Vec<usize>,
}

#[derive(Clone, Debug)]
pub struct Stop {
    pub by: Person,
    pub abort: bool,
    /// Take back what can be taken back, then end.
    pub undo: bool,
    pub reason: String,
    pub at: Timestamp,
}

impl State {
    /// The state after the first record.
    pub fn begin(at: Timestamp, event: &Event) -> Result<Self, Illegal> {
        let Event::Planned { run, plan, by } = event else {
            return Err(Illegal::run("the first record is not a plan", event));
        };
        let index: HashMap<StepId, usize> =
            plan.steps.iter().enumerate().map(|(place, step)| (step.id.clone(), place)).collect();
        let mut dependents = vec![Vec::new(); plan.steps.len()];
        let mut unmet = vec![0; plan.steps.len()];
        for (place, step) in plan.steps.iter().enumerate() {
            for need in &step.needs {
                let need =
                    *index.get(need).ok_or_else(|| Illegal::run("a step needs one that is not planned", event))?;
                dependents[need].push(place);
                unmet[place] += 1;
            }
        }
        let ready = (0..plan.steps.len()).filter(|place| unmet[*place] == 0).collect();
        let blank = StepRecord {
            state: StepState::Pending { carried: None },
            started_at: None,
            ended_at: None,
            attempts: 0,
            note: None,
            changes: 0,
            intended: None,
            approvals: Vec::new(),
            refusal: None,
        };
        Ok(Self {
            run: run.clone(),
            plan: plan.clone(),
            by: by.clone(),
            steps: vec![blank; plan.steps.len()],
            scope: Scope::new(plan.parameters.clone(), plan.mode, Some(run.to_string())),
            created_at: at,
            last_event_at: at,
            generation: 0,
            driver: None,
            take_over: None,
            quiet_until: None,
            fences: Arc::default(),
            confirmed: None,
            stop: None,
            way_back: None,
            stopped: None,
            ready,
            active: BTreeSet::new(),
            failed: BTreeSet::new(),
            done: Vec::new(),
            finished: 0,
            index,
            dependents,
            unmet,
        })
    }

    /// Folds a whole journal. Never empty: the journal's reader saw to that.
    pub fn fold<'a>(records: impl IntoIterator<Item = (Timestamp, &'a Event)>) -> Result<Self, Illegal> {
        let mut records = records.into_iter();
        let (at, first) = records.next().ok_or(Illegal::empty())?;
        let mut state = Self::begin(at, first)?;
        for (at, event) in records {
            state.apply(at, event)?;
        }
        Ok(state)
    }

    pub fn place(&self, step: &StepId) -> Option<usize> {
        self.index.get(step).copied()
    }

    pub fn planned(&self, place: usize) -> &PlannedStep {
        &self.plan.steps[place]
    }

    /// Terminal: nothing follows.
    pub fn is_over(&self) -> bool {
        self.stopped.as_ref().is_some_and(|(outcome, _, _)| outcome.is_terminal())
    }

    /// Moves on by one event. After an error the state is unchanged.
    pub fn apply(&mut self, at: Timestamp, event: &Event) -> Result<(), Illegal> {
        if self.is_over() {
            return Err(Illegal::run("the run is over", event));
        }
        match event {
            Event::Planned { .. } => return Err(Illegal::run("a second plan", event)),
            Event::DriverAttached { generation, by, take_over, quiet_until, fences, .. } => {
                self.attach(*generation, by, event)?;
                (self.take_over, self.quiet_until) = (take_over.clone(), *quiet_until);
                self.fences = fences.clone();
            }
            Event::Confirmed { by, what } => self.confirmed = Some((by.clone(), what.clone())),
            Event::StopRequested { by, abort, reason, undo } => {
                self.ask_to_stop(Stop { by: by.clone(), abort: *abort, undo: *undo, reason: reason.clone(), at });
            }
            Event::RunStopped { outcome, reason } => self.stopped = Some((*outcome, reason.clone(), at)),
            Event::StepStarted { step, .. }
            | Event::ChangeIntended { step, .. }
            | Event::OperationAccepted { step, .. }
            | Event::StepNoted { step, .. }
            | Event::StepSucceeded { step, .. }
            | Event::StepFailed { step, .. }
            | Event::StepSkipped { step, .. }
            | Event::StepInDoubt { step, .. }
            | Event::StepSettled { step, .. }
            | Event::ApprovalGiven { step, .. }
            | Event::ApprovalRefused { step, .. }
            | Event::UndoStarted { step }
            | Event::UndoIntended { step, .. }
            | Event::UndoSucceeded { step, .. }
            | Event::UndoFailed { step, .. } => {
                let place = self.place(step).ok_or_else(|| Illegal::run("a step that is not planned", event))?;
                self.apply_step(at, place, event)?;
            }
        }
        self.last_event_at = at;
        Ok(())
    }

    fn ask_to_stop(&mut self, stop: Stop) {
        if stop.undo {
            self.way_back.get_or_insert_with(|| stop.clone());
        }
        // An abort stays one, but for an abort that undoes: a stop in the middle of that only interrupts it.
        let abort = stop.abort || self.stop.as_ref().is_some_and(|earlier| earlier.abort && !earlier.undo);
        self.stop = Some(Stop { abort, ..stop });
    }

    /// Somebody wants this drive to end where it stands.
    pub fn ends_here(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| !stop.undo)
    }

    /// What was done is being taken back, or shall be.
    pub fn goes_back(&self) -> bool {
        self.way_back.is_some() || self.steps.iter().any(|record| record.state.goes_back())
    }

    /// A new process drives: what ran is in doubt, what failed may try again. A run on its way back stays on it:
    /// what failed would otherwise start on top of what is being undone.
    fn attach(&mut self, generation: u32, by: &Person, event: &Event) -> Result<(), Illegal> {
        if generation != self.generation + 1 {
            return Err(Illegal::run("generations come one after the other", event));
        }
        self.generation = generation;
        self.driver = Some(by.clone());
        self.stop = None;
        // Somebody who resumes a failed run gives a new chance to what failed and to what had not got its own.
        let anew = self.stopped.take().is_some_and(|(outcome, _, _)| outcome != Outcome::Interrupted);
        let goes_back = self.goes_back();
        for place in 0..self.steps.len() {
            let approval = self.planned(place).action == ActionKind::Approval;
            let stays = goes_back || self.tolerated(place);
            if stays && matches!(self.steps[place].state, StepState::Failed { .. }) {
                continue;
            }
            let record = &mut self.steps[place];
            let before = std::mem::replace(&mut record.state, StepState::Undone);
            record.state = match transition::attached(before, approval) {
                StepState::Pending { .. } if anew => StepState::Pending { carried: None },
                state => state,
            };
            if matches!(record.state, StepState::Pending { .. }) && self.failed.contains(&place) {
                record.ended_at = None;
                record.approvals.clear();
                record.refusal = None;
            }
            self.index_step(place);
        }
        Ok(())
    }

    fn apply_step(&mut self, at: Timestamp, place: usize, event: &Event) -> Result<(), Illegal> {
        let met_before = self.is_met(place);
        let action = self.planned(place).action;
        let record = &mut self.steps[place];
        if let (StepState::Running { attempt, .. }, Event::ChangeIntended { .. }) = (&record.state, event)
            && attempt.operation.is_some()
            && action != ActionKind::SetOrigin
        {
            return Err(Illegal::second(&record.state, event));
        }
        record.state = transition::next(&record.state, at, event)?;
        match event {
            Event::StepStarted { attempt, .. } => {
                record.started_at.get_or_insert(at);
                record.attempts = record.attempts.max(*attempt);
                record.note = None;
            }
            Event::ChangeIntended { intent, .. } => {
                record.changes += 1;
                record.intended = Some(Arc::new(intent.clone()));
            }
            Event::UndoIntended { .. } => record.changes += 1,
            Event::StepNoted { message, until, .. } => record.note = Some((message.clone(), *until)),
            Event::ApprovalGiven { by, .. } => record.approvals.push(by.clone()),
            Event::ApprovalRefused { by, comment, .. } => record.refusal = Some((by.clone(), comment.clone())),
            Event::Planned { .. }
            | Event::DriverAttached { .. }
            | Event::Confirmed { .. }
            | Event::OperationAccepted { .. }
            | Event::StepSucceeded { .. }
            | Event::StepFailed { .. }
            | Event::StepSkipped { .. }
            | Event::StepInDoubt { .. }
            | Event::StepSettled { .. }
            | Event::UndoStarted { .. }
            | Event::UndoSucceeded { .. }
            | Event::UndoFailed { .. }
            | Event::StopRequested { .. }
            | Event::RunStopped { .. } => {}
        }
        if !record.state.is_active() && !matches!(record.state, StepState::Pending { .. }) {
            record.note = None;
            record.ended_at = Some(at);
        }
        self.index_step(place);
        if self.is_met(place) && !met_before {
            self.finished += 1;
            // What was skipped or failed and is tolerated gave no outputs, and never will.
            let outputs = match &self.steps[place].state {
                StepState::Succeeded { outputs } => {
                    self.done.push(place);
                    Map::clone(outputs)
                }
                StepState::Pending { .. }
                | StepState::Running { .. }
                | StepState::Waiting { .. }
                | StepState::InDoubt { .. }
                | StepState::Failed { .. }
                | StepState::Skipped { .. }
                | StepState::Undoing { .. }
                | StepState::Undone
                | StepState::UndoFailed { .. } => Map::new(),
            };
            self.scope.set_outputs(self.plan.steps[place].id.clone(), outputs);
            for dependent in self.dependents[place].clone() {
                self.unmet[dependent] -= 1;
                self.index_step(dependent);
            }
        }
        Ok(())
    }

    /// Whether a need on this step counts as met.
    fn is_met(&self, place: usize) -> bool {
        match &self.steps[place].state {
            StepState::Succeeded { .. }
            | StepState::Skipped { .. }
            | StepState::Undoing { .. }
            | StepState::Undone
            | StepState::UndoFailed { .. } => true,
            StepState::Failed { .. } => self.tolerated(place),
            StepState::Pending { .. }
            | StepState::Running { .. }
            | StepState::Waiting { .. }
            | StepState::InDoubt { .. } => false,
        }
    }

    /// A failure of this step does not stop the run.
    pub fn tolerated(&self, place: usize) -> bool {
        self.planned(place).on_failure == OnFailure::Continue
    }

    /// Keeps the three sets in step with one step's state.
    fn index_step(&mut self, place: usize) {
        let state = &self.steps[place].state;
        let ready = matches!(state, StepState::Pending { .. }) && self.unmet[place] == 0;
        let failed = match state {
            StepState::Failed { .. } => !self.tolerated(place),
            StepState::UndoFailed { .. } => true,
            StepState::Pending { .. }
            | StepState::Running { .. }
            | StepState::Waiting { .. }
            | StepState::InDoubt { .. }
            | StepState::Succeeded { .. }
            | StepState::Skipped { .. }
            | StepState::Undoing { .. }
            | StepState::Undone => false,
        };
        let active = state.is_active();
        for (set, member) in [(&mut self.ready, ready), (&mut self.active, active), (&mut self.failed, failed)] {
            if member {
                set.insert(place);
            } else {
                set.remove(&place);
            }
        }
    }

    /// How many people must approve this step.
    pub fn approvers_wanted(&self, place: usize) -> usize {
        let arguments = match &self.steps[place].state {
            StepState::Running { attempt, .. } => &attempt.arguments,
            StepState::Pending { .. }
            | StepState::Waiting { .. }
            | StepState::InDoubt { .. }
            | StepState::Succeeded { .. }
            | StepState::Failed { .. }
            | StepState::Skipped { .. }
            | StepState::Undoing { .. }
            | StepState::Undone
            | StepState::UndoFailed { .. } => &self.planned(place).arguments,
        };
        arguments.get("approvers").and_then(Value::as_u64).map_or(1, |wanted| usize::try_from(wanted).unwrap_or(1))
    }

    /// Steps that wait for an approval now, with the question.
    pub fn approvals_wanted(&self) -> BTreeMap<StepId, String> {
        self.active
            .iter()
            .filter(|place| self.planned(**place).action == ActionKind::Approval)
            .filter_map(|place| match &self.steps[*place].state {
                StepState::Running { attempt, .. } => {
                    let prompt = attempt.arguments.get("prompt").and_then(Value::as_str).unwrap_or_default();
                    Some((self.planned(*place).id.clone(), prompt.to_owned()))
                }
                StepState::Pending { .. }
                | StepState::Waiting { .. }
                | StepState::InDoubt { .. }
                | StepState::Succeeded { .. }
                | StepState::Failed { .. }
                | StepState::Skipped { .. }
                | StepState::Undoing { .. }
                | StepState::Undone
                | StepState::UndoFailed { .. } => None,
            })
            .collect()
    }

    /// The error that stopped the run, if one did: a refusal only when nothing worse happened.
    pub fn failure(&self) -> Option<(&StepId, &StepError)> {
        let errors = self.failed.iter().filter_map(|place| match &self.steps[*place].state {
            StepState::Failed { error } | StepState::UndoFailed { error, .. } => {
                Some((&self.plan.steps[*place].id, error))
            }
            StepState::Pending { .. }
            | StepState::Running { .. }
            | StepState::Waiting { .. }
            | StepState::InDoubt { .. }
            | StepState::Succeeded { .. }
            | StepState::Skipped { .. }
            | StepState::Undoing { .. }
            | StepState::Undone => None,
        });
        errors.min_by_key(|(_, error)| error.disposition == Disposition::Refused)
    }
}

/// What a verdict of a probe makes of a step that is in doubt.
pub(super) fn settled(attempt: Attempt, error: Option<StepError>, verdict: &Verdict, at: Timestamp) -> StepState {
    match verdict {
        Verdict::Happened { outputs } => StepState::Succeeded { outputs: Arc::new(outputs.clone()) },
        Verdict::DidNotHappen { .. } => {
            let Attempt { number, deadline, restarts, intent, .. } = attempt;
            // What was interrupted before it announced anything has tried nothing yet.
            let restarts = restarts + u32::from(intent.is_some());
            StepState::Pending { carried: Some(Carried { attempt: number, deadline, restarts }) }
        }
        // Nobody watches it past its deadline unless somebody resumes the run: then its own outcome judges it.
        Verdict::GoesOn { .. } if error.as_ref().is_some_and(|error| error.code == "timeout") => StepState::InDoubt {
            attempt,
            error,
            unknown: Some(Unsettled {
                reason: "it still goes on in Azure, past its timeout".to_owned(),
                remedy: "resume the run: it is followed to its end, and nothing is sent again".to_owned(),
            }),
        },
        Verdict::GoesOn { operation } => {
            let operation = operation.clone().or_else(|| attempt.operation.clone());
            let window = attempt.deadline.duration_since(attempt.since);
            let deadline = if attempt.deadline > at { attempt.deadline } else { at + window };
            StepState::Running { attempt: Attempt { deadline, operation, ..attempt }, follow: true }
        }
        Verdict::Failed { error } => StepState::Failed { error: error.clone() },
        Verdict::Unknown { reason, remedy } => StepState::InDoubt {
            attempt,
            error,
            unknown: Some(Unsettled { reason: reason.clone(), remedy: remedy.clone() }),
        },
    }
}
