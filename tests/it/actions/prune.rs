//! `backup.prune`: what expired goes with its manifest, as it was listed, and nothing while a failover needs it.

use lifeboat::{
    action::{Others, Unfinished},
    azure::storage::{BlobCondition, BlobContent},
    run::Disposition,
    sim::{Act, Fault, Moment},
};

use super::*;

const PRUNE: ActionKind = ActionKind::Prune;

fn arguments() -> Value {
    json!({ "service": active(), "storage": storage(), "container": "apim-backups" })
}

async fn count(stage: &Stage) -> usize {
    stage.context.blobs.list("stcontosodr", "apim-backups", "").await.unwrap().len()
}

fn deletes(stage: &Stage) -> u32 {
    stage.world.effects().blob_deletes_accepted
}

/// Frozen from the `after`th question on.
fn frozen_by(run: Unfinished, after: usize) -> Others {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    Others::asking(move || {
        let place = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        std::future::ready(Ok(if place < after { Vec::new() } else { vec![run.clone()] }))
    })
}

#[tokio::test(start_paused = true)]
async fn what_expired_goes_with_its_manifest_and_a_second_time_nothing() {
    let stage = Stage::new(Scenario::alive());
    let before = count(&stage).await;
    let probe = stage.probe(PRUNE, arguments()).await.unwrap();
    assert!(stage.only_read());
    assert_eq!(probe.requests.len(), 8, "four expired backups and their manifests");
    assert!(probe.requests.iter().all(|it| it.method == "DELETE" && it.headers[0].0 == "If-Match"));
    let newest = newest_backup(&stage).await;
    let (done, journal) = stage.perform(PRUNE, arguments()).await;
    let done = done.unwrap();
    assert_eq!((done.outputs["deleted"].as_array().unwrap().len(), &done.outputs["kept"]), (4, &json!(33)));
    assert_eq!((deletes(&stage), count(&stage).await, journal.intents().len()), (8, before - 8, 4));
    assert_eq!(newest_backup(&stage).await["name"], newest["name"]);
    let (again, journal) = stage.perform(PRUNE, arguments()).await;
    assert_eq!(again.unwrap().outputs["deleted"], json!([]));
    assert!(journal.intents().is_empty());
}

#[tokio::test(start_paused = true)]
async fn other_names_stay_and_a_prefix_is_needed() {
    let stage = Stage::new(Scenario::alive());
    let mut others = arguments();
    others["prefix"] = json!("somebody-elses-");
    assert_eq!(stage.perform(PRUNE, others).await.0.unwrap().outputs["kept"], 0);
    let mut all = arguments();
    all["prefix"] = json!("");
    assert_eq!(stage.perform(PRUNE, all).await.0.unwrap_err().code, "invalid-arguments");
    assert_eq!(deletes(&stage), 0);
}

#[tokio::test(start_paused = true)]
async fn backups_that_another_run_needs_are_frozen_also_in_the_middle() {
    let by_service =
        Unfinished { run: "r-9".to_owned(), resources: vec![active().to_lowercase()], containers: Vec::new() };
    let place = "stcontosodr/apim-backups".to_owned();
    let by_container = Unfinished { run: "r-9".to_owned(), resources: Vec::new(), containers: vec![place] };
    for run in [by_service, by_container] {
        for after in [0, 2] {
            let mut stage = Stage::new(Scenario::alive());
            stage.context = stage.context.beside(frozen_by(run.clone(), after));
            let (done, _) = stage.perform(PRUNE, arguments()).await;
            let done = done.unwrap();
            assert_eq!(done.outputs["frozen"], "r-9");
            assert_eq!(done.outputs["deleted"].as_array().unwrap().len(), after);
            assert_eq!(deletes(&stage), 2 * u32::try_from(after).unwrap());
        }
    }
    let mut stage = Stage::new(Scenario::alive());
    stage.context = stage.context.beside(Others::asking(|| std::future::ready(Err("a journal is torn".to_owned()))));
    assert_eq!(stage.perform(PRUNE, arguments()).await.0.unwrap_err().code, "runs-unread");
    assert_eq!(deletes(&stage), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_a_delete_is_no_lost_delete() {
    for moment in [Moment::Before, Moment::After] {
        let fault = Fault::new(Act::Reset(moment)).on("DELETE", "apimbackup").times(12);
        let stage = Stage::new(Scenario { faults: vec![fault], ..Scenario::alive() });
        let (done, journal) = stage.perform(PRUNE, arguments()).await;
        // Repeats of one call end; what is not known then is settled by the listing.
        if let Err(error) = done {
            assert_eq!(error.code, "delete-in-doubt");
            let verdict = stage.settle(PRUNE, arguments(), Some(&journal.intents().pop().unwrap()), None).await;
            assert!(matches!(verdict, Verdict::DidNotHappen { .. }), "{verdict:?}");
            stage.pass(1).await;
            stage.perform(PRUNE, arguments()).await.0.unwrap();
        }
        assert_eq!(deletes(&stage), 8, "{moment:?}");
        let verdict = stage.settle(PRUNE, arguments(), None, None).await;
        assert!(matches!(verdict, Verdict::Happened { .. }), "{verdict:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_said_not_to_be_there_and_is_listed_is_not_called_deleted() {
    let fault = Fault::status(404, "BlobNotFound").on("DELETE", "apimbackup").skip(2).times(1);
    let stage = Stage::new(Scenario { faults: vec![fault], ..Scenario::alive() });
    let error = stage.perform(PRUNE, arguments()).await.0.unwrap_err();
    assert_eq!((error.code.as_str(), error.disposition), ("delete-without-effect", Disposition::Retryable));
    let (done, _) = stage.perform(PRUNE, arguments()).await;
    assert_eq!(done.unwrap().outputs["deleted"].as_array().unwrap().len(), 1, "the one that was left");
}

#[tokio::test(start_paused = true)]
async fn what_was_deleted_before_a_doubt_is_named_after_it() {
    // The answer to the last of eight deletes is lost, and it was the manifest of the fourth backup.
    let fault = Fault::new(Act::Reset(Moment::After)).on("DELETE", "apimbackup").skip(7).times(12);
    let stage = Stage::new(Scenario { faults: vec![fault], ..Scenario::alive() });
    let (done, journal) = stage.perform(PRUNE, arguments()).await;
    let intents = journal.intents();
    let asked: Vec<&Value> = intents.iter().map(|intent| &intent.before["backup"]).collect();
    assert_eq!(asked.len(), 4, "{done:?}");
    let Verdict::Happened { outputs } = stage.settle(PRUNE, arguments(), intents.last(), None).await else {
        panic!("all of them are gone");
    };
    assert_eq!(outputs["deleted"], json!(asked));
}

#[tokio::test(start_paused = true)]
async fn a_plan_says_that_it_does_not_know_what_other_runs_need() {
    let mut stage = Stage::new(Scenario::alive());
    stage.context = stage.context.beside(Others::asking(|| std::future::ready(Err("a journal is torn".to_owned()))));
    assert_eq!(codes(&stage.probe(PRUNE, arguments()).await.unwrap(), Severity::Warning), ["runs-unread"]);
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_somebody_changed_is_left_alone() {
    let fault = Fault::status(412, "ConditionNotMet").on("DELETE", "apimbackup").times(1);
    let stage = Stage::new(Scenario { faults: vec![fault], ..Scenario::alive() });
    let (done, journal) = stage.perform(PRUNE, arguments()).await;
    let done = done.unwrap();
    assert_eq!((done.outputs["deleted"].as_array().unwrap().len(), &done.outputs["kept"]), (3, &json!(34)));
    tokio::task::yield_now().await;
    assert!(journal.notes().contains("was left alone"), "{}", journal.notes());
}

#[tokio::test(start_paused = true)]
async fn a_manifest_without_its_backup_goes_after_a_day() {
    let stage = Stage::new(Scenario::alive());
    stage.perform(PRUNE, arguments()).await.0.unwrap();
    let content = BlobContent { text: "{}", content_type: "application/json", ..BlobContent::default() };
    let name = "apim-contoso-west-20261101T000000Z.apimbackup.manifest.json";
    stage.context.blobs.write("stcontosodr", "apim-backups", name, &content, BlobCondition::Absent).await.unwrap();
    assert_eq!(stage.perform(PRUNE, arguments()).await.0.unwrap().outputs["deleted"], json!([]));
    stage.pass(25 * 60).await;
    let deleted = stage.perform(PRUNE, arguments()).await.0.unwrap().outputs["deleted"].clone();
    assert!(deleted.as_array().unwrap().contains(&json!(name)), "{deleted}");
}
