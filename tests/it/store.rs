//! Runs in a directory and in a shared store, in process and on the paused clock: who may drive, what becomes of whoever
//! may not any more, and that nothing happens twice.

mod asking;
mod beating;
mod beside;
mod driving;
mod edges;
mod fencing;
mod journals;
mod media;
mod trouble;

use std::{path::PathBuf, sync::Arc};

use lifeboat::{
    clock::Clock,
    prove::operator::simulated_operator,
    run::{
        EngineError, Event, JournalError, RunId, State, TakeOver,
        engine::{self, Directive, Driver},
        lease::Holder,
    },
    sim::Bucket,
    store::{Claim, Store, StoreError},
};
use tokio::sync::mpsc;

use crate::{
    harness::{Stage, beginning},
    transitions::person,
};

/// A store on either medium.
pub struct Place {
    pub store: Store,
    /// What a shared store's bytes lie in.
    pub memory: Arc<Bucket>,
    directory: tempfile::TempDir,
}

impl Place {
    pub fn shared(clock: &Clock) -> Self {
        let (memory, directory) = (Arc::new(Bucket::new(clock.clone())), tempfile::tempdir().unwrap());
        let store = Store::objects(memory.clone(), "team/dr", "memory://team/dr", clock.clone());
        Self { store, memory, directory }
    }

    pub fn directory(clock: &Clock) -> Self {
        let (memory, directory) = (Arc::new(Bucket::new(clock.clone())), tempfile::tempdir().unwrap());
        let store = Store::directory(directory.path().join("state"), clock.clone());
        Self { store, memory, directory }
    }

    /// Where a run lies in a directory.
    pub fn run(&self, run: &str) -> PathBuf {
        self.directory.path().join("state/runs").join(run)
    }

    /// On one medium or the other.
    pub fn on(shared: bool, clock: &Clock) -> Self {
        if shared { Self::shared(clock) } else { Self::directory(clock) }
    }
}

/// A process of somebody.
pub fn holder(name: &str) -> Holder {
    Holder { by: person(name), pid: 7, since: beginning(), nonce: format!("{name}1") }
}

pub fn run_id() -> RunId {
    RunId("test-run".into())
}

/// The first record of a run.
pub async fn planned(stage: &Stage, name: &str) -> Event {
    Event::Planned { run: run_id(), plan: Arc::new(stage.plan().await), by: person(name) }
}

/// The plan of a stage as the first record of a new run.
pub async fn begin(stage: &Stage, store: &Store, name: &str) -> Claim {
    let claim = store.begin(&run_id(), &holder(name)).await.unwrap();
    claim.begin(stage.clock.now(), &planned(stage, name).await).await.unwrap();
    claim
}

/// Drives under a claim until the end, and leaves.
pub async fn drive(stage: &Stage, claim: Claim, reason: Option<&str>) -> Result<State, EngineError> {
    let (state, loaded) = claim.kept.load().await.unwrap();
    let journal = claim.journal(Some(&loaded)).await.map_err(|error| match error {
        StoreError::Journal(error) => EngineError::Journal(error),
        other => panic!("{other}"),
    })?;
    let (sender, directives) = mpsc::channel::<Directive>(16);
    let claim = Arc::new(claim);
    let mut attendance = claim.attend(sender.clone());
    let observers = vec![simulated_operator(stage.clock.clone(), sender)];
    let take_over =
        claim.over.as_ref().zip(reason).map(|(from, reason)| TakeOver { from: from.by.clone(), reason: reason.into() });
    let by = claim.holder.by.clone();
    let driver =
        Driver { claim: Some(claim.number), take_over, quiet_from: claim.quiet_from, ..Driver::new(by, 7, "test") };
    let driven = engine::drive(state, journal, Arc::new(stage.context()), driver, directives, observers);
    let driven = attendance.drive(driven).await.unwrap_or_else(|unheard| match unheard {
        StoreError::Objects(error) => Err(EngineError::Journal(JournalError::Store(error))),
        StoreError::Journal(error) => Err(EngineError::Journal(error)),
        other => panic!("{other}"),
    });
    attendance.end().await;
    Arc::try_unwrap(claim).unwrap().leave().await;
    driven.map(|(state, _)| state)
}

/// Drives as a process that is stopped again and again: no heartbeat, no look at what others claim.
pub async fn drive_unattended(stage: &Stage, claim: &Claim) -> Result<State, EngineError> {
    let (state, loaded) = claim.kept.load().await.unwrap();
    let journal = claim.journal(Some(&loaded)).await.unwrap();
    let (sender, directives) = mpsc::channel::<Directive>(16);
    let observers = vec![simulated_operator(stage.clock.clone(), sender)];
    let driver = Driver { claim: Some(claim.number), ..Driver::new(claim.holder.by.clone(), 7, "test") };
    let driven = engine::drive(state, journal, Arc::new(stage.context()), driver, directives, observers).await;
    driven.map(|(state, _)| state)
}
