//! The live program under abuse: killed anywhere, stopped, crowded, on full and read-only disks, among damaged and
//! foreign files, with its clock set back. Real processes, signals and files against `lifeboat sim` on real sockets.
//!
//! What holds of all of it: nothing hangs, every refusal says where and what to do, and each change happens once.

mod crowd;
mod damage;
mod disk;
mod killed;
mod litter;
mod set_back;
mod stopped;

use std::path::Path;

use serde_json::Value;

use crate::process::{SPEED, Simulator, assert_moved_once, output, text};

/// The world of the flagship, in which a restore takes two seconds of the machine's time.
const QUICK: &str = "restore_duration: 4m\nzone: { records: { api: { target: apim-west.azure-api.net, ttl: 60s } } }\n";

/// Two changes of each kind that there is: one that Azure works on, and one that is done when it answers.
const SHORT: &str = r#"
version: 1
name: short
parameters:
  standby: { type: resource-id }
  active: { type: resource-id }
  storage: { type: resource-id }
  container: { type: string, default: apim-backups }
  zone: { type: resource-id }
  record: { type: string }
steps:
- id: find
  do:
    backup.find-latest: { service: "${{ params.active }}", storage: "${{ params.storage }}", container: "${{ params.container }}", prefix: "${{ params.active.name }}-" }
- id: restore
  needs: [find]
  do: { apim.restore: { service: "${{ params.standby }}", backup: "${{ steps.find.backup }}", access: system-assigned-identity } }
- id: flip
  needs: [restore]
  modes: [unplanned]
  do: { dns.flip-cname: { zone: "${{ params.zone }}", record: "${{ params.record }}", target: apim-contoso-east.azure-api.net, ttl: 60s } }
"#;

/// A simulator whose restores are short, and the runbook with two changes in a file beside it.
fn quick() -> (Simulator, String) {
    let simulator = Simulator::start(SPEED, Some(QUICK));
    let runbook = simulator.path("short.yaml");
    std::fs::write(&runbook, SHORT).unwrap();
    (simulator, runbook.to_str().unwrap().to_owned())
}

/// How often a request was sent, whatever became of it.
fn attempts(simulator: &Simulator, method: &str, part: &str) -> usize {
    let log = std::fs::read_to_string(simulator.path("requests.jsonl")).unwrap();
    let requests = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    requests.filter(|it| it["method"] == method && it["url"].as_str().unwrap().contains(part)).count()
}

/// Requests that could change something.
fn changes(simulator: &Simulator) -> usize {
    attempts(simulator, "POST", "/restore?") + attempts(simulator, "PUT", "/CNAME/")
}

/// Goes on to the end, where each change has happened once; what it told. Simulated time is fast: while a test looked at
/// something else, a step's deadline may have passed, which fails it, and the next resume tries it again.
fn resumes(simulator: &Simulator, run: &str) -> String {
    let mut told = String::new();
    for _ in 0..3 {
        let resumed = output(&mut simulator.lifeboat(&["resume", run, "--yes"]));
        told += &text(&resumed);
        if resumed.status.code() != Some(1) || !told.contains("its deadline passed") {
            assert_eq!(resumed.status.code(), Some(0), "{told}");
            break;
        }
    }
    assert_moved_once(simulator);
    assert_eq!(attempts(simulator, "POST", "/restore?"), 1, "{told}");
    told
}

fn journal(state: &Path, run: &str) -> std::path::PathBuf {
    state.join("runs").join(run).join("journal.jsonl")
}

/// Random numbers by seed (`SplitMix64`).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }
}
