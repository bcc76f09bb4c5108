//! The fold: what each event makes of the state. Pure.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Alone, Decided, Hold, Ruling, Sent, State, StepRecord, StepState, Stop};
use crate::{
    plan::facts::PlannedRequest,
    run::{
        Event, Outcome, Person, Verdict,
        transition::{self, Illegal},
    },
    runbook::{ActionKind, Effect},
};

impl State {
    /// Moves on by one event. After an error the state is unchanged.
    pub fn apply(&mut self, at: Timestamp, event: &Event) -> Result<(), Illegal> {
        if self.is_over() && !matches!(event, Event::ApprovalSignedOff { .. }) {
            return Err(Illegal::run("the run is over", event));
        }
        match event {
            Event::Planned { .. } => return Err(Illegal::run("a second plan", event)),
            Event::DriverAttached { generation, by, pid, claim, take_over, quiet_until, fences, .. } => {
                self.attach(*generation, by, event)?;
                // What is still owed outlives whoever did not mention it.
                let owed = self.quiet_until.filter(|_| self.owes_quiet(None));
                self.quiet_until = (*quiet_until).or(owed);
                (self.pid, self.claim, self.take_over) = (*pid, *claim, take_over.clone());
                self.fences = fences.clone();
            }
            Event::Confirmed { by, what } => self.confirmed = Some((by.clone(), what.clone())),
            Event::StopRequested { by, abort, reason, undo } => {
                self.ask_to_stop(Stop { by: by.clone(), abort: *abort, undo: *undo, reason: reason.clone(), at });
            }
            Event::Paused { by, reason } => {
                self.hold.get_or_insert_with(|| Hold { by: by.clone(), reason: reason.clone(), at });
            }
            Event::PauseLifted { .. } => self.lift(at),
            Event::ApprovalFiled { approval } => self.file(at, approval),
            Event::DriftAccepted { drift, by, reason, facts } => self.accept(at, drift, by, reason, facts),
            Event::ApprovalSignedOff { step, approval } => {
                let place = self.place(step).ok_or_else(|| Illegal::run("a step that is not planned", event))?;
                self.sign_off(at, place, approval, event)?;
            }
            Event::RunStopped { outcome, reason } => self.stopped = Some((*outcome, reason.clone(), at)),
            Event::StepStarted { step, .. }
            | Event::ChangeIntended { step, .. }
            | Event::OperationAccepted { step, .. }
            | Event::StepNoted { step, .. }
            | Event::StepSucceeded { step, .. }
            | Event::StepFailed { step, .. }
            | Event::StepSkipped { step, .. }
            | Event::StepInDoubt { step, .. }
            | Event::StepSettled { step, .. }
            | Event::StepAdopted { step, .. }
            | Event::ApprovalGiven { step, .. }
            | Event::ApprovalRefused { step, .. }
            | Event::ApprovalOverridden { step, .. }
            | Event::UndoStarted { step }
            | Event::UndoIntended { step, .. }
            | Event::UndoSucceeded { step, .. }
            | Event::UndoFailed { step, .. } => {
                let place = self.place(step).ok_or_else(|| Illegal::run("a step that is not planned", event))?;
                self.apply_step(at, place, event)?;
            }
        }
        self.last_event_at = at;
        Ok(())
    }

    fn ask_to_stop(&mut self, stop: Stop) {
        if stop.undo {
            // Whoever wants it back does not want it held.
            self.hold = None;
            self.way_back.get_or_insert_with(|| stop.clone());
        }
        // An abort stays one, but for an abort that undoes: a stop in the middle of that only interrupts it.
        let abort = stop.abort || self.stop.as_ref().is_some_and(|earlier| earlier.abort && !earlier.undo);
        self.stop = Some(Stop { abort, ..stop });
    }

    /// What was held goes on, with as much time as it had left: an approval that was asked before, and what had been
    /// interrupted. What ran has run meanwhile, and its time with it.
    fn lift(&mut self, at: Timestamp) {
        let Some(hold) = self.hold.take() else { return };
        let held = at.duration_since(hold.at);
        for place in 0..self.steps.len() {
            let approval = self.planned(place).action == ActionKind::Approval;
            match &mut self.steps[place].state {
                StepState::Running { attempt, .. } if approval => attempt.deadline += held,
                StepState::Pending { carried: Some(carried) } => carried.deadline += held,
                StepState::Pending { carried: None }
                | StepState::Running { .. }
                | StepState::Waiting { .. }
                | StepState::InDoubt { .. }
                | StepState::Succeeded { .. }
                | StepState::Failed { .. }
                | StepState::Skipped { .. }
                | StepState::Undoing { .. }
                | StepState::Undone
                | StepState::UndoFailed { .. } => {}
            }
        }
    }

    /// A new process drives: what ran is in doubt, what failed may try again. A run on its way back stays on it:
    /// what failed would otherwise start on top of what is being undone.
    fn attach(&mut self, generation: u32, by: &Person, event: &Event) -> Result<(), Illegal> {
        if generation != self.generation + 1 {
            return Err(Illegal::run("generations come one after the other", event));
        }
        self.generation = generation;
        self.driver = Some(by.clone());
        self.stop = None;
        // Somebody who resumes a failed run gives a new chance to what failed and to what had not got its own.
        let anew = self.stopped.take().is_some_and(|(outcome, _, _)| outcome != Outcome::Interrupted);
        let goes_back = self.goes_back();
        for place in 0..self.steps.len() {
            let approval = self.planned(place).action == ActionKind::Approval;
            let stays = goes_back || self.tolerated(place);
            if stays && matches!(self.steps[place].state, StepState::Failed { .. }) {
                continue;
            }
            let record = &mut self.steps[place];
            let before = std::mem::replace(&mut record.state, StepState::Undone);
            record.state = match transition::attached(before, approval) {
                StepState::Pending { .. } if anew => StepState::Pending { carried: None },
                state => state,
            };
            if matches!(record.state, StepState::Pending { .. }) && self.failed.contains(&place) {
                record.ended_at = None;
                record.approvals.clear();
                record.refusal = None;
                record.alone = false;
                record.failure = None;
            }
            self.index_step(place);
        }
        Ok(())
    }

    fn apply_step(&mut self, at: Timestamp, place: usize, event: &Event) -> Result<(), Illegal> {
        self.may_follow(place, event)?;
        let tolerated = self.tolerated(place);
        let (by, pid, generation) = (self.driver.clone(), self.pid, self.generation);
        let sent = |PlannedRequest { method, url, .. }: &PlannedRequest| Sent {
            method: method.clone(),
            url: url.clone(),
            at,
            by,
            pid,
            generation,
        };
        let record = &mut self.steps[place];
        record.state = transition::next(&record.state, at, event)?;
        remember(record, at, event, sent);
        if let Event::ApprovalGiven { by, comment, .. } = event {
            self.give(at, place, by, comment.as_ref());
        }
        let record = &mut self.steps[place];
        if !record.state.is_active() && !matches!(record.state, StepState::Pending { .. }) {
            record.note = None;
            record.ended_at = Some(at);
        }
        if record.changes > 0 {
            let order = self.changed.last_key_value().map_or(0, |(last, _)| last + 1);
            if let Some(earlier) = record.order.replace(order) {
                self.changed.remove(&earlier);
            }
            self.changed.insert(order, place);
        }
        // What was skipped, or failed and is tolerated, gave no outputs, and never will.
        let outputs = match &record.state {
            StepState::Succeeded { outputs } => Some(Map::clone(outputs)),
            StepState::Skipped { .. } => Some(Map::new()),
            StepState::Failed { .. } if tolerated => Some(Map::new()),
            StepState::Failed { .. }
            | StepState::Pending { .. }
            | StepState::Running { .. }
            | StepState::Waiting { .. }
            | StepState::InDoubt { .. }
            | StepState::Undoing { .. }
            | StepState::Undone
            | StepState::UndoFailed { .. } => None,
        };
        let newly_met = outputs.filter(|_| !record.met);
        self.has_turned |= matches!(event, Event::UndoStarted { .. });
        self.note_decision(at, place, event);
        self.index_step(place);
        if let Some(outputs) = newly_met {
            self.meet(at, place, outputs);
        }
        Ok(())
    }

    /// What the table of transitions cannot know: the action, and whether anything was asked for.
    fn may_follow(&self, place: usize, event: &Event) -> Result<(), Illegal> {
        let (planned, record) = (self.planned(place), &self.steps[place]);
        if let (StepState::Running { attempt, .. }, Event::ChangeIntended { .. }) = (&record.state, event)
            && attempt.operation.is_some()
            && planned.action != ActionKind::SetOrigin
        {
            return Err(Illegal::second(&record.state, event));
        }
        let has_changed = planned.effect == Effect::Reversible && record.changes > 0;
        if matches!(event, Event::UndoStarted { .. })
            && !matches!(record.state, StepState::Succeeded { .. })
            && !has_changed
        {
            return Err(Illegal::unchanged(&record.state, event));
        }
        Ok(())
    }

    /// A need on this step counts as met from now on.
    fn meet(&mut self, at: Timestamp, place: usize, outputs: Map<String, Value>) {
        self.steps[place].met = true;
        self.steps[place].met_at = Some(at);
        self.finished += 1;
        if self.finished == self.steps.len() {
            self.met_at = Some(at);
        }
        self.scope.set_outputs(self.plan.steps[place].id.clone(), outputs);
        for dependent in self.dependents[place].clone() {
            self.unmet[dependent] -= 1;
            self.index_step(dependent);
        }
    }

    fn note_decision(&mut self, at: Timestamp, place: usize, event: &Event) {
        let decided = if let Event::StepSkipped { reason, by: Some(by), .. } = event {
            Some((Ruling::Skipped, by, reason))
        } else if let Event::StepAdopted { by, reason, .. } = event {
            Some((Ruling::Adopted, by, reason))
        } else if let Event::StepSettled { verdict, word: Some(word), .. } = event {
            let happened = matches!(verdict, Verdict::Happened { .. });
            let ruling = if happened { Ruling::Happened } else { Ruling::DidNotHappen };
            Some((ruling, &word.by, &word.reason))
        } else if let Event::UndoSucceeded { word: Some(word), .. } = event {
            Some((Ruling::TakenBack, &word.by, &word.reason))
        } else if let Event::ApprovalOverridden { by, reason, .. } = event {
            let (by, reason) = (by.clone(), reason.clone());
            self.alone.push(Alone { place, by, reason, at, signed_off: None });
            self.alone.last().map(|alone| (Ruling::ApprovedAlone, &alone.by, &alone.reason))
        } else {
            None
        };
        let decided = decided.map(|(ruling, by, reason)| (ruling, by.clone(), reason.clone()));
        self.decided.extend(decided.map(|(ruling, by, reason)| Decided { place, ruling, by, reason, at }));
    }

    /// Keeps the three sets in step with one step's state.
    fn index_step(&mut self, place: usize) {
        let state = &self.steps[place].state;
        let ready = matches!(state, StepState::Pending { .. }) && self.unmet[place] == 0;
        let failed = match state {
            StepState::Failed { .. } => !self.tolerated(place),
            StepState::UndoFailed { .. } => true,
            StepState::Pending { .. }
            | StepState::Running { .. }
            | StepState::Waiting { .. }
            | StepState::InDoubt { .. }
            | StepState::Succeeded { .. }
            | StepState::Skipped { .. }
            | StepState::Undoing { .. }
            | StepState::Undone => false,
        };
        let active = state.is_active();
        for (set, member) in [(&mut self.ready, ready), (&mut self.active, active), (&mut self.failed, failed)] {
            if member {
                set.insert(place);
            } else {
                set.remove(&place);
            }
        }
    }
}

/// What a record keeps beside the state.
fn remember(record: &mut StepRecord, at: Timestamp, event: &Event, sent: impl FnOnce(&PlannedRequest) -> Sent) {
    match event {
        Event::StepStarted { attempt, .. } => {
            record.started_at.get_or_insert(at);
            record.attempts = record.attempts.max(*attempt);
            record.note = None;
            record.failure = None;
        }
        Event::ChangeIntended { intent, .. } => {
            record.changes += 1;
            record.intended = Some(Arc::new(intent.clone()));
            record.sent = Some(Box::new(sent(&intent.request)));
        }
        Event::UndoIntended { intent, .. } => {
            record.changes += 1;
            record.sent = Some(Box::new(sent(&intent.request)));
        }
        Event::StepNoted { message, until, .. } => record.note = Some((message.clone(), *until)),
        Event::ApprovalOverridden { .. } => record.alone = true,
        Event::ApprovalRefused { by, comment, .. } => record.refusal = Some((by.clone(), comment.clone())),
        Event::StepFailed { error, retry_at: None, .. } => record.failure = Some(Box::new(error.clone())),
        Event::StepSettled { verdict, word: None, .. } => {
            record.looked_at = Some(at);
            if let Verdict::Failed { error } = verdict {
                record.failure = Some(Box::new(error.clone()));
            }
        }
        Event::Planned { .. }
        | Event::DriverAttached { .. }
        | Event::Confirmed { .. }
        | Event::ApprovalGiven { .. }
        | Event::ApprovalFiled { .. }
        | Event::ApprovalSignedOff { .. }
        | Event::DriftAccepted { .. }
        | Event::OperationAccepted { .. }
        | Event::StepSucceeded { .. }
        | Event::StepFailed { retry_at: Some(_), .. }
        | Event::StepSkipped { .. }
        | Event::StepInDoubt { .. }
        | Event::StepSettled { word: Some(_), .. }
        | Event::StepAdopted { .. }
        | Event::UndoStarted { .. }
        | Event::UndoSucceeded { .. }
        | Event::UndoFailed { .. }
        | Event::StopRequested { .. }
        | Event::Paused { .. }
        | Event::PauseLifted { .. }
        | Event::RunStopped { .. } => {}
    }
}
