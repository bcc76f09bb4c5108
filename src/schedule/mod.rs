//! Schedules: what is rehearsed, backed up and looked at by itself, and when.
//!
//! ```text
//!  schedule.yaml ─ file ─► Schedule ─ occurrence ─► when each job is due, until when it may start   pure
//!                             │
//!                           keep ─ claims an occurrence in the store, starts it, writes down how it ended
//!                             │    what a scheduler that is gone left: goes on with it, or says what to type
//!                           told
//! ```
//!
//! Of two schedulers on one store, one claims an occurrence: it is created only if absent. A scheduler never drives a run
//! itself: whatever it starts is a process of its own, as a person would start it.

mod file;
mod keep;
mod occurrence;
mod told;

pub use file::{CatchUp, Job, Schedule, Work, parse};
pub use keep::{Launch, keep};
pub use occurrence::Occurrence;
pub use told::{How, Kept, Stands, Told};
