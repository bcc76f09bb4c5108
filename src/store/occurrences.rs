//! Occurrences of scheduled jobs: each is claimed once, by whichever scheduler comes first.
//!
//! ```text
//! <root>/schedule/<job>/<time>.json        who claimed it: created only if absent
//!                       <time>.resumed-N   who goes on with its run for the Nth time: created only if absent
//!                       <time>.stopped-N   whose scheduler stopped during the run's Nth drive
//!                       <time>.told        that it goes on by a person's hand only was told
//!                       <time>.ended       how it ended
//! ```

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::{
    Store, StoreError,
    directory::{create_file, make_private, read_limited, write_private},
    error::{check_id, io_error},
};
use crate::net::objects::Created;

const CLAIM: &str = ".json";
const ENDED: &str = ".ended";
const RESUMED: &str = ".resumed-";
const STOPPED: &str = ".stopped-";

/// Longest claim that is read.
const LARGEST: u64 = 64 << 10;

/// An occurrence that somebody claimed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimedOccurrence {
    pub name: String,
    /// Its end is written.
    pub ended: bool,
    /// How often a scheduler went on with its run.
    pub resumed: u32,
    /// The last drive of its run, by its generation, that a scheduler's own end interrupted.
    pub stopped: Option<u32>,
}

impl ClaimedOccurrence {
    /// What a file beside the claim says, by its name after the occurrence's.
    fn read(&mut self, ending: &str) {
        if ending == ENDED {
            self.ended = true;
        } else if let Some(number) = ending.strip_prefix(RESUMED) {
            self.resumed = self.resumed.max(number.parse().unwrap_or_default());
        } else if let Some(number) = ending.strip_prefix(STOPPED) {
            self.stopped = self.stopped.max(number.parse().ok());
        }
    }
}

/// What is written beside a claim once, by whoever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Its run goes on, for the so manieth time.
    Resumed(u32),
    /// Its scheduler stopped during that drive of its run.
    Stopped(u32),
    /// That it goes on by a person's hand only was told.
    Told,
}

impl Mark {
    fn ending(self) -> String {
        match self {
            Self::Resumed(number) => format!("{RESUMED}{number}"),
            Self::Stopped(generation) => format!("{STOPPED}{generation}"),
            Self::Told => ".told".to_owned(),
        }
    }
}

impl Store {
    /// False: it was claimed before. Durable when it returns.
    pub async fn claim_occurrence(&self, job: &str, name: &str, text: &str) -> Result<bool, StoreError> {
        self.create_beside(job, name, CLAIM, text).await
    }

    /// False: somebody wrote it before. Durable when it returns.
    pub async fn mark_occurrence(&self, job: &str, name: &str, mark: Mark, text: &str) -> Result<bool, StoreError> {
        self.create_beside(job, name, &mark.ending(), text).await
    }

    async fn create_beside(&self, job: &str, name: &str, ending: &str, text: &str) -> Result<bool, StoreError> {
        check_id(job)?;
        check_id(name)?;
        match self {
            Self::Directory(root) => {
                let directory = root.path.join("schedule").join(job);
                make_private(&directory)?;
                let path = directory.join(format!("{name}{ending}"));
                let mut file = match create_file(&path) {
                    Ok(file) => file,
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
                    Err(source) => return Err(io_error("create", path, source)),
                };
                let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
                written.map_err(|source| io_error("write", &path, source))?;
                crate::run::journal::sync_directory(&directory)
                    .map_err(|source| io_error("sync", directory, source))?;
                Ok(true)
            }
            Self::Objects(shelf) => {
                let objects = shelf.objects.below("schedule").below(job);
                match objects.create(&format!("{name}{ending}"), text.to_owned()).await? {
                    Created::Ours => Ok(true),
                    Created::Taken(_) => Ok(false),
                }
            }
        }
    }

    /// Writes down how an occurrence ended.
    pub async fn note_occurrence(&self, job: &str, name: &str, text: &str) -> Result<(), StoreError> {
        check_id(job)?;
        check_id(name)?;
        match self {
            Self::Directory(root) => {
                let path = root.path.join("schedule").join(job).join(format!("{name}{ENDED}"));
                write_private(&path, text.as_bytes()).map_err(|source| io_error("write", path, source))
            }
            Self::Objects(shelf) => {
                let objects = shelf.objects.below("schedule").below(job);
                Ok(objects.write(&format!("{name}{ENDED}"), text.to_owned()).await?)
            }
        }
    }

    /// What was written when an occurrence was claimed. None: nobody has.
    pub async fn claim_of(&self, job: &str, name: &str) -> Result<Option<String>, StoreError> {
        self.read_beside(job, name, CLAIM).await
    }

    /// What was written when a mark was made. None: nobody has.
    pub async fn mark_of(&self, job: &str, name: &str, mark: Mark) -> Result<Option<String>, StoreError> {
        self.read_beside(job, name, &mark.ending()).await
    }

    async fn read_beside(&self, job: &str, name: &str, ending: &str) -> Result<Option<String>, StoreError> {
        check_id(job)?;
        check_id(name)?;
        let bytes = match self {
            Self::Directory(root) => {
                let path = root.path.join("schedule").join(job).join(format!("{name}{ending}"));
                match read_limited(&path, LARGEST) {
                    Ok(bytes) => Some(bytes),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                    Err(source) => return Err(io_error("read", path, source)),
                }
            }
            Self::Objects(shelf) => {
                let objects = shelf.objects.below("schedule").below(job);
                objects.read(&format!("{name}{ending}")).await?.map(|found| found.bytes.to_vec())
            }
        };
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The occurrences of a job that were claimed, the newest last.
    pub async fn occurrences(&self, job: &str) -> Result<Vec<ClaimedOccurrence>, StoreError> {
        check_id(job)?;
        let names: Vec<String> = match self {
            Self::Directory(root) => {
                let directory = root.path.join("schedule").join(job);
                let entries = match std::fs::read_dir(&directory) {
                    Ok(entries) => entries,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                    Err(source) => return Err(io_error("read", directory, source)),
                };
                let entries: io::Result<Vec<_>> = entries.collect();
                let entries = entries.map_err(|source| io_error("read", directory, source))?;
                entries.into_iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
            }
            Self::Objects(shelf) => {
                let objects = shelf.objects.below("schedule").below(job);
                objects.list().await?.into_iter().map(|object| object.name).collect()
            }
        };
        let claimed = names.iter().filter_map(|file| file.strip_suffix(CLAIM));
        let of = |name: &str| ClaimedOccurrence { name: name.to_owned(), ..ClaimedOccurrence::default() };
        let mut all: BTreeMap<&str, ClaimedOccurrence> = claimed.map(|name| (name, of(name))).collect();
        for file in &names {
            let (name, ending) = file.split_at(file.find('.').unwrap_or(file.len()));
            if let Some(claim) = all.get_mut(name) {
                claim.read(ending);
            }
        }
        Ok(all.into_values().collect())
    }
}
