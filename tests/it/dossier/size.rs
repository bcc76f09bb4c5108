//! A run of many steps is still one file that can be sent.

use jiff::SignedDuration;
use lifeboat::{
    plan::Plan,
    report::{Dossier, Standing},
    run::{Event, Outcome, Record, RunId, State},
    runbook::StepId,
    sim::Scenario,
};
use serde_json::{Map, json};

use crate::{
    harness::{Stage, on_paused_clock},
    transitions::person,
};

/// The flagship's steps over and over, one behind the other.
fn long_plan(steps: usize) -> Plan {
    let mut plan = on_paused_clock(async { Stage::flagship(Scenario::default()).plan().await });
    let whole = plan.steps.clone();
    let id = |place: usize| StepId::new(&format!("{}-{place}", whole[place % whole.len()].id));
    plan.steps = (0..steps)
        .map(|place| {
            let mut step = whole[place % whole.len()].clone();
            step.id = id(place);
            step.needs = place.checked_sub(1).map(id).into_iter().collect();
            step
        })
        .collect();
    plan.critical_path = (0..steps).map(id).collect();
    plan
}

/// Every step begins, says something and ends.
fn whole_run(plan: Plan) -> Vec<Record> {
    let mut at = plan.made_at;
    let mut records: Vec<Record> = Vec::new();
    let steps = plan.steps.clone();
    let mut add = |event: Event| {
        at += SignedDuration::from_secs(7);
        let seq = records.len() as u64;
        records.push(Record { v: 1, seq, at, prev: String::new(), event });
    };
    let by = person("ann");
    add(Event::Planned { run: RunId("long".into()), plan: plan.into(), by: by.clone() });
    add(serde_json::from_value(
        json!({ "type": "driver-attached", "generation": 1, "by": by, "pid": 1, "version": "0" }),
    )
    .unwrap());
    for step in steps {
        let arguments = step.arguments.into();
        let deadline = at_most();
        add(Event::StepStarted { step: step.id.clone(), attempt: 1, deadline, arguments });
        add(Event::StepNoted { step: step.id.clone(), message: "Azure is at work".to_owned(), until: None });
        add(Event::StepSucceeded { step: step.id, outputs: Map::new(), evidence: json!({}) });
    }
    add(Event::RunStopped { outcome: Outcome::Succeeded, reason: "every step is done".to_owned() });
    records
}

fn at_most() -> jiff::Timestamp {
    "2026-12-31T00:00:00Z".parse().unwrap()
}

#[test]
fn the_report_of_a_run_of_500_steps_is_smaller_than_2_megabytes() {
    let records = whole_run(long_plan(500));
    let state = State::fold(records.iter().map(|record| (record.at, &record.event))).unwrap();
    let beside = lifeboat::cli::report::beside(&state.plan, lifeboat::report::Commands::default(), None);
    let dossier = Dossier::after(&state, &records, Standing::of(&state, None), state.last_event_at, &beside);
    let html = dossier.html();
    if let Some(path) = std::env::var_os("LONG_REPORT") {
        std::fs::write(path, &html).unwrap();
    }
    assert!(html.len() < 2_000_000, "{} bytes", html.len());
    assert_eq!(html.matches("data-label=\"reversible\"").count(), 500);
    // And no form takes long enough for anybody to notice; how long is for `cargo bench` to say.
    assert!(dossier.markdown().len() < 2_000_000);
}
