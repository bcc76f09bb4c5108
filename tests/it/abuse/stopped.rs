//! SIGSTOP for longer than the heartbeat, a take-over by another process, SIGCONT: the one that wakes starts nothing
//! more, says who took over, and leaves.

use rustix::process::Signal;
use serde_json::Value;

use super::{SHORT, attempts, resumes};
use crate::process::{Simulator, Watched, assert_moved_once, output, signal, text};

/// Simulated seconds in a real one: slow, for after a take-over nothing in doubt is judged for some time of the machine's
/// own.
const SPEED: u32 = 5;

/// A restore takes twenty seconds, and is looked at every two.
const SLOW: &str = "restore_duration: 100s\nretry_after: real\n";

/// So that a run is not over as soon as its last change is done.
const LINGER: &str = "- { id: linger, needs: [flip], do: { wait: { duration: 75s } } }\n";

/// When the process that was stopped wakes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wakes {
    /// It was never stopped.
    AtOnce,
    /// As soon as another one drives: long before its own entitlement has run out.
    WhenTakenOver,
    /// When the other one has judged what was in doubt, after everybody's entitlement.
    WhenSettled,
    /// When everything is done.
    WhenDone,
}

/// After which event the first is stopped. Not right after it announced its restore: nobody can tell then by whom a
/// restore was begun that is over before anything in doubt is judged. `store/fencing.rs` has that on a paused clock.
const MOMENTS: [(&str, &str); 2] = [("operation-accepted", "restore"), ("change-intended", "flip")];

#[test]
fn a_process_that_was_taken_over_while_it_slept_starts_nothing_more() {
    std::thread::scope(|scope| {
        for moment in MOMENTS {
            for wakes in [Wakes::WhenTakenOver, Wakes::WhenSettled, Wakes::WhenDone] {
                scope.spawn(move || take_over(moment, wakes));
            }
        }
        scope.spawn(|| take_over(MOMENTS[0], Wakes::AtOnce));
    });
}

fn take_over((kind, step): (&str, &str), wakes: Wakes) {
    let simulator = Simulator::start(SPEED, Some(SLOW));
    let runbook = simulator.path("short.yaml");
    std::fs::write(&runbook, format!("{SHORT}{LINGER}")).unwrap();
    let mut first = Watched::start(simulator.run_of(runbook.to_str().unwrap(), "shared"));
    assert!(first.until(&simulator, "shared", kind, step), "{}", first.finish().2);
    if wakes != Wakes::AtOnce {
        signal(&first.child, Signal::STOP);
        let refused = output(&mut simulator.lifeboat(&["resume", "shared"]));
        assert_eq!(refused.status.code(), Some(4), "{}", text(&refused));
        assert!(text(&refused).contains("--take-over --reason"), "no remedy: {}", text(&refused));
    }
    let mut verb = simulator.lifeboat(&["resume", "shared", "--yes", "--take-over", "--reason", "the laptop sleeps"]);
    verb.args(["--output", "json"]);
    let mut second = Watched::start(verb);
    assert!(second.until(&simulator, "shared", "driver-attached", ""), "{}", second.finish().2);
    if wakes == Wakes::WhenTakenOver {
        signal(&first.child, Signal::CONT);
    }
    if wakes == Wakes::WhenSettled {
        // There is nothing to settle when the change was done before the first was stopped.
        second.until(&simulator, "shared", "step-settled", step);
        signal(&first.child, Signal::CONT);
    }
    second.until(&simulator, "shared", "nothing follows", "");
    let (code, seen, story) = second.finish();
    let last = seen.last().unwrap()["outcome"].clone();
    let late = code == 1 && story.contains("its deadline passed");
    assert!(late || (code == 0 && last == "succeeded"), "{wakes:?}, {code}, {last}: {story}");
    if late {
        // The wait was longer than the step's timeout, which simulated time makes short.
        resumes(&simulator, "shared");
    }
    assert_eq!(seen[0]["take_over"]["reason"], "the laptop sleeps", "{}", seen[0]);
    if wakes == Wakes::WhenDone {
        signal(&first.child, Signal::CONT);
    }
    let before = first.seen.len();
    first.until(&simulator, "shared", "nothing follows", "");
    let (code, events, story) = first.finish();
    assert_eq!(code, 4, "{wakes:?}: {story}");
    assert!(story.contains("taken over by"), "it must say who: {story}");
    assert!(story.contains("next: lifeboat status shared") || story.contains("`lifeboat status shared`"), "{story}");
    // Told late, or not at all: what it had announced before. Nothing that it began afterwards.
    let begins = |event: &&Value| event["type"] == "step-started" || event["type"] == "change-intended";
    let begun: Vec<&Value> = events[before..].iter().filter(begins).collect();
    if wakes != Wakes::AtOnce {
        assert_eq!(begun, Vec::<&Value>::new(), "{wakes:?}: it went on");
    }
    assert_moved_once(&simulator);
    assert_eq!(attempts(&simulator, "POST", "/restore?"), 1, "{wakes:?}");
    let verified = output(&mut simulator.lifeboat(&["verify", "shared"]));
    assert!(verified.status.success(), "{}", text(&verified));
}
