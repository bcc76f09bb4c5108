//! What comes next in a run that is not over: how long it still takes, who must decide what, and what giving up would cost.
//! For whoever is woken at night, and for whoever takes over.

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Standing, step, story::person};
use crate::{
    run::{Outcome, State, StepState, decide},
    runbook::{ActionKind, Effect, StepId},
    style::{duration, one_line, time},
};

/// What a step is at, or waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Awaited {
    pub step: StepId,
    /// In words, as in the list of steps.
    pub state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    pub expected_s: u64,
}

/// How much longer, along the longest chain of what is not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remaining {
    /// Half of all take no longer.
    pub seconds: u64,
    /// Nine of ten take no longer. None: the plan is of a version that did not predict it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p90_s: Option<u64>,
    /// Where the figures come from.
    pub source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outlook {
    pub awaits: Vec<Awaited>,
    /// None: the run is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<Remaining>,
    /// Until the recovery time objective is missed; negative: since then. None: there is none, or the run is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rto_left_s: Option<i64>,
    /// The next decision, and whose it is: one sentence.
    pub decision: String,
    /// What aborting now would leave behind: one sentence.
    pub aborting: String,
}

impl Outlook {
    pub fn of(state: &State, standing: Standing, now: Timestamp) -> Self {
        let over = standing.is_terminal();
        let rto = state.plan.objectives.rto.and_then(|rto| SignedDuration::try_from(rto).ok());
        let left = rto.map(|rto| (rto - now.duration_since(state.created_at)).as_secs());
        Self {
            awaits: awaits(state, standing),
            remaining: (!over).then(|| remaining(state, now)),
            rto_left_s: left.filter(|_| !over),
            decision: decision(state, standing, now),
            aborting: aborting(state, standing),
        }
    }

    /// `RTO 1h 15m: 42m left` and `to go 38m, p90 51m (12 earlier runs)`. None: the run is over.
    pub fn countdown(&self, rto: Option<Duration>) -> Option<[String; 2]> {
        let remaining = self.remaining.as_ref()?;
        let seconds = |seconds: i64| duration(SignedDuration::from_secs(seconds));
        let to_go = seconds(i64::try_from(remaining.seconds).unwrap_or(i64::MAX));
        let left = match (rto.and_then(|rto| SignedDuration::try_from(rto).ok()), self.rto_left_s) {
            (Some(rto), Some(left)) if left < 0 => format!("RTO {} missed by {}", duration(rto), seconds(-left)),
            (Some(rto), Some(left)) => format!("RTO {}: {} left", duration(rto), seconds(left)),
            (_, _) => "no RTO is set".to_owned(),
        };
        let bound = remaining.p90_s.filter(|bound| *bound > remaining.seconds);
        let bound = bound.map(|bound| format!(", p90 {}", seconds(i64::try_from(bound).unwrap_or(i64::MAX))));
        Some([left, format!("to go {to_go}{} ({})", bound.unwrap_or_default(), remaining.source)])
    }
}

fn awaits(state: &State, standing: Standing) -> Vec<Awaited> {
    let places = state.failed.iter().chain(&state.active).copied();
    let awaited = |place: usize| {
        let (planned, record) = (state.planned(place), &state.steps[place]);
        let approval = planned.action == ActionKind::Approval;
        Awaited {
            step: planned.id.clone(),
            state: step::word(&record.state, standing, approval).0,
            since: step::attempt(&record.state).map(|attempt| attempt.since).or(record.started_at),
            expected_s: planned.expected.as_secs(),
        }
    };
    places.map(awaited).collect()
}

/// When a step will be done: in the middle, and how far beyond that the bound for nine of ten is, squared.
#[derive(Clone, Copy, Default)]
struct End {
    middle: f64,
    squared: f64,
}

impl End {
    fn bound(self) -> f64 {
        self.middle + self.squared.sqrt()
    }
}

/// The longest chain of predicted durations of what is not met, less what has passed of it. What one step of a chain takes
/// longer, another one need not: the bound of a chain lies beyond its middle by the root of the squares of its steps'
/// margins, not by their sum.
fn remaining(state: &State, now: Timestamp) -> Remaining {
    let later = |one: &End, other: &End| one.bound().total_cmp(&other.bound());
    let mut ends: HashMap<&StepId, End> = HashMap::new();
    for (planned, record) in state.plan.steps.iter().zip(&state.steps) {
        let begins = planned.needs.iter().filter_map(|need| ends.get(need)).copied().max_by(later).unwrap_or_default();
        let passed = record.started_at.map(|at| now.duration_since(at)).unwrap_or_default();
        let passed = Duration::try_from(passed).unwrap_or_default();
        let left = |takes: Duration| if record.met { 0.0 } else { takes.saturating_sub(passed).as_secs_f64() };
        let middle = left(planned.expected);
        let margin = planned.prediction.map_or(0.0, |it| (left(it.p90) - middle).max(0.0));
        let end = End { middle: begins.middle + middle, squared: begins.squared + margin.powi(2) };
        ends.insert(&planned.id, end);
    }
    let seconds = ends.values().map(|end| end.middle).fold(0.0, f64::max);
    let bound = ends.values().map(|end| end.bound()).fold(seconds, f64::max);
    let predicted = state.plan.prediction;
    let source = predicted.map_or_else(|| "documented defaults".to_owned(), |it| it.rests_on());
    Remaining { seconds: whole(seconds), p90_s: predicted.map(|_| whole(bound)), source }
}

/// Whole seconds.
fn whole(seconds: f64) -> u64 {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).as_secs()
}

fn decision(state: &State, standing: Standing, now: Timestamp) -> String {
    match standing {
        Standing::Driven | Standing::Unknown => asked(state, now).unwrap_or_else(|| coming(state, now)),
        Standing::Abandoned => "whoever is on call: resume the run, or give it up".to_owned(),
        Standing::Ended(Outcome::Failed) => {
            "whoever is on call: resume after a look at the error, or give up".to_owned()
        }
        Standing::Ended(Outcome::Refused) => {
            "whoever may approve: agree, then the run is resumed; or give up".to_owned()
        }
        Standing::Ended(Outcome::Stuck) => "a person must look at Azure, then answer for what is in doubt".to_owned(),
        Standing::Ended(Outcome::Interrupted) => "whoever is on call: go on from here, or give the run up".to_owned(),
        Standing::Ended(Outcome::Succeeded | Outcome::Undone | Outcome::Aborted) => match state.open_items().next() {
            Some(open) => format!(
                "somebody other than {} signs off step {}",
                one_line(&person(&open.by)),
                state.planned(open.place).id
            ),
            None => "none: it is over".to_owned(),
        },
    }
}

/// The question that waits, and for whom.
fn asked(state: &State, now: Timestamp) -> Option<String> {
    if let Some(hold) = &state.hold {
        return Some(format!("{} or whoever is on call lifts the pause", one_line(&person(&hold.by))));
    }
    let place = state.active.iter().copied().find(|place| state.planned(*place).action == ActionKind::Approval)?;
    let attempt = step::attempt(&state.steps[place].state)?;
    let wanted = state.approvers_wanted(place).saturating_sub(state.counting(place, now).count());
    let who = if wanted > 1 { format!("{wanted} people") } else { "somebody".to_owned() };
    let (id, starter) = (&state.planned(place).id, one_line(&person(&state.by)));
    Some(format!("{who} other than {starter} approves step {id}, until {}", time(attempt.deadline)))
}

/// The next approval that the plan asks for and that nobody has handed in yet.
fn coming(state: &State, now: Timestamp) -> String {
    let mut has_its_own = false;
    for (place, planned) in state.plan.steps.iter().enumerate() {
        if planned.action != ActionKind::Approval || state.steps[place].met {
            continue;
        }
        let before = remaining_before(state, &planned.id, now);
        let at = now.checked_add(before).unwrap_or(Timestamp::MAX);
        let filed =
            state.filed.iter().filter(|filed| filed.approval.covers(&planned.id) && !filed.approval.has_ended(at));
        let wanted = state.approvers_wanted(place).saturating_sub(filed.count());
        if wanted == 0 {
            has_its_own = true;
            continue;
        }
        let who = if wanted > 1 { format!("{wanted} people") } else { "somebody".to_owned() };
        return format!(
            "approve step {} in about {}, {who} other than {}",
            planned.id,
            duration(before),
            one_line(&person(&state.by))
        );
    }
    let handed_in = if has_its_own { "; the approvals are handed in" } else { "" };
    format!("none, unless something fails{handed_in}")
}

fn remaining_before(state: &State, step: &StepId, now: Timestamp) -> SignedDuration {
    let mut needed: Vec<&StepId> = vec![step];
    let mut place = 0;
    while let Some(next) = needed.get(place) {
        let found = state.place(next).map(|place| &state.plan.steps[place].needs);
        let more: Vec<&StepId> = found.into_iter().flatten().filter(|need| !needed.contains(need)).collect();
        needed.extend(more);
        place += 1;
    }
    let mut before = state.clone();
    for (planned, record) in state.plan.steps.iter().zip(&mut before.steps) {
        record.met |= planned.id == *step || !needed.contains(&&planned.id);
    }
    SignedDuration::from_secs(i64::try_from(remaining(&before, now).seconds).unwrap_or(i64::MAX))
}

fn aborting(state: &State, standing: Standing) -> String {
    if standing.is_terminal() {
        return "nothing is left to abort".to_owned();
    }
    let (mut goes_on, mut stays, mut unknown, mut turning) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for place in state.changed.values() {
        let planned = state.planned(*place);
        let id = planned.id.as_str();
        let is_final = planned.effect == Effect::Irreversible;
        match &state.steps[*place].state {
            StepState::Running { attempt, .. } if attempt.intent.is_some() => goes_on.push(id),
            StepState::InDoubt { attempt, .. } if attempt.operation.is_some() => goes_on.push(id),
            StepState::Succeeded { .. } if is_final => stays.push(id),
            StepState::Failed { .. } | StepState::Waiting { .. } | StepState::Pending { carried: None } if is_final => {
                unknown.push(id);
            }
            // A step that runs without having asked for anything has an attempt before it that did.
            StepState::Running { .. } | StepState::InDoubt { .. } | StepState::Skipped { .. } => unknown.push(id),
            StepState::Undoing { .. } | StepState::UndoFailed { .. } => turning.push(id),
            // Counted below, or a probe found that nothing came of it, or it is back.
            StepState::Succeeded { .. }
            | StepState::Failed { .. }
            | StepState::Waiting { .. }
            | StepState::Pending { .. }
            | StepState::Undone => {}
        }
    }
    let said = [
        (goes_on, "goes on in Azure, watched by nobody"),
        (unknown, "was begun and not seen to succeed: what it left is not known"),
        (turning, "was being put back: how far that came is not known"),
        (stays, "stays, and cannot be undone"),
    ];
    let said = said.into_iter().filter(|(steps, _)| !steps.is_empty());
    let mut parts: Vec<String> = said.map(|(steps, says)| format!("{} {says}", steps.join(", "))).collect();
    match decide::undoable(state).count() {
        0 => {}
        1 => parts.push("1 change stays unless it is aborted with --undo".to_owned()),
        many => parts.push(format!("{many} changes stay unless it is aborted with --undo")),
    }
    if parts.is_empty() { "nothing was changed yet; users stay where they are".to_owned() } else { parts.join("; ") }
}
