//! What goes back, in which order, and how that ends.

use lifeboat::{
    plan::PlannedStep,
    run::{Disposition, Outcome, Verdict},
    runbook::{Effect, OnFailure},
};

use super::play::{Play, step};

fn reversible(id: &str, needs: &[&str]) -> PlannedStep {
    PlannedStep { effect: Effect::Reversible, ..step(id, needs) }
}

fn undoing(id: &str, needs: &[&str]) -> PlannedStep {
    PlannedStep { on_failure: OnFailure::Undo, ..step(id, needs) }
}

/// Two changes, the second finished first; then the last step fails.
fn failed() -> Play {
    let steps = vec![reversible("a", &[]), reversible("b", &[]), step("read", &[]), undoing("c", &["a", "b", "read"])];
    let mut play = Play::start(steps);
    play.succeed("read");
    play.change("b");
    play.change("a");
    play.told();
    play.fail("c", Disposition::Final);
    play
}

#[test]
fn what_was_changed_is_undone_one_after_the_other_in_reverse_order() {
    let mut play = failed();
    assert_eq!(play.told(), ["fail c broken", "undo a"]);
    assert_eq!(play.tasks(), "undo a");
    play.undone("a");
    assert_eq!(play.told(), ["undone a", "undo b"]);
    play.undone("b");
    assert_eq!(play.told(), ["undone b", "ends undone"]);
    assert!(play.state.is_over());
}

#[test]
fn running_steps_finish_before_anything_is_undone() {
    let mut play = Play::start(vec![reversible("a", &[]), reversible("b", &["a"]), undoing("c", &["a"])]);
    play.change("a");
    play.intend("b");
    play.told();
    play.fail("c", Disposition::Final);
    assert_eq!(play.told(), ["fail c broken"]);
    play.succeed("b");
    assert_eq!(play.told(), ["done b", "undo b"]);
}

#[test]
fn what_changed_nothing_or_cannot_be_undone_is_not() {
    let irreversible = PlannedStep { effect: Effect::Irreversible, ..step("a", &[]) };
    let mut play = Play::start(vec![irreversible, reversible("same", &["a"]), undoing("c", &["same"])]);
    play.change("a");
    play.succeed("same");
    play.told();
    play.fail("c", Disposition::Final);
    assert_eq!(play.told(), ["fail c broken", "ends failed"]);
}

#[test]
fn without_the_word_nothing_is_undone() {
    let mut play = Play::start(vec![reversible("a", &[]), step("b", &["a"])]);
    play.change("a");
    play.fail("b", Disposition::Final);
    assert_eq!(play.outcome(), Some(Outcome::Failed));
}

#[test]
fn an_undo_that_fails_is_stuck_and_a_resume_tries_it_again() {
    let mut play = failed();
    play.told();
    play.undo_fails("a");
    assert_eq!(play.told(), ["undo fails a", "ends stuck"]);
    assert_eq!(play.word("b"), "succeeded", "what was done before it is not touched");
    play.attach();
    assert_eq!(play.told(), ["attached 2"]);
    assert_eq!(play.tasks(), "undo a");
    play.undone("a");
    play.undone("b");
    assert_eq!(play.outcome(), Some(Outcome::Undone));
}

#[test]
fn a_run_on_its_way_back_never_goes_forward_again() {
    let mut play = failed();
    play.told();
    play.attach();
    assert_eq!(play.told(), ["attached 2"], "the failed step does not start while what it needs is undone");
    assert_eq!(play.tasks(), "undo a");
    play.undone("a");
    play.attach();
    assert_eq!(play.told(), ["undone a", "undo b", "attached 3"]);
    play.undone("b");
    assert_eq!(play.told(), ["undone b", "ends undone"]);
}

#[test]
fn a_doubt_is_settled_before_anything_is_undone() {
    let mut play = Play::start(vec![reversible("a", &[]), undoing("b", &["a"]), reversible("c", &["a"])]);
    play.change("a");
    play.intend("c");
    play.fail("b", Disposition::Final);
    play.fail("c", Disposition::InDoubt);
    assert_eq!(play.tasks(), "settle c");
    play.told();
    play.find("c", Verdict::Happened { outputs: serde_json::Map::new() });
    assert_eq!(play.told(), ["settle c happened", "undo c"]);
}

#[test]
fn nothing_is_undone_beside_what_nobody_can_tell() {
    let mut play = Play::start(vec![reversible("a", &[]), undoing("b", &["a"]), reversible("c", &["a"])]);
    play.change("a");
    play.intend("c");
    play.fail("b", Disposition::Final);
    play.fail("c", Disposition::InDoubt);
    play.find("c", Verdict::Unknown { reason: "no answer".into(), remedy: "look".into() });
    assert_eq!(play.outcome(), Some(Outcome::Stuck));
    assert_eq!(play.word("a"), "succeeded");
}

#[test]
fn a_stop_during_an_undo_interrupts_and_a_resume_goes_on() {
    let mut play = failed();
    play.stop(false);
    assert_eq!(play.outcome(), Some(Outcome::Interrupted));
    play.attach();
    assert_eq!(play.tasks(), "undo a");
}

/// Two changes are done, a third has been accepted and goes on, a read goes on.
fn in_the_middle() -> Play {
    let steps = vec![reversible("a", &[]), reversible("b", &["a"]), reversible("c", &["b"]), step("read", &["b"])];
    let mut play = Play::start(steps);
    play.change("a");
    play.change("b");
    play.intend("c");
    play.accept("c");
    play.told();
    play
}

#[test]
fn what_goes_on_in_azure_is_awaited_when_it_can_be_taken_back() {
    let mut play = in_the_middle();
    play.go_back();
    assert_eq!(play.told(), ["undo requested", "doubt c given-up"]);
    assert_eq!(play.tasks(), "settle c", "the read is dropped");
    play.find("c", Verdict::GoesOn { operation: None });
    assert_eq!(play.told(), ["settle c goes on"]);
    assert_eq!(play.tasks(), "follow c", "else it would arrive after the run is over");
    play.succeed("c");
    play.undone("c");
    play.undone("b");
    play.undone("a");
    assert_eq!(
        play.told(),
        ["done c", "undo c", "undone c", "undo b", "undone b", "undo a", "undone a", "ends undone"]
    );
    assert_eq!(play.word("read"), "running");
    assert!(play.state.is_over());
}

#[test]
fn what_goes_on_past_its_timeout_is_not_awaited_for_ever_on_the_way_back() {
    let mut play = in_the_middle();
    play.go_back();
    play.find("c", Verdict::GoesOn { operation: None });
    play.told();
    play.wait(600);
    assert_eq!(play.told(), ["doubt c timeout"]);
    play.find("c", Verdict::GoesOn { operation: None });
    assert_eq!(play.outcome(), Some(Outcome::Stuck), "it may arrive yet, and nothing is said to be undone");
    assert_eq!(play.word("b"), "succeeded");
}

#[test]
fn what_cannot_be_taken_back_is_left_to_go_on_in_azure() {
    let irreversible = PlannedStep { effect: Effect::Irreversible, ..step("c", &["b"]) };
    let mut play = Play::start(vec![reversible("b", &[]), irreversible]);
    play.change("b");
    play.intend("c");
    play.accept("c");
    play.go_back();
    play.told();
    play.find("c", Verdict::GoesOn { operation: None });
    assert_eq!(play.told(), ["settle c goes on", "undo b"]);
    assert_eq!(play.tasks(), "undo b", "what goes on is not followed");
    play.undone("b");
    assert_eq!((play.outcome(), play.word("c")), (Some(Outcome::Undone), "running"));
}

#[test]
fn a_step_that_failed_half_way_is_taken_back_first_and_nothing_starts_beside_that() {
    let half = PlannedStep { on_failure: OnFailure::Undo, ..reversible("half", &["a"]) };
    let mut play = Play::start(vec![reversible("a", &[]), half, step("after", &["half"]), step("other", &["a"])]);
    play.change("a");
    play.intend("half");
    play.succeed("other");
    play.told();
    play.fail("half", Disposition::Final);
    assert_eq!(play.told(), ["fail half broken", "undo half"]);
    assert_eq!(play.tasks(), "undo half");
    play.undone("half");
    assert_eq!(play.told(), ["undone half", "undo a"]);
    // A crash in the middle changes nothing of that.
    play.attach();
    assert_eq!(play.told(), ["attached 2"]);
    play.undone("a");
    assert_eq!(play.told(), ["undone a", "ends undone"]);
    assert_eq!(play.word("after"), "pending");
    let (step, error) = play.state.failure().unwrap();
    assert_eq!((step.as_str(), error.code.as_str()), ("half", "broken"), "why is still told");
    assert_eq!(play.state.finished, 2, "what was never done does not count as done");
}

#[test]
fn a_half_made_step_whose_undo_fails_is_stuck() {
    let half = PlannedStep { on_failure: OnFailure::Undo, ..reversible("half", &[]) };
    let mut play = Play::start(vec![half]);
    play.intend("half");
    play.fail("half", Disposition::Final);
    play.undo_fails("half");
    assert_eq!(play.outcome(), Some(Outcome::Stuck));
    play.attach();
    assert_eq!(play.tasks(), "undo half");
    play.undone("half");
    assert_eq!(play.outcome(), Some(Outcome::Undone));
}

#[test]
fn whoever_gives_up_gets_half_made_steps_back_also_between_two_attempts() {
    use lifeboat::runbook::Retry;
    let retry = Retry { attempts: 3, delay: std::time::Duration::from_secs(60) };
    let retried = PlannedStep { retry, ..reversible("half", &[]) };
    let mut play = Play::start(vec![retried.clone()]);
    play.intend("half");
    play.fail("half", Disposition::Retryable);
    assert_eq!(play.word("half"), "waiting");
    play.told();
    play.go_back();
    assert_eq!(play.told(), ["undo requested", "undo half"]);
    play.undone("half");
    assert_eq!(play.outcome(), Some(Outcome::Undone));

    // The next attempt has begun and has asked for nothing yet.
    let mut play = Play::start(vec![retried]);
    play.intend("half");
    play.fail("half", Disposition::Retryable);
    play.wait(60);
    assert_eq!(play.tasks(), "perform half");
    play.told();
    play.go_back();
    assert_eq!(play.told(), ["undo requested", "fail half given-up", "undo half"]);
    play.undone("half");
    assert_eq!(play.outcome(), Some(Outcome::Undone));
}

#[test]
fn what_was_sent_is_looked_up_and_undone_if_it_happened() {
    let mut play = in_the_middle();
    play.go_back();
    play.told();
    play.find("c", Verdict::Happened { outputs: serde_json::Map::new() });
    assert_eq!(play.told(), ["settle c happened", "undo c"]);
}

#[test]
fn a_request_in_flight_brings_its_answer_home_before_anything_is_undone() {
    let mut play = Play::start(vec![reversible("a", &[]), reversible("b", &["a"])]);
    play.change("a");
    play.intend("b");
    play.told();
    play.go_back();
    assert_eq!(play.tasks(), "perform b");
    assert_eq!(play.told(), ["undo requested"]);
    play.succeed("b");
    assert_eq!(play.told(), ["done b", "undo b"]);
}

#[test]
fn nothing_is_undone_beside_a_doubt_that_stays_also_when_somebody_gave_up() {
    let mut play = in_the_middle();
    play.go_back();
    play.find("c", Verdict::Unknown { reason: "no answer".into(), remedy: "look".into() });
    assert_eq!(play.outcome(), Some(Outcome::Stuck));
    assert_eq!(play.word("a"), "succeeded");
    play.told();
    play.attach();
    assert_eq!(play.told(), ["attached 2", "settle read did not happen"]);
    assert_eq!(play.tasks(), "settle c", "a resume looks again and goes nowhere else");
    play.find("c", Verdict::DidNotHappen { reason: "idle".into() });
    assert_eq!(play.told(), ["settle c did not happen", "undo c"], "what is there of it is looked up once more");
}

#[test]
fn another_process_goes_on_undoing() {
    for times in 1..=2 {
        let mut play = in_the_middle();
        play.go_back();
        play.find("c", Verdict::DidNotHappen { reason: "idle".into() });
        play.undone("c");
        for _ in 0..times {
            play.attach();
        }
        play.told();
        assert_eq!(play.tasks(), "undo b");
        play.undone("b");
        play.undone("a");
        assert_eq!(play.told(), ["undone b", "undo a", "undone a", "ends undone"], "nothing starts again");
        assert_eq!(play.word("c"), "undone");
    }
}

#[test]
fn an_undo_that_fails_after_a_giving_up_is_stuck_and_a_resume_tries_it_again() {
    let mut play = in_the_middle();
    play.go_back();
    play.find("c", Verdict::DidNotHappen { reason: "idle".into() });
    play.undone("c");
    play.undo_fails("b");
    assert_eq!(play.outcome(), Some(Outcome::Stuck));
    let (_, reason, _) = play.state.stopped.clone().unwrap();
    assert!(reason.starts_with("step b could not be undone"), "{reason}");
    assert_eq!(play.word("a"), "succeeded");
    play.attach();
    assert_eq!(play.tasks(), "undo b");
    play.undone("b");
    play.undone("a");
    assert_eq!(play.outcome(), Some(Outcome::Undone));
}

#[test]
fn a_stop_in_the_middle_of_the_way_back_interrupts_it_and_an_abort_ends_it() {
    for (abort, outcome) in [(false, Outcome::Interrupted), (true, Outcome::Aborted)] {
        let mut play = in_the_middle();
        play.go_back();
        play.find("c", Verdict::DidNotHappen { reason: "idle".into() });
        play.undone("c");
        play.stop(abort);
        assert_eq!(play.outcome(), Some(outcome));
        assert_eq!(play.word("a"), "succeeded");
        if !abort {
            play.attach();
            assert_eq!(play.tasks(), "undo b");
        }
    }
}

#[test]
fn giving_up_with_nothing_to_undo_is_an_abort() {
    let mut play = Play::start(vec![step("read", &[]), reversible("a", &["read"])]);
    play.go_back();
    assert_eq!(play.outcome(), Some(Outcome::Aborted));
    assert!(play.state.is_over());
    // Also when it had failed before, and nobody drove it.
    let mut play = Play::start(vec![reversible("a", &[]), step("b", &["a"])]);
    play.change("a");
    play.fail("b", Disposition::Final);
    assert_eq!(play.outcome(), Some(Outcome::Failed));
    play.go_back_by_another_process();
    assert_eq!(play.tasks(), "undo a");
    play.undone("a");
    assert_eq!(play.outcome(), Some(Outcome::Undone));
}
