//! Where a step is, and what a person watching wants to know beside it. Pure.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    azure::Operation,
    run::{Intent, Person, StepError, Verdict, approval::Approval},
};

/// One attempt at a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    pub since: Timestamp,
    pub deadline: Timestamp,
    /// From its beginning to its first deadline: what a change that goes on is given again by whoever resumes it.
    #[serde(skip)]
    pub window: SignedDuration,
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
    Waiting { next_attempt: u32, until: Timestamp, error: StepError },
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
    Failed { error: StepError },
    /// Terminal.
    Skipped {
        reason: String,
        /// Who decided to go on without it; none: its `when` is false.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<Person>,
    },
    Undoing {
        /// None: it never came to its end, and its last intent says what was there before.
        outputs: Option<Arc<Map<String, Value>>>,
        intent: Option<Box<Intent>>,
    },
    /// Terminal.
    Undone,
    UndoFailed {
        /// As of `Undoing`.
        outputs: Option<Arc<Map<String, Value>>>,
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
    pub(in crate::run) fn restarts(&self) -> u32 {
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

    pub(super) fn is_active(&self) -> bool {
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
    /// When a need on it began to count as met; stays when it is taken back.
    pub met_at: Option<Timestamp>,
    /// Attempts begun in all.
    pub attempts: u32,
    /// The last notice, and until when it holds.
    pub note: Option<(String, Option<Timestamp>)>,
    /// Changes announced so far, in all attempts.
    pub changes: u32,
    /// The last change that was announced, in whichever attempt; not one of an undo.
    pub intended: Option<Arc<Intent>>,
    /// What this asking was answered with, the oldest first.
    pub approvals: Vec<Given>,
    pub refusal: Option<(Person, Option<String>)>,
    /// Somebody went past the approvals that it asks for.
    pub alone: bool,
    /// A need on it is met: it succeeded, was skipped, or failed and is tolerated. Stays so when it is taken back.
    pub met: bool,
    /// Why it failed for good, also when it is taken back since; none once it starts anew.
    pub failure: Option<Box<StepError>>,
    /// Its key in [`State::changed`](super::State::changed).
    pub(super) order: Option<u64>,
    /// The last request that was announced, one of an undo too.
    pub sent: Option<Box<Sent>>,
    /// When a probe last looked what became of it.
    pub looked_at: Option<Timestamp>,
}

/// A yes that a step was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    pub by: Person,
    pub comment: Option<String>,
    pub at: Timestamp,
    /// None: it was typed at the terminal of the run, or given by the simulated operator.
    pub document: Option<Arc<Approval>>,
}

impl Given {
    /// It counts no more.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.document.as_ref().is_some_and(|document| document.has_ended(now))
    }
}

/// A request that was announced, when, and by which process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sent {
    pub method: String,
    pub url: String,
    pub at: Timestamp,
    /// None: nobody had said who drives.
    pub by: Option<Person>,
    pub pid: u32,
    pub generation: u32,
}

impl Default for StepRecord {
    fn default() -> Self {
        Self {
            state: StepState::Pending { carried: None },
            started_at: None,
            ended_at: None,
            met_at: None,
            attempts: 0,
            note: None,
            changes: 0,
            intended: None,
            approvals: Vec::new(),
            refusal: None,
            alone: false,
            met: false,
            failure: None,
            order: None,
            sent: None,
            looked_at: None,
        }
    }
}

/// What a verdict of a probe makes of a step that is in doubt.
pub(in crate::run) fn settled(
    attempt: Attempt,
    error: Option<StepError>,
    verdict: &Verdict,
    at: Timestamp,
) -> StepState {
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
            let deadline = if attempt.deadline > at { attempt.deadline } else { at + attempt.window };
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
