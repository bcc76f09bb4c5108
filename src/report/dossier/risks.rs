//! What may go wrong, what is taken for granted, and what could not be verified.

use serde::Serialize;

use super::said;
use crate::{
    plan::{
        Certainty, Plan, PlannedStep, codes,
        facts::{Finding, Severity},
    },
    runbook::{ActionKind, Mode},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Low,
    Medium,
    High,
}

impl Level {
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Risk {
    /// Lower-case fragment.
    pub risk: String,
    pub likelihood: Level,
    pub impact: Level,
    /// What is done about it, or has to be. Lower-case fragment.
    pub answer: String,
    /// Code of the finding that it comes from; none: it is in the nature of the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl Risk {
    /// The worse of the two counts twice: a rare disaster stands above a likely nuisance.
    pub fn weight(&self) -> usize {
        let (one, other) = (self.likelihood as usize, self.impact as usize);
        one + other + one.max(other)
    }
}

/// Something that no probe could tell.
#[derive(Clone, Debug, Serialize)]
pub struct Unverified {
    /// A step or a resource.
    pub subject: String,
    /// Lower-case fragment.
    pub why: String,
}

/// How much of the plan was seen, not assumed.
#[derive(Clone, Debug, Serialize)]
pub struct Fidelity {
    /// 0 to 100.
    pub score: u64,
    pub rule: &'static str,
    pub verified: usize,
    pub predicted: usize,
    pub unknown: usize,
    pub unverified: Vec<Unverified>,
}

const RULE: &str = "A step that was verified live counts 1, one that rests on what earlier steps will do counts one half, one \
                    that only the run can tell counts 0; their mean in percent, less one point for each finding that says \
                    that something could not be read, never below 0.";

pub(super) fn fidelity(plan: &Plan) -> Fidelity {
    let count = |certainty| plan.steps.iter().filter(|step| step.certainty == certainty).count();
    let (verified, predicted, unknown) =
        (count(Certainty::Verified), count(Certainty::Predicted), count(Certainty::Unknown));
    let unread: Vec<&Finding> = plan.findings.iter().filter(|finding| is_unread(finding)).collect();
    let halves = 2 * verified + predicted;
    let share = (100 * halves).checked_div(2 * plan.steps.len()).unwrap_or_default();
    let steps = plan.steps.iter().filter_map(|step| {
        let why = match step.certainty {
            Certainty::Verified => return None,
            Certainty::Predicted => format!("rests on what earlier steps are expected to do: {}", step.probe.summary),
            Certainty::Unknown => step.probe.summary.clone(),
        };
        Some(Unverified { subject: format!("step {}", step.id), why })
    });
    let findings = unread.iter().map(|finding| {
        let place = finding.place();
        let subject = finding.subject.clone().unwrap_or(place);
        Unverified { subject, why: format!("{} [{}]", finding.message, finding.code) }
    });
    Fidelity {
        score: u64::try_from(share.saturating_sub(unread.len())).unwrap_or_default(),
        rule: RULE,
        verified,
        predicted,
        unknown,
        unverified: steps.chain(findings).collect(),
    }
}

fn is_unread(finding: &Finding) -> bool {
    codes::find(&finding.code).is_some_and(|row| row.unread)
}

/// The heaviest first.
pub(super) fn of(plan: &Plan) -> Vec<Risk> {
    let found = plan.findings.iter().filter_map(|finding| {
        let impact = match finding.severity {
            Severity::Blocker => Level::High,
            Severity::Warning => Level::Medium,
            Severity::Note => return None,
        };
        Some(Risk {
            risk: finding.message.clone(),
            likelihood: Level::High,
            impact,
            answer: finding.remedy.clone(),
            code: Some(finding.code.clone()),
        })
    });
    let mut risks: Vec<Risk> = found.collect();
    for step in &plan.steps {
        let more = of_step(step, plan.mode);
        risks.extend(
            more.into_iter().filter(|one| risks.iter().all(|other| other.risk != one.risk)).collect::<Vec<_>>(),
        );
    }
    risks.extend(late(plan));
    risks.push(Risk {
        risk: "the process or the machine that drives the run dies".to_owned(),
        likelihood: Level::Low,
        impact: Level::Low,
        answer: "`lifeboat resume RUN`, here or elsewhere: every intent was written down before its request left, and nothing is \
                 sent twice"
            .to_owned(),
        code: None,
    });
    risks.sort_by_key(|risk| std::cmp::Reverse(risk.weight()));
    risks
}

/// The middle keeps the objective, and the bound does not. That the middle misses it is a finding.
fn late(plan: &Plan) -> Option<Risk> {
    let (prediction, rto) = (plan.prediction?, plan.objectives.rto?);
    (plan.expected <= rto && prediction.p90 > rto).then(|| Risk {
        risk: format!(
            "it may take longer than the RTO of {}: in one of ten cases more than {} ({})",
            said(rto.as_secs()),
            said(prediction.p90.as_secs()),
            prediction.rests_on()
        ),
        likelihood: Level::Medium,
        impact: Level::Medium,
        answer: "rehearse it more often: with more drills the bound comes closer; or agree on another objective"
            .to_owned(),
        code: None,
    })
}

fn of_step(step: &PlannedStep, mode: Mode) -> Vec<Risk> {
    let risk = |risk: &str, likelihood, impact, answer: String| Risk {
        risk: risk.to_owned(),
        likelihood,
        impact,
        answer,
        code: None,
    };
    match step.action {
        ActionKind::Restore => {
            let longer = risk(
                "the restore takes longer than expected: Microsoft names no upper bound",
                Level::Medium,
                Level::Medium,
                format!(
                    "it is followed for {}; a resume follows it again and never sends a second one",
                    said(step.timeout.as_secs())
                ),
            );
            let half = risk(
                "the restore fails half-way, and the standby's configuration is neither the old nor the new one",
                Level::Low,
                Level::High,
                "traffic is not moved; restore again in a new run, or another backup".to_owned(),
            );
            let lost = risk(
                "changes since the backup are lost",
                Level::High,
                Level::Medium,
                "see the loss manifest; make them again by hand after the run".to_owned(),
            );
            // In a rehearsal users stay with the service that has them.
            let is_lost = mode != Mode::Drill;
            [longer, half].into_iter().chain(is_lost.then_some(lost)).collect()
        }
        ActionKind::FlipCname | ActionKind::FlipPrivateCname => vec![
            risk(
                "somebody else changes the record between plan and write",
                Level::Low,
                Level::Medium,
                "the write holds only for the record as it was read (If-Match); else it is refused, not overwritten"
                    .to_owned(),
            ),
            risk(
                "resolvers and clients keep the old target for longer than its TTL",
                Level::Medium,
                Level::Medium,
                "the old side is left as it is; a later step asks every name server and the site's resolvers"
                    .to_owned(),
            ),
        ],
        ActionKind::SetEndpoints | ActionKind::SetOrigin => vec![risk(
            "the edges of the network see the new setting at different times",
            Level::Medium,
            Level::Low,
            "members are set one after the other and read again".to_owned(),
        )],
        ActionKind::Approval => vec![risk(
            "nobody approves in time",
            Level::Medium,
            Level::Medium,
            format!("the step ends after {}; the run can be resumed and asks again", said(step.timeout.as_secs())),
        )],
        ActionKind::ConfirmOutage => vec![risk(
            "the active service is alive, and two regions take traffic",
            Level::Low,
            Level::High,
            "the run looks twice and refuses when it looks alive".to_owned(),
        )],
        ActionKind::HttpRequest | ActionKind::Command => vec![risk(
            "a step runs what lifeboat does not know, and its outcome is what it says of itself",
            Level::Low,
            Level::Medium,
            "read the step's arguments in the appendix".to_owned(),
        )],
        ActionKind::Backup
        | ActionKind::Prune
        | ActionKind::VerifyStandby
        | ActionKind::FindLatest
        | ActionKind::VerifyRestore
        | ActionKind::Compare
        | ActionKind::GatewayHealth
        | ActionKind::SetTtl
        | ActionKind::VerifyPropagation
        | ActionKind::Notify
        | ActionKind::Wait => Vec::new(),
    }
}

pub(super) fn assumptions(plan: &Plan) -> Vec<String> {
    let has = |kind: ActionKind| plan.steps.iter().any(|step| step.action == kind);
    let mut list = vec![
        "The world stays as the probes saw it. What may have moved is read again right before each change.".to_owned(),
        "Steps take as long as expected; the step table names the source of each figure.".to_owned(),
        "The credential keeps its rights until the run ends.".to_owned(),
    ];
    if has(ActionKind::Restore) {
        list.push("What a restore does not bring is in place on the standby already (see scope).".to_owned());
        list.push("The backup holds what its manifest says; only the restore itself proves it.".to_owned());
    }
    if has(ActionKind::FlipCname) || has(ActionKind::SetTtl) {
        list.push("Resolvers honour the record's TTL.".to_owned());
    }
    if plan.site.is_simulated() {
        list.push("This world is simulated: no figure here was measured against Azure.".to_owned());
    }
    list
}
