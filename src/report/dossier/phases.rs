//! The phase clock: from the beginning of the incident to the end of the run, without gaps.
//!
//! ```text
//!  incident ─ decide ─ run begins ─ preflight ─ restore ─ verify ─ DNS ─ drain ─ end
//! ```
//!
//! A phase ends with the last of its steps that ended; what is left at the end belongs to the last phase that began.

use jiff::Timestamp;
use serde::Serialize;

use super::seconds;
use crate::{plan::Plan, run::State, runbook::ActionKind};

#[derive(Clone, Debug, Serialize)]
pub struct PhaseClock {
    /// When the incident began, if anybody said so; else the run's beginning.
    pub from: Timestamp,
    pub incident_known: bool,
    pub to: Timestamp,
    pub phases: Vec<Phase>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Phase {
    pub name: &'static str,
    /// What is counted. Lower-case fragment.
    pub what: &'static str,
    /// None: nobody knows, or it was not reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_s: Option<u64>,
    /// Every step of it counts as done. Else it goes on, or was given up after that time.
    pub done: bool,
    /// None: the plan foresees no such phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_s: Option<u64>,
}

const PHASES: [(&str, &str); 5] = [
    ("preflight", "from the run's beginning until everything was read and backed up that a restore needs"),
    ("restore", "until the standby was restored"),
    ("verify", "until the standby was proven, and a person had agreed"),
    ("DNS", "until traffic was switched"),
    ("drain", "until everybody was seen to get the new answer"),
];

/// `at`: when the run stopped, else now.
pub(super) fn of(state: &State, at: Timestamp, incident: Option<Timestamp>) -> PhaseClock {
    let of_step = phases(&state.plan);
    // Putting back what a rehearsal moved is no phase of a failover.
    let rehearsed = state.met_at.filter(|_| state.is_rehearsed());
    let to = rehearsed.unwrap_or(at);
    let decided = incident.and_then(|incident| seconds(incident, state.created_at));
    let decide = Phase {
        name: "decide",
        what: "from the incident's beginning to the run's",
        took_s: decided,
        done: decided.is_some(),
        expected_s: None,
    };
    let mut list = vec![decide];
    let mut cut = state.created_at;
    let mut foretold = 0;
    let ends = crate::plan::text::starts(&state.plan);
    for (phase, (name, what)) in PHASES.iter().enumerate() {
        let places: Vec<usize> = (0..state.steps.len()).filter(|place| of_step[*place] == phase).collect();
        if places.is_empty() {
            continue;
        }
        let end = |place: &usize| (ends[*place] + state.plan.steps[*place].expected).as_secs();
        let expected = places.iter().map(end).max().unwrap_or_default().max(foretold);
        let ended = places.iter().map(|place| &state.steps[*place]).filter_map(|it| it.met_at.or(it.ended_at)).max();
        let reached = places.iter().any(|place| state.steps[*place].started_at.is_some());
        let ended = ended.filter(|_| reached).map(|ended| ended.max(cut));
        list.push(Phase {
            name,
            what,
            took_s: ended.and_then(|ended| seconds(cut, ended)),
            done: places.iter().all(|place| state.steps[*place].met),
            expected_s: Some(expected - foretold),
        });
        foretold = expected;
        cut = ended.unwrap_or(cut);
    }
    PhaseClock { from: incident.unwrap_or(state.created_at), incident_known: incident.is_some(), to, phases: list }
}

/// Each step's phase: its own, or a later one of what it needs.
fn phases(plan: &Plan) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::with_capacity(plan.steps.len());
    let mut place_of = std::collections::HashMap::new();
    for (place, step) in plan.steps.iter().enumerate() {
        let before = step.needs.iter().filter_map(|need| place_of.get(need)).map(|place: &usize| found[*place]).max();
        let before = before.unwrap_or_default();
        found.push(own(step.action).map_or(before, |own| own.max(before)));
        place_of.insert(step.id.clone(), place);
    }
    found
}

/// Position in [`PHASES`]. None: it belongs to whatever it waits for.
fn own(kind: ActionKind) -> Option<usize> {
    match kind {
        ActionKind::ConfirmOutage
        | ActionKind::VerifyStandby
        | ActionKind::FindLatest
        | ActionKind::Compare
        | ActionKind::Backup
        | ActionKind::Prune
        | ActionKind::SetTtl => Some(0),
        ActionKind::Restore => Some(1),
        ActionKind::VerifyRestore | ActionKind::GatewayHealth | ActionKind::Approval => Some(2),
        ActionKind::FlipCname | ActionKind::FlipPrivateCname | ActionKind::SetEndpoints | ActionKind::SetOrigin => {
            Some(3)
        }
        ActionKind::VerifyPropagation => Some(4),
        ActionKind::HttpRequest | ActionKind::Command | ActionKind::Notify | ActionKind::Wait => None,
    }
}
