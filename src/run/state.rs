//! State is a fold of events. Every legal transition of a step stands in one `match`; an illegal one is a typed error.
//!
//! Pure: never reads the clock, never does I/O.

mod answers;
mod fold;
mod hands;
mod step;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use jiff::Timestamp;
use serde::Serialize;

use super::{Event, Outcome, Person, RunId, TakeOver, transition::Illegal};
use crate::{
    plan::{Plan, PlannedStep},
    runbook::{Scope, StepId},
};

pub use hands::{AcceptedDrift, Alone, Filed, SignOff};
pub(super) use step::settled;
pub use step::{Attempt, Carried, Given, Sent, StepRecord, StepState, Unsettled};

/// The detail of an undo's error that holds the commands which would finish by hand: a text, or a list of them.
pub const BY_HAND: &str = "by_hand";

/// The detail of an undo's error that says what was there when it was last read.
pub const FOUND: &str = "found";

/// The fold of a run's events.
#[derive(Clone, Debug)]
pub struct State {
    pub run: RunId,
    pub plan: Arc<Plan>,
    pub by: Person,
    /// In the plan's order.
    pub steps: Vec<StepRecord>,
    /// Outputs of the steps that are done, for expressions.
    pub scope: Scope,
    pub created_at: Timestamp,
    pub last_event_at: Timestamp,
    pub generation: u32,
    pub driver: Option<Person>,
    /// Process that drives, or drove last.
    pub pid: u32,
    /// Number of its claim in the store; none without one.
    pub claim: Option<u64>,
    /// This drive was taken from a process that may still live.
    pub take_over: Option<TakeOver>,
    /// Until then nothing is settled or undone: the driver before may still send what it had announced.
    pub quiet_until: Option<Timestamp>,
    /// The generation of each target that this driver holds, by the target's id.
    pub fences: Arc<BTreeMap<String, u64>>,
    pub confirmed: Option<(Person, String)>,
    /// SIGINT, SIGTERM or abort, in this drive.
    pub stop: Option<Stop>,
    /// Somebody gave the run up and wants back what can be taken back. Outlives drives: nothing goes forward any more.
    pub way_back: Option<Stop>,
    /// Somebody wants nothing more to start until somebody lifts it. Outlives drives.
    pub hold: Option<Hold>,
    /// What people decided about steps, the oldest first.
    pub decided: Vec<Decided>,
    /// Approvals that were filed, the oldest first; each counts once for a step.
    pub filed: Vec<Filed>,
    /// Approvals that one person went past alone, the oldest first. See [`State::open_items`].
    pub alone: Vec<Alone>,
    /// What had moved since the plan was saved, and who runs it all the same.
    pub accepted_drift: Vec<AcceptedDrift>,
    /// How the last drive ended; none while somebody drives, or when the driver died.
    pub stopped: Option<(Outcome, String, Timestamp)>,
    /// Pending steps whose needs are met.
    pub ready: BTreeSet<usize>,
    /// Running, waiting, in doubt or undoing.
    pub active: BTreeSet<usize>,
    /// Failed for good, not tolerated, or their undo failed.
    pub failed: BTreeSet<usize>,
    /// Steps that asked for a change, in the order of the last that was heard of each.
    pub changed: BTreeMap<u64, usize>,
    /// Steps that count as met.
    pub finished: usize,
    /// When the last of them began to. What follows puts back what a rehearsal moved.
    pub met_at: Option<Timestamp>,
    /// Something is, or was, taken back: nothing goes forward any more.
    has_turned: bool,
    index: HashMap<StepId, usize>,
    dependents: Vec<Vec<usize>>,
    unmet: Vec<usize>,
}

#[derive(Clone, Debug)]
pub struct Stop {
    pub by: Person,
    pub abort: bool,
    /// Take back what can be taken back, then end.
    pub undo: bool,
    pub reason: String,
    pub at: Timestamp,
}

/// Somebody wants nothing more to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hold {
    pub by: Person,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub at: Timestamp,
}

/// What a person decided about a step, against what the tool saw or in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    pub place: usize,
    pub ruling: Ruling,
    pub by: Person,
    pub reason: String,
    pub at: Timestamp,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// To go on without it.
    Skipped,
    /// A person did it; a probe agreed.
    Adopted,
    /// What was in doubt has happened; no probe could tell.
    Happened,
    /// What was in doubt has not happened and cannot any more; no probe could tell.
    DidNotHappen,
    /// What could not be undone is back; no probe could tell.
    TakenBack,
    /// To go on without the approvals that the step asks for.
    ApprovedAlone,
}

impl State {
    /// The state after the first record.
    pub fn begin(at: Timestamp, event: &Event) -> Result<Self, Illegal> {
        let Event::Planned { run, plan, by } = event else {
            return Err(Illegal::run("the first record is not a plan", event));
        };
        let index: HashMap<StepId, usize> =
            plan.steps.iter().enumerate().map(|(place, step)| (step.id.clone(), place)).collect();
        let mut dependents = vec![Vec::new(); plan.steps.len()];
        let mut unmet = vec![0; plan.steps.len()];
        for (place, step) in plan.steps.iter().enumerate() {
            for need in &step.needs {
                let need =
                    *index.get(need).ok_or_else(|| Illegal::run("a step needs one that is not planned", event))?;
                dependents[need].push(place);
                unmet[place] += 1;
            }
        }
        Ok(Self {
            run: run.clone(),
            plan: plan.clone(),
            by: by.clone(),
            steps: vec![StepRecord::default(); plan.steps.len()],
            scope: Scope::new(plan.parameters.clone(), plan.mode, Some(run.to_string())),
            created_at: at,
            last_event_at: at,
            generation: 0,
            driver: None,
            pid: 0,
            claim: None,
            take_over: None,
            quiet_until: None,
            fences: Arc::default(),
            confirmed: None,
            stop: None,
            way_back: None,
            hold: None,
            decided: Vec::new(),
            filed: Vec::new(),
            alone: Vec::new(),
            accepted_drift: Vec::new(),
            stopped: None,
            ready: BTreeSet::new(),
            active: BTreeSet::new(),
            failed: BTreeSet::new(),
            changed: BTreeMap::new(),
            finished: 0,
            met_at: None,
            has_turned: false,
            index,
            dependents,
            unmet,
        })
    }

    /// Folds a whole journal. Never empty: the journal's reader saw to that.
    pub fn fold<'a>(records: impl IntoIterator<Item = (Timestamp, &'a Event)>) -> Result<Self, Illegal> {
        let mut records = records.into_iter();
        let (at, first) = records.next().ok_or(Illegal::empty())?;
        let mut state = Self::begin(at, first)?;
        for (at, event) in records {
            state.apply(at, event)?;
        }
        Ok(state)
    }

    pub fn place(&self, step: &StepId) -> Option<usize> {
        self.index.get(step).copied()
    }

    /// Whether whoever drives next leaves alone for a while what is in doubt: the one before it may still send what it had
    /// announced. `quiet_from`: from which claim on that is so, if nobody has attached as that one or a later one.
    pub fn owes_quiet(&self, quiet_from: Option<u64>) -> bool {
        let is_first = quiet_from.is_some_and(|from| self.claim.is_none_or(|claim| claim < from));
        // Both by the clock of whoever drove last: it went before its time was over.
        is_first || self.quiet_until.is_some_and(|until| self.last_event_at < until)
    }

    pub fn planned(&self, place: usize) -> &PlannedStep {
        &self.plan.steps[place]
    }
}
