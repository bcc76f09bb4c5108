//! `run`, `drill` and `resume`.

use std::sync::Arc;

use super::{
    Exit, Failure, Session,
    arguments::RunArguments,
    confirm,
    drive::{self, Drive},
    machine::Machine,
    plan, world,
};
use crate::{
    plan::{facts::Severity, text},
    run::{Event, Journal, RunId, State},
    runbook::{Effect, Mode},
    store::StoreError,
};

/// Plans, asks, and drives. `mode`: given by the verb.
pub async fn run(session: &Session, arguments: RunArguments, mode: Option<Mode>) -> Result<Exit, Failure> {
    if let (Some(verb), Some(given)) = (mode, arguments.mode)
        && verb != given
    {
        return Err(Failure::usage(
            format!("`lifeboat drill` is a run in drill mode, and --mode says {given}"),
            "leave --mode out, or use `lifeboat run`",
        ));
    }
    let mode = mode.or(arguments.mode);
    let with_people = !arguments.dry_run && !arguments.consent.yes;
    let force = arguments.force.as_deref();
    let (plan, scene) = plan::make(session, &arguments.runbook, &arguments.place, mode, force, with_people).await?;
    if arguments.dry_run {
        return plan::show(session, &plan, &arguments.runbook, &arguments.place);
    }
    if plan::is_blocked(&plan) {
        eprint!("{}", text::brief(&plan, &session.machine.style()));
        let first = plan.findings.iter().find(|finding| finding.severity == Severity::Blocker);
        let (message, remedy) = first.map(|first| (first.message.clone(), first.remedy.clone())).unwrap_or_default();
        return Err(Failure::refused(
            format!("something stands in the way, so nothing was started: {message}"),
            format!("{remedy}; `lifeboat plan` shows everything"),
        ));
    }
    if !session.json() {
        eprint!("{}", text::brief(&plan, &session.machine.style()));
    }
    let simulated = scene.simulation.is_some();
    let confirmed = confirm::confirm(session, &plan, arguments.consent.yes, simulated)?;
    let store = world::store(session, Some(&scene.site))?;
    let run = match &arguments.run_id {
        Some(id) => RunId(id.as_str().into()),
        None => new_id(scene.clock.now()),
    };
    let directory = store.create(&run)?;
    let lock = directory.lock(&session.machine.holder(scene.clock.now()))?;
    // Simulated worlds are worlds apart: two of them cannot meet on one service.
    let targets: Vec<String> = plan.steps.iter().flat_map(|step| step.probe.targets.iter().cloned()).collect();
    if !simulated && plan.steps.iter().any(|step| step.effect != Effect::ReadOnly) {
        store.hold_targets(&run, &targets)?;
    }
    if let Some(simulation) = &scene.simulation {
        let path = directory.world_path();
        simulation.world.persist_to(&path).map_err(|source| StoreError::Io { action: "write", path, source })?;
    }
    let planned = Event::Planned { run: run.clone(), plan: Arc::new(plan), by: session.machine.user.clone() };
    let at = scene.clock.now();
    let mut journal: Journal = directory.create_journal()?;
    journal.append(at, std::slice::from_ref(&planned)).await.map_err(StoreError::from)?;
    let state = State::begin(at, &planned).map_err(|source| StoreError::Illegal { run: run.clone(), source })?;
    let operator = simulated && arguments.consent.yes;
    let first = confirmed.into_iter().collect();
    drive::drive(session, Drive { directory, lock, state, journal, scene, first, operator, next: 1 }).await
}

/// Goes on with a run. Nothing is needed but its journal.
pub async fn resume(session: &Session, run: &str, yes: bool) -> Result<Exit, Failure> {
    let store = world::store(session, None)?;
    let directory = store.open(run)?;
    // The lock first: what is read under it cannot move any more.
    let lock = directory.lock(&session.machine.holder(crate::clock::Clock::Wall.now()))?;
    let (state, loaded) = directory.load()?;
    if loaded.torn > 0 {
        eprintln!(
            "the journal ended in a torn line of {} bytes; it announced nothing that was begun, and is dropped",
            loaded.torn
        );
    }
    if state.is_over() {
        drive::print_summary(session, &state, crate::clock::Clock::Wall.now(), !directory.world_path().is_file());
        return Err(Failure::refused(
            format!("run `{run}` is over"),
            format!("`lifeboat status {run}` shows how it ended; start a new run"),
        ));
    }
    let scene = world::reopen(session, &state.plan, &directory).await?;
    let simulated = scene.simulation.is_some();
    let confirmed_by_script = state.confirmed.as_ref().is_some_and(|(by, _)| by.simulated);
    let mut first = Vec::new();
    if state.confirmed.is_none() {
        first.extend(confirm::confirm(session, &state.plan, yes, simulated)?);
    }
    let next = loaded.records.len() as u64;
    let journal = Journal::open(&directory.journal_path(), &loaded).map_err(StoreError::from)?;
    let operator = simulated && (yes || confirmed_by_script);
    drive::drive(session, Drive { directory, lock, state, journal, scene, first, operator, next }).await
}

/// `20261123-101530-3f9a`: sorts by time, can be typed.
fn new_id(now: jiff::Timestamp) -> RunId {
    let text = now.strftime("%Y%m%d-%H%M%S").to_string();
    RunId(format!("{text}-{}", Machine::random_suffix()).into())
}
