//! The proof: a runbook is run in the simulator once undisturbed, then once for every point at which something can go
//! wrong, each time until it ends; and what it came to is judged.
//!
//! ```text
//!  runbook ─► case (mode, world, plan, undisturbed run) ─► points ─► trial ─► verdict ─► proof (text, JSON, Markdown)
//!                                                            │         ▲
//!                                                            └─ fork ──┘   the world of the plan, one copy a point
//! ```
//!
//! In memory and on tokio's paused clock: no file, no socket, no wait. All chance is the seed's, so two proofs of one
//! seed say the same, byte for byte. Never acts on a real site, and never starts a program or asks a host that the
//! simulator does not have: such steps are taken as done, and the proof says so.

mod blow;
mod case;
mod effects;
mod judge;
pub mod operator;
mod proof;
mod retold;
mod rows;
mod shared;
mod stage;
mod text;
mod trial;
mod truth;
mod worlds;

pub use case::{Case, Order, Unprovable};
pub use effects::duplicates;
pub use proof::{CaseProof, Failed, Proof, Tally, prove};
pub use rows::{Point, rows};
pub use stage::Stage;
