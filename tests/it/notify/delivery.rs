//! Receivers that hang, fail, ask to wait or are gone: what comes of it, and that a run notices none of it.

use std::{net::TcpListener, time::Duration};

use lifeboat::{
    clock::Clock,
    notify::{News, Notifier, Untold},
    sim::Scenario,
    site::Occasion,
};

use super::{PATIENCE, SECRET, environment, receiver, receivers};
use crate::{
    harness::{Stage, beginning, on_paused_clock},
    net::{
        server::{Reaction, Seen, Server, answer, answer_with},
        transport,
    },
};

/// Times as fast as the wall's, so that a wait of half a second is none.
const SPEED: f64 = 20.0;

fn notifier(entries: &[String], base: &str) -> Notifier {
    Notifier::start(&receivers(entries), &transport(&[], Vec::new()), &environment(base), &Clock::scaled(SPEED))
}

fn news() -> News {
    News::test(beginning(), "here", false)
}

/// What one receiver was not told of one piece of news.
async fn one(entry: String, base: &str) -> Vec<Untold> {
    let notifier = notifier(&[entry], base);
    notifier.tell(&news());
    let untold = tokio::time::timeout(PATIENCE, notifier.finish()).await.unwrap();
    for untold in &untold {
        assert!(!format!("{untold} {untold:?}").contains(SECRET), "{untold}");
        assert!(!format!("{untold}").contains("127.0.0.1"), "{untold}");
    }
    untold
}

fn why(untold: &[Untold]) -> &str {
    assert_eq!(untold.len(), 1, "{untold:?}");
    &untold[0].why
}

#[tokio::test]
async fn every_kind_is_told_with_its_secrets_where_they_belong() {
    let server = Server::script(vec![answer(202, "")]).await;
    let entries = ["webhook", "slack", "teams", "pagerduty"]
        .map(|kind| receiver(kind, if kind == "webhook" { ", token: { env: KEY }" } else { "" }));
    let notifier = notifier(&entries, &server.url());
    notifier.tell(&news());
    assert_eq!(notifier.finish().await, []);
    let seen = server.seen();
    assert_eq!(seen.len(), 4);
    for seen in &seen {
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/hunter2?sig=hunter2"));
        let webhook = seen.body.contains("specversion");
        assert_eq!(seen.header("authorization") == "Bearer key-hunter2", webhook);
        assert_eq!(seen.header("content-type").starts_with("application/cloudevents+json"), webhook);
        assert_eq!(seen.body.contains("key-hunter2"), seen.body.contains("routing_key"));
    }
}

#[tokio::test]
async fn one_that_hangs_is_given_up_at_its_deadline_and_delays_no_other() {
    let hangs = Server::script(vec![Reaction::Hang]).await;
    let untold = one(receiver("slack", ", deadline: 10s"), &hangs.url()).await;
    assert_eq!(why(&untold), "it did not answer in time");
    assert_eq!((untold[0].lost, untold[0].of, hangs.seen().len()), (1, 1, 1));
    // What waits behind it would come too late.
    let is_slack = |seen: &Seen| seen.body.contains("blocks");
    let server = Server::start(move |_, seen| if is_slack(seen) { Reaction::Hang } else { answer(200, "") }).await;
    let notifier =
        notifier(&[receiver("slack", ", deadline: 10s"), receiver("teams", ", deadline: 10s")], &server.url());
    notifier.tell(&news());
    let untold = notifier.finish().await;
    assert_eq!((why(&untold), untold[0].place), ("it did not answer in time", 0));
}

#[tokio::test]
async fn one_that_fails_for_a_moment_is_told_the_same_again() {
    let server = Server::script(vec![answer(500, "broken"), Reaction::Reset, answer(200, "ok")]).await;
    assert_eq!(one(receiver("webhook", ", deadline: 5m"), &server.url()).await, []);
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|again| again.body == seen[0].body));
}

#[tokio::test]
async fn whoever_asks_to_wait_is_given_the_time_if_there_is_so_much() {
    let server = Server::script(vec![answer_with(429, &[("retry-after", "20")], ""), answer(200, "ok")]).await;
    let clock = Clock::scaled(SPEED);
    let begin = clock.moment();
    assert_eq!(one(receiver("slack", ", deadline: 5m"), &server.url()).await, []);
    assert!(clock.since(&begin) >= Duration::from_secs(20));
    let impatient = Server::script(vec![answer_with(429, &[("retry-after", "3600")], "")]).await;
    let untold = one(receiver("slack", ", deadline: 5m"), &impatient.url()).await;
    assert_eq!(why(&untold), "it answered 429 and asks to wait for 3600 s");
    assert_eq!(impatient.seen().len(), 1);
}

#[tokio::test]
async fn what_another_try_would_not_mend_is_not_tried_again() {
    for status in [302, 400, 401, 404, 410] {
        let server = Server::script(vec![answer_with(status, &[("location", "/elsewhere")], "no")]).await;
        let untold = one(receiver("teams", ""), &server.url()).await;
        assert!(why(&untold).starts_with(&format!("it answered {status}")), "{untold:?}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn one_that_is_gone_or_has_no_secret_is_told_of() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(why(&one(receiver("pagerduty", ", deadline: 10s"), &gone).await), "it cannot be reached");
    let missing = "- { kind: slack, url: { env: NOWHERE } }".to_owned();
    assert_eq!(why(&one(missing, &gone).await), "its URL is not in the environment; set the variable NOWHERE");
    // The integration key where the URL should be.
    let mixed = "- { kind: slack, url: { env: KEY } }".to_owned();
    assert_eq!(why(&one(mixed, &gone).await), "its URL is none: it begins with https:// and has a host");
    let plain = why(&one(receiver("slack", ""), "http://hooks.example.com").await).to_owned();
    assert_eq!(plain, "its URL is plain http to another machine; write https");
}

#[tokio::test]
async fn a_full_queue_loses_what_comes_next_and_nobody_waits() {
    let hangs = Server::script(vec![Reaction::Hang]).await;
    let notifier = notifier(&[receiver("webhook", ", deadline: 10s")], &hangs.url());
    for _ in 0..200 {
        notifier.tell(&news());
    }
    let untold = notifier.finish().await;
    assert_eq!(why(&untold), "more than 64 waited for it");
    assert_eq!((untold[0].lost, untold[0].of), (200, 200));
}

#[tokio::test]
async fn everybody_hears_what_they_asked_for_and_an_alarm_is_always_closed() {
    let server = Server::script(vec![answer(200, "")]).await;
    let entries = [receiver("slack", ", on: [in-doubt, job-failed]"), receiver("pagerduty", ", on: [in-doubt]")];
    let notifier = notifier(&entries, &server.url());
    // A job's good end is news to nobody but an alarm.
    for (occasion, ended_well) in [(Occasion::Started, false), (Occasion::Finished, true), (Occasion::JobFailed, true)]
    {
        notifier.tell(&News { occasion, ended_well, ..news() });
    }
    assert_eq!(notifier.finish().await, []);
    let seen = server.seen();
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen.iter().all(|seen| seen.body.contains("\"resolve\"")), "{seen:?}");
}

/// Time and name of every event of a run.
fn played(with: Option<Vec<Reaction>>) -> Vec<(String, &'static str)> {
    on_paused_clock(async move {
        let mut stage = Stage::flagship(Scenario::default());
        let server = match with {
            Some(reactions) => Some(Server::script(reactions).await),
            None => None,
        };
        let notifier = server.as_ref().map(|server| {
            let entries = [receiver("slack", ", deadline: 10m"), "- { kind: teams, url: { env: NOWHERE } }".to_owned()];
            notifier(&entries, &server.url())
        });
        stage.observers.extend(notifier.as_ref().map(|notifier| notifier.observer(1)));
        stage.start(None).await.unwrap();
        let records = stage.load().unwrap().records;
        records.into_iter().map(|record| (record.at.to_string(), record.event.name())).collect()
    })
}

#[test]
fn a_run_takes_the_same_time_whoever_is_told() {
    let alone = played(None);
    assert!(alone.len() > 20);
    assert_eq!(played(Some(vec![Reaction::Hang])), alone);
    assert_eq!(played(Some(vec![answer(500, "")])), alone);
}
