//! Processes: the one whose memory is measured, and the ones whose start is.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    disk,
    figure::{median, middle},
    runbook,
    stage::Stage,
};

/// Spawns of one program.
const SPAWNS: usize = 20;

/// The measured child of (e): one durable run of 10,000 steps, then what the kernel says of its memory.
pub fn one_run() {
    disk::drive(&Stage::new(&runbook::chain(10_000)));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
}

/// Runs this program again with `argument`; the most memory it ever held, in KiB.
pub fn peak_memory_kib(argument: &str) -> Option<u64> {
    let output =
        Command::new(std::env::current_exe().unwrap()).arg(argument).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "the measured run failed");
    String::from_utf8(output.stdout).unwrap().split_whitespace().nth(1)?.parse().ok()
}

/// Wall time of `lifeboat readiness` on the flagship in a simulated world.
pub fn readiness(scenario: &str, speed: &str) -> Duration {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = directory.path().join("scenario.yaml");
    std::fs::write(&file, scenario).unwrap();
    let runbook = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/apim-failover.yaml");
    let simulate = format!("--simulate={}", file.display());
    median(|| {
        let begin = Instant::now();
        let status = Command::new(env!("CARGO_BIN_EXE_lifeboat"))
            .args(["readiness", runbook, &simulate, "--speed", speed])
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "something stands in the way");
        begin.elapsed()
    })
}

/// Wall time of a process, from spawn to its end.
pub fn spawned(program: &str, arguments: &[&str]) -> Duration {
    let once = || {
        let begin = Instant::now();
        let status = Command::new(program).args(arguments).stdout(Stdio::null()).status().unwrap();
        assert!(status.success(), "{program} failed");
        begin.elapsed()
    };
    once();
    middle((0..SPAWNS).map(|_| once()).collect())
}
