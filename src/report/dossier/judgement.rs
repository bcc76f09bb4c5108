//! The traffic light, and the rule that produced it: the first of the list that holds. A test walks the list.

use serde::Serialize;

use super::Outcome;
use crate::{
    plan::{Certainty, Plan, facts::Severity},
    report::{Judgement, OpenItem, Standing},
    run::Outcome as Ended,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Light {
    Green,
    Amber,
    Red,
}

impl Light {
    pub fn word(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Amber => "amber",
            Self::Red => "red",
        }
    }
}

/// The light, the rule and what the rule found.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    pub light: Light,
    /// A lower-case fragment, the same for everybody, with its full stop.
    pub rule: &'static str,
    /// Lower-case fragments.
    pub reasons: Vec<String>,
}

impl Judged {
    /// None: the rule does not hold.
    fn when(light: Light, rule: &'static str, reasons: Vec<String>) -> Option<Self> {
        (!reasons.is_empty()).then_some(Self { light, rule, reasons })
    }
}

/// Codes of findings that say that an objective is predicted to be missed.
const MISSES: [&str; 2] = ["rto-predicted-missed", "rpo-predicted-missed"];

/// Of a plan.
pub(super) fn before(plan: &Plan) -> Judged {
    let told = |wanted: &dyn Fn(&crate::plan::facts::Finding) -> bool| -> Vec<String> {
        plan.findings.iter().filter(|finding| wanted(finding)).map(|finding| finding.message.clone()).collect()
    };
    let unknown = plan.steps.iter().filter(|step| step.certainty == Certainty::Unknown);
    let rules = [
        Judged::when(
            Light::Red,
            "a blocker stands; a run of this plan would be refused.",
            told(&|finding| finding.severity == Severity::Blocker),
        ),
        Judged::when(
            Light::Amber,
            "somebody decided against what is seen.",
            plan.forced.iter().map(|forced| forced.over("the look at the service that is left")).collect(),
        ),
        Judged::when(
            Light::Amber,
            "an objective is predicted to be missed, in the middle of all runs (p50).",
            told(&|finding| MISSES.contains(&finding.code.as_str())),
        ),
        Judged::when(
            Light::Amber,
            "a warning stands that somebody should have read.",
            told(&|finding| finding.severity == Severity::Warning),
        ),
        Judged::when(
            Light::Amber,
            "what a step will do cannot be known before the run.",
            unknown.map(|step| format!("{}: {}", step.id, step.probe.summary)).collect(),
        ),
    ];
    rules.into_iter().flatten().next().unwrap_or_else(|| Judged {
        light: Light::Green,
        rule: "nothing stands in the way, no warning stands, and in the middle of all runs (p50) no objective is missed.",
        reasons: Vec::new(),
    })
}

/// Of a run.
pub(super) fn after(standing: Standing, outcome: &Outcome) -> Judged {
    let doubts = outcome.world.truths.iter().filter(|truth| !truth.certain);
    let doubts: Vec<String> = doubts.map(|truth| format!("{} {}", truth.subject, truth.says)).collect();
    let over = |wanted: bool| if wanted { vec![outcome.ended_because()] } else { Vec::new() };
    let objectives = &outcome.objectives;
    let missed = [("RTO", objectives.rto), ("RPO", objectives.rpo)];
    let missed = missed.into_iter().filter(|(_, objective)| objective.judgement == Judgement::Missed);
    let rules = [
        Judged::when(Light::Red, "a human must look; the run could not end by itself.", over(is_stuck(standing))),
        Judged::when(Light::Red, "it ended without recovering.", over(is_lost(standing))),
        Judged::when(
            Light::Red,
            "nobody drives it, and what became of a change is not known.",
            if standing.may_be_driven() { Vec::new() } else { doubts },
        ),
        Judged::when(Light::Amber, "it is not over.", over(!standing.is_terminal())),
        Judged::when(
            Light::Amber,
            "recovered, and what one person approved alone is not signed off by somebody else.",
            outcome.open_items().map(OpenItem::sentence).collect(),
        ),
        Judged::when(
            Light::Amber,
            "recovered, and an objective was missed.",
            missed.map(|(name, _)| format!("{name} was missed")).collect(),
        ),
        Judged::when(
            Light::Amber,
            "recovered, and somebody decided against what was seen, or in its place.",
            outcome.decided(),
        ),
    ];
    rules.into_iter().flatten().next().unwrap_or_else(|| Judged {
        light: Light::Green,
        rule: "recovered, no objective missed, nobody overrode what was seen, and nothing waits to be signed off.",
        reasons: Vec::new(),
    })
}

fn is_stuck(standing: Standing) -> bool {
    match standing {
        Standing::Ended(Ended::Stuck) => true,
        Standing::Driven
        | Standing::Abandoned
        | Standing::Unknown
        | Standing::Ended(
            Ended::Succeeded | Ended::Failed | Ended::Refused | Ended::Undone | Ended::Interrupted | Ended::Aborted,
        ) => false,
    }
}

fn is_lost(standing: Standing) -> bool {
    match standing {
        Standing::Ended(Ended::Failed | Ended::Refused | Ended::Undone | Ended::Aborted) | Standing::Abandoned => true,
        Standing::Driven
        | Standing::Unknown
        | Standing::Ended(Ended::Succeeded | Ended::Stuck | Ended::Interrupted) => false,
    }
}
