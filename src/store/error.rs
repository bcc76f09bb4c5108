//! Why a store cannot do what it was asked, and what to do then.

use std::{io, path::PathBuf};

use crate::{
    net::ObjectError,
    run::{JournalError, RunId, lease::Holder},
    style::moment,
};

use super::Heard;

/// Longest id of a run; it is a directory name.
pub(super) const LONGEST_ID: usize = 64;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Objects(#[from] ObjectError),
    #[error("`{0}` is not a run id")]
    BadId(String),
    #[error("there is no run `{run}` in {place}")]
    NoSuchRun { run: String, place: String },
    #[error("there is a run `{0}` already")]
    RunExists(RunId),
    #[error("there is a run `{0}` already, and it has no record yet")]
    NotBegun(RunId),
    #[error("run `{run}` is being driven by {}", heard.sentence())]
    Driven { run: RunId, heard: Box<Heard> },
    #[error("run `{run}` was taken over by {to}")]
    Superseded { run: RunId, to: Box<Holder> },
    #[error("run `{run}` holds {target} ({what})")]
    TargetHeld { run: RunId, target: String, what: String },
    #[error("{place} cannot be understood: {what}")]
    Damaged { place: String, what: String },
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the journal of run `{run}` cannot be followed: {source}")]
    Illegal { run: RunId, source: crate::run::Illegal },
}

impl StoreError {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Io { path, .. } => {
                format!(
                    "free space or make {} writable, or name another directory with --state",
                    path.parent().unwrap_or(path).display()
                )
            }
            Self::Objects(error) => error.hint().to_owned(),
            Self::BadId(_) => {
                format!("letters, digits, `.`, `_` and `-`, beginning with a letter or digit, at most {LONGEST_ID}")
            }
            Self::NoSuchRun { .. } => "`lifeboat runs` lists them; --state or --site names another place".to_owned(),
            Self::RunExists(run) => format!("`lifeboat resume {run}` goes on with it; or choose another --run-id"),
            Self::NotBegun(_) => {
                "if nobody is beginning it right now, its process ended before its first record: choose another --run-id"
                    .to_owned()
            }
            Self::Driven { run, .. } => format!(
                "`lifeboat status {run}` shows it; stop that process first, it detaches and loses nothing; if it cannot \
                 be reached, `lifeboat resume {run} --take-over --reason TEXT` goes on here"
            ),
            Self::Superseded { run, .. } => format!(
                "`lifeboat status {run}` shows who drives it and how far it is; if nobody drives it, `lifeboat resume {run}` goes on"
            ),
            Self::TargetHeld { run, .. } => {
                format!(
                    "`lifeboat resume {run}` goes on with that run, `lifeboat abort {run}` ends it and frees the target"
                )
            }
            Self::Damaged { place, .. } => {
                format!("somebody wrote {place} by hand; look who drives which run before you move it away")
            }
            Self::Journal(error) => error.hint(),
            Self::Illegal { .. } => {
                "the journal was written by another version or by hand; do not edit it, and read the world by hand"
                    .to_owned()
            }
        }
    }

    /// One run cannot be read, and others can; else the store itself did not answer.
    pub fn is_of_one_run(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::Illegal { .. } => true,
            Self::Journal(error) => match error {
                JournalError::Newer { .. }
                | JournalError::Damaged { .. }
                | JournalError::Missing { .. }
                | JournalError::Empty { .. }
                | JournalError::TooLarge { .. }
                | JournalError::Claim { .. } => true,
                JournalError::Io { .. }
                | JournalError::Store(_)
                | JournalError::Superseded { .. }
                | JournalError::Overtaken { .. }
                | JournalError::Cut => false,
            },
            Self::Io { .. }
            | Self::Objects(_)
            | Self::BadId(_)
            | Self::NoSuchRun { .. }
            | Self::RunExists(_)
            | Self::NotBegun(_)
            | Self::Driven { .. }
            | Self::Superseded { .. }
            | Self::TargetHeld { .. } => false,
        }
    }

    /// Somebody else drives the run now.
    pub fn is_superseded(&self) -> bool {
        matches!(self, Self::Superseded { .. } | Self::Journal(JournalError::Superseded { .. }))
    }
}

impl Heard {
    /// `dana on jump-1, process 7, since …, last heard …`
    pub fn sentence(&self) -> String {
        match self.at {
            Some(at) => format!("{}, last heard {}", self.holder, moment(at)),
            None => self.holder.to_string(),
        }
    }
}

pub(super) fn io_error(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> StoreError {
    StoreError::Io { action, path: path.into(), source }
}

pub(super) fn check_id(id: &str) -> Result<(), StoreError> {
    let mut bytes = id.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let rest = bytes.all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if first && rest && id.len() <= LONGEST_ID { Ok(()) } else { Err(StoreError::BadId(id.to_owned())) }
}
