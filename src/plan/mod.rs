//! Plans: complete, immutable, with a digest.

pub mod changes;
pub mod codes;
pub mod digest;
pub mod drift;
pub mod facts;
pub mod graph;
pub mod history;
pub mod live;
pub mod make;
pub mod prediction;
pub mod recovery;
pub mod saved;
pub mod text;

pub use history::{History, Leftover, Measured, MeasuredStep};
pub use make::{Ingredients, Purpose, make};
pub use prediction::{Basis, Prediction};

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    run::Person,
    runbook::{ActionKind, Effect, Mode, Objectives, OnFailure, Retry, StepId, span},
    site::Site,
};
use facts::{Finding, Probe, Severity};

/// Version of the plan's JSON form. Changelog:
/// 1. The first.
pub const FORMAT: u32 = 1;

/// How sure the plan is of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// Everything it depends on was read just now.
    Verified,
    /// It rests on what earlier steps are expected to do.
    Predicted,
    /// It depends on something that only the run brings.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedStep {
    pub id: StepId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub action: ActionKind,
    pub effect: Effect,
    /// Steps that the mode leaves out are replaced by their own needs.
    pub needs: Vec<StepId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    #[serde(with = "span")]
    pub timeout: Duration,
    pub retry: Retry,
    pub on_failure: OnFailure,
    /// With `${{ }}` where a value is only known in the run.
    pub arguments: Map<String, Value>,
    pub certainty: Certainty,
    pub probe: Probe,
    /// The p50 of `prediction`.
    #[serde(with = "span")]
    pub expected: Duration,
    pub expected_source: String,
    /// Not part of the digest: history grows. None in plans of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Prediction>,
}

/// Somebody's recorded decision to fail over although the service was not seen to be lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forced {
    pub by: Person,
    /// Never blank.
    pub reason: String,
}

impl Forced {
    /// What stands in the way, and who went past it and why.
    pub fn over(&self, message: &str) -> String {
        let Self { by, reason } = self;
        format!("{message}; forced by {}@{}: \"{reason}\"", by.name, by.host)
    }
}

/// A complete, immutable plan. Nothing else is needed to run it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub format: u32,
    /// SHA-256, hex, over what it would do and the facts it rests on: see [`digest`](digest::digest).
    pub digest: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// SHA-256 of the runbook's bytes.
    pub runbook_sha256: String,
    pub mode: Mode,
    /// Whoever runs the plan runs it under this decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced: Option<Forced>,
    pub made_at: Timestamp,
    pub objectives: Objectives,
    pub parameters: BTreeMap<String, Value>,
    pub site: Site,
    /// In an order in which every step stands after its needs.
    pub steps: Vec<PlannedStep>,
    /// Steps that the mode leaves out.
    pub left_out: Vec<StepId>,
    /// The longest chain of expected durations.
    pub critical_path: Vec<StepId>,
    /// The p50 of `prediction`.
    #[serde(with = "span")]
    pub expected: Duration,
    /// Of the whole run, as of a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Prediction>,
    /// People who may not drive or decide: a rehearsal that depends on one person rehearses the wrong thing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operator_must_not_be: Vec<String>,
    /// The first irreversible step: once it has begun, going back ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point_of_no_return: Option<StepId>,
    pub findings: Vec<Finding>,
    /// Of a plan that was read from a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved: Option<Box<saved::Saved>>,
}

impl Plan {
    /// Longest timeout of its restores: how long a backup must stay valid.
    pub fn longest_restore(&self) -> Duration {
        let restores = self.steps.iter().filter(|step| step.action == ActionKind::Restore);
        restores.map(|step| step.timeout).max().unwrap_or(ActionKind::Restore.entry().timeout)
    }

    /// The first finding that lets nothing start.
    pub fn blocker(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.severity == Severity::Blocker)
    }
}
