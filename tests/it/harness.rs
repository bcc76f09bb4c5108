//! Runs the real engine on the in-process simulator, on tokio's paused clock: 45 minutes take microseconds.

use std::{
    future::Future,
    ops::{Deref, DerefMut},
    path::Path,
    pin::pin,
    sync::Arc,
    task::{Poll, Waker},
};

use jiff::Timestamp;
use lifeboat::{
    action::{Context, Outside},
    clock::Clock,
    plan::{self, Forced, History, Ingredients, Plan, Purpose, codes},
    prove,
    run::{
        EngineError, Event, Journal, Outcome, PowerCut, RunId, State,
        engine::{self, Request, Response, Subject},
        journal::Disk,
    },
    runbook::{self, Given, Mode, Runbook, bind},
    sim::{Scenario, World},
};

use crate::transitions::person;

pub const FLAGSHIP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/apim-failover.yaml");

/// The active service lives, a restore takes four simulated minutes, and old answers a minute: at the speed of a simulation
/// in a process the flagship ends after some seconds, and every one of its timeouts has seconds to spare.
pub const QUICK: &str = "restore_duration: 4m\nregion: alive\n\
    zone: { records: { api: { target: apim-contoso-west.azure-api.net, ttl: 60s }, \
    api-drill: { target: apim-contoso-west.azure-api.net, ttl: 60s } } }\n";

/// Azure takes a restore, and it fails.
pub const RESTORE_FAILS: &str = "faults:\n- on: { method: POST, path: /restore }\n  \
    do: { fail-operation: { code: ServiceError, message: broken } }\n";

/// When every simulated world begins.
pub fn beginning() -> Timestamp {
    "2026-11-23T03:00:00Z".parse().unwrap()
}

/// Runs a test on a paused clock.
pub fn on_paused_clock<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(test)
}

/// What a future that waits for nothing comes to: an append to a file or to a simulated disk.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut std::task::Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits for something"),
    }
}

/// The product's own stage, with what a test plays on it.
pub struct Stage {
    pub product: prove::Stage,
    pub runbook: Runbook,
    pub mode: Mode,
    pub purpose: Purpose,
    /// Somebody decided to fail over whatever is seen.
    pub forced: Option<Forced>,
    /// What earlier runs took.
    pub history: History,
}

impl Deref for Stage {
    type Target = prove::Stage;

    fn deref(&self) -> &prove::Stage {
        &self.product
    }
}

impl DerefMut for Stage {
    fn deref_mut(&mut self) -> &mut prove::Stage {
        &mut self.product
    }
}

impl Stage {
    pub fn flagship(scenario: Scenario) -> Self {
        Self::with(scenario, &std::fs::read_to_string(FLAGSHIP).unwrap())
    }

    pub fn with(scenario: Scenario, text: &str) -> Self {
        let clock = Clock::starting_at(beginning());
        let mut stage = prove::Stage::new(World::new(scenario, clock.clone()), clock);
        (stage.run, stage.by, stage.outside) = (RunId("test-run".into()), person("ann"), Outside::Real);
        let runbook = checked("test.yaml", text);
        Self {
            product: stage,
            runbook,
            mode: Mode::Unplanned,
            purpose: Purpose::Run,
            forced: None,
            history: History::none(),
        }
    }

    pub fn context(&self) -> Context {
        self.product.context(self.runbook.longest_restore(self.mode))
    }

    pub async fn plan(&self) -> Plan {
        let site = self.world.site();
        let given = Given { site: site.parameters.clone(), file: None, set: Vec::new() };
        let parameters =
            bind(&self.runbook, &given, self.mode).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        let ingredients = Ingredients {
            runbook: &self.runbook,
            parameters,
            mode: self.mode,
            purpose: self.purpose,
            forced: self.forced.clone(),
            site,
            history: self.history.clone(),
        };
        let plan = plan::make(ingredients, Arc::new(self.context())).await;
        for finding in &plan.findings {
            assert!(codes::find(&finding.code).is_some(), "`{}` is not in plan::codes: {finding:?}", finding.code);
        }
        plan
    }

    /// A first process: plans, writes the plan, drives. `Err` when the power went.
    pub async fn start(&mut self, cut: Option<PowerCut>) -> Result<State, EngineError> {
        let plan = self.plan().await;
        assert_eq!(plan.blocker(), None, "{:#?}", plan.findings);
        self.product.begin(Arc::new(plan), cut).await
    }

    /// Another process goes on from the disk; begins anew when nothing had reached it.
    pub async fn resume(&mut self, cut: Option<PowerCut>) -> Result<State, EngineError> {
        if let Some(state) = self.product.resume(cut).await? {
            return Ok(state);
        }
        self.disk = Disk::default();
        self.start(cut).await
    }

    /// Another run, of another runbook, in the same world.
    pub fn then(&mut self, run: &'static str, path: &str, mode: Mode) {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        self.runbook = checked(path, &text);
        self.mode = mode;
        (self.product.run, self.product.disk) = (RunId(run.into()), Disk::default());
    }

    /// A person asks for something while nobody drives: the event goes straight to the disk.
    pub fn record(&self, request: Request) {
        at_once(self.look_and_record(request, None)).unwrap();
    }

    /// As `record`, also for what looks at the world first; the reason when it is refused.
    pub async fn look_and_record(&self, request: Request, cut: Option<PowerCut>) -> Result<(), String> {
        let loaded = self.load().unwrap();
        let state = State::fold(loaded.records.iter().map(|record| (record.at, &record.event))).unwrap();
        let event = match engine::respond(&state, self.clock.now(), request)? {
            Response::Take(event) => event,
            Response::Look(inquiry) => {
                let place = inquiry.place(&state)?;
                let seen = Subject::of(&state, place).look(inquiry.claim, &self.context()).await;
                inquiry.conclude(&state, seen)?
            }
        };
        let mut journal = Journal::resume_in_memory(self.disk.clone(), &loaded, cut);
        journal.append(self.clock.now(), &[event]).await.map_err(|error| error.to_string())
    }

    /// Everything that was ever written.
    pub fn events(&self) -> Vec<Event> {
        self.load().unwrap().records.into_iter().map(|record| record.event).collect()
    }
}

fn checked(name: &str, text: &str) -> Runbook {
    runbook::check(name, text.as_bytes()).unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

pub fn outcome(state: &State) -> Option<Outcome> {
    state.stopped.as_ref().map(|(outcome, _, _)| *outcome)
}
