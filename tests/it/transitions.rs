//! Every pair of a step's state and an event: legal ones lead where the committed table says, all others are refused.

use std::{fmt::Write, sync::Arc};

use jiff::Timestamp;
use lifeboat::{
    azure::Operation,
    plan::facts::PlannedRequest,
    run::{
        Disposition, Event, Intent, Person, StepError, StepState, Verdict, Word,
        state::{Attempt, Carried, Unsettled},
        transition::{attached, next},
    },
    runbook::StepId,
};
use serde_json::{Map, Value};

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

pub fn person(name: &str) -> Person {
    Person { name: name.into(), host: "here".into(), ..Person::default() }
}

/// A process of the first version takes a run up.
pub fn taken_up(generation: u32, by: Person, pid: u32) -> Event {
    let (version, fences) = ("0.1.0".into(), Arc::default());
    Event::DriverAttached { generation, by, pid, version, claim: None, take_over: None, quiet_until: None, fences }
}

pub fn intent() -> Intent {
    let request =
        PlannedRequest { method: "POST".into(), url: "https://arm/restore".into(), headers: vec![], body: None };
    Intent { request, before: Value::Null }
}

pub fn operation() -> Operation {
    Operation { url: "https://arm/operation".into(), retry_after_s: Some(60) }
}

pub fn error(disposition: Disposition, code: &str) -> StepError {
    StepError::new(disposition, code, "it went wrong", "look")
}

fn attempt(with_intent: bool, with_operation: bool) -> Attempt {
    Attempt {
        number: 1,
        since: at(0),
        deadline: at(600),
        window: jiff::SignedDuration::from_secs(600),
        restarts: 0,
        arguments: Arc::new(Map::new()),
        intent: with_intent.then(|| Box::new(intent())),
        operation: with_operation.then(operation),
    }
}

fn states() -> Vec<(&'static str, StepState)> {
    let outputs = Arc::new(Map::new());
    let timeout = error(Disposition::InDoubt, "timeout");
    let unknown = Some(Unsettled { reason: "no answer".into(), remedy: "look".into() });
    vec![
        ("pending", StepState::Pending { carried: None }),
        (
            "pending, carried",
            StepState::Pending { carried: Some(Carried { attempt: 1, deadline: at(600), restarts: 0 }) },
        ),
        ("running", StepState::Running { attempt: attempt(false, false), follow: false }),
        ("running, change intended", StepState::Running { attempt: attempt(true, false), follow: false }),
        ("running, accepted", StepState::Running { attempt: attempt(true, true), follow: false }),
        ("running, followed", StepState::Running { attempt: attempt(true, true), follow: true }),
        ("waiting", StepState::Waiting { next_attempt: 2, until: at(30), error: error(Disposition::Retryable, "x") }),
        ("in doubt", StepState::InDoubt { attempt: attempt(true, false), error: None, unknown: None }),
        (
            "in doubt, timed out",
            StepState::InDoubt { attempt: attempt(true, true), error: Some(timeout), unknown: None },
        ),
        ("in doubt, unknown", StepState::InDoubt { attempt: attempt(true, false), error: None, unknown }),
        ("succeeded", StepState::Succeeded { outputs: outputs.clone() }),
        ("failed", StepState::Failed { error: error(Disposition::Final, "x") }),
        ("skipped", StepState::Skipped { reason: "when".into(), by: None }),
        ("undoing", StepState::Undoing { outputs: Some(outputs.clone()), intent: None }),
        ("undoing, half made", StepState::Undoing { outputs: None, intent: None }),
        ("undone", StepState::Undone),
        ("undo failed", StepState::UndoFailed { outputs: Some(outputs), error: error(Disposition::Final, "x") }),
        ("undo failed, half made", StepState::UndoFailed { outputs: None, error: error(Disposition::Final, "x") }),
    ]
}

fn events() -> Vec<(&'static str, Event)> {
    let step = StepId::new("restore");
    let settled = |verdict| Event::StepSettled { step: step.clone(), verdict, word: None };
    let word = || Some(Word { by: person("ann"), reason: "seen in the portal".into(), given: vec![] });
    let says = |verdict| Event::StepSettled { step: step.clone(), verdict, word: word() };
    vec![
        (
            "started",
            Event::StepStarted { step: step.clone(), attempt: 1, deadline: at(600), arguments: Arc::default() },
        ),
        ("change intended", Event::ChangeIntended { step: step.clone(), intent: intent() }),
        ("operation accepted", Event::OperationAccepted { step: step.clone(), operation: operation() }),
        ("noted", Event::StepNoted { step: step.clone(), message: "waits".into(), until: None }),
        ("succeeded", Event::StepSucceeded { step: step.clone(), outputs: Map::new(), evidence: Value::Null }),
        (
            "failed, to be retried",
            Event::StepFailed { step: step.clone(), error: error(Disposition::Retryable, "x"), retry_at: Some(at(30)) },
        ),
        ("failed", Event::StepFailed { step: step.clone(), error: error(Disposition::Final, "x"), retry_at: None }),
        ("skipped", Event::StepSkipped { step: step.clone(), reason: "when".into(), by: None }),
        (
            "skipped by a person",
            Event::StepSkipped { step: step.clone(), reason: "known".into(), by: Some(person("ann")) },
        ),
        ("in doubt", Event::StepInDoubt { step: step.clone(), error: error(Disposition::InDoubt, "reset") }),
        ("settled: happened", settled(Verdict::Happened { outputs: Map::new() })),
        ("settled: did not happen", settled(Verdict::DidNotHappen { reason: "idle".into() })),
        ("settled: goes on", settled(Verdict::GoesOn { operation: Some(operation()) })),
        ("settled: failed", settled(Verdict::Failed { error: error(Disposition::Final, "x") })),
        ("settled: unknown", settled(Verdict::Unknown { reason: "no answer".into(), remedy: "look".into() })),
        ("a person says: happened", says(Verdict::Happened { outputs: Map::new() })),
        ("a person says: did not happen", says(Verdict::DidNotHappen { reason: "seen".into() })),
        ("a person says: unknown", says(Verdict::Unknown { reason: "no answer".into(), remedy: "look".into() })),
        (
            "adopted",
            Event::StepAdopted {
                step: step.clone(),
                by: person("ann"),
                reason: "by hand".into(),
                outputs: Map::new(),
                evidence: Value::Null,
            },
        ),
        ("approval given", Event::ApprovalGiven { step: step.clone(), by: person("ann"), comment: None }),
        (
            "approval overridden",
            Event::ApprovalOverridden { step: step.clone(), by: person("ann"), reason: "nobody else".into() },
        ),
        ("approval refused", Event::ApprovalRefused { step: step.clone(), by: person("ann"), comment: None }),
        ("undo started", Event::UndoStarted { step: step.clone() }),
        ("undo intended", Event::UndoIntended { step: step.clone(), intent: intent() }),
        ("undo succeeded", Event::UndoSucceeded { step: step.clone(), evidence: Value::Null, word: None }),
        ("a person says: it is back", Event::UndoSucceeded { step: step.clone(), evidence: Value::Null, word: word() }),
        ("undo failed", Event::UndoFailed { step, error: error(Disposition::Final, "x") }),
    ]
}

/// A state's name in the table.
fn name(state: &StepState) -> String {
    states()
        .into_iter()
        .find(|(_, known)| shape(known) == shape(state))
        .map_or_else(|| panic!("{state:?} is not in the table"), |(name, _)| name.to_owned())
}

/// What tells states of the table apart.
fn shape(state: &StepState) -> (&'static str, u8) {
    let detail = match state {
        StepState::Pending { carried } => u8::from(carried.is_some()),
        StepState::Running { attempt, follow } => {
            u8::from(attempt.intent.is_some()) + u8::from(attempt.operation.is_some()) + u8::from(*follow)
        }
        StepState::InDoubt { unknown: Some(_), .. } => 2,
        StepState::Undoing { outputs, .. } | StepState::UndoFailed { outputs, .. } => u8::from(outputs.is_none()),
        StepState::InDoubt { error, .. } => u8::from(error.as_ref().is_some_and(|error| error.code == "timeout")),
        _ => 0,
    };
    (state.word(), detail)
}

#[test]
fn the_table_of_transitions_is_the_committed_one() {
    let mut text = String::from(
        "# Transitions of a step\n\nGenerated by walking every state and every event through the one `match` of \
         `run/transition.rs`. What is not listed is refused.\n\n| state | event | next |\n|---|---|---|\n",
    );
    let mut legal = 0;
    for (from, state) in states() {
        for (what, event) in events() {
            if let Ok(after) = next(&state, at(10), &event) {
                legal += 1;
                writeln!(text, "| {from} | {what} | {} |", name(&after)).unwrap();
            }
        }
    }
    text.push_str("\nWhen another process takes the run over:\n\n| state | next | an approval |\n|---|---|---|\n");
    for (from, state) in states() {
        let (step, approval) = (attached(state.clone(), false), attached(state, true));
        writeln!(text, "| {from} | {} | {} |", name(&step), name(&approval)).unwrap();
    }
    assert!(legal > 30, "the walk found only {legal} legal transitions");
    crate::docs::check_generated("docs/reference/transitions.md", &text);
}

#[test]
fn what_is_over_stays_over() {
    for (from, state) in states() {
        if !matches!(state, StepState::Skipped { .. } | StepState::Undone) {
            continue;
        }
        for (what, event) in events() {
            assert!(next(&state, at(10), &event).is_err(), "{from} must not be left by {what}");
        }
    }
}

#[test]
fn a_doubt_is_left_only_by_a_probe_or_by_a_person_who_answers_for_it() {
    for (from, state) in states().into_iter().filter(|(name, _)| name.starts_with("in doubt")) {
        for (what, event) in events() {
            let left = next(&state, at(10), &event).is_ok_and(|after| !matches!(after, StepState::InDoubt { .. }));
            let answered = ["settled: ", "a person says: ", "adopted"].iter().any(|word| what.starts_with(word));
            assert!(!left || answered, "{from} must not be left by {what}");
            assert!(
                !what.ends_with("says: unknown") || next(&state, at(10), &event).is_err(),
                "a word that says nothing"
            );
        }
    }
}
