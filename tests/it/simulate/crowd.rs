//! Processes and people at work on one run: on a disk whose power is cut, or in a store that several share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use lifeboat::{
    prove::operator::simulated_operator,
    run::{
        EngineError, Event, JournalError, PowerCut, Record, State, TakeOver,
        engine::{self, Directive, Driver, Request},
        journal::Disk,
        lease::Holder,
    },
    runbook::{Mode, StepId},
    sim::{
        Act,
        bucket::{Bucket, BucketVerb, Trouble},
    },
    store::{Claim, Store, StoreError},
};
use tokio::sync::{mpsc, oneshot};

use super::{
    Counts,
    chance::Chance,
    promises::{self, Left},
    runbooks,
};
use crate::{
    harness::{Stage, beginning},
    transitions::person,
};

/// Processes that come while things go wrong.
const MOST_SHIFTS: u64 = 4;

/// Resumes once nobody dies any more. What a fault of the world broke may still be broken.
const CALM_SHIFTS: u32 = 4;

/// Longer than any run of a few steps that is resumed so often.
const PATIENCE: Duration = Duration::from_hours(24 * 7);

/// One run of one seed, from its plan to its end.
pub async fn live(chance: &mut Chance) -> Result<Counts, String> {
    let scenario = runbooks::scenario(chance);
    let repeats = scenario.faults.iter().any(|fault| matches!(fault.act, Act::Twice(_)));
    let text = runbooks::runbook(chance);
    let mut stage = Stage::with(scenario, &text);
    stage.mode = *chance.pick(&[Mode::Unplanned, Mode::Unplanned, Mode::Planned]);
    let plan = Arc::new(stage.plan().await);
    if plan.blocker().is_some() || plan.steps.is_empty() {
        let changed = stage.world.requests().iter().any(|request| !["GET", "HEAD", "POST"].contains(&&*request.method));
        return if changed { Err("a plan changed the world".to_owned()) } else { Ok(Counts::default()) };
    }
    let clock = stage.clock.clone();
    let done = async {
        let steps: Vec<StepId> = plan.steps.iter().map(|step| step.id.clone()).collect();
        let planned = Event::Planned { run: stage.run.clone(), plan: plan.clone(), by: person("ann") };
        if chance.once_in(2) {
            on_a_disk(&mut stage, chance, &plan, &steps).await
        } else {
            in_a_store(&stage, chance, planned, &steps).await
        }
    };
    let ended = tokio::select! {
        ended = done => ended,
        () = clock.sleep(PATIENCE) => Err("it does not end".to_owned()),
    };
    let (records, last) = ended.map_err(|what| format!("{what}\n{text}"))?;
    let (effects, requests) = (stage.world.effects(), stage.world.requests());
    let left = Left { records: &records, effects: &effects, requests: &requests, repeats };
    let counts = promises::hold(&left).map_err(|what| format!("{what}\n{text}"))?;
    match &last.stopped {
        Some((_, reason, _)) if !reason.is_empty() => Ok(counts),
        Some(_) | None => Err(format!("it ended without a reason\n{text}")),
    }
}

/// What people ask, each so long after a process has begun.
fn script(chance: &mut Chance, steps: &[StepId]) -> Vec<(Duration, Request)> {
    let mut script = Vec::new();
    for _ in 0..chance.below(4) {
        let (by, step, reason) = (person("bob"), chance.pick(steps).clone(), "they said so".to_owned());
        let request = match chance.below(8) {
            0 => Request::Stop { by, abort: false, reason, undo: false },
            1 => Request::Stop { by, abort: true, reason, undo: true },
            2 => Request::Pause { by, reason: Some(reason) },
            3 | 4 => Request::Resume { by },
            5 => Request::Skip { step, by, reason },
            6 => Request::Refuse { step, by, comment: None },
            _ => Request::Approve { step, by, comment: None },
        };
        script.push((chance.time(Duration::from_hours(2)), request));
    }
    script.sort_by_key(|(after, _)| *after);
    // A run that somebody paused waits for ever: at last the process is stopped.
    let reason = "enough for today".to_owned();
    script.push((Duration::from_hours(4), Request::Stop { by: person("bob"), abort: false, reason, undo: false }));
    script
}

type Ended = Result<(Vec<Record>, State), String>;

async fn on_a_disk(
    stage: &mut Stage,
    chance: &mut Chance,
    plan: &Arc<lifeboat::plan::Plan>,
    steps: &[StepId],
) -> Ended {
    let mut calm = 0;
    let mut shift = 0;
    loop {
        shift += 1;
        let rough = shift <= MOST_SHIFTS && !chance.once_in(4);
        let cut = rough.then(|| PowerCut {
            append: chance.below(30),
            bytes: [None, Some(0), Some(77)][usize::try_from(chance.below(3)).unwrap()],
        });
        stage.script = if rough { script(chance, steps) } else { vec![lift()] };
        let resumed = stage.product.resume(cut).await;
        let driven = match resumed {
            Ok(None) => {
                stage.disk = Disk::default();
                stage.product.begin(plan.clone(), cut).await
            }
            Ok(Some(state)) => Ok(state),
            Err(error) => Err(error),
        };
        match driven {
            Ok(state) if state.is_over() || calm == CALM_SHIFTS => {
                let loaded = stage.load().map_err(|error| error.to_string())?;
                return Ok((loaded.records, state));
            }
            Ok(_) => calm += u32::from(!rough),
            Err(EngineError::Journal(JournalError::Cut)) => silent(stage, chance.time(Duration::from_hours(1))).await?,
            Err(error) => return Err(format!("the engine gave up: {error}")),
        }
        let pause = chance.time(Duration::from_hours(2));
        stage.clock.sleep(pause).await;
    }
}

/// When the journal cannot be written nothing more is asked of the world by whoever could not write it.
async fn silent(stage: &Stage, lasting: Duration) -> Result<(), String> {
    let before = stage.world.requests().len();
    stage.clock.sleep(lasting).await;
    let after = stage.world.requests().len();
    if before == after { Ok(()) } else { Err(format!("{} requests after a failed append", after - before)) }
}

/// Somebody lets a run go on that was paused.
fn lift() -> (Duration, Request) {
    (Duration::from_secs(1), Request::Resume { by: person("bob") })
}

async fn in_a_store(stage: &Stage, chance: &mut Chance, planned: Event, steps: &[StepId]) -> Ended {
    let bucket = Bucket::new(stage.clock.clone());
    let store = Store::objects(Arc::new(bucket.clone()), "runs", "memory", stage.clock.clone());
    let first = store.begin(&stage.run, &holder("p0")).await.map_err(|error| error.to_string())?;
    let mut journal = first.journal(None).await.map_err(|error| error.to_string())?;
    journal.append(stage.clock.now(), &[planned]).await.map_err(|error| error.to_string())?;
    drop(journal);
    trouble(&bucket, chance);
    let mut shifts =
        vec![shift(stage, Some(first), &store, "p0".to_owned(), Duration::ZERO, life(chance), script(chance, steps))];
    for number in 0..=chance.below(MOST_SHIFTS) {
        let begin = chance.time(Duration::from_hours(3));
        shifts.push(shift(stage, None, &store, format!("p{}", number + 1), begin, life(chance), script(chance, steps)));
    }
    for ended in join_all(shifts).await {
        ended?;
    }
    bucket.recover();
    let mut calm = 0;
    loop {
        let kept = store.open(&stage.run.0).await.map_err(|error| error.to_string())?;
        let claim = kept.claim(&holder("last"), true).await.map_err(|error| error.to_string())?;
        let state = drive(stage, claim, Duration::MAX, vec![lift()]).await?;
        let (state, loaded) = match state {
            Some(_) => kept.load().await.map_err(|error| error.to_string())?,
            None => return Err("whoever is alone is superseded".to_owned()),
        };
        calm += 1;
        if state.is_over() || calm == CALM_SHIFTS {
            return Ok((loaded.records, state));
        }
        stage.clock.sleep(Duration::from_mins(30)).await;
    }
}

/// Some of what is asked of the store is refused, lost or late.
fn trouble(bucket: &Bucket, chance: &mut Chance) {
    let often = 5 + chance.below(200);
    let seed = chance.below(u64::MAX);
    let calls = AtomicU64::new(0);
    if chance.once_in(3) {
        return;
    }
    bucket.judged_by(move |request| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        let mut chance = Chance::new(seed ^ call);
        if !chance.once_in(often) {
            return Trouble::None;
        }
        match chance.below(4) {
            0 => Trouble::AnswerLost,
            1 => Trouble::AnswerLate(Duration::from_secs(chance.below(15))),
            2 if request.verb == BucketVerb::Put => Trouble::Hangs,
            _ => Trouble::Refused,
        }
    });
}

/// How long a process lives: some for ever.
fn life(chance: &mut Chance) -> Duration {
    if chance.once_in(2) { Duration::MAX } else { chance.time(Duration::from_hours(2)) }
}

/// One process: comes, takes the run over, drives it as long as it lives. What it announced before it died may still
/// arrive.
async fn shift(
    stage: &Stage,
    first: Option<Claim>,
    store: &Store,
    name: String,
    begin: Duration,
    life: Duration,
    script: Vec<(Duration, Request)>,
) -> Result<(), String> {
    stage.clock.sleep(begin).await;
    let claim = match first {
        Some(claim) => claim,
        None => {
            let opened = store.open(&stage.run.0).await;
            let Ok(kept) = opened else { return Ok(()) };
            match kept.claim(&holder(&name), true).await {
                Ok(claim) => claim,
                Err(StoreError::Driven { .. } | StoreError::Objects(_) | StoreError::Superseded { .. }) => {
                    return Ok(());
                }
                Err(StoreError::Journal(JournalError::Store(_))) => return Ok(()),
                Err(error) => return Err(format!("{name}: {error}")),
            }
        }
    };
    drive(stage, claim, life, script).await.map(drop)
}

/// None: it died, or was superseded, or its store did not answer.
async fn drive(
    stage: &Stage,
    claim: Claim,
    life: Duration,
    script: Vec<(Duration, Request)>,
) -> Result<Option<State>, String> {
    let (state, loaded) = match claim.kept.load().await {
        Ok(loaded) => loaded,
        Err(StoreError::Objects(_) | StoreError::Journal(JournalError::Store(_))) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if state.is_over() {
        claim.leave().await;
        return Ok(Some(state));
    }
    let journal = claim.journal(Some(&loaded)).await.map_err(|error| error.to_string())?;
    let (sender, directives) = mpsc::channel::<Directive>(16);
    let claim = Arc::new(claim);
    let attendance = claim.attend(sender.clone());
    let observers = vec![simulated_operator(stage.clock.clone(), sender.clone())];
    ask(stage, sender, script);
    let take_over =
        claim.over.as_ref().map(|over| TakeOver { from: over.by.clone(), reason: "it is my turn".to_owned() });
    let by = claim.holder.by.clone();
    let driver = Driver { claim: Some(claim.number), take_over, ..Driver::new(by, 7, "test") };
    let driven = tokio::select! {
        driven = engine::drive(state, journal, Arc::new(stage.context()), driver, directives, observers) => driven,
        () = stage.clock.sleep(life.min(Duration::from_hours(24 * 365))) => return Ok(None),
    };
    attendance.end().await;
    if let Ok(claim) = Arc::try_unwrap(claim) {
        claim.leave().await;
    }
    match driven {
        Ok((state, _)) => Ok(Some(state)),
        Err(EngineError::Journal(
            JournalError::Superseded { .. } | JournalError::Overtaken { .. } | JournalError::Store(_),
        )) => Ok(None),
        Err(error) => Err(format!("the engine gave up: {error}")),
    }
}

fn ask(stage: &Stage, sender: mpsc::Sender<Directive>, script: Vec<(Duration, Request)>) {
    let clock = stage.clock.clone();
    let began = clock.now();
    tokio::spawn(async move {
        for (after, request) in script {
            clock.sleep_until(began + jiff::SignedDuration::try_from(after).unwrap()).await;
            let (answer, _) = oneshot::channel();
            if sender.send(Directive { request, answer }).await.is_err() {
                return;
            }
        }
    });
}

fn holder(name: &str) -> Holder {
    Holder { by: person(name), pid: 7, since: beginning(), nonce: name.to_owned() }
}
