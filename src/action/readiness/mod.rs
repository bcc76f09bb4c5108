//! Readiness: would a failover work now? Part of every plan, beside the probes of its steps.
//!
//! ```text
//!  steps (kind, arguments) ─► subjects ─► observe ──── reads, bounded ───► azure/ net/
//!                                            │
//!  what the probes saw ──────────────────► judge ─► findings (plan::codes)
//! ```
//!
//! A probe tells what stands in the way of its own step; readiness tells what no step looks at, and never the same again.
//! What could not be read is a finding of its own, never called fine. Sends GET only; not even a POST that only reads.

mod ask;
pub mod backups;
mod groups;
mod locks;
mod names;
mod observe;
mod receivers;
mod resemblance;
mod rights;
mod roles;
mod services;
mod state;
mod storage;
mod subjects;
mod throttling;

pub use observe::{Observed, judge, observe};
pub use subjects::{Planned, Probed, Subjects};
