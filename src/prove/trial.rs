//! One point: the run is driven, the thing goes wrong, and whoever comes goes on until it ends.

use std::{sync::Arc, time::Duration};

use super::{
    blow::{Blow, Cut},
    case::{Case, Order, make_plan},
    rows::Point,
    shared::Shared,
    stage::Stage,
};
use crate::{
    clock::Clock,
    plan::{Plan, facts::Finding},
    run::{EngineError, JournalError, Outcome, PowerCut, Record, State, engine::Observer, journal::Disk},
    sim::World,
};

/// Somebody resumes so often at most. A fault that lasts ten minutes is over by then.
pub(super) const MOST_RESUMES: u32 = 8;
/// Time until somebody resumes what has failed.
pub(super) const PAUSE: Duration = Duration::from_mins(5);
/// Of the simulation: every timeout of a runbook that is followed eight times is over by then.
const PATIENCE: Duration = Duration::from_hours(24 * 14);

/// What became of a point.
#[derive(Debug)]
pub(super) struct Trial {
    pub world: Arc<World>,
    pub clock: Clock,
    /// All that was ever written; or why it cannot be read.
    pub records: Result<Vec<Record>, String>,
    pub end: End,
    pub resumes: u32,
}

#[derive(Debug)]
pub(super) enum End {
    /// Nothing was started: the plan says why.
    Blocked(Vec<Finding>),
    /// The last drive came to an end of its own.
    Stopped(Box<State>),
    /// The engine gave up, for another reason than the point's.
    Broken(String),
    /// It goes on for ever.
    Endless,
}

/// Drives one point to its end.
pub(super) async fn run(order: &Order<'_>, case: &Case, point: Point) -> Trial {
    let (world, plan) = if point.row.planning {
        let world = case.world_before_planning(point);
        match make_plan(order, case.mode, &world).await {
            Ok(plan) if plan.blocker().is_none() => (world, Arc::new(plan)),
            Ok(plan) => return over(&world, End::Blocked(plan.findings)),
            Err(_) => return over(&world, End::Broken("the parameters fit no more".to_owned())),
        }
    } else {
        (case.world_after_planning(point), case.plan.clone())
    };
    let mut stage = Stage::new(world.clone(), Clock::starting_at(world.clock().now()));
    let mut resumes = 0;
    let (end, records) = match point.row.blow {
        Blow::TakeOver | Blow::Store(_) => Box::pin(in_shared_store(&stage, case, point, plan, &mut resumes)).await,
        Blow::Cut(..) | Blow::DiskFull | Blow::Clock(_) | Blow::Strike(..) | Blow::Lasting(_) => {
            let cut = prepare(&mut stage, case, point);
            let end = Box::pin(in_time(&world, drive(&mut stage, plan, cut, point, &mut resumes))).await;
            (end, stage.load().map(|loaded| loaded.records).map_err(|error| error.to_string()))
        }
    };
    Trial { world, clock: stage.clock, records, end, resumes }
}

/// A run that is kept in a shared store instead of on a disk.
async fn in_shared_store(
    stage: &Stage,
    case: &Case,
    point: Point,
    plan: Arc<Plan>,
    resumes: &mut u32,
) -> (End, Result<Vec<Record>, String>) {
    let shared = Shared::new(stage);
    let after = case.events.get(point.number as usize).copied().unwrap_or_default();
    let end = match point.row.blow {
        Blow::Store(outage) => Box::pin(in_time(&stage.world, shared.outage(plan, (after, outage), resumes))).await,
        Blow::TakeOver | Blow::Cut(..) | Blow::DiskFull | Blow::Clock(_) | Blow::Strike(..) | Blow::Lasting(_) => {
            Box::pin(in_time(&stage.world, shared.race(plan, after, resumes))).await
        }
    };
    (end, shared.records().await)
}

async fn in_time(world: &World, driven: impl Future<Output = End>) -> End {
    tokio::select! {
        end = driven => end,
        () = world.clock().sleep(PATIENCE) => End::Endless,
    }
}

fn over(world: &Arc<World>, end: End) -> Trial {
    Trial { world: world.clone(), clock: world.clock().clone(), records: Ok(Vec::new()), end, resumes: 0 }
}

/// Sets the point's trap in the process and its disk; those of the world are set already.
fn prepare(stage: &mut Stage, case: &Case, point: Point) -> Option<PowerCut> {
    let number = point.number as usize;
    let begins = case.bounds.get(number).copied().unwrap_or_default();
    // The last append is as long as the rest; half of a short one is all the same half of one.
    let half = case.bounds.get(number + 1).map_or(40, |end| (end - begins) / 2);
    match point.row.blow {
        Blow::Cut(place, _) => {
            let bytes = match place {
                Cut::Before => Some(0),
                Cut::Within => Some(half),
                Cut::After => None,
            };
            return Some(PowerCut { append: u64::from(point.number), bytes });
        }
        Blow::DiskFull => stage.disk.set_room(Some(begins + half)),
        Blow::Clock(seconds) => {
            let by = jiff::SignedDuration::from_secs(seconds);
            stage.observers.push(setter(stage.clock.clone(), stage.disk.clone(), number, by));
        }
        Blow::TakeOver | Blow::Store(_) | Blow::Strike(..) | Blow::Lasting(_) => {}
    }
    None
}

/// Sets the clock once, as soon as an append is durable.
fn setter(clock: Clock, disk: Disk, append: usize, by: jiff::SignedDuration) -> Observer {
    let mut set = false;
    Box::new(move |_, _, _| {
        if !set && disk.appends().len() > append {
            clock.set(by);
            set = true;
        }
    })
}

async fn drive(stage: &mut Stage, plan: Arc<Plan>, cut: Option<PowerCut>, point: Point, resumes: &mut u32) -> End {
    let mut driven = stage.begin(plan.clone(), cut).await;
    loop {
        let pause = match driven {
            Ok(state) if is_end(&state) || *resumes == MOST_RESUMES => return End::Stopped(Box::new(state)),
            Ok(_) => PAUSE,
            Err(EngineError::Journal(JournalError::Cut | JournalError::Io { .. })) if *resumes == 0 => {
                match point.row.blow {
                    Blow::Cut(_, pause) => pause,
                    Blow::DiskFull
                    | Blow::Clock(_)
                    | Blow::TakeOver
                    | Blow::Store(_)
                    | Blow::Strike(..)
                    | Blow::Lasting(_) => PAUSE,
                }
            }
            Err(error) => return End::Broken(error.to_string()),
        };
        stage.world.clock().sleep(pause).await;
        stage.disk.set_room(None);
        *resumes += 1;
        driven = match stage.resume(None).await {
            Ok(Some(state)) => Ok(state),
            // Nothing had reached the disk: the command is typed once more.
            Ok(None) => {
                stage.disk = Disk::default();
                stage.begin(plan.clone(), None).await
            }
            Err(error) => Err(error),
        };
    }
}

pub(super) fn is_end(state: &State) -> bool {
    state.stopped.as_ref().is_some_and(|(outcome, _, _)| *outcome == Outcome::Succeeded || outcome.is_terminal())
}
