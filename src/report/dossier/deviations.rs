//! Where a run went otherwise than its plan foretold, and why, as far as the events tell.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{said, seconds};
use crate::{
    report::approvals::known,
    run::{Event, Record, State, StepState, Verdict},
    runbook::StepId,
    style::{moment, one_line, time},
};

/// A step that took so much longer or shorter than expected deserves a word: both the share and the seconds.
const NOTABLE_SHARE: u64 = 4;
const NOTABLE_SECONDS: u64 = 60;

#[derive(Clone, Debug, Serialize)]
pub struct Deviation {
    /// None: the run as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// Lower-case fragment: what was otherwise.
    pub what: String,
    /// Lower-case fragments, in the order in which they happened. Empty: the events do not tell.
    pub why: Vec<String>,
}

pub(super) fn of(state: &State, records: &[Record], now: Timestamp) -> Vec<Deviation> {
    let mut list = gaps(records);
    let mut of_step: HashMap<&StepId, Vec<&Record>> = HashMap::new();
    for record in records {
        if let Some(step) = record.event.step() {
            of_step.entry(step).or_default().push(record);
        }
    }
    for (place, (planned, record)) in state.plan.steps.iter().zip(&state.steps).enumerate() {
        let mut why = causes(of_step.get(&planned.id).map(Vec::as_slice).unwrap_or_default());
        if why.is_empty() && matches!(record.state, StepState::Pending { .. }) {
            why.push("the run had stopped before".to_owned());
        }
        let mut say = |what: String| list.push(Deviation { step: Some(planned.id.clone()), what, why: why.clone() });
        let expected = planned.expected.as_secs();
        let until = record.ended_at.unwrap_or(now);
        let took = record.started_at.and_then(|started| seconds(started, until));
        match &record.state {
            StepState::Pending { .. } => {
                if state.stopped.is_some() {
                    say("was planned and not reached".to_owned());
                }
            }
            StepState::Skipped { reason, by } => {
                let by = by.as_ref().map(|by| format!(" by {}", known(by))).unwrap_or_default();
                say(format!("was skipped{by}: {}", one_line(reason)));
            }
            StepState::Failed { error } => say(format!("failed: {}", one_line(&error.message))),
            StepState::Undone if state.is_rehearsed() => {}
            StepState::Undone => say("was undone".to_owned()),
            StepState::UndoFailed { error, .. } => say(format!("undoing it failed: {}", one_line(&error.message))),
            StepState::InDoubt { .. } => say("is in doubt: a request was sent, and its end is not known".to_owned()),
            StepState::Running { .. } | StepState::Waiting { .. } | StepState::Undoing { .. } => {
                say(format!("is {}", state.steps[place].state.word()));
            }
            StepState::Succeeded { .. } => match took {
                Some(took) if took.abs_diff(expected) >= NOTABLE_SECONDS.max(expected / NOTABLE_SHARE) => {
                    let than = if took > expected { "longer" } else { "shorter" };
                    let by = said(took.abs_diff(expected));
                    say(format!("took {}, {by} {than} than the expected {}", said(took), said(expected)));
                }
                Some(_) | None if !why.is_empty() => say("ended well, but not at the first attempt".to_owned()),
                Some(_) | None => {}
            },
        }
    }
    list
}

/// Times in which nobody drove.
fn gaps(records: &[Record]) -> Vec<Deviation> {
    let pairs = records.windows(2).filter_map(|pair| {
        let Event::DriverAttached { generation, by, take_over, .. } = &pair[1].event else { return None };
        if *generation < 2 {
            return None;
        }
        let gap = seconds(pair[0].at, pair[1].at).unwrap_or_default();
        let before = if let Event::RunStopped { reason, .. } = &pair[0].event {
            format!("it had stopped: {}", one_line(reason))
        } else {
            "the process that drove it was gone without a word".to_owned()
        };
        let taken = take_over
            .as_ref()
            .map(|taken| format!("it was taken over from {}: {}", known(&taken.from), one_line(&taken.reason)));
        Some(Deviation {
            step: None,
            what: format!(
                "nobody drove it for {} until {}, when {} went on with it (drive {generation})",
                said(gap),
                moment(pair[1].at),
                known(by)
            ),
            why: std::iter::once(before).chain(taken).collect(),
        })
    });
    pairs.collect()
}

/// What happened to a step on its way.
fn causes(records: &[&Record]) -> Vec<String> {
    let mut list = Vec::new();
    for record in records {
        let at = time(record.at);
        if let Event::StepFailed { error, retry_at, .. } = &record.event {
            let then = retry_at.map_or("for good", |_| "and was tried again");
            list.push(format!("{at}: an attempt failed {then}: {}", one_line(&error.message)));
        } else if let Event::StepInDoubt { error, .. } = &record.event {
            list.push(format!("{at}: in doubt: {}", one_line(&error.message)));
        } else if let Event::StepSettled { verdict, word, .. } = &record.event {
            let by = word.as_ref().map(|word| format!(", by the word of {}", known(&word.by))).unwrap_or_default();
            list.push(format!("{at}: settled{by}: {}", verdict_in_words(verdict)));
        } else if let Event::StepAdopted { by, reason, .. } = &record.event {
            list.push(format!("{at}: done by hand and adopted by {}: {}", known(by), one_line(reason)));
        } else if let Event::UndoFailed { error, .. } = &record.event {
            list.push(format!("{at}: undoing it failed: {}", one_line(&error.message)));
        }
    }
    list
}

fn verdict_in_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Happened { .. } => "it had happened".to_owned(),
        Verdict::DidNotHappen { reason } => format!("it had not happened: {}", one_line(reason)),
        Verdict::GoesOn { .. } => "it went on in Azure, and was followed; nothing was sent again".to_owned(),
        Verdict::Failed { error } => format!("it had failed: {}", one_line(&error.message)),
        Verdict::Unknown { reason, .. } => format!("not settled: {}", one_line(reason)),
    }
}
