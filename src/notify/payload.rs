//! News → what each receiver takes. Pure.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::News;
use crate::{site::Form, style::moment};

/// Beside the envelope of a `CloudEvent`: version of `data`. Changelog:
/// 1. The first.
const DATA_FORMAT: u32 = 1;

/// `CloudEvents` 1.0, JSON format, structured mode.
pub const CLOUD_EVENT: &str = "application/cloudevents+json; charset=utf-8";
pub const JSON: &str = "application/json; charset=utf-8";

/// Letters of a Slack header (docs: at most 150).
const LONGEST_HEADER: usize = 150;

/// Letters of `PagerDuty`'s deduplication key (docs: at most 255).
const LONGEST_KEY: usize = 255;

/// Content type and body. `key`: `PagerDuty`'s routing key, which has to stand in the body; so the body is a secret.
///
/// # Panics
/// Never: what is written has text keys.
pub fn payload(form: &Form, news: &News, key: Option<&SecretString>) -> (&'static str, SecretString) {
    let (kind, body) = match form {
        Form::Webhook { .. } => (CLOUD_EVENT, cloud_event(news)),
        Form::Slack { .. } => (JSON, slack(news)),
        Form::Teams { .. } => (JSON, teams(news)),
        Form::PagerDuty { .. } => (JSON, pagerduty(news, key.map(ExposeSecret::expose_secret).unwrap_or_default())),
    };
    (kind, SecretString::from(serde_json::to_string(&body).expect("text keys")))
}

fn cloud_event(news: &News) -> Value {
    let mut data = json!({
        "v": DATA_FORMAT,
        "occasion": news.occasion,
        "severity": news.severity.as_str(),
        "about": news.about,
        "title": news.title(),
        "message": news.sentence,
        "host": news.source,
        "ended_well": news.ended_well,
    });
    if let Some(mode) = news.mode {
        data["runbook"] = json!(news.runbook);
        data["mode"] = json!(mode);
        data["run"] = json!(news.about);
    }
    if let Some(step) = &news.step {
        data["run"] = json!(news.about);
        data["step"] = json!(step);
    }
    if !news.next.is_empty() {
        data["next"] = json!(news.next);
    }
    let mut event = json!({
        "specversion": "1.0",
        "id": news.id,
        // A reference, relative to wherever lifeboat is known to the receiver.
        "source": format!("/lifeboat/{}", news.source),
        "type": format!("lifeboat.{}", news.occasion.as_str()),
        "time": news.at,
        "datacontenttype": "application/json",
        "data": data,
    });
    // No attribute may be empty.
    if !news.about.is_empty() {
        event["subject"] = json!(news.about);
    }
    event
}

/// What is shown beside the sentence, in order.
fn facts(news: &News) -> Vec<(&'static str, String)> {
    let mut facts = vec![("what", news.occasion.as_str().to_owned()), ("severity", news.severity.as_str().to_owned())];
    facts.extend(news.step.as_ref().map(|step| ("step", step.to_string())));
    facts.push(("at", moment(news.at)));
    facts.push(("host", news.source.clone()));
    facts
}

fn slack(news: &News) -> Value {
    let title: String = news.title().chars().take(LONGEST_HEADER).collect();
    let mut body = escaped(&news.sentence);
    if !news.next.is_empty() {
        body = format!("{body}\n*next:* {}", escaped(&news.next));
    }
    let facts = facts(news).into_iter().map(|(name, value)| format!("{name}: {}", escaped(&value)));
    let context = facts.collect::<Vec<_>>().join("  ·  ");
    json!({
        // What a phone shows, and readers of screens.
        "text": format!("{}: {}", escaped(&news.title()), escaped(&news.sentence)),
        "blocks": [
            { "type": "header", "text": { "type": "plain_text", "text": title } },
            { "type": "section", "text": { "type": "mrkdwn", "text": body } },
            { "type": "context", "elements": [{ "type": "mrkdwn", "text": context }] },
        ],
    })
}

/// Slack's three: nobody's error message becomes a link, or calls a channel.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn teams(news: &News) -> Value {
    let colour = match news.severity {
        super::Severity::Info if news.ended_well => "Good",
        super::Severity::Info => "Default",
        super::Severity::Warning => "Warning",
        super::Severity::Error | super::Severity::Critical => "Attention",
    };
    let mut body = vec![
        json!({ "type": "TextBlock", "text": plain(&news.title()), "weight": "Bolder", "size": "Medium", "wrap": true,
                "color": colour }),
        json!({ "type": "TextBlock", "text": plain(&news.sentence), "wrap": true }),
    ];
    if !news.next.is_empty() {
        body.push(json!({ "type": "TextBlock", "text": plain(&format!("next: {}", news.next)), "wrap": true }));
    }
    let facts = facts(news).into_iter().map(|(name, value)| json!({ "title": name, "value": plain(&value) }));
    body.push(json!({ "type": "FactSet", "facts": facts.collect::<Vec<_>>() }));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": { "width": "Full" },
                "body": body,
            },
        }],
    })
}

/// A card's text is Markdown: nobody's error message becomes a link.
fn plain(text: &str) -> String {
    text.replace("](", "] (")
}

fn pagerduty(news: &News, key: &str) -> Value {
    let dedup: String = news.about.chars().take(LONGEST_KEY).collect();
    if news.ended_well {
        return json!({ "routing_key": key, "event_action": "resolve", "dedup_key": dedup });
    }
    let mut payload = json!({
        "summary": format!("{}: {}", news.title(), news.sentence),
        "source": news.source,
        "severity": news.severity.as_str(),
        "timestamp": news.at,
        "class": news.occasion.as_str(),
        "custom_details": { "id": news.id, "about": news.about, "next": news.next },
    });
    if !news.runbook.is_empty() {
        payload["group"] = json!(news.runbook);
    }
    if let Some(step) = &news.step {
        payload["component"] = json!(step);
    }
    json!({
        "routing_key": key,
        "event_action": "trigger",
        "dedup_key": dedup,
        "client": "lifeboat",
        "payload": payload,
    })
}
