//! Why a journal cannot be used, and what to do then.

use std::{io, path::PathBuf};

use super::{FORMAT, LARGEST};
use crate::{net::ObjectError, run::lease::Holder};

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Store(#[from] ObjectError),
    #[error("{}: line {line} was written by a newer lifeboat (format {found}; this one reads up to {FORMAT})", path.display())]
    Newer { path: PathBuf, line: usize, found: u64 },
    #[error("{}: line {line} is damaged: {what}", path.display())]
    Damaged { path: PathBuf, line: usize, what: String },
    #[error("{} is not there, and {} is", path.display(), after.display())]
    Missing { path: PathBuf, after: PathBuf },
    #[error("{}: holds no complete record", path.display())]
    Empty { path: PathBuf },
    #[error("{}: {size} bytes, more than the {LARGEST} that are read", path.display())]
    TooLarge { path: PathBuf, size: u64 },
    /// Another process has claimed the run: whatever this one wrote last is not acknowledged.
    #[error("the run was taken over by {to}")]
    Superseded { to: Box<Holder> },
    /// Another process wrote the next record, and has not claimed the run after this one.
    #[error("{} was written by another process", path.display())]
    Overtaken { path: PathBuf },
    /// The claim of whoever drives next.
    #[error("{}: is not a claim ({what})", path.display())]
    Claim { path: PathBuf, what: String },
    /// The power cut of a test.
    #[error("the power was cut")]
    Cut,
}

impl JournalError {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Io { path, .. } => format!(
                "free space or make {} writable, then resume the run; nothing was started that is not written down",
                path.parent().unwrap_or(path).display()
            ),
            Self::Store(error) => error.hint().to_owned(),
            Self::Newer { .. } => "use the newer lifeboat to go on with this run".to_owned(),
            Self::Damaged { path, line, .. } => format!(
                "do not edit the journal; keep a copy of {}, read the service and the DNS record by hand, and compare with the lines before {line}",
                path.display()
            ),
            Self::Missing { path, .. } => format!(
                "somebody or a lifecycle rule deleted {}; bring it back (versions, soft delete), or read the service and the DNS record by hand",
                path.display()
            ),
            Self::Empty { .. } => "the run never began; start it again under another id".to_owned(),
            Self::TooLarge { .. } => {
                "this is not a journal of lifeboat, or something wrote without end; look at its last lines".to_owned()
            }
            Self::Superseded { .. } => "nothing more is started here; whoever took it over goes on".to_owned(),
            Self::Overtaken { .. } => "look who else drives the run, then type the command again".to_owned(),
            Self::Claim { path, .. } => {
                format!("somebody wrote {} by hand; look who drives the run before you move it away", path.display())
            }
            Self::Cut => "resume the run".to_owned(),
        }
    }
}
