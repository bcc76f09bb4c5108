//! The promises, held against a journal event by event with a naive look of their own, and against the world.

use std::collections::BTreeSet;

use lifeboat::{
    prove::duplicates,
    run::{Event, Outcome, Record, State, StepState},
    runbook::{Effect, OnFailure, StepId},
    sim::{Effects, LoggedRequest},
};

use super::Counts;

/// What a run leaves behind.
#[derive(Debug)]
pub struct Left<'a> {
    pub records: &'a [Record],
    pub effects: &'a Effects,
    pub requests: &'a [LoggedRequest],
    /// The world let a request arrive twice.
    pub repeats: bool,
}

/// Folds the journal record by record; after each one every promise holds, or the first that does not is told.
pub fn hold(left: &Left<'_>) -> Result<Counts, String> {
    let mut counts = Counts { runs: 1, events: left.records.len() as u64, ..Counts::default() };
    let (first, rest) = left.records.split_first().ok_or("nothing is left of the run")?;
    let mut state = State::begin(first.at, &first.event).map_err(|illegal| illegal.to_string())?;
    let mut seen = Seen::default();
    for (number, record) in rest.iter().enumerate() {
        let told = |what: String| format!("event {} ({}): {what}", number + 1, record.event.name());
        seen.before(&state, &record.event).map_err(told)?;
        state.apply(record.at, &record.event).map_err(|illegal| told(illegal.to_string()))?;
        seen.after(&state, &record.event).map_err(told)?;
        counts.tell(&record.event);
    }
    let events: Vec<&Event> = left.records.iter().map(|record| &record.event).collect();
    let doubled = duplicates((left.effects, None), left.requests, &events, left.repeats);
    if !doubled.is_empty() {
        return Err(doubled.join("; "));
    }
    Ok(counts)
}

/// What was seen so far, kept apart from the fold.
#[derive(Debug, Default)]
struct Seen {
    /// Steps on which a need counts as met.
    met: BTreeSet<StepId>,
    /// Steps with an intent of the attempt that goes on.
    announced: BTreeSet<StepId>,
    skipped: BTreeSet<StepId>,
    /// In the order in which they succeeded.
    succeeded: Vec<StepId>,
    gone_back: bool,
    paused: bool,
    stopping: bool,
    over: bool,
}

impl Seen {
    fn before(&self, state: &State, event: &Event) -> Result<(), String> {
        if self.over {
            return Err("it follows an end that is final".to_owned());
        }
        let Event::StepStarted { step, .. } = event else { return self.undo(state, event) };
        let planned = state.planned(state.place(step).ok_or("no such step")?);
        if let Some(missing) = planned.needs.iter().find(|need| !self.met.contains(*need)) {
            return Err(format!("{step} starts before {missing}, which it needs"));
        }
        if self.skipped.contains(step) {
            return Err(format!("{step} was skipped, and starts"));
        }
        for (holds, what) in [
            (self.paused, "while the run is paused"),
            (self.gone_back, "while the run is on its way back"),
            (self.stopping, "although somebody said stop"),
        ] {
            if holds {
                return Err(format!("{step} starts {what}"));
            }
        }
        let failed = |record: &&lifeboat::run::state::StepRecord| matches!(record.state, StepState::Failed { .. });
        let beside = state.plan.steps.iter().zip(&state.steps).find(|(planned, record)| {
            failed(record) && planned.on_failure != OnFailure::Continue && planned.id != *step
        });
        match beside {
            Some((other, _)) => Err(format!("{step} starts beside {}, which failed", other.id)),
            None => Ok(()),
        }
    }

    /// Last done, first taken back.
    fn undo(&self, state: &State, event: &Event) -> Result<(), String> {
        let Event::UndoStarted { step } = event else { return Ok(()) };
        let later = self.succeeded.iter().rev().take_while(|other| *other != step).find(|other| {
            state.place(other).is_some_and(|place| {
                let changed = state.steps[place].changes > 0;
                let done = matches!(state.steps[place].state, StepState::Succeeded { .. });
                changed && done && state.planned(place).effect == Effect::Reversible
            })
        });
        match later {
            Some(later) if self.succeeded.contains(step) => Err(format!("{step} is undone before {later}")),
            Some(_) | None => Ok(()),
        }
    }

    fn after(&mut self, state: &State, event: &Event) -> Result<(), String> {
        match event {
            Event::DriverAttached { .. } => self.stopping = false,
            Event::StepStarted { step, .. } => {
                self.announced.remove(step);
            }
            Event::ChangeIntended { step, .. } => {
                self.announced.insert(step.clone());
            }
            Event::OperationAccepted { step, .. } if !self.announced.contains(step) => {
                return Err(format!("{step} was accepted, and had not announced anything"));
            }
            Event::StepSkipped { step, .. } => {
                self.skipped.insert(step.clone());
            }
            Event::UndoStarted { .. } => self.gone_back = true,
            Event::StopRequested { .. } => self.stopping = true,
            Event::Paused { .. } => self.paused = true,
            Event::PauseLifted { .. } => self.paused = false,
            Event::RunStopped { outcome, .. } => self.over = outcome.is_terminal(),
            _ => {}
        }
        for (planned, record) in state.plan.steps.iter().zip(&state.steps) {
            let tolerated = planned.on_failure == OnFailure::Continue;
            let met = match &record.state {
                StepState::Succeeded { .. }
                | StepState::Skipped { .. }
                | StepState::Undoing { .. }
                | StepState::Undone
                | StepState::UndoFailed { .. } => true,
                StepState::Failed { .. } => tolerated,
                StepState::Pending { .. }
                | StepState::Running { .. }
                | StepState::Waiting { .. }
                | StepState::InDoubt { .. } => false,
            };
            if met {
                self.met.insert(planned.id.clone());
            }
            if matches!(record.state, StepState::Succeeded { .. }) && !self.succeeded.contains(&planned.id) {
                self.succeeded.push(planned.id.clone());
            }
        }
        Ok(())
    }
}

impl Counts {
    fn tell(&mut self, event: &Event) {
        match event {
            Event::DriverAttached { take_over, .. } => {
                self.generations += 1;
                self.take_overs += u64::from(take_over.is_some());
            }
            Event::ChangeIntended { .. } => self.changes += 1,
            Event::UndoSucceeded { .. } => self.undone += 1,
            Event::RunStopped { outcome: Outcome::Succeeded, .. } => self.succeeded += 1,
            Event::RunStopped { outcome: Outcome::Failed, .. } => self.failed += 1,
            _ => {}
        }
    }
}
