//! `apim.verify-restore` and `apim.compare`: names against the manifest, and against each other.

use lifeboat::run::Disposition;

use super::*;

const VERIFY: ActionKind = ActionKind::VerifyRestore;
const COMPARE: ActionKind = ActionKind::Compare;

/// A standby that holds what the active one does, but for some names.
fn holding(change: impl FnOnce(&mut Scenario)) -> Scenario {
    let mut scenario = Scenario::alive();
    scenario.standby.content = scenario.active.content.clone();
    change(&mut scenario);
    scenario
}

async fn verify(stage: &Stage) -> (Result<Done, StepError>, Journal) {
    let backup = newest_backup(stage).await;
    stage.perform(VERIFY, json!({ "service": standby(), "backup": backup })).await
}

#[tokio::test(start_paused = true)]
async fn a_whole_restore_is_proved_by_name() {
    let stage = Stage::new(holding(|_| {}));
    let done = verify(&stage).await.0.unwrap();
    assert_eq!(done.outputs["counts"], json!({ "apis": 3, "products": 2, "subscriptions": 4, "named_values": 3 }));
    assert_eq!((&done.outputs["missing"], &done.outputs["unexpected"]), (&json!({}), &json!({})));
    // The manifest beside the backup is as good as the one that came with it.
    let mut bare = newest_backup(&stage).await;
    bare.as_object_mut().unwrap().remove("manifest_data");
    stage.perform(VERIFY, json!({ "service": standby(), "backup": bare })).await.0.unwrap();
    assert!(stage.only_read());
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_fails_for_good_and_what_is_too_many_is_said() {
    let stage = Stage::new(holding(|scenario| {
        let content = &mut scenario.standby.content;
        content.apis.remove(0);
        content.named_values = vec!["backend-url".to_owned()];
        content.products.push("new".to_owned());
    }));
    let error = verify(&stage).await.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Final, "restore-incomplete"));
    for said in ["1 APIs (orders)", "2 named values (jwt-issuer, rate-limit)", "apim-contoso-east"] {
        assert!(error.message.contains(said), "{}", error.message);
    }
    assert_eq!(error.details["missing"]["apis"], json!(["orders"]));
    assert!(error.hint.contains("lifeboat skip"));

    let stage = Stage::new(holding(|scenario| scenario.standby.content.products.push("new".to_owned())));
    let (done, journal) = verify(&stage).await;
    stage.pass(1).await;
    assert_eq!(done.unwrap().outputs["unexpected"], json!({ "products": ["new"] }));
    assert!(journal.notes().contains("more than the manifest names: 1 products (new)"), "{}", journal.notes());
}

#[tokio::test(start_paused = true)]
async fn without_a_manifest_nothing_is_proved_and_the_way_past_is_said() {
    let stage = Stage::new(holding(|scenario| scenario.backups.manifests = false));
    let error = verify(&stage).await.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Final, "manifest-missing"));
    assert!(error.hint.contains("lifeboat skip RUN STEP --reason"), "{}", error.hint);
    let backup = newest_backup(&stage).await;
    let probe = stage.probe(VERIFY, json!({ "service": standby(), "backup": backup.clone() })).await.unwrap();
    assert_eq!(codes(&probe, Severity::Warning), ["manifest-missing"]);
    // One that names nothing is no better.
    let mut empty = backup;
    empty["manifest_data"] = json!({ "version": 1, "content_unread": "Azure was busy" });
    let error = stage.perform(VERIFY, json!({ "service": standby(), "backup": empty })).await.0.unwrap_err();
    assert_eq!(error.code, "manifest-missing");
    assert!(error.message.contains("Azure was busy"), "{}", error.message);
}

#[tokio::test(start_paused = true)]
async fn before_the_restore_it_is_a_prediction() {
    let stage = Stage::new(Scenario::default());
    let backup = newest_backup(&stage).await;
    let probe = stage.probe(VERIFY, json!({ "service": standby(), "backup": backup })).await.unwrap();
    assert!(!probe.verified);
    assert!(probe.summary.contains("3 APIs, 2 products, 4 subscriptions, 3 named values"), "{}", probe.summary);
    assert_eq!(fact(&probe, "manifest.counts")["apis"], 3);
}

#[tokio::test(start_paused = true)]
async fn two_services_are_compared_by_name_and_a_difference_is_no_failure() {
    let arguments = || json!({ "service": active(), "with": standby() });
    let stage = Stage::new(holding(|scenario| {
        scenario.active.content.apis.pop();
        scenario.standby.content.named_values.push("only-east".to_owned());
    }));
    let (done, journal) = stage.perform(COMPARE, arguments()).await;
    stage.pass(1).await;
    let outputs = done.unwrap().outputs;
    assert_eq!(outputs["differences"], 2);
    assert_eq!(outputs["only_in_service"], json!({}));
    assert_eq!(outputs["only_in_other"], json!({ "apis": ["catalog"], "named_values": ["only-east"] }));
    let said = "only apim-contoso-east has 1 APIs (catalog), 1 named values (only-east)";
    assert!(journal.notes().contains(said), "{}", journal.notes());
    assert!(outputs["told"].as_str().unwrap().contains(said));
    let probe = stage.probe(COMPARE, arguments()).await.unwrap();
    assert!(probe.verified);
    assert_eq!(codes(&probe, Severity::Note), ["configuration-differs"]);
    assert!(stage.only_read());

    let same = Stage::new(holding(|_| {}));
    let outputs = same.perform(COMPARE, arguments()).await.0.unwrap().outputs;
    assert_eq!(outputs["differences"], 0);
    assert!(same.probe(COMPARE, arguments()).await.unwrap().findings.is_empty());

    let lost = Stage::new(Scenario::default());
    let error = lost.perform(COMPARE, arguments()).await.0.unwrap_err();
    assert!(error.message.contains("what apim-contoso-west holds"), "{}", error.message);
}
