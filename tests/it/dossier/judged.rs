//! The traffic light: every rule of both lists lights it, and the earlier one wins.

use std::time::Duration;

use lifeboat::{
    plan::{Certainty, Forced, Plan, drift::Drift, facts::Finding},
    report::{
        Beside, Dossier,
        dossier::{Light, OF_A_PLAN, OF_A_RUN},
    },
    run::{Event, Outcome},
    runbook::{OnFailure, StepId},
};
use serde_json::{Value, json};

use super::evidence::{after, after_driven};
use crate::report::fixture::{self, Tape};

/// Nothing stands in its way, and nothing of it is unknown.
fn clear() -> Plan {
    let mut plan = fixture::plan();
    plan.findings.clear();
    for step in &mut plan.steps {
        step.certainty = Certainty::Verified;
    }
    plan
}

fn with(finding: Finding) -> Plan {
    Plan { findings: vec![finding], ..clear() }
}

#[test]
fn every_rule_of_a_plan_holds_where_it_should() {
    let forced = Forced { by: fixture::dana(), reason: "seen on the status page".to_owned() };
    let unknown = Plan { findings: Vec::new(), ..fixture::plan() };
    let plans = [
        with(Finding::blocker("tier-mismatch", "another tier", "name another standby")),
        Plan { forced: Some(forced), ..clear() },
        with(Finding::warning("rto-predicted-missed", "5m too late", "rehearse")),
        fixture::plan(),
        unknown,
        clear(),
    ];
    let judged = plans.iter().map(|plan| Dossier::before(plan, &Beside::default()).judged);
    let judged: Vec<_> = judged.map(|judged| ((judged.light, judged.rule), judged.reasons.is_empty())).collect();
    let wanted: Vec<_> = OF_A_PLAN.iter().map(|rule| (*rule, rule.0 == Light::Green)).collect();
    assert_eq!(judged, wanted);
}

fn tape(plan: Plan, on: impl FnOnce(&mut Tape)) -> Dossier {
    let mut tape = Tape::of(plan);
    on(&mut tape);
    after(&tape)
}

/// The last step fails, and whoever wrote the runbook does not mind.
fn tolerated() -> Dossier {
    let mut plan = fixture::plan();
    plan.steps[7].on_failure = OnFailure::Continue;
    tape(plan, |tape| {
        tape.until_flipped().after(900).fail("propagated", fixture::expired(), None);
        tape.stop(Outcome::Succeeded, "every step is done");
    })
}

#[test]
fn every_rule_of_a_run_holds_where_it_should() {
    let plan = fixture::plan;
    let mut late = plan();
    late.objectives.rto = Some(Duration::from_mins(5));
    let mut asks = Tape::of(plan());
    asks.until_asked();
    let overridden = |tape: &mut Tape| {
        let reason = "nobody answers".to_owned();
        tape.until_asked().add(Event::ApprovalOverridden { step: StepId::new("approve"), by: fixture::dana(), reason });
        tape.done("approve", json!({}));
        for step in ["flip", "propagated"] {
            tape.start(step, 1, 5, json!({})).done(step, json!({}));
        }
        tape.stop(Outcome::Succeeded, "every step is done");
    };
    let drifted = |tape: &mut Tape| {
        let (what, step) = ("flip.record.ttl".to_owned(), Some(StepId::new("flip")));
        let drift = Drift { what, step, was: json!(300), is: json!(60) };
        let reason = "lowered by hand".to_owned();
        tape.add(Event::DriftAccepted { drift, by: fixture::dana(), reason, facts: Vec::new() });
        tape.until_succeeded();
    };
    let runs = vec![
        tape(plan(), |tape| {
            tape.until_flipping().stop(Outcome::Stuck, "step flip is in doubt");
        }),
        tape(plan(), |tape| {
            tape.until_restoring().fail("restore", fixture::expired(), None).stop(Outcome::Failed, "restore failed");
        }),
        tape(plan(), |tape| {
            tape.until_restoring().stop(Outcome::Interrupted, "stopped by SIGINT");
        }),
        after_driven(&asks, true),
        tape(plan(), overridden),
        tape(late, |tape| {
            tape.until_succeeded();
        }),
        tolerated(),
        tape(plan(), drifted),
        tape(plan(), |tape| {
            tape.until_succeeded();
        }),
    ];
    let judged = runs.iter().map(|run| ((run.judged.light, run.judged.rule), run.judged.reasons.is_empty()));
    let wanted: Vec<_> = OF_A_RUN.iter().map(|rule| (*rule, rule.0 == Light::Green)).collect();
    assert_eq!(judged.collect::<Vec<_>>(), wanted);
}

/// What the runbook's own condition leaves out is asked of nobody; what a person leaves out is a decision.
#[test]
fn a_criterion_of_a_step_that_was_left_out_is_open_only_where_a_person_did_it() {
    let without = |by: Option<lifeboat::run::Person>| {
        tape(fixture::plan(), |tape| {
            tape.until_flipped();
            if by.is_some() {
                tape.after(900).fail("propagated", fixture::expired(), None);
            }
            tape.events.retain(|(_, event)| {
                by.is_some() || !matches!(event, Event::StepStarted { step, .. } if step.as_str() == "propagated")
            });
            let (step, reason) = (StepId::new("propagated"), "`when: false` is false".to_owned());
            tape.add(Event::StepSkipped { step, reason, by });
            tape.stop(Outcome::Succeeded, "every step is done");
        })
    };
    let judged = |run: &Dossier| {
        let of = run.criteria.iter().find(|one| one.step.as_ref().is_some_and(|it| it.as_str() == "propagated"));
        let of = of.unwrap();
        (run.judged.light, of.met, of.not_asked_for, run.markdown().contains("| not asked for |"))
    };
    assert_eq!(judged(&without(None)), (Light::Green, None, true, true));
    assert_eq!(judged(&without(Some(fixture::dana()))), (Light::Amber, None, false, false));
}

#[test]
fn a_run_that_recovered_although_a_step_failed_is_not_green_and_no_plain_success() {
    let run = tolerated();
    assert_eq!(run.judged.reasons, ["step propagated failed: cannot restore: backup expired"]);
    let payload: Value = serde_json::from_str(&run.service_now()).unwrap();
    assert_eq!(payload["close_code"], "successful_issues");
    // Nobody knows how old what was restored is.
    let unknown = tape(fixture::plan(), |tape| {
        tape.until_succeeded();
        for (_, event) in &mut tape.events {
            if let Event::StepSucceeded { step, outputs, .. } = event
                && step.as_str() == "find-backup"
            {
                outputs.clear();
            }
        }
    });
    assert_eq!(unknown.judged.light, Light::Amber);
    assert_eq!(unknown.judged.reasons, ["whether the RPO was met is not known"]);
}
