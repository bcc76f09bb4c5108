//! What a person says of a step, and whether it counts: a probe is asked first, and its word wins. Pure.
//!
//! ```text
//!  adopt · settle ─► inquire (may it be asked now?) ─► a look at the world ─► conclude ─► event, or why not
//! ```
//!
//! Whoever looks (the engine, or a command while nobody drives) asks `conclude` with the state as it is then: the run
//! may have moved on meanwhile.

use serde_json::{Map, Value};

use super::{Event, Person, State, StepState, Verdict, Word};
use crate::runbook::{ActionKind, Effect, StepId};

/// A person's claim about a step, before anybody has looked.
#[derive(Clone, Debug, PartialEq)]
pub struct Inquiry {
    pub step: StepId,
    pub by: Person,
    pub reason: String,
    pub claim: Claim,
    /// Outputs that the person gives, for what no probe can tell.
    pub given: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Somebody did what the step is for.
    Done,
    /// What is in doubt has happened.
    Happened,
    /// What is in doubt has not happened, and cannot any more.
    DidNotHappen,
    /// What could not be undone is back.
    TakenBack,
}

/// What a look at the world says of a claim.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub verdict: Verdict,
    /// What can be told of the step's outputs, although the verdict is not known.
    pub outputs: Map<String, Value>,
    pub evidence: Value,
}

impl Inquiry {
    /// Somebody did it by hand.
    ///
    /// # Errors
    /// Why it cannot be asked now.
    pub(super) fn adoption(state: &State, step: StepId, by: Person, reason: String) -> Result<Self, String> {
        let inquiry = Self { step, by, reason, claim: Claim::Done, given: Map::new() };
        inquiry.may_be_asked(state)?;
        Ok(inquiry)
    }

    /// Somebody answers for a step in doubt, or for an undo that is stuck.
    ///
    /// # Errors
    /// Why it cannot be asked now.
    pub(super) fn settlement(
        state: &State,
        step: StepId,
        (by, reason): (Person, String),
        happened: bool,
        given: Map<String, Value>,
    ) -> Result<Self, String> {
        let place = state.place(&step).ok_or_else(|| format!("the run has no step `{step}`"))?;
        let undoing = matches!(state.steps[place].state, StepState::UndoFailed { .. });
        let claim = match (undoing, happened) {
            (false, true) => Claim::Happened,
            (false, false) => Claim::DidNotHappen,
            (true, true) => Claim::TakenBack,
            (true, false) => {
                return Err(format!(
                    "that undoing step `{step}` did not happen is what the run says already: resume it to try again, or \
                     abort it to leave it as it is"
                ));
            }
        };
        let inquiry = Self { step, by, reason, claim, given };
        inquiry.may_be_asked(state)?;
        Ok(inquiry)
    }

    pub fn place(&self, state: &State) -> Result<usize, String> {
        state.place(&self.step).ok_or_else(|| format!("the run has no step `{}`", self.step))
    }

    fn may_be_asked(&self, state: &State) -> Result<(), String> {
        let place = self.place(state)?;
        match self.claim {
            Claim::Done => may_be_adopted(state, place),
            Claim::Happened | Claim::DidNotHappen | Claim::TakenBack => self.may_be_settled(state, place),
        }?;
        let known = state.planned(place).action.entry().outputs;
        if let Some(name) = self.given.keys().find(|name| known.iter().all(|output| output.name != name.as_str())) {
            let names: Vec<&str> = known.iter().map(|output| output.name).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(format!("step `{}` has no output `{name}`; it has: {names}", self.step));
        }
        if self.claim != Claim::Happened && !self.given.is_empty() {
            return Err("outputs are only given with --happened, for a step that is in doubt".to_owned());
        }
        Ok(())
    }

    fn may_be_settled(&self, state: &State, place: usize) -> Result<(), String> {
        let step = &self.step;
        match (&state.steps[place].state, self.claim) {
            (StepState::InDoubt { unknown: Some(_), .. }, Claim::Happened | Claim::DidNotHappen)
            | (StepState::UndoFailed { .. }, Claim::TakenBack) => Ok(()),
            (StepState::InDoubt { unknown: None, attempt, .. } | StepState::Running { attempt, .. }, _)
                if attempt.intent.is_some() =>
            {
                Err(format!(
                    "nobody has looked yet what became of step `{step}`: `lifeboat resume` looks, and only what that \
                     cannot tell is settled"
                ))
            }
            (StepState::Undoing { .. }, _) => {
                Err(format!("step `{step}` is being undone: `lifeboat resume` goes on with that"))
            }
            (
                StepState::Pending { .. }
                | StepState::Running { .. }
                | StepState::Waiting { .. }
                | StepState::InDoubt { .. }
                | StepState::Succeeded { .. }
                | StepState::Failed { .. }
                | StepState::Skipped { .. }
                | StepState::Undone
                | StepState::UndoFailed { .. },
                _,
            ) => Err(format!("step `{step}` is {}, not in doubt", state.steps[place].state.word())),
        }
    }

    /// The event that the claim comes to, given what was seen.
    ///
    /// # Errors
    /// Why it does not count: what was seen, and what would settle it.
    pub fn conclude(self, state: &State, seen: Seen) -> Result<Event, String> {
        self.may_be_asked(state)?;
        match self.claim {
            Claim::Done => self.adopted(state, seen),
            Claim::Happened => self.happened(state, seen),
            Claim::DidNotHappen => self.did_not_happen(seen),
            Claim::TakenBack => self.taken_back(seen),
        }
    }

    fn adopted(self, state: &State, seen: Seen) -> Result<Event, String> {
        let outputs = match seen.verdict {
            Verdict::Happened { outputs } => outputs,
            Verdict::DidNotHappen { reason } => {
                return Err(format!("step `{}` is not done: {reason}", self.step));
            }
            Verdict::GoesOn { .. } => {
                let step = &self.step;
                return Err(format!(
                    "what step `{step}` is about still changes in Azure: wait for its end, then adopt"
                ));
            }
            Verdict::Failed { error } => return Err(format!("step `{}` is not done: {error}", self.step)),
            Verdict::Unknown { reason, remedy } => {
                return Err(format!("that step `{}` is done cannot be verified: {reason}; {remedy}", self.step));
            }
        };
        self.must_have(state, &outputs, false)?;
        let Self { step, by, reason, .. } = self;
        Ok(Event::StepAdopted { step, by, reason, outputs, evidence: seen.evidence })
    }

    fn happened(self, state: &State, seen: Seen) -> Result<Event, String> {
        match seen.verdict {
            Verdict::Happened { outputs } => {
                self.must_agree(&outputs)?;
                Ok(Event::StepSettled { step: self.step, verdict: Verdict::Happened { outputs }, word: None })
            }
            Verdict::Unknown { .. } => {
                self.must_agree(&seen.outputs)?;
                let given = self.given.keys().filter(|name| !seen.outputs.contains_key(*name)).cloned().collect();
                let mut outputs = seen.outputs;
                outputs.extend(self.given.clone());
                self.must_have(state, &outputs, true)?;
                let word = Some(Word { by: self.by, reason: self.reason, given });
                Ok(Event::StepSettled { step: self.step, verdict: Verdict::Happened { outputs }, word })
            }
            verdict @ (Verdict::DidNotHappen { .. } | Verdict::GoesOn { .. } | Verdict::Failed { .. }) => {
                Err(contradicted(&self.step, &verdict))
            }
        }
    }

    fn did_not_happen(self, seen: Seen) -> Result<Event, String> {
        match seen.verdict {
            verdict @ Verdict::DidNotHappen { .. } => Ok(Event::StepSettled { step: self.step, verdict, word: None }),
            Verdict::Unknown { .. } => {
                let verdict = Verdict::DidNotHappen { reason: self.reason.clone() };
                let word = Some(Word { by: self.by, reason: self.reason, given: Vec::new() });
                Ok(Event::StepSettled { step: self.step, verdict, word })
            }
            verdict @ (Verdict::Happened { .. } | Verdict::GoesOn { .. } | Verdict::Failed { .. }) => {
                Err(contradicted(&self.step, &verdict))
            }
        }
    }

    fn taken_back(self, seen: Seen) -> Result<Event, String> {
        let word = match seen.verdict {
            Verdict::Happened { .. } => None,
            Verdict::Unknown { .. } => Some(Word { by: self.by, reason: self.reason, given: Vec::new() }),
            verdict @ (Verdict::DidNotHappen { .. } | Verdict::GoesOn { .. } | Verdict::Failed { .. }) => {
                return Err(contradicted(&self.step, &verdict));
            }
        };
        Ok(Event::UndoSucceeded { step: self.step, evidence: seen.evidence, word })
    }

    /// What a person gives must not be other than what was seen.
    fn must_agree(&self, outputs: &Map<String, Value>) -> Result<(), String> {
        let other = self.given.iter().find(|(name, value)| outputs.get(*name).is_some_and(|seen| seen != *value));
        match other {
            Some((name, _)) => {
                let seen = outputs.get(name).map(Value::to_string).unwrap_or_default();
                Err(format!("the output `{name}` of step `{}` was seen to be {seen}; leave it out", self.step))
            }
            None => Ok(()),
        }
    }

    /// Later steps must find what they refer to.
    fn must_have(&self, state: &State, outputs: &Map<String, Value>, may_be_given: bool) -> Result<(), String> {
        let needed = state.outputs_needed(&self.step);
        let missing: Vec<String> = needed
            .iter()
            .filter(|(name, _)| !outputs.contains_key(*name))
            .map(|(name, by)| format!("`{name}` (for step `{by}`)"))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let how = if may_be_given {
            "; give each with --output-value NAME=VALUE"
        } else {
            "; let the step do it itself: `lifeboat resume`"
        };
        Err(format!(
            "later steps need outputs of step `{}` that nobody could see: {}{how}",
            self.step,
            missing.join(", ")
        ))
    }
}

fn contradicted(step: &StepId, verdict: &Verdict) -> String {
    let saw = match verdict {
        Verdict::Happened { .. } => "it happened".to_owned(),
        Verdict::DidNotHappen { reason } => format!("it did not happen: {reason}"),
        Verdict::GoesOn { .. } => "it still goes on in Azure".to_owned(),
        Verdict::Failed { error } => format!("it failed: {error}"),
        Verdict::Unknown { reason, .. } => format!("it cannot be told: {reason}"),
    };
    format!("a probe can tell of step `{step}`, and its word counts: {saw}; `lifeboat resume` goes on from there")
}

/// Why a person's work may not count for this step, or that it may, if a probe agrees: it changes the world, its turn
/// has come, and the run itself has nothing on its way for it.
fn may_be_adopted(state: &State, place: usize) -> Result<(), String> {
    let planned = state.planned(place);
    let (step, action) = (&planned.id, planned.action);
    if action == ActionKind::Approval {
        return Err(format!("step `{step}` is an approval: approve or reject it"));
    }
    if planned.effect == Effect::ReadOnly {
        return Err(format!(
            "step `{step}` ({action}) only reads: there is nothing that a person could have done in its place; resume the \
             run, or skip the step"
        ));
    }
    if state.goes_back() {
        return Err("the run is on its way back".to_owned());
    }
    if let (None, Err(unresolved)) = (state.unmet_need(place), state.scope.resolve(&planned.arguments)) {
        return Err(format!("what step `{step}` is about cannot be told: {unresolved}"));
    }
    match &state.steps[place].state {
        StepState::Pending { .. } => match state.unmet_need(place) {
            Some(need) => Err(format!("the turn of step `{step}` has not come: it needs step `{need}`")),
            None => Ok(()),
        },
        StepState::Failed { .. } if state.tolerated(place) => {
            Err(format!("step `{step}` failed, and the run goes on without it anyway"))
        }
        StepState::Failed { .. } | StepState::Waiting { .. } | StepState::InDoubt { unknown: Some(_), .. } => Ok(()),
        StepState::InDoubt { unknown: None, .. } => {
            Err(format!("nobody has looked yet what became of the request of step `{step}`: `lifeboat resume` looks"))
        }
        StepState::Running { attempt, .. } if attempt.intent.is_none() => Ok(()),
        StepState::Running { .. } => Err(format!(
            "the run has asked for the change of step `{step}` itself, and its answer has not come: wait for it, or resume \
             the run"
        )),
        StepState::Succeeded { .. } => Err(format!("step `{step}` is done")),
        StepState::Skipped { .. } => Err(format!("step `{step}` is skipped already")),
        StepState::Undoing { .. } | StepState::Undone | StepState::UndoFailed { .. } => {
            Err(format!("step `{step}` is being undone"))
        }
    }
}
