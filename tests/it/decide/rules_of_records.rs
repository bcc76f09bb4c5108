//! What a fold keeps of a step beside its state, what it refuses, and what nothing is decided for.

use std::time::Duration;

use lifeboat::{
    plan::PlannedStep,
    run::{
        Disposition, Event, Verdict, decide,
        engine::Request,
        state::{Carried, StepState},
    },
    runbook::{Effect, OnFailure, Retry, StepId},
};
use serde_json::{Map, json};

use super::play::{Play, step};
use crate::transitions::{at, error, intent, person, taken_up};

fn reversible(id: &str, needs: &[&str]) -> PlannedStep {
    PlannedStep { effect: Effect::Reversible, ..step(id, needs) }
}

fn retried(id: &str) -> PlannedStep {
    PlannedStep { retry: Retry { attempts: 3, delay: Duration::from_secs(30) }, ..step(id, &[]) }
}

fn undo_started(step: &str) -> Event {
    Event::UndoStarted { step: StepId::new(step) }
}

fn pause(play: &mut Play) {
    play.ask(Request::Pause { by: person("ann"), reason: None }, None).unwrap();
}

#[test]
fn a_step_that_ended_has_its_time_and_no_note() {
    let mut play = Play::start(vec![step("a", &[])]);
    play.pass(5);
    play.take(Event::StepNoted { step: StepId::new("a"), message: "waits".into(), until: None });
    assert!(play.state.steps[0].note.is_some() && play.state.steps[0].ended_at.is_none());
    play.succeed("a");
    assert!(play.state.steps[0].note.is_none());
    assert_eq!(play.state.steps[0].ended_at, Some(at(5)));
}

#[test]
fn only_what_changed_something_or_is_done_is_undone() {
    let steps = vec![reversible("asked-nothing", &[]), step("reads", &[]), reversible("half-made", &[])];
    let mut play = Play::start(steps);
    play.intend("half-made");
    play.intend("reads");
    for step in ["asked-nothing", "reads", "half-made"] {
        play.fail(step, Disposition::Final);
    }
    for (step, legal) in [("asked-nothing", false), ("reads", false), ("half-made", true)] {
        assert_eq!(play.state.clone().apply(play.now, &undo_started(step)).is_ok(), legal, "{step}");
    }
    let mut play = Play::start(vec![reversible("done", &[]), step("later", &["done"])]);
    play.succeed("done");
    play.state.apply(play.now, &undo_started("done")).unwrap();
}

#[test]
fn a_doubt_says_why() {
    let mut play = Play::start(vec![reversible("a", &[])]);
    assert_eq!(play.state.steps[0].state.doubt(), None);
    play.intend("a");
    play.take(Event::StepInDoubt { step: StepId::new("a"), error: error(Disposition::InDoubt, "reset") });
    assert_eq!(play.state.steps[0].state.doubt().unwrap().code, "reset");
}

#[test]
fn what_goes_on_at_its_very_deadline_gets_its_time_anew() {
    let mut play = Play::start(vec![reversible("a", &[])]);
    play.intend("a");
    play.take(Event::StepInDoubt { step: StepId::new("a"), error: error(Disposition::InDoubt, "reset") });
    play.pass(600);
    play.take(Event::StepSettled { step: StepId::new("a"), verdict: Verdict::GoesOn { operation: None }, word: None });
    let StepState::Running { attempt, follow: true } = &play.state.steps[0].state else { panic!("it is followed") };
    assert_eq!(attempt.deadline, at(1200));
}

#[test]
fn an_attempt_that_began_anew_is_counted_and_one_that_did_not_is_not_mentioned() {
    let carried = |restarts| json!(Carried { attempt: 1, deadline: at(600), restarts });
    assert_eq!(carried(0).get("restarts"), None);
    assert_eq!(carried(2)["restarts"], 2);
}

#[test]
fn a_step_that_runs_while_the_run_is_held_gets_no_time_for_it() {
    let mut play = Play::start(vec![step("a", &[]), step("b", &["a"])]);
    pause(&mut play);
    play.pass(300);
    play.ask(Request::Resume { by: person("ann") }, None).unwrap();
    let StepState::Running { attempt, .. } = &play.state.steps[0].state else { panic!("it runs") };
    assert_eq!(attempt.deadline, at(600));
}

#[test]
fn what_was_interrupted_twice_keeps_the_time_it_had() {
    let mut play = Play::start(vec![step("a", &[])]);
    pause(&mut play);
    play.pass(100);
    play.attach();
    play.stop(false);
    play.attach();
    let StepState::Pending { carried: Some(carried) } = &play.state.steps[0].state else { panic!("it is held") };
    assert_eq!(carried.deadline, at(600));
}

#[test]
fn the_failure_that_turned_the_run_is_told_and_not_one_that_was_tolerated() {
    let tolerated = PlannedStep { on_failure: OnFailure::Continue, ..step("soft", &[]) };
    let hard = PlannedStep { on_failure: OnFailure::Undo, ..reversible("hard", &["soft"]) };
    let mut play = Play::start(vec![tolerated, hard]);
    play.fail("soft", Disposition::Final);
    play.intend("hard");
    play.fail("hard", Disposition::Final);
    play.undone("hard");
    assert_eq!(play.state.failure().unwrap().0.as_str(), "hard");
}

#[test]
fn an_end_names_no_adopted_step_that_nobody_would_take_back() {
    let irreversible = PlannedStep { effect: Effect::Irreversible, ..step("restore", &[]) };
    let mut play = Play::start(vec![reversible("flip", &[]), irreversible, step("last", &["flip", "restore"])]);
    play.change("flip");
    play.fail("restore", Disposition::Final);
    let adopt = Request::Adopt { step: StepId::new("restore"), by: person("ann"), reason: "by hand".into() };
    play.ask(adopt, Some(Verdict::Happened { outputs: Map::new() })).unwrap();
    play.attach();
    play.go_back();
    play.undone("flip");
    let (_, reason, _) = play.state.stopped.clone().unwrap();
    assert!(!reason.contains("restore"), "{reason}");
}

#[test]
fn nothing_wakes_for_an_attempt_that_cannot_start() {
    let mut play = Play::start(vec![retried("again"), step("runs", &[]), step("breaks", &[])]);
    play.fail("again", Disposition::Retryable);
    assert_eq!(play.wake_at, Some(at(30)));
    let mut held = Play::start(vec![retried("again"), step("runs", &[])]);
    held.fail("again", Disposition::Retryable);
    pause(&mut held);
    assert_eq!(held.wake_at, Some(at(600)), "held: only the deadline of what runs");
    play.fail("breaks", Disposition::Final);
    assert_eq!(play.wake_at, Some(at(600)), "after a failure: only the deadline of what runs");
}

#[test]
fn on_the_way_back_what_asked_for_nothing_is_left_without_a_word() {
    let mut play = Play::start(vec![reversible("done", &[]), step("reads", &[]), reversible("about-to", &[])]);
    play.change("done");
    play.told();
    play.go_back();
    play.wait(700);
    let told = play.told();
    assert!(!told.iter().any(|line| line.contains("reads") || line.contains("about-to")), "{told:?}");
}

#[test]
fn what_had_announced_nothing_has_nothing_to_look_up() {
    let mut play = Play::start(vec![step("a", &[]), reversible("b", &[])]);
    play.intend("b");
    play.take(taken_up(2, person("ben"), 2));
    let tasks: Vec<_> = (0..2).map(|place| decide::task(&play.state, place)).collect();
    assert_eq!(tasks[0], None);
    assert!(tasks[1].is_some(), "{tasks:?}");
}

#[test]
fn quiet_is_over_at_its_end() {
    let mut play = Play::start(vec![step("a", &[])]);
    let event = |quiet_until, generation| match taken_up(generation, person("ben"), 2) {
        Event::DriverAttached { generation, by, pid, version, claim, take_over, fences, .. } => {
            Event::DriverAttached { generation, by, pid, version, claim, take_over, quiet_until, fences }
        }
        _ => unreachable!("it is one"),
    };
    play.take(event(Some(at(30)), 2));
    assert!(play.state.owes_quiet(None));
    play.pass(30);
    play.take(Event::StepNoted { step: StepId::new("a"), message: "waits".into(), until: None });
    assert!(!play.state.owes_quiet(None));
}

#[test]
fn on_the_way_back_nobody_judges_the_time_of_what_goes_on_and_cannot_be_taken_back() {
    let changes = PlannedStep { effect: Effect::Irreversible, ..step("restore", &[]) };
    let mut play = Play::start(vec![reversible("done", &[]), changes]);
    play.change("done");
    play.intend("restore");
    play.accept("restore");
    play.go_back_by_another_process();
    play.find("restore", Verdict::GoesOn { operation: None });
    assert_eq!((play.word("restore"), play.word("done")), ("running", "undoing"));
    play.told();
    play.wait(100_000);
    assert_eq!((play.told(), play.wake_at), (Vec::<String>::new(), None));
    play.undone("done");
    assert_eq!(play.word("restore"), "running");
}

#[test]
fn every_request_of_a_step_is_counted_those_of_its_undo_too() {
    let mut play = Play::start(vec![reversible("a", &[]), step("b", &["a"])]);
    play.change("a");
    play.go_back();
    play.take(Event::UndoIntended { step: StepId::new("a"), intent: intent() });
    assert_eq!(play.state.steps[0].changes, 2);
}
