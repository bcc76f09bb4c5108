//! What was changed in a service since its backup was made: a fact of `backup.find-latest`. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PlannedStep;
use crate::style::moment;

/// Name of the fact: a list of [`Changed`], the newest first.
pub const FACT: &str = "changes.since_backup";
/// Name of the fact: how many there are, also those that are not listed.
pub const COUNT: &str = "changes.count";
/// Name of the fact: entries of the activity log that could not be read. Only where there are some.
pub const UNREAD: &str = "changes.unread";

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

/// What the step's probe read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The newest of them, the newest first.
    pub listed: Vec<Changed>,
    /// All of them.
    pub count: usize,
    /// Entries of the activity log that do not say what was changed, or when.
    pub unread: usize,
}

impl Changes {
    /// Those after a moment that is not before what was read.
    #[must_use]
    pub fn after(self, moment: Timestamp) -> Self {
        let all = self.listed.len();
        let listed: Vec<Changed> = self.listed.into_iter().filter(|one| one.at > moment).collect();
        // Where one of the newest is older, so is everything that is not listed.
        let count = if listed.len() == all { self.count } else { listed.len() };
        Self { listed, count, ..self }
    }
}

/// None: it could not be read, or was not asked for.
pub fn since_backup(step: &PlannedStep) -> Option<Changes> {
    let fact = |name: &str| step.probe.facts.iter().find(|fact| fact.name == name).map(|fact| &fact.value);
    let number = |name: &str| fact(name).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
    let listed: Vec<Changed> = serde_json::from_value(fact(FACT)?.clone()).ok()?;
    let count = number(COUNT).unwrap_or(listed.len());
    Some(Changes { listed, count, unread: number(UNREAD).unwrap_or_default() })
}
