//! Schedule, validity, success criteria, rehearsals, and how the hashes are held against what they are of.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{CrashProof, said};
use crate::{
    plan::{History, Plan},
    report::{
        Commands, Judgement, ObjectiveVerdict,
        drills::{Drills, Rehearsals},
    },
    run::{RunId, State, StepState},
    runbook::{ActionKind, StepId, span},
    style::{moment, one_line},
};

/// When it may be done, and for how long the plan tells the truth.
#[derive(Clone, Debug, Serialize)]
pub struct Schedule {
    pub planned_at: Timestamp,
    /// If it were begun at once.
    pub would_end_at: Timestamp,
    /// In nine of ten cases. None: the plan is of a version that did not predict it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_by: Option<Timestamp>,
    /// Of a saved plan. None: as long as nothing moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// The backup that would be restored cannot be after that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_expires: Option<Timestamp>,
    /// Sentences without full stop.
    pub says: Vec<String>,
}

/// Rehearsals that are listed one by one, the newest: whoever wants more asks `lifeboat drills`.
const MOST_DRILLS: usize = 10;

/// What speaks for the plan besides its own probes.
#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    /// Sentences without full stop.
    pub says: Vec<String>,
    /// Rehearsals of the runbook before the plan was made, the newest of them. None: none is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drills: Option<Rehearsals>,
    /// None: no proof of the runbook is at hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crash: Option<CrashProof>,
}

/// What is known of earlier rehearsals and of proofs.
pub(super) fn evidence(plan: &Plan, history: Option<&History>, crash: Option<CrashProof>) -> Evidence {
    let mut says = Vec::new();
    let drills = history.and_then(|history| rehearsals(plan, history, &mut says));
    if history.is_none() {
        says.push(
            "Rehearsals: nobody looked for earlier ones; what the predictions rest on is said beside them".to_owned(),
        );
    }
    says.push(crash.as_ref().map_or_else(
        || {
            "Crash safety: no proof of this runbook is at hand; `lifeboat prove RUNBOOK` breaks it in the simulator at every \
             append of the journal and at every request, and prints the matrix"
                .to_owned()
        },
        |crash| crash.sentence(plan.mode),
    ));
    Evidence { says, drills, crash }
}

fn rehearsals(plan: &Plan, history: &History, says: &mut Vec<String>) -> Option<Rehearsals> {
    let all = Drills::of(history.runs.clone(), Vec::new(), None, Some(&plan.name)).runbooks;
    let (mine, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| it.simulated == plan.site.is_simulated());
    if let Some(why) = &history.unread {
        says.push(format!("Not every earlier run could be read, so there may have been more rehearsals: {why}"));
    }
    let world = if plan.site.is_simulated() { ", in a simulated world" } else { "" };
    let Some(mut mine) = mine.into_iter().next() else {
        let elsewhere =
            if others.is_empty() { "" } else { "; those in another world, simulated or real, do not count" };
        says.push(format!("Rehearsals: none of {} is known before the plan was made{elsewhere}", plan.name));
        return None;
    };
    says.push(format!("Rehearsals{world}: {}", mine.sentence()));
    if mine.drills.last().is_some_and(|last| last.runbook_sha256 != plan.runbook_sha256) {
        says.push("The runbook was changed since its last rehearsal".to_owned());
    }
    mine.drills.drain(..mine.drills.len().saturating_sub(MOST_DRILLS));
    Some(mine)
}

/// What has to be so for the run to have succeeded.
#[derive(Clone, Debug, Serialize)]
pub struct Criterion {
    /// Lower-case fragment.
    pub what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// None: not known, or not yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub met: Option<bool>,
    /// After a run: what was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// The runbook's own condition left its step out: nothing of it is open.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub not_asked_for: bool,
    #[serde(skip)]
    of: Of,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Rto,
    Rpo,
    Step(usize),
}

pub(super) fn schedule(plan: &Plan) -> Schedule {
    let searches = plan.steps.iter().filter(|step| step.action == ActionKind::FindLatest);
    let expires = searches.filter_map(|step| step.probe.outputs.get("expires").and_then(Value::as_str));
    let backup_expires = expires.filter_map(|text| text.parse::<Timestamp>().ok()).min();
    let would_end_at = plan.made_at + plan.expected;
    let ends_by = plan.prediction.map(|prediction| plan.made_at + prediction.p90);
    let by = ends_by.map(|by| format!(", and by {} in nine of ten cases", moment(by))).unwrap_or_default();
    let valid_until = plan.saved.as_ref().and_then(|saved| saved.valid_until);
    let mut says = vec![
        format!("Begun at {}, it would end at about {}{by}", moment(plan.made_at), moment(would_end_at)),
        match (valid_until, &plan.saved) {
            (Some(until), _) => {
                format!(
                    "The saved plan may be run until {}, and only while no fact of its digest has moved",
                    moment(until)
                )
            }
            (None, Some(_)) => "The saved plan may be run as long as no fact of its digest has moved".to_owned(),
            (None, None) => {
                "The plan has no end of validity of its own: the facts are as old as it is, and a run reads again \
                             what may have moved before each change"
                    .to_owned()
            }
        },
    ];
    if let Some(expires) = backup_expires {
        says.push(format!(
            "The backup cannot be restored after {}; by then a newer one has to be planned with",
            moment(expires)
        ));
    }
    let waits = plan.steps.iter().filter(|step| step.action == ActionKind::Approval);
    says.extend(
        waits.map(|step| format!("Step {} waits for a person, {} at most", step.id, said(step.timeout.as_secs()))),
    );
    Schedule { planned_at: plan.made_at, would_end_at, ends_by, valid_until, backup_expires, says }
}

pub(super) fn criteria(plan: &Plan) -> Vec<Criterion> {
    let criterion = |what: String, of| Criterion { what, step: None, met: None, seen: None, not_asked_for: false, of };
    let rto =
        plan.objectives.rto.map(|rto| criterion(format!("it ends within the RTO of {}", span::format(rto)), Of::Rto));
    let rpo = plan
        .objectives
        .rpo
        .map(|rpo| criterion(format!("what is restored is no older than the RPO of {}", span::format(rpo)), Of::Rpo));
    let steps = plan.steps.iter().enumerate().filter_map(|(place, step)| {
        let what = proves(step.action)?;
        Some(Criterion { step: Some(step.id.clone()), ..criterion(what.to_owned(), Of::Step(place)) })
    });
    rto.into_iter().chain(rpo).chain(steps).collect()
}

/// What is shown by a step that ends well. None: nothing that anybody aims at.
fn proves(kind: ActionKind) -> Option<&'static str> {
    match kind {
        ActionKind::Restore => Some("the service is restored and idle"),
        ActionKind::VerifyRestore => Some("the restored service holds what the backup's manifest names"),
        ActionKind::GatewayHealth => Some("the gateway serves under the production name, with the right certificate"),
        ActionKind::FlipCname | ActionKind::FlipPrivateCname => Some("the record points at the new target"),
        ActionKind::SetEndpoints | ActionKind::SetOrigin => Some("traffic is switched"),
        ActionKind::VerifyPropagation => {
            Some("every name server and resolver gives the new target, and old answers have run out")
        }
        ActionKind::Backup => Some("a fresh backup and its manifest are whole"),
        ActionKind::Prune => Some("expired and surplus backups are gone"),
        ActionKind::ConfirmOutage
        | ActionKind::VerifyStandby
        | ActionKind::FindLatest
        | ActionKind::Compare
        | ActionKind::SetTtl
        | ActionKind::Approval
        | ActionKind::HttpRequest
        | ActionKind::Command
        | ActionKind::Notify
        | ActionKind::Wait => None,
    }
}

/// Marks the criteria with what the run came to.
pub(super) fn hold_against(criteria: &mut [Criterion], state: &State, reached: &ObjectiveVerdict) {
    let rehearsed = state.is_rehearsed();
    for criterion in criteria {
        (criterion.met, criterion.seen) = match criterion.of {
            Of::Rto => objective(&reached.rto),
            Of::Rpo => objective(&reached.rpo),
            Of::Step(place) => {
                let record = &state.steps[place];
                criterion.not_asked_for = matches!(record.state, StepState::Skipped { by: None, .. });
                let at = record.ended_at.map(|at| format!("{} at {}", record.state.word(), moment(at)));
                match &record.state {
                    StepState::Succeeded { .. } => (Some(true), at),
                    // It was shown, and then put back.
                    StepState::Undone if rehearsed => {
                        (Some(true), record.met_at.map(|met| format!("succeeded at {}; put back since", moment(met))))
                    }
                    StepState::Failed { .. } | StepState::Undone | StepState::UndoFailed { .. } => (Some(false), at),
                    StepState::Skipped { reason, .. } => (None, Some(format!("skipped: {}", one_line(reason)))),
                    StepState::Pending { .. }
                    | StepState::Running { .. }
                    | StepState::Waiting { .. }
                    | StepState::InDoubt { .. }
                    | StepState::Undoing { .. } => (None, Some(record.state.word().to_owned())),
                }
            }
        };
    }
}

fn objective(objective: &crate::report::Objective) -> (Option<bool>, Option<String>) {
    let seen = objective.reached.map(|reached| said(reached.as_secs()));
    match objective.judgement {
        Judgement::Met => (Some(true), seen),
        Judgement::Missed => (Some(false), seen),
        Judgement::Unknown | Judgement::NotSet => (None, seen),
    }
}

pub(super) fn verify(plan: &Plan, run: Option<&RunId>, commands: &Commands) -> Vec<String> {
    let mut lines = vec![format!("The runbook: `sha256sum RUNBOOK` gives {}", plan.runbook_sha256)];
    match run {
        Some(run) => {
            lines.push(format!(
                "The run: `{}` checks every record, its checksum and the hash chain, and prints the plan's digest and the hash \
                 of the last record",
                commands.about("verify", run, "")
            ));
            lines.push(format!("The plan is the journal's first record; its digest is {}", plan.digest));
        }
        None => lines.push(format!(
            "The plan: its digest is {}; a plan of the same runbook with the same facts has the same one on every machine. It \
             covers steps, requests and facts, not the times at which they were seen",
            plan.digest
        )),
    }
    lines
}
