//! Advisory file locks: the operating system frees them when the process dies, however it dies.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::Path,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::run::Person;

/// Who holds a lock; written into it for others to read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Holder {
    pub by: Person,
    pub pid: u32,
    pub since: Timestamp,
}

/// Held until it is dropped.
#[derive(Debug)]
pub struct DriverLock {
    _file: File,
}

impl DriverLock {
    /// The lock, or in words who has it.
    pub fn take(path: &Path, holder: &Holder) -> io::Result<Result<Self, String>> {
        let mut file = open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Err(read_holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(serde_json::to_string(holder)?.as_bytes())?;
        Ok(Ok(Self { _file: file }))
    }

    /// Waits for a lock that is only ever held for a moment.
    pub fn wait(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        file.lock()?;
        Ok(Self { _file: file })
    }

    pub fn is_held(path: &Path) -> bool {
        open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn read_holder(file: &mut File) -> String {
    let mut text = String::new();
    let holder = file.read_to_string(&mut text).ok().and_then(|_| serde_json::from_str::<Holder>(&text).ok());
    match holder {
        Some(Holder { by, pid, since }) => format!("{} on {}, process {pid}, since {since}", by.name, by.host),
        None => "another process".to_owned(),
    }
}
