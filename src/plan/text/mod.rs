//! The dry run as text, for an operator and for a change board: what would happen, to what, for how long, what could
//! not be verified, and where going back ends.
//!
//! Pure. Every word that colour underlines is also written out.

mod findings;
mod paper;
mod step;
mod timeline;
mod value;
mod whole;

pub use paper::paper;
pub use timeline::starts;
pub use whole::{Next, brief, render};
