//! What people type beside a run: while its process drives, from another terminal, and when nobody drives it.

use std::time::{Duration, Instant};

use super::*;

/// What people wait for an effect; the answer comes once it is durable.
const SOON: Duration = Duration::from_secs(2);

fn typed(simulator: &Simulator, arguments: &[&str]) -> (i32, String) {
    let output = simulator.lifeboat(arguments).output().unwrap();
    (output.status.code().unwrap_or(-1), text(&output))
}

fn status(simulator: &Simulator, run: &str) -> Value {
    let output = simulator.lifeboat(&["status", run, "--output", "json"]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)))
}

fn state_of(simulator: &Simulator, run: &str, step: &str) -> String {
    state_word(simulator, run, step)
}

#[test]
fn a_run_is_paused_and_goes_on_from_another_terminal() {
    let simulator = Simulator::start(SPEED, None);
    let mut run = Watched::start(simulator.run("held"));
    assert!(run.until(&simulator, "held", "operation-accepted", "restore"), "{}", run.finish().2);
    let began = Instant::now();
    let (code, said) = typed(&simulator, &["pause", "held", "--reason", "the region may come back"]);
    assert_eq!(code, 0, "{said}");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    let (code, said) = typed(&simulator, &["pause", "held"]);
    assert!(code == 4 && said.contains("has paused the run already"), "{code}: {said}");
    assert_eq!(status(&simulator, "held")["paused"]["reason"], "the region may come back");
    let (_, shown) = typed(&simulator, &["status", "held"]);
    assert!(shown.contains("paused by ") && shown.contains("lifeboat resume held"), "{shown}");
    let (_, listed) = typed(&simulator, &["runs"]);
    assert!(listed.contains("paused"), "{listed}");

    assert!(run.until(&simulator, "held", "step-succeeded", "restore"), "{}", run.finish().2);
    let (code, said) = typed(&simulator, &["resume", "held"]);
    assert!(code == 0 && said.contains("the pause is lifted"), "{code}: {said}");
    assert!(run.until(&simulator, "held", "run-stopped", ""), "{}", run.finish().2);
    run.until(&simulator, "held", "nothing follows", "");
    let (code, seen, story) = run.finish();
    assert_eq!(code, 0, "{story}");
    let place = |kind: &str| seen.iter().position(|event| event["type"] == kind).unwrap();
    let held = &seen[place("paused")..place("pause-lifted")];
    assert!(held.iter().all(|event| event["type"] != "step-started"), "a step started under the pause");
    assert_moved_once(&simulator);
    // Nobody is held any more, so a second resume is what it always was.
    let (code, said) = typed(&simulator, &["resume", "held"]);
    assert!(code == 4 && said.contains("is over"), "{code}: {said}");
}

#[test]
fn a_living_run_that_is_not_paused_is_nobody_elses() {
    let simulator = Simulator::start(SPEED, None);
    let mut run = Watched::start(simulator.run("busy"));
    assert!(run.until(&simulator, "busy", "operation-accepted", "restore"), "{}", run.finish().2);
    let (code, said) = typed(&simulator, &["resume", "busy"]);
    assert_eq!(code, 4, "{said}");
    // What it has asked for itself is neither adopted nor settled by anybody.
    let (code, said) = typed(&simulator, &["adopt", "busy", "restore", "--reason", "by hand"]);
    assert!(code == 4 && said.contains("has asked for the change of step `restore` itself"), "{code}: {said}");
    let (code, said) = typed(&simulator, &["settle", "busy", "restore", "--happened", "--reason", "seen", "--yes"]);
    assert!(code == 4 && said.contains("nobody has looked yet"), "{code}: {said}");
    // An abort says what it leaves before it acts.
    let (code, said) = typed(&simulator, &["abort", "busy"]);
    assert_eq!(code, 0, "{said}");
    let (left, acted) = (said.find("What is left behind").unwrap(), said.find("it was asked for").unwrap());
    assert!(left < acted && said.contains("restore"), "{said}");
    assert!(run.until(&simulator, "busy", "run-stopped", ""), "{}", run.finish().2);
    run.kill();
}

/// Azure takes the flip and says that it does not.
const TAKEN: &str = "
faults:
  - on: { method: PUT, path: /CNAME/api? }
    times: 1
    do: { status: { code: 403, error_code: AuthorizationFailed, acted: true } }
";

#[test]
fn a_step_that_is_done_is_adopted_while_nobody_drives_and_the_run_goes_on() {
    let simulator = Simulator::start(SPEED, Some(TAKEN));
    let mut run = Watched::start(simulator.run("taken"));
    assert!(run.until(&simulator, "taken", "run-stopped", ""), "{}", run.finish().2);
    run.until(&simulator, "taken", "nothing follows", "");
    let (code, _, story) = run.finish();
    assert_eq!(code, 1, "{story}");
    assert_eq!(state_of(&simulator, "taken", "flip"), "failed");

    let (code, said) = typed(&simulator, &["adopt", "taken", "propagated", "--reason", "x"]);
    assert!(code == 4 && said.contains("only reads"), "{code}: {said}");
    let (code, said) = typed(&simulator, &["settle", "taken", "flip", "--happened", "--reason", "seen", "--yes"]);
    assert!(code == 4 && said.contains("not in doubt"), "{code}: {said}");
    let (code, said) = typed(&simulator, &["settle", "taken", "flip", "--happened", "--reason", "seen"]);
    assert!(code == 4 && said.contains("nobody can be asked"), "{code}: {said}");
    let (code, said) = typed(&simulator, &["settle", "taken", "flip", "--reason", "seen"]);
    assert_eq!(code, 2, "{said}");
    let (code, said) = typed(&simulator, &["pause", "taken", "--reason", "wait for the bridge call"]);
    assert!(code == 0 && said.contains("nobody drives it now"), "{code}: {said}");

    let (code, said) = typed(&simulator, &["adopt", "taken", "flip", "--reason", "seen in the portal"]);
    assert!(code == 0 && said.contains("adopted: step flip") && said.contains("resume taken"), "{code}: {said}");
    assert_eq!(state_of(&simulator, "taken", "flip"), "succeeded");
    let overrides = status(&simulator, "taken")["overrides"].clone();
    assert_eq!((&overrides[0]["kind"], &overrides[0]["reason"]), (&"adopted".into(), &"seen in the portal".into()));

    // Resuming lifts the pause too.
    let mut run = Watched::start(simulator.lifeboat(&["resume", "taken", "--yes", "--output", "json"]));
    assert!(run.until(&simulator, "taken", "run-stopped", ""), "{}", run.finish().2);
    run.until(&simulator, "taken", "nothing follows", "");
    let (code, seen, story) = run.finish();
    assert_eq!(code, 0, "{story}");
    assert!(seen.iter().any(|event| event["type"] == "pause-lifted"), "{story}");
    assert!(story.contains("done by hand"), "{story}");
    let verified = simulator.lifeboat(&["verify", "taken"]).output().unwrap();
    assert!(verified.status.success(), "{}", text(&verified));
}

/// A program that runs for long; what it did nobody can tell from outside.
const PROGRAM: &str = "
version: 1
name: program
steps:
  - id: program
    timeout: 6h
    do: { command: { argv: [sleep, '60'] } }
  - id: after
    needs: [program]
    when: '${{ steps.program.exit_code == 0 }}'
    do: { wait: { duration: 1s } }
";

#[test]
fn what_no_probe_can_tell_is_settled_by_a_person_and_the_run_goes_on() {
    let simulator = Simulator::start(SPEED, None);
    let runbook = simulator.path("program.yaml");
    std::fs::write(&runbook, PROGRAM).unwrap();
    let runbook = runbook.display().to_string();
    let mut command = simulator.lifeboat(&["run", &runbook, "--mode", "unplanned", "--yes", "--run-id", "doubt"]);
    command.args(["--output", "json"]).arg("--site").arg(simulator.path("site.yaml"));
    let mut first = Watched::start(command);
    assert!(first.until(&simulator, "doubt", "change-intended", "program"), "{}", first.finish().2);
    first.kill();
    let resumed = simulator.lifeboat(&["resume", "doubt"]).output().unwrap();
    assert_eq!(resumed.status.code(), Some(5), "{}", text(&resumed));
    assert!(text(&resumed).contains("lifeboat settle doubt program --happened"), "{}", text(&resumed));

    let happened = ["settle", "doubt", "program", "--happened", "--reason", "its log says so"];
    let (code, said) = typed(&simulator, &[&happened[..], &["--yes"]].concat());
    assert!(code == 4 && said.contains("`exit_code` (for step `after`)"), "{code}: {said}");
    let (code, said) = typed(&simulator, &[&happened[..], &["--yes", "--output-value", "exit_code=0"]].concat());
    assert!(code == 0 && said.contains("settled: step program of run doubt happened"), "{code}: {said}");
    let (_, shown) = typed(&simulator, &["status", "doubt"]);
    assert!(shown.contains("a person's word, which no probe could check"), "{shown}");
    let resumed = simulator.lifeboat(&["resume", "doubt"]).output().unwrap();
    assert_eq!(resumed.status.code(), Some(0), "{}", text(&resumed));
    assert_eq!(state_of(&simulator, "doubt", "after"), "succeeded");
}
