//! The store in an object store, which machines share.
//!
//! ```text
//! <prefix>/runs/<run>/journal/0000000000.json   one record each
//!                     control/000001.json       who claimed the run, first to last; the last one drives
//!                     control/000001.heard      its heartbeat; the last one says that it left
//!                     control/<name>.request    of other terminals and machines, and `.answer`
//! <prefix>/targets/<digest>.json                which run holds a service or a record
//! <prefix>/index/<run>.json                     how the run stood when its last drive began or ended
//! ```
//!
//! One listing of `control/` a second serves requests, and tells whether somebody took the run over.

mod claims;
mod index;
mod targets;

pub(super) use claims::SILENCE;

use super::{Claim, StoreError, error::check_id};
use crate::{
    net::{Objects, objects::Tell},
    run::{
        Journal, RunId,
        journal::{self, Loaded},
        lease::Holder,
    },
};

/// A prefix with runs below it.
#[derive(Clone)]
pub struct Shelf {
    pub(super) objects: Objects,
    pub(super) tell: Option<Tell>,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf").field("objects", &self.objects).finish_non_exhaustive()
    }
}

/// One run's objects.
#[derive(Clone)]
pub struct RunObjects {
    pub(super) run: RunId,
    pub(super) journal: Objects,
    pub(super) control: Objects,
    pub(super) tell: Option<Tell>,
}

impl std::fmt::Debug for RunObjects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunObjects").field("run", &self.run).finish_non_exhaustive()
    }
}

impl Shelf {
    fn run(&self, run: RunId) -> RunObjects {
        let objects = self.objects.below("runs").below(&run.0);
        RunObjects {
            run,
            journal: objects.below("journal"),
            control: objects.below("control"),
            tell: self.tell.clone(),
        }
    }

    pub(super) async fn begin(&self, run: &RunId, holder: &Holder) -> Result<Claim, StoreError> {
        let objects = self.run(run.clone());
        match objects.claim_number(1, holder, None, None).await? {
            Some(claim) => Ok(claim),
            None if objects.has_begun().await? => Err(StoreError::RunExists(run.clone())),
            None => Err(StoreError::NotBegun(run.clone())),
        }
    }

    pub(super) async fn open(&self, run: &str) -> Result<RunObjects, StoreError> {
        let objects = self.run(RunId(run.into()));
        if !objects.has_begun().await? {
            return Err(StoreError::NoSuchRun { run: run.to_owned(), place: self.objects.shown("") });
        }
        Ok(objects)
    }

    /// Every run that was claimed once; one whose first record is missing is told when it is loaded.
    pub(super) async fn list(&self) -> Result<Vec<RunObjects>, StoreError> {
        let names = self.objects.below("runs").directories().await?;
        Ok(names.into_iter().filter(|name| check_id(name).is_ok()).map(|name| self.run(RunId(name.into()))).collect())
    }
}

impl RunObjects {
    /// Its first record is there.
    async fn has_begun(&self) -> Result<bool, StoreError> {
        Ok(self.journal.read(&journal::object_name(0)).await?.is_some())
    }

    /// The same; nobody is told what is watched.
    pub(super) fn quietly(&self) -> Self {
        Self { tell: None, ..self.clone() }
    }

    pub(super) async fn load(&self) -> Result<Loaded, StoreError> {
        Ok(journal::load_objects(&self.journal).await?)
    }

    pub(super) fn journal(&self, claim: &Claim, loaded: Option<&Loaded>) -> Journal {
        Journal::in_objects(self.journal.clone(), loaded).under(claim.lease().clone(), claim.succession())
    }
}
