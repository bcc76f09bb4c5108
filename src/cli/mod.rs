//! The command line: one file a verb. stdout is data, stderr is the story.

pub mod arguments;
pub mod failure;
pub mod machine;
pub mod world;
pub mod check;
pub mod operator;
pub mod terminal;
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
pub fn print(_: &str) -> Result<Exit, Failure> { Ok(Exit::Done) }
