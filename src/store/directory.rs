//! The store in a directory.
//!
//! ```text
//! <root>/runs/<run>/journal.jsonl        the run
//!                   drivers/000001.json  who claimed it, first to last; the last one drives
//!                   drivers/<nonce>.lock held by the process of a claim: the system frees it however that dies
//!                   driver.lock          held by a lifeboat from before there were claims
//!                   inbox/               requests of other terminals to that process
//!                   world.json           the simulator's world, for simulated runs
//! <root>/targets/<digest>.json           which run holds a service or a record
//! ```

mod claims;
mod files;
mod targets;

use std::{io, path::PathBuf};

use super::{
    Claim, StoreError,
    error::{check_id, io_error},
};
use crate::{
    clock::Clock,
    net::objects::Tell,
    run::{
        Journal, JournalError, RunId,
        journal::{self, Loaded, sync_directory},
        lease::Holder,
    },
};

pub(super) use claims::Lock;
use files::create_private;
pub(super) use files::make_private;
pub use files::write_private;
pub(super) use files::{create_file, read_limited};

/// A directory with runs in it.
#[derive(Clone)]
pub struct Root {
    pub(super) path: PathBuf,
    pub(super) clock: Clock,
    pub(super) tell: Option<Tell>,
}

/// One run's directory.
#[derive(Clone)]
pub struct RunDirectory {
    pub(super) run: RunId,
    pub(super) path: PathBuf,
    pub(super) clock: Clock,
    pub(super) tell: Option<Tell>,
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Root").field("path", &self.path).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for RunDirectory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunDirectory").field("run", &self.run).finish_non_exhaustive()
    }
}

impl Root {
    fn runs(&self) -> PathBuf {
        self.path.join("runs")
    }

    fn run(&self, run: RunId) -> RunDirectory {
        RunDirectory { path: self.runs().join(&*run.0), run, clock: self.clock.clone(), tell: self.tell.clone() }
    }

    pub(super) fn begin(&self, run: &RunId, holder: &Holder) -> Result<Claim, StoreError> {
        let runs = self.runs();
        make_private(&runs)?;
        let directory = self.run(run.clone());
        match create_private(&directory.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(match directory.load_begun()? {
                    Some(_) => StoreError::RunExists(run.clone()),
                    None => StoreError::NotBegun(run.clone()),
                });
            }
            Err(source) => return Err(io_error("create", directory.path, source)),
        }
        let inbox = directory.inbox_path();
        create_private(&inbox).map_err(|source| io_error("create", inbox, source))?;
        sync_directory(&runs).map_err(|source| io_error("sync", runs, source))?;
        directory.claim(holder, false)
    }

    pub(super) fn open(&self, run: &str) -> Result<RunDirectory, StoreError> {
        check_id(run)?;
        let directory = self.run(RunId(run.into()));
        if !directory.journal_path().is_file() {
            return Err(StoreError::NoSuchRun { run: run.to_owned(), place: self.path.display().to_string() });
        }
        Ok(directory)
    }

    pub(super) fn list(&self) -> Result<Vec<RunDirectory>, StoreError> {
        let runs = self.runs();
        let entries = match std::fs::read_dir(&runs) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(io_error("read", runs, source)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| io_error("read", &runs, source))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if check_id(&name).is_ok() && entry.path().join("journal.jsonl").is_file() {
                found.push(self.run(RunId(name.into())));
            }
        }
        found.sort_by(|a, b| a.run.cmp(&b.run));
        Ok(found)
    }
}

impl RunDirectory {
    pub(super) fn journal_path(&self) -> PathBuf {
        self.path.join("journal.jsonl")
    }

    pub(super) fn inbox_path(&self) -> PathBuf {
        self.path.join("inbox")
    }

    pub(super) fn load(&self) -> Result<Loaded, StoreError> {
        Ok(journal::load(&self.journal_path())?)
    }

    /// None: it has no record yet, and perhaps never will.
    fn load_begun(&self) -> Result<Option<Loaded>, StoreError> {
        if !self.journal_path().is_file() {
            return Ok(None);
        }
        match self.load() {
            Ok(loaded) => Ok(Some(loaded)),
            Err(StoreError::Journal(JournalError::Empty { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A process that drove before this one may still write to the file that it has open. What was claimed from a living
    /// one goes on in a copy, which that process does not know: see [`Self::claim`].
    pub(super) async fn journal(&self, claim: &Claim, loaded: Option<&Loaded>) -> Result<Journal, StoreError> {
        let path = self.journal_path();
        let Some(loaded) = loaded else {
            let journal = Journal::create(&path)?;
            return Ok(journal.under(claim.lease().clone(), claim.succession()));
        };
        let file = Journal::reopen(&path, loaded)?;
        // Open before this look: whoever claims the run from here on copies this file or a later one.
        if let Some(to) = claim.succession().look().await? {
            return Err(claim.superseded(to));
        }
        let journal = file.cut_torn_line(loaded)?;
        Ok(journal.under(claim.lease().clone(), claim.succession()))
    }
}
