//! What moved between a saved plan and the world as it is now. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Plan, PlannedStep,
    digest::digest,
    facts::{Fact, Probe},
};
use crate::{
    runbook::StepId,
    style::{Style, fit, one_line},
};

/// Differences that a refusal shows; the plan that is made anew shows everything.
const MOST_SHOWN: usize = 8;

/// One difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// `runbook`, `parameters.NAME`, `STEP.FACT`, `STEP.requests`, `site.NAME`, or `plan`: what `--accept-drift` takes.
    pub what: String,
    /// The step that rests on it; none: the plan as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// Null: it was not there.
    pub was: Value,
    /// Null: it is not there any more.
    pub is: Value,
}

impl Drift {
    fn new(what: impl Into<String>, was: impl Into<Value>, is: impl Into<Value>) -> Self {
        Self { what: what.into(), step: None, was: was.into(), is: is.into() }
    }

    /// A run may go on over it: with another site, other values or other steps it is another plan.
    pub fn may_be_accepted(&self) -> bool {
        self.what == "runbook" || self.step.is_some()
    }

    /// Three lines.
    pub fn lines(&self) -> String {
        let [was, is] = [&self.was, &self.is].map(said);
        format!("  what: {}\n  was:  {was}\n  is:   {is}", one_line(&self.what))
    }
}

/// Each in three lines, the first ones.
pub fn told(drifts: &[Drift]) -> String {
    let mut blocks: Vec<String> = drifts.iter().take(MOST_SHOWN).map(Drift::lines).collect();
    if drifts.len() > MOST_SHOWN {
        blocks.push(format!("  and {} more", drifts.len() - MOST_SHOWN));
    }
    blocks.join("\n")
}

fn said(value: &Value) -> String {
    const WIDEST: usize = 300;
    let style = Style { colour: false, unicode: false, width: WIDEST };
    match value {
        Value::Null => "(not there)".to_owned(),
        Value::String(text) => fit(&one_line(text), WIDEST, &style),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            fit(&one_line(&value.to_string()), WIDEST, &style)
        }
    }
}

/// Everything that the digest rests on and that is not as it was; empty when the digests are equal. `now`: made of the same
/// runbook and parameters, by the same probes.
pub fn between(saved: &Plan, now: &Plan) -> Vec<Drift> {
    if saved.digest == now.digest {
        return Vec::new();
    }
    let site = |name: &str, of: fn(&Plan) -> Value| {
        let (was, is) = (of(saved), of(now));
        (was != is).then(|| Drift::new(format!("site.{name}"), was, is))
    };
    let mut found: Vec<Drift> = [
        site("endpoints", |plan| json!(plan.site.endpoints)),
        site("tls.ca_file", |plan| json!(plan.site.ca_certificates)),
        site("dns", |plan| json!(plan.site.dns)),
        site("approval.trusted", |plan| json!(plan.site.trusted())),
    ]
    .into_iter()
    .flatten()
    .collect();
    let same_site = found.is_empty();
    for was in &saved.steps {
        if let Some(is) = now.steps.iter().find(|step| step.id == was.id) {
            found.extend(step(was, is));
        }
    }
    let else_made = digest(&as_saved(saved, now.clone()));
    if same_site && else_made != saved.digest {
        // Another version of this program plans otherwise.
        found.push(Drift::new("plan", saved.digest.as_str(), else_made));
    }
    found
}

/// The plan that is run: as it is made now, and where a fact moved, with the facts and requests that were approved.
pub fn as_saved(saved: &Plan, now: Plan) -> Plan {
    let steps = now.steps.into_iter().map(|is| match saved.steps.iter().find(|was| was.id == is.id) {
        Some(was) if !step(was, &is).is_empty() => {
            let volatile = is.probe.facts.iter().filter(|fact| fact.volatile);
            let facts = steady(was).chain(volatile).cloned().collect();
            PlannedStep { probe: Probe { facts, requests: was.probe.requests.clone(), ..is.probe }, ..is }
        }
        Some(_) | None => is,
    });
    Plan { steps: steps.collect(), digest: saved.digest.clone(), ..now }
}

/// Parameters that are given otherwise now.
pub fn parameters(was: &BTreeMap<String, Value>, is: &BTreeMap<String, Value>) -> Vec<Drift> {
    differing(was, is).into_iter().map(|(name, was, is)| Drift::new(format!("parameters.{name}"), was, is)).collect()
}

/// The facts of a step; what it would send only where no fact says why.
fn step(was: &PlannedStep, is: &PlannedStep) -> Vec<Drift> {
    let of = |step: &PlannedStep| -> BTreeMap<String, Value> { steady(step).map(known).collect() };
    let here = |drift: Drift| Drift { step: Some(was.id.clone()), ..drift };
    let facts = differing(&of(was), &of(is)).into_iter();
    let mut found: Vec<Drift> =
        facts.map(|(name, before, now)| here(Drift::new(format!("{}.{name}", was.id), before, now))).collect();
    if found.is_empty() && was.probe.requests != is.probe.requests {
        found.push(here(Drift::new(
            format!("{}.requests", was.id),
            json!(was.probe.requests),
            json!(is.probe.requests),
        )));
    }
    found
}

fn steady(step: &PlannedStep) -> impl Iterator<Item = &Fact> {
    step.probe.facts.iter().filter(|fact| !fact.volatile)
}

fn known(fact: &Fact) -> (String, Value) {
    (fact.name.clone(), fact.value.clone())
}

fn differing(was: &BTreeMap<String, Value>, is: &BTreeMap<String, Value>) -> Vec<(String, Value, Value)> {
    let names: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let value = |of: &BTreeMap<String, Value>, name: &String| of.get(name).cloned().unwrap_or(Value::Null);
    let pairs = names.into_iter().map(|name| (name.clone(), value(was, name), value(is, name)));
    pairs.filter(|(_, was, is)| was != is).collect()
}

/// The runbook's text is not the one that the plan was made of.
pub fn of_runbook(was: &str, is: &str) -> Drift {
    Drift::new("runbook", format!("SHA-256 {was}"), format!("SHA-256 {is}"))
}
