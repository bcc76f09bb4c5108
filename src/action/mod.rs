//! Actions: each probes (reads), performs (changes) and may undo. A closed enum and a library of functions.
//!
//! ```text
//!  plan ──► probe                                       engine ──► perform · follow · settle · undo
//!             └───────────────► dispatch: one match each ◄───────────┘
//!  arguments (typed) ─► one module per action ─► azure/ net/       recorder ─► the journal
//! ```
//!
//! The rules that every action keeps:
//! - `probe` never writes. It is also what the dry run does.
//! - `perform` reads again what may have moved, then `record.intend(…)`, then sends the one request, then
//!   `record.accepted(…)` where Azure gave an operation, then follows it.
//! - An error after `intend` whose outcome is unknown is [`crate::run::Disposition::InDoubt`], never retryable.
//! - `settle` only reads, and says what became of an intent.

mod adoption;
mod approval;
pub mod arguments;
mod backup_probe;
mod change_ready;
pub mod changes;
pub mod choose;
mod cname_change;
mod cname_notes;
mod command;
mod compare;
mod confirm_outage;
mod content_words;
mod context;
mod dispatch;
mod error;
mod fact;
mod find_latest;
mod flip_cname;
mod flip_undo;
mod gateway_health;
mod gateway_rules;
mod http_request;
mod long_change;
pub mod manifest;
mod name_time;
mod others;
pub mod permissions;
mod pool;
mod pool_azure;
mod pool_change;
mod pool_judge;
mod pool_settle;
mod propagation;
mod prune;
mod prune_rules;
pub mod readiness;
mod recorder;
mod restore;
pub mod role;
mod secret;
mod serving;
mod standing;
mod storage_reach;
mod take_backup;
mod tell;
mod verify_restore;
mod verify_standby;
mod wait;
mod whose;

pub use adoption::adopt;
pub use cname_change::record_of;
pub use cname_notes::generation;
pub use confirm_outage::LOOKS_ALIVE;
pub use context::{Call, Context, Done, Outside};
pub use dispatch::{effect, expected, follow, perform, probe, settle, settle_undo, undo};
pub use others::{Others, Unfinished};
pub use recorder::{Message, Recorder};
