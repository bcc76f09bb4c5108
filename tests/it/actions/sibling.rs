//! Two services, one container, and a name that begins with the other's: neither's backups count as the other's.

use lifeboat::azure::storage::{BlobCondition, BlobContent};

use super::*;

const OWN: &str = "apim-contoso-west-20261123T020000Z.apimbackup";
/// An hour old, newer than every backup of the service itself.
const SIBLING: &str = "apim-contoso-west-dr-20261123T070000Z.apimbackup";

fn sibling() -> String {
    id("rg-apim-north", "Microsoft.ApiManagement/service", "apim-contoso-west-dr")
}

async fn write(stage: &Stage, name: &str, text: &str) {
    let content = BlobContent { text, content_type: "application/octet-stream", ..BlobContent::default() };
    stage.context.blobs.write("stcontosodr", "apim-backups", name, &content, BlobCondition::Absent).await.unwrap();
}

/// A world whose container holds one backup more, with a manifest when it says whose.
async fn beside(scenario: Scenario, name: &str, service: Option<&str>) -> Stage {
    let stage = Stage::new(Scenario {
        backups: lifeboat::sim::scenario::Backups { traps: Vec::new(), ..scenario.backups.clone() },
        ..scenario
    });
    write(&stage, name, "a backup").await;
    if let Some(service) = service {
        write(&stage, &format!("{name}.manifest.json"), &json!({ "service": service }).to_string()).await;
    }
    stage
}

fn find(service: Option<String>, prefix: Option<&str>) -> Value {
    let mut arguments = json!({ "storage": storage(), "container": "apim-backups" });
    for (name, value) in [("service", service), ("prefix", prefix.map(str::to_owned))] {
        if let Some(value) = value {
            arguments[name] = json!(value);
        }
    }
    arguments
}

#[tokio::test(start_paused = true)]
async fn the_backup_of_a_sibling_is_not_chosen() {
    let prefix = Some("apim-contoso-west-");
    for told in [None, Some(sibling())] {
        let stage = beside(Scenario::default(), SIBLING, told.as_deref()).await;
        for arguments in [find(Some(active()), prefix), find(None, prefix), find(Some(active()), None)] {
            let done = stage.perform(ActionKind::FindLatest, arguments.clone()).await.0.unwrap();
            assert_eq!(done.outputs["name"], OWN, "{told:?} {arguments}");
            let rejected = done.evidence["rejected_newest"].to_string();
            assert!(rejected.contains(SIBLING), "{rejected}");
        }
    }
    let mut none = Scenario::default();
    none.backups.count = 0;
    let stage = beside(none, SIBLING, Some(&sibling())).await;
    for service in [Some(active()), None] {
        let error = stage.perform(ActionKind::FindLatest, find(service, prefix)).await.0.unwrap_err();
        assert_eq!(error.code, "no-usable-backup");
        assert!(error.message.contains("of another service"), "{}", error.message);
    }
}

#[tokio::test(start_paused = true)]
async fn a_backup_by_another_name_is_used_when_something_says_whose_it_is() {
    let custom = "apim-contoso-west-before-upgrade";
    for (name, told, service, prefix) in [
        (custom, Some(active()), Some(active()), "apim-contoso-west-"),
        // Nobody says anything but the prefix, which is somebody's own.
        ("nightly.bak", None, Some(active()), "nightly"),
        ("nightly-a", None, None, "nightly-"),
        ("nightly-a", Some(active()), None, "nightly-"),
    ] {
        let stage = beside(Scenario::default(), name, told.as_deref()).await;
        let done = stage.perform(ActionKind::FindLatest, find(service, Some(prefix))).await.0.unwrap();
        assert_eq!(done.outputs["name"], name);
    }
}

#[tokio::test(start_paused = true)]
async fn prune_neither_counts_nor_deletes_the_backups_of_a_sibling() {
    let stage = beside(Scenario::alive(), "apim-contoso-west-dr-20261123T080000Z.apimbackup", Some(&sibling())).await;
    write(&stage, "apim-contoso-west-dr-20260901T080000Z.apimbackup", "an expired backup").await;
    stage.pass(25 * 60).await;
    let arguments = json!({
        "service": active(), "storage": storage(), "container": "apim-backups", "keep": 1, "keep_days": 1,
    });
    let deleted = stage.perform(ActionKind::Prune, arguments).await.0.unwrap().outputs["deleted"].to_string();
    assert!(deleted.contains("apim-contoso-west-20261122T020000Z"), "{deleted}");
    assert!(!deleted.contains("west-dr") && !deleted.contains(OWN), "{deleted}");
}

#[tokio::test(start_paused = true)]
async fn the_exposure_of_a_service_is_its_own() {
    let stage = beside(Scenario::alive(), SIBLING, None).await;
    let arguments = json!({
        "service": active(), "storage": storage(), "container": "apim-backups", "access": "system-assigned-identity",
    });
    let probe = stage.probe(ActionKind::Backup, arguments).await.unwrap();
    assert_eq!(fact(&probe, "backup.newest"), OWN);
}

#[tokio::test(start_paused = true)]
async fn a_standby_takes_only_what_the_active_service_was() {
    let stage = Stage::new(Scenario::default());
    let mut backup = newest_backup(&stage).await;
    let verify = |backup: &Value| json!({ "standby": standby(), "active": active(), "backup": backup });
    assert!(stage.perform(ActionKind::VerifyStandby, verify(&backup)).await.0.is_ok());
    backup["manifest_data"]["service"] = json!(sibling());
    let probe = stage.probe(ActionKind::VerifyStandby, verify(&backup)).await.unwrap();
    assert_eq!(codes(&probe, Severity::Blocker), ["backup-of-another-service"]);
    let error = stage.perform(ActionKind::VerifyStandby, verify(&backup)).await.0.unwrap_err();
    assert_eq!(error.code, "backup-of-another-service");
}
