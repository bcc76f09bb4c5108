//! Approvals, stops and aborts.

use std::time::Duration;

use lifeboat::{
    plan::PlannedStep,
    run::{Disposition, Outcome, Verdict},
    runbook::{ActionKind, Effect, OnFailure, Retry},
};

use super::play::{Play, approval, step};

#[test]
fn an_approval_has_no_task_and_waits_until_its_deadline() {
    let mut play = Play::start(vec![approval("ask", &[], 1)]);
    assert_eq!(play.tasks(), "");
    assert_eq!(play.wake_at, Some(crate::transitions::at(600)));
    play.told();
    play.approve("ask", "ben");
    assert_eq!(play.told(), ["ben approves ask", "done ask", "ends succeeded"]);
}

#[test]
fn as_many_people_as_wanted_must_approve_and_each_counts_once() {
    let mut play = Play::start(vec![approval("ask", &[], 2), step("go", &["ask"])]);
    play.told();
    play.approve("ask", "ben");
    play.approve("ask", "ben");
    assert_eq!(play.told(), ["ben approves ask", "ben approves ask"]);
    play.approve("ask", "cleo");
    assert_eq!(play.told(), ["cleo approves ask", "done ask", "start go #1 until 600"]);
}

#[test]
fn one_refusal_is_enough_also_after_approvals() {
    let mut play = Play::start(vec![approval("ask", &[], 2), step("go", &["ask"])]);
    play.approve("ask", "ben");
    play.told();
    play.refuse("ask", "cleo");
    assert_eq!(play.told(), ["cleo refuses ask", "fail ask approval-refused", "ends refused"]);
    assert_eq!(play.word("go"), "pending");
}

#[test]
fn an_approval_that_nobody_gives_expires() {
    let mut play = Play::start(vec![approval("ask", &[], 1)]);
    play.told();
    play.wait(600);
    assert_eq!(play.told(), ["fail ask approval-missing", "ends refused"]);
}

#[test]
fn a_resume_asks_again_and_old_answers_do_not_count() {
    let mut play = Play::start(vec![approval("ask", &[], 2)]);
    play.approve("ask", "ben");
    play.refuse("ask", "cleo");
    play.pass(100);
    play.told();
    play.attach();
    assert_eq!(play.told(), ["attached 2", "start ask #1 until 700"]);
    play.approve("ask", "cleo");
    assert_eq!(play.word("ask"), "running", "ben's approval was of the first asking");
    play.approve("ask", "ben");
    assert_eq!(play.outcome(), Some(Outcome::Succeeded));
}

#[test]
fn an_approval_outlives_the_process_with_its_deadline_and_its_answers() {
    let mut play = Play::start(vec![approval("ask", &[], 2)]);
    play.approve("ask", "ben");
    play.pass(100);
    play.told();
    play.attach();
    assert_eq!(play.told(), ["attached 2"]);
    assert_eq!(play.wake_at, Some(crate::transitions::at(600)));
    play.approve("ask", "cleo");
    assert_eq!(play.outcome(), Some(Outcome::Succeeded));
}

#[test]
fn after_a_stop_nothing_starts_and_what_reads_is_left() {
    let mut play = Play::start(vec![step("a", &[]), step("b", &["a"])]);
    play.told();
    play.stop(false);
    assert_eq!(play.told(), ["stop requested, abort false", "ends interrupted"]);
    assert!(!play.state.is_over(), "a resume goes on");
}

#[test]
fn a_request_in_flight_may_bring_its_answer_home_after_a_stop() {
    let mut play = Play::start(vec![step("a", &[]), step("b", &["a"]), step("c", &[])]);
    play.intend("a");
    play.stop(false);
    assert_eq!(play.tasks(), "perform a", "c only reads and is dropped");
    assert_eq!(play.outcome(), None);
    play.told();
    play.succeed("a");
    assert_eq!(play.told(), ["done a", "ends interrupted"], "b does not start");
}

#[test]
fn an_operation_that_goes_on_by_itself_is_left_at_a_stop() {
    let mut play = Play::start(vec![step("a", &[])]);
    play.intend("a");
    play.accept("a");
    play.stop(false);
    assert_eq!(play.outcome(), Some(Outcome::Interrupted));
    play.pass(60);
    play.attach();
    assert_eq!(play.tasks(), "settle a");
    play.find("a", Verdict::GoesOn { operation: None });
    assert_eq!(play.tasks(), "follow a");
}

#[test]
fn an_abort_is_the_end() {
    let mut play = Play::start(vec![step("a", &[])]);
    play.stop(true);
    assert_eq!(play.outcome(), Some(Outcome::Aborted));
    assert!(play.state.is_over());
}

#[test]
fn a_stop_after_an_abort_is_still_an_abort() {
    let mut play = Play::start(vec![step("a", &[])]);
    play.intend("a");
    play.stop(true);
    play.stop(false);
    play.succeed("a");
    assert_eq!(play.outcome(), Some(Outcome::Aborted));
}

#[test]
fn time_does_not_judge_what_was_stopped() {
    let mut play = Play::start(vec![step("a", &[])]);
    play.intend("a");
    play.stop(false);
    play.told();
    play.wait(10_000);
    assert_eq!(play.told(), Vec::<String>::new(), "the drive ends; the next one looks what became of it");
}

fn retried(id: &str, needs: &[&str]) -> PlannedStep {
    PlannedStep { retry: Retry { attempts: 3, delay: Duration::from_secs(60) }, ..step(id, needs) }
}

#[test]
fn a_step_that_waits_or_failed_may_be_skipped_and_what_needs_it_starts_when_its_other_needs_are_met() {
    let mut play = Play::start(vec![retried("proof", &[]), step("other", &[]), step("go", &["proof", "other"])]);
    play.fail("proof", Disposition::Retryable);
    play.told();
    play.skip("proof").unwrap();
    assert_eq!(play.told(), ["ann skips proof"], "the other need is not met");
    play.succeed("other");
    assert_eq!(play.told(), ["done other", "start go #1 until 600"]);

    // Failed for good while something else still runs.
    let mut play = Play::start(vec![step("proof", &[]), step("other", &[]), step("go", &["proof"])]);
    play.fail("proof", Disposition::Final);
    play.told();
    play.skip("proof").unwrap();
    assert_eq!(play.told(), ["ann skips proof", "start go #1 until 600"]);
}

#[test]
fn a_step_that_reads_may_be_skipped_while_it_waits_inside() {
    let mut play = Play::start(vec![step("proof", &[]), step("go", &["proof"])]);
    assert_eq!(play.tasks(), "perform proof");
    play.skip("proof").unwrap();
    assert_eq!(play.tasks(), "perform go", "what waited for it is stopped");
}

#[test]
fn a_run_that_failed_goes_on_from_a_skip_at_the_next_resume() {
    let mut play = Play::start(vec![step("proof", &[]), step("go", &["proof"])]);
    play.fail("proof", Disposition::Final);
    assert_eq!(play.outcome(), Some(Outcome::Failed));
    play.told();
    play.skip("proof").unwrap();
    assert_eq!(play.told(), ["ann skips proof"]);
    play.attach();
    assert_eq!(play.told(), ["attached 2", "start go #1 until 600"]);
    play.succeed("go");
    assert_eq!(play.outcome(), Some(Outcome::Succeeded));
    assert_eq!(play.word("proof"), "skipped");
}

#[test]
fn what_may_not_be_skipped_says_why() {
    let reversible = |id: &str, needs: &[&str]| PlannedStep { effect: Effect::Reversible, ..step(id, needs) };
    let service = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/n";
    let arguments = serde_json::Map::from_iter([("service".to_owned(), service.into())]);
    let guard = PlannedStep { action: ActionKind::ConfirmOutage, arguments, ..step("guard", &[]) };
    let tolerated = PlannedStep { on_failure: OnFailure::Continue, ..step("tolerated", &[]) };
    let mut play = Play::start(vec![
        step("done", &[]),
        reversible("change", &[]),
        approval("ask", &[], 1),
        guard,
        tolerated,
        step("later", &["change"]),
    ]);
    play.succeed("done");
    play.fail("tolerated", Disposition::Final);
    play.told();
    for (step, why) in [
        ("done", "is done"),
        ("change", "changes the world"),
        ("ask", "approve or reject it"),
        ("guard", "--force"),
        ("tolerated", "goes on without it anyway"),
        ("later", "its turn has not come"),
        ("nobody", "no step `nobody`"),
    ] {
        let refused = play.skip(step).unwrap_err();
        assert!(refused.contains(why), "{step}: {refused}");
    }
    assert_eq!(play.told(), Vec::<String>::new());
    play.go_back();
    assert!(play.skip("later").unwrap_err().contains("way back"));
}
