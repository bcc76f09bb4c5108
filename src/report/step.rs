//! One step as people and programs see it, given who drives the run.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Commands, Doubt, Standing, story};
use crate::{
    run::{
        State, StepError, StepState,
        state::{Attempt, FOUND, Ruling, StepRecord, Unsettled},
    },
    runbook::{ActionKind, Effect, StepId},
    style::{Symbol, time},
};

/// A step, its state in words, and what stands beside it.
#[derive(Clone, Debug, Serialize)]
pub struct StepView {
    /// From 1, in the plan's order.
    pub number: usize,
    pub id: StepId,
    pub action: ActionKind,
    pub effect: Effect,
    /// In words: `pending`, `running`, `asking`, `waiting`, `in doubt`, `detached`, `interrupted`, `succeeded`,
    /// `failed`, `skipped`, `undoing`, `undone`, `undo failed`. In JSON with a hyphen for the space.
    #[serde(serialize_with = "hyphenated")]
    pub state: &'static str,
    #[serde(skip)]
    pub symbol: Symbol,
    pub attempts: u32,
    pub attempts_allowed: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Seconds from the first attempt to the end, or to now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_s: Option<i64>,
    pub expected_s: u64,
    /// What it waits for or why it was skipped: one lower-case fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Why it failed, is in doubt, or tries again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<StepError>,
    /// What a probe could not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsettled: Option<Unsettled>,
    /// Where Azure can be asked about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// In doubt, or stuck: all that is known of the request, and the commands that lead out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
}

impl StepView {
    pub fn of(state: &State, place: usize, standing: Standing, now: Timestamp, commands: &Commands) -> Self {
        let planned = state.planned(place);
        let record = &state.steps[place];
        let approval = planned.action == ActionKind::Approval;
        // A rehearsal that put back what a step had moved has done the step all the same.
        let put_back = record.met_at.filter(|_| state.is_rehearsed() && matches!(record.state, StepState::Undone));
        let (word, symbol) = match put_back {
            Some(_) => ("put back", Symbol::Done),
            None => word(&record.state, standing, approval),
        };
        let ended_at = put_back.or(record.ended_at);
        let until = ended_at.unwrap_or(now);
        Self {
            number: place + 1,
            id: planned.id.clone(),
            action: planned.action,
            effect: planned.effect,
            state: word,
            symbol,
            attempts: record.attempts,
            attempts_allowed: planned.retry.attempts,
            started_at: record.started_at,
            ended_at,
            elapsed_s: record.started_at.map(|started| until.duration_since(started).as_secs()),
            expected_s: planned.expected.as_secs(),
            note: decided(state, place).or_else(|| note(record, standing)),
            error: error(&record.state).cloned(),
            unsettled: unsettled(&record.state).cloned(),
            operation: attempt(&record.state).and_then(|attempt| Some(attempt.operation.as_ref()?.url.clone())),
            doubt: Doubt::of(state, place, standing, commands),
        }
    }

    pub fn elapsed(&self) -> Option<SignedDuration> {
        self.elapsed_s.map(SignedDuration::from_secs)
    }

    /// `step gateway-healthy failed: the gateway answered 503`
    pub fn failure(&self) -> String {
        let why = self.error.as_ref().map(|error| format!(": {}", error.message)).unwrap_or_default();
        format!("step {} {}{why}", self.id, self.state)
    }

    /// Somebody should read why.
    pub fn needs_attention(&self) -> bool {
        self.error.is_some() || !matches!(self.symbol, Symbol::Pending | Symbol::Done | Symbol::Running)
    }
}

/// Words for people become words for programs.
fn hyphenated<S: serde::Serializer>(word: &&'static str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&word.replace(' ', "-"))
}

/// What is true of a step that a process may or may not be at work on.
pub fn word(state: &StepState, standing: Standing, approval: bool) -> (&'static str, Symbol) {
    let word = state.word();
    match state {
        StepState::Pending { .. } => (word, Symbol::Pending),
        StepState::Running { .. } if approval => ("asking", Symbol::Ask),
        StepState::Running { .. } if standing.may_be_driven() => (word, Symbol::Running),
        StepState::Running { attempt, .. } if attempt.operation.is_some() => ("detached", Symbol::Doubt),
        StepState::Running { attempt, .. } if attempt.intent.is_some() => ("in doubt", Symbol::Doubt),
        StepState::Running { .. } => ("interrupted", Symbol::Warning),
        StepState::Waiting { .. } => (word, Symbol::Waiting),
        StepState::InDoubt { attempt, error: None, unknown: None } if attempt.intent.is_none() => {
            ("interrupted", Symbol::Warning)
        }
        StepState::InDoubt { .. } => (word, Symbol::Doubt),
        StepState::Succeeded { .. } => (word, Symbol::Done),
        StepState::Failed { .. } | StepState::UndoFailed { .. } => (word, Symbol::Failed),
        StepState::Skipped { .. } => (word, Symbol::Skipped),
        StepState::Undoing { .. } | StepState::Undone => (word, Symbol::Undo),
    }
}

/// What was there when an undo that failed last read it; else `otherwise`.
pub fn last_read(error: &StepError, otherwise: &str) -> String {
    let found = error.details.get(FOUND).and_then(|found| found.as_str());
    found.map_or_else(|| otherwise.to_owned(), |found| format!("when it was last read, it was {found}"))
}

/// The attempt that is going on or in doubt.
pub fn attempt(state: &StepState) -> Option<&Attempt> {
    match state {
        StepState::Running { attempt, .. } | StepState::InDoubt { attempt, .. } => Some(attempt),
        StepState::Pending { .. }
        | StepState::Waiting { .. }
        | StepState::Succeeded { .. }
        | StepState::Failed { .. }
        | StepState::Skipped { .. }
        | StepState::Undoing { .. }
        | StepState::Undone
        | StepState::UndoFailed { .. } => None,
    }
}

fn error(state: &StepState) -> Option<&StepError> {
    match state {
        StepState::Waiting { error, .. } | StepState::Failed { error } | StepState::UndoFailed { error, .. } => {
            Some(error)
        }
        StepState::InDoubt { error, .. } => error.as_ref(),
        StepState::Pending { .. }
        | StepState::Running { .. }
        | StepState::Succeeded { .. }
        | StepState::Skipped { .. }
        | StepState::Undoing { .. }
        | StepState::Undone => None,
    }
}

fn unsettled(state: &StepState) -> Option<&Unsettled> {
    match state {
        StepState::InDoubt { unknown, .. } => unknown.as_ref(),
        StepState::Pending { .. }
        | StepState::Running { .. }
        | StepState::Waiting { .. }
        | StepState::Succeeded { .. }
        | StepState::Failed { .. }
        | StepState::Skipped { .. }
        | StepState::Undoing { .. }
        | StepState::Undone
        | StepState::UndoFailed { .. } => None,
    }
}

/// That a step stands as it does by a person's doing.
fn decided(state: &State, place: usize) -> Option<String> {
    let last = state.decided.iter().rev().find(|decided| decided.place == place)?;
    let stands = match (last.ruling, &state.steps[place].state) {
        (Ruling::Adopted, StepState::Succeeded { .. }) => "done by hand, adopted",
        (Ruling::Happened, StepState::Succeeded { .. }) | (Ruling::TakenBack, StepState::Undone) => "a person's word",
        (Ruling::ApprovedAlone, StepState::Succeeded { .. }) => "approved alone",
        (
            Ruling::Skipped
            | Ruling::Adopted
            | Ruling::Happened
            | Ruling::DidNotHappen
            | Ruling::TakenBack
            | Ruling::ApprovedAlone,
            _,
        ) => return None,
    };
    Some(format!("{stands} by {}: {}", story::person(&last.by), last.reason))
}

/// Until when something is awaited only matters while somebody waits.
fn note(record: &StepRecord, standing: Standing) -> Option<String> {
    match (&record.state, &record.note) {
        (StepState::Skipped { reason, by: None }, _) => Some(reason.clone()),
        (StepState::Skipped { reason, by: Some(by) }, _) => Some(format!("by {}: {reason}", story::person(by))),
        (StepState::Waiting { next_attempt, until, .. }, _) => {
            Some(format!("attempt {next_attempt} at {}", time(*until)))
        }
        (_, Some((message, Some(until)))) if standing.may_be_driven() => {
            Some(format!("{message}, until {}", time(*until)))
        }
        (_, Some((message, _))) => Some(message.clone()),
        (_, None) => None,
    }
}
