//! What the resource manager says is left of the requests that it takes from this identity (azure-facts 4).

use std::sync::atomic::{AtomicU32, Ordering};

use http::HeaderMap;

/// The least that any answer told: another instance of the resource manager may have more, and the next may be any.
#[derive(Debug)]
pub struct Budget {
    reads: AtomicU32,
    writes: AtomicU32,
}

/// Nothing was told.
const UNKNOWN: u32 = u32::MAX;

impl Default for Budget {
    fn default() -> Self {
        Self { reads: AtomicU32::new(UNKNOWN), writes: AtomicU32::new(UNKNOWN) }
    }
}

impl Budget {
    /// Reads that are left; none: no answer told.
    pub fn reads(&self) -> Option<u32> {
        told(&self.reads)
    }

    /// Writes that are left; none: no answer told.
    pub fn writes(&self) -> Option<u32> {
        told(&self.writes)
    }

    pub(super) fn note(&self, headers: &HeaderMap) {
        for (kind, least) in [("reads", &self.reads), ("writes", &self.writes)] {
            let header = headers.get(format!("x-ms-ratelimit-remaining-subscription-{kind}"));
            if let Some(left) = header.and_then(|value| value.to_str().ok()?.trim().parse().ok()) {
                least.fetch_min(left, Ordering::Relaxed);
            }
        }
    }
}

fn told(least: &AtomicU32) -> Option<u32> {
    Some(least.load(Ordering::Relaxed)).filter(|left| *left != UNKNOWN)
}
