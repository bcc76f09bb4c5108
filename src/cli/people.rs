//! `approve`, `reject`, `skip` and `abort`: to the process that drives the run, or, when nobody does, straight into the journal.

use std::time::Duration;

use super::{
    Exit, Failure, Session,
    arguments::{AbortArguments, Decision},
    confirm,
    drive::{self, Drive},
    machine::Machine,
    print, world,
};
use crate::{
    clock::Clock,
    report::{Standing, way_back},
    run::{
        Event, Journal, State,
        engine::{Request, event_for},
    },
    runbook::StepId,
    store::{DriverLock, RunDirectory, StoreError, inbox},
};

/// The driver looks every 200 ms; a machine under load may need some seconds.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

pub async fn decide(session: &Session, decision: Decision, approve: bool) -> Result<Exit, Failure> {
    let (step, by) = (StepId::new(&decision.step), session.machine.user.clone());
    let comment = decision.comment;
    let request = if approve { Request::Approve { step, by, comment } } else { Request::Refuse { step, by, comment } };
    let word = if approve { "approved" } else { "refused" };
    ask(session, &decision.run, &decision.step, request, word).await
}

pub async fn skip(session: &Session, run: &str, step: &str, reason: &str) -> Result<Exit, Failure> {
    let reason = super::reason(reason, "--reason")?;
    let request = Request::Skip { step: StepId::new(step), by: session.machine.user.clone(), reason };
    ask(session, run, step, request, "skipped").await
}

/// Brings a request to the run: into its journal when nobody drives it, else to whoever does.
async fn ask(session: &Session, run: &str, step: &str, request: Request, word: &str) -> Result<Exit, Failure> {
    let store = world::store(session, None)?;
    let directory = store.open(run)?;
    match directory.lock(&session.machine.holder(Clock::Wall.now())) {
        Ok(lock) => record(&directory, &lock, request).await?,
        Err(StoreError::Driven { .. }) => {
            send(&directory, &request).await?;
            print(&format!("{word}: step {step} of run {run}"))?;
            return Ok(Exit::Done);
        }
        Err(error) => return Err(error.into()),
    }
    print(&format!("{word}: step {step} of run {run}; nobody drives it now"))?;
    eprintln!("next: {}", session.commands(true).about("resume", &directory.run, ""));
    Ok(Exit::Done)
}

/// Nobody drives the run: the event goes into the journal, under the driver's lock.
async fn record(directory: &RunDirectory, _lock: &DriverLock, request: Request) -> Result<(), Failure> {
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
    Ok(journal.append(at, &[event]).await.map_err(StoreError::from)?)
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

/// Ends a run: through its driver, or by driving it just far enough to write the end down, or to undo what was done.
pub async fn abort(session: &Session, arguments: AbortArguments) -> Result<Exit, Failure> {
    let AbortArguments { run, reason, undo, yes } = arguments;
    let reason = super::reason(&reason, "--reason")?;
    let store = world::store(session, None)?;
    let directory = store.open(&run)?;
    let simulated = directory.world_path().is_file();
    let by = session.machine.user.clone();
    let lock = match directory.lock(&session.machine.holder(Clock::Wall.now())) {
        Ok(lock) => lock,
        Err(StoreError::Driven { .. }) => {
            if undo {
                let (state, _) = directory.load()?;
                agree(session, &state, Standing::Driven, yes, simulated)?;
            }
            send(&directory, &Request::Stop { by, abort: true, reason, undo }).await?;
            let (doing, tells) = if undo { (" and undone", "how it goes") } else { ("", "what is left behind") };
            print(&format!("run {run} is being aborted{doing}; `lifeboat status {run}` says {tells}"))?;
            return Ok(Exit::Done);
        }
        Err(error) => return Err(error.into()),
    };
    let (state, loaded) = directory.load()?;
    if state.is_over() {
        drive::print_summary(session, &state, Clock::Wall.now(), !simulated);
        return Err(Failure::refused(
            format!("run `{run}` is over already"),
            format!("`lifeboat status {run}` shows how it ended"),
        ));
    }
    let mut first = Vec::new();
    if undo {
        first.extend(agree(session, &state, Standing::of(&state, Some(false)), yes, simulated)?);
    }
    first.push(Event::StopRequested { by, abort: true, reason, undo });
    let scene = world::reopen(session, &state.plan, &directory).await?;
    let next = loaded.records.len() as u64;
    let journal = Journal::open(&directory.journal_path(), &loaded).map_err(StoreError::from)?;
    drive::drive(session, Drive { directory, lock, state, journal, scene, first, operator: false, next }).await
}

/// Says what would be undone and what is left behind, then asks; the event that records the consent.
fn agree(
    session: &Session,
    state: &State,
    standing: Standing,
    yes: bool,
    simulated: bool,
) -> Result<Option<Event>, Failure> {
    let now = Clock::Wall.now().max(state.last_event_at);
    let commands = session.commands(!simulated);
    eprint!("{}", way_back::preview(state, standing, now, &commands, &session.machine.style()));
    if state.steps.iter().all(|record| record.changes == 0) {
        return Ok(None);
    }
    confirm::confirm_undo(session, &state.plan, yes, simulated).map(Some)
}
