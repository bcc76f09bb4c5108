//! Requests of other terminals and machines to the process that drives a run: a file or an object each, answered by
//! another.
//!
//! A request comes into place whole, so a half-written one is never read. The driver removes it before it answers; an
//! answer comes only after the request's event is durable.

use std::{io, path::PathBuf};

use super::{
    Kept, StoreError,
    directory::{read_limited, write_private},
    error::io_error,
};
use crate::{net::Objects, run::engine::Request};

/// Longest request that is read: a comment of a few pages.
pub(super) const LARGEST: u64 = 64 << 10;

/// A request on its way.
#[derive(Debug)]
pub struct Posted {
    medium: Medium,
}

#[derive(Debug)]
enum Medium {
    Files { request: PathBuf, answer: PathBuf },
    Objects { control: Objects, name: String },
}

pub(super) async fn post(kept: &Kept, name: &str, request: &Request) -> Result<Posted, StoreError> {
    let text = serde_json::to_string(request).expect("text keys");
    let medium = match kept {
        Kept::Directory(directory) => {
            let inbox = directory.inbox_path();
            let path = inbox.join(format!("{name}.request"));
            write_private(&path, text.as_bytes()).map_err(|source| io_error("write", &path, source))?;
            Medium::Files { request: path, answer: inbox.join(format!("{name}.answer")) }
        }
        Kept::Objects(objects) => {
            let control = objects.control.clone();
            control.write(&format!("{name}.request"), text).await?;
            Medium::Objects { control, name: name.to_owned() }
        }
    };
    Ok(Posted { medium })
}

impl Posted {
    /// The driver's answer, when it has come; it is removed.
    pub async fn answer(&self) -> Result<Option<Result<(), String>>, StoreError> {
        let (place, bytes) = match &self.medium {
            Medium::Files { answer, .. } => match std::fs::read(answer) {
                Ok(bytes) => {
                    std::fs::remove_file(answer).map_err(|source| io_error("remove", answer, source))?;
                    (answer.display().to_string(), bytes)
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(source) => return Err(io_error("read", answer, source)),
            },
            Medium::Objects { control, name } => {
                let answer = format!("{name}.answer");
                let Some(found) = control.read(&answer).await? else { return Ok(None) };
                control.delete(&answer).await?;
                (control.shown(&answer), found.bytes.to_vec())
            }
        };
        let answer =
            serde_json::from_slice(&bytes).map_err(|error| StoreError::Damaged { place, what: error.to_string() })?;
        Ok(Some(answer))
    }

    /// Takes the request back; true when nobody had taken it yet, as far as can be told.
    pub async fn withdraw(&self) -> bool {
        match &self.medium {
            Medium::Files { request, .. } => std::fs::remove_file(request).is_ok(),
            Medium::Objects { control, name } => {
                let request = format!("{name}.request");
                let there = control.read(&request).await.is_ok_and(|found| found.is_some());
                there && control.delete(&request).await.is_ok()
            }
        }
    }
}

/// A request that was taken out of the inbox.
#[derive(Debug)]
pub(super) struct Taken {
    pub name: String,
    pub request: Result<Request, String>,
}

/// What lies in the inbox of a directory, oldest name first; each is removed. Only files: a pipe would keep whoever opens
/// it waiting, and a directory could not be removed.
pub(super) fn collect(inbox: &std::path::Path) -> Result<Vec<Taken>, StoreError> {
    let entries = std::fs::read_dir(inbox).map_err(|source| io_error("read", inbox, source))?;
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".request")?.to_owned()))
        .collect();
    names.sort();
    let mut taken = Vec::new();
    for name in names {
        let path = inbox.join(format!("{name}.request"));
        let request =
            read_limited(&path, LARGEST).map_err(|error| error.to_string()).and_then(|bytes| understand(&bytes));
        std::fs::remove_file(&path).map_err(|source| io_error("remove", &path, source))?;
        taken.push(Taken { name, request });
    }
    Ok(taken)
}

/// The requests among the names of a shared store's control objects; each is removed.
pub(super) async fn collect_objects(control: &Objects, names: &[(String, u64)]) -> Result<Vec<Taken>, StoreError> {
    let mut taken = Vec::new();
    for (object, size) in names {
        let Some(name) = object.strip_suffix(".request") else { continue };
        let request = if *size > LARGEST {
            Err("it is too large".to_owned())
        } else {
            // Gone: taken back meanwhile.
            let Some(found) = control.read(object).await? else { continue };
            understand(&found.bytes)
        };
        control.delete(object).await?;
        taken.push(Taken { name: name.to_owned(), request });
    }
    Ok(taken)
}

fn understand(bytes: &[u8]) -> Result<Request, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// Answers a request.
pub(super) async fn reply(kept: &Kept, name: &str, result: &Result<(), String>) -> Result<(), StoreError> {
    let text = serde_json::to_string(result).expect("text keys");
    match kept {
        Kept::Directory(directory) => {
            let path = directory.inbox_path().join(format!("{name}.answer"));
            write_private(&path, text.as_bytes()).map_err(|source| io_error("write", path, source))
        }
        Kept::Objects(objects) => Ok(objects.control.write(&format!("{name}.answer"), text).await?),
    }
}
