//! One simulated Azure, one simulated disk, and processes that come and go.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

use super::operator::simulated_operator;
use crate::{
    action::{Context, Outside},
    clock::Clock,
    plan::Plan,
    run::{
        EngineError, Event, Journal, JournalError, Person, PowerCut, RunId, State,
        engine::{self, Directive, Driver, Observer, Request},
        journal::{Disk, Loaded, parse},
    },
    sim::World,
};

/// Where a run is driven without anything real: the engine, the actions and the journal are the ones that always run.
pub struct Stage {
    pub world: Arc<World>,
    /// The process's own clock; the world has another.
    pub clock: Clock,
    pub disk: Disk,
    pub run: RunId,
    /// Who plans and drives.
    pub by: Person,
    /// Somebody approves what waits for it.
    pub operator: bool,
    /// Whether programs are started, and hosts asked that the world does not have.
    pub outside: Outside,
    /// Appends of the last drive that ended.
    pub appends: u64,
    /// What people ask of the next drive, each so long after its beginning.
    pub script: Vec<(Duration, Request)>,
    /// Written at the beginning of the next drive.
    pub first: Vec<Event>,
    /// What they were told, in the order of the script.
    pub told: Arc<Mutex<Vec<Result<(), String>>>>,
    /// Who watches the next drive, besides the operator.
    pub observers: Vec<Observer>,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("run", &self.run).finish_non_exhaustive()
    }
}

impl Stage {
    /// Nothing has happened yet. `clock` is the process's.
    pub fn new(world: Arc<World>, clock: Clock) -> Self {
        let (name, host) = ("prover".to_owned(), "simulator".to_owned());
        let by = Person { name, host, simulated: true, ..Person::default() };
        Self {
            world,
            clock,
            disk: Disk::default(),
            run: RunId("proof".into()),
            by,
            operator: true,
            outside: Outside::Pretended,
            appends: 0,
            script: Vec::new(),
            first: Vec::new(),
            told: Arc::default(),
            observers: Vec::new(),
        }
    }

    /// The world as this run's actions see it. `restore`: longest timeout of a restore of the plan.
    pub fn context(&self, restore: Duration) -> Context {
        let site = Arc::new(self.world.site());
        let context = Context::simulated(self.world.clone(), site, self.clock.clone(), std::env::temp_dir())
            .expect("the simulator's own endpoints are URLs");
        Context { outside: self.outside, ..context.for_run(&*self.run.0, restore) }
    }

    /// A first process: writes the plan, drives.
    pub async fn begin(&mut self, plan: Arc<Plan>, cut: Option<PowerCut>) -> Result<State, EngineError> {
        let planned = Event::Planned { run: self.run.clone(), plan, by: self.by.clone() };
        let mut journal = Journal::in_memory(self.disk.clone(), cut);
        let at = self.clock.now();
        journal.append(at, std::slice::from_ref(&planned)).await?;
        self.drive(State::begin(at, &planned)?, journal).await
    }

    /// Another process goes on from the disk. `None`: nothing had reached it, so there is no run.
    pub async fn resume(&mut self, cut: Option<PowerCut>) -> Result<Option<State>, EngineError> {
        let loaded = match self.load() {
            Ok(loaded) => loaded,
            Err(JournalError::Empty { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let state = State::fold(loaded.records.iter().map(|record| (record.at, &record.event)))?;
        if state.is_over() {
            return Ok(Some(state));
        }
        let journal = Journal::resume_in_memory(self.disk.clone(), &loaded, cut);
        self.drive(state, journal).await.map(Some)
    }

    /// What the disk holds.
    pub fn load(&self) -> Result<Loaded, JournalError> {
        parse(Path::new("journal"), &self.disk.bytes())
    }

    async fn drive(&mut self, state: State, journal: Journal) -> Result<State, EngineError> {
        let (sender, directives) = mpsc::channel::<Directive>(16);
        let mut observers = std::mem::take(&mut self.observers);
        if self.operator {
            observers.push(simulated_operator(self.clock.clone(), sender.clone()));
        }
        self.follow_script(sender.clone());
        let first = std::mem::take(&mut self.first);
        let driver = Driver { first, ..Driver::new(self.by.clone(), 1, env!("CARGO_PKG_VERSION")) };
        let context = Arc::new(self.context(state.plan.longest_restore()));
        let (state, journal) = engine::drive(state, journal, context, driver, directives, observers).await?;
        self.appends = journal.appends;
        drop(sender);
        Ok(state)
    }

    /// Asks what the script says, once.
    fn follow_script(&mut self, sender: mpsc::Sender<Directive>) {
        let (clock, told, script) = (self.clock.clone(), self.told.clone(), std::mem::take(&mut self.script));
        let began = clock.now();
        tokio::spawn(async move {
            for (after, request) in script {
                clock.sleep_until(began + jiff::SignedDuration::try_from(after).unwrap_or_default()).await;
                let (answer, heard) = oneshot::channel();
                if sender.send(Directive { request, answer }).await.is_err() {
                    return;
                }
                if let Ok(answer) = heard.await {
                    told.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
                }
            }
        });
    }
}
