//! What people do in place of the run: hold it, do a step by hand, answer for what nobody can tell.

use std::time::Duration;

use lifeboat::{
    plan::PlannedStep,
    run::{Disposition, Event, Outcome, StepState, Verdict, engine::Request},
    runbook::{ActionKind, Effect, Retry, StepId},
};
use serde_json::{Map, json};

use super::play::{Play, approval, step};
use crate::transitions::{at, person};

fn changing(id: &str, needs: &[&str]) -> PlannedStep {
    PlannedStep { effect: Effect::Irreversible, ..step(id, needs) }
}

fn reversible(id: &str, needs: &[&str]) -> PlannedStep {
    PlannedStep { effect: Effect::Reversible, ..step(id, needs) }
}

fn pause() -> Request {
    Request::Pause { by: person("ann"), reason: Some("the region may come back".into()) }
}

fn resume() -> Request {
    Request::Resume { by: person("ben") }
}

fn adopt(step: &str) -> Request {
    Request::Adopt { step: StepId::new(step), by: person("ann"), reason: "by hand".into() }
}

fn settle(step: &str, happened: bool) -> Request {
    let (step, by, reason) = (StepId::new(step), person("ann"), "seen in the portal".into());
    Request::Settle { step, by, reason, happened, outputs: Map::new() }
}

fn happened() -> Verdict {
    Verdict::Happened { outputs: Map::new() }
}

fn did_not_happen() -> Verdict {
    Verdict::DidNotHappen { reason: "it is as it was".into() }
}

fn unknown() -> Verdict {
    Verdict::Unknown { reason: "no answer".into(), remedy: "look".into() }
}

#[test]
fn a_pause_holds_before_the_next_step_and_what_runs_goes_on() {
    let mut play = Play::start(vec![step("a", &[]), step("b", &["a"])]);
    play.told();
    play.ask(pause(), None).unwrap();
    assert_eq!(play.told(), ["ann pauses"]);
    assert_eq!(play.tasks(), "perform a");
    play.succeed("a");
    assert_eq!(play.told(), ["done a"]);
    assert_eq!((play.tasks().as_str(), play.outcome()), ("", None), "it waits, and does not end");
    play.wait(10_000);
    assert_eq!(play.told(), Vec::<String>::new());
    play.ask(resume(), None).unwrap();
    assert_eq!(play.told(), ["ben lifts the pause", "start b #1 until 10600"]);
}

#[test]
fn a_pause_outlives_the_process_and_is_lifted_by_a_word_alone() {
    let mut play = Play::start(vec![step("a", &[]), step("b", &["a"])]);
    play.ask(pause(), None).unwrap();
    play.succeed("a");
    play.told();
    play.attach();
    assert_eq!(play.told(), ["attached 2"], "nothing starts");
    let hold = play.state.hold.clone().unwrap();
    assert_eq!((hold.by.name.as_str(), hold.at), ("ann", at(0)));
    play.ask(resume(), None).unwrap();
    assert_eq!(play.told(), ["ben lifts the pause", "start b #1 until 600"]);
    assert!(play.ask(resume(), None).unwrap_err().contains("not paused"));
}

#[test]
fn a_run_with_nothing_left_to_start_ends_although_it_is_paused() {
    let mut play = Play::start(vec![step("a", &[])]);
    play.ask(pause(), None).unwrap();
    play.succeed("a");
    assert_eq!(play.outcome(), Some(Outcome::Succeeded));
    let mut play = Play::start(vec![step("a", &[]), step("b", &["a"])]);
    play.ask(pause(), None).unwrap();
    play.fail("a", Disposition::Final);
    assert_eq!(play.outcome(), Some(Outcome::Failed));
}

#[test]
fn the_time_of_an_approval_stands_still_while_the_run_is_paused_and_its_answer_counts() {
    let mut play = Play::start(vec![approval("ask", &[], 1), step("b", &["ask"])]);
    play.wait(500);
    play.ask(pause(), None).unwrap();
    play.told();
    play.wait(5000);
    assert_eq!(play.told(), Vec::<String>::new(), "it does not run out");
    play.ask(resume(), None).unwrap();
    assert_eq!(play.wake_at, Some(at(5600)), "100 s were left");
    play.wait(99);
    assert_eq!(play.word("ask"), "running");
    play.wait(1);
    assert_eq!(play.word("ask"), "failed");

    let mut play = Play::start(vec![approval("ask", &[], 1), step("b", &["ask"])]);
    play.ask(pause(), None).unwrap();
    play.told();
    play.approve("ask", "ben");
    assert_eq!(play.told(), ["ben approves ask", "done ask"], "what waits for it is held");
}

#[test]
fn the_time_of_what_runs_runs_on_and_a_retry_waits_for_the_pause() {
    let retry = Retry { attempts: 3, delay: Duration::from_secs(60) };
    let mut play = Play::start(vec![PlannedStep { retry, ..step("a", &[]) }]);
    play.ask(pause(), None).unwrap();
    play.told();
    play.wait(600);
    assert_eq!(play.told(), ["fail a timeout, again at 660"]);
    play.wait(1000);
    assert_eq!(play.told(), Vec::<String>::new());
    play.ask(resume(), None).unwrap();
    assert_eq!(play.told(), ["ben lifts the pause", "start a #2 until 2200"]);
}

#[test]
fn what_was_interrupted_gets_the_time_back_that_it_was_held() {
    let mut play = Play::start(vec![step("a", &[]), step("b", &[])]);
    play.pass(100);
    play.ask(pause(), None).unwrap();
    play.pass(50);
    play.attach();
    assert_eq!(play.word("a"), "pending");
    play.pass(5000);
    play.told();
    play.ask(resume(), None).unwrap();
    assert_eq!(play.told(), ["ben lifts the pause", "start a #1 until 5650", "start b #1 until 5650"]);
}

#[test]
fn a_pause_holds_what_a_failure_would_undo_and_giving_up_lifts_it() {
    use lifeboat::runbook::OnFailure;
    let undoing = PlannedStep { on_failure: OnFailure::Undo, ..step("b", &["a"]) };
    let mut play = Play::start(vec![reversible("a", &[]), undoing]);
    play.change("a");
    play.ask(pause(), None).unwrap();
    play.told();
    play.fail("b", Disposition::Final);
    assert_eq!((play.told(), play.outcome()), (vec!["fail b broken".to_owned()], None));
    assert!(play.ask(pause(), None).unwrap_err().contains("paused the run already"));
    play.go_back();
    assert_eq!(play.told(), ["undo requested", "undo a"]);
    assert!(play.ask(pause(), None).unwrap_err().contains("way back"));
}

#[test]
fn a_step_that_failed_is_adopted_when_a_probe_agrees_and_the_run_goes_on() {
    let mut play = Play::start(vec![changing("flip", &[]), step("after", &["flip"])]);
    play.fail("flip", Disposition::Final);
    assert_eq!(play.outcome(), Some(Outcome::Failed));
    play.told();
    let refused = play.ask(adopt("flip"), Some(did_not_happen())).unwrap_err();
    assert!(refused.contains("is not done: it is as it was"), "{refused}");
    let refused = play.ask(adopt("flip"), Some(unknown())).unwrap_err();
    assert!(refused.contains("cannot be verified: no answer; look"), "{refused}");
    let refused = play.ask(adopt("flip"), Some(Verdict::GoesOn { operation: None })).unwrap_err();
    assert!(refused.contains("still changes in Azure"), "{refused}");
    assert_eq!(play.told(), Vec::<String>::new());
    play.ask(adopt("flip"), Some(happened())).unwrap();
    assert_eq!(play.told(), ["ann adopts flip"]);
    play.attach();
    assert_eq!(play.told(), ["attached 2", "start after #1 until 600"]);
}

#[test]
fn a_step_that_is_held_may_be_done_by_hand() {
    let mut play = Play::start(vec![step("a", &[]), changing("flip", &["a"]), step("after", &["flip"])]);
    play.ask(pause(), None).unwrap();
    let refused = play.ask(adopt("flip"), Some(happened())).unwrap_err();
    assert!(refused.contains("its turn") || refused.contains("it needs step `a`"), "{refused}");
    play.succeed("a");
    play.told();
    play.ask(adopt("flip"), Some(happened())).unwrap();
    assert_eq!(play.told(), ["ann adopts flip"], "and the pause still holds");
    play.ask(resume(), None).unwrap();
    assert_eq!(play.told(), ["ben lifts the pause", "start after #1 until 600"]);
}

#[test]
fn an_end_names_what_was_adopted_and_stays() {
    let mut play = Play::start(vec![reversible("a", &[]), reversible("flip", &["a"]), step("after", &["flip"])]);
    play.change("a");
    play.fail("flip", Disposition::Final);
    play.ask(adopt("flip"), Some(happened())).unwrap();
    play.attach();
    play.go_back();
    play.undone("a");
    let (outcome, reason, _) = play.state.stopped.clone().unwrap();
    assert_eq!((outcome, reason.as_str()), (Outcome::Undone, "enough; what was adopted stays: flip"));
}

#[test]
fn what_may_not_be_adopted_says_why() {
    let mut play = Play::start(vec![
        step("read", &[]),
        approval("ask", &[], 1),
        changing("sent", &[]),
        changing("done", &[]),
        changing("later", &["ask"]),
    ]);
    play.intend("sent");
    play.change("done");
    for (step, why) in [
        ("read", "only reads"),
        ("ask", "approve or reject it"),
        ("sent", "asked for the change of step `sent` itself"),
        ("done", "is done"),
        ("later", "it needs step `ask`"),
        ("nobody", "no step `nobody`"),
    ] {
        let refused = play.ask(adopt(step), Some(happened())).unwrap_err();
        assert!(refused.contains(why), "{step}: {refused}");
    }
}

#[test]
fn what_a_person_did_is_not_undone_and_what_the_run_did_of_it_is() {
    let mut play = Play::start(vec![reversible("a", &[]), reversible("b", &["a"]), step("hold", &["b"])]);
    play.fail("a", Disposition::Final);
    play.ask(adopt("a"), Some(happened())).unwrap();
    play.attach();
    play.intend("b");
    play.fail("b", Disposition::Final);
    play.ask(adopt("b"), Some(happened())).unwrap();
    play.told();
    play.go_back_by_another_process();
    assert_eq!(play.told(), ["attached 3", "undo requested", "undo b"]);
    play.undone("b");
    assert_eq!(play.outcome(), Some(Outcome::Undone));
    assert_eq!(play.word("a"), "succeeded", "no request of this run is in it");
}

/// A step whose request nobody can tell the end of; the run is stuck.
fn stuck() -> Play {
    let mut play = Play::start(vec![changing("post", &[]), step("after", &["post"])]);
    play.intend("post");
    play.fail("post", Disposition::InDoubt);
    play.find("post", unknown());
    assert_eq!(play.outcome(), Some(Outcome::Stuck));
    play.told();
    play
}

#[test]
fn a_person_answers_for_what_no_probe_can_tell() {
    let mut play = stuck();
    play.ask(settle("post", true), Some(unknown())).unwrap();
    assert_eq!(play.told(), ["settle post happened, says ann"]);
    play.attach();
    assert_eq!(play.told(), ["attached 2", "start after #1 until 600"]);

    let mut play = stuck();
    play.ask(settle("post", false), Some(unknown())).unwrap();
    assert_eq!(play.told(), ["settle post did not happen, says ann"]);
    play.attach();
    assert_eq!(play.told(), ["attached 2", "start post #1 until 600"], "it may be sent again");
}

#[test]
fn the_word_of_a_probe_wins() {
    let mut play = stuck();
    let goes_on = || Verdict::GoesOn { operation: None };
    for (word, seen, why) in [
        (true, did_not_happen(), "it did not happen: it is as it was"),
        (true, goes_on(), "it still goes on in Azure"),
        (false, happened(), "it happened"),
        (false, goes_on(), "it still goes on in Azure"),
    ] {
        let refused = play.ask(settle("post", word), Some(seen)).unwrap_err();
        assert!(refused.contains(why) && refused.contains("its word counts"), "{refused}");
    }
    assert_eq!(play.told(), Vec::<String>::new());
    // When both say the same, it is the probe's word that is written down.
    play.ask(settle("post", true), Some(happened())).unwrap();
    assert_eq!(play.told(), ["settle post happened"]);
    assert!(play.state.decided.is_empty());
}

#[test]
fn what_is_not_in_doubt_is_not_settled() {
    let mut play = Play::start(vec![changing("sent", &[]), step("read", &[])]);
    play.intend("sent");
    let refused = play.ask(settle("sent", true), Some(unknown())).unwrap_err();
    assert!(refused.contains("nobody has looked yet"), "{refused}");
    let refused = play.ask(settle("read", true), Some(unknown())).unwrap_err();
    assert!(refused.contains("is running, not in doubt"), "{refused}");
}

#[test]
fn outputs_that_later_steps_need_are_seen_or_given_and_else_refused_by_name() {
    let flip = PlannedStep { action: ActionKind::FlipCname, ..reversible("flip", &[]) };
    let arguments = [("duration".to_owned(), json!("${{ steps.flip.previous_ttl }}"))];
    let after = PlannedStep { arguments: Map::from_iter(arguments), ..step("after", &["flip"]) };
    let arguments = ["zone", "record", "target"].map(|name| {
        (
            name.to_owned(),
            json!(match name {
                "zone" => "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/dnsZones/contoso.com",
                "record" => "api",
                _ => "east.example.net",
            }),
        )
    });
    let flip = PlannedStep { arguments: Map::from_iter(arguments), ..flip };
    let mut play = Play::start(vec![flip, after]);
    play.intend("flip");
    play.fail("flip", Disposition::InDoubt);
    play.find("flip", unknown());
    let with = |outputs: Map<String, serde_json::Value>| {
        let (step, by, reason) = (StepId::new("flip"), person("ann"), "seen".to_owned());
        Request::Settle { step, by, reason, happened: true, outputs }
    };
    let refused = play.ask(with(Map::new()), Some(unknown())).unwrap_err();
    assert!(refused.contains("`previous_ttl` (for step `after`)") && refused.contains("--output-value"), "{refused}");
    let wrong = Map::from_iter([("colour".to_owned(), json!("red"))]);
    let refused = play.ask(with(wrong), Some(unknown())).unwrap_err();
    assert!(refused.contains("has no output `colour`; it has: "), "{refused}");
    let given = || Map::from_iter([("previous_ttl".to_owned(), json!("300s"))]);
    let other = Map::from_iter([("previous_ttl".to_owned(), json!("60s"))]);
    let refused = play.ask(with(given()), Some(Verdict::Happened { outputs: other })).unwrap_err();
    assert!(refused.contains("was seen to be \"60s\""), "{refused}");
    play.told();
    play.ask(with(given()), Some(unknown())).unwrap();
    let (_, event) = play.events.last().unwrap();
    let Event::StepSettled { word: Some(word), .. } = event else { panic!("{event:?}") };
    assert_eq!(word.given, ["previous_ttl"]);
    play.attach();
    let StepState::Running { attempt, .. } = &play.state.steps[1].state else { panic!("{}", play.word("after")) };
    assert_eq!(attempt.arguments["duration"], json!("300s"));
}

#[test]
fn a_person_answers_for_an_undo_that_is_stuck() {
    let stuck = || {
        let mut play = Play::start(vec![reversible("a", &[]), reversible("b", &["a"]), step("hold", &["b"])]);
        play.change("a");
        play.change("b");
        play.go_back();
        play.undo_fails("b");
        assert_eq!(play.outcome(), Some(Outcome::Stuck));
        play.told();
        play
    };
    let mut play = stuck();
    let refused = play.ask(settle("b", false), Some(unknown())).unwrap_err();
    assert!(refused.contains("is what the run says already"), "{refused}");
    let refused = play.ask(settle("b", true), Some(did_not_happen())).unwrap_err();
    assert!(refused.contains("it did not happen: it is as it was"), "{refused}");
    play.ask(settle("b", true), Some(unknown())).unwrap();
    assert_eq!(play.told(), ["undone b, says ann"]);
    play.attach();
    assert_eq!(play.tasks(), "undo a", "the way back goes on");
    play.undone("a");
    assert_eq!(play.outcome(), Some(Outcome::Undone));

    // A probe that sees it back is believed without anybody's word.
    let mut play = stuck();
    play.ask(settle("b", true), Some(happened())).unwrap();
    assert_eq!(play.told(), ["undone b"]);
}
