//! Runs: events, their fold, the pure decision, and the one loop that acts.

pub mod decide;
pub mod engine;
pub mod event;
pub mod inquiry;
pub mod journal;
pub mod lease;
pub mod request;
pub mod state;
pub mod transition;

pub use engine::EngineError;
pub use event::{Disposition, Event, Intent, Outcome, Person, RunId, StepError, TakeOver, Verdict, Word};
pub use journal::{Journal, JournalError, PowerCut, Record};
pub use state::{State, StepState};
pub use transition::Illegal;
