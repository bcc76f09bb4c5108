//! What is not known of a request, in full: what was sent and by whom, what was seen since, what would settle it, and the
//! commands for that. For a step in doubt, and for an undo that is stuck.
//!
//! Built from events alone; never looks.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Advice, Commands, Standing, story::person};
use crate::{
    run::{
        Outcome, State, StepState,
        state::{BY_HAND, FOUND, StepRecord},
    },
    runbook::{ResourceId, StepId},
    style::one_line,
};

/// An activity log is asked from a little before the request: two machines' clocks differ.
const BEFORE: SignedDuration = SignedDuration::from_mins(5);

/// Last words of a URL that ask a resource to do something, and are none of its name.
const VERBS: [&str; 2] = ["/backup", "/restore"];

/// A request whose end nobody knows, or a way back that could not be gone.
#[derive(Clone, Debug, Serialize)]
pub struct Doubt {
    /// `POST https://…`; none: an undo that failed before it asked for anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// `dana@jump-1, process 4711`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When a probe last looked; none: nobody has looked since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<Timestamp>,
    /// What was seen since: a lower-case fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// What would settle it.
    pub settled_by: String,
    /// The commands for it, the first to type first.
    pub commands: Vec<Advice>,
}

impl Doubt {
    /// None: the step is neither in doubt nor stuck, or a process is at work on it.
    pub fn of(state: &State, place: usize, standing: Standing, commands: &Commands) -> Option<Self> {
        let Unclear { seen, settled_by, may_be_settled } = unclear(state, place, standing)?;
        let record = &state.steps[place];
        let id = &state.planned(place).id;
        let mut list = vec![Advice {
            command: commands.about("resume", &state.run, ""),
            why: "look again; nothing is sent twice".to_owned(),
        }];
        if commands.site_lives {
            list.extend(by_hand(id, record));
            list.extend(questions(id, record));
        }
        if may_be_settled {
            list.extend(last_resort(state, id, &record.state, commands));
        }
        let sent = record.sent.as_ref();
        let driver = sent.and_then(|sent| Some((sent.by.as_ref()?, sent.pid)));
        Some(Self {
            request: sent.map(|sent| format!("{} {}", sent.method, sent.url)),
            sent_at: sent.map(|sent| sent.at),
            by: driver.map(|(by, pid)| format!("{}, process {pid}", person(by))),
            looked_at: record.looked_at,
            seen,
            settled_by,
            commands: list,
        })
    }
}

/// What would put back by hand all that could not be undone.
pub fn all_by_hand(state: &State) -> Vec<Advice> {
    state.plan.steps.iter().zip(&state.steps).flat_map(|(planned, record)| by_hand(&planned.id, record)).collect()
}

/// How to find out, and the last resort, for all that is in doubt or stuck.
pub fn ways_out(state: &State, standing: Standing, commands: &Commands) -> Vec<Advice> {
    let mut list = Vec::new();
    for place in 0..state.steps.len() {
        let Some(shape) = unclear(state, place, standing) else { continue };
        let (id, record) = (&state.planned(place).id, &state.steps[place]);
        // Whoever was only interrupted resumes; the rest is in the JSON form.
        if commands.site_lives && standing != Standing::Ended(Outcome::Interrupted) {
            list.extend(questions(id, record));
        }
        if shape.may_be_settled {
            list.extend(last_resort(state, id, &record.state, commands));
        }
    }
    list
}

/// What is seen of a step that is in doubt or stuck.
struct Unclear {
    seen: Option<String>,
    settled_by: String,
    may_be_settled: bool,
}

fn unclear(state: &State, place: usize, standing: Standing) -> Option<Unclear> {
    let record = &state.steps[place];
    let (seen, settled_by, may_be_settled) = match &record.state {
        StepState::InDoubt { unknown: Some(unknown), .. } => {
            (Some(unknown.reason.clone()), unknown.remedy.clone(), true)
        }
        StepState::InDoubt { attempt, error, unknown: None } if attempt.intent.is_some() => {
            (error.as_ref().map(|error| error.message.clone()), LOOK.to_owned(), false)
        }
        StepState::Running { attempt, .. } if attempt.intent.is_some() && !standing.may_be_driven() => {
            (record.note.as_ref().map(|(note, _)| note.clone()), LOOK.to_owned(), false)
        }
        StepState::UndoFailed { error, .. } => {
            let found = error.details.get(FOUND).and_then(|found| found.as_str());
            (Some(found.unwrap_or(&error.message).to_owned()), error.hint.clone(), true)
        }
        StepState::Running { .. }
        | StepState::InDoubt { .. }
        | StepState::Pending { .. }
        | StepState::Waiting { .. }
        | StepState::Succeeded { .. }
        | StepState::Failed { .. }
        | StepState::Skipped { .. }
        | StepState::Undoing { .. }
        | StepState::Undone => return None,
    };
    Some(Unclear { seen: seen.map(|seen| one_line(&seen)), settled_by, may_be_settled })
}

const LOOK: &str = "resume the run: a probe looks what became of it, and nothing is sent twice";

/// What would put back by hand what could not be undone, as the action itself says it.
fn by_hand(step: &StepId, record: &StepRecord) -> Vec<Advice> {
    let StepState::UndoFailed { error, .. } = &record.state else { return Vec::new() };
    let told = error.details.get(BY_HAND);
    let list = told.and_then(|told| told.as_array()).map(Vec::as_slice).unwrap_or_default();
    let commands = told.and_then(|told| told.as_str()).into_iter().chain(list.iter().filter_map(|one| one.as_str()));
    let why = || format!("take `{step}` back by hand, if that is still right");
    commands.map(|command| Advice { command: command.to_owned(), why: why() }).collect()
}

/// How Azure is asked about it: what is there now, what its own operation says, and who changed it.
fn questions(step: &StepId, record: &StepRecord) -> Vec<Advice> {
    let Some(resource) = record.sent.as_ref().and_then(|sent| resource(&sent.url)) else { return Vec::new() };
    let mut list = vec![Advice {
        command: format!("az rest --method get --url '{}'", resource.url),
        why: format!("what is there now, of step {step}"),
    }];
    if let Some(operation) = super::step::attempt(&record.state).and_then(|attempt| attempt.operation.as_ref())
        && operation.url != resource.url
    {
        let command = format!("az rest --method get --url '{}'", operation.url);
        list.push(Advice { command, why: format!("what Azure says of the operation of step {step}") });
    }
    let since = record.sent.as_ref().map(|sent| format!(" --start-time {}", second(sent.at - BEFORE)));
    let (id, since) = (resource.id, since.unwrap_or_default());
    list.push(Advice {
        command: format!(
            "az monitor activity-log list --resource-id '{id}'{since} --query \
             \"[].{{at:eventTimestamp,what:operationName.value,status:status.value,who:caller}}\" --output table"
        ),
        why: format!("who changed it, and when: step {step}"),
    });
    list
}

/// A resource of the resource manager that a request was about.
struct Resource {
    url: String,
    id: String,
}

/// None: the request did not go to the resource manager.
fn resource(url: &str) -> Option<Resource> {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let address = VERBS.iter().find_map(|verb| address.strip_suffix(verb)).unwrap_or(address);
    let id = &address[address.find("/subscriptions/")?..];
    ResourceId::parse(id).ok()?;
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    Some(Resource { url: format!("{address}{query}"), id: id.to_owned() })
}

fn last_resort(state: &State, step: &StepId, now: &StepState, commands: &Commands) -> Vec<Advice> {
    let settle = |word: &str| commands.about("settle", &state.run, &format!("{step} --{word} --reason TEXT"));
    let say = |word: &str, why: &str| Advice { command: settle(word), why: format!("the last resort: {why}") };
    if let StepState::UndoFailed { .. } = now {
        return vec![say("happened", "answer for it yourself that it is back")];
    }
    vec![
        say("happened", "answer for it yourself that it has happened"),
        say("did-not-happen", "answer for it yourself that it has not, and cannot any more; it may be sent again"),
    ]
}

fn second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
