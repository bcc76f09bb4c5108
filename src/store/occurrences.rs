//! Occurrences of scheduled jobs: each is claimed once, by whichever scheduler comes first.
//!
//! ```text
//! <root>/schedule/<job>/<time>.json    who claimed it: created only if absent
//!                       <time>.ended   how it ended
//! ```

use std::io::{self, Write};

use super::{
    Store, StoreError,
    directory::{create_file, make_private, write_private},
    error::{check_id, io_error},
};
use crate::net::objects::Created;

const CLAIM: &str = ".json";

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
                let path = root.path.join("schedule").join(job).join(format!("{name}.ended"));
                write_private(&path, text.as_bytes()).map_err(|source| io_error("write", path, source))
            }
            Self::Objects(shelf) => {
                let objects = shelf.objects.below("schedule").below(job);
                Ok(objects.write(&format!("{name}.ended"), text.to_owned()).await?)
            }
        }
    }

    /// Names of the occurrences of a job that were claimed and of whose end nobody has written.
    pub async fn occurrences(&self, job: &str) -> Result<Vec<String>, StoreError> {
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
        let ended = |name: &str| names.iter().any(|other| other.strip_suffix(".ended") == Some(name));
        let claimed = names.iter().filter_map(|name| name.strip_suffix(CLAIM));
        Ok(claimed.filter(|name| !ended(name)).map(str::to_owned).collect())
    }
}
