//! The traffic light, and the rule that produced it: the first of a list that holds. A test walks both lists.

use serde::Serialize;

use super::Outcome;
use crate::{
    plan::{Certainty, Plan, facts::Severity},
    report::{Judgement, OpenItem, Standing, step::StepView},
    run::Outcome as Ended,
    style::Symbol,
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

/// A light, and when it is lit: a lower-case fragment with its full stop, the same for everybody.
pub type Rule = (Light, &'static str);

/// Of a plan. The first that holds judges it; the last holds when no other does.
pub const OF_A_PLAN: [Rule; 6] = [
    (Light::Red, "a blocker stands; a run of this plan would be refused."),
    (Light::Amber, "somebody decided against what is seen."),
    (Light::Amber, "an objective is predicted to be missed, in the middle of all runs (p50)."),
    (Light::Amber, "a warning stands that somebody should have read."),
    (Light::Amber, "what a step will do cannot be known before the run."),
    (
        Light::Green,
        "nothing stands in the way, no warning stands, and in the middle of all runs (p50) no objective is missed.",
    ),
];

/// Of a run. As [`OF_A_PLAN`].
pub const OF_A_RUN: [Rule; 9] = [
    (Light::Red, "a human must look; the run could not end by itself."),
    (Light::Red, "it ended without recovering."),
    (Light::Red, "nobody drives it, and what became of a change is not known."),
    (Light::Amber, "it is not over."),
    (Light::Amber, "recovered, and what one person approved alone is not signed off by somebody else."),
    (Light::Amber, "recovered, and an objective was missed."),
    (Light::Amber, "recovered, and a step failed all the same, or whether an objective was met is not known."),
    (Light::Amber, "recovered, and somebody decided against what was seen, or in its place."),
    (
        Light::Green,
        "recovered, every objective that is set is met, no step failed, nobody overrode what was seen, and nothing waits to \
         be signed off.",
    ),
];

/// `found`: for each rule but the last what it found, as lower-case fragments; it holds when that is anything.
fn first(rules: &[Rule], found: Vec<Vec<String>>) -> Judged {
    let held = found.into_iter().enumerate().find(|(_, reasons)| !reasons.is_empty());
    let (place, reasons) = held.unwrap_or((rules.len() - 1, Vec::new()));
    let (light, rule) = rules[place];
    Judged { light, rule, reasons }
}

/// Codes of findings that say that an objective is predicted to be missed.
const MISSES: [&str; 2] = ["rto-predicted-missed", "rpo-predicted-missed"];

/// Of a plan.
pub(super) fn before(plan: &Plan) -> Judged {
    let told = |wanted: &dyn Fn(&crate::plan::facts::Finding) -> bool| -> Vec<String> {
        plan.findings.iter().filter(|finding| wanted(finding)).map(|finding| finding.message.clone()).collect()
    };
    let unknown = plan.steps.iter().filter(|step| step.certainty == Certainty::Unknown);
    let found = vec![
        told(&|finding| finding.severity == Severity::Blocker),
        plan.forced.iter().map(|forced| forced.over("the look at the service that is left")).collect(),
        told(&|finding| MISSES.contains(&finding.code.as_str())),
        told(&|finding| finding.severity == Severity::Warning),
        unknown.map(|step| format!("{}: {}", step.id, step.probe.summary)).collect(),
    ];
    first(&OF_A_PLAN, found)
}

/// Of a run.
pub(super) fn after(standing: Standing, outcome: &Outcome) -> Judged {
    let doubts = outcome.world.truths.iter().filter(|truth| !truth.certain);
    let doubts: Vec<String> = doubts.map(|truth| format!("{} {}", truth.subject, truth.says)).collect();
    let over = |wanted: bool| if wanted { vec![outcome.ended_because()] } else { Vec::new() };
    let objectives = [("RTO", outcome.objectives.rto), ("RPO", outcome.objectives.rpo)];
    let judged = |wanted| objectives.iter().filter(move |it| it.1.judgement == wanted).map(|(name, _)| *name);
    // In a run that recovered it failed and was tolerated.
    let failed = outcome.attention.iter().filter(|step| step.symbol == Symbol::Failed).map(StepView::failure);
    let unknown = judged(Judgement::Unknown).map(|name| format!("whether the {name} was met is not known"));
    let found = vec![
        over(is_stuck(standing)),
        over(is_lost(standing)),
        if standing.may_be_driven() { Vec::new() } else { doubts },
        over(!standing.is_terminal()),
        outcome.open_items().map(OpenItem::sentence).collect(),
        judged(Judgement::Missed).map(|name| format!("{name} was missed")).collect(),
        failed.chain(unknown).collect(),
        outcome.decided(),
    ];
    first(&OF_A_RUN, found)
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
