//! A claim: who drives a run, under which number. Whoever claims the next number has taken the run over.

use std::{
    fs::File,
    sync::atomic::{AtomicU64, Ordering},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Kept, StoreError, directory::Lock};
use crate::run::{
    Event, Journal, JournalError,
    journal::{Loaded, Succession},
    lease::{Holder, Lease},
};

/// Who drives a run, or drove it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Number of the claim.
    pub claim: u64,
    pub holder: Holder,
    /// When it last said that it lives, by its own clock.
    pub at: Option<Timestamp>,
    /// It may live: it has not said goodbye, and nobody knows that it died.
    pub lives: bool,
    /// See [`Claimed::quiet_from`].
    pub(super) quiet_from: Option<u64>,
}

/// What a claim says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claimed {
    #[serde(flatten)]
    pub holder: Holder,
    /// The claim with this number was made while a process before it might still send what it had announced. Whoever
    /// claims later inherits this: nobody knows here whether anybody kept quiet for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_from: Option<u64>,
}

/// The right to drive a run, until somebody claims the next number.
#[derive(Debug)]
pub struct Claim {
    pub kept: Kept,
    /// From 1. Not the generation of the run: people who only write something down claim too.
    pub number: u64,
    pub holder: Holder,
    /// Who drove and had not gone when this was claimed.
    pub over: Option<Holder>,
    /// For [`State::owes_quiet`](crate::run::State::owes_quiet): from which claim on whoever attaches must leave alone
    /// for a while what is in doubt.
    pub quiet_from: Option<u64>,
    pub(super) lease: Lease,
    pub(super) hold: Hold,
}

/// What says that its process lives.
#[derive(Debug)]
pub(super) enum Hold {
    /// The lock, and the claim whose time of change is when it was last heard.
    Files { _lock: Lock, claim: File },
    /// Heartbeats so far.
    Heartbeats(AtomicU64),
}

impl Claim {
    /// The run's journal: new, or after what was loaded under this claim.
    pub async fn journal(&self, loaded: Option<&Loaded>) -> Result<Journal, StoreError> {
        self.kept.journal(self, loaded).await
    }

    /// Begins the run with its first record, which is durable when this returns. Whoever takes a target from a run that
    /// has no record yet claims that run first, so the look after the record says whether the targets are still its own.
    ///
    /// # Errors
    /// [`StoreError::Superseded`]: they are not, and nothing may be started.
    pub async fn begin(&self, at: Timestamp, planned: &Event) -> Result<Journal, StoreError> {
        let mut journal = self.journal(None).await?;
        journal.append(at, std::slice::from_ref(planned)).await?;
        self.look().await?;
        Ok(journal)
    }

    /// What whoever drives under this claim counts on.
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Says that this process lives, and looks whether somebody has taken the run over.
    ///
    /// # Errors
    /// [`StoreError::Superseded`]: then the lease is lost.
    pub async fn beat(&self) -> Result<(), StoreError> {
        let began = self.kept.clock().moment();
        match (&self.kept, &self.hold) {
            (Kept::Objects(objects), Hold::Heartbeats(count)) => {
                objects.beat(self.number, count.fetch_add(1, Ordering::Relaxed), false).await?;
            }
            (Kept::Directory(directory), Hold::Files { claim, .. }) => directory.touch(claim)?,
            (Kept::Objects(_), Hold::Files { .. }) | (Kept::Directory(_), Hold::Heartbeats(_)) => {}
        }
        self.seen(self.succession().once().look().await)?;
        self.lease.renew(began);
        Ok(())
    }

    /// Looks whether somebody has taken the run over. Errors as [`Self::beat`].
    pub async fn look(&self) -> Result<(), StoreError> {
        self.seen(self.succession().look().await)
    }

    fn seen(&self, next: Result<Option<Holder>, JournalError>) -> Result<(), StoreError> {
        match next {
            Ok(None) => Ok(()),
            Ok(Some(to)) => Err(self.superseded(to)),
            Err(error) => Err(StoreError::Journal(error)),
        }
    }

    pub(super) fn superseded(&self, to: Holder) -> StoreError {
        self.lease.lose(to.clone());
        StoreError::Superseded { run: self.kept.run().clone(), to: Box::new(to) }
    }

    pub(super) fn succession(&self) -> Succession {
        match &self.kept {
            Kept::Directory(directory) => Succession::File(directory.claim_path(self.number + 1)),
            Kept::Objects(objects) => objects.succession(self.number + 1),
        }
    }

    /// Says goodbye, so that the next one need not wait. What cannot be said is only logged: whoever comes next waits.
    pub async fn leave(self) {
        if let (Kept::Objects(objects), Hold::Heartbeats(count)) = (&self.kept, &self.hold)
            && let Err(error) = objects.beat(self.number, count.load(Ordering::Relaxed), true).await
        {
            tracing::warn!(%error, "the end of this drive could not be told");
        }
    }
}
