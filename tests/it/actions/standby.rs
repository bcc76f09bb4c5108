//! `apim.verify-standby` and `backup.find-latest`.

use lifeboat::{
    run::Disposition,
    sim::{Act, Fault},
};

use super::*;

const VERIFY: ActionKind = ActionKind::VerifyStandby;
const FIND: ActionKind = ActionKind::FindLatest;

fn arguments() -> Value {
    json!({ "standby": standby(), "active": active() })
}

fn find() -> Value {
    json!({ "storage": storage(), "container": "apim-backups", "prefix": "apim-contoso-west-" })
}

#[tokio::test(start_paused = true)]
async fn compares_with_the_active_service_then_the_manifest_then_what_was_said() {
    let stage = Stage::new(Scenario::alive());
    let done = stage.perform(VERIFY, arguments()).await.0.unwrap();
    assert_eq!(done.outputs["compared_with"], "active");
    assert_eq!(done.outputs["gateway_host"], NEW_TARGET);
    assert_eq!(done.outputs["tier"], "Premium");
    assert_eq!(done.outputs["location"], "North Europe");

    let stage = Stage::new(Scenario::default());
    let backup = newest_backup(&stage).await;
    let mut bare = backup.clone();
    bare.as_object_mut().unwrap().remove("manifest_data");
    for (more, source) in [
        (json!({ "backup": backup }), "manifest"),
        (json!({ "backup": bare }), "manifest"),
        (json!({ "expect_tier": "Premium" }), "expect_tier"),
        (json!({}), "nothing"),
    ] {
        let mut arguments = arguments();
        for (name, value) in more.as_object().unwrap() {
            arguments[name] = value.clone();
        }
        let done = stage.perform(VERIFY, arguments.clone()).await.0.unwrap();
        assert_eq!(done.outputs["compared_with"], source);
        let probe = stage.probe(VERIFY, arguments).await.unwrap();
        let warned = codes(&probe, Severity::Warning).contains(&"tier-not-compared");
        assert_eq!(warned, source == "nothing");
    }
    assert!(stage.only_read());
}

#[tokio::test(start_paused = true)]
async fn what_makes_a_restore_impossible_is_a_blocker() {
    type Change = fn(&mut Scenario);
    let cases: [(Change, &str); 4] = [
        (|scenario| scenario.standby.tier = "Standard".to_owned(), "tier-mismatch"),
        (|scenario| scenario.standby.tier = "PremiumV2".to_owned(), "tier-cannot-restore"),
        (|scenario| scenario.standby.tier = "Consumption".to_owned(), "tier-cannot-restore"),
        (|scenario| scenario.standby.workspaces = vec!["team-a".to_owned()], "workspaces"),
    ];
    for (change, code) in cases {
        let mut scenario = Scenario::alive();
        change(&mut scenario);
        let stage = Stage::new(scenario);
        let probe = stage.probe(VERIFY, arguments()).await.unwrap();
        assert_eq!(codes(&probe, Severity::Blocker), [code]);
        let error = stage.perform(VERIFY, arguments()).await.0.unwrap_err();
        assert_eq!((error.disposition, error.code.as_str()), (Disposition::Final, code));
        assert!(!error.hint.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn what_makes_a_failover_doubtful_is_a_warning() {
    let mut scenario = Scenario::alive();
    scenario.standby.location = "West Europe".to_owned();
    scenario.standby.hostnames = Vec::new();
    scenario.standby.capacity = 1;
    scenario.standby.identity = lifeboat::sim::scenario::Identity::None;
    let stage = Stage::new(scenario);
    let probe = stage.probe(VERIFY, arguments()).await.unwrap();
    assert_eq!(
        codes(&probe, Severity::Warning),
        ["same-region", "no-identity", "hostname-missing", "hostname-missing"]
    );
    assert_eq!(codes(&probe, Severity::Note), ["standby-smaller"]);
    assert!(stage.perform(VERIFY, arguments()).await.0.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_busy_standby_may_be_tried_again() {
    let stage = Stage::new(Scenario::default());
    let restore =
        json!({ "service": standby(), "backup": newest_backup(&stage).await, "access": "system-assigned-identity" });
    let (restored, verified) = tokio::join!(stage.perform(ActionKind::Restore, restore), async {
        stage.pass(5).await;
        stage.perform(VERIFY, arguments()).await
    });
    restored.0.unwrap();
    let error = verified.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Retryable, "standby-busy"));
}

#[tokio::test(start_paused = true)]
async fn what_azure_refuses_says_what_is_missing() {
    for (status, azure, code) in [
        (401, "InvalidAuthenticationToken", "unauthorized"),
        (403, "AuthorizationFailed", "forbidden"),
        (404, "ResourceNotFound", "standby-not-found"),
    ] {
        let stage = Stage::with([Fault::status(status, azure).on("GET", "/apim-contoso-east?")]);
        let error = stage.probe(VERIFY, arguments()).await.unwrap_err();
        assert_eq!((error.disposition, error.code.as_str()), (Disposition::Final, code));
        assert!(!error.hint.is_empty(), "{code}");
        assert_eq!(error.details["status"], status);
    }
}

#[tokio::test(start_paused = true)]
async fn finds_the_newest_that_can_be_restored() {
    let mut scenario = Scenario::default();
    for trap in &mut scenario.backups.traps {
        trap.age -= Duration::from_hours(6);
    }
    let stage = Stage::new(scenario);
    let done = stage.perform(FIND, find()).await.0.unwrap();
    // Three newer ones are traps: empty, archived, half copied.
    assert_eq!(done.outputs["name"], "apim-contoso-west-20261123T020000Z.apimbackup");
    assert_eq!(done.outputs["age"], "6h");
    assert_eq!(done.outputs["expires"], "2026-12-23T02:00:00Z");
    let backup = &done.outputs["backup"];
    assert_eq!((&backup["account"], &backup["container"]), (&json!("stcontosodr"), &json!("apim-backups")));
    assert_eq!(backup["manifest_data"]["tier"], "Premium");
    assert_eq!(done.evidence["rejected_newest"].as_array().unwrap().len(), 5);
    let probe = stage.probe(FIND, find()).await.unwrap();
    assert_eq!(fact(&probe, "backup.name"), &done.outputs["name"]);
    let mut expected = done.outputs.clone();
    let mut seen = probe.outputs.clone();
    for outputs in [&mut expected, &mut seen] {
        outputs.remove("age");
        outputs["backup"].as_object_mut().unwrap().remove("age");
    }
    assert_eq!(seen, expected);
}

#[tokio::test(start_paused = true)]
async fn says_why_there_is_none() {
    let mut scenario = Scenario::default();
    scenario.backups.newest = Duration::from_hours(31 * 24);
    scenario.backups.traps = Vec::new();
    let stage = Stage::new(scenario);
    let error = stage.probe(FIND, find()).await.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Final, "backups-expired"));
    for part in ["apim-contoso-west-20261023T080000Z", "expired 2026-11-22 08:00 UTC", "and 29 more"] {
        assert!(error.message.contains(part), "{}", error.message);
    }
    assert_eq!(error.details["newest"]["created"], "2026-10-23T08:00:00Z");

    let mut scenario = Scenario::default();
    scenario.backups.count = 0;
    let stage = Stage::new(scenario);
    let error = stage.perform(FIND, find()).await.0.unwrap_err();
    assert_eq!(error.code, "no-usable-backup");
    assert!(error.message.contains("Archive tier") && error.message.contains("it is empty"), "{}", error.message);
    let mut none = find();
    none["prefix"] = json!("other-");
    assert_eq!(stage.perform(FIND, none).await.0.unwrap_err().code, "no-backups");

    let stage = Stage::with([Fault::status(403, "AuthorizationPermissionMismatch").on("GET", "comp=list")]);
    let error = stage.perform(FIND, find()).await.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Final, "forbidden"));
    assert!(error.hint.contains("Storage Blob Data Reader"), "{}", error.hint);
}

#[tokio::test(start_paused = true)]
async fn a_backup_must_outlive_the_restore() {
    let mut scenario = Scenario::default();
    scenario.backups.newest = Duration::from_hours(29 * 24 + 20);
    scenario.backups.traps = Vec::new();
    let stage = Stage::new(scenario);
    let error = stage.perform(FIND, find()).await.0.unwrap_err();
    assert_eq!(error.code, "backups-expired");
    assert!(error.hint.contains("margin"), "{}", error.hint);
    let mut arguments = find();
    arguments["margin"] = json!("1h");
    stage.perform(FIND, arguments.clone()).await.0.unwrap();
    arguments["restore_timeout"] = json!("4h");
    stage.perform(FIND, arguments).await.0.unwrap_err();
}

fn find_of_service() -> Value {
    let mut arguments = find();
    arguments["service"] = json!(active());
    arguments
}

/// What a proxy may answer: nothing about changes, with the status of an answer.
#[tokio::test(start_paused = true)]
async fn an_answer_without_a_list_is_not_taken_for_no_change() {
    let stage = Stage::with([Fault::status(200, "None").on("GET", "/eventtypes/")]);
    let probe = stage.probe(FIND, find_of_service()).await.unwrap();
    assert!(probe.facts.iter().all(|fact| !fact.name.starts_with("changes.")), "{:?}", probe.facts);
    let unread = probe.findings.iter().find(|finding| finding.code == "changes-unread").unwrap();
    assert!(unread.message.contains("holds no list"), "{}", unread.message);
}

/// Whoever plans a failover waits some seconds for it, and the probe never longer than it may take.
#[tokio::test(start_paused = true)]
async fn a_log_that_does_not_answer_keeps_no_backup_from_the_plan() {
    let hangs = |on: &str, seconds: u64| Fault::new(Act::Hang(Duration::from_secs(seconds))).on("GET", on);
    for (slow, most) in [(Vec::new(), 10), (vec![hangs("comp=list", 200).times(2), hangs(".manifest.json", 54)], 180)] {
        let is_slow = !slow.is_empty();
        let stage = Stage::with(slow.into_iter().chain([hangs("/eventtypes/", 300)]));
        let begin = stage.context.clock.moment();
        let probe = stage.probe(FIND, find_of_service()).await.unwrap();
        let took = stage.context.clock.since(&begin).as_secs();
        assert!(took < most && (took > 170) == is_slow, "{took} s");
        assert_eq!(fact(&probe, "backup.name"), &probe.outputs["name"]);
        assert!(probe.findings.iter().any(|finding| finding.code == "changes-unread"), "{:?}", probe.findings);
    }
}
