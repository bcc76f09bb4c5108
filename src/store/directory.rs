//! The directory store.
//!
//! ```text
//! <root>/runs/<run>/journal.jsonl    the run
//!                   driver.lock      held by the process that drives it
//!                   inbox/           requests of other terminals to that process
//!                   world.json       the simulator's world, for simulated runs
//! <root>/targets/<digest>.json       which run holds a service or a record
//! ```

use std::{
    io,
    path::{Path, PathBuf},
};

use super::lock::{DriverLock, Holder};
use crate::run::{
    Journal, JournalError, RunId, State,
    journal::{self, Loaded, sync_directory},
};

/// Longest id of a run; it is a directory name.
const LONGEST_ID: usize = 64;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("`{0}` is not a run id")]
    BadId(String),
    #[error("there is no run `{run}` in {}", root.display())]
    NoSuchRun { run: String, root: PathBuf },
    #[error("there is a run `{0}` already")]
    RunExists(RunId),
    #[error("run `{run}` is being driven by {holder}")]
    Driven { run: RunId, holder: String },
    #[error("run `{run}` holds {target} ({what})")]
    TargetHeld { run: RunId, target: String, what: String },
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
                    "make {} writable, or name another directory with --state",
                    path.parent().unwrap_or(path).display()
                )
            }
            Self::BadId(_) => {
                format!("letters, digits, `.`, `_` and `-`, beginning with a letter or digit, at most {LONGEST_ID}")
            }
            Self::NoSuchRun { .. } => "`lifeboat runs` lists them; --state or --site names another place".to_owned(),
            Self::RunExists(run) => format!("`lifeboat resume {run}` goes on with it; or choose another --run-id"),
            Self::Driven { run, .. } => {
                format!("`lifeboat status {run}` shows it; stop that process first, it detaches and loses nothing")
            }
            Self::TargetHeld { run, .. } => {
                format!(
                    "`lifeboat resume {run}` goes on with that run, `lifeboat abort {run}` ends it and frees the target"
                )
            }
            Self::Journal(error) => error.hint(),
            Self::Illegal { .. } => {
                "the journal was written by another version or by hand; do not edit it, and read the world by hand"
                    .to_owned()
            }
        }
    }
}

/// A directory with runs in it.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// One run's directory.
#[derive(Clone, Debug)]
pub struct RunDirectory {
    pub run: RunId,
    pub path: PathBuf,
}

impl Store {
    /// Does not touch the disk.
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A new, empty directory for a run. The name is durable when this returns.
    pub fn create(&self, run: &RunId) -> Result<RunDirectory, StoreError> {
        check_id(&run.0)?;
        let runs = self.root.join("runs");
        make_private(&runs)?;
        let path = runs.join(&*run.0);
        match create_private(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(StoreError::RunExists(run.clone()));
            }
            Err(source) => return Err(StoreError::Io { action: "create", path, source }),
        }
        let inbox = path.join("inbox");
        create_private(&inbox).map_err(|source| StoreError::Io { action: "create", path: inbox, source })?;
        sync_directory(&runs).map_err(|source| StoreError::Io { action: "sync", path: runs, source })?;
        Ok(RunDirectory { run: run.clone(), path })
    }

    /// An existing run.
    pub fn open(&self, run: &str) -> Result<RunDirectory, StoreError> {
        check_id(run)?;
        let path = self.root.join("runs").join(run);
        if !path.join("journal.jsonl").is_file() {
            return Err(StoreError::NoSuchRun { run: run.to_owned(), root: self.root.clone() });
        }
        Ok(RunDirectory { run: RunId(run.into()), path })
    }

    /// Every run, newest name last.
    pub fn list(&self) -> Result<Vec<RunDirectory>, StoreError> {
        let runs = self.root.join("runs");
        let entries = match std::fs::read_dir(&runs) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(StoreError::Io { action: "read", path: runs, source }),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| StoreError::Io { action: "read", path: runs.clone(), source })?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if check_id(&name).is_ok() && entry.path().join("journal.jsonl").is_file() {
                found.push(RunDirectory { run: RunId(name.into()), path: entry.path() });
            }
        }
        found.sort_by(|a, b| a.run.cmp(&b.run));
        Ok(found)
    }

    /// Takes every target for `run`, or none. A target is held until the run that holds it is over,
    /// also while nobody drives that run: a restore may still be going on.
    pub fn hold_targets(&self, run: &RunId, targets: &[String]) -> Result<(), StoreError> {
        let directory = self.root.join("targets");
        make_private(&directory)?;
        let _guard = DriverLock::wait(&directory.join("guard.lock")).map_err(|source| StoreError::Io {
            action: "lock",
            path: directory.clone(),
            source,
        })?;
        for target in targets {
            if let Some(holder) = self.target_holder(target)?
                && holder != *run
                && let Some(what) = self.unfinished(&holder)?
            {
                return Err(StoreError::TargetHeld { run: holder, target: target.clone(), what });
            }
        }
        for target in targets {
            let path = self.target_path(target);
            let text = serde_json::json!({ "target": target, "run": run }).to_string();
            write_private(&path, text.as_bytes()).map_err(|source| StoreError::Io {
                action: "write",
                path: path.clone(),
                source,
            })?;
        }
        Ok(())
    }

    fn target_path(&self, target: &str) -> PathBuf {
        self.root.join("targets").join(format!("{}.json", &journal::hex(target.as_bytes())[..32]))
    }

    fn target_holder(&self, target: &str) -> Result<Option<RunId>, StoreError> {
        #[derive(serde::Deserialize)]
        struct Held {
            run: RunId,
        }
        let path = self.target_path(target);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::Io { action: "read", path, source }),
        };
        let held: Held = serde_json::from_slice(&bytes).map_err(|error| StoreError::Io {
            action: "understand",
            path,
            source: io::Error::other(error),
        })?;
        Ok(Some(held.run))
    }

    /// In words, why a run is not over; none when it is over or is not there.
    fn unfinished(&self, run: &RunId) -> Result<Option<String>, StoreError> {
        let directory = match self.open(&run.0) {
            Ok(directory) => directory,
            Err(StoreError::NoSuchRun { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let (state, _) = directory.load()?;
        Ok(match &state.stopped {
            _ if state.is_over() => None,
            Some((_, reason, at)) => Some(format!("it stopped at {at}: {reason}")),
            None => Some(format!("last heard of at {}", state.last_event_at)),
        })
    }
}

impl RunDirectory {
    pub fn journal_path(&self) -> PathBuf {
        self.path.join("journal.jsonl")
    }

    pub fn world_path(&self) -> PathBuf {
        self.path.join("world.json")
    }

    pub fn inbox_path(&self) -> PathBuf {
        self.path.join("inbox")
    }

    /// Reads and folds the journal.
    pub fn load(&self) -> Result<(State, Loaded), StoreError> {
        let loaded = journal::load(&self.journal_path())?;
        let state = State::fold(loaded.records.iter().map(|record| (record.at, &record.event)))
            .map_err(|source| StoreError::Illegal { run: self.run.clone(), source })?;
        Ok((state, loaded))
    }

    /// A new journal.
    pub fn create_journal(&self) -> Result<Journal, StoreError> {
        Ok(Journal::create(&self.journal_path())?)
    }

    /// The lock of the process that drives the run, or who has it.
    pub fn lock(&self, holder: &Holder) -> Result<DriverLock, StoreError> {
        let path = self.path.join("driver.lock");
        match DriverLock::take(&path, holder) {
            Ok(Ok(lock)) => Ok(lock),
            Ok(Err(other)) => Err(StoreError::Driven { run: self.run.clone(), holder: other }),
            Err(source) => Err(StoreError::Io { action: "lock", path, source }),
        }
    }

    /// Whether a process drives the run now.
    pub fn is_driven(&self) -> bool {
        DriverLock::is_held(&self.path.join("driver.lock"))
    }
}

fn check_id(id: &str) -> Result<(), StoreError> {
    let mut bytes = id.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let rest = bytes.all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if first && rest && id.len() <= LONGEST_ID { Ok(()) } else { Err(StoreError::BadId(id.to_owned())) }
}

/// Mode 0700; the parents must exist.
fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn make_private(path: &Path) -> Result<(), StoreError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| StoreError::Io { action: "create", path: path.to_owned(), source })
}

/// Replaces a file's content at once, mode 0600, durable when it returns.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let temporary = path.with_extension(format!("{}.new", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    // A bare file name has the working directory for its parent, written as nothing.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync_directory(parent)
}
