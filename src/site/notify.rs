//! `notify`: who is told, of what, and for how long that is tried. Where secrets are, never a secret: the URL of a webhook
//! is one.
//!
//! ```yaml
//! notify:
//!   - { kind: slack, url: { env: LIFEBOAT_SLACK_URL }, on: [waiting-for-approval, step-failed, finished] }
//!   - { kind: pagerduty, routing_key: { file: /run/secrets/pagerduty }, deadline: 1m }
//! ```

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::{SecretReference, credential::reference};
use crate::runbook::{
    fields::{self, Fields, Key, key},
    problem::{Notebook, mistake},
    source::Node,
    span,
};

/// More than anybody reads.
const MOST_RECEIVERS: usize = 16;

/// A receiver that is well answers within a second; the rest is for one that restarts.
const DEADLINE: Duration = Duration::from_secs(30);

/// Shorter, and a name that has to be looked up twice is never told.
const SHORTEST_DEADLINE: Duration = Duration::from_secs(1);

/// The end of the process waits for so long at most, and somebody waits for the process.
const LONGEST_DEADLINE: Duration = Duration::from_mins(10);

const KIND: Key = key("kind", "webhook, slack, teams or pagerduty");
const URL: Key = key("url", "where the URL is that is posted to: { env: NAME } or { file: PATH }");
const TOKEN: Key = key("token", "where a token is that is sent as `Authorization: Bearer`");
const ROUTING_KEY: Key = key("routing_key", "where the integration key is: { env: NAME } or { file: PATH }");
const ON: Key = key("on", "what it is told; default: everything, of PagerDuty what wants a person");
const TRY_FOR: Key = key("deadline", "for how long telling it one thing is tried; default: 30s");

const NAMES: [&str; 4] = ["webhook", "slack", "teams", "pagerduty"];

/// What a receiver of each of [`NAMES`] is called in problems, and its keys.
const SHAPES: [(&str, &[Key]); 4] = [
    ("a webhook", &[KIND, URL, TOKEN, ON, TRY_FOR]),
    ("a Slack webhook", &[KIND, URL, ON, TRY_FOR]),
    ("a Teams workflow", &[KIND, URL, ON, TRY_FOR]),
    ("a PagerDuty integration", &[KIND, ROUTING_KEY, URL, ON, TRY_FOR]),
];

/// Something that somebody may want to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    Started,
    /// Another process goes on with it, or its pause was lifted.
    Resumed,
    TakenOver,
    Paused,
    WaitingForApproval,
    /// One person went on without the approvals.
    ApprovedAlone,
    /// For good, or its undo did.
    StepFailed,
    InDoubt,
    /// The drive ended, well or not.
    Finished,
    /// A step `notify` of a runbook says something.
    Message,
    /// A job of a schedule did not start.
    JobMissed,
    /// A job of a schedule ended with another exit code than 0, or left a run that no scheduler goes on with.
    JobFailed,
    /// `lifeboat notify --test`. Told to everybody; nobody asks for it.
    Test,
}

impl Occasion {
    /// What `on` takes.
    pub const ALL: [Self; 12] = [
        Self::Started,
        Self::Resumed,
        Self::TakenOver,
        Self::Paused,
        Self::WaitingForApproval,
        Self::ApprovedAlone,
        Self::StepFailed,
        Self::InDoubt,
        Self::Finished,
        Self::Message,
        Self::JobMissed,
        Self::JobFailed,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Resumed => "resumed",
            Self::TakenOver => "taken-over",
            Self::Paused => "paused",
            Self::WaitingForApproval => "waiting-for-approval",
            Self::ApprovedAlone => "approved-alone",
            Self::StepFailed => "step-failed",
            Self::InDoubt => "in-doubt",
            Self::Finished => "finished",
            Self::Message => "message",
            Self::JobMissed => "job-missed",
            Self::JobFailed => "job-failed",
            Self::Test => "test",
        }
    }

    /// Somebody has to do something, or has to know that it ended.
    fn wants_a_person(self) -> bool {
        match self {
            Self::Started | Self::Resumed | Self::Paused | Self::ApprovedAlone | Self::Message => false,
            Self::TakenOver
            | Self::WaitingForApproval
            | Self::StepFailed
            | Self::InDoubt
            | Self::Finished
            | Self::JobMissed
            | Self::JobFailed
            | Self::Test => true,
        }
    }
}

/// Who is told, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Form {
    /// A `CloudEvent` in JSON.
    Webhook {
        url: SecretReference,
        /// Sent as `Authorization: Bearer`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<SecretReference>,
    },
    Slack {
        url: SecretReference,
    },
    Teams {
        url: SecretReference,
    },
    PagerDuty {
        routing_key: SecretReference,
        /// None: `PagerDuty`'s own, in the United States.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<SecretReference>,
    },
}

impl Form {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => NAMES[0],
            Self::Slack { .. } => NAMES[1],
            Self::Teams { .. } => NAMES[2],
            Self::PagerDuty { .. } => NAMES[3],
        }
    }

    /// Each with what it is.
    pub fn secrets(&self) -> Vec<(&'static str, &SecretReference)> {
        const URL: &str = "its URL";
        match self {
            Self::Webhook { url, token } => {
                [Some((URL, url)), token.as_ref().map(|token| ("its token", token))].into_iter().flatten().collect()
            }
            Self::Slack { url } | Self::Teams { url } => vec![(URL, url)],
            Self::PagerDuty { routing_key, url } => {
                let key = ("its integration key", routing_key);
                [Some(key), url.as_ref().map(|url| (URL, url))].into_iter().flatten().collect()
            }
        }
    }

    /// It keeps an alarm open until it is told that all is well.
    pub fn keeps_alarms(&self) -> bool {
        match self {
            Self::PagerDuty { .. } => true,
            Self::Webhook { .. } | Self::Slack { .. } | Self::Teams { .. } => false,
        }
    }
}

/// One entry of `notify`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receiver {
    pub form: Form,
    pub on: BTreeSet<Occasion>,
    /// From the moment at which something happens until telling it is given up.
    #[serde(with = "span")]
    pub deadline: Duration,
}

impl Receiver {
    /// As a site file says it.
    pub(super) fn to_json(&self) -> Json {
        let mut keys = match json!(self.form) {
            Json::Object(keys) => keys,
            _ => Map::new(),
        };
        keys.insert("on".to_owned(), json!(self.on));
        keys.insert("deadline".to_owned(), json!(span::format(self.deadline)));
        keys.into()
    }
}

pub(super) fn notify(node: &Node<'_>, notebook: &mut Notebook) -> Vec<Receiver> {
    let nodes = fields::list(node, notebook).unwrap_or_default();
    if nodes.len() > MOST_RECEIVERS {
        notebook.add(node.span, mistake::out_of_range(nodes.len(), 0, MOST_RECEIVERS));
    }
    nodes.iter().filter_map(|node| receiver(node, notebook)).collect()
}

fn receiver(node: &Node<'_>, notebook: &mut Notebook) -> Option<Receiver> {
    let entries = fields::map(node, notebook)?;
    let Some(kind) = entries.iter().find(|entry| entry.key == KIND.name) else {
        notebook.add(node.head(), mistake::missing_key(KIND.name, "who is told", KIND.summary));
        return None;
    };
    let kind = fields::choice(&kind.value, "kind of receiver", &NAMES, notebook)?;
    let (holder, keys) = SHAPES[kind];
    let fields = Fields::of(node, holder, keys, notebook)?;
    let form = form(kind, &fields, notebook);
    let on = match fields.get(ON.name) {
        None => Some(everything(NAMES[kind] == "pagerduty")),
        Some(node) => occasions(node, notebook),
    };
    let deadline = fields.get(TRY_FOR.name).map_or(Some(DEADLINE), |node| deadline(node, notebook));
    Some(Receiver { form: form?, on: on?, deadline: deadline? })
}

fn form(kind: usize, fields: &Fields<'_, '_>, notebook: &mut Notebook) -> Option<Form> {
    const WHAT_URL: &str = "the URL of who is told";
    let url = |notebook: &mut Notebook| {
        let node = fields.required(URL.name, notebook)?;
        reference(node, WHAT_URL, notebook)
    };
    match NAMES[kind] {
        "webhook" => {
            let url = url(notebook);
            let token = match fields.get(TOKEN.name) {
                None => None,
                Some(node) => Some(reference(node, "the token", notebook)?),
            };
            Some(Form::Webhook { url: url?, token })
        }
        "slack" => Some(Form::Slack { url: url(notebook)? }),
        "teams" => Some(Form::Teams { url: url(notebook)? }),
        _ => {
            let node = fields.required(ROUTING_KEY.name, notebook);
            let routing_key = node.and_then(|node| reference(node, "the integration key", notebook));
            let url = match fields.get(URL.name) {
                None => None,
                Some(node) => Some(reference(node, WHAT_URL, notebook)?),
            };
            Some(Form::PagerDuty { routing_key: routing_key?, url })
        }
    }
}

/// `pages`: it wakes somebody, who is not woken for what needs nobody.
fn everything(pages: bool) -> BTreeSet<Occasion> {
    Occasion::ALL.into_iter().filter(|occasion| !pages || occasion.wants_a_person()).collect()
}

fn occasions(node: &Node<'_>, notebook: &mut Notebook) -> Option<BTreeSet<Occasion>> {
    let items = fields::list(node, notebook)?;
    if items.is_empty() {
        notebook.add(node.span, mistake::empty_value("`on`", "name what is told, or leave it out for everything"));
        return None;
    }
    let names = Occasion::ALL.map(Occasion::as_str);
    // Every one that is wrong is told.
    let found: Vec<_> = items.iter().map(|item| fields::choice(item, "thing to be told", &names, notebook)).collect();
    found.into_iter().map(|choice| choice.map(|choice| Occasion::ALL[choice])).collect()
}

fn deadline(node: &Node<'_>, notebook: &mut Notebook) -> Option<Duration> {
    let found = fields::duration(node, notebook)?;
    if !(SHORTEST_DEADLINE..=LONGEST_DEADLINE).contains(&found) {
        let [found, least, most] = [found, SHORTEST_DEADLINE, LONGEST_DEADLINE].map(span::format);
        notebook.add(node.span, mistake::out_of_range(found, least, most));
        return None;
    }
    Some(found)
}
