//! The dossier of a plan, and of what became of it: what a change board reads before a run and an auditor after it.
//!
//! ```text
//!  Plan ─────────────┐
//!                    ├─ Dossier ─┬─ pages ─ paper ─┬─ HTML
//!  events, State ────┘           │                 └─ Markdown
//!  Beside (what the caller knows)├─ JSON
//!                                └─ ServiceNow's change request
//! ```
//!
//! One model for both sides of a run, so that what happened stands beside what was foretold. Pure: it is built from a plan
//! and events alone, never looks at the world, and says of what it does not know that it does not know it.

mod approvals;
mod back;
mod change;
mod crash;
mod deviations;
mod evidence;
mod judgement;
mod loss;
mod outcome;
mod pages;
mod phases;
mod risks;
mod scope;
mod service_now;
mod steps;

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Commands, Standing};
use crate::{
    plan::{History, Plan, facts::Finding, recovery},
    report,
    run::{Record, RunId, State},
    runbook::{Mode, Scope as Expressions, StepId},
};

pub use approvals::{Approval, Refusal};
pub use back::Backout;
pub use change::{Change, ChangedField};
pub use crash::{CrashProof, CrashRow, Proof, shipped};
pub use deviations::Deviation;
pub use evidence::{Criterion, Evidence, Schedule};
pub use judgement::{Judged, Light, OF_A_PLAN, OF_A_RUN};
pub use loss::{Loss, LostName};
pub use outcome::{Happened, Outcome};
pub use phases::{Phase, PhaseClock};
pub use risks::{Fidelity, Level, Risk, Unverified};
pub use scope::Scope;
pub use steps::{Actual, Permission, StepRow};

/// Version of the JSON form. Changelog:
/// 1. The first.
pub const FORMAT: u32 = 1;

/// What the plan and the events do not hold, and whoever asks for the dossier may know.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// What each step needs to be allowed, in the plan's order. Empty: not known.
    pub permissions: Vec<Vec<Permission>>,
    /// The runbook's own text; said not to be at hand when it is none.
    pub runbook: Option<String>,
    /// When the incident began; none: time counts from the run's beginning.
    pub incident: Option<Timestamp>,
    /// The last record's hash, after a run.
    pub head: Option<String>,
    /// Earlier runs. None: nobody looked.
    pub history: Option<History>,
    /// Of a plan that nobody has run: the approvals that it has, each of which counts.
    pub approvals: Vec<crate::run::approval::Approval>,
    /// What `lifeboat prove` found of the runbook.
    pub crash: Option<CrashProof>,
    pub commands: Commands,
}

/// What it is about.
#[derive(Clone, Debug, Serialize)]
pub struct Cover {
    pub runbook: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub mode: Mode,
    pub plan_digest: String,
    pub runbook_sha256: String,
    pub planned_at: Timestamp,
    /// Until when it tells what happened, by the clock of the run.
    pub at: Timestamp,
    /// `https://management.azure.com`
    pub resource_manager: String,
    pub simulated: bool,
    /// Names and resource ids that traffic or configuration is moved of.
    pub touches: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
}

/// The objectives beside what the plan foretells.
#[derive(Clone, Debug, Serialize)]
pub struct Predicted {
    /// None: the runbook sets none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rto_s: Option<u64>,
    /// Half of all runs take no longer.
    pub duration_s: u64,
    /// Nine of ten take no longer. None: the plan is of a version that did not predict it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p90_s: Option<u64>,
    /// What both rest on: `12 earlier runs`.
    pub rests_on: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpo_s: Option<u64>,
    /// Of what would be restored, when the plan was made. None: only the run brings it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_age_s: Option<u64>,
}

/// Something that a probe read.
#[derive(Clone, Debug, Serialize)]
pub struct Observed {
    pub step: StepId,
    pub name: String,
    pub value: Value,
    /// The probe: `GET https://…`.
    pub source: String,
    pub at: Timestamp,
    /// May change without changing the plan.
    pub volatile: bool,
}

/// Everything that a board or an auditor reads.
#[derive(Clone, Debug, Serialize)]
pub struct Dossier {
    pub v: u32,
    pub cover: Cover,
    pub judged: Judged,
    /// None: before the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The worst first.
    pub findings: Vec<Finding>,
    pub scope: Scope,
    pub observed: Vec<Observed>,
    pub changes: Vec<Change>,
    pub steps: Vec<StepRow>,
    pub left_out: Vec<StepId>,
    pub critical_path: Vec<StepId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub point_of_no_return: Option<StepId>,
    pub expected_s: u64,
    pub predicted: Predicted,
    pub loss: Loss,
    pub risks: Vec<Risk>,
    pub assumptions: Vec<String>,
    pub fidelity: Fidelity,
    pub backout: Vec<Backout>,
    pub schedule: Schedule,
    pub evidence: Evidence,
    pub approvals: Vec<Approval>,
    pub criteria: Vec<Criterion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// How to hold the hashes against what they are of.
    pub verify: Vec<String>,
    /// Of the steps; drawn, not told.
    #[serde(skip)]
    picture: super::picture::Picture,
    #[serde(skip)]
    numbers: std::collections::HashMap<StepId, usize>,
    #[serde(skip)]
    parameters: std::collections::BTreeMap<String, Value>,
}

impl Dossier {
    /// Of a plan that nobody has run.
    pub fn before(plan: &Plan, beside: &Beside) -> Self {
        let mut dossier = Self::of_plan(plan, plan.made_at, beside);
        dossier.judged = judgement::before(plan);
        for asked in &mut dossier.approvals {
            let counts = beside.approvals.iter().filter(|approval| approval.covers(&asked.step));
            let given = counts.map(|approval| {
                let step = Some(asked.step.clone());
                report::Approved { step, ..report::Approved::of(approval, plan.site.trusted(), None) }
            });
            asked.given = given.collect();
        }
        dossier
    }

    /// Of a run, over or not. `records`: its whole journal, of which `state` is the fold. `now`: by the run's own clock.
    pub fn after(state: &State, records: &[Record], standing: Standing, now: Timestamp, beside: &Beside) -> Self {
        // People may have signed something off since it stopped: that is told, and lengthens nothing.
        let at = state.stopped.as_ref().map_or(now, |(_, _, at)| *at);
        let told = if state.stopped.is_some() { state.last_event_at } else { now };
        let plan = as_run(state);
        let mut dossier = Self::of_plan(&plan, told, beside);
        dossier.cover.run = Some(state.run.clone());
        for (place, row) in dossier.steps.iter_mut().enumerate() {
            row.actual = Some(Actual::of(state, place, standing, at, &beside.commands));
        }
        let outcome = Outcome::of(state, records, standing, at, beside);
        dossier.judged = judgement::after(standing, &outcome);
        dossier.loss = loss::of(&plan, &resolved(&plan), Some(state));
        let given = report::approvals::approvals(state);
        for approval in &mut dossier.approvals {
            let of_step = given.iter().filter(|one| one.step.as_ref() == Some(&approval.step));
            approval.given = of_step.cloned().collect();
            approval.refused = approvals::refused(records, &approval.step);
        }
        evidence::hold_against(&mut dossier.criteria, state, &outcome.objectives);
        // Whatever began after the plan was made is no evidence for it.
        let earlier = beside.history.as_ref().map(|history| history.before(state.plan.made_at));
        dossier.evidence = evidence::evidence(&state.plan, earlier.as_ref(), beside.crash.clone());
        dossier.verify = evidence::verify(&state.plan, Some(&state.run), &beside.commands);
        dossier.outcome = Some(outcome);
        dossier
    }

    fn of_plan(plan: &Plan, at: Timestamp, beside: &Beside) -> Self {
        let arguments = resolved(plan);
        let seconds = |duration: std::time::Duration| duration.as_secs();
        let predicted = Predicted {
            rto_s: plan.objectives.rto.map(seconds),
            duration_s: plan.expected.as_secs(),
            p90_s: plan.prediction.map(|it| it.p90.as_secs()),
            rests_on: plan.prediction.map_or_else(|| "documented defaults".to_owned(), |it| it.rests_on()),
            rpo_s: plan.objectives.rpo.map(seconds),
            backup_age_s: recovery::predicted_age(plan).map(seconds),
        };
        let observed = plan.steps.iter().flat_map(|step| {
            step.probe.facts.iter().map(|fact| Observed {
                step: step.id.clone(),
                name: fact.name.clone(),
                value: fact.value.clone(),
                source: fact.source.clone(),
                at: fact.observed_at,
                volatile: fact.volatile,
            })
        });
        Self {
            v: FORMAT,
            cover: cover(plan, at),
            judged: judgement::before(plan),
            outcome: None,
            findings: plan.findings.clone(),
            scope: scope::of(plan),
            observed: observed.collect(),
            changes: change::of(plan),
            steps: steps::of(plan, &arguments, beside),
            left_out: plan.left_out.clone(),
            critical_path: plan.critical_path.clone(),
            point_of_no_return: plan.point_of_no_return.clone(),
            expected_s: plan.expected.as_secs(),
            predicted,
            loss: loss::of(plan, &arguments, None),
            risks: risks::of(plan),
            assumptions: risks::assumptions(plan),
            fidelity: risks::fidelity(plan),
            backout: back::of(plan),
            schedule: evidence::schedule(plan),
            evidence: evidence::evidence(plan, beside.history.as_ref(), beside.crash.clone()),
            approvals: approvals::of(plan, &arguments),
            criteria: evidence::criteria(plan),
            runbook: beside.runbook.clone(),
            verify: evidence::verify(plan, None, &beside.commands),
            picture: super::picture::Picture::of_plan(plan),
            numbers: plan.steps.iter().zip(1..).map(|(step, number)| (step.id.clone(), number)).collect(),
            parameters: plan.parameters.clone(),
        }
    }

    /// Of a step in the plan's order, from 1. None: it is none of the plan.
    fn number(&self, step: &StepId) -> Option<usize> {
        self.numbers.get(step).copied()
    }

    /// One HTML file that needs nothing else.
    pub fn html(&self) -> String {
        super::paper::html(&pages::paper(self))
    }

    pub fn markdown(&self) -> String {
        super::paper::markdown(&pages::paper(self))
    }

    /// One JSON document. Ends with a line feed.
    pub fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("dossiers have text keys");
        text.push('\n');
        text
    }

    /// The body of a change request, with the field names of `ServiceNow`'s table `change_request`. Ends with a line feed.
    pub fn service_now(&self) -> String {
        let mut text = serde_json::to_string_pretty(&service_now::payload(self)).expect("payloads have text keys");
        text.push('\n');
        text
    }
}

/// The plan of a run with the facts that it ran on: somebody may have accepted that some had moved.
fn as_run(state: &State) -> Cow<'_, Plan> {
    if state.accepted_drift.is_empty() {
        return Cow::Borrowed(&state.plan);
    }
    let mut plan = Plan::clone(&state.plan);
    for (place, step) in plan.steps.iter_mut().enumerate() {
        step.probe.facts = state.facts(place);
    }
    Cow::Owned(plan)
}

fn cover(plan: &Plan, at: Timestamp) -> Cover {
    let mut touches: Vec<String> = Vec::new();
    for step in &plan.steps {
        let hostname = step.probe.facts.iter().find(|fact| fact.name == "record.hostname");
        let named = hostname.and_then(|fact| fact.value.as_str()).map(str::to_owned);
        for name in named.into_iter().chain(step.probe.targets.iter().cloned()) {
            if !touches.contains(&name) {
                touches.push(name);
            }
        }
    }
    Cover {
        runbook: plan.name.clone(),
        description: plan.description.clone(),
        mode: plan.mode,
        plan_digest: plan.digest.clone(),
        runbook_sha256: plan.runbook_sha256.clone(),
        planned_at: plan.made_at,
        at,
        resource_manager: plan.site.endpoints.resource_manager.clone(),
        simulated: plan.site.is_simulated(),
        touches,
        run: None,
    }
}

/// The arguments of every step, in the plan's order: what the plan knew of them when it was made; `${{ }}` in the rest.
pub fn resolved(plan: &Plan) -> Vec<Map<String, Value>> {
    let mut scope = Expressions::new(plan.parameters.clone(), plan.mode, None);
    let arguments = plan.steps.iter().map(|step| {
        let known = scope.resolve_known(&step.arguments).map(|(known, _)| known);
        scope.set_predicted(step.id.clone(), step.probe.outputs.clone());
        known.unwrap_or_else(|_| step.arguments.clone())
    });
    arguments.collect()
}

/// Whole seconds from one time to another; none when a clock was set back in between.
fn seconds(from: Timestamp, to: Timestamp) -> Option<u64> {
    u64::try_from(to.duration_since(from).as_secs()).ok()
}

/// `45m 10s`
fn said(seconds: u64) -> String {
    crate::style::say(std::time::Duration::from_secs(seconds))
}
