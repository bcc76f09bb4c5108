//! Runs: events, their fold, the pure decision, and the one loop that acts.

pub mod approval;
pub mod decide;
pub mod engine;
pub mod event;
pub mod inquiry;
pub mod journal;
pub mod lease;
mod person;
pub mod request;
pub mod state;
pub mod transition;

pub use engine::EngineError;
pub use event::{Disposition, Event, Intent, Outcome, RunId, StepError, TakeOver, Verdict, Word};
pub use journal::{Journal, JournalError, PowerCut, Record};
pub use person::Person;
pub use state::{State, StepState};
pub use transition::Illegal;
