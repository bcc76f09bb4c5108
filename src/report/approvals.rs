//! What people said yes to, what one of them did alone, and what they went past: for every report of a run.
//!
//! A report with an open item is never green, whatever came of the run.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::story::person;
use crate::{
    plan::{Plan, text::starts},
    run::{
        Person, State,
        approval::{Approval, Scope},
    },
    runbook::{ActionKind, StepId},
    style::{moment, one_line},
};

/// One yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Approved {
    /// The step that it answered; none: it is filed, and no step has asked yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    pub scope: Scope,
    /// `dana@contoso.com`, else `dana@jump-1`.
    pub by: String,
    /// An identity provider said who it is, or a key that the site trusts.
    pub verified: bool,
    /// That it is somebody else than who began the run is known; else their users' names say so, and nothing more. None: nobody
    /// has begun one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_apart: Option<bool>,
    /// The simulator's stand-in, no person.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
    /// The name under which the site trusts the key that signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// It is signed; the signature fits, or it would not have been taken.
    pub signed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    pub at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Something that somebody must still answer for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpenItem {
    pub step: StepId,
    /// Who went on alone.
    pub by: String,
    /// How that is known: `unverified`.
    pub identity: String,
    pub reason: String,
    pub at: Timestamp,
    /// None: it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_off_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_off_identity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_off_at: Option<Timestamp>,
}

/// A difference from the plan that somebody went past when the run began.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Accepted {
    pub what: String,
    pub was: Value,
    pub is: Value,
    pub by: String,
    /// How that is known: `unverified`.
    pub identity: String,
    pub reason: String,
    pub at: Timestamp,
}

/// Those that answered a step in the plan's order, then those that no step has asked for yet.
pub fn approvals(state: &State) -> Vec<Approved> {
    let (trusted, starter) = (state.plan.site.trusted(), Some(&state.by));
    let given = state.approvals().map(|(place, given)| {
        let step = state.planned(place).id.clone();
        match given.document.as_deref() {
            Some(document) => Approved { step: Some(step), ..Approved::of(document, trusted, starter) },
            None => Approved {
                step: Some(step.clone()),
                scope: Scope::Step(step),
                by: who(&given.by),
                verified: given.by.verified,
                simulated: given.by.simulated,
                told_apart: Some(given.by.is_told_apart(&state.by, trusted)),
                signer: None,
                signed: false,
                comment: given.comment.clone(),
                at: given.at,
                until: None,
            },
        }
    });
    let waiting = state.filed.iter().filter(|filed| filed.used.is_empty());
    given.chain(waiting.map(|waiting| Approved::of(&waiting.approval, trusted, starter))).collect()
}

impl Approved {
    /// Of a document. `starter`: of its run, where there is one.
    pub fn of(document: &Approval, trusted: &BTreeMap<String, String>, starter: Option<&Person>) -> Self {
        let signer = document.signer(trusted);
        let by = who(&document.by);
        let by = match signer {
            // The key counts; the name beside it is what its holder wrote there.
            Some(signer) if !document.by.may_be_called(signer) => format!("{signer} (calls themselves {by})"),
            Some(_) | None => by,
        };
        Self {
            step: None,
            scope: document.scope.clone(),
            by,
            verified: document.by.verified || signer.is_some(),
            simulated: document.by.simulated,
            told_apart: starter.map(|starter| document.person().is_told_apart(starter, trusted)),
            signer: signer.map(str::to_owned),
            signed: document.signature.is_some(),
            comment: document.comment.clone(),
            at: document.at,
            until: document.until,
        }
    }
}

/// Approvals that will have ended when their step asks, if everything takes as long as foretold: known now, not behind the
/// restore.
pub fn end_too_soon(plan: &Plan, now: Timestamp, approvals: &[Approval]) -> Vec<String> {
    let asks = plan.steps.iter().zip(starts(plan)).filter(|(step, _)| step.action == ActionKind::Approval);
    let lines = asks.flat_map(|(step, start)| {
        let at = now + SignedDuration::try_from(start).unwrap_or(SignedDuration::MAX);
        let ended = approvals.iter().filter(move |approval| approval.covers(&step.id) && approval.has_ended(at));
        ended.filter_map(move |approval| {
            Some(format!(
                "the approval of {} ends at {}, and step {} is expected to ask at {}: it will have to be given again then",
                approval.by.shown(),
                moment(approval.until?),
                step.id,
                moment(at)
            ))
        })
    });
    lines.collect()
}

/// What one person did alone, signed off since or not.
pub fn done_alone(state: &State) -> Vec<OpenItem> {
    let items = state.alone.iter().map(|alone| {
        let off = alone.signed_off.as_ref();
        let other = off.map(|it| Approved::of(&it.approval, state.plan.site.trusted(), Some(&state.by)));
        OpenItem {
            step: state.planned(alone.place).id.clone(),
            by: who(&alone.by),
            identity: identity(&alone.by).to_owned(),
            reason: alone.reason.clone(),
            at: alone.at,
            signed_off_identity: other.as_ref().map(Approved::identity),
            signed_off_by: other.map(|it| it.by),
            signed_off_at: off.map(|it| it.at),
        }
    });
    items.collect()
}

/// Those that nobody has signed off.
pub fn open_items(state: &State) -> Vec<OpenItem> {
    done_alone(state).into_iter().filter(|item| item.signed_off_at.is_none()).collect()
}

pub fn accepted_drift(state: &State) -> Vec<Accepted> {
    let accepted = state.accepted_drift.iter().map(|accepted| Accepted {
        what: accepted.drift.what.clone(),
        was: accepted.drift.was.clone(),
        is: accepted.drift.is.clone(),
        by: who(&accepted.by),
        identity: identity(&accepted.by).to_owned(),
        reason: accepted.reason.clone(),
        at: accepted.at,
    });
    accepted.collect()
}

/// The account that a token told, else the user and the machine.
pub(super) fn who(by: &Person) -> String {
    by.account.clone().unwrap_or_else(|| person(by))
}

/// How it is known who somebody is.
pub(super) fn identity(by: &Person) -> &'static str {
    match (by.simulated, by.verified) {
        (true, _) => "simulated, no person",
        (false, true) => "by the account of the access token",
        (false, false) => "unverified",
    }
}

/// `bo@jump-2 (unverified)`
pub(super) fn known(by: &Person) -> String {
    format!("{} ({})", who(by), identity(by))
}

impl Approved {
    /// How it is known who it was.
    pub fn identity(&self) -> String {
        match (&self.signer, self.signed, self.verified) {
            (Some(signer), _, _) => format!("signed with the key of {signer}"),
            (None, true, _) => "signed with a key that the site does not name".to_owned(),
            (None, false, true) if self.told_apart != Some(false) => "by the account of the access token".to_owned(),
            (None, false, true) => {
                "by the account of the access token, where nothing but a user's name tells who began \
                                    the run"
                    .to_owned()
            }
            (None, false, false) if self.simulated => "simulated, no person".to_owned(),
            (None, false, false) => "unverified".to_owned(),
        }
    }

    /// `bob@contoso.com for the step approve, at 14:02:11Z, signed (bob): go`
    pub fn sentence(&self) -> String {
        let scope = match (&self.step, &self.scope) {
            (Some(step), Scope::Plan) => format!("step {step} (the whole plan)"),
            (Some(step), Scope::Step(_)) | (None, Scope::Step(step)) => format!("step {step}"),
            (None, Scope::Plan) => "the whole plan".to_owned(),
        };
        let signed = self.identity();
        let until = self.until.map(|until| format!(", until {}", moment(until))).unwrap_or_default();
        let comment = self.comment.as_deref().map(|it| format!(": {}", one_line(it))).unwrap_or_default();
        format!("{scope} approved by {} at {}{until}, {signed}{comment}", one_line(&self.by), moment(self.at))
    }
}

impl OpenItem {
    pub fn sentence(&self) -> String {
        let by = one_line(&self.by);
        if let (Some(other), Some(at)) = (&self.signed_off_by, self.signed_off_at) {
            let known = self.signed_off_identity.as_deref().map(|it| format!(", {it}")).unwrap_or_default();
            return format!(
                "step {} was approved by {by} alone ({}), and signed off by {} at {}{known}",
                self.step,
                self.identity,
                one_line(other),
                moment(at)
            );
        }
        format!(
            "open: step {} was approved by {by} alone ({}) at {}; somebody else must sign it off",
            self.step,
            self.identity,
            moment(self.at)
        )
    }
}

impl Accepted {
    pub fn sentence(&self) -> String {
        let reason = one_line(&self.reason);
        format!(
            "{} moved since the plan was saved: {} ({}) ran it all the same: \"{reason}\"",
            one_line(&self.what),
            one_line(&self.by),
            self.identity
        )
    }
}
