//! What people and programs see: every view is a fold of the same facts.
//!
//! ```text
//!  engine ─ events ─┬─ live     a terminal that can redraw
//!                   ├─ lines    everything else
//!                   └─ json     programs                      (story: one sentence an event)
//!  State ───────────┬─ summary  after a drive                  (world: what is true; objectives; advice)
//!                   ├─ status   at any time, from anywhere     (step: one step as people see it)
//!                   ├─ runs     all of them
//!                   └─ drills   what rehearsals took
//!  Plan, journal ───── dossier  what a board and an auditor read  (paper: HTML and Markdown)
//! ```
//!
//! A view never claims what is not known: in doubt is in doubt. A view that cannot be written never stops a run.

pub mod picture;
mod pools;

pub mod advice;
pub mod approvals;
mod backups;
pub mod board;
pub mod brief;
pub mod decision;
pub mod dossier;
pub mod doubt;
pub mod drills;
pub mod handover;
pub mod json;
pub mod lines;
pub mod live;
pub mod measured;
pub mod objectives;
pub mod outlet;
pub mod outlook;
pub mod paper;
pub mod readiness;
pub mod runs;
pub mod standing;
pub mod status;
pub mod step;
pub mod story;
pub mod summary;
pub mod way_back;
pub mod world;

pub use advice::{Advice, Commands};
pub use approvals::{Accepted, Approved, OpenItem};
pub use decision::{Override, overrides};
pub use dossier::{Beside, Dossier};
pub use doubt::Doubt;
pub use objectives::{Judgement, Objective, ObjectiveVerdict, objectives};
pub use outlook::Outlook;
pub use standing::Standing;
pub use status::{Process, Status};
pub use summary::Summary;
pub use world::World;
