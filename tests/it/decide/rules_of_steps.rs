//! Needs, conditions, attempts, deadlines and doubts of one drive.

use std::{sync::Arc, time::Duration};

use lifeboat::{
    plan::{Plan, PlannedStep},
    run::{Disposition, Event, Outcome, Verdict, decide::MOST_AT_ONCE},
    runbook::{ActionKind, OnFailure, Retry, StepId},
};
use serde_json::{Map, json};

use super::play::{Play, step};
use crate::transitions::{error, intent, operation};

fn tried(attempts: u32, delay_s: u64, planned: PlannedStep) -> PlannedStep {
    PlannedStep { retry: Retry { attempts, delay: Duration::from_secs(delay_s) }, ..planned }
}

#[test]
fn steps_start_together_once_their_needs_are_met() {
    let mut play = Play::start(vec![step("a", &[]), step("b", &[]), step("c", &["a", "b"]), step("d", &["a"])]);
    assert_eq!(play.told(), ["attached 1", "start a #1 until 600", "start b #1 until 600"]);
    play.pass(5);
    play.succeed("a");
    assert_eq!(play.told(), ["done a", "start d #1 until 605"]);
    play.succeed("b");
    assert_eq!(play.told(), ["done b", "start c #1 until 605"]);
    play.succeed("c");
    play.succeed("d");
    assert_eq!(play.told(), ["done c", "done d", "ends succeeded"]);
    assert!(play.state.is_over());
    assert!(!play.decide_once(), "nothing follows an end");
}

#[test]
fn the_end_of_a_step_and_the_start_of_the_next_are_decided_in_one_look() {
    let mut play = Play::start(vec![step("a", &[]), step("b", &["a"])]);
    play.told();
    play.succeed("a");
    assert_eq!(play.told(), ["done a", "start b #1 until 600"]);
}

#[test]
fn a_plan_without_steps_succeeds_at_once() {
    assert_eq!(Play::start(Vec::new()).told(), ["attached 1", "ends succeeded"]);
}

#[test]
fn no_more_steps_run_at_once_than_the_limit() {
    let ids: Vec<String> = (0..MOST_AT_ONCE + 2).map(|number| format!("s{number}")).collect();
    let mut play = Play::start(ids.iter().map(|id| step(id, &[])).collect());
    assert_eq!(play.live.len(), MOST_AT_ONCE);
    play.told();
    play.succeed("s7");
    assert_eq!(play.told(), ["done s7".to_owned(), format!("start s{MOST_AT_ONCE} #1 until 600")]);
}

#[test]
fn a_step_whose_condition_is_false_is_skipped_and_meets_the_needs_on_it() {
    let when = |text: &str, planned| PlannedStep { when: Some(text.to_owned()), ..planned };
    let steps = vec![when("mode == 'drill'", step("a", &[])), when("mode == 'unplanned'", step("b", &["a"]))];
    let mut play = Play::start(steps);
    assert_eq!(play.told(), ["attached 1", "skip a", "start b #1 until 600"]);
}

#[test]
fn a_condition_or_an_argument_that_cannot_be_had_fails_for_good() {
    let wrong = PlannedStep { when: Some("params.nobody".into()), ..tried(5, 1, step("a", &[])) };
    assert_eq!(Play::start(vec![wrong]).told(), ["attached 1", "fail a expression", "ends failed"]);
    let arguments = |value| Map::from_iter([("duration".to_owned(), value)]);
    let unresolved = PlannedStep { arguments: arguments(json!("${{ params.nobody }}")), ..step("a", &[]) };
    assert_eq!(Play::start(vec![unresolved]).told(), ["attached 1", "fail a expression", "ends failed"]);
    let misfit = PlannedStep { arguments: arguments(json!("soon")), ..step("a", &[]) };
    assert_eq!(Play::start(vec![misfit]).told(), ["attached 1", "fail a argument", "ends failed"]);
}

#[test]
fn a_retryable_error_is_tried_again_after_the_delay_up_to_the_attempts() {
    let mut play = Play::start(vec![tried(2, 15, step("a", &[]))]);
    play.pass(10);
    play.fail("a", Disposition::Retryable);
    assert_eq!(play.told(), ["attached 1", "start a #1 until 600", "fail a broken, again at 25"]);
    assert_eq!(play.wake_at, Some(crate::transitions::at(25)));
    play.wait(14);
    assert_eq!(play.told(), Vec::<String>::new());
    play.wait(1);
    assert_eq!(play.told(), ["start a #2 until 625"]);
    play.fail("a", Disposition::Retryable);
    assert_eq!(play.told(), ["fail a broken", "ends failed"]);
}

#[test]
fn a_final_error_and_a_refusal_are_not_tried_again() {
    for (disposition, outcome) in [(Disposition::Final, "ends failed"), (Disposition::Refused, "ends refused")] {
        let mut play = Play::start(vec![tried(5, 1, step("a", &[]))]);
        play.told();
        play.fail("a", disposition);
        assert_eq!(play.told(), ["fail a broken", outcome]);
    }
}

#[test]
fn a_refusal_beside_a_failure_is_told_as_the_failure() {
    let mut play = Play::start(vec![step("a", &[]), step("b", &[])]);
    play.fail("a", Disposition::Refused);
    play.fail("b", Disposition::Final);
    assert_eq!(play.outcome(), Some(Outcome::Failed));
}

#[test]
fn a_deadline_bounds_one_attempt() {
    let mut play = Play::start(vec![tried(2, 30, step("a", &[]))]);
    assert_eq!(play.wake_at, Some(crate::transitions::at(600)));
    play.wait(599);
    assert_eq!(play.tasks(), "perform a");
    play.wait(1);
    assert_eq!(
        play.told(),
        ["attached 1", "start a #1 until 600", "fail a timeout, again at 630"],
        "nothing had been announced, so it may be tried again"
    );
    assert_eq!(play.tasks(), "");
    play.wait(30);
    assert_eq!(play.told(), ["start a #2 until 1230"]);
    play.wait(600);
    assert_eq!(play.told(), ["fail a timeout", "ends failed"]);
}

#[test]
fn a_deadline_after_an_intent_is_a_doubt_and_a_probe_looks() {
    let mut play = Play::start(vec![tried(5, 30, step("a", &[]))]);
    play.intend("a");
    play.told();
    play.wait(600);
    assert_eq!(play.told(), ["doubt a timeout"]);
    assert_eq!(play.tasks(), "settle a");
    play.find("a", Verdict::Happened { outputs: Map::new() });
    assert_eq!(play.told(), ["settle a happened", "ends succeeded"]);
}

#[test]
fn what_goes_on_past_its_timeout_is_left_to_a_resume() {
    let mut play = Play::start(vec![step("a", &[]), step("b", &[])]);
    play.intend("a");
    play.accept("a");
    play.succeed("b");
    play.told();
    play.wait(600);
    play.find("a", Verdict::GoesOn { operation: Some(operation()) });
    assert_eq!(play.told(), ["doubt a timeout", "settle a goes on", "ends stuck"]);
    play.pass(1200);
    play.attach();
    assert_eq!(play.tasks(), "settle a");
    play.find("a", Verdict::GoesOn { operation: Some(operation()) });
    assert_eq!(play.tasks(), "follow a");
    assert_eq!(play.wake_at, Some(crate::transitions::at(2400)), "a deadline that has passed gets a new window");
    play.succeed("a");
    assert_eq!(play.outcome(), Some(Outcome::Succeeded));
}

#[test]
fn what_goes_on_within_its_deadline_keeps_it() {
    let mut play = Play::start(vec![step("a", &[])]);
    play.intend("a");
    play.accept("a");
    play.pass(100);
    play.fail("a", Disposition::InDoubt);
    assert_eq!(play.tasks(), "settle a");
    play.find("a", Verdict::GoesOn { operation: None });
    assert_eq!(play.tasks(), "follow a");
    assert_eq!(play.wake_at, Some(crate::transitions::at(600)));
}

#[test]
fn a_change_that_did_not_happen_is_started_again_with_its_old_deadline() {
    let mut play = Play::start(vec![step("a", &[])]);
    play.intend("a");
    play.fail("a", Disposition::InDoubt);
    play.told();
    play.pass(100);
    play.find("a", Verdict::DidNotHappen { reason: "idle".into() });
    assert_eq!(play.told(), ["settle a did not happen", "start a #1 until 600"]);
}

#[test]
fn a_change_that_was_accepted_and_failed_fails_the_step() {
    let mut play = Play::start(vec![tried(5, 1, step("a", &[]))]);
    play.intend("a");
    play.fail("a", Disposition::InDoubt);
    play.find("a", Verdict::Failed { error: error(Disposition::Final, "backup-expired") });
    assert_eq!(play.outcome(), Some(Outcome::Failed));
}

#[test]
fn what_nobody_can_tell_is_stuck_after_the_others_have_finished() {
    let mut play = Play::start(vec![step("a", &[]), step("b", &[]), step("c", &["b"])]);
    play.intend("a");
    play.fail("a", Disposition::InDoubt);
    play.find("a", Verdict::Unknown { reason: "no answer".into(), remedy: "look".into() });
    assert_eq!(play.tasks(), "perform b");
    play.told();
    play.succeed("b");
    assert_eq!(play.told(), ["done b", "ends stuck"], "c does not start beside a doubt");
    assert_eq!(play.word("c"), "pending");
}

#[test]
fn a_failure_starts_nothing_more_and_lets_running_steps_finish() {
    let mut play = Play::start(vec![step("a", &[]), step("b", &[]), step("c", &["b"])]);
    play.fail("a", Disposition::Final);
    assert_eq!(play.tasks(), "perform b");
    play.told();
    play.succeed("b");
    assert_eq!(play.told(), ["done b", "ends failed"]);
}

#[test]
fn a_failure_does_not_wait_for_another_attempt_of_a_neighbour() {
    let mut play = Play::start(vec![step("a", &[]), tried(3, 60, step("b", &[]))]);
    play.fail("b", Disposition::Retryable);
    play.fail("a", Disposition::Final);
    assert_eq!(play.outcome(), Some(Outcome::Failed));
    assert_eq!(play.word("b"), "waiting");
}

#[test]
fn a_failure_that_is_tolerated_meets_the_needs_on_it() {
    let steps = vec![PlannedStep { on_failure: OnFailure::Continue, ..step("a", &[]) }, step("b", &["a"])];
    let mut play = Play::start(steps);
    play.told();
    play.fail("a", Disposition::Final);
    assert_eq!(play.told(), ["fail a broken", "start b #1 until 600"]);
    play.succeed("b");
    assert_eq!(play.told(), ["done b", "ends succeeded"]);
}

#[test]
fn an_output_of_a_step_that_gave_none_is_wrong_not_unknown() {
    let tolerated = PlannedStep { on_failure: OnFailure::Continue, ..step("a", &[]) };
    let arguments = Map::from_iter([("duration".to_owned(), json!("${{ steps.a.duration }}"))]);
    let mut play = Play::start(vec![tolerated, PlannedStep { arguments, ..step("b", &["a"]) }]);
    play.fail("a", Disposition::Final);
    let (_, found) = play.state.failure().unwrap();
    assert_eq!(found.message, "the step `a` gave no output `duration`");
}

#[test]
fn only_a_step_of_several_requests_asks_again_after_one_was_accepted() {
    for (action, may) in [
        (ActionKind::SetOrigin, true),
        (ActionKind::SetEndpoints, false),
        (ActionKind::Restore, false),
        (ActionKind::Backup, false),
    ] {
        let mut play = Play::start(vec![step("a", &[])]);
        let mut plan = Plan::clone(&play.state.plan);
        plan.steps[0].action = action;
        play.state.plan = Arc::new(plan);
        play.intend("a");
        play.intend("a");
        play.accept("a");
        let again = Event::ChangeIntended { step: StepId::new("a"), intent: intent() };
        let changes = play.state.steps[0].changes;
        let applied = play.state.apply(play.now, &again);
        assert_eq!(applied.is_ok(), may, "{action}: {applied:?}");
        assert_eq!(play.state.steps[0].changes, changes + u32::from(may), "{action}");
    }
}
