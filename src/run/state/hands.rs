//! What people answer for beside the steps: approvals that were filed, what one did alone, drift that was accepted. Pure.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;

use super::{Given, State};
use crate::{
    plan::{drift::Drift, facts::Fact},
    run::{Event, Illegal, Person, approval::Approval},
};

/// An approval in the journal.
#[derive(Clone, Debug)]
pub struct Filed {
    pub approval: Arc<Approval>,
    pub at: Timestamp,
    /// Steps that it has answered.
    pub used: BTreeSet<usize>,
}

/// One person went past the approvals of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alone {
    pub place: usize,
    pub by: Person,
    pub reason: String,
    pub at: Timestamp,
    /// None: it is open.
    pub signed_off: Option<SignOff>,
}

/// Who answers for it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignOff {
    pub approval: Arc<Approval>,
    pub at: Timestamp,
}

/// A saved plan is run although something moved.
#[derive(Clone, Debug, PartialEq)]
pub struct AcceptedDrift {
    pub drift: Drift,
    pub by: Person,
    pub reason: String,
    pub at: Timestamp,
    facts: Vec<Fact>,
}

impl State {
    /// What one person did alone and nobody has signed off yet: a report is not green before.
    pub fn open_items(&self) -> impl Iterator<Item = &Alone> {
        self.alone.iter().filter(|alone| alone.signed_off.is_none())
    }

    /// Every yes to a step that has not ended.
    pub fn counting(&self, place: usize, now: Timestamp) -> impl Iterator<Item = &Given> {
        self.steps[place].approvals.iter().filter(move |given| !given.has_ended(now))
    }

    /// Every yes that a step was answered with, in the plan's order.
    pub fn approvals(&self) -> impl Iterator<Item = (usize, &Given)> {
        let steps = self.steps.iter().enumerate();
        steps.flat_map(|(place, record)| record.approvals.iter().map(move |given| (place, given)))
    }

    /// The facts that a step rests on: as they were planned, or as they were when somebody accepted that they had moved.
    pub fn facts(&self, place: usize) -> Vec<Fact> {
        let planned = self.planned(place);
        let accepted = self
            .accepted_drift
            .iter()
            .rfind(|accepted| accepted.drift.step.as_ref() == Some(&planned.id) && !accepted.facts.is_empty());
        accepted.map_or(&planned.probe.facts, |accepted| &accepted.facts).clone()
    }

    /// The next document that answers a step which asks: filed, not used for it, and not ended.
    pub fn unused(&self, place: usize, now: Timestamp) -> Option<&Filed> {
        let step = &self.planned(place).id;
        let counts = |filed: &&Filed| {
            let by = filed.approval.person();
            let fresh = !self.counting(place, now).any(|given| given.by.is_same(&by, self.plan.site.trusted()));
            fresh && !filed.used.contains(&place) && filed.approval.covers(step) && !filed.approval.has_ended(now)
        };
        self.filed.iter().find(counts)
    }

    pub(super) fn file(&mut self, at: Timestamp, approval: &Arc<Approval>) {
        self.filed.push(Filed { approval: approval.clone(), at, used: BTreeSet::new() });
    }

    pub(super) fn accept(&mut self, at: Timestamp, drift: &Drift, by: &Person, reason: &str, facts: &[Fact]) {
        let (drift, by, reason) = (drift.clone(), by.clone(), reason.to_owned());
        self.accepted_drift.push(AcceptedDrift { drift, by, reason, at, facts: facts.to_vec() });
    }

    /// A yes: the document that it stands in, when there is one, is used up.
    pub(super) fn give(&mut self, at: Timestamp, place: usize, by: &Person, comment: Option<&String>) {
        let step = &self.plan.steps[place].id;
        let document = self.filed.iter_mut().find(|filed| {
            let counts = filed.approval.covers(step) && !filed.used.contains(&place) && !filed.approval.has_ended(at);
            counts && filed.approval.person() == *by
        });
        let document = document.map(|filed| {
            filed.used.insert(place);
            filed.approval.clone()
        });
        self.steps[place].approvals.push(Given { by: by.clone(), comment: comment.cloned(), at, document });
    }

    /// # Errors
    /// Nobody did it alone, or it is signed off.
    pub(super) fn sign_off(
        &mut self,
        at: Timestamp,
        place: usize,
        approval: &Arc<Approval>,
        event: &Event,
    ) -> Result<(), Illegal> {
        let open = self.alone.iter_mut().find(|alone| alone.place == place && alone.signed_off.is_none());
        let open =
            open.ok_or_else(|| Illegal::run("nobody went past this approval alone, or it is signed off", event))?;
        open.signed_off = Some(SignOff { approval: approval.clone(), at });
        Ok(())
    }
}
