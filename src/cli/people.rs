//! `reject`, `skip`, `adopt`, `settle`, `pause` and `abort`: to the process that drives the run, or, when nobody
//! does, straight into the journal.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Exit, Failure, Session,
    arguments::{AbortArguments, Decision, Ruling, SettleArguments},
    claimed::Claimed,
    confirm,
    drive::{self, Drive},
    print,
    reach::{Sent, reach, send},
    run::not_the_one,
    targets, world,
};
use crate::{
    clock::Clock,
    report::{Standing, way_back},
    run::{
        Event, State,
        engine::{Request, Response, Subject, respond},
        lease::QUIET,
    },
    runbook::StepId,
    store::{Claim, Kept, Store, StoreError},
};

pub async fn reject(session: &Session, Decision { run, step, comment }: Decision) -> Result<Exit, Failure> {
    let request = Request::Refuse { step: StepId::new(&step), by: session.machine.user.clone(), comment };
    ask(session, &run, request, &format!("refused: step {step} of run {run}")).await
}

pub async fn skip(session: &Session, Ruling { run, step, reason }: Ruling) -> Result<Exit, Failure> {
    let reason = super::reason(&reason, "--reason")?;
    let request = Request::Skip { step: StepId::new(&step), by: session.machine.user.clone(), reason };
    ask(session, &run, request, &format!("skipped: step {step} of run {run}")).await
}

pub async fn adopt(session: &Session, Ruling { run, step, reason }: Ruling) -> Result<Exit, Failure> {
    let reason = super::reason(&reason, "--reason")?;
    let request = Request::Adopt { step: StepId::new(&step), by: session.machine.user.clone(), reason };
    ask(session, &run, request, &format!("adopted: step {step} of run {run}; a probe agrees")).await
}

/// A person answers for what no probe can tell. Asked for as a run is: nothing is sent to Azure, but what follows is.
pub async fn settle(session: &Session, arguments: SettleArguments) -> Result<Exit, Failure> {
    let SettleArguments { run, step, happened, did_not_happen: _, reason, output_value, yes } = arguments;
    let reason = super::reason(&reason, "--reason")?;
    let outputs = output_value.into_iter().map(|(name, value)| (name, given(&value))).collect();
    let word = if happened { "happened" } else { "did not happen" };
    confirm::confirm_word(session, &step, word, yes)?;
    let (by, step) = (session.machine.user.clone(), StepId::new(&step));
    let done = format!("settled: step {step} of run {run} {word}");
    ask(session, &run, Request::Settle { step, by, reason, happened, outputs }, &done).await
}

/// The value of an output as JSON where it is some, else as text.
fn given(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

pub async fn pause(session: &Session, run: &str, reason: Option<&str>) -> Result<Exit, Failure> {
    let reason = reason.map(|reason| super::reason(reason, "--reason")).transpose()?;
    let request = Request::Pause { by: session.machine.user.clone(), reason };
    ask(session, run, request, &format!("paused: run {run}; what runs goes on, nothing more starts")).await
}

/// Lifts the pause of a run that somebody drives. None: nobody does, or it is not paused.
pub async fn lift(session: &Session, kept: &Kept) -> Result<Option<Exit>, Failure> {
    if kept.driver().await?.is_none_or(|heard| !heard.lives) || kept.load().await?.0.hold.is_none() {
        return Ok(None);
    }
    match send(kept, &Request::Resume { by: session.machine.user.clone() }).await? {
        Sent::Done => print(&format!("run {} goes on; the pause is lifted", kept.run())).map(Some),
        Sent::Nobody(_) => Ok(None),
    }
}

/// Brings a request to the run: into its journal when nobody drives it, else to whoever does.
pub async fn ask(session: &Session, run: &str, request: Request, done: &str) -> Result<Exit, Failure> {
    let store = world::store(session, None)?;
    let kept = store.open(run).await?;
    // Whoever wants it to hold may say so, whoever it is.
    if !matches!(request, Request::Pause { .. }) {
        not_the_one(&session.machine.user, &kept.load().await?.0.plan.operator_must_not_be)?;
    }
    if request.looks() {
        eprintln!("looking at what is there; this may take some minutes");
    }
    match reach(session, &kept, &request).await? {
        None => print(done),
        Some(claim) => {
            let claim = Claimed::of(claim);
            let recorded = record(session, store, claim.claim(), request).await;
            claim.leave().await;
            let is_over = recorded?;
            if is_over {
                return print(done);
            }
            print(&format!("{done}; nobody drives it now"))?;
            eprintln!("next: {}", session.commands(true).about("resume", kept.run(), ""));
            Ok(Exit::Done)
        }
    }
}

/// Nobody drives the run: the event goes into the journal, under a claim of its own. Whether the run is over.
async fn record(session: &Session, store: Store, claim: &Claim, request: Request) -> Result<bool, Failure> {
    let run = claim.kept.run();
    let (mut state, loaded) = claim.kept.load().await?;
    let hint = format!("`lifeboat status {run}` shows what waits");
    let refused = |reason: String| Failure::refused(reason, hint.clone());
    let is_over = state.is_over();
    if is_over && !request.may_follow_the_end(&state) {
        return Err(refused(format!("run `{run}` is over")));
    }
    let event = match respond(&state, Clock::Wall.now().max(state.last_event_at), request).map_err(refused)? {
        Response::Take(event) => event,
        Response::Look(inquiry) => {
            let scene = world::reopen(session, &state.plan, &claim.kept).await?;
            let context = drive::context(&scene, &state, store);
            let place = inquiry.place(&state).map_err(refused)?;
            // Whoever drove may still send what it had announced.
            if state.owes_quiet(claim.quiet_from) {
                claim.kept.clock().sleep(QUIET).await;
            }
            let seen = Subject::of(&state, place).from_outside().look(inquiry.claim, &context).await;
            inquiry.conclude(&state, seen).map_err(refused)?
        }
    };
    // The run's own clock may be a simulated one that is ahead of the wall.
    let at = Clock::Wall.now().max(state.last_event_at);
    state.apply(at, &event).map_err(|source| StoreError::Illegal { run: run.clone(), source })?;
    let mut journal = claim.journal(Some(&loaded)).await?;
    journal.append(at, &[event]).await.map_err(StoreError::from)?;
    Ok(is_over)
}

/// Ends a run: through its driver, or by driving it just far enough to write the end down, or to undo what was done. Says
/// before it acts what is left behind.
pub async fn abort(session: &Session, arguments: AbortArguments) -> Result<Exit, Failure> {
    let AbortArguments { run, reason, undo, yes } = arguments;
    let reason = super::reason(&reason, "--reason")?;
    let store = world::store(session, None)?;
    let kept = store.open(&run).await?;
    let simulated = kept.is_simulated();
    let by = session.machine.user.clone();
    let (mut told, mut agreed) = (false, None);
    let claim = if kept.driver().await?.is_some_and(|heard| heard.lives) {
        let (state, _) = kept.load().await?;
        preview(session, &state, Standing::Driven, undo, simulated);
        told = true;
        if undo {
            agreed = agree(session, &state, yes, simulated)?;
        }
        let request = Request::Stop { by: by.clone(), abort: true, reason: reason.clone(), undo };
        let Some(claim) = reach(session, &kept, &request).await? else {
            let (doing, tells) = if undo { (" and undone", "how it goes") } else { ("", "what is left behind") };
            return print(&format!("run {run} is being aborted{doing}; `lifeboat status {run}` says {tells}"));
        };
        claim
    } else {
        kept.claim(&session.machine.holder(Clock::Wall.now()), false).await?
    };
    let prepare = async |claim: &Claim| {
        let (state, loaded) = kept.load().await?;
        if state.is_over() {
            drive::print_summary(session, &state, Clock::Wall.now(), !simulated);
            return Err(Failure::refused(
                format!("run `{run}` is over already"),
                format!("`lifeboat status {run}` shows how it ended"),
            ));
        }
        if !told {
            preview(session, &state, Standing::of(&state, Some(false)), undo, simulated);
        }
        if undo && agreed.is_none() {
            agreed = agree(session, &state, yes, simulated)?;
        }
        let stop = Event::StopRequested { by, abort: true, reason, undo };
        let first = agreed.into_iter().chain([stop]).collect();
        let scene = world::reopen(session, &state.plan, &kept).await?;
        let fences = if undo { targets::hold(&store, claim, &state.plan, simulated).await? } else { BTreeMap::new() };
        let next = loaded.records.len() as u64;
        let journal = claim.journal(Some(&loaded)).await?;
        let (take_over, operator) = (None, false);
        Ok(Drive { store, state, journal, scene, first, take_over, fences, operator, next })
    };
    Claimed::of(claim).drive(session, prepare).await
}

/// Says what would be undone, and what is left behind.
fn preview(session: &Session, state: &State, standing: Standing, undo: bool, simulated: bool) {
    let now = Clock::Wall.now().max(state.last_event_at);
    let commands = session.commands(!simulated);
    eprint!("{}", way_back::preview(state, standing, now, undo, &commands, &session.machine.style()));
}

/// Asks whether it shall be undone; the event that records the consent. Nothing is asked when there is nothing to undo.
fn agree(session: &Session, state: &State, yes: bool, simulated: bool) -> Result<Option<Event>, Failure> {
    if state.steps.iter().all(|record| record.changes == 0) {
        return Ok(None);
    }
    confirm::confirm_undo(session, &state.plan, yes, simulated).map(Some)
}
