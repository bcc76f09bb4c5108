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

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Blocker => "blocker",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// One line of a plan that somebody should read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub severity: Severity,
    /// The first step that it concerns. Filled in by the planner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// Other steps that it stops in the same way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<StepId>,
    /// What it was seen on: a resource's name, or `scope action`. None: the step says enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Stable, kebab-case, of [`super::codes`]: `tier-mismatch`.
    pub code: String,
    /// Lower-case fragment: what was seen.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// When it was seen; none in plans of older versions, and in what follows from the plan alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
}

impl Finding {
    pub fn blocker(code: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            severity: Severity::Blocker,
            step: None,
            also: Vec::new(),
            subject: None,
            code: code.into(),
            message: message.into(),
            remedy: remedy.into(),
            observed_at: None,
        }
    }

    pub fn warning(code: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::blocker(code, message, remedy) }
    }

    /// What it was seen on.
    #[must_use]
    pub fn on(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }

    #[must_use]
    pub fn seen(self, at: Timestamp) -> Self {
        Self { observed_at: Some(at), ..self }
    }

    /// Says the same of something else: only where and when it was seen may differ.
    fn is_told_by(&self, other: &Self) -> bool {
        (self.severity, &self.code, &self.message, &self.remedy)
            == (other.severity, &other.code, &other.message, &other.remedy)
    }

    /// The steps that it concerns, else what it was seen on; empty when it concerns the plan as a whole.
    pub fn place(&self) -> String {
        let steps: Vec<&str> = self.step.iter().chain(&self.also).map(StepId::as_str).collect();
        if steps.is_empty() { self.subject.clone().unwrap_or_default() } else { steps.join(", ") }
    }
}

/// One cause that stops several steps is one finding: the first one, which names the other steps. The worst first,
/// otherwise in the order given.
pub fn gather(findings: impl IntoIterator<Item = Finding>) -> Vec<Finding> {
    let mut gathered: Vec<Finding> = Vec::new();
    for finding in findings {
        match gathered.iter_mut().find(|earlier| finding.is_told_by(earlier)) {
            Some(earlier) => {
                let known = |step: &StepId| earlier.step.as_ref() == Some(step) || earlier.also.contains(step);
                let more: Vec<StepId> = finding.step.into_iter().filter(|step| !known(step)).collect();
                earlier.also.extend(more);
            }
            None => gathered.push(finding),
        }
    }
    gathered.sort_by_key(|finding| finding.severity);
    gathered
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of_step(step: &str, finding: Finding) -> Finding {
        Finding { step: Some(StepId::new(step)), ..finding }
    }

    #[test]
    fn one_cause_that_stops_three_steps_is_one_finding() {
        let busy = || Finding::blocker("standby-busy", "it is busy", "wait");
        let other = Finding::warning("same-region", "it is near", "move it");
        let gathered = gather([
            of_step("verify", other),
            of_step("verify", busy()),
            of_step("restore", busy().seen(Timestamp::UNIX_EPOCH)),
            of_step("restore", busy()),
            of_step("check", busy()),
        ]);
        assert_eq!(gathered.len(), 2);
        assert_eq!(
            (gathered[0].code.as_str(), gathered[0].place().as_str()),
            ("standby-busy", "verify, restore, check")
        );
        assert_eq!(gathered[1].place(), "verify");
    }

    #[test]
    fn a_finding_of_an_older_plan_is_read() {
        let old = r#"{"severity":"warning","step":"verify","code":"same-region","message":"m","remedy":"r"}"#;
        let read: Finding = serde_json::from_str(old).unwrap();
        assert_eq!((read.observed_at, read.subject, read.also), (None, None, Vec::new()));
    }
}
