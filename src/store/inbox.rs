//! Requests of other terminals and machines to the process that drives a run: a file or an object each.
//!
//! ```text
//!  <name>.request   what is asked; comes into place whole, so that a half-written one is never read
//!  <name>.taken     whose it is: created only if absent, by the driver or by whoever takes it back, before either reads it
//!  <name>.answer    what became of it; only after the request's event is durable
//! ```
//!
//! A name says which claim the request is for. A process that drives under a later one answers that it came too late:
//! nothing that was asked of one process is done by another one, days later.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{
    Kept, StoreError,
    directory::{create_file, read_limited, write_private},
    error::io_error,
};
use crate::{net::Objects, net::objects::Created, run::engine::Request};

/// Longest request that is read: a comment of a few pages.
const LARGEST: u64 = 64 << 10;

/// The answer to what was asked of a process before this one.
const TOO_LATE: &str = "the process that it was for has gone; nothing was done, so say it again if it is still meant";

/// Where the requests to whoever drives a run lie.
#[derive(Clone, Debug)]
pub(super) enum Inbox {
    Files(PathBuf),
    Objects(Objects),
}

/// The name of a request to whoever drives under that claim.
pub(super) fn name_for(claim: u64, unique: &str) -> String {
    format!("for-{claim:06}-{unique}")
}

/// Which claim a request is for; none of an older lifeboat says it.
fn claim_of(name: &str) -> Option<u64> {
    name.strip_prefix("for-")?.split_once('-')?.0.parse().ok()
}

impl Inbox {
    pub fn of(kept: &Kept) -> Self {
        match kept {
            Kept::Directory(directory) => Self::Files(directory.inbox_path()),
            Kept::Objects(objects) => Self::Objects(objects.control.clone()),
        }
    }

    /// The same, asked once: for what is asked again soon anyway.
    pub fn once(self) -> Self {
        match self {
            Self::Files(path) => Self::Files(path),
            Self::Objects(objects) => Self::Objects(objects.once()),
        }
    }

    async fn write(&self, name: &str, text: String) -> Result<(), StoreError> {
        match self {
            Self::Files(inbox) => {
                let path = inbox.join(name);
                write_private(&path, text.as_bytes()).map_err(|source| io_error("write", path, source))
            }
            Self::Objects(objects) => Ok(objects.write(name, text).await?),
        }
    }

    /// At most a byte more than what is read of a request.
    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self {
            Self::Files(inbox) => {
                let path = inbox.join(name);
                match read_limited(&path, LARGEST) {
                    Ok(bytes) => Ok(Some(bytes)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(source) => Err(io_error("read", path, source)),
                }
            }
            Self::Objects(objects) => Ok(objects.read(name).await?.map(|found| found.bytes.to_vec())),
        }
    }

    async fn remove(&self, name: &str) -> Result<(), StoreError> {
        match self {
            Self::Files(inbox) => {
                let path = inbox.join(name);
                match std::fs::remove_file(&path) {
                    Ok(()) => Ok(()),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    Err(source) => Err(io_error("remove", path, source)),
                }
            }
            Self::Objects(objects) => Ok(objects.delete(name).await?),
        }
    }

    /// What lies in the way of nothing: it is only untidy.
    async fn tidy(&self, name: &str) {
        if let Err(error) = self.remove(name).await {
            tracing::warn!(%error, "the inbox is not tidy");
        }
    }

    /// Makes a request one's own; true as well when it is that already. `mark`: differs from everybody else's.
    async fn take(&self, name: &str, mark: &str) -> Result<bool, StoreError> {
        let taken = format!("{name}.taken");
        match self {
            Self::Files(inbox) => {
                let path = inbox.join(&taken);
                let put = create_file(&path).and_then(|mut file| file.write_all(mark.as_bytes()));
                match put {
                    Ok(()) => Ok(true),
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        Ok(self.read(&taken).await?.is_some_and(|found| found == mark.as_bytes()))
                    }
                    Err(source) => Err(io_error("write", path, source)),
                }
            }
            Self::Objects(objects) => Ok(objects.create(&taken, mark.to_owned()).await? == Created::Ours),
        }
    }
}

/// A request on its way.
#[derive(Debug)]
pub struct Posted {
    inbox: Inbox,
    name: String,
}

pub(super) async fn post(kept: &Kept, name: &str, request: &Request) -> Result<Posted, StoreError> {
    let inbox = Inbox::of(kept);
    inbox.write(&format!("{name}.request"), serde_json::to_string(request).expect("text keys")).await?;
    Ok(Posted { inbox, name: name.to_owned() })
}

impl Posted {
    /// The driver's answer, when it has come; it is removed.
    pub async fn answer(&self) -> Result<Option<Result<(), String>>, StoreError> {
        let name = format!("{}.answer", self.name);
        let Some(bytes) = self.inbox.read(&name).await? else { return Ok(None) };
        let answer = serde_json::from_slice(&bytes)
            .map_err(|error| StoreError::Damaged { place: name.clone(), what: error.to_string() })?;
        self.inbox.tidy(&name).await;
        self.inbox.tidy(&format!("{}.taken", self.name)).await;
        Ok(Some(answer))
    }

    /// Takes the request back; false when somebody else has it. `mark`: differs from everybody else's.
    pub async fn withdraw(&self, mark: &str) -> Result<bool, StoreError> {
        if !self.inbox.take(&self.name, mark).await? {
            return Ok(false);
        }
        // In this order: without its request there is nothing to be had by whoever finds it free again.
        self.inbox.remove(&format!("{}.request", self.name)).await?;
        self.inbox.tidy(&format!("{}.taken", self.name)).await;
        Ok(true)
    }
}

/// A request that was taken out of the inbox.
#[derive(Debug)]
pub(super) struct Taken {
    pub name: String,
    /// Or why it is not even tried.
    pub request: Result<Request, String>,
}

/// Whoever takes requests out.
#[derive(Debug)]
pub(super) struct Reader {
    inbox: Inbox,
    claim: u64,
    /// Differs from everybody else's.
    mark: String,
    /// What it has taken already, should it lie there again.
    taken: BTreeSet<String>,
    first_look: bool,
}

impl Reader {
    pub fn new(kept: &Kept, claim: u64, mark: String) -> Self {
        Self { inbox: Inbox::of(kept).once(), claim, mark, taken: BTreeSet::new(), first_look: true }
    }

    /// Takes what lies there for it or was left behind, oldest first. `listed`: names and sizes. What cannot be taken now
    /// is tried again at the next look.
    pub async fn collect(&mut self, listed: &[(String, u64)]) -> Vec<Taken> {
        let mut collected = Vec::new();
        for (file, size) in listed {
            let Some(name) = file.strip_suffix(".request") else { continue };
            let claim = claim_of(name);
            if claim.is_some_and(|claim| claim > self.claim) {
                continue;
            }
            if !self.taken.contains(name) {
                match self.take(name, *size).await {
                    Ok(Some(request)) => {
                        self.taken.insert(name.to_owned());
                        // One of an older lifeboat says not whom it is for: what lay there first was for somebody else.
                        let late = claim.map_or(self.first_look, |claim| claim < self.claim);
                        let request = if late { Err(TOO_LATE.to_owned()) } else { request };
                        collected.push(Taken { name: name.to_owned(), request });
                    }
                    // Taken back, or another's.
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!(%error, "a request cannot be read now");
                        continue;
                    }
                }
            }
            if self.taken.contains(name) || claim.is_some_and(|claim| claim < self.claim) {
                self.inbox.tidy(file).await;
            }
        }
        if std::mem::take(&mut self.first_look) {
            self.sweep(listed).await;
        }
        collected
    }

    async fn take(&self, name: &str, size: u64) -> Result<Option<Result<Request, String>>, StoreError> {
        if !self.inbox.take(name, &self.mark).await? {
            return Ok(None);
        }
        if size > LARGEST {
            return Ok(Some(Err("the request cannot be understood: it is too large".to_owned())));
        }
        let Some(bytes) = self.inbox.read(&format!("{name}.request")).await? else {
            self.inbox.tidy(&format!("{name}.taken")).await;
            return Ok(None);
        };
        let understood = serde_json::from_slice(&bytes);
        Ok(Some(understood.map_err(|error| format!("the request cannot be understood: {error}"))))
    }

    /// Removes what nobody came for: answers of processes before this one.
    async fn sweep(&self, listed: &[(String, u64)]) {
        for (file, _) in listed {
            let name = file.strip_suffix(".answer").or_else(|| file.strip_suffix(".taken"));
            let Some(name) = name.filter(|name| !self.taken.contains(*name)) else { continue };
            if claim_of(name).is_none_or(|claim| claim < self.claim) {
                self.inbox.tidy(file).await;
            }
        }
    }
}

/// Names and sizes of what lies in the inbox of a directory, by name. Only files: a pipe would keep whoever opens it
/// waiting, and a directory could not be removed.
pub(super) fn list(inbox: &Path) -> Result<Vec<(String, u64)>, StoreError> {
    let entries = std::fs::read_dir(inbox).map_err(|source| io_error("read", inbox, source))?;
    let mut listed: Vec<(String, u64)> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.metadata().ok()?.len())))
        .collect();
    listed.sort();
    Ok(listed)
}

/// Answers a request.
pub(super) async fn reply(kept: &Kept, name: &str, result: &Result<(), String>) -> Result<(), StoreError> {
    let text = serde_json::to_string(result).expect("text keys");
    Inbox::of(kept).write(&format!("{name}.answer"), text).await
}
