//! `approve`, `reject` and `abort`: to the process that drives the run, or, when nobody does, straight into the journal.

use std::time::Duration;

use super::{
    Exit, Failure, Session,
    arguments::Decision,
    drive::{self, Drive},
    machine::Machine,
    print, world,
};
use crate::{
    clock::Clock,
    run::{
        Event, Journal,
        engine::{Request, event_for},
    },
    runbook::StepId,
    store::{DriverLock, RunDirectory, StoreError, inbox},
};

/// The driver looks every 200 ms; a machine under load may need some seconds.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

pub async fn decide(session: &Session, decision: Decision, approve: bool) -> Result<Exit, Failure> {
    let store = world::store(session, None)?;
    let directory = store.open(&decision.run)?;
    let (step, by) = (StepId::new(&decision.step), session.machine.user.clone());
    let comment = decision.comment;
    let request = if approve { Request::Approve { step, by, comment } } else { Request::Refuse { step, by, comment } };
    let word = if approve { "approved" } else { "refused" };
    match directory.lock(&session.machine.holder(Clock::Wall.now())) {
        Ok(lock) => record(&directory, &lock, request)?,
        Err(StoreError::Driven { .. }) => {
            send(&directory, &request).await?;
            print(&format!("{word}: step {} of run {}", decision.step, decision.run))?;
            return Ok(Exit::Done);
        }
        Err(error) => return Err(error.into()),
    }
    print(&format!("{word}: step {} of run {}; nobody drives it now", decision.step, decision.run))?;
    eprintln!("next: {}", session.commands(true).about("resume", &directory.run, ""));
    Ok(Exit::Done)
}

/// Nobody drives the run: the event goes into the journal, under the driver's lock.
fn record(directory: &RunDirectory, _lock: &DriverLock, request: Request) -> Result<(), Failure> {
    let (mut state, loaded) = directory.load()?;
    let hint = format!("`lifeboat status {}` shows what waits", directory.run);
    if state.is_over() {
        return Err(Failure::refused(format!("run `{}` is over", directory.run), hint));
    }
    let event = event_for(&state, request).map_err(|reason| Failure::refused(reason, hint))?;
    // The run's own clock may be a simulated one that is ahead of the wall.
    let at = Clock::Wall.now().max(state.last_event_at);
    state.apply(at, &event).map_err(|source| StoreError::Illegal { run: directory.run.clone(), source })?;
    let mut journal = Journal::open(&directory.journal_path(), &loaded).map_err(StoreError::from)?;
    Ok(journal.append(at, &[event]).map_err(StoreError::from)?)
}

/// Hands a request to the process that drives the run and waits until it is durable.
async fn send(directory: &RunDirectory, request: &Request) -> Result<(), Failure> {
    let run = &directory.run;
    let trouble = |error: std::io::Error| {
        Failure::refused(
            format!("the request cannot be handed over: {error}"),
            format!("make {} writable and type the command again", directory.inbox_path().display()),
        )
    };
    let name = format!("{}-{}", Clock::Wall.now().as_millisecond(), Machine::random_suffix());
    let posted = inbox::post(&directory.inbox_path(), &name, request).map_err(trouble)?;
    let waited_until = Clock::Wall.now() + jiff::SignedDuration::try_from(LONGEST_WAIT).expect("ten seconds");
    loop {
        if let Some(answer) = posted.answer().map_err(trouble)? {
            return answer
                .map_err(|reason| Failure::refused(reason, format!("`lifeboat status {run}` shows what waits")));
        }
        if Clock::Wall.now() > waited_until {
            let taken =
                if posted.withdraw() { "it was taken back" } else { "it had been taken, so look before you repeat it" };
            return Err(Failure::refused(
                format!("the process that drives run `{run}` did not answer; {taken}"),
                format!("`lifeboat status {run}` shows the run; is its process stopped?"),
            ));
        }
        Clock::Wall.sleep(Duration::from_millis(50)).await;
    }
}

/// Ends a run: through its driver, or by driving it just far enough to write the end down.
pub async fn abort(session: &Session, run: &str, reason: String) -> Result<Exit, Failure> {
    let store = world::store(session, None)?;
    let directory = store.open(run)?;
    let by = session.machine.user.clone();
    let lock = match directory.lock(&session.machine.holder(Clock::Wall.now())) {
        Ok(lock) => lock,
        Err(StoreError::Driven { .. }) => {
            send(&directory, &Request::Stop { by, abort: true, reason }).await?;
            print(&format!("run {run} is being aborted; `lifeboat status {run}` says what is left behind"))?;
            return Ok(Exit::Done);
        }
        Err(error) => return Err(error.into()),
    };
    let (state, loaded) = directory.load()?;
    if state.is_over() {
        drive::print_summary(session, &state, Clock::Wall.now(), !directory.world_path().is_file());
        return Err(Failure::refused(
            format!("run `{run}` is over already"),
            format!("`lifeboat status {run}` shows how it ended"),
        ));
    }
    let scene = world::reopen(session, &state.plan, &directory).await?;
    let next = loaded.records.len() as u64;
    let journal = Journal::open(&directory.journal_path(), &loaded).map_err(StoreError::from)?;
    let first = vec![Event::StopRequested { by, abort: true, reason }];
    drive::drive(session, Drive { directory, lock, state, journal, scene, first, operator: false, next }).await
}
