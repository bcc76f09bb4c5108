//! `lifeboat schedule` as a process of its own.

use std::{
    io::BufRead,
    process::{Child, Command, Output},
};

use serde_json::Value;

use crate::{
    harness::{FLAGSHIP, QUICK, RESTORE_FAILS},
    process::{SPEED, Simulator, Watchdog, output, text},
};

fn schedule(simulator: &Simulator, job: &str, more: &[&str]) -> Command {
    let path = simulator.path("schedule.yaml");
    std::fs::write(&path, format!("version: 1\njobs:\n- {job}\n")).unwrap();
    let mut command = simulator.lifeboat(&["schedule", path.to_str().unwrap()]);
    command.args(more).arg("--site").arg(simulator.path("site.yaml"));
    command
}

/// Due once a year, for a year: at every moment of this test the same occurrence is.
fn yearly(id: &str, work: &str) -> String {
    format!("{{ id: {id}, cron: \"0 0 1 1 *\", window: 366d, do: {{ {work} }} }}")
}

fn drill() -> String {
    format!("drill: {{ runbook: {FLAGSHIP} }}")
}

/// What the scheduler told as JSON Lines, each with its `told`.
fn told(output: &Output) -> Vec<Value> {
    let lines = std::str::from_utf8(&output.stdout).unwrap().lines();
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn words(told: &[Value]) -> Vec<&str> {
    told.iter().map(|line| line["told"].as_str().unwrap()).collect()
}

fn run_of_year(id: &str, told: &Value) -> String {
    format!("{id}-{}0101T000000Z", &told["occurrence"]["at"].as_str().unwrap()[..4])
}

#[test]
fn a_drill_that_is_due_runs_once_and_ends_as_a_drill() {
    let simulator = Simulator::start(SPEED, Some(QUICK));
    let job = yearly("often", &drill());
    let first = output(&mut schedule(&simulator, &job, &["--once", "--output", "json"]));
    assert_eq!(first.status.code(), Some(0), "{}", text(&first));
    let told = told(&first);
    assert_eq!(words(&told), ["started", "ended"], "{}", text(&first));
    assert_eq!((&told[1]["v"], &told[1]["exit"], &told[1]["job"]), (&1.into(), &0.into(), &"often".into()));
    assert_eq!(simulator.count("POST", "/restore?"), 1);
    let runs: Vec<String> = std::fs::read_dir(simulator.path("state/runs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(runs, [run_of_year("often", &told[0])]);
    // Another scheduler, a moment later.
    let again = output(&mut schedule(&simulator, &job, &["--once"]));
    assert!(again.status.code() == Some(0) && text(&again).contains("nothing is due"), "{}", text(&again));
    assert_eq!(simulator.count("POST", "/restore?"), 1, "it was claimed");
}

/// What a job says of itself stays, and a run that is not over is named until somebody ends it.
#[test]
fn a_job_that_fails_leaves_its_own_exit_code_and_its_run_is_named_on_each_look() {
    let simulator = Simulator::start(SPEED, Some(&format!("{QUICK}{RESTORE_FAILS}")));
    let job = yearly("broken", &drill());
    let once = || output(&mut schedule(&simulator, &job, &["--once", "--output", "json"]));
    let (first, again) = (once(), once());
    assert_eq!(first.status.code(), Some(1), "{}", text(&first));
    assert_eq!(words(&told(&first)), ["started", "ended", "open"]);
    assert_eq!(again.status.code(), Some(1), "{}", text(&again));
    let open = told(&again);
    let run = run_of_year("broken", &open[0]);
    assert_eq!((words(&open), &open[0]["outcome"]), (vec!["open"], &"failed".into()));
    let next = open[0]["next"].to_string();
    assert!(next.contains(&format!("lifeboat abort {run} --undo --yes")), "{next}");
    assert!(next.contains(&format!("lifeboat resume {run} --yes")), "{next}");
    let aborted = output(&mut simulator.lifeboat(&["abort", &run, "--undo", "--yes"]));
    assert_eq!(aborted.status.code(), Some(0), "{}", text(&aborted));
    let after = once();
    assert_eq!((after.status.code(), told(&after)), (Some(0), vec![]), "{}", text(&after));
}

/// The drill's disk was full, or a newer version wrote it: its job and the others go on, and each look names it.
#[test]
fn a_journal_that_cannot_be_read_is_named_and_stops_no_job() {
    let simulator = Simulator::start(SPEED, Some(&format!("{QUICK}{RESTORE_FAILS}")));
    let broken = yearly("broken", &drill());
    let first = output(&mut schedule(&simulator, &broken, &["--once", "--output", "json"]));
    let run = run_of_year("broken", &told(&first)[0]);
    let journal = simulator.path(&format!("state/runs/{run}/journal.jsonl"));
    let lines = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, lines.replacen("\"seq\":2", "\"seq\":7", 1)).unwrap();
    let backup = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/apim-backup.yaml");
    let both = format!("{broken}\n- {}", yearly("nightly", &format!("backup: {{ runbook: {backup} }}")));
    let next = output(&mut schedule(&simulator, &both, &["--once", "--output", "json"]));
    let told = told(&next);
    assert_eq!(words(&told)[..3], ["open", "started", "ended"], "{}", text(&next));
    assert!(told[0]["why"].as_str().unwrap().contains("line 3 is damaged"), "{}", told[0]);
    // Its backup is taken; nothing is pruned while nobody knows what another run needs.
    assert_eq!(told[1]["job"], "nightly");
    assert_eq!(simulator.count("POST", "/backup?"), 1);
}

/// What a scheduler types: a pause that came meanwhile stays.
#[test]
fn a_run_that_somebody_paused_is_not_resumed_by_a_scheduler() {
    let simulator = Simulator::start(SPEED, Some(&format!("{QUICK}{RESTORE_FAILS}")));
    let site = simulator.path("site.yaml");
    let mut drill = simulator.lifeboat(&["drill", FLAGSHIP, "--yes", "--run-id", "held"]);
    assert_eq!(output(drill.arg("--site").arg(site)).status.code(), Some(1));
    let paused = output(&mut simulator.lifeboat(&["pause", "held", "--reason", "look first"]));
    assert_eq!(paused.status.code(), Some(0), "{}", text(&paused));
    let refused = output(&mut simulator.lifeboat(&["resume", "held", "--yes", "--unless-paused"]));
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused));
    let status = text(&output(&mut simulator.lifeboat(&["status", "held", "--output", "json"])));
    assert!(status.contains("look first"), "{status}");
}

#[test]
fn a_backup_job_does_nothing_but_take_backups() {
    let simulator = Simulator::start(SPEED, Some(QUICK));
    let of = |runbook: &str| yearly("nightly", &format!("backup: {{ runbook: {runbook} }}"));
    let refused = output(&mut schedule(&simulator, &of(FLAGSHIP), &["--once"]));
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(text(&refused).contains("job `nightly` is a backup, and step `lower-ttl`"), "{}", text(&refused));
    let reads = simulator.path("reads.yaml");
    std::fs::write(&reads, "version: 1\nname: reads\nsteps:\n- { id: a, do: { wait: { duration: 1s } } }\n").unwrap();
    let refused = output(&mut schedule(&simulator, &of(reads.to_str().unwrap()), &["--once"]));
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(text(&refused).contains("takes one"), "{}", text(&refused));
    assert!(!simulator.path("state/runs").exists() && simulator.count("PUT", "") == 0);
    let backup = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/apim-backup.yaml");
    let done = output(&mut schedule(&simulator, &of(backup), &["--once"]));
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    assert_eq!(simulator.count("POST", "/backup?"), 1);
}

/// Both die: the scheduler and the drill that it started. The next scheduler goes on with it.
#[cfg(unix)]
#[test]
fn a_drill_that_died_with_its_scheduler_goes_on_with_the_next_one() {
    let simulator = Simulator::start(60, Some(QUICK));
    let job = yearly("lost", &drill());
    let mut child = schedule(&simulator, &job, &[]).spawn().unwrap();
    let _watchdog = Watchdog::over(&child);
    assert!(said(&mut child, &["restore", "accepted"]), "the drill never got to its restore");
    let claim = std::fs::read_dir(simulator.path("state/runs")).unwrap().next().unwrap().unwrap().path();
    let driver: Value = serde_json::from_slice(&std::fs::read(claim.join("drivers/000001.json")).unwrap()).unwrap();
    let drill = rustix::process::Pid::from_raw(driver["pid"].as_i64().unwrap().try_into().unwrap()).unwrap();
    crate::process::signal(&child, rustix::process::Signal::KILL);
    rustix::process::kill_process(drill, rustix::process::Signal::KILL).unwrap();
    child.wait().unwrap();
    let next = output(&mut schedule(&simulator, &job, &["--once", "--output", "json"]));
    assert_eq!(next.status.code(), Some(0), "{}", text(&next));
    assert_eq!(words(&told(&next)), ["resumed", "ended"], "{}", text(&next));
    assert_eq!(simulator.count("POST", "/restore?"), 1, "it was attached to again");
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

/// Whether a line with all of these is said before it ends.
fn said(child: &mut Child, parts: &[&str]) -> bool {
    let lines = std::io::BufReader::new(child.stderr.as_mut().unwrap()).lines();
    lines.map_while(Result::ok).any(|line| parts.iter().all(|part| line.contains(part)))
}

/// Stopped while it drills: the drill writes it down, nobody is left running, and the next scheduler goes on with it.
#[cfg(unix)]
#[test]
fn a_signal_stops_what_it_started_too() {
    let simulator = Simulator::start(60, Some(QUICK));
    let job = yearly("long", &drill());
    let mut child = schedule(&simulator, &job, &["--output", "json"]).spawn().unwrap();
    let _watchdog = Watchdog::over(&child);
    assert!(said(&mut child, &["restore", "accepted"]), "the drill never got to its restore");
    crate::process::signal(&child, rustix::process::Signal::TERM);
    let stopped = child.wait_with_output().unwrap();
    assert_eq!(stopped.status.code(), Some(0), "{}", text(&stopped));
    let told_then = told(&stopped);
    assert_eq!(words(&told_then), ["started", "ended", "open"]);
    assert_eq!((&told_then[1]["exit"], &told_then[2]["outcome"]), (&6.into(), &"interrupted".into()));
    let next = output(&mut schedule(&simulator, &job, &["--once", "--output", "json"]));
    assert_eq!((next.status.code(), words(&told(&next))), (Some(0), vec!["resumed", "ended"]), "{}", text(&next));
    assert_eq!(simulator.count("POST", "/restore?"), 1, "it was attached to again");
}
