//! How a run stands: ended, driven, or left alone by a driver that died.

use serde::{Deserialize, Serialize};

use crate::{
    run::{Outcome, State},
    style::Symbol,
};

/// How a run stands, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// A process drives it now.
    Driven,
    /// The process that drove it is gone and did not say goodbye.
    Abandoned,
    /// It has not ended; whether a process drives it cannot be told from here.
    Unknown,
    #[serde(untagged)]
    Ended(Outcome),
}

impl Standing {
    /// `driven`: whether a process holds the run now; `None` when that cannot be told.
    pub fn of(state: &State, driven: Option<bool>) -> Self {
        match (&state.stopped, driven) {
            (Some((outcome, _, _)), _) => Self::Ended(*outcome),
            (None, Some(true)) => Self::Driven,
            (None, Some(false)) => Self::Abandoned,
            (None, None) => Self::Unknown,
        }
    }

    /// One word, or two, for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Driven => "running",
            Self::Abandoned => "driver died",
            Self::Unknown => "not ended",
            Self::Ended(Outcome::Succeeded) => "succeeded",
            Self::Ended(Outcome::Failed) => "failed",
            Self::Ended(Outcome::Refused) => "refused",
            Self::Ended(Outcome::Undone) => "undone",
            Self::Ended(Outcome::Stuck) => "stuck",
            Self::Ended(Outcome::Interrupted) => "interrupted",
            Self::Ended(Outcome::Aborted) => "aborted",
        }
    }

    pub fn symbol(self) -> Symbol {
        match self {
            Self::Driven => Symbol::Running,
            Self::Abandoned | Self::Unknown => Symbol::Doubt,
            Self::Ended(Outcome::Succeeded) => Symbol::Done,
            Self::Ended(Outcome::Failed | Outcome::Stuck) => Symbol::Failed,
            Self::Ended(Outcome::Refused | Outcome::Interrupted | Outcome::Aborted) => Symbol::Warning,
            Self::Ended(Outcome::Undone) => Symbol::Undo,
        }
    }

    /// Some process may still be at work on it.
    pub fn may_be_driven(self) -> bool {
        match self {
            Self::Driven | Self::Unknown => true,
            Self::Abandoned | Self::Ended(_) => false,
        }
    }

    /// Nothing follows.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Driven | Self::Abandoned | Self::Unknown => false,
            Self::Ended(outcome) => outcome.is_terminal(),
        }
    }
}
