//! Recovery objectives: what was wanted, what was reached. Never says "met" before the run has succeeded.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    plan::recovery::backup_age,
    run::{Outcome, State, StepState},
    runbook::{ActionKind, span},
    style::duration,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    Met,
    Missed,
    /// Nothing is recovered yet, or the figure is not known.
    Unknown,
    /// The runbook names no such objective.
    NotSet,
}

/// One objective beside what was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Objective {
    #[serde(with = "span::optional", skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Duration>,
    /// RTO: time since the run began, until now or until it ended. RPO: age of the backup when the run began.
    #[serde(with = "span::optional", skip_serializing_if = "Option::is_none")]
    pub reached: Option<Duration>,
    pub judgement: Judgement,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ObjectiveVerdict {
    pub rto: Objective,
    pub rpo: Objective,
    /// The run restores nothing: its recovery point is how old the newest backup had become without its own.
    #[serde(skip)]
    pub only_backs_up: bool,
}

impl ObjectiveVerdict {
    /// Recovered, but later or with older data than wanted.
    pub fn missed(&self) -> bool {
        self.rto.judgement == Judgement::Missed || self.rpo.judgement == Judgement::Missed
    }
}

/// What was reached so far. `now` counts until the run is over; then its last event does.
pub fn objectives(state: &State, now: Timestamp) -> ObjectiveVerdict {
    let ended = state.stopped.as_ref().filter(|(outcome, _, _)| outcome.is_terminal());
    let recovered = ended.is_some_and(|(outcome, _, _)| *outcome == Outcome::Succeeded);
    // Putting back what a rehearsal moved is not recovery.
    let reached = state.met_at.filter(|_| recovered).or(ended.map(|(_, _, at)| *at));
    let took = reached.unwrap_or(now).duration_since(state.created_at);
    let restored =
        state.plan.steps.iter().zip(&state.steps).any(|(planned, record)| {
            planned.action == aim(state) && matches!(record.state, StepState::Succeeded { .. })
        });
    let wanted = &state.plan.objectives;
    ObjectiveVerdict {
        rto: objective(wanted.rto, unsigned(took), recovered),
        rpo: Objective {
            judgement: if restored { judge(wanted.rpo, data_age(state), true) } else { unknown(wanted.rpo) },
            ..objective(wanted.rpo, data_age(state), restored)
        },
        only_backs_up: aim(state) == ActionKind::Backup,
    }
}

fn objective(wanted: Option<Duration>, reached: Option<Duration>, recovered: bool) -> Objective {
    Objective { wanted, reached, judgement: judge(wanted, reached, recovered) }
}

/// Too late is missed, recovered or not; in time is only met once it is recovered.
fn judge(wanted: Option<Duration>, reached: Option<Duration>, recovered: bool) -> Judgement {
    match (wanted, reached) {
        (None, _) => Judgement::NotSet,
        (Some(wanted), Some(reached)) if reached > wanted => Judgement::Missed,
        (Some(_), Some(_)) if recovered => Judgement::Met,
        (Some(_), _) => Judgement::Unknown,
    }
}

fn unknown(wanted: Option<Duration>) -> Judgement {
    judge(wanted, None, false)
}

/// What the recovery point hangs on: the restore, or, in a run that restores nothing, the backup.
fn aim(state: &State) -> ActionKind {
    let restores = state.plan.steps.iter().any(|planned| planned.action == ActionKind::Restore);
    if restores { ActionKind::Restore } else { ActionKind::Backup }
}

/// Age of the oldest backup that the run chose, when it began. None: it has not chosen one. In a run that restores nothing:
/// how old the newest backup had become when the run's own was whole, or was not taken.
pub fn data_age(state: &State) -> Option<Duration> {
    if aim(state) == ActionKind::Backup {
        let taken = state.plan.steps.iter().zip(&state.steps).filter_map(|(planned, record)| match &record.state {
            StepState::Succeeded { outputs } if planned.action == ActionKind::Backup => outputs.get("exposure"),
            StepState::Succeeded { .. }
            | StepState::Pending { .. }
            | StepState::Running { .. }
            | StepState::Waiting { .. }
            | StepState::InDoubt { .. }
            | StepState::Failed { .. }
            | StepState::Skipped { .. }
            | StepState::Undoing { .. }
            | StepState::Undone
            | StepState::UndoFailed { .. } => None,
        });
        return taken.filter_map(|age| span::parse(age.as_str()?).ok()).max();
    }
    let chosen = state.plan.steps.iter().zip(&state.steps).filter_map(|(planned, record)| match &record.state {
        StepState::Succeeded { outputs } if planned.action == ActionKind::FindLatest => Some(outputs),
        StepState::Succeeded { .. }
        | StepState::Pending { .. }
        | StepState::Running { .. }
        | StepState::Waiting { .. }
        | StepState::InDoubt { .. }
        | StepState::Failed { .. }
        | StepState::Skipped { .. }
        | StepState::Undoing { .. }
        | StepState::Undone
        | StepState::UndoFailed { .. } => None,
    });
    // One that the run itself took, as a planned switchover does, had no age yet.
    let age = |outputs: &Arc<Map<String, Value>>| {
        let taken_since = || backup_age(outputs, state.last_event_at).map(|_| Duration::ZERO);
        backup_age(outputs, state.created_at).or_else(taken_since)
    };
    chosen.filter_map(age).max()
}

/// Completes "the backup was".
pub fn age_in_words(age: Duration) -> String {
    if age.is_zero() {
        return "taken by the run itself".to_owned();
    }
    let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
    format!("{} old when the run began", duration(age))
}

/// None before the beginning: a clock was set back.
fn unsigned(duration: SignedDuration) -> Option<Duration> {
    Duration::try_from(duration).ok()
}
