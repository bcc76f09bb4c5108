//! The real program as a process, with real signals and real files, against `lifeboat sim` as another process.

mod people;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use serde_json::Value;

use crate::harness::FLAGSHIP;

/// A restore of 45 minutes takes 23 seconds; a slow machine still answers within every timeout of the flagship.
const SPEED: u32 = 120;

const LIFEBOAT: &str = env!("CARGO_BIN_EXE_lifeboat");

/// `lifeboat sim`, killed when the test is over.
pub(crate) struct Simulator {
    child: Child,
    directory: tempfile::TempDir,
}

impl Simulator {
    /// `speed`: simulated seconds in a real one.
    pub(crate) fn start(speed: u32, scenario: Option<&str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(LIFEBOAT);
        command.args(["sim", "--speed", &speed.to_string()]);
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

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// How often a request was sent and answered with success.
    pub(crate) fn count(&self, method: &str, part: &str) -> usize {
        let log = std::fs::read_to_string(self.path("requests.jsonl")).unwrap();
        log.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|request| request["method"] == method && request["url"].as_str().unwrap().contains(part))
            .filter(|request| request["status"].as_u64().is_some_and(|status| status < 300))
            .count()
    }

    fn lifeboat(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(LIFEBOAT);
        command.args(arguments).arg("--state").arg(self.path("state"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, run: &str) -> Command {
        let site = self.path("site.yaml");
        let mut command = self.lifeboat(&["run", FLAGSHIP, "--mode", "unplanned", "--yes", "--run-id", run]);
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
struct Watched {
    child: Child,
    events: std::io::Lines<BufReader<ChildStdout>>,
    seen: Vec<Value>,
}

impl Watched {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let events = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, events, seen: Vec::new() }
    }

    /// Reads on until the event of that type for that step; approves what waits for it on the way.
    fn until(&mut self, simulator: &Simulator, run: &str, kind: &str, step: &str) -> bool {
        while let Some(Ok(line)) = self.events.next() {
            let event = serde_json::from_str::<Value>(&line).unwrap()["event"].clone();
            self.seen.push(event.clone());
            if event["type"] == kind && (step.is_empty() || event["step"] == step) {
                return true;
            }
            if event["type"] == "step-started" && event["step"] == "approve" {
                approve(simulator, run);
            }
        }
        false
    }

    fn finish(mut self) -> (i32, Vec<Value>, String) {
        let output = {
            let mut stderr = String::new();
            std::io::Read::read_to_string(self.child.stderr.as_mut().unwrap(), &mut stderr).unwrap();
            stderr
        };
        let status = self.child.wait().unwrap();
        (status.code().unwrap_or(-1), self.seen, output)
    }

    fn kill(mut self) {
        // SIGKILL: no handler runs.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn approve(simulator: &Simulator, run: &str) {
    let output = simulator.lifeboat(&["approve", run, "approve", "--comment", "go"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn assert_moved_once(simulator: &Simulator) {
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
                let verified = simulator.lifeboat(&["verify", &run]).output().unwrap();
                assert!(verified.status.success(), "{}", text(&verified));
            });
        }
    });
}

fn state_word(simulator: &Simulator, run: &str, step: &str) -> String {
    let output = simulator.lifeboat(&["status", run, "--output", "json"]).output().unwrap();
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

#[cfg(unix)]
fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

#[test]
fn a_second_process_on_the_same_run_is_refused_and_so_is_a_second_run_on_the_same_service() {
    let simulator = Simulator::start(SPEED, None);
    let mut first = Watched::start(simulator.run("first"));
    assert!(first.until(&simulator, "first", "operation-accepted", "restore"));

    let resumed = simulator.lifeboat(&["resume", "first"]).output().unwrap();
    assert_eq!(resumed.status.code(), Some(4), "{}", text(&resumed));
    assert!(text(&resumed).contains("is being driven by"), "{}", text(&resumed));

    let other = simulator.run("second").output().unwrap();
    assert_eq!(other.status.code(), Some(4), "{}", text(&other));
    first.kill();
    // The first run is dead but not over: the restore may still be going on.
    let other = simulator.run("third").output().unwrap();
    assert_eq!(other.status.code(), Some(4), "{}", text(&other));
    assert_eq!(simulator.count("POST", "/restore?"), 1);
}

#[test]
fn abort_says_what_is_left_behind_and_ends_the_run() {
    let simulator = Simulator::start(SPEED, None);
    let mut first = Watched::start(simulator.run("gone"));
    assert!(first.until(&simulator, "gone", "operation-accepted", "restore"));
    first.kill();
    let aborted = simulator.lifeboat(&["abort", "gone", "--reason", "wrong region"]).output().unwrap();
    assert_eq!(aborted.status.code(), Some(0), "{}", text(&aborted));
    assert!(text(&aborted).contains("/operationresults/"), "the operation that goes on: {}", text(&aborted));
    let again = simulator.lifeboat(&["resume", "gone"]).output().unwrap();
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
    let refused = simulator.lifeboat(&["reject", "no", "approve", "--comment", "not tonight"]).output().unwrap();
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
    let output = command.arg("--site").arg(site).output().unwrap();
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
