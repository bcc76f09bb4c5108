//! The digest of a plan. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Forced, Plan, facts::PlannedRequest};
use crate::runbook::Mode;

/// SHA-256 over what the plan would do and the facts it rests on; the same on every machine and at every time.
pub fn digest(plan: &Plan) -> String {
    #[derive(Serialize)]
    struct Digested<'a> {
        format: u32,
        runbook: &'a str,
        mode: Mode,
        #[serde(skip_serializing_if = "Option::is_none")]
        forced: Option<DigestedForce<'a>>,
        endpoints: &'a crate::site::Endpoints,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        ca_certificates: &'a [String],
        dns: &'a crate::site::SiteDns,
        parameters: &'a BTreeMap<String, Value>,
        steps: Vec<DigestedStep<'a>>,
        left_out: &'a [crate::runbook::StepId],
        trusted: &'a BTreeMap<String, String>,
    }
    /// Who and why, not from which machine.
    #[derive(Serialize)]
    struct DigestedForce<'a> {
        by: &'a str,
        reason: &'a str,
    }
    #[derive(Serialize)]
    struct DigestedStep<'a> {
        id: &'a str,
        action: &'a str,
        needs: &'a [crate::runbook::StepId],
        when: Option<&'a str>,
        timeout_ms: u128,
        attempts: u32,
        delay_ms: u128,
        on_failure: crate::runbook::OnFailure,
        arguments: &'a Map<String, Value>,
        facts: BTreeMap<&'a str, &'a Value>,
        requests: &'a [PlannedRequest],
    }
    let steps = plan
        .steps
        .iter()
        .map(|step| DigestedStep {
            id: step.id.as_str(),
            action: step.action.name(),
            needs: &step.needs,
            when: step.when.as_deref(),
            timeout_ms: step.timeout.as_millis(),
            attempts: step.retry.attempts,
            delay_ms: step.retry.delay.as_millis(),
            on_failure: step.on_failure,
            arguments: &step.arguments,
            facts: step
                .probe
                .facts
                .iter()
                .filter(|fact| !fact.volatile)
                .map(|fact| (fact.name.as_str(), &fact.value))
                .collect(),
            requests: &step.probe.requests,
        })
        .collect();
    let digested = Digested {
        format: plan.format,
        runbook: &plan.runbook_sha256,
        mode: plan.mode,
        forced: plan.forced.as_ref().map(|Forced { by, reason }| DigestedForce { by: &by.name, reason }),
        endpoints: &plan.site.endpoints,
        ca_certificates: &plan.site.ca_certificates,
        dns: &plan.site.dns,
        parameters: &plan.parameters,
        steps,
        left_out: &plan.left_out,
        trusted: plan.site.trusted(),
    };
    let bytes = serde_json::to_vec(&digested).expect("plans have text keys");
    crate::run::journal::hex(&bytes)
}
