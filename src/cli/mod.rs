//! The command line: one file a verb. stdout is data, stderr is the story.

pub mod arguments;
pub mod check;
pub mod failure;
pub mod machine;
pub mod operator;
pub mod terminal;
pub mod world;
pub use failure::{Exit, Failure};

use arguments::{Everywhere, Output};
use machine::Machine;
#[derive(Debug)]
pub struct Session {
    pub everywhere: Everywhere,
    pub machine: Machine,
}

impl Session {
    pub fn json(&self) -> bool {
        self.everywhere.output == Output::Json
    }
}
pub fn print(_: &str) -> Result<Exit, Failure> {
    Ok(Exit::Done)
}
