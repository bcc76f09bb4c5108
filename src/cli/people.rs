//! `approve`, `reject`, `skip` and `abort`: to the process that drives the run, or, when nobody does, straight into the journal.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Exit, Failure, Session,
    arguments::{AbortArguments, Decision},
    confirm,
    drive::{self, Drive},
    machine::Machine,
    print, targets, world,
};
use crate::{
    clock::Clock,
    report::{Standing, way_back},
    run::{
        Event, State,
        engine::{Request, event_for},
    },
    runbook::StepId,
    store::{Claim, Kept, StoreError},
};

/// The driver looks every 200 ms, in a shared store every second; a machine under load may need some seconds.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How often its answer is looked for.
const ANSWER_POLL: Duration = Duration::from_millis(100);

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
    let kept = world::store(session, None)?.open(run).await?;
    match kept.claim(&session.machine.holder(Clock::Wall.now()), false).await {
        Ok(claim) => {
            let recorded = record(&claim, request).await;
            claim.leave().await;
            recorded?;
        }
        Err(StoreError::Driven { .. }) => {
            send(&kept, &request).await?;
            print(&format!("{word}: step {step} of run {run}"))?;
            return Ok(Exit::Done);
        }
        Err(error) => return Err(error.into()),
    }
    print(&format!("{word}: step {step} of run {run}; nobody drives it now"))?;
    eprintln!("next: {}", session.commands(true).about("resume", kept.run(), ""));
    Ok(Exit::Done)
}

/// Nobody drives the run: the event goes into the journal, under a claim of its own.
async fn record(claim: &Claim, request: Request) -> Result<(), Failure> {
    let run = claim.kept.run();
    let (mut state, loaded) = claim.kept.load().await?;
    let hint = format!("`lifeboat status {run}` shows what waits");
    if state.is_over() {
        return Err(Failure::refused(format!("run `{run}` is over"), hint));
    }
    let event = event_for(&state, request).map_err(|reason| Failure::refused(reason, hint))?;
    // The run's own clock may be a simulated one that is ahead of the wall.
    let at = Clock::Wall.now().max(state.last_event_at);
    state.apply(at, &event).map_err(|source| StoreError::Illegal { run: run.clone(), source })?;
    let mut journal = claim.journal(Some(&loaded)).await?;
    Ok(journal.append(at, &[event]).await.map_err(StoreError::from)?)
}

/// Hands a request to the process that drives the run and waits until it is durable.
async fn send(kept: &Kept, request: &Request) -> Result<(), Failure> {
    let run = kept.run();
    let name = format!("{}-{}", Clock::Wall.now().as_millisecond(), Machine::random_suffix());
    let posted = kept.post(&name, request).await?;
    let began = Clock::Wall.moment();
    loop {
        if let Some(answer) = posted.answer().await? {
            return answer
                .map_err(|reason| Failure::refused(reason, format!("`lifeboat status {run}` shows what waits")));
        }
        if Clock::Wall.since(&began) > LONGEST_WAIT {
            let taken = if posted.withdraw().await {
                "it was taken back"
            } else {
                "it had been taken, so look before you repeat it"
            };
            return Err(Failure::refused(
                format!("the process that drives run `{run}` did not answer; {taken}"),
                format!("`lifeboat status {run}` shows the run; is its process stopped?"),
            ));
        }
        Clock::Wall.sleep(ANSWER_POLL).await;
    }
}

/// Ends a run: through its driver, or by driving it just far enough to write the end down, or to undo what was done.
pub async fn abort(session: &Session, arguments: AbortArguments) -> Result<Exit, Failure> {
    let AbortArguments { run, reason, undo, yes } = arguments;
    let reason = super::reason(&reason, "--reason")?;
    let store = world::store(session, None)?;
    let kept = store.open(&run).await?;
    let simulated = kept.is_simulated();
    let by = session.machine.user.clone();
    let claim = match kept.claim(&session.machine.holder(Clock::Wall.now()), false).await {
        Ok(claim) => claim,
        Err(StoreError::Driven { .. }) => {
            if undo {
                let (state, _) = kept.load().await?;
                agree(session, &state, Standing::Driven, yes, simulated)?;
            }
            send(&kept, &Request::Stop { by, abort: true, reason, undo }).await?;
            let (doing, tells) = if undo { (" and undone", "how it goes") } else { ("", "what is left behind") };
            print(&format!("run {run} is being aborted{doing}; `lifeboat status {run}` says {tells}"))?;
            return Ok(Exit::Done);
        }
        Err(error) => return Err(error.into()),
    };
    let (state, loaded) = kept.load().await?;
    if state.is_over() {
        claim.leave().await;
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
    let scene = world::reopen(session, &state.plan, &kept).await?;
    let fences = if undo { targets::hold(&store, &claim, &state.plan, simulated).await? } else { BTreeMap::new() };
    let next = loaded.records.len() as u64;
    let journal = claim.journal(Some(&loaded)).await?;
    let (take_over, operator) = (None, false);
    drive::drive(session, Drive { store, claim, state, journal, scene, first, take_over, fences, operator, next }).await
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
