//! The journal: append-only JSON Lines with a hash chain, durable before the effect it announces.
//!
//! ```text
//! {"v":1,"seq":0,"at":"…","prev":"000…","event":{"type":"planned",…},"sum":"…"}
//! {"v":1,"seq":1,"at":"…","prev":sha256(line 0),"event":{…},"sum":"…"}
//! ```
//!
//! ```text
//!  chain     how a line is written, and what holds lines together          pure
//!  records   lines as they are read                                        pure
//!  here      where lines go: a file · objects of a shared store · memory
//! ```
//!
//! Resilient against: a cut at any byte (the torn last line is dropped and said), a flipped bit anywhere
//! (`sum` covers its own line, `prev` the one before), a newer format (refused by name), another process that drives
//! the same run (whoever was superseded gets no append acknowledged).
//! Not resilient against: somebody who rewrites the whole file and all its hashes.

mod chain;
mod disk;
mod error;
mod objects;
mod records;
mod succession;

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use self::chain::Head;
use super::{Event, lease::Lease};
use crate::net::Objects;

pub use self::{
    chain::hex,
    disk::{Disk, PowerCut},
    error::JournalError,
    objects::{load as load_objects, name as object_name},
    records::{Loaded, Record, parse},
    succession::Succession,
};

/// Version of every record. Changelog:
/// 1. The first.
pub const FORMAT: u32 = 1;

/// Longest journal that is read: a run of 10,000 steps is below 32 MiB.
const LARGEST: u64 = 1 << 30;

/// Where events go.
#[derive(Debug)]
pub struct Journal {
    head: Head,
    buffer: Vec<u8>,
    medium: Medium,
    succession: Succession,
    lease: Lease,
    /// Appends so far; one is one sync.
    pub appends: u64,
}

#[derive(Debug)]
enum Medium {
    File {
        file: File,
        path: PathBuf,
    },
    Objects(Objects),
    Memory {
        disk: Disk,
        cut: Option<PowerCut>,
    },
    /// Measures the engine without a disk.
    Null,
}

impl Journal {
    /// A new file, mode 0600; refuses to overwrite.
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|source| io_error("cannot create", path, source))?;
        // The name itself must survive a power cut.
        if let Some(directory) = path.parent() {
            sync_directory(directory).map_err(|source| io_error("cannot sync", directory, source))?;
        }
        Ok(Self::on(Head::start(), Medium::File { file, path: path.to_owned() }))
    }

    /// Goes on after what `load` read: cuts a torn line off first.
    pub fn open(path: &Path, loaded: &Loaded) -> Result<Self, JournalError> {
        Self::reopen(path, loaded)?.cut_torn_line(loaded)
    }

    /// The file that has the name now. Nothing may be appended before [`Self::cut_torn_line`].
    pub fn reopen(path: &Path, loaded: &Loaded) -> Result<Self, JournalError> {
        let file =
            OpenOptions::new().append(true).open(path).map_err(|source| io_error("cannot write to", path, source))?;
        Ok(Self::on(loaded.head.clone(), Medium::File { file, path: path.to_owned() }))
    }

    /// Cuts off what `load` left out.
    pub fn cut_torn_line(self, loaded: &Loaded) -> Result<Self, JournalError> {
        if let Medium::File { file, path } = &self.medium
            && loaded.torn > 0
        {
            file.set_len(loaded.length as u64)
                .map_err(|source| io_error("cannot cut the torn line off", path, source))?;
            file.sync_all().map_err(|source| io_error("cannot sync", path, source))?;
        }
        Ok(self)
    }

    /// One object a record, below `objects`; new, or after what `load_objects` read.
    pub fn in_objects(objects: Objects, loaded: Option<&Loaded>) -> Self {
        Self::on(loaded.map_or_else(Head::start, |loaded| loaded.head.clone()), Medium::Objects(objects))
    }

    /// On a simulated disk that outlives it.
    pub fn in_memory(disk: Disk, cut: Option<PowerCut>) -> Self {
        Self::on(Head::start(), Medium::Memory { disk, cut })
    }

    /// Goes on after what `parse` read from the simulated disk: cuts a torn line off first.
    pub fn resume_in_memory(disk: Disk, loaded: &Loaded, cut: Option<PowerCut>) -> Self {
        disk.truncate(loaded.length);
        Self::on(loaded.head.clone(), Medium::Memory { disk, cut })
    }

    pub fn null() -> Self {
        Self::on(Head::start(), Medium::Null)
    }

    fn on(head: Head, medium: Medium) -> Self {
        let (succession, lease) = (Succession::Nobody, Lease::unlimited());
        Self { head, buffer: Vec::new(), medium, succession, lease, appends: 0 }
    }

    /// The same journal, of a process that another one may supersede.
    #[must_use]
    pub fn under(mut self, lease: Lease, succession: Succession) -> Self {
        (self.lease, self.succession) = (lease, succession);
        self
    }

    /// What whoever writes here counts on.
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Another process may still write a record here until this one has written its first.
    pub fn may_be_overtaken(&self) -> bool {
        match self.medium {
            Medium::Objects(_) => true,
            Medium::File { .. } | Medium::Memory { .. } | Medium::Null => false,
        }
    }

    /// What another process wrote here since this one read it; goes on after that.
    pub async fn catch_up(&mut self) -> Result<Vec<Record>, JournalError> {
        match &self.medium {
            Medium::Objects(objects) => objects::read_on(objects, &mut self.head).await,
            Medium::File { .. } | Medium::Memory { .. } | Medium::Null => Ok(Vec::new()),
        }
    }

    /// Writes all of `events` and returns when they are durable, and nobody had taken the run over: one write and one
    /// sync, or one object each. After an error the journal must not be used again, but for [`Self::catch_up`]: nobody
    /// knows what it holds.
    pub async fn append(&mut self, at: Timestamp, events: &[Event]) -> Result<(), JournalError> {
        let turn = self.appends;
        match &mut self.medium {
            Medium::Null => return Ok(()),
            Medium::Objects(objects) => {
                return objects::append(objects, &self.succession, &mut self.head, at, events).await;
            }
            Medium::File { .. } | Medium::Memory { .. } => {}
        }
        self.buffer.clear();
        for event in events {
            self.head.write(at, event, &mut self.buffer);
        }
        self.appends += 1;
        match &mut self.medium {
            Medium::File { file, path } => {
                file.write_all(&self.buffer).map_err(|source| io_error("cannot write to", path, source))?;
                file.sync_data().map_err(|source| io_error("cannot sync", path, source))?;
                // Whoever takes the run over claims it first and copies the file then: without a claim, this is in the copy.
                match self.succession.look().await? {
                    Some(to) => Err(JournalError::Superseded { to: Box::new(to) }),
                    None => Ok(()),
                }
            }
            Medium::Memory { disk, cut } => match cut {
                Some(PowerCut { append, bytes: part }) if *append == turn => {
                    disk.extend(&self.buffer[..part.unwrap_or(self.buffer.len()).min(self.buffer.len())])?;
                    Err(JournalError::Cut)
                }
                Some(_) | None => disk.extend(&self.buffer),
            },
            Medium::Objects(_) | Medium::Null => Ok(()),
        }
    }
}

/// Reads a journal file whole.
pub fn load(path: &Path) -> Result<Loaded, JournalError> {
    let size = path.metadata().map_err(|source| io_error("cannot read", path, source))?.len();
    if size > LARGEST {
        return Err(JournalError::TooLarge { path: path.to_owned(), size });
    }
    let bytes = std::fs::read(path).map_err(|source| io_error("cannot read", path, source))?;
    parse(path, &bytes)
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> JournalError {
    JournalError::Io { action, path: path.to_owned(), source }
}

/// Makes new names in a directory durable.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        File::open(directory)?.sync_all()
    }
    #[cfg(not(unix))]
    {
        let _nothing_to_sync = directory;
        Ok(())
    }
}
