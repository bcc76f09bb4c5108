//! What the fold says to those who ask: who shall approve, what stopped the run. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{State, StepState};
use crate::{
    run::{Disposition, StepError},
    runbook::{self, ActionKind, Mode, OnFailure, StepId},
};

impl State {
    /// A rehearsal all of whose steps were done. What was undone in it since was put back for the next one.
    pub fn is_rehearsed(&self) -> bool {
        self.plan.mode == Mode::Drill && self.met_at.is_some()
    }

    /// Terminal: nothing follows.
    pub fn is_over(&self) -> bool {
        self.stopped.as_ref().is_some_and(|(outcome, _, _)| outcome.is_terminal())
    }

    /// Somebody wants this drive to end where it stands.
    pub fn ends_here(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| !stop.undo)
    }

    /// What was done is being taken back, or shall be.
    pub fn goes_back(&self) -> bool {
        self.way_back.is_some() || self.has_turned
    }

    /// A failure of this step does not stop the run.
    pub fn tolerated(&self, place: usize) -> bool {
        self.planned(place).on_failure == OnFailure::Continue
    }

    /// How many people must approve this step.
    pub fn approvers_wanted(&self, place: usize) -> usize {
        let arguments = match &self.steps[place].state {
            StepState::Running { attempt, .. } => &attempt.arguments,
            StepState::Pending { .. }
            | StepState::Waiting { .. }
            | StepState::InDoubt { .. }
            | StepState::Succeeded { .. }
            | StepState::Failed { .. }
            | StepState::Skipped { .. }
            | StepState::Undoing { .. }
            | StepState::Undone
            | StepState::UndoFailed { .. } => &self.planned(place).arguments,
        };
        arguments.get("approvers").and_then(Value::as_u64).map_or(1, |wanted| usize::try_from(wanted).unwrap_or(1))
    }

    /// Steps that wait for an approval now, with the question.
    pub fn approvals_wanted(&self) -> BTreeMap<StepId, String> {
        self.active
            .iter()
            .filter(|place| self.planned(**place).action == ActionKind::Approval)
            .filter_map(|place| match &self.steps[*place].state {
                StepState::Running { attempt, .. } => {
                    let prompt = attempt.arguments.get("prompt").and_then(Value::as_str).unwrap_or_default();
                    Some((self.planned(*place).id.clone(), prompt.to_owned()))
                }
                StepState::Pending { .. }
                | StepState::Waiting { .. }
                | StepState::InDoubt { .. }
                | StepState::Succeeded { .. }
                | StepState::Failed { .. }
                | StepState::Skipped { .. }
                | StepState::Undoing { .. }
                | StepState::Undone
                | StepState::UndoFailed { .. } => None,
            })
            .collect()
    }

    /// Outputs of a step that steps which are not over refer to, each with one of those steps.
    pub fn outputs_needed(&self, step: &StepId) -> BTreeMap<String, StepId> {
        let mut needed = BTreeMap::new();
        if self.goes_back() {
            return needed;
        }
        let later = self.plan.steps.iter().zip(&self.steps).filter(|(_, record)| !record.met);
        for (planned, _) in later {
            let when = planned.when.iter().flat_map(|when| runbook::outputs_in_condition(when));
            let arguments = planned.arguments.values().flat_map(runbook::outputs_in);
            let names = when.chain(arguments).filter(|(of, _)| of == step).map(|(_, name)| name);
            for name in names {
                needed.entry(name).or_insert_with(|| planned.id.clone());
            }
        }
        needed
    }

    /// A need of this step that is not met yet.
    pub fn unmet_need(&self, place: usize) -> Option<&StepId> {
        let mut needs = self.planned(place).needs.iter();
        needs.find(|need| self.place(need).is_some_and(|need| !self.steps[need].met))
    }

    /// The error that stopped the run, if one did: an undo that failed first, a refusal only when nothing worse
    /// happened. Why a step failed is still told when it has been taken back since.
    pub fn failure(&self) -> Option<(&StepId, &StepError)> {
        let taken_back = (0..self.steps.len()).filter(|place| self.has_turned && !self.tolerated(*place));
        let errors = self.failed.iter().copied().chain(taken_back).filter_map(|place| {
            let record = &self.steps[place];
            let (rank, error) = match &record.state {
                StepState::UndoFailed { error, .. } => (0, error),
                StepState::Failed { error } => (1, error),
                StepState::Undoing { .. } | StepState::Undone => (1, record.failure.as_deref()?),
                StepState::Pending { .. }
                | StepState::Running { .. }
                | StepState::Waiting { .. }
                | StepState::InDoubt { .. }
                | StepState::Succeeded { .. }
                | StepState::Skipped { .. } => return None,
            };
            let rank = if rank == 1 && error.disposition == Disposition::Refused { 2 } else { rank };
            Some((rank, place, error))
        });
        let (_, place, error) = errors.min_by_key(|(rank, place, _)| (*rank, *place))?;
        Some((&self.plan.steps[place].id, error))
    }
}
