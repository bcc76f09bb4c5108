//! `lifeboat schedule` as a process of its own.

use std::process::Command;

use crate::{
    harness::FLAGSHIP,
    process::{SPEED, Simulator, output, text},
};

fn schedule(simulator: &Simulator, job: &str, more: &[&str]) -> Command {
    let path = simulator.path("schedule.yaml");
    std::fs::write(&path, format!("version: 1\njobs:\n- {job}\n")).unwrap();
    let mut command = simulator.lifeboat(&["schedule", path.to_str().unwrap()]);
    command.args(more).arg("--site").arg(simulator.path("site.yaml"));
    command
}

#[test]
fn a_drill_that_is_due_runs_once_and_ends_as_a_drill() {
    let scenario = "restore_duration: 4m\nregion: alive\n";
    let simulator = Simulator::start(SPEED, Some(scenario));
    let job = format!("{{ id: often, cron: \"0 * * * *\", window: 2h, do: {{ drill: {{ runbook: {FLAGSHIP} }} }} }}");
    let first = output(&mut schedule(&simulator, &job, &["--once"]));
    assert_eq!(first.status.code(), Some(0), "{}", text(&first));
    assert!(text(&first).contains("often: ended with exit code 0"), "{}", text(&first));
    assert_eq!(simulator.count("POST", "/restore?"), 1);
    let runs: Vec<String> = std::fs::read_dir(simulator.path("state/runs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(runs.len() == 1 && runs[0].starts_with("often-20"), "{runs:?}");
    // Another scheduler, a moment later.
    let again = output(&mut schedule(&simulator, &job, &["--once"]));
    let taken = text(&again).contains("another scheduler has it");
    assert!(taken || text(&again).contains("started"), "{}", text(&again));
    assert_eq!(simulator.count("POST", "/restore?"), if taken { 1 } else { 2 }, "a new hour began");
}

#[test]
fn what_is_wrong_is_told_before_anything_waits() {
    let simulator = Simulator::start(SPEED, None);
    let wrong = output(&mut schedule(&simulator, "{ id: A, cron: nightly, do: {} }", &[]));
    assert_eq!(wrong.status.code(), Some(3), "{}", text(&wrong));
    for part in ["schedule.yaml:3:9", "schedule.yaml:3:18", "schedule.yaml:3:31"] {
        assert!(text(&wrong).contains(part), "{part}: {}", text(&wrong));
    }
    let job = "{ id: a, cron: \"0 3 * * *\", do: { drill: { runbook: no-such.yaml } } }";
    let missing = output(&mut schedule(&simulator, job, &[]));
    assert!(missing.status.code() != Some(0) && text(&missing).contains("no-such.yaml"), "{}", text(&missing));
    let listed = output(&mut schedule(&simulator, job, &["--list", "3", "--output", "json"]));
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["occurrences"].as_array().unwrap().len(), 3);
}

/// Stopped while it drills: the drill writes it down and is gone on with, and nobody is left running.
#[cfg(unix)]
#[test]
fn a_signal_stops_what_it_started_too() {
    use std::io::BufRead;
    let simulator = Simulator::start(60, None);
    let job = format!("{{ id: long, cron: \"0 * * * *\", window: 2h, do: {{ drill: {{ runbook: {FLAGSHIP} }} }} }}");
    let mut child = schedule(&simulator, &job, &[]).spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
    let restoring =
        lines.by_ref().map_while(Result::ok).any(|line| line.contains("restore") && line.contains("accepted"));
    assert!(restoring, "the drill never got to its restore");
    crate::process::signal(&child, rustix::process::Signal::TERM);
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest:#?}");
    assert!(rest.iter().any(|line| line.contains("long: ended with exit code 6")), "{rest:#?}");
}
