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
