//! Runs: events, their fold, the pure decision, and the one loop that acts.

pub mod event;

pub use event::{Disposition, Event, Intent, Outcome, Person, RunId, StepError, Verdict};
