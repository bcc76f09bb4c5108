//! `notify`: a message of the runbook, to receivers that listen on real sockets.

use lifeboat::{azure::Environment, net::Http, run::Disposition, runbook::Mode, site::Site};

use super::*;
use crate::{
    net::{
        server::{Reaction, Server, answer},
        transport,
    },
    notify::{SECRET, environment, receiver, receivers},
};

const NOTIFY: ActionKind = ActionKind::Notify;

/// The built-in world, whose site tells these receivers. All of them listen at one address.
fn telling(entries: &[String], base: &str) -> Stage {
    let clock = Clock::Wall;
    let world = World::new(Scenario::default(), clock.clone());
    let site = Arc::new(Site { notify: receivers(entries), ..world.site() });
    let context = Context::simulated(world.clone(), site, clock, std::env::temp_dir()).unwrap();
    let http: Http = transport(&[], Vec::new());
    let context = Context { http, environment: environment(base), host: "jump-1".to_owned(), ..context };
    let context = Context { runbook: "apim-failover".to_owned(), mode: Some(Mode::Drill), ..context };
    Stage { world, context: context.for_run("run-1", Duration::ZERO) }
}

fn message() -> Value {
    json!({ "message": "api.contoso.com moves now", "severity": "warning" })
}

fn everybody(more: &str) -> Vec<String> {
    ["webhook", "slack", "teams", "pagerduty"].map(|kind| receiver(kind, more)).to_vec()
}

#[tokio::test]
async fn everybody_who_takes_messages_is_told_once_and_nobody_else() {
    let server = Server::script(vec![answer(202, "")]).await;
    let mut entries = everybody(", on: [finished, message]");
    entries.push(receiver("slack", ", on: [finished]"));
    // Of PagerDuty only what wants a person, unless it is asked for.
    entries.push(receiver("pagerduty", ""));
    let stage = telling(&entries, &server.url());
    let probe = stage.probe(NOTIFY, message()).await.unwrap();
    let names = ["webhook", "slack", "teams", "pagerduty"];
    let names: Vec<_> =
        names.iter().enumerate().map(|(place, kind)| format!("notification {} ({kind})", place + 1)).collect();
    assert_eq!(probe.summary, format!("tells {}: api.contoso.com moves now", names.join(", ")));
    assert_eq!(probe.requests.iter().map(|request| request.url.clone()).collect::<Vec<_>>(), names);
    assert!(server.seen().is_empty() && !format!("{probe:?}").contains(SECRET), "{probe:?}");
    assert!(probe.verified, "every secret can be read");
    // Another plan of the same world is the same.
    assert_eq!(stage.probe(NOTIFY, message()).await.unwrap(), probe);

    let (done, journal) = stage.perform(NOTIFY, message()).await;
    let done = done.unwrap();
    assert_eq!((&done.outputs["told"], &done.evidence["told"]), (&json!(names), &json!(names)));
    assert!(journal.intents().is_empty(), "nothing of the world changes");
    let seen = server.seen();
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|seen| seen.body.contains("api.contoso.com moves now")), "{seen:?}");
    let event = seen.iter().map(|seen| serde_json::from_str::<Value>(&seen.body).unwrap());
    let event = event.into_iter().find(|body| body["specversion"] == "1.0").unwrap();
    assert_eq!((&event["type"], &event["id"]), (&json!("lifeboat.message"), &json!("run-1/step")));
    let data = &event["data"];
    assert_eq!([&data["run"], &data["step"], &data["severity"], &data["host"]], ["run-1", "step", "warning", "jump-1"]);
    // A rehearsal is told as one, to everybody.
    assert_eq!([&data["runbook"], &data["mode"]], ["apim-failover", "drill"]);
    assert!(seen.iter().all(|seen| seen.body.contains("apim-failover (drill), run run-1")), "{seen:?}");
}

#[tokio::test]
async fn whoever_cannot_be_told_fails_the_step_and_is_not_asked_twice() {
    let told_then = |reaction: Reaction, more: &'static str| async move {
        let server = Server::script(vec![reaction]).await;
        let stage = telling(&[receiver("slack", more)], &server.url());
        let failure = stage.perform(NOTIFY, message()).await.0.unwrap_err();
        let all = format!("{failure:?} {failure}");
        assert!(!all.contains(SECRET) && !all.contains("127.0.0.1"), "{all}");
        assert_eq!((failure.code.as_str(), server.seen().len()), ("not-told", 1), "{all}");
        (failure.disposition, failure.message)
    };
    let (disposition, message) = told_then(answer(404, "no such channel"), "").await;
    assert_eq!(disposition, Disposition::Final);
    assert_eq!(message, "not everybody was told: notification 1 (slack): it answered 404");
    for (reaction, why) in [
        (answer(500, "broken"), "it answered 500"),
        (Reaction::Reset, "the connection to it broke"),
        // It may have been told: nobody knows, and it is no success.
        (Reaction::Hang, "it did not answer in time"),
    ] {
        let (disposition, message) = told_then(reaction, ", deadline: 1s").await;
        assert_eq!(disposition, Disposition::Retryable, "{message}");
        assert!(message.ends_with(why), "{message}");
    }
}

#[tokio::test]
async fn one_that_fails_keeps_no_other_from_being_told_and_both_are_named() {
    let server =
        Server::start(|_, seen| if seen.body.contains("blocks") { answer(400, "") } else { answer(200, "") }).await;
    let stage = telling(&everybody(", on: [message]"), &server.url());
    let failure = stage.perform(NOTIFY, message()).await.0.unwrap_err();
    assert_eq!(failure.details["told"].as_array().unwrap().len(), 3, "{failure:?}");
    assert_eq!(failure.details["untold"], json!(["notification 2 (slack): it answered 400"]));
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn where_nobody_takes_messages_the_plan_says_so() {
    let stage = telling(&[receiver("slack", ", on: [finished]")], "http://127.0.0.1:1");
    let probe = stage.probe(NOTIFY, message()).await.unwrap();
    assert_eq!(codes(&probe, Severity::Warning), ["notify-nobody"]);
    let unready = telling(&everybody(", on: [message]"), "http://127.0.0.1:1");
    let without = Context { environment: Environment::of([]), ..unready.context };
    assert!(!action::probe(NOTIFY, &call(message()), &without).await.unwrap().verified, "no secret can be read");
    assert_eq!(stage.perform(NOTIFY, message()).await.0.unwrap().outputs["told"], json!([]));
}
