//! The one vocabulary of facts: what is persisted, streamed as JSON, drawn as progress, folded into state and reported.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    azure::Operation,
    plan::{
        Plan,
        drift::Drift,
        facts::{Fact, PlannedRequest},
    },
    runbook::StepId,
};

use super::{Person, approval::Approval};

/// Name of a run: `[A-Za-z0-9][A-Za-z0-9._-]*`, at most 64 bytes; a directory name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub Arc<str>);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What may follow from an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disposition {
    /// Nothing was changed; another attempt may succeed.
    Retryable,
    /// Another attempt would fail the same way.
    Final,
    /// Refused before the change it guards: an approval missing or refused, a world that moved since the plan.
    Refused,
    /// A request was sent and its outcome is not known. Never repeated blindly.
    InDoubt,
}

/// The world's mistake, as it is journalled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct StepError {
    pub disposition: Disposition,
    /// Stable, kebab-case: `tier-mismatch`, `backup-expired`, `timeout`.
    pub code: String,
    /// Lower-case fragment, without secrets.
    pub message: String,
    /// What to do next.
    pub hint: String,
    /// Azure's error code, request id and correlation id, where there are some.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
}

impl StepError {
    pub fn new(disposition: Disposition, code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { disposition, code: code.to_owned(), message: message.into(), hint: hint.into(), details: Map::new() }
    }
}

/// A change that is about to be asked for. Durable before the request leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    pub request: PlannedRequest,
    /// What the probe needs, to tell later whether it happened: the state before the change.
    pub before: Value,
}

/// Serde hands the shared map over.
fn no_fences(fences: &Arc<BTreeMap<String, u64>>) -> bool {
    fences.is_empty()
}

/// A run was taken from a process that may still live.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TakeOver {
    /// Who drove.
    pub from: Person,
    pub reason: String,
}

/// What became of a change whose outcome was not known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It happened; these are the step's outputs.
    Happened { outputs: Map<String, Value> },
    /// It did not, and cannot happen any more: the step may start again.
    DidNotHappen { reason: String },
    /// It was accepted and still goes on: follow it. `operation` is none when only the service itself can be watched.
    GoesOn { operation: Option<Operation> },
    /// It was accepted and failed.
    Failed { error: StepError },
    /// Cannot be told from here.
    Unknown { reason: String, remedy: String },
}

/// A person's word, taken where no probe could tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    pub by: Person,
    pub reason: String,
    /// Outputs that the person gave, not a probe.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<String>,
}

/// How a drive of the run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Terminal.
    Succeeded,
    /// A step failed; `resume` tries it again.
    Failed,
    /// An approval is missing or refused, or the world moved since the plan; `resume` asks again.
    Refused,
    /// A step failed, or somebody gave up, and what could be undone was undone. Terminal.
    Undone,
    /// In doubt, or an undo failed: a human must look; `resume` looks again.
    Stuck,
    /// Somebody stopped the process; `resume` goes on.
    Interrupted,
    /// Terminal.
    Aborted,
}

impl Outcome {
    /// Terminal: nothing follows.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Succeeded | Self::Undone | Self::Aborted => true,
            Self::Failed | Self::Refused | Self::Stuck | Self::Interrupted => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// Always the first record. A run needs nothing else to go on.
    Planned {
        run: RunId,
        plan: Arc<Plan>,
        by: Person,
    },
    /// A process drives the run from here on. Everything that was running becomes in doubt.
    DriverAttached {
        generation: u32,
        by: Person,
        pid: u32,
        version: String,
        /// Number of its claim in the store; makes the record its own, however equal two drivers are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<u64>,
        /// Somebody's decision to drive although another process may.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        take_over: Option<TakeOver>,
        /// That process may still send what it had announced: nothing is settled or undone before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quiet_until: Option<Timestamp>,
        /// The generation of each target that this driver holds, by the target's id.
        #[serde(default, skip_serializing_if = "no_fences")]
        fences: Arc<BTreeMap<String, u64>>,
    },
    /// Somebody confirmed the hostname that is being moved, or said `--yes`.
    Confirmed {
        by: Person,
        what: String,
    },
    StepStarted {
        step: StepId,
        attempt: u32,
        deadline: Timestamp,
        /// The arguments with every expression resolved.
        arguments: Arc<Map<String, Value>>,
    },
    /// Written and synced before the request leaves.
    ChangeIntended {
        step: StepId,
        intent: Intent,
    },
    /// Written and synced before anything else happens.
    OperationAccepted {
        step: StepId,
        operation: Operation,
    },
    /// Something a person watching should see: what is waited for, and until when.
    StepNoted {
        step: StepId,
        message: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    StepSucceeded {
        step: StepId,
        outputs: Map<String, Value>,
        evidence: Value,
    },
    StepFailed {
        step: StepId,
        error: StepError,
        /// When the next attempt starts; none: it failed for good.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Timestamp>,
    },
    StepSkipped {
        step: StepId,
        reason: String,
        /// Somebody's decision to go on without it; none: its `when` is false.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Person>,
    },
    /// A request was sent and nobody knows what became of it.
    StepInDoubt {
        step: StepId,
        error: StepError,
    },
    /// A probe looked at a step that was in doubt.
    StepSettled {
        step: StepId,
        verdict: Verdict,
        /// The verdict is a person's: no probe could tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        word: Option<Word>,
    },
    /// A person did what the step is for, and a probe saw that it is so.
    StepAdopted {
        step: StepId,
        by: Person,
        reason: String,
        /// As the probe saw them.
        outputs: Map<String, Value>,
        evidence: Value,
    },
    ApprovalGiven {
        step: StepId,
        by: Person,
        comment: Option<String>,
    },
    ApprovalRefused {
        step: StepId,
        by: Person,
        comment: Option<String>,
    },
    /// Somebody said yes to the plan, or to a step that asks, in a document that names the plan's digest. It counts when the
    /// step asks: see `ApprovalGiven`.
    ApprovalFiled {
        approval: Arc<Approval>,
    },
    /// In an emergency one person goes on alone. Stays open until somebody else signs it off.
    ApprovalOverridden {
        step: StepId,
        by: Person,
        reason: String,
    },
    /// Somebody else has seen what one person did alone, and answers for it too. May come after the end of the run.
    ApprovalSignedOff {
        step: StepId,
        approval: Arc<Approval>,
    },
    /// The world moved since the plan was saved, and somebody runs it all the same.
    DriftAccepted {
        drift: Drift,
        by: Person,
        reason: String,
        /// What the step rests on instead.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        facts: Vec<Fact>,
    },
    UndoStarted {
        step: StepId,
    },
    UndoIntended {
        step: StepId,
        intent: Intent,
    },
    UndoSucceeded {
        step: StepId,
        evidence: Value,
        /// Somebody says that it is back, after undoing it had failed: no probe could tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        word: Option<Word>,
    },
    UndoFailed {
        step: StepId,
        error: StepError,
    },
    /// SIGINT, SIGTERM or `lifeboat abort`.
    StopRequested {
        by: Person,
        abort: bool,
        reason: String,
        /// Take back what can be taken back, then end.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        undo: bool,
    },
    /// Nothing more starts until somebody lifts it; what runs goes on.
    Paused {
        by: Person,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    PauseLifted {
        by: Person,
    },
    RunStopped {
        outcome: Outcome,
        reason: String,
    },
}

impl Event {
    /// The `type` of the event, as it is journalled.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Planned { .. } => "planned",
            Self::DriverAttached { .. } => "driver-attached",
            Self::Confirmed { .. } => "confirmed",
            Self::StepStarted { .. } => "step-started",
            Self::ChangeIntended { .. } => "change-intended",
            Self::OperationAccepted { .. } => "operation-accepted",
            Self::StepNoted { .. } => "step-noted",
            Self::StepSucceeded { .. } => "step-succeeded",
            Self::StepFailed { .. } => "step-failed",
            Self::StepSkipped { .. } => "step-skipped",
            Self::StepInDoubt { .. } => "step-in-doubt",
            Self::StepSettled { .. } => "step-settled",
            Self::StepAdopted { .. } => "step-adopted",
            Self::ApprovalGiven { .. } => "approval-given",
            Self::ApprovalRefused { .. } => "approval-refused",
            Self::ApprovalFiled { .. } => "approval-filed",
            Self::ApprovalOverridden { .. } => "approval-overridden",
            Self::ApprovalSignedOff { .. } => "approval-signed-off",
            Self::DriftAccepted { .. } => "drift-accepted",
            Self::UndoStarted { .. } => "undo-started",
            Self::UndoIntended { .. } => "undo-intended",
            Self::UndoSucceeded { .. } => "undo-succeeded",
            Self::UndoFailed { .. } => "undo-failed",
            Self::StopRequested { .. } => "stop-requested",
            Self::Paused { .. } => "paused",
            Self::PauseLifted { .. } => "pause-lifted",
            Self::RunStopped { .. } => "run-stopped",
        }
    }

    /// The step that it is about; none: the run as a whole.
    pub fn step(&self) -> Option<&StepId> {
        match self {
            Self::StepStarted { step, .. }
            | Self::ChangeIntended { step, .. }
            | Self::OperationAccepted { step, .. }
            | Self::StepNoted { step, .. }
            | Self::StepSucceeded { step, .. }
            | Self::StepFailed { step, .. }
            | Self::StepSkipped { step, .. }
            | Self::StepInDoubt { step, .. }
            | Self::StepSettled { step, .. }
            | Self::StepAdopted { step, .. }
            | Self::ApprovalGiven { step, .. }
            | Self::ApprovalRefused { step, .. }
            | Self::ApprovalOverridden { step, .. }
            | Self::ApprovalSignedOff { step, .. }
            | Self::UndoStarted { step }
            | Self::UndoIntended { step, .. }
            | Self::UndoSucceeded { step, .. }
            | Self::UndoFailed { step, .. } => Some(step),
            Self::Planned { .. }
            | Self::DriverAttached { .. }
            | Self::Confirmed { .. }
            | Self::ApprovalFiled { .. }
            | Self::DriftAccepted { .. }
            | Self::StopRequested { .. }
            | Self::Paused { .. }
            | Self::PauseLifted { .. }
            | Self::RunStopped { .. } => None,
        }
    }
}
