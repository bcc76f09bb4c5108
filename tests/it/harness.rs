//! Runs the real engine on the in-process simulator, on tokio's paused clock: 45 minutes take microseconds.

use std::{
    future::Future,
    path::Path,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Poll, Waker},
    time::Duration,
};

use jiff::Timestamp;
use lifeboat::{
    action::Context,
    cli::{operator::simulated_operator, world::restore_timeout},
    clock::Clock,
    plan::{self, Forced, Ingredients, Plan, Purpose, codes},
    run::{
        EngineError, Event, Journal, JournalError, Outcome, PowerCut, RunId, State,
        engine::{self, Directive, Driver, Request, Response, Subject},
        journal::{Disk, parse},
    },
    runbook::{self, Given, Mode, Runbook, bind},
    sim::{Scenario, World},
};
use tokio::sync::{mpsc, oneshot};

use crate::transitions::person;

pub const FLAGSHIP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/apim-failover.yaml");

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

/// One simulated Azure, one simulated disk, and processes that come and go.
pub struct Stage {
    pub world: Arc<World>,
    pub clock: Clock,
    pub disk: Disk,
    pub runbook: Runbook,
    pub mode: Mode,
    /// Name of the next run.
    pub run: &'static str,
    pub purpose: Purpose,
    /// Somebody decided to fail over whatever is seen.
    pub forced: Option<Forced>,
    /// Somebody approves what waits for it.
    pub operator: bool,
    /// Appends of the last drive.
    pub appends: u64,
    /// What people ask of the next drive, each so long after its beginning.
    pub script: Vec<(Duration, Request)>,
    /// Written at the beginning of the next drive.
    pub first: Vec<Event>,
    /// What they were told, in the order of the script.
    pub told: Arc<Mutex<Vec<Result<(), String>>>>,
}

impl Stage {
    pub fn flagship(scenario: Scenario) -> Self {
        Self::with(scenario, &std::fs::read_to_string(FLAGSHIP).unwrap())
    }

    pub fn with(scenario: Scenario, text: &str) -> Self {
        let clock = Clock::starting_at(beginning());
        let runbook = runbook::check("test.yaml", text.as_bytes())
            .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        Self {
            world: World::new(scenario, clock.clone()),
            clock,
            disk: Disk::default(),
            runbook,
            mode: Mode::Unplanned,
            run: "test-run",
            purpose: Purpose::Run,
            forced: None,
            operator: true,
            appends: 0,
            script: Vec::new(),
            first: Vec::new(),
            told: Arc::default(),
        }
    }

    pub fn context(&self) -> Context {
        let site = Arc::new(self.world.site());
        Context::simulated(self.world.clone(), site, self.clock.clone(), std::env::temp_dir())
            .unwrap()
            .for_run(self.run, restore_timeout(&self.runbook, self.mode))
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
        assert!(
            plan.findings.iter().all(|finding| finding.severity != plan::facts::Severity::Blocker),
            "{:#?}",
            plan.findings
        );
        let planned = Event::Planned { run: RunId(self.run.into()), plan: Arc::new(plan), by: person("ann") };
        let mut journal = Journal::in_memory(self.disk.clone(), cut);
        let at = self.clock.now();
        journal.append(at, std::slice::from_ref(&planned)).await?;
        let state = State::begin(at, &planned).unwrap();
        self.drive(state, journal).await
    }

    /// Another process goes on from the disk; begins anew when nothing had reached it.
    pub async fn resume(&mut self, cut: Option<PowerCut>) -> Result<State, EngineError> {
        let loaded = match parse(Path::new("disk"), &self.disk.bytes()) {
            Ok(loaded) => loaded,
            Err(JournalError::Empty { .. }) => {
                self.disk = Disk::default();
                return self.start(cut).await;
            }
            Err(error) => return Err(error.into()),
        };
        let state = State::fold(loaded.records.iter().map(|record| (record.at, &record.event))).unwrap();
        if state.is_over() {
            return Ok(state);
        }
        let journal = Journal::resume_in_memory(self.disk.clone(), &loaded, cut);
        self.drive(state, journal).await
    }

    async fn drive(&mut self, state: State, journal: Journal) -> Result<State, EngineError> {
        let (sender, directives) = mpsc::channel::<Directive>(16);
        let observers =
            if self.operator { vec![simulated_operator(self.clock.clone(), sender.clone())] } else { Vec::new() };
        self.follow_script(sender.clone());
        let driver = Driver { first: std::mem::take(&mut self.first), ..Driver::new(person("ann"), 1, "test") };
        let (state, journal) =
            engine::drive(state, journal, Arc::new(self.context()), driver, directives, observers).await?;
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
                clock.sleep_until(began + jiff::SignedDuration::try_from(after).unwrap()).await;
                let (answer, heard) = oneshot::channel();
                if sender.send(Directive { request, answer }).await.is_err() {
                    return;
                }
                if let Ok(answer) = heard.await {
                    told.lock().unwrap().push(answer);
                }
            }
        });
    }

    /// Another run, of another runbook, in the same world.
    pub fn then(&mut self, run: &'static str, path: &str, mode: Mode) {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        self.runbook =
            runbook::check(path, text.as_bytes()).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        (self.run, self.mode, self.disk) = (run, mode, Disk::default());
    }

    /// A person asks for something while nobody drives: the event goes straight to the disk.
    pub fn record(&self, request: Request) {
        at_once(self.look_and_record(request, None)).unwrap();
    }

    /// As `record`, also for what looks at the world first; the reason when it is refused.
    pub async fn look_and_record(&self, request: Request, cut: Option<PowerCut>) -> Result<(), String> {
        let loaded = parse(Path::new("disk"), &self.disk.bytes()).unwrap();
        let state = State::fold(loaded.records.iter().map(|record| (record.at, &record.event))).unwrap();
        let event = match engine::respond(&state, request)? {
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
        parse(Path::new("disk"), &self.disk.bytes()).unwrap().records.into_iter().map(|record| record.event).collect()
    }
}

pub fn outcome(state: &State) -> Option<Outcome> {
    state.stopped.as_ref().map(|(outcome, _, _)| *outcome)
}
