//! What speaks for a plan and what waits to be signed off: rehearsals, proofs, approvals. Nothing counts that is not known.

use std::sync::Arc;

use jiff::SignedDuration;
use lifeboat::{
    plan::{Basis, History, Measured, Plan, Prediction},
    report::{
        Beside, Dossier, Standing,
        approvals::end_too_soon,
        dossier::{Light, Proof, shipped},
        measured::measured,
    },
    run::{
        Event, Person, Record,
        approval::{self, Approval, Scope},
    },
    runbook::{Mode, StepId},
};
use serde_json::{Value, json};

use super::example;
use crate::{
    report::fixture::{self, Tape},
    transitions::person,
};

fn says(dossier: &Dossier, what: &str) -> bool {
    dossier.evidence.says.iter().any(|line| line.contains(what))
}

fn before(plan: &Plan, history: Option<History>) -> Dossier {
    Dossier::before(plan, &Beside { history, ..Beside::default() })
}

#[test]
fn rehearsals_before_the_plan_are_evidence_and_no_others_are() {
    let plan = fixture::plan();
    let drill = |run: &str, hours: i64, change: fn(&mut Measured)| {
        let mut measured = example::drills(1).remove(0);
        measured.run = lifeboat::run::RunId(run.into());
        measured.runbook.clone_from(&plan.name);
        measured.started_at = plan.made_at - SignedDuration::from_hours(hours);
        measured.simulated = false;
        change(&mut measured);
        measured
    };
    assert!(says(&before(&plan, None), "nobody looked"));
    let none = before(&plan, Some(History::none()));
    assert!(says(&none, "none of apim-failover is known") && none.evidence.drills.is_none());
    let strangers = vec![
        drill("simulated", 5, |run| run.simulated = true),
        drill("real", 5, |run| run.mode = Mode::Unplanned),
        drill("other", 5, |run| run.runbook = "apim-backup".to_owned()),
    ];
    let others = before(&plan, Some(History { runs: strangers.clone(), ..History::none() }));
    assert!(others.evidence.drills.is_none(), "{:?}", others.evidence.says);
    assert!(says(&others, "do not count"), "{:?}", others.evidence.says);

    let mine = (0..12).map(|hour| drill(&format!("drill-{hour}"), 100 - hour, |_| {}));
    let runs = strangers.into_iter().chain(mine).collect();
    let history = History { runs, unread: Some("run x: damaged".to_owned()), ..History::none() };
    let known = before(&plan, Some(history));
    assert!(says(&known, "12 rehearsals of apim-failover succeeded, 0 failed"), "{:?}", known.evidence.says);
    assert!(says(&known, "run x: damaged"));
    assert!(says(&known, "was changed since its last rehearsal"), "the fixture's runbook is another text");
    let shown = &known.evidence.drills.as_ref().unwrap().drills;
    assert_eq!((shown.len(), &*shown[9].run.0), (10, "drill-11"));
    assert!(known.html().contains("drill-11") && known.markdown().contains("drill-11"));
    // The report of a run that was made later tells what was known before it.
    let mut tape = Tape::of(fixture::plan());
    tape.until_succeeded();
    let history = History { runs: vec![drill("before", 1, |_| {}), drill("since", -1, |_| {})], ..History::none() };
    let told = told(&tape, &Beside { history: Some(history), ..Beside::default() });
    let shown: Vec<&str> = told.evidence.drills.iter().flat_map(|it| &it.drills).map(|it| &*it.run.0).collect();
    assert_eq!(shown, ["before"]);
}

#[test]
fn a_proof_counts_for_the_text_that_it_is_of_and_for_its_modes() {
    let dossier = example::dry();
    let crash = dossier.evidence.crash.as_ref().unwrap();
    assert!(crash.of_this_runbook && crash.rows.len() > 40, "{crash:?}");
    assert!(crash.line.starts_with("crash points ") && says(&dossier, &crash.line));
    assert!(says(&dossier, "in the simulator") && says(&dossier, "0 broke a promise"));

    let plan = fixture::plan();
    assert_eq!(shipped(&plan), None);
    assert!(says(&before(&plan, None), "no proof of this runbook is at hand"));
    let proof = |sha256: Value, mode: &str| {
        let row = json!({ "row": "cut-before", "words": "power cut", "points": 3, "same": 1, "explained": [["stuck", 1]],
                          "failed": 1, "most_resumes": 1 });
        let text = json!({ "v": 1, "runbook": "x", "runbook_sha256": sha256, "path": "x.yaml", "seed": 7, "points": 3,
            "resumable": 2, "duplicate_effects": 0, "unexplained_states": 1, "partial": true,
            "modes": [{ "mode": mode, "world": "w", "steps": 1, "appends": 1, "requests": 1, "requests_of_plan": 1,
                        "pretended": [], "rows": [row] }],
            "left_out": [], "failed": [] });
        Some(Proof::read(&text.to_string()).unwrap().of(&plan, "proof.json"))
    };
    let with = |crash| Dossier::before(&plan, &Beside { crash, ..Beside::default() });
    let fits = with(proof(json!(plan.runbook_sha256), "unplanned"));
    assert!(
        says(&fits, "broken at 3 points in the mode unplanned") && says(&fits, "1 otherwise and said why, 1 broke")
    );
    assert!(says(&fits, "only some points were tried"), "{:?}", fits.evidence.says);
    let other_mode = with(proof(json!(plan.runbook_sha256), "drill"));
    assert!(says(&other_mode, "not in the mode unplanned"), "{:?}", other_mode.evidence.says);
    for other in [json!("ff"), Value::Null] {
        let other = with(proof(other, "unplanned"));
        assert!(says(&other, "proves nothing of it"), "{:?}", other.evidence.says);
        assert!(other.evidence.crash.unwrap().rows.is_empty());
    }
}

fn signed_off_by(by: Person, tape: &Tape) -> Event {
    let approval = Approval {
        format: approval::FORMAT,
        plan: fixture::plan().digest,
        scope: Scope::Step(StepId::new("approve")),
        run: None,
        by,
        comment: None,
        at: tape.now(),
        until: None,
        signature: None,
    };
    Event::ApprovalSignedOff { step: StepId::new("approve"), approval: Arc::new(approval) }
}

pub fn after(tape: &Tape) -> Dossier {
    after_driven(tape, false)
}

/// `driven`: a process still drives it.
pub fn after_driven(tape: &Tape, driven: bool) -> Dossier {
    of(tape, driven, &Beside::default())
}

fn told(tape: &Tape, beside: &Beside) -> Dossier {
    of(tape, false, beside)
}

fn of(tape: &Tape, driven: bool, beside: &Beside) -> Dossier {
    let record = |(seq, (at, event)): (usize, &(jiff::Timestamp, Event))| Record {
        v: 1,
        seq: seq as u64,
        at: *at,
        prev: String::new(),
        event: event.clone(),
    };
    let records: Vec<Record> = tape.events.iter().enumerate().map(record).collect();
    let state = tape.state();
    Dossier::after(&state, &records, Standing::of(&state, Some(driven)), tape.now(), beside)
}

#[test]
fn what_one_person_approved_alone_keeps_the_light_amber_until_somebody_else_signs_it_off() {
    let mut tape = Tape::of(fixture::plan());
    tape.until_succeeded();
    assert_eq!(after(&tape).judged.light, Light::Green, "{:?}", after(&tape).judged);
    for (_, event) in &mut tape.events {
        if let Event::ApprovalGiven { step, by, .. } = event {
            let reason = "nobody answers".to_owned();
            *event = Event::ApprovalOverridden { step: step.clone(), by: by.clone(), reason };
        }
    }
    let open = after(&tape);
    assert_eq!(open.judged.light, Light::Amber);
    assert!(measured(&tape.state()).by_hand, "as a drill it would rehearse nothing");
    assert!(!open.html().contains("nobody decided"), "the step's row says who did");
    assert!(open.judged.rule.contains("not signed off"), "{:?}", open.judged);
    assert!(open.html().contains("Waits to be signed off"));
    let payload: Value = serde_json::from_str(&open.service_now()).unwrap();
    assert_eq!(payload["close_code"], "successful_issues");

    // Days later: the run is told to have ended when it did.
    let event = signed_off_by(person("ben"), &tape);
    tape.after(3 * 24 * 60 * 60).add(event);
    let closed = after(&tape);
    let clock = |dossier: &Dossier| dossier.outcome.as_ref().unwrap().clock.clone();
    assert_eq!(clock(&closed).to, clock(&open).to);
    assert_eq!(closed.cover.at, tape.now(), "what it tells of is later");
    assert_eq!(closed.judged.light, Light::Green, "{:?}", closed.judged);
    assert_eq!(closed.outcome.as_ref().unwrap().done_alone[0].signed_off_by.as_deref(), Some("ben@here"));
    assert!(closed.html().contains("and signed off by ben@here"));
}

/// The report shows what the run ran on, not what had been so when the plan was saved.
#[test]
fn what_moved_and_was_accepted_is_amber_and_named() {
    let mut tape = Tape::of(fixture::plan());
    let drift = lifeboat::plan::drift::Drift {
        what: "flip.record.ttl".to_owned(),
        step: Some(StepId::new("flip")),
        was: json!(300),
        is: json!(60),
    };
    let reason = "lowered by hand".to_owned();
    let mut facts = fixture::plan().steps[6].probe.facts.clone();
    facts.iter_mut().find(|fact| fact.name == "record.ttl").unwrap().value = json!(60);
    tape.add(Event::DriftAccepted { drift, by: fixture::dana(), reason, facts });
    tape.until_succeeded();
    let dossier = after(&tape);
    let ttl = dossier.observed.iter().find(|fact| fact.name == "record.ttl").unwrap();
    assert_eq!(ttl.value, json!(60));
    let flip = dossier.changes.iter().find(|change| change.step.as_str() == "flip").unwrap();
    let field = flip.fields.iter().find(|field| field.field == "properties.TTL").unwrap();
    assert_eq!(field.before.as_deref(), Some("60"));
    assert_eq!(dossier.judged.light, Light::Amber);
    assert!(dossier.judged.reasons[0].contains("flip.record.ttl"), "{:?}", dossier.judged);
}

#[test]
fn what_nine_of_ten_keep_stands_beside_the_middle_in_the_table_the_picture_and_the_schedule() {
    let mut plan = fixture::plan();
    let predicted = |p50: std::time::Duration| Prediction {
        p50,
        p90: p50 * 2,
        sample: 12,
        basis: Basis::History,
        assumed: std::time::Duration::ZERO,
    };
    for step in &mut plan.steps {
        step.prediction = Some(predicted(step.expected));
    }
    plan.prediction = Some(predicted(plan.expected));
    let dossier = before(&plan, None);
    assert_eq!(dossier.predicted.p90_s, Some(2 * dossier.predicted.duration_s));
    assert_eq!(dossier.predicted.rests_on, "12 earlier runs");
    let restore = dossier.steps.iter().find(|step| step.id.as_str() == "restore").unwrap();
    assert_eq!(restore.p90_s, Some(90 * 60));
    assert_eq!(dossier.schedule.ends_by, Some(plan.made_at + 2 * plan.expected));
    let html = dossier.html();
    assert!(html.contains("45m, p90 1h 30m") && html.contains("in nine of ten cases"), "{html}");
    // The middle keeps the objective, the bound does not: no finding, and a risk.
    assert!(plan.findings.iter().all(|finding| finding.code != "rto-predicted-missed"));
    assert!(dossier.risks.iter().any(|risk| risk.risk.starts_with("it may take longer than the RTO")));
    // A plan that was made before there were predictions says nothing of a bound.
    let old = before(&fixture::plan(), None);
    assert_eq!((old.predicted.p90_s, old.schedule.ends_by), (None, None));
}

/// An approval that was given with the plan, and whose time was over before any step asked.
#[test]
fn an_approval_that_ended_unused_is_told_as_that() {
    let mut tape = Tape::of(fixture::plan());
    let filed = |until: Option<jiff::Timestamp>, by: &str, at: jiff::Timestamp| {
        let plan = fixture::plan().digest;
        let (format, scope, by) = (approval::FORMAT, Scope::Plan, person(by));
        Event::ApprovalFiled {
            approval: Arc::new(Approval {
                format,
                plan,
                scope,
                run: None,
                by,
                comment: None,
                at,
                until,
                signature: None,
            }),
        }
    };
    let soon = filed(Some(tape.now() + SignedDuration::from_mins(10)), "ben", tape.now());
    let late = filed(None, "cem", tape.now());
    tape.add(soon).add(late).until_restoring();
    tape.fail("restore", fixture::expired(), None).stop(lifeboat::run::Outcome::Failed, "restore failed");
    // Its ten minutes are not over yet.
    let told = |tape: &Tape| after(tape).markdown();
    assert_eq!(told(&tape).matches("No step asked for it").count(), 2, "{}", told(&tape));
    tape.events.pop();
    tape.after(15 * 60).stop(lifeboat::run::Outcome::Failed, "restore failed");
    assert_eq!(told(&tape).matches("It ended before a step took it").count(), 1, "{}", told(&tape));
    assert_eq!(told(&tape).matches("No step asked for it").count(), 1);
}

#[test]
fn an_approval_that_will_have_ended_when_its_step_asks_is_told_before_the_run_begins() {
    let plan = fixture::plan();
    let approval = |until: i64| Approval {
        format: approval::FORMAT,
        plan: plan.digest.clone(),
        scope: Scope::Plan,
        run: None,
        by: person("ben"),
        comment: None,
        at: plan.made_at,
        until: Some(plan.made_at + SignedDuration::from_mins(until)),
        signature: None,
    };
    // The restore before it takes three quarters of an hour.
    let told = |until: i64| end_too_soon(&plan, plan.made_at, &[approval(until)]);
    assert_eq!(told(600), Vec::<String>::new());
    let told = told(20);
    assert!(
        told.len() == 1 && told[0].contains("ben ends at") && told[0].contains("step approve is expected"),
        "{told:?}"
    );
}
