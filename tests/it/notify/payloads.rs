//! What each receiver gets, held against what its maker publishes.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use lifeboat::{
    notify::{News, Severity, payload},
    run::{Event, State},
    schedule::{Occurrence, Told},
    sim::Scenario,
    site::{Form, Occasion, SecretReference},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::harness::{RESTORE_FAILS, Stage, beginning, on_paused_clock};

/// What a run of the flagship has to tell.
fn told(scenario: &str) -> Vec<News> {
    let seen: Arc<Mutex<Vec<News>>> = Arc::default();
    let into = Arc::clone(&seen);
    on_paused_clock(async move {
        let mut stage = Stage::flagship(Scenario::parse(scenario).unwrap());
        let mut seq = 0;
        stage.observers.push(Box::new(move |at: Timestamp, event: &Event, state: &State| {
            seq += 1;
            into.lock().unwrap().extend(News::of(seq, at, event, state));
        }));
        stage.start(None).await.unwrap();
    });
    let seen = seen.lock().unwrap();
    seen.clone()
}

fn occasions(news: &[News]) -> Vec<&'static str> {
    news.iter().map(|news| news.occasion.as_str()).collect()
}

fn url() -> SecretReference {
    SecretReference::Env("URL".to_owned())
}

fn body(form: &Form, news: &News) -> Value {
    let key = SecretString::from("key");
    let (kind, body) = payload(form, news, Some(&key));
    assert!(kind.starts_with("application/"));
    serde_json::from_str(body.expose_secret()).unwrap()
}

/// Everything that can be told, of a good run and a bad one, and what a schedule and a test tell.
fn everything() -> Vec<News> {
    let mut all = told("{}");
    all.extend(told(RESTORE_FAILS));
    all.extend(News::of_schedule(&missed(), beginning(), "here"));
    all.push(News::test(beginning(), "here", false));
    all.push(News { sentence: "<!channel> [a](http://b) & \u{e4}".to_owned(), ..all[0].clone() });
    all
}

fn missed() -> Told {
    let at = beginning();
    Told::Missed { job: "nightly".to_owned(), occurrence: Occurrence { at, starts: at, ends: at }, more: 2 }
}

#[test]
fn a_good_run_tells_its_beginning_its_question_and_its_end() {
    let news = told("{}");
    assert_eq!(occasions(&news), ["started", "waiting-for-approval", "finished"]);
    assert_eq!(news[1].next, "lifeboat approve test-run approve");
    let end = news.last().unwrap();
    assert!(end.ended_well && end.severity == Severity::Info, "{end:?}");
    assert!(end.title().starts_with("apim-failover (unplanned), run test-run"), "{}", end.title());
}

/// A job's failure opens an alarm, and its next good end closes it; each failure of one occurrence is news of its own.
#[test]
fn a_job_that_ends_well_closes_its_alarm_and_one_that_fails_again_is_told_again() {
    let occurrence = Occurrence { at: beginning(), starts: beginning(), ends: beginning() };
    let ended = |exit, minute| {
        let told = Told::Ended { job: "nightly".to_owned(), occurrence, exit };
        News::of_schedule(&told, beginning() + jiff::SignedDuration::from_mins(minute), "here").unwrap()
    };
    let (failed, again, well) = (ended(6, 1), ended(1, 2), ended(0, 3));
    assert_ne!(failed.id, again.id);
    assert!(!failed.ended_well && well.ended_well && failed.about == well.about, "{well:?}");
}

#[test]
fn a_schedule_tells_what_did_not_start_or_ended_badly_and_nothing_else() {
    let occurrence = Occurrence { at: beginning(), starts: beginning(), ends: beginning() };
    let job = || "nightly".to_owned();
    let of = |told: &Told| News::of_schedule(told, beginning(), "here").map(|news| news.occasion);
    assert_eq!(of(&missed()), Some(Occasion::JobMissed));
    assert_eq!(of(&Told::Overlaps { job: job(), occurrence }), Some(Occasion::JobMissed));
    assert_eq!(of(&Told::Ended { job: job(), occurrence, exit: 4 }), Some(Occasion::JobFailed));
    let open = |why: &str, first| Told::Open {
        job: job(),
        occurrence,
        outcome: None,
        paused: false,
        why: why.to_owned(),
        first,
    };
    assert_eq!(of(&open("somebody stopped it", true)), Some(Occasion::JobFailed));
    assert_eq!((of(&open("somebody stopped it", false)), of(&open("", false))), (None, None));
    assert_eq!(of(&Told::Lost { job: job(), occurrence }), Some(Occasion::JobMissed));
    assert_eq!(of(&Told::Started { job: job(), occurrence }), None);
    let news = News::of_schedule(&missed(), beginning(), "here").unwrap();
    assert!(
        news.sentence.contains("nightly") && news.sentence.ends_with(", nor were 2 before it"),
        "{}",
        news.sentence
    );
}

/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>: REQUIRED attributes, names, and what may be empty.
#[test]
fn a_webhook_gets_a_cloud_event() {
    let form = Form::Webhook { url: url(), token: None };
    for news in everything() {
        let (kind, _) = payload(&form, &news, None);
        assert!(kind.starts_with("application/cloudevents+json"), "{kind}");
        let event = body(&form, &news);
        assert_eq!(event["specversion"], "1.0");
        for required in ["id", "source", "type"] {
            assert!(event[required].as_str().is_some_and(|text| !text.is_empty()), "{required}: {event}");
        }
        let base = url::Url::parse("https://example.com/").unwrap();
        assert!(base.join(event["source"].as_str().unwrap()).is_ok(), "{event}");
        assert!(event["time"].as_str().unwrap().parse::<Timestamp>().is_ok());
        assert_eq!(event["datacontenttype"], "application/json");
        for (name, value) in event.as_object().unwrap() {
            assert!(name.len() <= 20 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
            assert!(name == "data" || value.as_str().is_some_and(|text| !text.is_empty()), "{name}: {event}");
        }
        assert_eq!(event["data"]["message"], news.sentence);
    }
}

#[test]
fn no_two_things_have_one_id() {
    let news = told("{}");
    let ids: std::collections::BTreeSet<&str> = news.iter().map(|news| news.id.as_str()).collect();
    assert_eq!(ids.len(), news.len());
}

/// <https://docs.slack.dev/reference/block-kit/blocks>: at most 150 letters in a header, 3000 in a section's text.
#[test]
fn slack_gets_text_and_blocks_and_calls_nobody() {
    let form = Form::Slack { url: url() };
    for news in everything() {
        let message = body(&form, &news);
        assert!(message["text"].as_str().is_some_and(|text| !text.is_empty()));
        let blocks = message["blocks"].as_array().unwrap();
        assert_eq!(blocks[0]["type"], "header");
        assert_eq!(blocks[0]["text"]["type"], "plain_text");
        assert!((1..=150).contains(&blocks[0]["text"]["text"].as_str().unwrap().chars().count()));
        assert_eq!(blocks[1]["type"], "section");
        assert_eq!(blocks[1]["text"]["type"], "mrkdwn");
        assert!((1..=3000).contains(&blocks[1]["text"]["text"].as_str().unwrap().chars().count()));
        assert_eq!(blocks[2]["type"], "context");
        assert!((1..=10).contains(&blocks[2]["elements"].as_array().unwrap().len()));
        let text = format!("{}{}", message["text"], blocks[1]);
        assert!(!text.contains('<') && !text.contains("& "), "{text}");
    }
}

/// <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>
#[test]
fn teams_gets_an_adaptive_card() {
    let form = Form::Teams { url: url() };
    for news in everything() {
        let message = body(&form, &news);
        assert_eq!(message["type"], "message");
        let attachment = &message["attachments"][0];
        assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
        assert!(attachment["contentUrl"].is_null());
        let card = &attachment["content"];
        assert_eq!((&card["type"], &card["version"]), (&Value::from("AdaptiveCard"), &Value::from("1.4")));
        assert_eq!(card["$schema"], "http://adaptivecards.io/schemas/adaptive-card.json");
        let elements = card["body"].as_array().unwrap();
        assert!(elements.iter().all(|element| element["type"] == "TextBlock" || element["type"] == "FactSet"));
        assert!(elements.iter().any(|element| element["text"].as_str().is_some_and(|text| !text.is_empty())));
        assert!(!message.to_string().contains("]("), "{message}");
        assert!(message.to_string().len() < 28 * 1024);
    }
}

/// <https://developer.pagerduty.com/docs/send-alert-event>
#[test]
fn pagerduty_opens_an_alarm_and_closes_it_when_all_is_well() {
    let form = Form::PagerDuty { routing_key: url(), url: None };
    for news in everything() {
        let event = body(&form, &news);
        assert_eq!(event["routing_key"], "key");
        assert_eq!(event["dedup_key"], news.about);
        if news.ended_well {
            assert_eq!(event["event_action"], "resolve");
            continue;
        }
        assert_eq!(event["event_action"], "trigger");
        let payload = &event["payload"];
        assert!((1..=1024).contains(&payload["summary"].as_str().unwrap().chars().count()));
        assert!(payload["source"].as_str().is_some_and(|text| !text.is_empty()));
        let severity = payload["severity"].as_str().unwrap();
        assert!(["critical", "error", "warning", "info"].contains(&severity), "{severity}");
        assert!(payload["timestamp"].as_str().unwrap().parse::<Timestamp>().is_ok());
    }
}

#[test]
fn a_bad_run_says_which_step_and_does_not_end_well() {
    let news = told(RESTORE_FAILS);
    let failed = news.iter().find(|news| news.occasion == Occasion::StepFailed).unwrap_or_else(|| panic!("{news:#?}"));
    assert_eq!(failed.step.as_ref().map(ToString::to_string).as_deref(), Some("restore"));
    assert!(!failed.next.is_empty());
    let end = news.last().unwrap();
    assert!(end.occasion == Occasion::Finished && !end.ended_well && end.severity != Severity::Info, "{end:?}");
}
