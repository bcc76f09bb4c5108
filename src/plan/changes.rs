//! What was changed in a service since its backup was made: a fact of `backup.find-latest`. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::PlannedStep;
use crate::style::moment;

/// Name of the fact: a list of [`Changed`], the newest first.
pub const FACT: &str = "changes.since_backup";

/// Something that was changed, and how last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Below the service: `apis/orders`; empty: the service itself.
    pub what: String,
    /// `write`, `delete`, `regenerateKey/action`.
    pub operation: String,
    pub at: Timestamp,
    /// Sign-in name or id of an application; empty: Azure itself.
    pub by: String,
}

impl Changed {
    pub fn name(&self) -> &str {
        if self.what.is_empty() { "the service itself" } else { &self.what }
    }

    /// `write by ann@contoso.com, 2026-11-23 02:00:00Z`
    pub fn how(&self) -> String {
        let by = if self.by.is_empty() { String::new() } else { format!(" by {}", self.by) };
        format!("{}{by}, {}", self.operation, moment(self.at))
    }
}

/// What the step's probe read. None: it could not be read, or was not asked for.
pub fn since_backup(step: &PlannedStep) -> Option<Vec<Changed>> {
    let fact = step.probe.facts.iter().find(|fact| fact.name == FACT)?;
    serde_json::from_value(fact.value.clone()).ok()
}
