//! Where runs are kept, and who may drive them. One protocol on two media: a directory, or a shared object store.
//!
//! ```text
//!  Store ── begin · open · list ──► Kept (a run) ── load · post · driver
//!    │                                │ claim: only if nobody drives, or to take over
//!    ├─ occurrences of scheduled jobs, each claimed once
//!    └─ hold targets ◄── Claim ◄──────┘
//!                          ├─ journal   whoever was superseded gets no append acknowledged
//!                          ├─ attend    heartbeats, requests of other terminals, whether somebody took over
//!                          └─ leave
//! ```
//!
//! The primitive everywhere is *create only if absent*: of two who claim a number, a record or a target, one succeeds.
//! Never compares the clocks of two machines.

mod ask;
mod attend;
mod claim;
mod directory;
mod error;
mod inbox;
mod kept;
mod occurrences;
mod shared;
mod target;

pub use ask::Asked;
pub use attend::{Attendance, Beating};
pub use claim::{Claim, Heard};
pub use directory::write_private;
pub use error::StoreError;
pub use inbox::Posted;
pub use kept::{Kept, Store};
pub use occurrences::{ClaimedOccurrence, Mark};
pub use target::Target;
