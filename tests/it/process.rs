//! The real program as a process, with real signals and real files, against `lifeboat sim` as another process.

mod people;
mod plans;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    time::Duration,
};

use serde_json::Value;

use crate::harness::FLAGSHIP;

/// A restore of 45 minutes takes 23 seconds; a slow machine still answers within every timeout of the flagship.
pub const SPEED: u32 = 120;

pub const LIFEBOAT: &str = env!("CARGO_BIN_EXE_lifeboat");

/// Nothing here takes longer than a minute, on a slow machine two. What does hangs, and is killed, so that
/// the test ends and tells of it.
const PATIENCE: Duration = Duration::from_secs(180);

/// Kills a process that hangs. Calm as soon as it is dropped.
pub struct Watchdog {
    _calm: Sender<()>,
}

impl Watchdog {
    pub fn over(child: &Child) -> Self {
        let (calm, dropped) = channel::<()>();
        let pid = child.id();
        std::thread::spawn(move || {
            if dropped.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                eprintln!("process {pid} hangs: nothing came of it for {PATIENCE:?}; it is killed");
                let _gone = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
            }
        });
        Self { _calm: calm }
    }
}

/// What a command that ends by itself prints; one that does not is killed.
pub fn output(command: &mut Command) -> Output {
    let child = command.spawn().unwrap();
    let _watchdog = Watchdog::over(&child);
    child.wait_with_output().unwrap()
}

/// `lifeboat sim`, killed when the test is over.
pub struct Simulator {
    child: Child,
    directory: tempfile::TempDir,
}

impl Simulator {
    /// `speed`: simulated seconds in a real one.
    pub fn start(speed: u32, scenario: Option<&str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(LIFEBOAT);
        command.args(["sim", "--speed", &speed.to_string()]);
        // Whoever has it set keeps runs there, and the simulator writes nothing into it.
        command.env("LIFEBOAT_STATE", directory.path().join("state"));
        command.arg("--site-out").arg(directory.path().join("site.yaml"));
        command.arg("--request-log").arg(directory.path().join("requests.jsonl"));
        if let Some(text) = scenario {
            let path = directory.path().join("scenario.yaml");
            std::fs::write(&path, text).unwrap();
            command.arg("--scenario").arg(path);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // It prints its addresses when everything listens.
        let mut first = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        assert!(!first.is_empty(), "the simulator did not start");
        Self { child, directory }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// How often a request was sent and answered with success.
    pub fn count(&self, method: &str, part: &str) -> usize {
        let log = std::fs::read_to_string(self.path("requests.jsonl")).unwrap();
        log.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|request| request["method"] == method && request["url"].as_str().unwrap().contains(part))
            .filter(|request| request["status"].as_u64().is_some_and(|status| status < 300))
            .count()
    }

    pub fn lifeboat(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(LIFEBOAT);
        command.args(arguments).arg("--state").arg(self.path("state"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, run: &str) -> Command {
        self.run_of(FLAGSHIP, run)
    }

    pub fn run_of(&self, runbook: &str, run: &str) -> Command {
        let site = self.path("site.yaml");
        let mut command = self.lifeboat(&["run", runbook, "--mode", "unplanned", "--yes", "--run-id", run]);
        command.args(["--output", "json"]).arg("--site").arg(site);
        command
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A driving process whose events are read as they come.
pub struct Watched {
    pub child: Child,
    events: std::io::Lines<BufReader<ChildStdout>>,
    pub seen: Vec<Value>,
    _watchdog: Watchdog,
}

impl Watched {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let watchdog = Watchdog::over(&child);
        let events = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, events, seen: Vec::new(), _watchdog: watchdog }
    }

    /// The next event, when there is one; nobody approves anything.
    pub fn plain_next(&mut self) -> Option<Value> {
        let line = self.events.next()?.ok()?;
        let event = serde_json::from_str::<Value>(&line).unwrap()["event"].clone();
        self.seen.push(event.clone());
        Some(event)
    }

    /// The next event, when there is one; approves what waits for it.
    pub fn next(&mut self, simulator: &Simulator, run: &str) -> Option<Value> {
        let event = self.plain_next()?;
        if event["type"] == "step-started" && event["step"] == "approve" {
            approve(simulator, run);
        }
        Some(event)
    }

    /// Reads on until the event of that type for that step; approves what waits for it on the way.
    pub fn until(&mut self, simulator: &Simulator, run: &str, kind: &str, step: &str) -> bool {
        while let Some(event) = self.next(simulator, run) {
            if event["type"] == kind && (step.is_empty() || event["step"] == step) {
                return true;
            }
        }
        false
    }

    /// Exit code, events and story of a process that ends by itself.
    pub fn finish(mut self) -> (i32, Vec<Value>, String) {
        let output = {
            let mut stderr = String::new();
            std::io::Read::read_to_string(self.child.stderr.as_mut().unwrap(), &mut stderr).unwrap();
            stderr
        };
        let status = self.child.wait().unwrap();
        (status.code().unwrap_or(-1), std::mem::take(&mut self.seen), output)
    }

    pub fn kill(mut self) {
        // SIGKILL: no handler runs.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

pub fn approve(simulator: &Simulator, run: &str) {
    // Never the person who started the run.
    let output =
        output(simulator.lifeboat(&["approve", run, "approve", "--comment", "go"]).env("USER", "the-approver"));
    assert!(output.status.success(), "{}", text(&output));
}

pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

pub fn assert_moved_once(simulator: &Simulator) {
    assert_eq!(simulator.count("POST", "/restore?"), 1, "restore POSTs");
    assert_eq!(simulator.count("PUT", "/CNAME/api?"), 1, "record PUTs");
}

/// Where the first process is killed: the event after which it dies.
const MOMENTS: [(&str, &str); 5] = [
    ("step-started", "restore"),
    ("change-intended", "restore"),
    ("operation-accepted", "restore"),
    ("step-succeeded", "gateway-healthy"),
    ("change-intended", "flip"),
];

#[test]
fn killed_at_five_moments_it_resumes_with_each_effect_once() {
    std::thread::scope(|scope| {
        for (number, (kind, step)) in MOMENTS.into_iter().enumerate() {
            scope.spawn(move || {
                let simulator = Simulator::start(SPEED, None);
                let run = format!("kill-{number}");
                let mut first = Watched::start(simulator.run(&run));
                assert!(first.until(&simulator, &run, kind, step), "{kind} {step} never came: {}", first.finish().2);
                first.kill();

                // Killed while it asked: the answer goes straight into the journal, since nobody drives the run.
                if state_word(&simulator, &run, "approve") == "asking" {
                    approve(&simulator, &run);
                }
                let mut second = Watched::start(simulator.lifeboat(&["resume", &run, "--yes", "--output", "json"]));
                assert!(second.until(&simulator, &run, "run-stopped", ""), "{}", second.finish().2);
                second.until(&simulator, &run, "nothing follows", "");
                let (code, seen, story) = second.finish();
                let last = seen.last().unwrap();
                assert_eq!(last["outcome"], "succeeded", "killed after {kind} {step}: {last}\n{story}");
                assert_eq!(code, 0, "{story}");
                assert_moved_once(&simulator);
                let verified = output(&mut simulator.lifeboat(&["verify", &run]));
                assert!(verified.status.success(), "{}", text(&verified));
            });
        }
    });
}

pub fn state_word(simulator: &Simulator, run: &str, step: &str) -> String {
    let output = output(&mut simulator.lifeboat(&["status", run, "--output", "json"]));
    let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    let steps = status["steps"].as_array().unwrap();
    let found = steps.iter().find(|found| found["id"] == step).unwrap();
    found["state"].as_str().unwrap_or_default().to_owned()
}

#[cfg(unix)]
#[test]
fn sigterm_detaches_and_resume_goes_on() {
    let simulator = Simulator::start(SPEED, None);
    let mut first = Watched::start(simulator.run("term"));
    assert!(first.until(&simulator, "term", "operation-accepted", "restore"));
    signal(&first.child, rustix::process::Signal::TERM);
    assert!(first.until(&simulator, "term", "run-stopped", ""));
    first.until(&simulator, "term", "nothing follows", "");
    let (code, seen, story) = first.finish();
    assert_eq!(code, 6, "{story}");
    assert_eq!(seen.last().unwrap()["outcome"], "interrupted");
    assert!(story.contains("lifeboat resume term"), "it must say what to do next: {story}");

    let mut second = Watched::start(simulator.lifeboat(&["resume", "term", "--output", "json"]));
    second.until(&simulator, "term", "nothing follows", "");
    let (code, seen, story) = second.finish();
    assert_eq!((code, seen.last().unwrap()["outcome"].as_str()), (0, Some("succeeded")), "{story}");
    assert_moved_once(&simulator);
}

/// Whoever reads the events has stalled, and the last of them are still to be written.
#[cfg(unix)]
#[test]
fn a_signal_ends_a_process_that_has_driven_and_still_writes() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let steps: String =
        (0..500).map(|step| format!("  - {{ id: s{step}, do: {{ wait: {{ duration: 1s }} }} }}\n")).collect();
    let runbook = directory.path().join("many.yaml");
    std::fs::write(&runbook, format!("version: 1\nname: many\nsteps:\n{steps}")).unwrap();
    let mut command = Command::new(LIFEBOAT);
    command.arg("run").arg(&runbook).args(["--simulate", "--yes", "--run-id", "many", "--output", "json"]);
    command.arg("--state").arg(&state).current_dir(directory.path());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let stalled = child.stdout.take();
    let journal = state.join("runs/many/journal.jsonl");
    while !std::fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"run-stopped\"")) {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    let (sender, ended) = std::sync::mpsc::channel();
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    std::thread::spawn(move || sender.send(child.wait().unwrap().code()));
    let code = (0..60).find_map(|_| {
        let _gone_already = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        ended.recv_timeout(std::time::Duration::from_millis(500)).ok()
    });
    if code.is_none() {
        let _gone_already = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    drop(stalled);
    assert_eq!(code, Some(Some(6)));
}

#[cfg(unix)]
pub fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

#[test]
fn a_second_process_on_the_same_run_is_refused_and_so_is_a_second_run_on_the_same_service() {
    let simulator = Simulator::start(SPEED, None);
    let mut first = Watched::start(simulator.run("first"));
    assert!(first.until(&simulator, "first", "operation-accepted", "restore"));

    let resumed = output(&mut simulator.lifeboat(&["resume", "first"]));
    assert_eq!(resumed.status.code(), Some(4), "{}", text(&resumed));
    assert!(text(&resumed).contains("is being driven by"), "{}", text(&resumed));

    let other = output(&mut simulator.run("second"));
    assert_eq!(other.status.code(), Some(4), "{}", text(&other));
    first.kill();
    // The first run is dead but not over: the restore may still be going on.
    let other = output(&mut simulator.run("third"));
    assert_eq!(other.status.code(), Some(4), "{}", text(&other));
    assert_eq!(simulator.count("POST", "/restore?"), 1);
}

#[test]
fn abort_says_what_is_left_behind_and_ends_the_run() {
    let simulator = Simulator::start(SPEED, None);
    let mut first = Watched::start(simulator.run("gone"));
    assert!(first.until(&simulator, "gone", "operation-accepted", "restore"));
    first.kill();
    let aborted = output(&mut simulator.lifeboat(&["abort", "gone", "--reason", "wrong region"]));
    assert_eq!(aborted.status.code(), Some(0), "{}", text(&aborted));
    assert!(text(&aborted).contains("/operationresults/"), "the operation that goes on: {}", text(&aborted));
    let again = output(&mut simulator.lifeboat(&["resume", "gone"]));
    assert_eq!(again.status.code(), Some(4), "{}", text(&again));
}

#[test]
fn a_rejected_approval_stops_before_the_flip() {
    let simulator = Simulator::start(SPEED, None);
    let mut first = Watched::start(simulator.run("no"));
    let mut asked = false;
    while !asked {
        let line = first.events.next().unwrap().unwrap();
        let event = serde_json::from_str::<Value>(&line).unwrap()["event"].clone();
        asked = event["type"] == "step-started" && event["step"] == "approve";
    }
    let refused = output(&mut simulator.lifeboat(&["reject", "no", "approve", "--comment", "not tonight"]));
    assert!(refused.status.success(), "{}", text(&refused));
    assert!(first.until(&simulator, "no", "run-stopped", ""));
    first.until(&simulator, "no", "nothing follows", "");
    let (code, _, story) = first.finish();
    assert_eq!(code, 4, "{story}");
    assert!(story.contains("not tonight"), "{story}");
    assert_eq!(simulator.count("PUT", "/CNAME/api?"), 0);
}

#[test]
fn a_dry_run_sends_nothing_but_reads() {
    let simulator = Simulator::start(SPEED, None);
    let site = simulator.path("site.yaml");
    let mut command = simulator.lifeboat(&["run", FLAGSHIP, "--mode", "unplanned", "--dry-run"]);
    let output = output(command.arg("--site").arg(site));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let log = std::fs::read_to_string(simulator.path("requests.jsonl")).unwrap();
    let mut methods: Vec<String> = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["method"].as_str().unwrap().to_owned())
        .collect();
    assert!(methods.len() > 5, "the plan read almost nothing: {methods:?}");
    methods.sort();
    methods.dedup();
    assert!(methods.iter().all(|method| method == "GET" || method == "HEAD"), "{methods:?}");
    assert!(!Path::new(&simulator.path("state")).exists(), "a dry run leaves nothing behind");
}
