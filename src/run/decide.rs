//! The decision: the same plan, state and time give the same events and tasks. Retry, timeout, approvals, undo and stop live here.
//!
//! Pure: never reads the clock, never does I/O.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{
    Disposition, Event, Person, State, StepError, StepState, Verdict,
    state::{Attempt, Carried, StepRecord},
};
use crate::runbook::{ActionKind, Unresolved};

mod end;
mod way_back;

use end::decide_end;
pub use way_back::{may_be_left, may_start, undoable};

/// Steps that run at the same time. A wide runbook must not open more connections than ARM gives tokens a second
/// (25, azure-facts 4), but most wide steps only wait; a group commit wants many.
pub const MOST_AT_ONCE: usize = 512;

/// Restarts of one attempt after a change that a probe settled as not happened. Something between here and Azure that
/// breaks every request would else have it sent again and again until the deadline, which may be hours away.
pub const MOST_RESTARTS: u32 = 8;

/// What should be going on for a step, given its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    Perform,
    Follow,
    Settle,
    Undo,
}

/// What happens next.
#[derive(Debug, Default)]
pub struct Decision {
    /// To be made durable together, in this order, before anything else.
    pub events: Vec<Event>,
    /// When to decide again although nothing happened.
    pub wake_at: Option<Timestamp>,
}

/// The task that a step's state calls for. `None`: nothing, or what runs for it must be stopped.
pub fn task(state: &State, place: usize) -> Option<Task> {
    if state.stopped.is_some() {
        return None;
    }
    match &state.steps[place].state {
        StepState::Running { .. } if state.planned(place).action == ActionKind::Approval => None,
        StepState::Running { follow: false, .. } => Some(Task::Perform),
        StepState::Running { follow: true, .. } => Some(Task::Follow),
        StepState::InDoubt { attempt, unknown: None, .. } if attempt.intent.is_some() => Some(Task::Settle),
        StepState::Undoing { .. } => Some(Task::Undo),
        StepState::InDoubt { .. }
        | StepState::Pending { .. }
        | StepState::Waiting { .. }
        | StepState::Succeeded { .. }
        | StepState::Failed { .. }
        | StepState::Skipped { .. }
        | StepState::Undone
        | StepState::UndoFailed { .. } => None,
    }
}

/// Nothing new starts any more in this drive.
fn is_halting(state: &State) -> bool {
    state.stop.is_some()
        || state.goes_back()
        || !state.failed.is_empty()
        || state
            .active
            .iter()
            .any(|place| matches!(state.steps[*place].state, StepState::InDoubt { unknown: Some(_), .. }))
}

/// `live`: whether a task runs for the step. Call again after the events were applied, until there are none.
pub fn decide(state: &State, now: Timestamp, live: &dyn Fn(usize) -> bool) -> Decision {
    let mut decision = Decision::default();
    if state.stopped.is_some() {
        return decision;
    }
    for place in state.active.iter().copied() {
        decide_active(state, now, place, live, &mut decision);
    }
    if let Some(until) = state.quiet_until.filter(|until| now < *until) {
        wake(&mut decision, until);
    }
    // What was decided above may be a failure: starts follow only when nothing else does.
    if decision.events.is_empty() && !is_halting(state) && state.hold.is_none() {
        decide_starts(state, now, &mut decision);
    }
    if decision.events.is_empty() {
        decision.events.extend(decide_end(state, live));
    }
    decision
}

/// Whatever may start: further attempts that are due, then steps whose needs are met. When one of them fails for good
/// before it begins, the failures are told together and nothing starts beside them.
fn decide_starts(state: &State, now: Timestamp, decision: &mut Decision) {
    let due = state
        .active
        .iter()
        .copied()
        .filter(|place| matches!(&state.steps[*place].state, StepState::Waiting { until, .. } if now >= *until));
    let room = MOST_AT_ONCE.saturating_sub(state.active.len());
    let mut fails = false;
    for place in due.chain(state.ready.iter().copied().take(room)) {
        let event = start(state, now, place);
        fails |= matches!(event, Event::StepFailed { retry_at: None, .. }) && !state.tolerated(place);
        decision.events.push(event);
    }
    if fails {
        decision.events.retain(|event| !matches!(event, Event::StepStarted { .. }));
    }
}

/// Deadlines, approvals and doubts of one step.
fn decide_active(state: &State, now: Timestamp, place: usize, live: &dyn Fn(usize) -> bool, decision: &mut Decision) {
    let record = &state.steps[place];
    let step = state.planned(place).id.clone();
    match &record.state {
        StepState::Running { .. } if state.ends_here() => {}
        // What was asked for may have happened, and then it shall be taken back. What is followed is known to go on.
        StepState::Running { attempt, follow: false } if state.way_back.is_some() => {
            decision.events.extend((!live(place)).then(|| given_up(state, place, attempt)).flatten());
        }
        StepState::Running { .. } if state.way_back.is_some() && !way_back::is_awaited(state, place) => {}
        StepState::Running { attempt, .. } => {
            let approval = state.planned(place).action == ActionKind::Approval;
            if approval && let Some(event) = decide_approval(state, now, place, record) {
                decision.events.push(event);
            } else if approval && state.hold.is_some() {
                // Its time stands still: see `State::lift`.
            } else if now >= attempt.deadline {
                decision.events.push(timed_out(state, now, place));
            } else {
                wake(decision, attempt.deadline);
            }
        }
        StepState::Waiting { until, .. } if now < *until && !is_halting(state) && state.hold.is_none() => {
            wake(decision, *until);
        }
        StepState::InDoubt { attempt, unknown: None, .. } if attempt.intent.is_none() && !state.ends_here() => {
            let reason = "it was interrupted before anything was changed".to_owned();
            decision.events.push(Event::StepSettled { step, verdict: Verdict::DidNotHappen { reason }, word: None });
        }
        StepState::Waiting { .. }
        | StepState::InDoubt { .. }
        | StepState::Undoing { .. }
        | StepState::Pending { .. }
        | StepState::Succeeded { .. }
        | StepState::Failed { .. }
        | StepState::Skipped { .. }
        | StepState::Undone
        | StepState::UndoFailed { .. } => {}
    }
}

fn wake(decision: &mut Decision, at: Timestamp) {
    decision.wake_at = Some(decision.wake_at.map_or(at, |earlier| earlier.min(at)));
}

/// What was asked for is looked up before anything is undone. An attempt that had asked for nothing yet, after one that
/// had, is over: what is half made is taken back. Whatever only reads is left.
fn given_up(state: &State, place: usize, attempt: &Attempt) -> Option<Event> {
    let step = state.planned(place).id.clone();
    let error = |disposition, hint| StepError::new(disposition, "given-up", "the run was given up meanwhile", hint);
    if attempt.intent.is_some() {
        let error = error(Disposition::InDoubt, "it is looked up before anything is undone");
        return Some(Event::StepInDoubt { step, error });
    }
    let half_made = state.steps[place].changes > 0 && way_back::is_awaited(state, place);
    let hint = "what an earlier attempt of it has changed is taken back";
    half_made.then(|| Event::StepFailed { step, error: error(Disposition::Final, hint), retry_at: None })
}

fn decide_approval(state: &State, now: Timestamp, place: usize, record: &StepRecord) -> Option<Event> {
    let step = state.planned(place).id.clone();
    if let Some((by, comment)) = &record.refusal {
        let comment = comment.as_ref().map(|comment| format!(": {comment}")).unwrap_or_default();
        let error = StepError::new(
            Disposition::Refused,
            "approval-refused",
            format!("{} refused{comment}", by.name),
            "what waits for this approval was not started; resume the run to ask again, or abort it",
        );
        return Some(Event::StepFailed { step, error, retry_at: None });
    }
    let succeeded = |names: Vec<&str>, evidence| {
        let outputs = Map::from_iter([("approved_by".to_owned(), json!(names))]);
        Some(Event::StepSucceeded { step: step.clone(), outputs, evidence })
    };
    if record.alone
        && let Some(alone) = state.alone.iter().rfind(|alone| alone.place == place)
    {
        return succeeded(vec![alone.by.shown()], json!({ "override": { "by": alone.by, "reason": alone.reason } }));
    }
    if let Some(filed) = state.unused(place, now) {
        let (by, comment) = (filed.approval.person(), filed.approval.comment.clone());
        return Some(Event::ApprovalGiven { step, by, comment });
    }
    let (mut people, trusted): (Vec<&Person>, _) = (Vec::new(), state.plan.site.trusted());
    for given in state.counting(place, now) {
        if !people.iter().any(|known| known.is_same(&given.by, trusted)) {
            people.push(&given.by);
        }
    }
    if people.len() < state.approvers_wanted(place) {
        return None;
    }
    let mut names: Vec<&str> = people.iter().map(|by| by.shown()).collect();
    names.sort_unstable();
    let approvals: Vec<&Person> = state.counting(place, now).map(|given| &given.by).collect();
    succeeded(names, json!({ "approvals": approvals }))
}

fn timed_out(state: &State, now: Timestamp, place: usize) -> Event {
    let planned = state.planned(place);
    let timeout = crate::runbook::span::format(planned.timeout);
    let StepState::Running { attempt, .. } = &state.steps[place].state else {
        unreachable!("only a running step times out");
    };
    if planned.action == ActionKind::Approval {
        let error = StepError::new(
            Disposition::Refused,
            "approval-missing",
            format!("nobody decided within {timeout}"),
            "what waits for this approval was not started; resume the run to ask again, or abort it",
        );
        return Event::StepFailed { step: planned.id.clone(), error, retry_at: None };
    }
    let message = match &state.steps[place].note {
        Some((note, _)) => format!("no end within {timeout}; the last that was seen: {note}"),
        None => format!("no end within {timeout}"),
    };
    let (disposition, hint) = if attempt.intent.is_some() {
        (Disposition::InDoubt, "resume the run: it looks what became of the request and never sends it twice")
    } else {
        (Disposition::Retryable, "nothing was changed; look at what it waited for, then resume the run")
    };
    failed(state, now, place, StepError::new(disposition, "timeout", message, hint))
}

/// What an error makes of a running step: another attempt, a doubt, or the end.
pub fn failed(state: &State, now: Timestamp, place: usize, error: StepError) -> Event {
    let planned = state.planned(place);
    let step = planned.id.clone();
    let attempt = match &state.steps[place].state {
        StepState::Running { attempt, .. } => attempt.number,
        StepState::Pending { carried: Some(Carried { attempt, .. }) } => *attempt,
        StepState::Waiting { next_attempt, .. } => *next_attempt,
        StepState::Pending { carried: None }
        | StepState::InDoubt { .. }
        | StepState::Succeeded { .. }
        | StepState::Failed { .. }
        | StepState::Skipped { .. }
        | StepState::Undoing { .. }
        | StepState::Undone
        | StepState::UndoFailed { .. } => 1,
    };
    match error.disposition {
        Disposition::InDoubt => Event::StepInDoubt { step, error },
        Disposition::Retryable if attempt < planned.retry.attempts => {
            let delay = SignedDuration::try_from(planned.retry.delay).unwrap_or(SignedDuration::MAX);
            Event::StepFailed { step, error, retry_at: Some(now + delay) }
        }
        Disposition::Retryable | Disposition::Final | Disposition::Refused => {
            Event::StepFailed { step, error, retry_at: None }
        }
    }
}

/// The first event of an attempt: started, skipped, or failed because its arguments cannot be had.
fn start(state: &State, now: Timestamp, place: usize) -> Event {
    let planned = state.planned(place);
    let step = planned.id.clone();
    let carried = match &state.steps[place].state {
        StepState::Pending { carried } => *carried,
        StepState::Waiting { next_attempt, .. } => {
            Some(Carried { attempt: *next_attempt, deadline: deadline(state, now, place), restarts: 0 })
        }
        StepState::Running { .. }
        | StepState::InDoubt { .. }
        | StepState::Succeeded { .. }
        | StepState::Failed { .. }
        | StepState::Skipped { .. }
        | StepState::Undoing { .. }
        | StepState::Undone
        | StepState::UndoFailed { .. } => unreachable!("only a step that is pending or waiting starts"),
    };
    if let (None, Some(when)) = (carried, &planned.when) {
        match state.scope.condition(when) {
            Ok(true) => {}
            Ok(false) => return Event::StepSkipped { step, reason: format!("`when: {when}` is false"), by: None },
            Err(unresolved) => return failed(state, now, place, unresolved_error(&unresolved)),
        }
    }
    if carried.is_some_and(|carried| now >= carried.deadline) {
        let message = "its deadline passed while nobody drove the run";
        let hint = "nothing was changed by it; resume the run to try it again";
        return failed(state, now, place, StepError::new(Disposition::Retryable, "timeout", message, hint));
    }
    if carried.is_some_and(|carried| carried.restarts >= MOST_RESTARTS) {
        let message = format!("its request was lost on the way {MOST_RESTARTS} times; each time nothing had happened");
        let hint = "find out what breaks the way to Azure (a proxy, a firewall), then resume the run";
        return failed(state, now, place, StepError::new(Disposition::Retryable, "lost-every-time", message, hint));
    }
    let arguments = match state.scope.resolve(&planned.arguments) {
        Ok(arguments) => arguments,
        Err(unresolved) => return failed(state, now, place, unresolved_error(&unresolved)),
    };
    if let Some(misfit) = crate::runbook::check_arguments(planned.action, &arguments).into_iter().next() {
        let message = format!("`{}`: {}", misfit.field, misfit.message);
        return failed(state, now, place, StepError::new(Disposition::Final, "argument", message, misfit.help));
    }
    let (attempt, deadline) = match carried {
        Some(Carried { attempt, deadline, .. }) => (attempt, deadline),
        None => (1, deadline(state, now, place)),
    };
    Event::StepStarted { step, attempt, deadline, arguments: Arc::new(arguments) }
}

fn deadline(state: &State, now: Timestamp, place: usize) -> Timestamp {
    now + SignedDuration::try_from(state.planned(place).timeout).unwrap_or(SignedDuration::MAX)
}

fn unresolved_error(unresolved: &Unresolved) -> StepError {
    StepError::new(
        Disposition::Final,
        "expression",
        unresolved.to_string(),
        "correct the runbook and start a new run; what is done already is in `lifeboat status`",
    )
}

/// The arguments of what goes on for a step, or may be looked at, every expression resolved. `None`: nothing does, or an
/// expression has no value.
pub fn arguments(state: &State, place: usize) -> Option<Arc<Map<String, Value>>> {
    match &state.steps[place].state {
        StepState::Running { attempt, .. } | StepState::InDoubt { attempt, .. } => Some(attempt.arguments.clone()),
        // They were resolved when the step ran, or would be now; and outputs never leave the scope.
        StepState::Undoing { .. }
        | StepState::UndoFailed { .. }
        | StepState::Pending { .. }
        | StepState::Waiting { .. }
        | StepState::Failed { .. } => state.scope.resolve(&state.planned(place).arguments).ok().map(Arc::new),
        StepState::Succeeded { .. } | StepState::Skipped { .. } | StepState::Undone => None,
    }
}
