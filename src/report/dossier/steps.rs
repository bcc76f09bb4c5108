//! One row a step: what it does, how long it is expected to take and from where that is known, what it needs to be allowed,
//! how its success is seen; and after a run what became of it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Beside, said, seconds};
use crate::{
    plan::{Certainty, Plan, PlannedStep, facts::PlannedRequest, text::starts},
    report::{Commands, Standing, step::StepView},
    run::{State, StepError},
    runbook::{ActionKind, Effect, StepId},
};

/// Something that the tool's credential needs to be allowed for a step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Permission {
    /// `Microsoft.ApiManagement/service/restore/action`
    pub action: String,
    /// The resource, or the field that names it.
    pub on: String,
    pub why: String,
    /// Without it the step fails; else it goes on and says what could not be seen.
    pub required: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct StepRow {
    /// From 1, in the plan's order.
    pub number: usize,
    pub id: StepId,
    pub action: ActionKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// One line: what would happen.
    pub summary: String,
    pub effect: Effect,
    pub certainty: Certainty,
    pub needs: Vec<StepId>,
    pub critical: bool,
    /// After the run's beginning, if everything before it takes as long as expected.
    pub start_s: u64,
    pub expected_s: u64,
    /// Nine of ten take no longer. None: the plan is of a version that did not predict it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p90_s: Option<u64>,
    /// Where the figures are from.
    pub expected_source: String,
    pub timeout_s: u64,
    pub attempts_allowed: u32,
    pub permissions: Vec<Permission>,
    /// How its success is seen. Lower-case fragment.
    pub verification: &'static str,
    pub arguments: Map<String, Value>,
    pub requests: Vec<PlannedRequest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<Actual>,
}

impl StepRow {
    /// Seconds that nine of ten keep, as far as that is predicted.
    pub(super) fn longest_s(&self) -> u64 {
        self.p90_s.unwrap_or_default().max(self.expected_s)
    }

    /// `, p90 1h 16m`, where it is another figure than the p50.
    pub(super) fn bound(&self) -> String {
        let differs = self.p90_s.filter(|p90| *p90 != self.expected_s);
        differs.map(|p90| format!(", p90 {}", said(p90))).unwrap_or_default()
    }
}

/// What became of a step.
#[derive(Clone, Debug, Serialize)]
pub struct Actual {
    /// One of the words of a step's view, such as `succeeded` or `in doubt`.
    pub state: &'static str,
    #[serde(skip)]
    pub symbol: crate::style::Symbol,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// After the run's beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_s: Option<u64>,
    pub attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<StepError>,
}

impl Actual {
    pub(super) fn of(state: &State, place: usize, standing: Standing, at: Timestamp, commands: &Commands) -> Self {
        let view = StepView::of(state, place, standing, at, commands);
        Self {
            state: view.state,
            symbol: view.symbol,
            started_at: view.started_at,
            ended_at: view.ended_at,
            start_s: view.started_at.and_then(|started| seconds(state.created_at, started)),
            took_s: view.elapsed_s.and_then(|elapsed| u64::try_from(elapsed).ok()),
            attempts: view.attempts,
            note: view.note,
            error: view.error,
        }
    }
}

pub(super) fn of(plan: &Plan, arguments: &[Map<String, Value>], beside: &Beside) -> Vec<StepRow> {
    let rows = plan.steps.iter().zip(starts(plan)).enumerate().map(|(place, (step, start))| StepRow {
        number: place + 1,
        id: step.id.clone(),
        action: step.action,
        description: step.description.clone(),
        summary: step.probe.summary.clone(),
        effect: step.effect,
        certainty: step.certainty,
        needs: step.needs.clone(),
        critical: plan.critical_path.contains(&step.id),
        start_s: start.as_secs(),
        expected_s: step.expected.as_secs(),
        p90_s: step.prediction.map(|it| it.p90.as_secs()),
        expected_source: step.expected_source.clone(),
        timeout_s: step.timeout.as_secs(),
        attempts_allowed: step.retry.attempts,
        permissions: beside.permissions.get(place).cloned().unwrap_or_default(),
        verification: verification(step),
        arguments: arguments[place].clone(),
        requests: step.probe.requests.clone(),
        actual: None,
    });
    rows.collect()
}

fn verification(step: &PlannedStep) -> &'static str {
    match step.action {
        ActionKind::ConfirmOutage => {
            "two looks, some time apart, at resource health, resource manager, gateway and DNS"
        }
        ActionKind::VerifyStandby => "the standby's tier, state and names, read and compared",
        ActionKind::FindLatest => "the list of blobs, and the manifest of the one that is chosen",
        ActionKind::Backup => "the operation's end as Azure tells it, then the blob itself",
        ActionKind::Prune => "the list of blobs, read again",
        ActionKind::Restore => "the operation's end as Azure tells it, then the service's own state",
        ActionKind::VerifyRestore => "names and counts of what the service holds, against the backup's manifest",
        ActionKind::Compare => "names of what both services hold",
        ActionKind::GatewayHealth => "answers of the standby's gateway under the production name, and its certificate",
        ActionKind::SetTtl | ActionKind::FlipCname | ActionKind::FlipPrivateCname => {
            "Azure's answer to a write that holds only if nobody else wrote (If-Match)"
        }
        ActionKind::VerifyPropagation => "every authoritative name server and every resolver that the site names",
        ActionKind::SetEndpoints | ActionKind::SetOrigin => "the pool, read again until it has the setting",
        ActionKind::Approval => "a person's recorded decision",
        ActionKind::HttpRequest => "the answer's status",
        ActionKind::Command => "the program's exit status",
        ActionKind::Notify => "each receiver's answer",
        ActionKind::Wait => "the clock",
    }
}
