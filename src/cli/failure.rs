//! Exit codes, and the one way in which a failure is printed: what happened, then what to do.

use std::fmt::Write as _;

use crate::{
    run::{EngineError, JournalError, Outcome, StepError},
    runbook::Problems,
    store::StoreError,
};

/// The exit codes of design §7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    StepFailed = 1,
    Usage = 2,
    Problems = 3,
    Refused = 4,
    Stuck = 5,
    Interrupted = 6,
    ObjectiveMissed = 7,
    Bug = 101,
}

impl Exit {
    /// Of another process of this program; what is none of these codes is a bug.
    pub fn of_code(code: i32) -> Self {
        const ALL: [Exit; 8] = [
            Exit::Done,
            Exit::StepFailed,
            Exit::Usage,
            Exit::Problems,
            Exit::Refused,
            Exit::Stuck,
            Exit::Interrupted,
            Exit::ObjectiveMissed,
        ];
        ALL.into_iter().find(|exit| *exit as i32 == code).unwrap_or(Self::Bug)
    }

    pub fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded | Outcome::Aborted => Self::Done,
            Outcome::Failed | Outcome::Undone => Self::StepFailed,
            Outcome::Refused => Self::Refused,
            Outcome::Stuck => Self::Stuck,
            Outcome::Interrupted => Self::Interrupted,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A failure of a command. `message` and `hint` are lower-case fragments.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub message: String,
    pub hint: String,
    /// Already drawn problems, printed instead of `message`.
    pub problems: Option<Problems>,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: hint.into(), problems: None }
    }

    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message, hint)
    }

    pub fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message, hint)
    }

    /// For stderr, with a line feed at the end.
    pub fn render(&self, colour: bool) -> String {
        let mut text = String::new();
        if let Some(problems) = &self.problems {
            text.push_str(&problems.render(colour));
        } else {
            let (red, reset) = if colour { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
            let _infallible = writeln!(text, "{red}error{reset}: {}", self.message);
        }
        if !self.hint.is_empty() {
            let _infallible = writeln!(text, "next: {}", self.hint);
        }
        text
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        let hint = "nothing was changed; correct the places above and type the command again".to_owned();
        Self { exit: Exit::Problems, message: String::new(), hint, problems: Some(problems) }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = match &error {
            StoreError::BadId(_) | StoreError::NoSuchRun { .. } => Exit::Usage,
            StoreError::Io { .. }
            | StoreError::Objects(_)
            | StoreError::Superseded { .. }
            | StoreError::Damaged { .. }
            | StoreError::RunExists(_)
            | StoreError::NotBegun(_)
            | StoreError::Driven { .. }
            | StoreError::TargetHeld { .. }
            | StoreError::Journal(_)
            | StoreError::Illegal { .. } => Exit::Refused,
        };
        Self::new(exit, error.to_string(), error.hint())
    }
}

impl From<StepError> for Failure {
    fn from(error: StepError) -> Self {
        Self::new(Exit::StepFailed, error.message, error.hint)
    }
}

impl Failure {
    /// No heartbeat got through, so that others may count this process dead.
    pub fn unheard(error: &StoreError, run: &str) -> Self {
        Self::new(
            Exit::Interrupted,
            format!("nobody can hear any more that this process drives the run, so nothing more was started: {error}"),
            format!("{}; then `lifeboat resume {run}`", error.hint()),
        )
    }

    /// The engine could not go on: the journal failed under it, or it has a bug.
    pub fn of_engine(error: &EngineError, run: &str) -> Self {
        match error {
            EngineError::Journal(JournalError::Superseded { to }) => Self::new(
                Exit::Refused,
                format!(
                    "the run was taken over by {to}: nothing more was started here, and what runs in Azure goes on"
                ),
                format!(
                    "`lifeboat status {run}` shows how far it is there; if nobody drives it, `lifeboat resume {run}` goes on"
                ),
            ),
            EngineError::Journal(error) => Self::new(
                Exit::Interrupted,
                format!("the journal cannot be written, so nothing more was started: {error}"),
                format!("{}; then `lifeboat resume {run}`", error.hint()),
            ),
            EngineError::Illegal(error) => Self::new(
                Exit::Bug,
                format!("this is a bug of lifeboat: {error}"),
                format!("what happened is written down; `lifeboat resume {run}` goes on, and please report this"),
            ),
        }
    }
}
