//! Tells people elsewhere what happens to a run: webhooks, Slack, Teams, `PagerDuty`.
//!
//! ```text
//!  engine ─ observer ─► News ─┬─► queue ─► task ─► POST, again until the deadline     one of each for a receiver
//!  schedule ─────────────────┘└─► queue ─► task ─► …
//! ```
//!
//! Never in the way of a run: nobody waits for a queue, a full one loses what comes next, a receiver that is slow, gone or
//! has no secret is told of at the end and changes nothing. Never shows a secret or the URL of a receiver.
//! At least once: what a lost answer leaves open is sent again, under the same id.

mod news;
mod payload;
mod post;
mod queue;

pub use news::{News, Severity};
pub use payload::payload;
pub use post::{Failed, Post, check};
pub use queue::{Notifier, Untold};
