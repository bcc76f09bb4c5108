//! The command line: one file a verb. stdout is data, stderr is the story.

pub mod arguments;
pub mod failure;
pub mod machine;
pub mod terminal;
pub use failure::{Exit, Failure};
