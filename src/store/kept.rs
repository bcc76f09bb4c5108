//! The store and a run in it, whichever the medium.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use object_store::ObjectStore;
use serde_json::Value;

use super::{
    Claim, Heard, Posted, StoreError, Target,
    directory::{self, RunDirectory},
    error::check_id,
    inbox,
    shared::{self, RunObjects},
};
use crate::{
    clock::Clock,
    net::{Objects, objects::Tell},
    run::{Journal, RunId, State, engine::Request, journal::Loaded, lease::Holder},
};

/// Where runs are kept.
#[derive(Clone, Debug)]
pub enum Store {
    Directory(directory::Root),
    Objects(shared::Shelf),
}

/// One run in a store.
#[derive(Clone, Debug)]
pub enum Kept {
    Directory(RunDirectory),
    Objects(Box<RunObjects>),
}

impl Store {
    /// Does not touch the disk. `clock`: the machine's own; heartbeats do not run by simulated time.
    pub fn directory(root: PathBuf, clock: Clock) -> Self {
        Self::Directory(directory::Root { path: root, clock, tell: None })
    }

    /// Sends nothing. `prefix`: below it everything lies, without slashes at its ends. `shown`: how people write the
    /// place, without secrets. `clock` as above.
    pub fn objects(store: Arc<dyn ObjectStore>, prefix: &str, shown: impl Into<Arc<str>>, clock: Clock) -> Self {
        Self::Objects(shared::Shelf { objects: Objects::new(store, prefix, shown, clock), tell: None })
    }

    /// The same store; a person is told what is waited for.
    #[must_use]
    pub fn telling(self, tell: Tell) -> Self {
        match self {
            Self::Directory(root) => Self::Directory(directory::Root { tell: Some(tell), ..root }),
            Self::Objects(shelf) => {
                Self::Objects(shared::Shelf { objects: shelf.objects.telling(tell.clone()), tell: Some(tell) })
            }
        }
    }

    /// How people write the place.
    pub fn shown(&self) -> String {
        match self {
            Self::Directory(root) => root.path.display().to_string(),
            Self::Objects(shelf) => shelf.objects.shown(""),
        }
    }

    /// A new run, claimed by whoever begins it. Its name is durable when this returns.
    pub async fn begin(&self, run: &RunId, holder: &Holder) -> Result<Claim, StoreError> {
        check_id(&run.0)?;
        match self {
            Self::Directory(root) => root.begin(run, holder),
            Self::Objects(shelf) => shelf.begin(run, holder).await,
        }
    }

    /// An existing run.
    pub async fn open(&self, run: &str) -> Result<Kept, StoreError> {
        check_id(run)?;
        match self {
            Self::Directory(root) => root.open(run).map(Kept::Directory),
            Self::Objects(shelf) => shelf.open(run).await.map(Box::new).map(Kept::Objects),
        }
    }

    /// Every run, newest name last.
    pub async fn list(&self) -> Result<Vec<Kept>, StoreError> {
        match self {
            Self::Directory(root) => Ok(root.list()?.into_iter().map(Kept::Directory).collect()),
            Self::Objects(shelf) => Ok(shelf.list().await?.into_iter().map(Box::new).map(Kept::Objects).collect()),
        }
    }

    /// Notes how a run stands for [`Self::rows_of_ended`]; nothing in a directory, where journals are near.
    pub async fn put_row(&self, run: &RunId, over: bool, row: Value) -> Result<(), StoreError> {
        match self {
            Self::Directory(_) => Ok(()),
            Self::Objects(shelf) => shelf.put_row(run, over, row).await,
        }
    }

    /// The rows of runs that are known to be over, without reading their journals. Those of others are left out.
    pub async fn rows_of_ended(&self) -> Result<BTreeMap<RunId, Value>, StoreError> {
        match self {
            Self::Directory(_) => Ok(BTreeMap::new()),
            Self::Objects(shelf) => shelf.rows_of_ended().await,
        }
    }

    /// Takes every target for the run of `claim`; what each was taken as, by target. A target is held until the run
    /// that holds it is over, also while nobody drives that run: a restore may still be going on.
    ///
    /// # Errors
    /// [`StoreError::TargetHeld`]: another run holds one of them. Those taken before are free again when the claim is
    /// left before the run has begun.
    pub async fn hold_targets(&self, claim: &Claim, targets: &[Target]) -> Result<BTreeMap<String, u64>, StoreError> {
        match self {
            Self::Directory(root) => root.hold_targets(claim, targets).await,
            Self::Objects(shelf) => shelf.hold_targets(claim, targets).await,
        }
    }
}

impl Kept {
    pub fn run(&self) -> &RunId {
        match self {
            Self::Directory(directory) => &directory.run,
            Self::Objects(objects) => &objects.run,
        }
    }

    /// Reads and folds the journal.
    pub async fn load(&self) -> Result<(State, Loaded), StoreError> {
        let loaded = match self {
            Self::Directory(directory) => directory.load()?,
            Self::Objects(objects) => objects.load().await?,
        };
        let state = State::fold(loaded.records.iter().map(|record| (record.at, &record.event)))
            .map_err(|source| StoreError::Illegal { run: self.run().clone(), source })?;
        Ok((state, loaded))
    }

    /// Who drives the run, or drove it last, and whether it is known to have gone. None: nobody ever did.
    pub async fn driver(&self) -> Result<Option<Heard>, StoreError> {
        match self {
            Self::Directory(directory) => directory.driver(),
            Self::Objects(objects) => objects.driver().await,
        }
    }

    /// Makes `holder` the one who drives, if nobody does. `take_over`: also if somebody does.
    ///
    /// In a shared store a driver that has not said goodbye is watched for a while first, unless it is taken over.
    pub async fn claim(&self, holder: &Holder, take_over: bool) -> Result<Claim, StoreError> {
        match self {
            Self::Directory(directory) => directory.claim(holder, take_over),
            Self::Objects(objects) => objects.claim(holder, take_over, None).await,
        }
    }

    /// As [`Self::claim`]; a driver that was found silent, and has not been heard since, is not watched again.
    pub async fn claim_after(&self, holder: &Holder, silent: Option<&Heard>) -> Result<Claim, StoreError> {
        match self {
            Self::Directory(directory) => directory.claim(holder, false),
            Self::Objects(objects) => objects.claim(holder, false, silent).await,
        }
    }

    /// Hands a request to whoever drives the run. `name` must be unique.
    pub async fn post(&self, name: &str, request: &Request) -> Result<Posted, StoreError> {
        inbox::post(self, name, request).await
    }

    /// Where a simulated run keeps its world; none in a shared store, which only keeps runs of real sites.
    pub fn world_path(&self) -> Option<PathBuf> {
        match self {
            Self::Directory(directory) => Some(directory.path.join("world.json")),
            Self::Objects(_) => None,
        }
    }

    /// Other machines may drive it.
    pub fn is_shared(&self) -> bool {
        match self {
            Self::Directory(_) => false,
            Self::Objects(_) => true,
        }
    }

    /// The run's world is a simulated one.
    pub fn is_simulated(&self) -> bool {
        self.world_path().as_deref().is_some_and(Path::is_file)
    }

    /// The journal of whoever holds `claim`: new, or after what was loaded since the claim was made.
    pub(super) async fn journal(&self, claim: &Claim, loaded: Option<&Loaded>) -> Result<Journal, StoreError> {
        match self {
            Self::Directory(directory) => directory.journal(claim, loaded).await,
            Self::Objects(objects) => Ok(objects.journal(claim, loaded)),
        }
    }

    /// Where a person is told what is waited for.
    pub(super) fn tell(&self) -> Option<&Tell> {
        match self {
            Self::Directory(directory) => directory.tell.as_ref(),
            Self::Objects(objects) => objects.tell.as_ref(),
        }
    }

    pub fn clock(&self) -> &Clock {
        match self {
            Self::Directory(directory) => &directory.clock,
            Self::Objects(objects) => objects.control.clock(),
        }
    }
}
