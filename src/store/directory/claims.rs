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
    files::{create_file, make_private, read_limited, write_private},
};
use crate::{
    run::{
        journal::sync_directory,
        lease::{Holder, Lease},
    },
    store::{
        Claim, Heard, Kept, StoreError,
        claim::{Claimed, Hold},
        error::io_error,
    },
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

/// Another file with the same content takes the name.
fn replace_by_copy(path: &Path) -> io::Result<()> {
    write_private(path, &std::fs::read(path)?)
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
        if let Some(older) = self.older_driver()? {
            return Ok(Some(older));
        }
        self.claims()?.last().map(|last| self.heard(*last)).transpose()
    }

    /// The numbers of all claims, in order.
    fn claims(&self) -> Result<Vec<u64>, StoreError> {
        let directory = self.drivers();
        let entries = match std::fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(io_error("read", directory, source)),
        };
        let mut claims = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| io_error("read", &directory, source))?;
            claims.extend(entry.file_name().to_str().and_then(number));
        }
        claims.sort_unstable();
        Ok(claims)
    }

    fn heard(&self, claim: u64) -> Result<Heard, StoreError> {
        let path = self.claim_path(claim);
        let unreadable = |source| io_error("read", &path, source);
        let Claimed { holder, quiet_from } = serde_json::from_slice(&read_limited(&path, LARGEST).map_err(unreadable)?)
            .map_err(|error| StoreError::Damaged { place: path.display().to_string(), what: error.to_string() })?;
        let heard = path.metadata().and_then(|known| known.modified()).map_err(unreadable)?;
        let lives = is_held(&self.lock_path(&holder)).map_err(unreadable)?;
        Ok(Heard { claim, holder, at: Timestamp::try_from(heard).ok(), lives, quiet_from })
    }

    /// A process that drives by a lock of its own, and knows nothing of claims: it cannot be taken over.
    fn older_driver(&self) -> Result<Option<Heard>, StoreError> {
        let path = self.path.join("driver.lock");
        let unreadable = |source| io_error("read", &path, source);
        if !is_held(&path).map_err(unreadable)? {
            return Ok(None);
        }
        let holder: Holder = serde_json::from_slice(&read_limited(&path, LARGEST).map_err(unreadable)?)
            .map_err(|error| StoreError::Damaged { place: path.display().to_string(), what: error.to_string() })?;
        Ok(Some(Heard { claim: 0, holder, at: None, lives: true, quiet_from: None }))
    }

    /// Where a process that claimed earlier lives, whichever it is, the journal goes on in a copy, which that one does
    /// not know. What it had acknowledged before the claim is in the copy.
    pub(in crate::store) fn claim(&self, holder: &Holder, take_over: bool) -> Result<Claim, StoreError> {
        let drivers = self.drivers();
        make_private(&drivers)?;
        let path = self.lock_path(holder);
        let lock = Lock::new(path.clone()).map_err(|source| io_error("lock", path, source))?;
        // One at a time: the slower one of two copies would take away what was written to the faster one.
        let guard = drivers.join("guard.lock");
        let _guard = Lock::guard(&guard).map_err(|source| io_error("lock", guard, source))?;
        if let Some(older) = self.older_driver()? {
            return Err(StoreError::Driven { run: self.run.clone(), heard: Box::new(older) });
        }
        let heard: Vec<Heard> =
            self.claims()?.into_iter().map(|claim| self.heard(claim)).collect::<Result<_, StoreError>>()?;
        let last = heard.last();
        if let Some(heard) = last.filter(|last| last.lives && !take_over) {
            return Err(StoreError::Driven { run: self.run.clone(), heard: Box::new(heard.clone()) });
        }
        let number = last.map_or(1, |last| last.claim + 1);
        // Whoever took the run from it may have gone again without a word.
        let over = heard.iter().rev().find(|heard| heard.lives).map(|heard| heard.holder.clone());
        let quiet_from = over.as_ref().map(|_| number).or(last.and_then(|last| last.quiet_from));
        let claimed = Claimed { holder: holder.clone(), quiet_from };
        let path = self.claim_path(number);
        let lease = Lease::beginning(self.clock.clone());
        let claim = self.put_claim(&path, &claimed).map_err(|source| io_error("write", &path, source))?;
        if over.is_some() {
            let journal = self.journal_path();
            replace_by_copy(&journal).map_err(|source| io_error("copy", journal, source))?;
        }
        let kept = Kept::Directory(self.clone());
        let hold = Hold::Files { _lock: lock, claim };
        Ok(Claim { kept, number, holder: claimed.holder, over, quiet_from, lease, hold })
    }

    /// The claim's file. Under the guard nobody else takes its number.
    fn put_claim(&self, path: &Path, claimed: &Claimed) -> io::Result<File> {
        let temporary = self.lock_path(&claimed.holder).with_extension("new");
        let mut file = create_file(&temporary)?;
        let put = (|| {
            file.write_all(&serde_json::to_vec(claimed)?)?;
            file.sync_all()?;
            std::fs::hard_link(&temporary, path)?;
            sync_directory(&self.drivers())
        })();
        std::fs::remove_file(&temporary)?;
        put.map(|()| file)
    }

    /// Last heard of now.
    pub(in crate::store) fn touch(&self, claim: &File) -> Result<(), StoreError> {
        let now = std::time::SystemTime::from(self.clock.now());
        claim.set_modified(now).map_err(|source| io_error("touch", self.drivers(), source))
    }
}
