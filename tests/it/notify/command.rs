//! The real program: a drill that tells everybody, a schedule, and `lifeboat notify`.

use std::{
    io::{BufRead, BufReader},
    process::Command,
};

use serde_json::Value;

use super::SECRET;
use crate::{
    harness::FLAGSHIP,
    net::server::{Reaction, Server, answer},
    process::{SPEED, Simulator, Watchdog, output, text},
};

const KINDS: [&str; 4] = ["webhook", "slack", "teams", "pagerduty"];

/// The simulator's site, and who is told.
fn tell(simulator: &Simulator, more: &str) {
    let path = simulator.path("site.yaml");
    let site = std::fs::read_to_string(&path).unwrap();
    let entries = KINDS.map(|kind| {
        let key = if kind == "pagerduty" { ", routing_key: { env: KEY }" } else { "" };
        format!("{{ kind: {kind}, url: {{ env: URL_{kind} }}{key} }}")
    });
    let told = format!("notify: [{}{more}]", entries.join(", "));
    assert!(site.contains("notify: []"));
    std::fs::write(path, site.replace("notify: []", &told)).unwrap();
}

fn with_secrets<'a>(command: &'a mut Command, server: &Server) -> &'a mut Command {
    for kind in KINDS {
        command.env(format!("URL_{kind}"), format!("{}/{kind}/{SECRET}", server.url()));
    }
    command.env("KEY", format!("key-{SECRET}"))
}

/// Bodies that came to the receiver of that kind.
fn bodies(server: &Server, kind: &str) -> Vec<Value> {
    let start = format!("/{kind}/");
    let of_kind = server.seen().into_iter().filter(|seen| seen.target.starts_with(&start));
    of_kind.map(|seen| serde_json::from_str(&seen.body).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_drill_tells_everybody_and_shows_no_secret() {
    let server = Server::script(vec![answer(200, "ok")]).await;
    let simulator = Simulator::start(SPEED, Some("restore_duration: 4m\nregion: alive\n"));
    tell(&simulator, ", { kind: slack, url: { env: NOWHERE } }");
    let mut drill = simulator.lifeboat(&["drill", FLAGSHIP, "--yes", "--run-id", "told"]);
    drill
        .arg("--site")
        .arg(simulator.path("site.yaml"))
        .args(["--log", "lifeboat=trace,reqwest=trace,hyper_util=trace"]);
    let ended = output(with_secrets(&mut drill, &server));
    let shown = text(&ended);
    assert_eq!(ended.status.code(), Some(0), "{shown}");
    let types: Vec<Value> = bodies(&server, "webhook").into_iter().map(|body| body["type"].clone()).collect();
    assert_eq!(types, ["lifeboat.started", "lifeboat.finished"]);
    assert_eq!((bodies(&server, "slack").len(), bodies(&server, "teams").len()), (2, 2));
    let closed = bodies(&server, "pagerduty");
    assert_eq!(closed.len(), 1, "{closed:?}");
    assert_eq!((&closed[0]["event_action"], &closed[0]["dedup_key"]), (&"resolve".into(), &"told".into()));
    assert!(shown.contains("notification 5 (slack): 2 of 2 could not be delivered: its URL is not in the environment"));
    assert!(!shown.contains(SECRET), "a secret is shown");
    let report = output(&mut simulator.lifeboat(&["report", "told", "--format", "json"]));
    assert!(!text(&report).contains(SECRET), "a secret is in the journal");
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let reason = report["outcome"]["reason"].as_str().unwrap();
    assert!(report["cover"]["run"] == "told" && reason.starts_with("every step is done"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn it_can_be_tried_on_a_calm_day() {
    let server = Server::script(vec![answer(202, "")]).await;
    let simulator = Simulator::start(SPEED, None);
    tell(&simulator, "");
    let site = simulator.path("site.yaml");
    let notify = |more: &[&str]| {
        let mut command = simulator.lifeboat(&["notify"]);
        command.arg("--site").arg(&site).args(more);
        command
    };
    let look = output(&mut notify(&[]));
    assert_eq!(look.status.code(), Some(4), "{}", text(&look));
    assert!(text(&look).contains("set the variable URL_teams"), "{}", text(&look));
    let look = output(with_secrets(&mut notify(&[]), &server));
    assert_eq!((look.status.code(), server.seen().len()), (Some(0), 0), "{}", text(&look));
    let sent = output(with_secrets(&mut notify(&["--test", "--output", "json"]), &server));
    assert_eq!(sent.status.code(), Some(0), "{}", text(&sent));
    let shown: Value = serde_json::from_slice(&sent.stdout).unwrap();
    assert_eq!((shown["receivers"].as_array().unwrap().len(), &shown["tested"]), (4, &true.into()));
    assert_eq!(KINDS.map(|kind| bodies(&server, kind).len()), [1, 1, 1, 2]);
    let actions: Vec<Value> = bodies(&server, "pagerduty").iter().map(|body| body["event_action"].clone()).collect();
    assert_eq!(actions, ["trigger", "resolve"]);
    assert!(!text(&sent).contains(SECRET));
    let gone = output(notify(&["--test"]).env("URL_slack", format!("{}/slack/x", server.url())));
    assert_eq!(gone.status.code(), Some(1), "{}", text(&gone));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_schedule_tells_which_job_ended_badly() {
    let server = Server::script(vec![answer(200, "")]).await;
    let simulator = Simulator::start(SPEED, None);
    tell(&simulator, "");
    let path = simulator.path("schedule.yaml");
    let job = format!(
        "{{ id: ready, cron: \"0 * * * *\", window: 2h, do: {{ readiness: {{ runbook: {FLAGSHIP}, mode: planned }} }} }}"
    );
    std::fs::write(&path, format!("version: 1\njobs:\n- {job}\n")).unwrap();
    let mut schedule = simulator.lifeboat(&["schedule", path.to_str().unwrap(), "--once"]);
    schedule.arg("--site").arg(simulator.path("site.yaml"));
    let ended = output(with_secrets(&mut schedule, &server));
    assert_eq!(ended.status.code(), Some(4), "its own: {}", text(&ended));
    for kind in KINDS {
        let told = bodies(&server, kind);
        assert_eq!(told.len(), 1, "{kind}: {told:?}");
        assert!(told[0].to_string().contains("job ready ended with exit code 4"), "{}", told[0]);
    }
}

/// Whoever does not want to wait for a receiver that hangs leaves as the run has ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_signal_after_the_end_makes_no_success_an_interruption() {
    let server = Server::script(vec![Reaction::Hang]).await;
    let simulator = Simulator::start(SPEED, None);
    tell(&simulator, ", { kind: slack, url: { env: URL_slack }, deadline: 10m }");
    let path = simulator.path("short.yaml");
    std::fs::write(&path, "version: 1\nname: short\nsteps:\n- { id: pause, do: { wait: { duration: 1s } } }\n")
        .unwrap();
    let path = path.display().to_string();
    let mut run = simulator.lifeboat(&["run", &path, "--mode", "planned", "--yes", "--run-id", "short"]);
    run.arg("--site").arg(simulator.path("site.yaml"));
    let mut child = with_secrets(&mut run, &server).spawn().unwrap();
    let _watchdog = Watchdog::over(&child);
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    // The summary: nothing is left but to tell people.
    assert!(said.any(|line| line.contains("lifeboat verify short")), "no summary");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let rest: Vec<String> = said.collect();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("the run is over")), "{rest:?}");
    assert!(!rest.iter().any(|line| line.contains("resume")), "{rest:?}");
}

/// A runbook that tells people: nothing in a dry run; and a receiver that refuses stops it, unless it says otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_runbook_tells_its_message_and_says_what_comes_of_a_failure() {
    let server = Server::start(|_, seen| answer(if seen.body.contains("nobody hears") { 404 } else { 200 }, "")).await;
    let simulator = Simulator::start(SPEED, None);
    tell(&simulator, "");
    let run = |name: &str, steps: &str, more: &[&str]| {
        let path = simulator.path(&format!("{name}.yaml"));
        std::fs::write(&path, format!("version: 1\nname: {name}\nsteps:\n{steps}")).unwrap();
        let path = path.display().to_string();
        let mut run = simulator.lifeboat(&["run", &path, "--mode", "planned", "--yes", "--run-id", name]);
        run.args(more).arg("--site").arg(simulator.path("site.yaml"));
        output(with_secrets(&mut run, &server))
    };
    let messages = || {
        let bodies = bodies(&server, "webhook").into_iter().filter(|body| body["type"] == "lifeboat.message");
        let told = |body: Value| {
            assert_eq!([&body["data"]["mode"], &body["data"]["runbook"]], [&"planned".into(), &body["data"]["run"]]);
            body["data"]["message"].as_str().unwrap().to_owned()
        };
        bodies.map(told).collect::<Vec<_>>()
    };
    let begins = "- { id: begins, do: { notify: { message: \"${{ mode }} begins\" } } }\n";
    let dry = run("dry", begins, &["--dry-run"]);
    assert_eq!((dry.status.code(), server.seen().len()), (Some(0), 0), "{}", text(&dry));
    let plan = String::from_utf8_lossy(&dry.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    // PagerDuty is told only what wants a person.
    let said = "tells notification 1 (webhook), notification 2 (slack), notification 3 (teams): planned begins";
    assert!(plan.contains(said), "{plan}");

    let ends = "- { id: ends, needs: [unheard], do: { notify: { message: it ends } } }\n";
    let unheard = "- { id: unheard, needs: [begins], do: { notify: { message: nobody hears } } }\n";
    let stopped = run("stopped", &format!("{begins}{unheard}{ends}"), &[]);
    assert_eq!(stopped.status.code(), Some(1), "{}", text(&stopped));
    assert!(text(&stopped).contains("not everybody was told"), "{}", text(&stopped));
    assert_eq!(messages(), ["planned begins", "nobody hears"]);
    let goes_on = unheard.replace("needs:", "on_failure: continue, needs:");
    let done = run("goes-on", &format!("{begins}{goes_on}{ends}"), &[]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    assert_eq!(messages()[2..], ["planned begins", "nobody hears", "it ends"]);
    assert!(!text(&done).contains(SECRET) && !text(&stopped).contains(SECRET));
}
