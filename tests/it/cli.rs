//! The binary from outside: exit codes, stdout as data, stderr as story, and bad input refused before anything changes.

mod overrides;
mod rbac;
mod readiness;

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::harness::{FLAGSHIP, QUICK, RESTORE_FAILS};

/// A place of its own for one test: working directory, state directory, request log.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command.env("LIFEBOAT_STATE", self.0.path().join("state")).env_remove("LIFEBOAT_SITE");
        command
    }

    fn lifeboat(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// No run was begun.
    fn is_untouched(&self) -> bool {
        !self.0.path().join("state/runs").exists()
    }

    /// Methods that the simulator was sent.
    fn methods(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.0.path().join("requests.jsonl")).unwrap_or_default();
        let mut methods: Vec<String> = log
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["method"].as_str().unwrap().to_owned())
            .collect();
        methods.sort();
        methods.dedup();
        methods
    }
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn story(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The exit code, every text, a next step, and no run begun.
fn assert_refused(place: &Place, output: &Output, code: i32, texts: &[&str]) {
    let story = story(output);
    assert_eq!(output.status.code(), Some(code), "{story}");
    for text in texts {
        assert!(story.contains(text), "`{text}` is missing in:\n{story}");
    }
    assert!(story.contains("next: ") || story.contains("help"), "no next step in:\n{story}");
    assert!(place.is_untouched(), "a run was begun");
}

const HEAD: &str = "version: 1\nname: broken\nsteps:\n";

#[test]
fn broken_runbooks_are_refused_with_their_place() {
    let aliases = format!("a: &a [{}]\nb: [{}]\n", "x,".repeat(100), "*a,".repeat(200_000));
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", Vec::new(), "empty"),
        ("not UTF-8", vec![b'v', 0xff, 0xfe], "UTF-8"),
        ("tabs", b"version: 1\nname: x\nsteps:\n\t- id: a\n".to_vec(), "tab"),
        ("aliases", aliases.into_bytes(), "alias"),
        ("duplicate key", b"version: 1\nversion: 1\n".to_vec(), ":2:1"),
        ("unknown key", format!("{HEAD}  - {{ id: a, ned: [], do: {{ wait: {{ duration: 1s }} }} }}\n").into(), ":4:14"),
        ("unknown action", format!("{HEAD}  - {{ id: a, do: {{ wiat: {{ duration: 1s }} }} }}\n").into(), "`wait`"),
        ("cycle", format!("{HEAD}  - {{ id: a, needs: [b], do: {{ wait: {{ duration: 1s }} }} }}\n  - {{ id: b, needs: [a], do: {{ wait: {{ duration: 1s }} }} }}\n").into(), "cycle"),
        ("unit", format!("{HEAD}  - {{ id: a, do: {{ wait: {{ duration: 5 }} }} }}\n").into(), "unit"),
        ("unclosed", format!("{HEAD}  - {{ id: a, do: {{ wait: {{ duration: \"${{{{ mode\" }} }} }}\n").into(), "${{"),
    ];
    for (name, bytes, text) in cases {
        let place = Place::new();
        let path = place.write("broken.yaml", bytes);
        for arguments in [&["check", &path][..], &["run", &path, "--simulate", "--yes"], &["plan", &path, "--simulate"]]
        {
            let output = place.lifeboat(arguments);
            println!("{name}: {arguments:?}");
            assert_refused(&place, &output, 3, &[text, "broken.yaml"]);
        }
    }
}

#[test]
fn parameters_sites_and_usage_are_refused_before_anything_happens() {
    let place = Place::new();
    let site = |credential: &str| format!("version: 1\ncloud: public\ncredential: {credential}\n");
    let inline = place.write("inline.yaml", site("{ client-secret: { tenant_id: a, client_id: b, secret: hunter2 } }"));
    let token = place.write("token.yaml", site("{ token: { env: LIFEBOAT_TEST_NO_SUCH_TOKEN } }"));
    let cases: &[(&[&str], i32, &[&str])] = &[
        (&["run", FLAGSHIP], 2, &["--site", "--simulate"]),
        (&["run", FLAGSHIP, "--site", &token], 2, &["--mode"]),
        (&["run", FLAGSHIP, "--simulate", "--mode", "sideways"], 2, &["sideways"]),
        (&["run", FLAGSHIP, "--simulate", "--yes", "--set", "recrod=api"], 3, &["recrod", "record"]),
        (&["run", FLAGSHIP, "--simulate", "--yes", "--set", "active=apim"], 3, &["active", "resource id"]),
        (&["run", FLAGSHIP, "--site", &token, "--mode", "unplanned"], 3, &["active", "standby", "zone"]),
        (&["run", FLAGSHIP, "--site", "no-such.yaml", "--mode", "unplanned"], 3, &["no-such.yaml"]),
        (&["run", FLAGSHIP, "--site", ".", "--mode", "unplanned"], 3, &["site file"]),
        (&["run", FLAGSHIP, "--site", &inline, "--mode", "unplanned"], 3, &["secret"]),
        (&["run", FLAGSHIP, "--simulate", "--yes", "--run-id", "../x"], 2, &["run id"]),
        (&["run", FLAGSHIP, "--simulate"], 4, &["not a terminal", "--yes"]),
        (&["run", FLAGSHIP, "--simulate=no-such.yaml", "--yes"], 3, &["no-such.yaml"]),
        (&["resume", "no-such-run"], 2, &["no-such-run", "lifeboat runs"]),
    ];
    for (arguments, code, texts) in cases {
        let output = place.lifeboat(arguments);
        println!("{arguments:?}");
        assert_refused(&place, &output, *code, texts);
        assert!(!story(&output).contains("hunter2") && !out(&output).contains("hunter2"), "a secret was printed");
    }
}

#[test]
fn what_azure_says_no_to_is_said_with_what_is_missing() {
    let get = "method: GET, path: apim-contoso-east";
    let status = |code: u16, error: &str, message: &str| {
        format!(
            "faults:\n  - {{ on: {{ {get} }}, do: {{ status: {{ code: {code}, error_code: {error}, message: \"{message}\" }} }} }}\n"
        )
    };
    let forbidden = "The client does not have authorization to perform action 'Microsoft.ApiManagement/service/read'";
    let cases: &[(&str, String, &[&str])] = &[
        ("401", status(401, "InvalidAuthenticationToken", "no"), &["401"]),
        ("403", status(403, "AuthorizationFailed", forbidden), &["Microsoft.ApiManagement/service/read"]),
        ("404", status(404, "ResourceNotFound", "not found"), &["apim-contoso-east"]),
        ("tier", "standby: { tier: Standard }\n".into(), &["Standard", "Premium"]),
        ("v2", "standby: { tier: StandardV2 }\n".into(), &["StandardV2"]),
        ("no backups", "backups: { count: 0, traps: [] }\n".into(), &["backup"]),
        ("expired", "backups: { newest: 31d, traps: [] }\n".into(), &["expired"]),
        ("tight", "backups: { newest: 29d23h, traps: [] }\n".into(), &["expire"]),
    ];
    for (name, world, texts) in cases {
        let place = Place::new();
        let scenario = place.write("scenario.yaml", format!("version: 1\n{world}"));
        let simulate = format!("--simulate={scenario}");
        let output = place.lifeboat(&["run", FLAGSHIP, &simulate, "--yes", "--request-log", "requests.jsonl"]);
        println!("{name}\n{}", story(&output));
        assert_refused(&place, &output, 4, texts);
        assert!(place.methods().iter().all(|method| method == "GET" || method == "HEAD"), "{:?}", place.methods());
    }
}

#[test]
fn a_credential_that_cannot_be_had_says_so() {
    let place = Place::new();
    let ids = "/subscriptions/s/resourceGroups/g/providers";
    let site = format!(
        "version: 1\ncloud: custom\nendpoints: {{ resource_manager: \"http://127.0.0.1:9\", blob: \"http://127.0.0.1:9/{{account}}\" }}\n\
         credential: {{ token: {{ env: LIFEBOAT_TEST_NO_SUCH_TOKEN }} }}\nparameters:\n  active: {ids}/Microsoft.ApiManagement/service/a\n  \
         standby: {ids}/Microsoft.ApiManagement/service/b\n  storage: {ids}/Microsoft.Storage/storageAccounts/c\n  \
         zone: {ids}/Microsoft.Network/dnsZones/contoso.com\n  record: api\n"
    );
    let site = place.write("site.yaml", site);
    let output = place.lifeboat(&["run", FLAGSHIP, "--site", &site, "--mode", "planned", "--yes"]);
    assert_refused(&place, &output, 4, &["LIFEBOAT_TEST_NO_SUCH_TOKEN"]);
}

#[test]
fn a_state_directory_that_cannot_be_made_stops_the_run_before_it_begins() {
    let place = Place::new();
    let file = place.write("file", "in the way");
    let output =
        place.lifeboat(&["run", FLAGSHIP, "--simulate", "--yes", "--state", &file, "--request-log", "requests.jsonl"]);
    assert_refused(&place, &output, 4, &["--state"]);
    assert!(place.methods().iter().all(|method| method == "GET" || method == "HEAD"));
}

#[test]
fn damaged_and_newer_journals_are_refused_by_name() {
    let place = Place::new();
    let run = place.0.path().join("state/runs/old");
    std::fs::create_dir_all(run.join("inbox")).unwrap();
    let golden = include_str!("fixtures/journal-v1.jsonl");
    let damaged = golden.replacen("ann", "bob", 1);
    let newer = golden.replacen("\"v\":1", "\"v\":9", 1);
    for (text, what) in [(damaged, "line 1 is damaged"), (newer, "newer lifeboat")] {
        std::fs::write(run.join("journal.jsonl"), text).unwrap();
        for verb in ["verify", "status", "resume", "abort"] {
            let output = place.lifeboat(&[verb, "old"]);
            assert_eq!(output.status.code(), Some(4), "{verb}: {}", story(&output));
            assert!(story(&output).contains(what), "{verb}: {}", story(&output));
            assert!(story(&output).contains("next: "), "{verb}: {}", story(&output));
        }
    }
}

#[test]
fn a_plan_says_which_run_freezes_the_backups() {
    let place = Place::new();
    let output = place.lifeboat(&["run", FLAGSHIP, "--simulate", "--yes", "--run-id", "one"]);
    assert_eq!(output.status.code(), Some(0), "{}", story(&output));
    let backup = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/apim-backup.yaml");
    let plan = || out(&place.lifeboat(&["plan", backup, "--mode", "planned", "--simulate"]));
    assert!(!plan().contains("run `one`"), "{}", plan());
    // As it was right after it had begun.
    let journal = place.0.path().join("state/runs/one/journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, text.split_inclusive('\n').next().unwrap()).unwrap();
    assert!(plan().contains("deletes nothing as long as run `one` needs"), "{}", plan());
}

#[test]
fn a_dry_run_is_a_plan_and_leaves_nothing_behind() {
    let place = Place::new();
    let plan = |arguments: &[&str]| -> Value {
        let output = place.lifeboat(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", story(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let planned = plan(&["plan", FLAGSHIP, "--simulate", "--output", "json", "--out", "plan.json"]);
    let dry = plan(&["run", FLAGSHIP, "--simulate", "--output", "json", "--dry-run"]);
    let shape = |plan: &Value| -> Vec<(String, String, usize)> {
        let steps = plan["steps"].as_array().unwrap().iter();
        let requests = |step: &Value| step["probe"]["requests"].as_array().map_or(0, Vec::len);
        steps.map(|step| (step["id"].to_string(), step["certainty"].to_string(), requests(step))).collect()
    };
    assert_eq!(shape(&planned), shape(&dry));
    assert_eq!(planned["steps"].as_array().unwrap().len(), 8);
    let kept: Value = serde_json::from_slice(&std::fs::read(place.0.path().join("plan.json")).unwrap()).unwrap();
    assert_eq!(kept["digest"], planned["digest"]);
    assert!(place.is_untouched());
}

#[test]
fn text_for_pipes_holds_no_escapes_and_fits_what_it_promises() {
    let place = Place::new();
    let plan = place.lifeboat(&["plan", FLAGSHIP, "--simulate"]);
    assert!(out(&plan).contains("going back ends here"), "{}", out(&plan));
    for format in ["text", "mermaid", "dot", "svg"] {
        let graph = place.lifeboat(&["graph", FLAGSHIP, "--format", format]);
        assert!(graph.status.success() && out(&graph).contains("restore"), "{format}");
    }
    for arguments in [&["schema"][..], &["completions", "bash"], &["man"], &["check", FLAGSHIP]] {
        let output = place.lifeboat(arguments);
        assert!(output.status.success() && !output.stdout.is_empty(), "{arguments:?}");
        assert!(!out(&output).contains('\u{1b}'), "{arguments:?}");
    }
    assert!(!out(&plan).contains('\u{1b}') && !story(&plan).contains('\u{1b}'));
}

#[test]
fn a_simulated_run_streams_its_events_and_can_be_looked_at() {
    let place = Place::new();
    let ran = place.lifeboat(&["run", FLAGSHIP, "--simulate", "--yes", "--run-id", "one", "--output", "json"]);
    assert_eq!(ran.status.code(), Some(0), "{}", story(&ran));
    let lines: Vec<Value> = out(&ran).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (number, line) in lines.iter().enumerate() {
        assert_eq!((&line["v"], &line["seq"]), (&Value::from(1), &Value::from(number)));
    }
    assert_eq!(lines[0]["event"]["type"], "planned");
    assert_eq!(lines.last().unwrap()["event"]["outcome"], "succeeded");
    let approval = lines.iter().find(|line| line["event"]["type"] == "approval-given").unwrap();
    assert_eq!(approval["event"]["by"]["simulated"], true, "a simulated approval is marked");

    for arguments in [&["runs"][..], &["status", "one"], &["verify", "one"]] {
        let json = place.lifeboat(&[arguments, &["--output", "json"]].concat());
        let value: Value = serde_json::from_slice(&json.stdout).unwrap_or_else(|_| panic!("{}", story(&json)));
        assert_eq!(value["v"], 1, "{arguments:?}");
        assert!(place.lifeboat(arguments).status.success(), "{arguments:?}");
    }
    let brief = out(&place.lifeboat(&["status", "one", "--brief"]));
    assert!(brief.lines().count() <= 24 && brief.lines().all(|line| line.chars().count() <= 80), "{brief}");

    let again = place.lifeboat(&["resume", "one"]);
    assert_eq!(again.status.code(), Some(4), "{}", story(&again));
    assert!(story(&again).contains("is over"), "{}", story(&again));
    let taken = place.lifeboat(&["run", FLAGSHIP, "--simulate", "--yes", "--run-id", "one"]);
    assert_eq!(taken.status.code(), Some(4), "{}", story(&taken));
    let approve = place.lifeboat(&["approve", "one", "approve"]);
    assert_eq!(approve.status.code(), Some(4), "{}", story(&approve));
    assert!(Path::new(&place.0.path().join("state/runs/one/journal.jsonl")).is_file());
}

/// The file-size limit stands in for a full disk: the write fails in the middle of the run.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_stops_the_run_and_says_how_to_go_on() {
    let place = Place::new();
    let lifeboat = env!("CARGO_BIN_EXE_lifeboat");
    let script = format!(
        "trap '' XFSZ; ulimit -f 60; exec {lifeboat} run {FLAGSHIP} --mode unplanned --site site.yaml --yes --run-id full"
    );
    let mut simulator = Command::new(lifeboat)
        .args(["sim", "--speed", "120", "--site-out"])
        .arg(place.0.path().join("site.yaml"))
        .args(["--request-log"])
        .arg(place.0.path().join("requests.jsonl"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(simulator.stdout.as_mut().unwrap()), &mut first).unwrap();
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(place.0.path())
        .env("LIFEBOAT_STATE", place.0.path().join("state"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let _gone = simulator.kill();
    let _reaped = simulator.wait();
    let story = story(&output);
    assert!(story.contains("File too large") || story.contains("cannot be written"), "{story}");
    assert!(matches!(output.status.code(), Some(4 | 6)), "{:?} {story}", output.status);
    assert!(story.contains("next: "), "{story}");
}

#[test]
fn a_report_of_a_plan_and_of_a_run_is_written_in_the_form_that_the_name_says() {
    let place = Place::new();
    let file = |name: &str| std::fs::read_to_string(place.0.path().join(name)).unwrap();
    let planned = place.lifeboat(&["plan", FLAGSHIP, "--simulate", "--report", "board.html"]);
    assert_eq!(planned.status.code(), Some(0), "{}", story(&planned));
    assert!(file("board.html").starts_with("<!doctype html>"));
    let lost = format!("--simulate={}", place.write("lost.yaml", QUICK.replace("region: alive\n", "")));
    let run = place.lifeboat(&["run", FLAGSHIP, &lost, "--yes", "--run-id", "told"]);
    assert_eq!(run.status.code(), Some(0), "{}", story(&run));
    let markdown = place.lifeboat(&["report", "told"]);
    assert!(out(&markdown).starts_with("# Run told of apim-failover"), "{}", out(&markdown));
    let incident = ["report", "told", "--out", "told.json", "--incident-start", "2026-01-01T00:00:00Z"];
    assert_eq!(place.lifeboat(&incident).status.code(), Some(0));
    let told: Value = serde_json::from_str(&file("told.json")).unwrap();
    assert_eq!((&told["v"], &told["outcome"]["clock"]["incident_known"]), (&Value::from(1), &Value::from(true)));
    assert_eq!(told["judged"]["light"], "green", "{}", told["judged"]);
    let change = place.lifeboat(&["report", "told", "--format", "servicenow"]);
    let change: Value = serde_json::from_str(&out(&change)).unwrap();
    assert_eq!(change["type"], "emergency");
}

#[test]
fn a_report_in_no_known_form_is_refused_before_anything_is_asked() {
    let place = Place::new();
    let log = ["plan", FLAGSHIP, "--simulate", "--request-log", "requests.jsonl", "--report", "board.pdf"];
    let refused = place.lifeboat(&log);
    assert_refused(&place, &refused, 2, &["board.pdf", ".html, .md, .json or .servicenow.json"]);
    assert_eq!(place.methods(), Vec::<String>::new());
    assert_eq!(place.lifeboat(&["report", "nobody"]).status.code(), Some(2));
}

#[test]
fn a_report_names_rehearsals_and_the_proof_that_is_given_as_evidence() {
    let place = Place::new();
    let point = ["prove", FLAGSHIP, "--mode", "unplanned", "--only", "unplanned/cut-after/12", "--format", "json"];
    let proved = place.lifeboat(&[point.as_slice(), &["--out", "proof.json"]].concat());
    assert_eq!(proved.status.code(), Some(0), "{}", story(&proved));
    let drill = |scenario: String, run: &str| {
        let simulate = format!("--simulate={}", place.write(&format!("{run}.yaml"), scenario));
        let drill = place.lifeboat(&["drill", FLAGSHIP, &simulate, "--yes", "--run-id", run]);
        (drill.status.code(), story(&drill))
    };
    let plan =
        |more: &[&str]| place.lifeboat(&[&["plan", FLAGSHIP, "--simulate", "--report", "board.md"], more].concat());
    let proved = ["--proof", "proof.json", "--out", "plan.json", "--valid-for", "24h", "--print"];
    let board = || {
        let planned = plan(&proved);
        assert_eq!(planned.status.code(), Some(0), "{}", story(&planned));
        assert!(out(&planned).contains("valid until 20"), "{}", out(&planned));
        std::fs::read_to_string(place.0.path().join("board.md")).unwrap()
    };
    let (code, told) = drill(QUICK.to_owned(), "friday");
    assert_eq!(code, Some(0), "{told}");
    let succeeded = "1 rehearsal of apim-failover succeeded, 0 failed; the last was friday";
    let first = board();
    for said in ["only some points were tried", "proof.json", "may be run until", succeeded, "1 earlier run"] {
        assert!(first.contains(said), "{said}: {first}");
    }
    let (code, told) = drill(format!("{QUICK}{RESTORE_FAILS}"), "saturday");
    assert_eq!(code, Some(1), "{told}");
    let second = board();
    assert!(second.contains("1 rehearsal of apim-failover succeeded, 1 failed"), "{second}");
    std::fs::write(place.0.path().join("proof.json"), "{}").unwrap();
    let refused = plan(&["--proof", "proof.json"]);
    assert_eq!(refused.status.code(), Some(2), "{}", story(&refused));
    assert!(story(&refused).contains("proof.json is not taken"), "{}", story(&refused));
}
