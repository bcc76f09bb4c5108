//! `apim.backup`: taken once, followed through everything, found again by its blob, with a manifest beside it.

use lifeboat::{
    action::manifest::{self, Manifest},
    azure::{apim_content::ContentNames, inventory::InventoryClass},
    run::Disposition,
    sim::{Act, Fault, Moment, Status, Twice},
};

use super::*;

const BACKUP: ActionKind = ActionKind::Backup;
const POLL: &str = "/operationresults/";
const POST: &str = "/backup?";
const CONTAINER: &str = "apim-backups";

fn arguments() -> Value {
    json!({
        "service": active(), "storage": storage(), "container": CONTAINER, "access": "system-assigned-identity",
    })
}

fn alive(faults: impl IntoIterator<Item = Fault>) -> Stage {
    Stage::new(Scenario { faults: faults.into_iter().collect(), ..Scenario::alive() })
}

async fn blobs(stage: &Stage) -> Vec<String> {
    let listed = stage.context.blobs.list("stcontosodr", CONTAINER, "").await.unwrap();
    listed.into_iter().map(|blob| blob.name).collect()
}

/// The manifest of a backup, which must be there.
async fn manifest_of(stage: &Stage, backup: &str) -> Value {
    manifest::read(&stage.context.blobs, "stcontosodr", CONTAINER, backup).await.unwrap().expect("a manifest")
}

/// Performs against the living world with faults; it must succeed with exactly one backup taken and described.
async fn survives(faults: impl IntoIterator<Item = Fault>) -> (Done, Journal, Stage) {
    let stage = alive(faults);
    let (done, journal) = stage.perform(BACKUP, arguments()).await;
    let done = done.unwrap_or_else(|error| panic!("{error} ({}); {}", error.code, journal.notes()));
    assert_eq!((stage.world.effects().backups_accepted, stage.world.effects().blob_puts_accepted), (1, 1));
    let name = done.outputs["name"].as_str().unwrap();
    assert_eq!(manifest_of(&stage, name).await["backup"], name);
    (done, journal, stage)
}

async fn fails(faults: impl IntoIterator<Item = Fault>) -> (StepError, Journal, Stage) {
    let stage = alive(faults);
    let (done, journal) = stage.perform(BACKUP, arguments()).await;
    (done.unwrap_err(), journal, stage)
}

#[tokio::test(start_paused = true)]
async fn a_backup_is_written_down_taken_once_followed_and_described() {
    let (done, journal, stage) = survives([]).await;
    let name = "apim-contoso-west-20261123T080000Z.apimbackup";
    assert_eq!(done.outputs["name"], name);
    assert_eq!(done.outputs["manifest"], format!("{name}.manifest.json"));
    for created in [&done.outputs["created"], &done.outputs["backup"]["created"]] {
        assert!(created.as_str().unwrap().starts_with("2026-11-23T08:00:00"), "{created}");
    }
    assert!(done.outputs["duration"].as_str().unwrap().starts_with("10m"), "{:?}", done.outputs);
    assert!(done.outputs["exposure"].as_str().unwrap().starts_with("6h"), "{:?}", done.outputs);
    assert_eq!(done.outputs["operation"], json!(journal.operations()[0].url));
    assert_eq!(stage.world.effects().backup_posts_received, 1);
    let entries = journal.entries();
    let place = |wanted: fn(&Entry) -> bool| entries.iter().position(wanted).unwrap();
    assert!(place(|it| matches!(it, Entry::Intent(_))) < place(|it| matches!(it, Entry::Accepted(_))));
    let intent = &journal.intents()[0];
    assert!(intent.request.url.contains("/apim-contoso-west/backup?"), "{}", intent.request.url);
    assert_eq!(intent.before["content"]["names"]["apis"], json!(["catalog", "orders", "payments"]));
    // What it says was read before and after, and a restore can choose it.
    let written = manifest_of(&stage, name).await;
    let manifest = Manifest::from_value(&written).unwrap();
    assert_eq!(Some(manifest.observed.unwrap().content), manifest.created);
    assert!(written["observed"]["service"].as_str().unwrap() > "2026-11-23T08:10:00Z");
    let found = newest_backup(&stage).await;
    assert_eq!((&found["name"], &found["manifest_data"]), (&json!(name), &written));
}

#[tokio::test(start_paused = true)]
async fn manifests_have_one_shape() {
    let (done, _, stage) = survives([]).await;
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let own = manifest_of(&stage, done.outputs["name"].as_str().unwrap()).await;
    let mut read = 0;
    for name in blobs(&stage).await.iter().filter_map(|name| name.strip_suffix(".manifest.json")) {
        let written = manifest_of(&stage, name).await;
        let manifest = Manifest::from_value(&written).unwrap();
        assert_eq!(serde_json::to_value(&manifest).unwrap(), written, "{name} has more or other keys");
        assert_eq!(keys(&written), keys(&own));
        assert_eq!(manifest.version, Some(manifest::MANIFEST_VERSION));
        let ContentNames { apis, products, subscriptions, named_values } = manifest.content().unwrap();
        assert_eq!((apis.len(), products.len(), subscriptions.len(), named_values.len()), (3, 2, 4, 3));
        let inventory = manifest.inventory.unwrap();
        assert!(InventoryClass::ALL.into_iter().all(|class| inventory.of(class).is_ok()), "{inventory:?}");
        assert_eq!(inventory.diff(&Manifest::from_value(&own).unwrap().inventory.unwrap()), []);
        read += 1;
    }
    assert_eq!(read, 38, "34 of the scenario, its 3 traps, and its own");
}

#[tokio::test(start_paused = true)]
async fn every_way_of_access_works_and_no_key_is_written_down() {
    for (access, more) in [
        ("access-key", json!({})),
        ("system-assigned-identity", json!({})),
        ("user-assigned-identity", json!({ "client_id": "00000000-0000-0000-0000-0000000000c1" })),
    ] {
        let mut scenario = Scenario::alive();
        scenario.active.identity = lifeboat::sim::scenario::Identity::Both;
        let stage = Stage::new(scenario);
        let mut arguments = arguments();
        arguments["access"] = json!(access);
        for (name, value) in more.as_object().unwrap() {
            arguments[name] = value.clone();
        }
        let probe = stage.probe(BACKUP, arguments.clone()).await.unwrap();
        let (done, journal) = stage.perform(BACKUP, arguments).await;
        let done = done.unwrap_or_else(|error| panic!("{access}: {error}"));
        let body = journal.intents()[0].request.body.clone().unwrap();
        for body in [&body, probe.requests[0].body.as_ref().unwrap()] {
            assert!(body.get("accessKey").is_none_or(|key| key == "***"), "{body}");
        }
        assert_eq!(body.get("accessKey").is_some(), access == "access-key");
        assert!(blobs(&stage).await.iter().any(|name| *name == done.outputs["name"]), "{access}");
    }
}

#[tokio::test(start_paused = true)]
async fn survives_trouble_while_it_is_taken_and_described() {
    for (what, fault) in [
        ("tokens expire", Fault::new(Act::ExpireTokens).on("GET", POLL).skip(2).times(3)),
        ("a storm of 503", Fault::status(503, "ServiceUnavailable").on("GET", POLL).skip(2).times(60)),
        ("broken connections", Fault::new(Act::Reset(Moment::After)).on("GET", POLL).skip(1).times(50)),
        ("no permission to poll", Fault::status(403, "AuthorizationFailed").on("GET", POLL).skip(3).times(9)),
        ("a lost operation", Fault::new(Act::LoseOperation).on("GET", POLL).skip(3)),
        ("a lost answer to the manifest", Fault::new(Act::Reset(Moment::After)).on("PUT", "manifest.json").times(1)),
        ("storage throttles the manifest", Fault::status(503, "ServerBusy").on("PUT", "manifest.json").times(12)),
        ("half of everything fails", Fault::status(500, "InternalServerError").on("GET", "").probability(0.5)),
    ] {
        let (_, journal, stage) = survives([fault]).await;
        assert_eq!(stage.world.effects().backup_posts_received, 1, "{what}");
        assert!(!journal.notes().is_empty(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn lists_that_cannot_be_read_leave_a_manifest_that_says_so() {
    let (done, _, stage) = survives([Fault::status(403, "AuthorizationFailed").on("GET", "/subscriptions?")]).await;
    let written = manifest_of(&stage, done.outputs["name"].as_str().unwrap()).await;
    assert!(written["content_unread"].as_str().unwrap().contains("AuthorizationFailed"), "{written}");
    assert_eq!(Manifest::from_value(&written).unwrap().content(), None);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_settled_by_the_blob() {
    // Before Azure took it: nothing happened, and it may be sent again.
    let (error, journal, stage) = fails([Fault::new(Act::Reset(Moment::Before)).on("POST", POST).times(1)]).await;
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::InDoubt, "backup-in-doubt"));
    let intent = journal.intents().pop().unwrap();
    let verdict = stage.settle(BACKUP, arguments(), Some(&intent), None).await;
    assert!(matches!(verdict, Verdict::DidNotHappen { .. }), "{verdict:?}");

    // After: it is followed, and never sent again.
    for pause in [0, 60] {
        let (error, journal, stage) = fails([Fault::new(Act::Reset(Moment::After)).on("POST", POST).times(1)]).await;
        assert_eq!(error.disposition, Disposition::InDoubt);
        let intent = journal.intents().pop().unwrap();
        stage.pass(pause).await;
        // While it goes on the service is busy; once it is over the blob tells, and only the manifest is missing.
        let verdict = stage.settle(BACKUP, arguments(), Some(&intent), None).await;
        assert_eq!(verdict, Verdict::GoesOn { operation: None }, "after {pause} minutes");
        let (done, _) = stage.follow(BACKUP, arguments(), None, &intent).await;
        let done = done.unwrap();
        assert_eq!(done.outputs["name"], intent.before["backup"]);
        let verdict = stage.settle(BACKUP, arguments(), Some(&intent), None).await;
        let Verdict::Happened { outputs } = verdict else { panic!("{verdict:?}") };
        assert_eq!(outputs["backup"]["name"], intent.before["backup"]);
        assert_eq!((stage.world.effects().backup_posts_received, stage.world.effects().blob_puts_accepted), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_cannot_be_written_is_said_and_written_later() {
    let forbidden = Fault::status(403, "AuthorizationPermissionMismatch").on("PUT", "manifest.json").times(1);
    let (error, journal, stage) = fails([forbidden]).await;
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::InDoubt, "manifest-missing"));
    assert!(error.message.contains("is whole, its manifest is missing"), "{error}");
    assert!(error.hint.contains("nothing is backed up again"), "{}", error.hint);
    let (intent, operation) = (journal.intents().pop().unwrap(), journal.operations().pop().unwrap());
    // Who has just failed to write it does not try for ever; who comes anew does.
    let doubted = Call { doubt: Some(Box::new(error)), ..call(arguments()) };
    let verdict = action::settle(BACKUP, &doubted, &stage.context, Some(&intent), Some(&operation)).await.unwrap();
    let Verdict::Unknown { reason, remedy } = verdict else { panic!("{verdict:?}") };
    assert!(reason.contains("is whole") && remedy.contains("lifeboat resume"), "{reason}; {remedy}");
    let verdict = stage.settle(BACKUP, arguments(), Some(&intent), Some(&operation)).await;
    assert_eq!(verdict, Verdict::GoesOn { operation: Some(operation.clone()) });
    let (done, _) = stage.follow(BACKUP, arguments(), Some(operation), &intent).await;
    let name = done.unwrap().outputs["name"].as_str().unwrap().to_owned();
    assert_eq!(manifest_of(&stage, &name).await["apis"]["count"], 3, "as it was before the backup");
    assert_eq!(stage.world.effects().backup_posts_received, 1);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_while_only_the_manifest_is_missing_says_so() {
    let forbidden = Fault::status(403, "AuthorizationPermissionMismatch").on("PUT", "manifest.json").times(1);
    let (_, journal, stage) = fails([forbidden]).await;
    let (intent, operation) = (journal.intents().pop().unwrap(), journal.operations().pop().unwrap());
    let late = StepError::new(Disposition::InDoubt, "timeout", "no end within 90m", "resume the run");
    let late = Call { doubt: Some(Box::new(late)), ..call(arguments()) };
    let verdict = action::settle(BACKUP, &late, &stage.context, Some(&intent), Some(&operation)).await.unwrap();
    let Verdict::Unknown { reason, remedy } = verdict else { panic!("{verdict:?}") };
    assert!(reason.ends_with("is whole, its manifest is missing"), "{reason}");
    assert!(remedy.contains("`lifeboat resume` writes"), "{remedy}");
}

/// The same world, with the service in the state `Failed`.
fn broken(stage: &Stage) -> Stage {
    let mut picture = stage.world.snapshot();
    let services = picture["state"]["services"].as_object_mut().unwrap();
    let service = services.iter_mut().find(|(name, _)| name.ends_with("apim-contoso-west")).unwrap().1;
    service["provisioning_state"] = json!("Failed");
    service["target_state"] = json!("");
    Stage::of(World::from_snapshot(picture, stage.context.clock.clone()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_is_whole_stays_one_when_the_service_breaks_afterwards() {
    // Told by the operation, and proved by the blob alone.
    for is_told in [true, false] {
        let fault = if is_told {
            Fault::status(403, "AuthorizationPermissionMismatch").on("PUT", "manifest.json")
        } else {
            Fault::new(Act::Reset(Moment::After)).on("POST", POST)
        };
        let (_, journal, stage) = fails([fault.times(1)]).await;
        let (intent, operation) = (journal.intents().pop().unwrap(), journal.operations().pop());
        assert_eq!(operation.is_some(), is_told);
        stage.pass(60).await;
        assert!(!blobs(&stage).await.is_empty(), "the world has seen the end");
        let stage = broken(&stage);
        let verdict = stage.settle(BACKUP, arguments(), Some(&intent), operation.as_ref()).await;
        assert_eq!(verdict, Verdict::GoesOn { operation: operation.clone() });
        let (done, journal) = stage.follow(BACKUP, arguments(), operation.clone(), &intent).await;
        let name = done.unwrap().outputs["name"].as_str().unwrap().to_owned();
        tokio::task::yield_now().await;
        assert!(journal.notes().contains("although apim-contoso-west is in the state Failed"), "{}", journal.notes());
        assert_eq!(manifest_of(&stage, &name).await["backup"], name);
        let verdict = stage.settle(BACKUP, arguments(), Some(&intent), operation.as_ref()).await;
        assert!(matches!(verdict, Verdict::Happened { .. }), "{verdict:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_backup_without_a_blob_has_failed_when_the_service_breaks() {
    let (_, journal, stage) = fails([Fault::new(Act::Reset(Moment::Before)).on("POST", POST).times(1)]).await;
    let (intent, stage) = (journal.intents().pop().unwrap(), broken(&stage));
    let verdict = stage.settle(BACKUP, arguments(), Some(&intent), None).await;
    assert!(matches!(verdict, Verdict::Unknown { .. }), "{verdict:?}");
    let (done, _) = stage.follow(BACKUP, arguments(), None, &intent).await;
    assert_eq!(done.unwrap_err().code, "backup-failed");
}

#[tokio::test(start_paused = true)]
async fn a_failed_backup_says_why_in_words_that_help() {
    for (code, message, known) in [
        (
            "InvalidParameters",
            "Requested value 'GET,PUT' was not found. (Parameter 'backupStorageAccount')",
            "storage-cors",
        ),
        ("InvalidParameters", "The container 'x' does not exist.", "storage-unwritable"),
        ("InternalError", "Something broke.", "backup-failed"),
    ] {
        let act = Act::FailOperation { code: code.to_owned(), message: message.to_owned() };
        let (error, journal, stage) = fails([Fault::new(act).on("POST", POST)]).await;
        assert_eq!((error.disposition, error.code.as_str()), (Disposition::Final, known));
        assert!(
            error.message.contains("the backup of apim-contoso-west failed") && error.message.contains(message),
            "{error}"
        );
        assert_eq!(stage.world.effects().blob_puts_accepted, 0, "no manifest without a backup");
        let (intent, operation) = (journal.intents().pop().unwrap(), journal.operations().pop().unwrap());
        let verdict = stage.settle(BACKUP, arguments(), Some(&intent), Some(&operation)).await;
        let Verdict::Failed { error } = verdict else { panic!("{verdict:?}") };
        assert_eq!(error.code, known);
    }
}

/// Another backup that keeps the service busy for ten minutes.
async fn busy(stage: &Stage, then: impl Future<Output = ()>) {
    let mut other = arguments();
    other["name"] = json!("apim-contoso-west-other");
    let first = Box::pin(async {
        stage.perform(BACKUP, other).await.0.unwrap();
    });
    let second = Box::pin(async {
        stage.pass(1).await;
        then.await;
    });
    tokio::join!(first, second);
}

#[tokio::test(start_paused = true)]
async fn a_busy_service_is_waited_for_or_left_as_the_runbook_says() {
    let stage = alive([]);
    let then = Box::pin(async {
        let mut skipping = arguments();
        skipping["when_busy"] = json!("skip");
        let probe = stage.probe(BACKUP, skipping.clone()).await.unwrap();
        assert_eq!(codes(&probe, Severity::Warning), ["service-busy"]);
        let (done, journal) = stage.perform(BACKUP, skipping).await;
        tokio::task::yield_now().await;
        let done = done.unwrap();
        assert!(done.outputs["skipped"].as_str().unwrap().contains("is busy (state Updating)"), "{:?}", done.outputs);
        assert!(journal.notes().contains("no backup was taken"), "{}", journal.notes());
        assert!(journal.intents().is_empty() && !done.outputs.contains_key("backup"));
        assert_eq!(done.outputs["exposure"], "6h1m", "what could be restored grows older");
        assert_eq!(stage.world.effects().backup_posts_received, 1);

        let (done, journal) = stage.perform(BACKUP, arguments()).await;
        assert!(journal.notes().contains("waiting until it is idle"), "{}", journal.notes());
        // The name says when it was taken, not when it began to wait.
        assert!(done.unwrap().outputs["name"].as_str().unwrap() > "apim-contoso-west-20261123T081000Z");
    });
    busy(&stage, then).await;
    assert_eq!(stage.world.effects().backups_completed, 2);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_shows_late_is_no_backup_in_doubt() {
    let locked = || [Fault::status(409, "ServiceLocked").on("POST", POST).times(1)];
    let (_, journal, _) = survives(locked()).await;
    let answered: Vec<Value> = journal.intents().iter().map(|intent| intent.before["locked"].clone()).collect();
    assert_eq!(answered, [false, true, false]);

    // One that leaves a busy service alone has asked already: it waits, and then takes its backup.
    let stage = alive(locked());
    let mut skipping = arguments();
    skipping["when_busy"] = json!("skip");
    let (done, _) = stage.perform(BACKUP, skipping).await;
    assert!(done.unwrap().outputs.contains_key("name"));
    assert_eq!(stage.world.effects().backups_completed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_locks_its_own_repetition_out_is_found_by_its_blob() {
    let stage = alive([Fault::new(Act::Twice(Twice::Second)).on("POST", POST).times(1)]);
    let mut skipping = arguments();
    skipping["when_busy"] = json!("skip");
    let (done, journal) = stage.perform(BACKUP, skipping.clone()).await;
    let error = done.unwrap_err();
    assert_eq!((error.code.as_str(), error.disposition), ("backup-in-doubt", Disposition::InDoubt), "{error:?}");
    let last = journal.intents().pop().unwrap();
    let verdict = stage.settle(BACKUP, skipping, Some(&last), None).await;
    // Found, and its manifest is still to be written.
    assert!(matches!(verdict, Verdict::GoesOn { .. }), "{verdict:?}");
    assert_eq!(stage.world.effects().backups_completed, 1);
}

#[tokio::test(start_paused = true)]
async fn what_would_fail_it_is_seen_before_anything_is_sent() {
    type Change = fn(&mut Scenario);
    let worlds: [(&str, Change); 6] = [
        ("storage-cors", |it| it.storage.cors = true),
        ("workspaces", |it| it.active.workspaces = vec!["team-a".to_owned()]),
        ("tier-cannot-restore", |it| it.active.tier = "StandardV2".to_owned()),
        ("identity-missing", |it| it.active.identity = lifeboat::sim::scenario::Identity::None),
        ("container-missing", |it| it.storage.container = "elsewhere".to_owned()),
        ("shared-key-disabled", |it| it.storage.shared_key = false),
    ];
    for (code, change) in worlds {
        let mut scenario = Scenario::alive();
        change(&mut scenario);
        let stage = Stage::new(scenario);
        let mut arguments = arguments();
        if code == "shared-key-disabled" {
            arguments["access"] = json!("access-key");
        }
        let probe = stage.probe(BACKUP, arguments).await.unwrap();
        assert_eq!(codes(&probe, Severity::Blocker), [code]);
        assert!(stage.only_read());
    }
    let stage = alive([]);
    let mut taken = arguments();
    taken["name"] = json!("apim-contoso-west-20261123T020000Z.apimbackup");
    let probe = stage.probe(BACKUP, taken.clone()).await.unwrap();
    assert_eq!(codes(&probe, Severity::Blocker), ["backup-exists"]);
    let error = stage.perform(BACKUP, taken).await.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Refused, "backup-exists"));
    for name in ["", "/x", "x.manifest.json", "x/"] {
        let mut odd = arguments();
        odd["name"] = json!(name);
        assert_eq!(stage.perform(BACKUP, odd).await.0.unwrap_err().code, "invalid-arguments", "{name}");
    }
    assert!(stage.only_read());
}

#[tokio::test(start_paused = true)]
async fn an_undo_leaves_the_backup_and_says_so() {
    let (done, _, stage) = survives([]).await;
    let (undone, journal) = stage.undo(BACKUP, arguments(), &done.outputs).await;
    assert_eq!(undone.unwrap().evidence["kept"], done.outputs["name"]);
    assert!(journal.intents().is_empty());
    assert!(blobs(&stage).await.iter().any(|name| *name == done.outputs["name"]));
}

#[tokio::test(start_paused = true)]
async fn what_throttles_the_request_itself_had_no_effect() {
    let throttled = Fault::new(Act::Status(Status {
        code: 429,
        error_code: Some("TooManyRequests".to_owned()),
        message: None,
        retry_after: Some(Duration::from_secs(7)),
        acted: false,
    }));
    let (_, journal, stage) = survives([throttled.on("POST", POST).times(2)]).await;
    assert_eq!((stage.world.effects().backup_posts_received, journal.intents().len()), (3, 1));
}
