//! `command`, `http.request`, `wait`, `approval`: on the real clock where real processes run.

use lifeboat::{
    run::Disposition,
    runbook::Effect,
    sim::{Act, Fault, Moment},
};

use super::*;

const COMMAND: ActionKind = ActionKind::Command;
const HTTP: ActionKind = ActionKind::HttpRequest;

/// Real time, for real processes.
fn awake() -> Stage {
    let clock = Clock::Wall;
    let world = World::new(Scenario::default(), clock.clone());
    let site = Arc::new(world.site());
    let context =
        Context::simulated(world.clone(), site, clock, std::env::temp_dir()).unwrap().for_run("run-1", Duration::ZERO);
    Stage { world, context }
}

fn shell(script: &str) -> Value {
    json!({ "argv": ["sh", "-c", script] })
}

#[tokio::test]
async fn a_program_gets_its_arguments_as_they_are() {
    let stage = awake();
    let arguments = json!({ "argv": ["printf", "%s|", "a b", "$HOME", "*"], "env": { "X": "1" } });
    let (done, journal) = stage.perform(COMMAND, arguments).await;
    let done = done.unwrap();
    assert_eq!(done.outputs["stdout"], "a b|$HOME|*|");
    assert_eq!(done.outputs["exit_code"], 0);
    assert_eq!(journal.intents()[0].request.method, "EXEC");
    let directory = tempfile::tempdir().unwrap();
    let arguments = json!({ "argv": ["pwd"], "directory": directory.path(), "read_only": true });
    let (done, journal) = stage.perform(COMMAND, arguments).await;
    let printed = done.unwrap().outputs["stdout"].as_str().unwrap().trim().to_owned();
    assert_eq!(std::path::Path::new(&printed).canonicalize().unwrap(), directory.path().canonicalize().unwrap());
    assert!(journal.intents().is_empty(), "what changes nothing needs no intent");
}

#[tokio::test]
async fn a_failing_program_is_final_unless_it_only_reads() {
    let stage = awake();
    let error = stage.perform(COMMAND, shell("echo why >&2; exit 3")).await.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Final, "command-failed"));
    assert!(error.message.contains("exit code 3: why"), "{}", error.message);
    assert_eq!(error.details["exit_code"], 3);
    let mut arguments = shell("kill -9 $$");
    arguments["read_only"] = json!(true);
    let error = stage.perform(COMMAND, arguments).await.0.unwrap_err();
    assert_eq!(error.disposition, Disposition::Retryable);
    let absent = json!({ "argv": ["lifeboat-no-such-program"] });
    let error = stage.perform(COMMAND, absent).await.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Final, "command-not-started"));
}

#[tokio::test]
async fn much_output_neither_blocks_the_program_nor_fills_the_journal() {
    let stage = awake();
    let done = stage.perform(COMMAND, shell("head -c 3000000 /dev/zero | tr '\\0' x; echo end")).await.0.unwrap();
    let stdout = done.outputs["stdout"].as_str().unwrap();
    assert_eq!(stdout.len(), 64 << 10);
    assert!(stdout.ends_with("xend\n"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_that_is_given_up_dies_with_its_children() {
    let stage = awake();
    let (record, _journal) = recorder();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let step = call(shell(&format!("sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; wait", file.display())));
    let pid: i32 = tokio::select! {
        _ = action::perform(COMMAND, &step, &stage.context, &record) => panic!("it sleeps"),
        pid = async {
            loop {
                match std::fs::read_to_string(&file) {
                    Ok(text) => break text.trim().parse().unwrap(),
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        } => pid,
    };
    // The step was dropped: the grandchild is killed, and then reaped by whoever inherits it. Until then it is a zombie.
    let gone = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.map_or(true, |stat| stat.rsplit(") ").next().is_some_and(|state| state.starts_with('Z')))
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while !gone() {
        assert!(std::time::Instant::now() < deadline, "{pid} lives on");
        tokio::task::yield_now().await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_daemon_that_keeps_the_streams_open_does_not_hold_the_step() {
    let stage = awake();
    let started = std::time::Instant::now();
    let done = stage.perform(COMMAND, shell("echo done; sleep 1000 &")).await.0.unwrap();
    assert_eq!(done.outputs["stdout"], "done\n");
    assert!(started.elapsed() < Duration::from_mins(1));
}

#[tokio::test]
async fn a_program_that_was_started_and_not_seen_to_end_is_unknown() {
    let stage = awake();
    let (_, journal) = stage.perform(COMMAND, shell("true")).await;
    let intent = journal.intents().pop().unwrap();
    let verdict = stage.settle(COMMAND, shell("true"), Some(&intent), None).await;
    assert!(matches!(verdict, Verdict::Unknown { .. }), "{verdict:?}");
    let mut reads = shell("true");
    reads["read_only"] = json!(true);
    for (arguments, intent) in [(reads, Some(&intent)), (shell("true"), None)] {
        let verdict = stage.settle(COMMAND, arguments, intent, None).await;
        assert!(matches!(verdict, Verdict::DidNotHappen { .. }), "{verdict:?}");
    }
}

#[tokio::test]
async fn the_plan_says_when_a_program_is_not_there() {
    let mut stage = awake();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("tool"), "").unwrap();
    let path = ("PATH".to_owned(), directory.path().display().to_string());
    stage.context.environment = lifeboat::azure::Environment::of([path]);
    let probe = stage.probe(COMMAND, json!({ "argv": ["tool", "a b"] })).await.unwrap();
    assert_eq!(probe.summary, "runs tool \"a b\"");
    assert!(probe.findings.is_empty() && probe.verified);
    let probe = stage.probe(COMMAND, json!({ "argv": ["other"] })).await.unwrap();
    assert_eq!(codes(&probe, Severity::Warning), ["program-not-found"]);
}

#[tokio::test(start_paused = true)]
async fn one_request_and_what_it_answered() {
    let stage = Stage::new(Scenario::default());
    let url = format!("https://{NEW_TARGET}/status-0123456789abcdef");
    let (done, journal) = stage.perform(HTTP, json!({ "url": url })).await;
    assert_eq!(done.unwrap().outputs["status"], 200);
    assert!(journal.intents().is_empty());
    let error = stage.perform(HTTP, json!({ "url": url, "expect_status": [204, 418] })).await.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Retryable, "unexpected-status"));
    assert!(error.message.contains("204 or 418"), "{}", error.message);
    let error = stage.perform(HTTP, json!({ "url": "https://nowhere.example.org/" })).await.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Retryable, "name-not-found"));
    let error = stage.perform(HTTP, json!({ "url": url, "headers": { "a b": "c" } })).await.0.unwrap_err();
    assert_eq!(error.code, "invalid-arguments");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_changes_something_is_never_repeated() {
    let url = "https://management.azure.com/hook";
    let post = || json!({ "url": url, "method": "POST", "body": "{}" });
    for act in [Act::Reset(Moment::Before), Act::Reset(Moment::After), Act::Truncate] {
        let stage = Stage::with([Fault::new(act).on("POST", "/hook")]);
        let (done, journal) = stage.perform(HTTP, post()).await;
        let error = done.unwrap_err();
        assert_eq!((error.disposition, error.code.as_str()), (Disposition::InDoubt, "request-in-doubt"));
        assert_eq!(stage.world.requests().len(), 1);
        let intent = journal.intents().pop().unwrap();
        assert_eq!(intent.request.body, Some(json!("{}")));
        let verdict = stage.settle(HTTP, post(), Some(&intent), None).await;
        assert!(matches!(verdict, Verdict::Unknown { .. }), "{verdict:?}");
    }
    let stage = Stage::with([Fault::status(500, "x").on("POST", "/hook")]);
    assert_eq!(stage.perform(HTTP, post()).await.0.unwrap_err().disposition, Disposition::InDoubt);
    let stage = Stage::with([Fault::status(422, "x").on("POST", "/hook")]);
    assert_eq!(stage.perform(HTTP, post()).await.0.unwrap_err().disposition, Disposition::Final);
}

#[test]
fn the_effect_follows_the_arguments() {
    let effect = |kind, arguments: Value| action::effect(kind, arguments.as_object().unwrap());
    assert_eq!(effect(HTTP, json!({ "url": "${{ params.hook }}" })), Effect::ReadOnly);
    assert_eq!(effect(HTTP, json!({ "method": "HEAD" })), Effect::ReadOnly);
    assert_eq!(effect(HTTP, json!({ "method": "DELETE" })), Effect::Irreversible);
    assert_eq!(effect(HTTP, json!({ "method": "${{ params.method }}" })), Effect::Irreversible);
    assert_eq!(effect(COMMAND, json!({ "read_only": true })), Effect::ReadOnly);
    assert_eq!(effect(COMMAND, json!({ "argv": ["true"] })), Effect::Irreversible);
    assert_eq!(effect(ActionKind::FlipCname, json!({})), Effect::Reversible);
    assert_eq!(effect(ActionKind::Restore, json!({})), Effect::Irreversible);
}

#[tokio::test(start_paused = true)]
async fn waiting_takes_as_long_as_it_says() {
    let stage = Stage::new(Scenario::default());
    let start = stage.context.clock.now();
    stage.perform(ActionKind::Wait, json!({ "duration": "90m" })).await.0.unwrap();
    assert_eq!(stage.context.clock.now().duration_since(start).as_mins(), 90);
    let arguments = json!({ "duration": "90m" });
    let expected = action::expected(ActionKind::Wait, arguments.as_object().unwrap());
    assert_eq!(expected, Some(Duration::from_mins(90)));
}

#[tokio::test(start_paused = true)]
async fn people_approve_and_nothing_else_does() {
    let stage = Stage::new(Scenario::default());
    let arguments = json!({ "prompt": "Move it?", "approvers": 2 });
    let probe = stage.probe(ActionKind::Approval, arguments.clone()).await.unwrap();
    assert!(probe.summary.contains("2 different people"), "{}", probe.summary);
    let error = stage.perform(ActionKind::Approval, arguments).await.0.unwrap_err();
    assert_eq!(error.code, "approval-missing");
}
