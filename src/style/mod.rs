//! How text looks to people: colour, symbols, columns, durations and times. Every view shares it.
//!
//! Pure: whether there is colour, Unicode and how wide the terminal is, is handed in (see `cli::terminal`).
//! Colour never carries meaning alone: every symbol stands beside its word.

mod look;
mod page;
mod time;

pub use look::{Style, Symbol};
pub use page::{Page, columns, fit, one_line, pad, wrap};
pub use time::{duration, moment, precise, say, time};
