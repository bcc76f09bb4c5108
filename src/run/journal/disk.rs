//! A disk in memory that outlives the process that wrote to it, the power cuts of it, and how much fits on it.

use std::{
    io::ErrorKind,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::JournalError;

/// A simulated disk: what a crashed process leaves behind for the next one.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Platter>>);

#[derive(Debug, Default)]
struct Platter {
    bytes: Vec<u8>,
    /// Where each append so far began.
    appends: Vec<usize>,
    /// Bytes that fit; none: all.
    room: Option<usize>,
}

impl Disk {
    pub fn bytes(&self) -> Vec<u8> {
        self.platter().bytes.clone()
    }

    /// Where each append so far began.
    pub fn appends(&self) -> Vec<usize> {
        self.platter().appends.clone()
    }

    /// From now on so many bytes fit in all; none: as many as there are.
    pub fn set_room(&self, room: Option<usize>) {
        self.platter().room = room;
    }

    /// What does not fit is not written.
    pub(super) fn extend(&self, bytes: &[u8]) -> Result<(), JournalError> {
        let mut platter = self.platter();
        let start = platter.bytes.len();
        platter.appends.push(start);
        let left = platter.room.map_or(bytes.len(), |room| room.saturating_sub(start));
        platter.bytes.extend_from_slice(&bytes[..left.min(bytes.len())]);
        if left < bytes.len() {
            let source = ErrorKind::StorageFull.into();
            return Err(JournalError::Io { action: "cannot write to", path: "journal.jsonl".into(), source });
        }
        Ok(())
    }

    pub(super) fn truncate(&self, length: usize) {
        self.platter().bytes.truncate(length);
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A power cut of the crash tests: at the `append`-th append (from 0), after `bytes` bytes of it reached the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerCut {
    pub append: u64,
    /// `None`: the whole append is durable, and the power goes right after it.
    pub bytes: Option<usize>,
}
