//! What people said yes to, what one of them did alone, and what they went past: for every report of a run.
//!
//! A report with an open item is never green, whatever came of the run.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::story::person;
use crate::{
    run::{
        Person, State,
        approval::{Approval, Scope},
    },
    runbook::StepId,
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
    pub reason: String,
    pub at: Timestamp,
    /// None: it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_off_by: Option<String>,
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
    pub reason: String,
    pub at: Timestamp,
}

/// Those that answered a step in the plan's order, then those that no step has asked for yet.
pub fn approvals(state: &State) -> Vec<Approved> {
    let given = state.approvals().map(|(place, given)| {
        let step = state.planned(place).id.clone();
        let one = Approved {
            step: Some(step.clone()),
            scope: Scope::Step(step),
            by: who(&given.by),
            verified: given.by.verified,
            simulated: given.by.simulated,
            signer: None,
            signed: false,
            comment: given.comment.clone(),
            at: given.at,
            until: None,
        };
        given.document.as_deref().map_or(one.clone(), |document| Approved { step: one.step, ..filed(state, document) })
    });
    let waiting = state.filed.iter().filter(|filed| filed.used.is_empty());
    given.chain(waiting.map(|waiting| filed(state, &waiting.approval))).collect()
}

fn filed(state: &State, document: &Approval) -> Approved {
    let signer = state.plan.site.approval.as_ref().and_then(|rules| document.signer(&rules.trusted));
    Approved {
        step: None,
        scope: document.scope.clone(),
        by: who(&document.by),
        verified: document.by.verified || signer.is_some(),
        simulated: document.by.simulated,
        signer: signer.map(str::to_owned),
        signed: document.signature.is_some(),
        comment: document.comment.clone(),
        at: document.at,
        until: document.until,
    }
}

/// What one person did alone, signed off since or not.
pub fn done_alone(state: &State) -> Vec<OpenItem> {
    let items = state.alone.iter().map(|alone| OpenItem {
        step: state.planned(alone.place).id.clone(),
        by: who(&alone.by),
        reason: alone.reason.clone(),
        at: alone.at,
        signed_off_by: alone.signed_off.as_ref().map(|it| who(&it.approval.by)),
        signed_off_at: alone.signed_off.as_ref().map(|it| it.at),
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
        reason: accepted.reason.clone(),
        at: accepted.at,
    });
    accepted.collect()
}

/// The account that a token told, else the user and the machine.
pub(super) fn who(by: &Person) -> String {
    by.account.clone().unwrap_or_else(|| person(by))
}

impl Approved {
    /// How it is known who it was.
    pub fn identity(&self) -> String {
        match (&self.signer, self.signed, self.verified) {
            (Some(signer), _, _) => format!("signed with the key of {signer}"),
            (None, true, _) => "signed with a key that the site does not name".to_owned(),
            (None, false, true) => "by the account of the access token".to_owned(),
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
            let other = one_line(other);
            return format!(
                "step {} was approved by {by} alone, and signed off by {other} at {}",
                self.step,
                moment(at)
            );
        }
        format!(
            "open: step {} was approved by {by} alone at {}; somebody else must sign it off",
            self.step,
            moment(self.at)
        )
    }
}

impl Accepted {
    pub fn sentence(&self) -> String {
        let reason = one_line(&self.reason);
        format!(
            "{} moved since the plan was saved: {} ran it all the same: \"{reason}\"",
            one_line(&self.what),
            one_line(&self.by)
        )
    }
}
