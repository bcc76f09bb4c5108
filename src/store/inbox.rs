//! Requests of other terminals to the process that drives a run: a file each, answered by a file.
//!
//! A request is renamed into place whole, so a half-written one is never read. The driver removes it before it
//! answers; an answer comes only after the request's event is durable.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::directory::write_private;
use crate::run::engine::Request;

/// Longest request that is read: a comment of a few pages.
const LARGEST: u64 = 64 << 10;

/// A request on its way.
#[derive(Debug)]
pub struct Posted {
    request: PathBuf,
    answer: PathBuf,
}

/// Puts a request into the inbox. `name` must be unique.
pub fn post(inbox: &Path, name: &str, request: &Request) -> io::Result<Posted> {
    let path = inbox.join(format!("{name}.request"));
    write_private(&path, serde_json::to_string(request)?.as_bytes())?;
    Ok(Posted { request: path, answer: inbox.join(format!("{name}.answer")) })
}

impl Posted {
    /// The driver's answer, when it has come; it is removed.
    pub fn answer(&self) -> io::Result<Option<Result<(), String>>> {
        match std::fs::read(&self.answer) {
            Ok(bytes) => {
                std::fs::remove_file(&self.answer)?;
                Ok(Some(serde_json::from_slice(&bytes)?))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes the request back; true when nobody had taken it yet.
    pub fn withdraw(&self) -> bool {
        std::fs::remove_file(&self.request).is_ok()
    }
}

/// What lies in the inbox, oldest name first; each is removed. A file that cannot be understood is answered at once.
pub fn collect(inbox: &Path) -> io::Result<Vec<(PathBuf, Request)>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(inbox)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "request"))
        .collect();
    paths.sort();
    let mut requests = Vec::new();
    for path in paths {
        let answer = path.with_extension("answer");
        let understood = read(&path);
        std::fs::remove_file(&path)?;
        match understood {
            Ok(request) => requests.push((answer, request)),
            Err(error) => reply(&answer, &Err(format!("the request cannot be understood: {error}")))?,
        }
    }
    Ok(requests)
}

/// Answers a request.
pub fn reply(answer: &Path, result: &Result<(), String>) -> io::Result<()> {
    write_private(answer, serde_json::to_string(result)?.as_bytes())
}

fn read(path: &Path) -> io::Result<Request> {
    if path.metadata()?.len() > LARGEST {
        return Err(io::Error::other("it is too large"));
    }
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}
