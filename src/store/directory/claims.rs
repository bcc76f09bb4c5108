//! Claims in a directory: a numbered file each, which names a lock. A claim comes into place with its lock held, so the
//! lock is free only when its process has ended.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::{
    RunDirectory,
    files::{create_file, make_private, read_limited},
};
use crate::{
    run::{
        journal::sync_directory,
        lease::{Holder, Lease},
    },
    store::{Claim, Heard, Kept, StoreError, claim::Hold, error::io_error},
};

/// Longest claim that is read.
const LARGEST: u64 = 64 << 10;

/// Held until it is dropped; its name goes then.
#[derive(Debug)]
pub(in crate::store) struct Lock {
    _file: File,
    path: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "a lock's name stays");
        }
    }
}

impl Lock {
    fn new(path: PathBuf) -> io::Result<Self> {
        let file = create_file(&path)?;
        file.lock()?;
        Ok(Self { _file: file, path })
    }

    /// Waits for a lock that is only ever held for a moment; its name stays.
    pub(super) fn guard(path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        file.lock()?;
        Ok(file)
    }
}

/// Whether a process holds it. Asks for a share only, so that two who ask do not take each other for the holder.
fn is_held(path: &Path) -> io::Result<bool> {
    match File::open(path) {
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// `000012.json`
fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json").filter(|digits| digits.len() >= 6)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

impl RunDirectory {
    fn drivers(&self) -> PathBuf {
        self.path.join("drivers")
    }

    pub(in crate::store) fn claim_path(&self, number: u64) -> PathBuf {
        self.drivers().join(format!("{number:06}.json"))
    }

    fn lock_path(&self, holder: &Holder) -> PathBuf {
        // What stands in a claim may have been written by anybody.
        let name: String = holder.nonce.chars().filter(char::is_ascii_alphanumeric).collect();
        self.drivers().join(format!("{name}.lock"))
    }

    /// The last claim.
    pub(in crate::store) fn driver(&self) -> Result<Option<Heard>, StoreError> {
        let directory = self.drivers();
        let entries = match std::fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io_error("read", directory, source)),
        };
        let mut last = None;
        for entry in entries {
            let entry = entry.map_err(|source| io_error("read", &directory, source))?;
            last = last.max(entry.file_name().to_str().and_then(number));
        }
        let Some(claim) = last else { return Ok(None) };
        let path = self.claim_path(claim);
        let unreadable = |source| io_error("read", &path, source);
        let holder: Holder = serde_json::from_slice(&read_limited(&path, LARGEST).map_err(unreadable)?)
            .map_err(|error| StoreError::Damaged { place: path.display().to_string(), what: error.to_string() })?;
        let heard = path.metadata().and_then(|known| known.modified()).map_err(unreadable)?;
        let lives = is_held(&self.lock_path(&holder)).map_err(unreadable)?;
        Ok(Some(Heard { claim, holder, at: Timestamp::try_from(heard).ok(), lives }))
    }

    pub(in crate::store) fn claim(&self, holder: &Holder, take_over: bool) -> Result<Claim, StoreError> {
        let drivers = self.drivers();
        make_private(&drivers)?;
        let path = self.lock_path(holder);
        let lock = Lock::new(path.clone()).map_err(|source| io_error("lock", path, source))?;
        loop {
            let last = self.driver()?;
            let lives = last.as_ref().filter(|last| last.lives);
            if let Some(heard) = lives
                && !take_over
            {
                return Err(StoreError::Driven { run: self.run.clone(), heard: Box::new(heard.clone()) });
            }
            let over = lives.map(|heard| heard.holder.clone());
            let number = last.map_or(1, |last| last.claim + 1);
            let path = self.claim_path(number);
            let lease = Lease::beginning(self.clock.clone());
            let claim = self.put_claim(&path, holder).map_err(|source| io_error("write", &path, source))?;
            // Taken by somebody else meanwhile: look again.
            let Some(claim) = claim else { continue };
            let kept = Kept::Directory(self.clone());
            let hold = Hold::Files { _lock: lock, claim };
            return Ok(Claim { kept, number, holder: holder.clone(), over, lease, hold });
        }
    }

    /// The claim's file, if nobody else has that number.
    fn put_claim(&self, path: &Path, holder: &Holder) -> io::Result<Option<File>> {
        let temporary = self.lock_path(holder).with_extension("new");
        let mut file = create_file(&temporary)?;
        let put = (|| {
            file.write_all(&serde_json::to_vec(holder)?)?;
            file.sync_all()?;
            match std::fs::hard_link(&temporary, path) {
                Ok(()) => sync_directory(&self.drivers()).map(|()| true),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(error),
            }
        })();
        std::fs::remove_file(&temporary)?;
        Ok(put?.then_some(file))
    }

    /// Last heard of now.
    pub(in crate::store) fn touch(&self, claim: &File) -> Result<(), StoreError> {
        let now = std::time::SystemTime::from(self.clock.now());
        claim.set_modified(now).map_err(|source| io_error("touch", self.drivers(), source))
    }
}
