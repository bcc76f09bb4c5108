//! One sentence an event: what a person reads, in the live view and in plain lines alike.

mod of_run;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Commands, pools};
use crate::{
    run::{Event, Intent, Person, State, StepError, StepState, Verdict, Word},
    runbook::{ActionKind, StepId},
    style::{Symbol, duration, one_line, time},
};

/// How a view speaks.
#[derive(Clone, Debug, Default)]
pub struct Voice {
    pub commands: Commands,
    /// This process reads the answer to an approval from its own terminal.
    pub asks_here: bool,
}

/// How much an event matters to somebody who watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Only worth a line while it lasts: what is waited for.
    Passing,
    /// Worth a line in a log.
    Detail,
    /// Stays on the screen.
    News,
}

/// What happened, in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Sentence {
    pub weight: Weight,
    pub symbol: Symbol,
    /// None: the run as a whole.
    pub step: Option<StepId>,
    /// One line, without control characters.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Sentence {
    fn new(weight: Weight, symbol: Symbol, step: Option<&StepId>, text: impl AsRef<str>) -> Self {
        Self { weight, symbol, step: step.cloned(), text: one_line(text.as_ref()), hint: None }
    }

    fn hint(self, hint: impl AsRef<str>) -> Self {
        let hint = one_line(hint.as_ref());
        Self { hint: (!hint.is_empty()).then_some(hint), ..self }
    }
}

/// Every event of a run as it was told when it happened: with its place in the list, and its sentences. `events`: from the
/// first; one that does not follow ends it.
pub fn retell<'a>(
    events: impl IntoIterator<Item = (Timestamp, &'a Event)>,
    voice: &Voice,
) -> Vec<(usize, Timestamp, Sentence)> {
    let mut state: Option<State> = None;
    let mut told = Vec::new();
    for (place, (at, event)) in events.into_iter().enumerate() {
        let folded = match &mut state {
            None => State::begin(at, event).map(|begun| state = Some(begun)),
            Some(state) => state.apply(at, event),
        };
        let (Ok(()), Some(state)) = (folded, &state) else { break };
        told.extend(tell(at, event, state, voice).into_iter().map(|sentence| (place, at, sentence)));
    }
    told
}

/// The sentences of one event; `state` is the one after it. More than one only when somebody takes the run up.
pub fn tell(at: Timestamp, event: &Event, state: &State, voice: &Voice) -> Vec<Sentence> {
    let sentence = match event {
        Event::DriverAttached { .. } => {
            let mut sentences = vec![of_run::tell(event)];
            sentences.extend(questions(state, voice));
            return sentences;
        }
        Event::Planned { .. }
        | Event::Confirmed { .. }
        | Event::StopRequested { .. }
        | Event::Paused { .. }
        | Event::PauseLifted { .. }
        | Event::ApprovalFiled { .. }
        | Event::DriftAccepted { .. }
        | Event::RunStopped { .. } => of_run::tell(event),
        Event::StepStarted { step, attempt, deadline, arguments } => {
            let action = state.place(step).map(|place| state.planned(place).action);
            if action == Some(ActionKind::Approval) {
                let prompt = arguments.get("prompt").and_then(Value::as_str).unwrap_or_default();
                question(state, step, prompt, *deadline, voice)
            } else {
                started(state, step, *attempt, *deadline)
            }
        }
        Event::ChangeIntended { step, intent } => {
            Sentence::new(Weight::Detail, Symbol::Running, Some(step), format!("sends {}", request(intent)))
        }
        Event::OperationAccepted { step, operation } => {
            let text = format!("Azure accepted it and goes on by itself: {}", operation.url);
            Sentence::new(Weight::Detail, Symbol::Running, Some(step), text)
        }
        Event::StepNoted { step, message, until } => {
            let until = until.map(|until| format!(", until {}", time(until))).unwrap_or_default();
            Sentence::new(Weight::Passing, Symbol::Waiting, Some(step), format!("{message}{until}"))
        }
        Event::StepSucceeded { step, .. } => succeeded(at, state, step),
        Event::StepFailed { step, error, retry_at } => failed(at, state, step, error, *retry_at),
        Event::StepSkipped { step, reason, by: None } => {
            Sentence::new(Weight::News, Symbol::Skipped, Some(step), format!("skipped: {reason}"))
        }
        Event::StepSkipped { step, reason, by: Some(by) } => {
            let text = format!("skipped by {}: {reason}", person(by));
            Sentence::new(Weight::News, Symbol::Warning, Some(step), text)
        }
        Event::StepInDoubt { step, error } => {
            let text = format!("in doubt: {error} [{}]", error.code);
            Sentence::new(Weight::News, Symbol::Doubt, Some(step), text).hint(&error.hint)
        }
        Event::StepSettled { step, verdict, word: None } => settled(step, verdict),
        Event::StepSettled { step, verdict, word: Some(word) } => settled_by(step, verdict, word),
        Event::StepAdopted { step, by, reason, .. } => {
            let text = format!("adopted by {}, and a probe agrees: {reason}", person(by));
            Sentence::new(Weight::News, Symbol::Warning, Some(step), text)
        }
        Event::ApprovalGiven { step, by, comment } => approved(state, step, by, comment.as_deref()),
        Event::ApprovalRefused { step, by, comment } => {
            let text = format!("{} refused{}", person(by), said(comment.as_deref()));
            Sentence::new(Weight::News, Symbol::Failed, Some(step), text)
        }
        Event::ApprovalOverridden { step, by, reason } => {
            let text = format!("{} goes on alone, past the approvals: {reason}", person(by));
            let hint = "it stays open until somebody else signs it off: `lifeboat approve RUN STEP`";
            Sentence::new(Weight::News, Symbol::Warning, Some(step), text).hint(hint)
        }
        Event::ApprovalSignedOff { step, approval } => {
            let text = format!("signed off by {}{}", person(&approval.by), said(approval.comment.as_deref()));
            Sentence::new(Weight::News, Symbol::Done, Some(step), text)
        }
        Event::UndoStarted { step } => Sentence::new(Weight::News, Symbol::Undo, Some(step), "undoing it"),
        Event::UndoIntended { step, intent } => {
            Sentence::new(Weight::Detail, Symbol::Undo, Some(step), format!("sends {}", request(intent)))
        }
        Event::UndoSucceeded { step, word: None, .. } => {
            Sentence::new(Weight::News, Symbol::Undo, Some(step), "undone")
        }
        Event::UndoSucceeded { step, word: Some(word), .. } => {
            let text = format!("is back, says {}, and no probe could tell: {}", person(&word.by), word.reason);
            Sentence::new(Weight::News, Symbol::Warning, Some(step), text)
        }
        Event::UndoFailed { step, error } => {
            let text = format!("could not be undone: {error} [{}]", error.code);
            Sentence::new(Weight::News, Symbol::Failed, Some(step), text).hint(&error.hint)
        }
    };
    vec![sentence]
}

/// What the approvals that are wanted now ask; for a view that begins when they were asked already.
fn questions(state: &State, voice: &Voice) -> Vec<Sentence> {
    let wanted = state.approvals_wanted();
    let sentences = wanted.iter().filter_map(|(step, prompt)| {
        let attempt = super::step::attempt(&state.steps[state.place(step)?].state)?;
        Some(question(state, step, prompt, attempt.deadline, voice))
    });
    sentences.collect()
}

fn question(state: &State, step: &StepId, prompt: &str, deadline: Timestamp, voice: &Voice) -> Sentence {
    let approve = voice.commands.about("approve", &state.run, step.as_str());
    let reject = voice.commands.about("reject", &state.run, step.as_str());
    let how = if voice.asks_here {
        format!("type yes or no and press Enter; from elsewhere: `{approve}` or `{reject}`")
    } else {
        format!("answer with `{approve}` or `{reject}`")
    };
    let text = format!("asks: {prompt} (until {})", time(deadline));
    Sentence::new(Weight::News, Symbol::Ask, Some(step), text).hint(how)
}

fn started(state: &State, step: &StepId, attempt: u32, deadline: Timestamp) -> Sentence {
    let text = match state.place(step).map(|place| state.planned(place)) {
        Some(planned) => {
            let about = SignedDuration::try_from(planned.expected).unwrap_or(SignedDuration::MAX);
            let attempts = match planned.retry.attempts {
                1 => String::new(),
                allowed => format!(", attempt {attempt} of {allowed}"),
            };
            format!(
                "started: {}{attempts}, takes about {}, at most until {}",
                planned.action,
                duration(about),
                time(deadline)
            )
        }
        None => "started".to_owned(),
    };
    Sentence::new(Weight::Detail, Symbol::Running, Some(step), text)
}

fn succeeded(at: Timestamp, state: &State, step: &StepId) -> Sentence {
    let record = state.place(step).map(|place| &state.steps[place]);
    let took = record.and_then(|record| record.started_at).map(|started| at.duration_since(started));
    let took = took.map(|took| format!(" in {}", duration(took))).unwrap_or_default();
    let outcome = state.place(step).and_then(|place| outcome(state, place)).unwrap_or_default();
    let approval = state.place(step).is_some_and(|place| state.planned(place).action == ActionKind::Approval);
    // That somebody approved has just been said.
    let weight = if approval { Weight::Detail } else { Weight::News };
    Sentence::new(weight, Symbol::Done, Some(step), format!("done{took}{outcome}"))
}

/// The one output that people want to see.
fn outcome(state: &State, place: usize) -> Option<String> {
    let StepState::Succeeded { outputs } = &state.steps[place].state else { return None };
    let text = |name: &str| outputs.get(name).and_then(Value::as_str);
    let outcome = match state.planned(place).action {
        ActionKind::VerifyStandby => format!("tier {} in {}", text("tier")?, text("location")?),
        ActionKind::FindLatest => match text("age") {
            Some(age) => format!("{}, {age} old", text("name")?),
            None => text("name")?.to_owned(),
        },
        ActionKind::GatewayHealth => format!("healthy at {}", text("address")?),
        ActionKind::Backup => match text("skipped") {
            Some(why) => format!("skipped: {why}"),
            None => text("name")?.to_owned(),
        },
        ActionKind::Prune if text("frozen").is_some() => format!("frozen by run {}", text("frozen")?),
        ActionKind::Prune => {
            format!("{} deleted, {} kept", outputs.get("deleted")?.as_array()?.len(), outputs.get("kept")?)
        }
        ActionKind::Compare => format!("{} differences", outputs.get("differences")?),
        ActionKind::SetTtl => format!("{} has the TTL {}", text("hostname")?, text("ttl")?),
        ActionKind::FlipCname | ActionKind::FlipPrivateCname => match (text("hostname"), text("previous_target")) {
            (Some(hostname), Some(before)) => format!("{hostname} points at {}, before: {before}", text("target")?),
            (_, _) => format!("points at {}", text("target")?),
        },
        action @ (ActionKind::SetEndpoints | ActionKind::SetOrigin) => pools::outcome(action, outputs),
        ActionKind::HttpRequest => format!("status {}", outputs.get("status")?),
        ActionKind::Command => format!("exit code {}", outputs.get("exit_code")?),
        ActionKind::Notify => match outputs.get("told")?.as_array()?.len() {
            0 => "nobody was told".to_owned(),
            told => format!("{told} told"),
        },
        ActionKind::Approval => {
            let names = outputs.get("approved_by")?.as_array()?.iter().filter_map(Value::as_str);
            format!("approved by {}", names.collect::<Vec<_>>().join(", "))
        }
        ActionKind::ConfirmOutage
        | ActionKind::Restore
        | ActionKind::VerifyRestore
        | ActionKind::VerifyPropagation
        | ActionKind::Wait => return None,
    };
    Some(format!(": {outcome}"))
}

fn failed(at: Timestamp, state: &State, step: &StepId, error: &StepError, retry_at: Option<Timestamp>) -> Sentence {
    let place = state.place(step);
    if let Some(again) = retry_at {
        let allowed = place.map_or(1, |place| state.planned(place).retry.attempts);
        let made = place.map_or(1, |place| state.steps[place].attempts);
        let wait = duration(again.duration_since(at));
        let text = format!("not yet: {error}; attempt {} of {allowed} in {wait}", made + 1);
        return Sentence::new(Weight::Detail, Symbol::Waiting, Some(step), text);
    }
    let goes_on = if place.is_some_and(|place| state.tolerated(place)) { "; the run goes on" } else { "" };
    let text = format!("failed: {error} [{}]{goes_on}", error.code);
    Sentence::new(Weight::News, Symbol::Failed, Some(step), text).hint(&error.hint)
}

fn settled(step: &StepId, verdict: &Verdict) -> Sentence {
    let sentence = |symbol, text: String| Sentence::new(Weight::News, symbol, Some(step), text);
    match verdict {
        Verdict::Happened { .. } => {
            sentence(Symbol::Done, "settled: it had happened, nothing is sent again".to_owned())
        }
        Verdict::DidNotHappen { reason } => {
            sentence(Symbol::Note, format!("settled: it did not happen ({reason}); it may start again"))
        }
        Verdict::GoesOn { operation: Some(operation) } => {
            sentence(Symbol::Running, format!("settled: it goes on in Azure and is followed: {}", operation.url))
        }
        Verdict::GoesOn { operation: None } => {
            sentence(Symbol::Running, "settled: it goes on in Azure; the service itself is watched".to_owned())
        }
        Verdict::Failed { error } => {
            sentence(Symbol::Failed, format!("settled: it failed: {error} [{}]", error.code)).hint(&error.hint)
        }
        Verdict::Unknown { reason, remedy } => {
            sentence(Symbol::Doubt, format!("still in doubt: {reason}")).hint(remedy)
        }
    }
}

/// A person's word, and told as one.
fn settled_by(step: &StepId, verdict: &Verdict, word: &Word) -> Sentence {
    let what = match verdict {
        Verdict::Happened { .. } => "it had happened",
        Verdict::DidNotHappen { .. } => "it did not happen",
        Verdict::GoesOn { .. } => "it goes on",
        Verdict::Failed { .. } => "it failed",
        Verdict::Unknown { .. } => "it is not known",
    };
    let text = format!("settled: {what}, says {}, and no probe could tell: {}", person(&word.by), word.reason);
    Sentence::new(Weight::News, Symbol::Warning, Some(step), text)
}

fn approved(state: &State, step: &StepId, by: &Person, comment: Option<&str>) -> Sentence {
    let wanted = state.place(step).map_or(1, |place| state.approvers_wanted(place));
    let given = state.place(step).map_or(1, |place| state.steps[place].approvals.len());
    let of = if wanted > 1 { format!(", {given} of {wanted}") } else { String::new() };
    let text = format!("{} approved{of}{}", person(by), said(comment));
    Sentence::new(Weight::News, Symbol::Done, Some(step), text)
}

/// `dana@jump-1`; what nobody checked is said to be so nowhere but in the journal. The stand-in is named.
pub fn person(by: &Person) -> String {
    let stand_in = if by.simulated && !by.name.contains("simulated") { " (simulated)" } else { "" };
    if by.host.is_empty() { format!("{}{stand_in}", by.name) } else { format!("{}@{}{stand_in}", by.name, by.host) }
}

fn said(comment: Option<&str>) -> String {
    comment.filter(|comment| !comment.trim().is_empty()).map(|comment| format!(": {comment}")).unwrap_or_default()
}

fn request(intent: &Intent) -> String {
    format!("{} {}", intent.request.method, intent.request.url)
}
