//! Occurrences of scheduled jobs: each is claimed once, by whichever scheduler comes first.
//!
//! ```text
//! <root>/schedule/<job>/<time>.json    who claimed it: created only if absent
//!                       <time>.ended   how it ended
//! ```

use std::{
    collections::BTreeSet,
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

/// Longest claim that is read.
const LARGEST: u64 = 64 << 10;

/// An occurrence that somebody claimed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaimedOccurrence {
    pub name: String,
    /// Its end is written.
    pub ended: bool,
}

impl Store {
    /// False: it was claimed before. Durable when it returns.
    pub async fn claim_occurrence(&self, job: &str, name: &str, text: &str) -> Result<bool, StoreError> {
        check_id(job)?;
        check_id(name)?;
        match self {
            Self::Directory(root) => {
                let directory = root.path.join("schedule").join(job);
                make_private(&directory)?;
                let path = directory.join(format!("{name}{CLAIM}"));
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
                match objects.create(&format!("{name}{CLAIM}"), text.to_owned()).await? {
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
        check_id(job)?;
        check_id(name)?;
        let bytes = match self {
            Self::Directory(root) => {
                let path = root.path.join("schedule").join(job).join(format!("{name}{CLAIM}"));
                match read_limited(&path, LARGEST) {
                    Ok(bytes) => Some(bytes),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                    Err(source) => return Err(io_error("read", path, source)),
                }
            }
            Self::Objects(shelf) => {
                let objects = shelf.objects.below("schedule").below(job);
                objects.read(&format!("{name}{CLAIM}")).await?.map(|found| found.bytes.to_vec())
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
        let ended: BTreeSet<&str> = names.iter().filter_map(|name| name.strip_suffix(ENDED)).collect();
        let claimed = names.iter().filter_map(|name| name.strip_suffix(CLAIM));
        let mut all: Vec<_> =
            claimed.map(|name| ClaimedOccurrence { name: name.to_owned(), ended: ended.contains(name) }).collect();
        all.sort();
        Ok(all)
    }
}
