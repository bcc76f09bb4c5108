//! What a plan rests on: facts that were seen, requests that would be sent, findings that stand in the way.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::runbook::StepId;

/// Something that was read from the world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// Dotted, unique within its step: `record.target`, `standby.tier`.
    pub name: String,
    pub value: Value,
    /// How it was seen: `GET https://…`, `DNS 10.0.0.4:53`.
    pub source: String,
    pub observed_at: Timestamp,
    /// May change without changing what the plan would do (an age, a request id); not part of the digest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub volatile: bool,
}

/// A request that `perform` would send, with secrets masked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedRequest {
    /// `PUT`, `POST`; `EXEC` for a program.
    pub method: String,
    pub url: String,
    /// Headers that decide what the request does (`If-Match`); never `Authorization`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing may start.
    Blocker,
    Warning,
    Note,
}

/// One line of a plan that somebody should read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub severity: Severity,
    /// Filled in by the planner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// Stable, kebab-case: `tier-mismatch`.
    pub code: String,
    /// Lower-case fragment: what was seen.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl Finding {
    pub fn blocker(code: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            severity: Severity::Blocker,
            step: None,
            code: code.into(),
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    pub fn warning(code: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::blocker(code, message, remedy) }
    }
}

/// What probing one step gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// One line for people: what would happen.
    pub summary: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Fact>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<PlannedRequest>,
    /// Outputs as far as they can be known before the run, for the probes of later steps.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub outputs: serde_json::Map<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Everything that the step depends on was read just now; else its outcome is a prediction.
    pub verified: bool,
    /// Better than the catalogue's typical duration, when the probe knows one.
    #[serde(default, with = "crate::runbook::span::optional", skip_serializing_if = "Option::is_none")]
    pub expected: Option<std::time::Duration>,
    /// Resource ids, folded, that the step writes to; one run at a time may hold each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
}
