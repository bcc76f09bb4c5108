//! What people decided against what the tool saw. It stands first in every report, for whoever reads it later.

use jiff::Timestamp;
use serde::Serialize;

use super::story::person;
use crate::{
    run::{State, state::Ruling},
    runbook::StepId,
    style::{moment, one_line},
};

/// Somebody's decision against what a step said, or in place of what it could not say or do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Override {
    pub kind: Kind,
    /// The step that was gone past; none: whichever step confirms the outage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// `dana@jump-1`
    pub by: String,
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The run was planned to go on whatever is seen of the service that is left.
    Forced,
    /// A step that proves something was left out.
    Skipped,
    /// A person did what the step is for; a probe agreed.
    Adopted,
    /// A person's word that what was in doubt has happened; no probe could tell.
    SettledHappened,
    /// A person's word that it has not.
    SettledDidNotHappen,
    /// One person went past the approvals of a step, in an emergency.
    ApprovedAlone,
    /// A person's word that what could not be undone is back.
    SettledUndone,
}

/// All of them, the oldest first.
pub fn overrides(state: &State) -> Vec<Override> {
    let forced = state.plan.forced.iter().map(|forced| Override {
        kind: Kind::Forced,
        step: None,
        by: person(&forced.by),
        reason: forced.reason.clone(),
        at: None,
    });
    let decided = state.decided.iter().map(|decided| Override {
        kind: match decided.ruling {
            Ruling::ApprovedAlone => Kind::ApprovedAlone,
            Ruling::Skipped => Kind::Skipped,
            Ruling::Adopted => Kind::Adopted,
            Ruling::Happened => Kind::SettledHappened,
            Ruling::DidNotHappen => Kind::SettledDidNotHappen,
            Ruling::TakenBack => Kind::SettledUndone,
        },
        step: Some(state.planned(decided.place).id.clone()),
        by: person(&decided.by),
        reason: decided.reason.clone(),
        at: Some(decided.at),
    });
    forced.chain(decided).collect()
}

impl Override {
    /// One line: `forced by dana@jump-1: "seen on the status page"`.
    pub fn sentence(&self) -> String {
        let at = self.at.map(|at| format!(" at {}", moment(at))).unwrap_or_default();
        let step = self.step.as_ref().map_or_else(|| "a step".to_owned(), |step| format!("step {step}"));
        let what = match self.kind {
            Kind::Forced => "forced".to_owned(),
            Kind::ApprovedAlone => format!("{step} was approved past its approvers, alone,"),
            Kind::Skipped => format!("{step} was skipped"),
            Kind::Adopted => format!("{step} was done by hand, as a probe saw, and adopted"),
            Kind::SettledHappened => format!("{step} has happened: a person's word, which no probe could check, given"),
            Kind::SettledDidNotHappen => {
                format!("{step} has not happened: a person's word, which no probe could check, given")
            }
            Kind::SettledUndone => format!("{step} is taken back: a person's word, which no probe could check, given"),
        };
        format!("{what} by {}{at}: \"{}\"", one_line(&self.by), one_line(&self.reason))
    }
}
