//! A run through the library's own public path, as the command line goes it: check, bind, plan, begin, drive.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lifeboat::{
    action::Context,
    cli::report,
    clock::Clock,
    plan::{self, History, Ingredients, Plan, Purpose},
    report::{Beside, Commands, Dossier, Standing},
    run::{
        Event, Journal, Outcome, Person, Record, RunId, State, engine,
        journal::{self, Disk},
    },
    runbook::{self, Given, Mode, Runbook, bind},
    sim::{Scenario, World},
};
use tokio::{runtime::Runtime, sync::mpsc};

/// A plan and the world it is driven in.
pub struct Stage {
    runtime: Runtime,
    context: Arc<Context>,
    planned: Event,
}

fn person() -> Person {
    Person { name: "bench".into(), host: "here".into(), ..Person::default() }
}

/// As the command line builds it.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn context() -> Arc<Context> {
    let world = World::new(Scenario::default(), Clock::Wall);
    let site = Arc::new(world.site());
    Arc::new(Context::simulated(world, site, Clock::Wall, std::env::temp_dir()).unwrap())
}

fn checked(text: &str) -> Runbook {
    runbook::check("bench.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

async fn planned(runbook: &Runbook, context: &Arc<Context>) -> Plan {
    let site = lifeboat::site::Site::clone(&context.site);
    let given = Given { site: site.parameters.clone(), file: None, set: Vec::new() };
    let parameters =
        bind(runbook, &given, Mode::Unplanned).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    plan::make(
        Ingredients {
            runbook,
            parameters,
            mode: Mode::Unplanned,
            purpose: Purpose::Run,
            forced: None,
            site,
            history: History::none(),
        },
        context.clone(),
    )
    .await
}

/// How long the check of a text takes.
pub fn check(text: &str) -> Duration {
    let begin = Instant::now();
    let runbook = checked(text);
    let took = begin.elapsed();
    drop(runbook);
    took
}

/// How long the plan of a checked text takes.
pub fn plan(text: &str) -> Duration {
    let (runtime, context, runbook) = (runtime(), context(), checked(text));
    let begin = Instant::now();
    let plan = runtime.block_on(planned(&runbook, &context));
    let took = begin.elapsed();
    assert_eq!(plan.findings, [], "the bench's own runbook is at fault");
    took
}

impl Stage {
    pub fn new(text: &str) -> Self {
        let (runtime, context, runbook) = (runtime(), context(), checked(text));
        let plan = runtime.block_on(planned(&runbook, &context));
        let planned = Event::Planned { run: RunId("bench".into()), plan: Arc::new(plan), by: person() };
        Self { runtime, context, planned }
    }

    /// How long the run takes when nothing is written.
    pub fn drive_without_journal(&self) -> Duration {
        self.drive(Journal::null).0
    }

    /// From the first event to the end. The journal is made before time is taken.
    pub fn drive(&self, journal: impl FnOnce() -> Journal) -> (Duration, Journal) {
        let mut journal = journal();
        let begin = Instant::now();
        let at = self.context.clock.now();
        self.runtime.block_on(journal.append(at, std::slice::from_ref(&self.planned))).unwrap();
        let state = State::begin(at, &self.planned).unwrap();
        let (_sender, directives) = mpsc::channel(1);
        let driver = engine::Driver::new(person(), 1, "bench");
        let drive = engine::drive(state, journal, self.context.clone(), driver, directives, Vec::new());
        let (state, journal) = self.runtime.block_on(drive).unwrap();
        let took = begin.elapsed();
        let outcome = state.stopped.map(|(outcome, reason, _)| (outcome, reason));
        assert!(matches!(outcome, Some((Outcome::Succeeded, _))), "the run did not succeed: {outcome:?}");
        (took, journal)
    }
}

/// A run that is over, as a report finds it.
pub struct Told {
    state: State,
    records: Vec<Record>,
    beside: Beside,
}

impl Stage {
    /// Drives it into a journal in memory.
    pub fn told(&self) -> Told {
        let disk = Disk::default();
        self.drive(|| Journal::in_memory(disk.clone(), None));
        let records = journal::parse(std::path::Path::new("journal"), &disk.bytes()).unwrap().records;
        let state = State::fold(records.iter().map(|record| (record.at, &record.event))).unwrap();
        let beside = report::beside(&state.plan, Commands::default(), None);
        Told { state, records, beside }
    }
}

impl Told {
    /// How long the report takes, and how many bytes it has.
    pub fn html(&self) -> (Duration, usize) {
        let begin = Instant::now();
        let standing = Standing::of(&self.state, Some(false));
        let dossier = Dossier::after(&self.state, &self.records, standing, self.state.last_event_at, &self.beside);
        let html = dossier.html();
        (begin.elapsed(), html.len())
    }
}
