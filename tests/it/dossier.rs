//! Reports for boards and auditors: the committed examples, what they must tell, and how large they may be.

mod evidence;
mod example;
mod judged;
mod look;
mod loss;
mod size;

use lifeboat::report::{Dossier, dossier::Light};
use serde_json::Value;

use crate::docs::check_generated;

fn json(dossier: &Dossier) -> Value {
    serde_json::from_str(&dossier.json()).unwrap()
}

/// The examples in every form. `UPDATE_DOCS=1 cargo test docs dossier` writes them anew.
#[test]
fn the_examples_are_current() {
    for (name, dossier) in example::all() {
        check_generated(&format!("docs/examples/{name}.html"), &dossier.html());
        check_generated(&format!("docs/examples/{name}.md"), &dossier.markdown());
        check_generated(&format!("docs/examples/{name}.json"), &dossier.json());
        check_generated(&format!("docs/examples/{name}.servicenow.json"), &dossier.service_now());
    }
}

#[test]
fn an_example_is_the_same_whenever_it_is_made() {
    assert_eq!(example::resumed().json(), example::resumed().json());
}

#[test]
fn a_dry_run_tells_the_change_and_the_way_back() {
    let dossier = example::dry();
    let told = json(&dossier);
    assert_eq!(dossier.judged.light, Light::Green, "{:?}", dossier.judged);
    assert_eq!(told["outcome"], Value::Null);
    let flip = dossier.changes.iter().find(|change| change.step.as_str() == "flip").unwrap();
    let target = flip.fields.iter().find(|field| field.field == "properties.CNAMERecord.cname").unwrap();
    assert_eq!(target.before.as_deref(), Some("apim-contoso-west.azure-api.net"));
    assert_eq!(target.after.as_deref(), Some("apim-contoso-east.azure-api.net"));
    let ttl = flip.fields.iter().find(|field| field.field == "properties.TTL").unwrap();
    assert_eq!((ttl.before.as_deref(), ttl.after.as_deref()), (Some("300"), Some("60")));
    // What caches may hold of the new answer; rehearsals saw the write take less than a second.
    let back = dossier.backout.iter().find(|row| row.step.as_str() == "flip").unwrap();
    assert_eq!(back.back_s, Some(60));
    assert_eq!(back.stays.as_deref(), Some("what restore did"));
    // Nothing but time would be needed before the restore; after it no time is enough.
    let of = |id: &str| dossier.backout.iter().find(|row| row.step.as_str() == id).unwrap();
    assert_eq!((of("confirm-outage").back_s, of("restore").back_s), (Some(0), None));
    for told in [dossier.markdown(), dossier.service_now()] {
        assert!(told.contains("1m, and what restore did stays"), "{told}");
        assert!(told.contains("nothing can be taken back: what restore did stays"), "{told}");
    }
    let restore = dossier.steps.iter().find(|step| step.id.as_str() == "restore").unwrap();
    let wanted = "Microsoft.ApiManagement/service/restore/action";
    assert!(restore.permissions.iter().any(|one| one.action == wanted && one.on == "apim-contoso-east"));
    assert_eq!(restore.expected_source, "12 earlier runs");
    assert!(restore.p90_s.unwrap() > restore.expected_s);
    assert!(dossier.loss.ask.as_ref().unwrap().contains("/service/apim-contoso-west'"), "{:?}", dossier.loss);
    assert!(dossier.loss.says.iter().any(|line| line.contains("did not answer")), "{:?}", dossier.loss.says);
}

#[test]
fn a_failed_run_is_red_and_the_failure_stands_before_everything_else() {
    let dossier = example::failed();
    assert_eq!(dossier.judged.light, Light::Red);
    // Nobody had rehearsed it.
    let restore = dossier.steps.iter().find(|step| step.id.as_str() == "restore").unwrap();
    assert_eq!(restore.expected_source, "Microsoft: 45 minutes or more");
    // Three seconds for the write, and what caches may hold of the new answer.
    let back = dossier.backout.iter().find(|row| row.step.as_str() == "flip").unwrap();
    assert_eq!(back.back_s, Some(63));
    let html = dossier.html();
    let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("`{text}` is missing"));
    assert!(at("RED: failed") < at("id=\"failures\"") && at("id=\"failures\"") < at("id=\"findings\""));
    assert!(at("Cannot restore: backup expired") < at("id=\"findings\""));
    let criteria = &dossier.criteria;
    let restored = criteria.iter().find(|criterion| criterion.step.as_ref().is_some_and(|it| it.as_str() == "restore"));
    assert_eq!(restored.unwrap().met, Some(false));
    let flip = criteria.iter().find(|criterion| criterion.step.as_ref().is_some_and(|it| it.as_str() == "flip"));
    assert_eq!(flip.unwrap().met, None);
}

#[test]
fn a_resumed_run_says_who_went_on_and_what_became_of_the_doubt() {
    let dossier = example::resumed();
    let outcome = dossier.outcome.as_ref().unwrap();
    assert_eq!(outcome.drives, 2);
    let gap = outcome.deviations.iter().find(|deviation| deviation.step.is_none()).unwrap();
    assert!(
        gap.what.contains("nobody drove it for 9m")
            && gap.what.contains("bo@")
            && gap.what.contains(" (unverified) went on"),
        "{gap:?}"
    );
    let restore = outcome.deviations.iter().find(|it| it.step.as_ref().is_some_and(|it| it.as_str() == "restore"));
    assert!(restore.unwrap().why.iter().any(|why| why.contains("nothing was sent again")), "{restore:?}");
    // The clock has no gaps: its phases are the time from the incident's beginning to the end.
    let clock = &outcome.clock;
    let sum: u64 = clock.phases.iter().map(|phase| phase.took_s.unwrap()).sum();
    let whole = clock.to.duration_since(clock.from).as_secs();
    assert!(u64::try_from(whole).unwrap().abs_diff(sum) <= clock.phases.len() as u64, "{clock:?}");
    assert_eq!(clock.phases[0].name, "decide");
    assert_eq!(clock.phases[0].took_s, Some(14 * 60));
}

#[test]
fn a_drill_never_names_the_production_record_as_what_it_writes_to() {
    let dossier = example::drill();
    assert!(dossier.cover.touches.iter().any(|name| name == "api-drill.contoso.com"), "{:?}", dossier.cover.touches);
    assert!(dossier.cover.touches.iter().all(|name| name != "api.contoso.com"), "{:?}", dossier.cover.touches);
}

/// Putting the shadow name back is no failure, no deviation and no part of what the failover would have taken.
#[test]
fn a_drill_that_put_back_what_it_moved_has_succeeded_in_every_step() {
    let dossier = example::drill();
    let outcome = dossier.outcome.as_ref().unwrap();
    assert_eq!(dossier.judged.light, Light::Green, "{:?}", dossier.judged);
    assert!(outcome.attention.is_empty(), "{:?}", outcome.attention);
    let of = |id: &str| dossier.steps.iter().find(|step| step.id.as_str() == id).unwrap().actual.clone().unwrap();
    let (flip, propagated) = (of("flip"), of("propagated"));
    assert_eq!(flip.state, "put back");
    assert!(flip.ended_at < propagated.ended_at, "it was done before what waits for it");
    assert!(outcome.deviations.iter().all(|it| it.step.as_ref().is_none_or(|step| step.as_str() != "flip")));
    assert!(dossier.criteria.iter().all(|criterion| criterion.met == Some(true)), "{:?}", dossier.criteria);
    assert_eq!(outcome.clock.to, propagated.ended_at.unwrap());
}

#[test]
fn a_change_request_has_the_names_of_the_table() {
    const FIELDS: [&str; 16] = [
        "type",
        "short_description",
        "description",
        "justification",
        "implementation_plan",
        "backout_plan",
        "test_plan",
        "risk_impact_analysis",
        "start_date",
        "end_date",
        "correlation_id",
        "correlation_display",
        "work_start",
        "work_end",
        "close_code",
        "close_notes",
    ];
    for (name, dossier) in example::all() {
        let payload: Value = serde_json::from_str(&dossier.service_now()).unwrap();
        let fields = payload.as_object().unwrap();
        for (field, value) in fields {
            assert!(FIELDS.contains(&field.as_str()), "{name}: {field}");
            assert!(!value.as_str().unwrap().is_empty(), "{name}: {field}");
        }
        assert_eq!(payload["correlation_id"], dossier.cover.plan_digest);
        assert_eq!(payload.get("close_code").is_some(), name == "drill" || name == "resumed-run", "{name}");
    }
}
