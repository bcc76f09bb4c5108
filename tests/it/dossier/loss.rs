//! What is lost and who notices: nothing is claimed that nobody looked at.

use lifeboat::{
    plan::{Plan, facts::Fact},
    report::{Beside, Dossier},
    run::Event,
    runbook::{ActionKind, Effect},
};
use serde_json::{Value, json};

use super::{evidence::after, example};
use crate::report::fixture::{self, SUBSCRIPTION, Tape};

fn said(plan: &Plan) -> String {
    Dossier::before(plan, &Beside::default()).loss.says.join("\n")
}

/// verify-standby becomes a comparison, which brought `outputs`.
fn comparing(outputs: Value) -> Plan {
    let mut plan = fixture::plan();
    let service = |name: &str| {
        json!(format!("{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ApiManagement/service/{name}"))
    };
    let step = &mut plan.steps[2];
    step.action = ActionKind::Compare;
    step.arguments = [("service", service("apim-west")), ("with", service("apim-east"))]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect();
    "apim-west did not answer".clone_into(&mut step.probe.summary);
    let Value::Object(outputs) = outputs else { panic!("outputs are an object") };
    step.probe.outputs = outputs;
    plan
}

#[test]
fn a_comparison_that_read_nothing_is_not_told_as_one_that_found_nothing() {
    let unread = said(&comparing(json!({})));
    assert!(
        unread.contains("is not known: step verify-standby compares the services by name; apim-west did not"),
        "{unread}"
    );
    let same = said(&comparing(json!({ "only_in_service": {}, "only_in_other": {} })));
    assert!(same.contains("neither has one that the other has not"), "{same}");
    let differs = comparing(json!({ "only_in_service": { "apis": ["orders"] }, "only_in_other": {} }));
    assert!(said(&differs).contains("is named below"), "{}", said(&differs));
    let loss = Dossier::before(&differs, &Beside::default()).loss;
    assert_eq!(loss.names[0].says, "only apim-west has it, not apim-east");
}

#[test]
fn nobody_is_told_that_users_notice_nothing_of_what_nobody_knows() {
    let mut plan = fixture::plan();
    for step in &mut plan.steps {
        if step.id.as_str() == "flip" {
            (step.action, step.effect) = (ActionKind::Command, Effect::Irreversible);
        }
    }
    let unknown = said(&plan);
    assert!(unknown.contains("What users notice of step flip is not known"), "{unknown}");
    assert!(unknown.contains("Step restore replaces the configuration of apim-east"), "{unknown}");
    assert!(!unknown.contains("users notice nothing"), "{unknown}");
    plan.steps.retain(|step| !matches!(step.action, ActionKind::Command | ActionKind::Restore));
    let harmless = said(&plan);
    assert!(harmless.contains("users notice nothing"), "{harmless}");
    assert!(harmless.contains("No step restores anything"), "{harmless}");
}

/// A rehearsal takes nothing from anybody, and a run that did not recover has not done what the plan foretold.
#[test]
fn what_did_not_happen_is_not_told_as_lost() {
    let drill = example::drill();
    assert!(drill.loss.says.iter().any(|line| line.starts_with("A rehearsal loses nothing")), "{:?}", drill.loss.says);
    assert!(drill.risks.iter().all(|risk| risk.risk != "changes since the backup are lost"));
    let failed = example::failed();
    assert!(failed.loss.says[0].starts_with("As the plan foretold it"), "{:?}", failed.loss.says);
    let clock = &failed.outcome.as_ref().unwrap().clock;
    let restore = clock.phases.iter().find(|phase| phase.name == "restore").unwrap();
    assert!(restore.took_s.is_some() && !restore.done, "{clock:?}");
    assert!(failed.markdown().contains("45m 03s, not done"), "it was not restored after 45 minutes");
    let resumed = example::resumed();
    assert!(resumed.outcome.unwrap().clock.phases.iter().all(|phase| phase.done));
}

/// The run found a younger backup than the plan did.
#[test]
fn the_age_is_that_of_the_backup_that_is_named() {
    let mut tape = Tape::of(fixture::plan());
    tape.until_succeeded();
    for (_, event) in &mut tape.events {
        if let Event::StepSucceeded { step, outputs, .. } = event
            && step.as_str() == "find-backup"
        {
            outputs.insert("created".to_owned(), json!("2026-11-23T13:00:05Z"));
        }
    }
    let loss = after(&tape).loss;
    let says = loss.says.join("\n");
    assert!(says.contains("after 2026-11-23 13:00:05Z: 1h when the run began"), "{says}");
    assert_eq!(loss.age_s, Some(3600));
    assert_eq!(Dossier::before(&fixture::plan(), &Beside::default()).loss.age_s, Some(5 * 3600));
}

/// The plan's probe of find-backup read the activity log, or could not.
#[test]
fn what_the_activity_log_names_is_named_and_what_it_could_not_is_not_called_nothing() {
    let log = |value: Value| Fact {
        name: "changes.since_backup".to_owned(),
        value,
        source: "GET https://management.azure.com/".to_owned(),
        observed_at: fixture::plan().made_at,
        volatile: true,
    };
    let with = |fact: Option<Fact>| {
        let mut plan = fixture::plan();
        let search = plan.steps.iter_mut().find(|step| step.action == ActionKind::FindLatest).unwrap();
        search.probe.facts.extend(fact);
        plan
    };
    assert!(said(&with(None)).contains("The activity log was not read"));
    assert!(said(&with(Some(log(json!([]))))).contains("named no change after it"));
    let changed = |at: &str| json!({ "what": "apis/orders", "operation": "write", "at": at, "by": "ann@contoso.com" });
    // The second was there before the backup that is restored.
    let plan = with(Some(log(json!([changed("2026-11-23T12:00:00Z"), changed("2026-11-22T12:00:00Z")]))));
    let loss = Dossier::before(&plan, &Beside::default()).loss;
    assert!(loss.says.join("\n").contains("named one thing that was changed after it"), "{:?}", loss.says);
    let named = &loss.names[0];
    assert_eq!((loss.names.len(), named.name.as_str()), (1, "apis/orders"));
    assert_eq!(named.says, "write by ann@contoso.com, 2026-11-23 12:00:00Z");

    // More than a plan keeps.
    let mut many = plan.clone();
    let search = many.steps.iter_mut().find(|step| step.action == ActionKind::FindLatest).unwrap();
    let fact = |name: &str, value: u64| Fact { name: name.to_owned(), ..log(json!(value)) };
    search.probe.facts.retain(|fact| fact.name != "changes.since_backup");
    search.probe.facts.push(log(json!([changed("2026-11-23T12:00:00Z"), changed("2026-11-23T11:00:00Z")])));
    search.probe.facts.extend([fact("changes.count", 1000), fact("changes.unread", 3)]);
    let says = said(&many);
    assert!(
        says.contains("named 1000 things that were changed after it") && says.contains("the newest 2 are"),
        "{says}"
    );
    assert!(says.contains("3 entries of it could not be read"), "{says}");

    // A run that takes a backup of its own loses none of it.
    let mut own = plan.clone();
    own.steps[0].action = ActionKind::Backup;
    let loss = Dossier::before(&own, &Beside::default()).loss;
    assert!(loss.names.is_empty() && loss.says.join("\n").contains("after that backup stands in the activity log"));
}

/// The newest backup was gone when the run looked.
#[test]
fn what_nobody_read_before_the_backup_that_was_planned_with_is_not_called_nothing() {
    let mut plan = fixture::plan();
    let made_at = plan.made_at;
    let search = plan.steps.iter_mut().find(|step| step.action == ActionKind::FindLatest).unwrap();
    search.probe.facts.push(Fact {
        name: "changes.since_backup".to_owned(),
        value: json!([]),
        source: "GET https://management.azure.com/".to_owned(),
        observed_at: made_at,
        volatile: true,
    });
    let chose = |at: &str| {
        let mut tape = Tape::of(plan.clone());
        tape.until_succeeded();
        for (_, event) in &mut tape.events {
            if let Event::StepSucceeded { step, outputs, .. } = event
                && step.as_str() == "find-backup"
            {
                outputs.insert("created".to_owned(), json!(at));
            }
        }
        after(&tape).loss.says.join("\n")
    };
    let older = chose("2026-11-22T09:00:05Z");
    assert!(older.contains("no change after 2026-11-23 09:00:00Z, when the backup was made"), "{older}");
    assert!(older.contains("between 2026-11-22 09:00:05Z and 2026-11-23 09:00:00Z was not read"), "{older}");
    assert!(!older.contains("named no change after it"), "{older}");
    let younger = chose("2026-11-23T13:00:05Z");
    assert!(younger.contains("named no change after it") && !younger.contains("was not read"), "{younger}");
}
