//! Runs that are kept in a shared store: two processes that drive one run, and a store that does not answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::SignedDuration;
use tokio::sync::{Notify, mpsc};

use super::{
    blow::Outage,
    operator::simulated_operator,
    stage::Stage,
    trial::{End, MOST_RESUMES, PAUSE, is_end},
};
use crate::{
    plan::Plan,
    run::{
        EngineError, Event, Journal, JournalError, Person, Record, State, TakeOver,
        engine::{self, Directive, Driver, Observer},
        lease::{HEARTBEAT, Holder},
    },
    runbook::Effect,
    sim::bucket::{Bucket, BucketVerb, Trouble},
    store::{Claim, Kept, Store, StoreError, Target},
};

/// One shared store, one world, and the processes at work on a run.
#[derive(Debug)]
pub(super) struct Shared<'a> {
    stage: &'a Stage,
    bucket: Bucket,
    store: Store,
}

/// Something that happens once, when so many events are durable.
struct Trap {
    after: usize,
    spring: Box<dyn FnMut() + Send>,
}

impl<'a> Shared<'a> {
    pub fn new(stage: &'a Stage) -> Self {
        let bucket = Bucket::new(stage.clock.clone());
        let store = Store::objects(Arc::new(bucket.clone()), "runs", "memory", stage.clock.clone());
        Self { stage, bucket, store }
    }

    /// Every record that is durable.
    pub async fn records(&self) -> Result<Vec<Record>, String> {
        self.bucket.recover();
        let kept = self.store.open(&self.stage.run.0).await.map_err(|error| error.to_string())?;
        kept.load().await.map(|(_, loaded)| loaded.records).map_err(|error| error.to_string())
    }

    /// One process drives; after so many events another one takes the run over, while the first lives.
    pub async fn race(&self, plan: Arc<Plan>, after: usize, resumes: &mut u32) -> End {
        let come = Arc::new(Notify::new());
        let called = come.clone();
        let trap = Trap { after, spring: Box::new(move || called.notify_one()) };
        let first = async {
            let ended = self.begin(plan, Some(trap)).await;
            // It may have been quicker.
            come.notify_one();
            ended
        };
        let second = async {
            come.notified().await;
            self.go_on("second", true).await
        };
        let (first, second) = tokio::join!(first, second);
        *resumes += 1;
        match first {
            Ok(_) | Err(StoreError::Superseded { .. }) => {}
            Err(StoreError::Journal(JournalError::Superseded { .. } | JournalError::Overtaken { .. })) => {}
            Err(error) => return End::Broken(format!("the first process: {error}")),
        }
        Box::pin(self.until_the_end(second, resumes)).await
    }

    /// One process drives; after so many events the store does not answer for a while.
    pub async fn outage(&self, plan: Arc<Plan>, (after, outage): (usize, Outage), resumes: &mut u32) -> End {
        let (bucket, clock) = (self.bucket.clone(), self.stage.clock.clone());
        let spring = Box::new(move || match outage {
            Outage::Refuses(lasting) => {
                let until = clock.now() + SignedDuration::try_from(lasting).unwrap_or(SignedDuration::MAX);
                let clock = clock.clone();
                bucket.judged_by(move |_| if clock.now() < until { Trouble::Refused } else { Trouble::None });
            }
            Outage::LosesAnswer => {
                let lost = AtomicBool::new(false);
                bucket.judged_by(move |request| {
                    let loses = request.verb == BucketVerb::Put && !lost.swap(true, Ordering::Relaxed);
                    if loses { Trouble::AnswerLost } else { Trouble::None }
                });
            }
        });
        let first = self.begin(plan, Some(Trap { after, spring })).await;
        Box::pin(self.until_the_end(first, resumes)).await
    }

    async fn until_the_end(&self, mut driven: Result<State, StoreError>, resumes: &mut u32) -> End {
        loop {
            match driven {
                Ok(state) if is_end(&state) || *resumes == MOST_RESUMES => return End::Stopped(Box::new(state)),
                Ok(_) => {}
                // The store did not answer: the drive ends, and whoever resumes goes on.
                Err(StoreError::Objects(_) | StoreError::Journal(JournalError::Store(_))) if *resumes == 0 => {}
                Err(error) => return End::Broken(error.to_string()),
            }
            self.stage.clock.sleep(PAUSE).await;
            *resumes += 1;
            driven = self.go_on("next", false).await;
        }
    }

    async fn begin(&self, plan: Arc<Plan>, trap: Option<Trap>) -> Result<State, StoreError> {
        let run = self.stage.run.clone();
        let claim = self.store.begin(&run, &self.holder("first")).await?;
        let mut journal = claim.journal(None).await?;
        let planned = Event::Planned { run: run.clone(), plan, by: claim.holder.by.clone() };
        let at = self.stage.clock.now();
        journal.append(at, std::slice::from_ref(&planned)).await?;
        let state = State::begin(at, &planned).map_err(|source| StoreError::Illegal { run, source })?;
        self.drive(claim, state, journal, trap).await
    }

    async fn go_on(&self, name: &str, take_over: bool) -> Result<State, StoreError> {
        let kept: Kept = self.store.open(&self.stage.run.0).await?;
        let claim = kept.claim(&self.holder(name), take_over).await?;
        let (state, loaded) = kept.load().await?;
        if state.is_over() {
            claim.leave().await;
            return Ok(state);
        }
        let journal = claim.journal(Some(&loaded)).await?;
        self.drive(claim, state, journal, None).await
    }

    /// As the command line does it, without its views.
    async fn drive(
        &self,
        claim: Claim,
        state: State,
        journal: Journal,
        trap: Option<Trap>,
    ) -> Result<State, StoreError> {
        let run = state.run.clone();
        let targets = state.plan.steps.iter().filter(|step| step.effect != Effect::ReadOnly);
        let targets = targets.flat_map(|step| step.probe.targets.iter());
        let targets: Vec<Target> = targets.map(|id| Target { id: id.clone(), seen: 0 }).collect();
        let fences = self.store.hold_targets(&claim, &targets).await?;
        let (sender, directives) = mpsc::channel::<Directive>(16);
        let claim = Arc::new(claim);
        // Nobody asks through the store here; and who hears late that it was superseded is the harder case.
        let mut attendance = claim.attend_every(HEARTBEAT, sender.clone());
        let mut observers = vec![simulated_operator(self.stage.clock.clone(), sender)];
        observers.extend(trap.map(|trap| trap.observer(1)));
        let reason = "the proof takes it over".to_owned();
        let take_over = claim.over.as_ref().map(|over| TakeOver { from: over.by.clone(), reason });
        let driver = Driver {
            claim: Some(claim.number),
            quiet_from: claim.quiet_from,
            take_over,
            fences: Arc::new(fences),
            ..Driver::new(claim.holder.by.clone(), 1, env!("CARGO_PKG_VERSION"))
        };
        let context = Arc::new(self.stage.context(state.plan.longest_restore()));
        let drive = Box::pin(engine::drive(state, journal, context, driver, directives, observers));
        let driven = attendance.drive(drive).await;
        attendance.end().await;
        if let Ok(claim) = Arc::try_unwrap(claim) {
            claim.leave().await;
        }
        match driven? {
            Ok((state, _journal)) => Ok(state),
            Err(EngineError::Journal(error)) => Err(StoreError::Journal(error)),
            Err(EngineError::Illegal(source)) => Err(StoreError::Illegal { run, source }),
        }
    }

    fn holder(&self, name: &str) -> Holder {
        let by = Person { name: name.to_owned(), ..self.stage.by.clone() };
        Holder { by, pid: 1, since: self.stage.clock.now(), nonce: name.to_owned() }
    }
}

impl Trap {
    /// `durable`: events before the first that it sees; that one is the first at which it can spring.
    fn observer(mut self, durable: usize) -> Observer {
        let mut seen = durable;
        self.after = self.after.max(durable + 1);
        Box::new(move |_, _, _| {
            let sprung = seen >= self.after;
            seen += 1;
            if !sprung && seen >= self.after {
                (self.spring)();
            }
        })
    }
}

/// Longer than a store is asked again, so that the drive ends.
pub(super) const DOWN: Duration = Duration::from_mins(3);
