//! Facts and notices, built in one line.

use jiff::Timestamp;
use serde_json::Value;

use super::Recorder;
use crate::{
    azure::Notice,
    plan::facts::{Fact, Finding, Severity},
};

/// Facts that were read from one source at one time.
#[derive(Debug)]
pub struct Facts {
    source: String,
    observed_at: Timestamp,
    list: Vec<Fact>,
}

impl Facts {
    pub fn seen(source: impl Into<String>, observed_at: Timestamp) -> Self {
        Self { source: source.into(), observed_at, list: Vec::new() }
    }

    /// A fact that the plan rests on.
    #[must_use]
    pub fn with(self, name: &str, value: impl Into<Value>) -> Self {
        self.add(name, value.into(), false)
    }

    /// A fact that may change without changing what the plan would do.
    #[must_use]
    pub fn with_volatile(self, name: &str, value: impl Into<Value>) -> Self {
        self.add(name, value.into(), true)
    }

    pub fn into_vec(self) -> Vec<Fact> {
        self.list
    }

    fn add(mut self, name: &str, value: Value, volatile: bool) -> Self {
        let (source, observed_at) = (self.source.clone(), self.observed_at);
        self.list.push(Fact { name: name.to_owned(), value, source, observed_at, volatile });
        self
    }
}

/// A finding that nobody must act on.
pub fn remark(code: &str, message: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { severity: Severity::Note, ..Finding::blocker(code, message, remedy) }
}

/// Says something to whoever watches.
pub fn note(record: &Recorder, message: impl Into<String>) {
    record.note(Notice { message: message.into(), until: None });
}

/// Says what is waited for, and until when.
pub fn note_until(record: &Recorder, message: impl Into<String>, until: Timestamp) {
    record.note(Notice { message: message.into(), until: Some(until) });
}

/// `now` and a while.
pub fn after(now: Timestamp, by: std::time::Duration) -> Timestamp {
    let by = jiff::SignedDuration::try_from(by).unwrap_or(jiff::SignedDuration::MAX);
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
