//! A disk in memory that outlives the process of a test, and the power cuts of it.

use std::sync::{Arc, Mutex, PoisonError};

/// A simulated disk: what a crashed process leaves behind for the next one.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Vec<u8>>>);

impl Disk {
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn extend(&self, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
    }

    pub(super) fn truncate(&self, length: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).truncate(length);
    }
}

/// A power cut of the crash tests: at the `append`-th append (from 0), after `bytes` bytes of it reached the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerCut {
    pub append: u64,
    /// `None`: the whole append is durable, and the power goes right after it.
    pub bytes: Option<usize>,
}
