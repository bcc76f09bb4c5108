//! What a process finds that takes a run over.

use std::time::Duration;

use lifeboat::{
    plan::PlannedStep,
    run::{Disposition, Outcome, Verdict},
    runbook::{OnFailure, Retry},
};
use serde_json::Map;

use super::play::{Play, step};

#[test]
fn what_had_announced_nothing_is_settled_at_once_and_carried_on_with_its_deadline() {
    let mut play = Play::start(vec![step("a", &[])]);
    play.pass(100);
    play.told();
    play.attach();
    assert_eq!(play.told(), ["attached 2", "settle a did not happen", "start a #1 until 600"]);
    assert_eq!(play.tasks(), "perform a");
}

#[test]
fn what_had_announced_a_change_is_looked_at_first() {
    let mut play = Play::start(vec![step("a", &[]), step("b", &["a"])]);
    play.intend("a");
    play.pass(10_000);
    play.told();
    play.attach();
    assert_eq!(play.told(), ["attached 2"]);
    assert_eq!(play.tasks(), "settle a");
    play.find("a", Verdict::Happened { outputs: Map::new() });
    assert_eq!(play.told(), ["settle a happened", "start b #1 until 10600"]);
}

#[test]
fn a_deadline_that_passed_while_nobody_drove_has_passed() {
    let retry = Retry { attempts: 2, delay: Duration::from_secs(30) };
    let mut play = Play::start(vec![PlannedStep { retry, ..step("a", &[]) }]);
    play.pass(700);
    play.told();
    play.attach();
    assert_eq!(play.told(), ["attached 2", "settle a did not happen", "fail a timeout, again at 730"]);
    play.wait(30);
    assert_eq!(play.told(), ["start a #2 until 1330"]);
}

#[test]
fn a_change_that_did_not_happen_in_time_is_a_timeout() {
    let mut play = Play::start(vec![step("a", &[])]);
    play.intend("a");
    play.pass(700);
    play.attach();
    play.told();
    play.find("a", Verdict::DidNotHappen { reason: "idle".into() });
    assert_eq!(play.told(), ["settle a did not happen", "fail a timeout", "ends failed"]);
}

#[test]
fn a_wait_between_attempts_survives() {
    let retry = Retry { attempts: 3, delay: Duration::from_secs(60) };
    let mut play = Play::start(vec![PlannedStep { retry, ..step("a", &[]) }]);
    play.fail("a", Disposition::Retryable);
    play.pass(20);
    play.told();
    play.attach();
    assert_eq!(play.told(), ["attached 2"]);
    assert_eq!(play.wake_at, Some(crate::transitions::at(60)));
    play.wait(40);
    assert_eq!(play.told(), ["start a #2 until 660"]);
}

#[test]
fn a_resume_tries_only_what_failed_and_what_had_not_begun() {
    let tolerated = PlannedStep { on_failure: OnFailure::Continue, ..step("t", &[]) };
    let mut play = Play::start(vec![step("a", &[]), tolerated, step("b", &["a", "t"]), step("c", &["b"])]);
    play.succeed("a");
    play.fail("t", Disposition::Final);
    play.fail("b", Disposition::Final);
    play.pass(50);
    play.told();
    play.attach();
    assert_eq!(play.told(), ["attached 2", "start b #1 until 650"]);
    play.succeed("b");
    play.succeed("c");
    assert_eq!(play.outcome(), Some(Outcome::Succeeded));
    assert_eq!(play.word("t"), "failed", "it was tolerated, and stays what it is");
}

#[test]
fn what_nobody_could_tell_is_looked_at_again() {
    let mut play = Play::start(vec![step("a", &[])]);
    play.intend("a");
    play.fail("a", Disposition::InDoubt);
    play.find("a", Verdict::Unknown { reason: "no answer".into(), remedy: "look".into() });
    assert_eq!(play.outcome(), Some(Outcome::Stuck));
    play.attach();
    assert_eq!(play.tasks(), "settle a");
    play.find("a", Verdict::Happened { outputs: Map::new() });
    assert_eq!(play.outcome(), Some(Outcome::Succeeded));
}

#[test]
fn a_crash_before_the_first_step_loses_nothing() {
    let mut play = Play::new(super::play::plan(vec![step("a", &[])]));
    play.attach();
    play.live.clear();
    play.attach();
    assert_eq!(
        play.told(),
        ["attached 1", "start a #1 until 600", "attached 2", "settle a did not happen", "start a #1 until 600"]
    );
}

#[test]
fn a_second_crash_while_a_step_is_carried_keeps_its_first_deadline() {
    let mut play = Play::start(vec![step("a", &[])]);
    play.pass(100);
    play.attach();
    play.pass(100);
    play.attach();
    assert_eq!(play.told().last().map(String::as_str), Some("start a #1 until 600"));
}
