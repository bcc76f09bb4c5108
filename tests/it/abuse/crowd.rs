//! Many processes on one directory at the same time.

use std::process::{Child, Command, Output};

use super::quick;
use crate::process::{Simulator, Watchdog, Watched, assert_moved_once, output, text};

/// Starts all of them before it waits for any.
fn at_once(commands: Vec<Command>) -> Vec<Output> {
    let children: Vec<Child> = commands.into_iter().map(|mut command| command.spawn().unwrap()).collect();
    let children: Vec<_> = children.into_iter().map(|child| (Watchdog::over(&child), child)).collect();
    children.into_iter().map(|(_watchdog, child)| child.wait_with_output().unwrap()).collect()
}

fn codes(outputs: &[Output]) -> Vec<i32> {
    let mut codes: Vec<i32> = outputs.iter().map(|output| output.status.code().unwrap_or(-1)).collect();
    codes.sort_unstable();
    codes
}

fn all(outputs: &[Output]) -> String {
    outputs.iter().map(|output| format!("exit {:?}\n{}\n", output.status.code(), text(output))).collect()
}

fn verify(simulator: &Simulator, run: &str) {
    let verified = output(&mut simulator.lifeboat(&["verify", run]));
    assert!(verified.status.success(), "{}", text(&verified));
}

#[test]
fn of_four_runs_with_one_name_one_is_begun() {
    let (simulator, runbook) = quick();
    let outputs = at_once((0..4).map(|_| simulator.run_of(&runbook, "same")).collect());
    assert_eq!(codes(&outputs), [0, 4, 4, 4], "{}", all(&outputs));
    for refused in outputs.iter().filter(|output| output.status.code() == Some(4)) {
        // Somebody was quicker, and has perhaps not written its plan down yet.
        assert!(text(refused).contains("`same`") && text(refused).contains("next: "), "no remedy: {}", text(refused));
    }
    assert_moved_once(&simulator);
    verify(&simulator, "same");
}

#[test]
fn of_four_runs_on_one_service_one_is_begun() {
    let (simulator, runbook) = quick();
    let outputs = at_once((0..4).map(|number| simulator.run_of(&runbook, &format!("r{number}"))).collect());
    // One that planned last may find the service restored already, and a restore needs a reason to be repeated: it is
    // refused all the same, or it has nothing left to take and does its own.
    let done = outputs.iter().filter(|output| output.status.code() == Some(0)).count();
    let refused = outputs.iter().filter(|output| output.status.code() == Some(4)).count();
    assert_eq!((done, refused), (1, 3), "{}", all(&outputs));
    assert_moved_once(&simulator);
}

#[test]
fn of_four_who_resume_one_drives() {
    let (simulator, runbook) = quick();
    let mut first = Watched::start(simulator.run_of(&runbook, "left"));
    assert!(first.until(&simulator, "left", "change-intended", "restore"));
    first.kill();
    let outputs = at_once((0..4).map(|_| simulator.lifeboat(&["resume", "left", "--yes"])).collect());
    assert_eq!(codes(&outputs), [0, 4, 4, 4], "{}", all(&outputs));
    for refused in outputs.iter().filter(|output| output.status.code() == Some(4)) {
        // Late ones find it over.
        let told = text(refused);
        assert!(told.contains("being driven by") || told.contains("is over"), "{told}");
        assert!(told.contains("next: "), "no remedy: {told}");
    }
    assert_moved_once(&simulator);
    verify(&simulator, "left");
}

#[test]
fn run_resume_abort_and_approve_at_once_leave_one_story() {
    let (simulator, runbook) = quick();
    let mut first = Watched::start(simulator.run_of(&runbook, "crowded"));
    assert!(first.until(&simulator, "crowded", "operation-accepted", "restore"));
    let verbs: [&[&str]; 6] = [
        &["resume", "crowded"],
        &["approve", "crowded", "flip"],
        &["abort", "crowded", "--reason", "first"],
        &["abort", "crowded", "--reason", "second"],
        &["resume", "crowded"],
        &["skip", "crowded", "find", "--reason", "no"],
    ];
    let mut commands: Vec<Command> = verbs.iter().map(|verb| simulator.lifeboat(verb)).collect();
    commands.push(simulator.run_of(&runbook, "crowded"));
    commands.push(simulator.run_of(&runbook, "beside"));
    let outputs = at_once(commands);
    first.until(&simulator, "crowded", "nothing follows", "");
    let (code, seen, story) = first.finish();
    assert_eq!((code, seen.last().unwrap()["outcome"].as_str()), (0, Some("aborted")), "{story}");
    // Whoever came late found nobody who drives and a run that is over. Nobody else was obeyed.
    for (place, output) in outputs.iter().enumerate() {
        let abort = place == 2 || place == 3;
        let code = output.status.code();
        assert!(code == Some(4) || abort && code == Some(0), "{place}: {}", all(&outputs));
        assert!(code == Some(0) || text(output).contains("next: "), "{place}, no remedy: {}", text(output));
    }
    assert!(outputs[2..4].iter().any(|output| output.status.success()), "{}", all(&outputs));
    assert_eq!(simulator.count("POST", "/restore?"), 1);
    assert_eq!(simulator.count("PUT", "/CNAME/api?"), 0, "nothing is started beside an abort");
    verify(&simulator, "crowded");
}
