//! A case: a runbook in one mode, the world it is proven in, its plan, and the run that nothing disturbs.

use std::{future::Future, sync::Arc};

use jiff::Timestamp;

use super::{
    rows::{Point, Row, rows},
    stage::Stage,
    worlds,
};
use crate::{
    clock::Clock,
    plan::{self, History, Ingredients, Plan, Purpose},
    run::{Event, Outcome, State},
    runbook::{Given, Mode, Problems, Runbook, bind},
    sim::{Effects, Fault, LoggedRequest, Scenario, Shape, World},
};

/// When every proof begins: what it prints must not depend on the day.
const BEGINNING: &str = "2026-11-23T03:00:00Z";

/// What is to be proven.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    pub runbook: &'a Runbook,
    /// As it was typed, for the commands that repeat something.
    pub path: String,
    /// Values of parameters, but for the site's: those are the world's.
    pub given: Given<'a>,
    /// Where a scenario was read from, and what it says; none: a built-in world that fits.
    pub scenario: Option<(String, Scenario)>,
    pub seed: u64,
    /// Further options of the command, each with a space before it.
    pub options: String,
}

/// Why a mode cannot be proven. Messages are lower-case fragments.
#[derive(Clone, Debug)]
pub enum Unprovable {
    /// Parameters that are missing or wrong.
    Problems(Problems),
    /// The runbook does nothing in this mode.
    Nothing,
    /// Undisturbed, it does not come to its end in any world that was tried.
    Unfit { message: String, remedy: String },
}

/// What one mode is held against.
#[derive(Debug)]
pub struct Case {
    pub mode: Mode,
    /// What is the case in the world, as a lower-case fragment.
    pub world: String,
    /// Steps that are taken as done.
    pub pretended: Vec<String>,
    /// Appends of the journal that nothing disturbs.
    pub appends: u32,
    pub requests: Vec<LoggedRequest>,
    pub requests_of_plan: Vec<LoggedRequest>,
    pub(super) plan: Arc<Plan>,
    pub(super) before: Shape,
    pub(super) after: Shape,
    pub(super) effects: Effects,
    pub(super) began: Timestamp,
    /// Bytes at which each append begins.
    pub(super) bounds: Vec<usize>,
    /// Events that are durable after each append.
    pub(super) events: Vec<usize>,
    origin: Arc<World>,
    planned: Arc<World>,
    planned_at: Timestamp,
    intents: usize,
}

/// Runs something on a paused clock, in this thread.
///
/// # Panics
/// The system gives this thread no timer; or the future panics.
pub(super) fn on_paused_clock<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime without sockets needs nothing of the system").block_on(future)
}

impl Case {
    /// The case of a mode in the world in which it has most to do.
    pub fn of(order: &Order<'_>, mode: Mode) -> Result<Self, Unprovable> {
        let worlds = match &order.scenario {
            Some((name, scenario)) => vec![(name.clone(), Scenario { seed: order.seed, ..scenario.clone() })],
            None => worlds::candidates(mode, order.seed),
        };
        let mut best: Option<Self> = None;
        let mut reason = None;
        for (words, scenario) in worlds {
            match on_paused_clock(Self::make(order, mode, words, scenario)) {
                Ok(case) if best.as_ref().is_none_or(|best| case.intents > best.intents) => best = Some(case),
                Ok(_) => {}
                Err(Unprovable::Unfit { message, remedy }) => {
                    reason.get_or_insert(Unprovable::Unfit { message, remedy });
                }
                Err(unprovable) => return Err(unprovable),
            }
        }
        match (best, reason) {
            (Some(case), _) => Ok(case),
            (None, Some(reason)) => Err(reason),
            (None, None) => Err(Unprovable::Nothing),
        }
    }

    async fn make(order: &Order<'_>, mode: Mode, words: String, scenario: Scenario) -> Result<Self, Unprovable> {
        let began: Timestamp = BEGINNING.parse().expect("it is a timestamp");
        let origin = World::new(Scenario { faults: Vec::new(), ..scenario.clone() }, Clock::starting_at(began));
        let planned = origin.fork(origin.clock().clone(), scenario.faults);
        let plan = Arc::new(make_plan(order, mode, &planned).await?);
        if plan.steps.is_empty() {
            return Err(Unprovable::Nothing);
        }
        if let Some(blocker) = plan.blocker() {
            return Err(Unprovable::Unfit { message: blocker.message.clone(), remedy: blocker.remedy.clone() });
        }
        let planned_at = origin.clock().now();
        let world = planned.fork(Clock::starting_at(planned_at), planned.scenario().faults.clone());
        let mut stage = Stage::new(world.clone(), Clock::starting_at(planned_at));
        let state = stage.begin(plan.clone(), None).await.map_err(|error| Unprovable::Unfit {
            message: format!("undisturbed, it stops: {error}"),
            remedy: "this is a bug of lifeboat; please report it".to_owned(),
        })?;
        if let Some(unfit) = unfit(&state) {
            return Err(unfit);
        }
        let pretended = pretended(&stage);
        let bounds = stage.disk.appends();
        Ok(Self {
            mode,
            world: words,
            pretended,
            appends: u32::try_from(bounds.len()).unwrap_or(u32::MAX),
            requests: world.requests(),
            requests_of_plan: planned.requests(),
            plan,
            before: planned.shape(),
            after: world.shape(),
            effects: world.effects(),
            began,
            events: events(&bounds, &stage.disk.bytes()),
            bounds,
            origin,
            planned,
            planned_at,
            intents: state.steps.iter().map(|record| record.changes as usize).sum(),
        })
    }

    /// Every point of a row.
    pub fn points(&self, row: &'static Row) -> Vec<Point> {
        let numbers = if row.blow.is_at_appends() {
            (0..self.appends).collect()
        } else if row.planning {
            row.blow.numbers(&self.requests_of_plan)
        } else {
            row.blow.numbers(&self.requests)
        };
        numbers.into_iter().map(|number| Point { mode: self.mode, row, number }).collect()
    }

    /// Whether the matrix has this point.
    pub fn has(&self, point: &Point) -> bool {
        self.points(point.row).contains(point)
    }

    /// Every point of the matrix.
    pub fn all_points(&self) -> Vec<Point> {
        rows().iter().flat_map(|row| self.points(row)).collect()
    }

    /// A world of its own, as it was when the plan was made, in which a point's faults strike.
    pub(super) fn world_after_planning(&self, point: Point) -> Arc<World> {
        let faults = self.faults(point, &self.requests);
        self.planned.fork(Clock::starting_at(self.planned_at), faults)
    }

    /// A world of its own, as it was before anybody planned, in which a point's faults strike.
    pub(super) fn world_before_planning(&self, point: Point) -> Arc<World> {
        let faults = self.faults(point, &self.requests_of_plan);
        self.origin.fork(Clock::starting_at(self.began), faults)
    }

    fn faults(&self, point: Point, requests: &[LoggedRequest]) -> Vec<Fault> {
        let mut faults = point.row.blow.faults(self.origin.scenario(), point.number, requests, self.began);
        faults.extend(self.planned.scenario().faults.iter().cloned());
        faults
    }
}

/// Makes the plan of a run in a world.
pub(super) async fn make_plan(order: &Order<'_>, mode: Mode, world: &Arc<World>) -> Result<Plan, Unprovable> {
    let site = world.site();
    let given = Given { site: site.parameters.clone(), ..order.given.clone() };
    let parameters = bind(order.runbook, &given, mode).map_err(Unprovable::Problems)?;
    let stage = Stage::new(world.clone(), world.clock().clone());
    let context = stage.context(order.runbook.longest_restore(mode));
    let ingredients = Ingredients {
        runbook: order.runbook,
        parameters,
        mode,
        purpose: Purpose::Run,
        forced: None,
        site,
        history: History::none(),
    };
    Ok(plan::make(ingredients, Arc::new(context)).await)
}

/// Why a run that nothing disturbs proves nothing: it did not succeed.
fn unfit(state: &State) -> Option<Unprovable> {
    let (outcome, reason, _) = state.stopped.as_ref()?;
    if *outcome == Outcome::Succeeded {
        return None;
    }
    let remedy = state.failure().map(|(_, error)| error.hint.clone()).unwrap_or_default();
    Some(Unprovable::Unfit {
        message: format!("undisturbed, it does not succeed: {reason}"),
        remedy: format!("{remedy}; or name a world in which it does with --scenario"),
    })
}

/// How many lines stand before the end of each append.
fn events(bounds: &[usize], bytes: &[u8]) -> Vec<usize> {
    let ends = bounds.iter().skip(1).copied().chain([bytes.len()]);
    ends.map(|end| bytes[..end].split(|byte| *byte == b'\n').count() - 1).collect()
}

/// Steps whose program was not started, or whose host was not asked.
fn pretended(stage: &Stage) -> Vec<String> {
    let Ok(loaded) = stage.load() else { return Vec::new() };
    let done = loaded.records.iter().filter_map(|record| {
        let Event::StepSucceeded { step, evidence, .. } = &record.event else { return None };
        evidence.get("pretended").map(|_| step.to_string())
    });
    done.collect()
}
