//! `apim.restore`: sent once, followed through everything, and found again.

use lifeboat::{
    run::Disposition,
    sim::{Act, Fault, Moment, Status, Twice},
};

use super::*;

const RESTORE: ActionKind = ActionKind::Restore;
const POLL: &str = "/operationresults/";

async fn arguments(stage: &Stage) -> Value {
    json!({ "service": standby(), "backup": newest_backup(stage).await, "access": "system-assigned-identity" })
}

fn is_restored(stage: &Stage) -> bool {
    stage.world.service("apim-contoso-east").unwrap().restored_from.is_some()
}

/// Performs against the built-in world with faults; it must succeed with exactly one restore taken.
async fn survives(faults: impl IntoIterator<Item = Fault>) -> (Done, Journal, Stage) {
    let stage = Stage::with(faults);
    let arguments = arguments(&stage).await;
    let (done, journal) = stage.perform(RESTORE, arguments).await;
    let done = done.unwrap_or_else(|error| panic!("{error} ({}); {}", error.code, journal.notes()));
    assert_eq!(stage.world.effects().restores_accepted, 1);
    assert!(is_restored(&stage));
    (done, journal, stage)
}

/// Performs against the built-in world with faults; it must fail.
async fn fails(faults: impl IntoIterator<Item = Fault>) -> (StepError, Journal, Stage) {
    let stage = Stage::with(faults);
    let arguments = arguments(&stage).await;
    let (done, journal) = stage.perform(RESTORE, arguments).await;
    (done.unwrap_err(), journal, stage)
}

#[tokio::test(start_paused = true)]
async fn writes_down_what_it_will_do_then_does_it_once_then_follows() {
    let (done, journal, stage) = survives([]).await;
    assert_eq!(stage.world.effects().restore_posts_received, 1);
    assert_eq!(done.outputs["service"], json!(standby()));
    assert!(done.outputs["duration"].as_str().unwrap().starts_with("45m"), "{:?}", done.outputs);
    let entries = journal.entries();
    let place = |wanted: fn(&Entry) -> bool| entries.iter().position(wanted).unwrap();
    let (intended, accepted) =
        (place(|entry| matches!(entry, Entry::Intent(_))), place(|entry| matches!(entry, Entry::Accepted(_))));
    assert!(intended < accepted);
    let intent = &journal.intents()[0];
    assert_eq!(intent.request.method, "POST");
    assert!(intent.request.url.contains("/apim-contoso-east/restore?"));
    assert_eq!(intent.before["provisioning_state"], "Succeeded");
    assert_eq!(done.outputs["operation"], json!(journal.operations()[0].url));
    let polls = stage.world.requests().iter().filter(|request| request.url.contains(POLL)).count();
    assert!((44..=47).contains(&polls), "{polls} polls in 45 minutes at one a minute");
    assert!(journal.notes().contains("goes on in Azure"));
}

#[tokio::test(start_paused = true)]
async fn every_way_of_access_works_and_no_key_is_written_down() {
    for (access, more) in [
        ("access-key", json!({})),
        ("system-assigned-identity", json!({})),
        ("user-assigned-identity", json!({ "client_id": "00000000-0000-0000-0000-0000000000c1" })),
    ] {
        let mut scenario = Scenario::default();
        scenario.standby.identity = lifeboat::sim::scenario::Identity::Both;
        let stage = Stage::new(scenario);
        let mut arguments = arguments(&stage).await;
        arguments["access"] = json!(access);
        for (name, value) in more.as_object().unwrap() {
            arguments[name] = value.clone();
        }
        let (done, journal) = stage.perform(RESTORE, arguments).await;
        done.unwrap_or_else(|error| panic!("{access}: {error}"));
        let body = journal.intents()[0].request.body.clone().unwrap();
        assert!(body.get("accessKey").is_none_or(|key| key == "***"), "{body}");
        assert!(is_restored(&stage), "{access}");
    }
}

#[tokio::test(start_paused = true)]
async fn survives_trouble_while_polling() {
    let throttled = || {
        Fault::new(Act::Status(Status {
            code: 429,
            error_code: Some("TooManyRequests".to_owned()),
            message: None,
            retry_after: Some(Duration::from_secs(7)),
            acted: false,
        }))
    };
    for (what, fault) in [
        ("tokens expire", Fault::new(Act::ExpireTokens).on("GET", POLL).skip(5).times(3)),
        ("a storm of 503", Fault::status(503, "ServiceUnavailable").on("GET", POLL).skip(2).times(60)),
        ("throttling", throttled().on("GET", POLL).skip(1).times(40)),
        ("broken connections", Fault::new(Act::Reset(Moment::After)).on("GET", POLL).skip(1).times(50)),
        ("cut bodies", Fault::new(Act::Truncate).on("GET", POLL).skip(3).times(9)),
        ("no permission to poll", Fault::status(403, "AuthorizationFailed").on("GET", POLL).skip(3).times(9)),
        ("half of everything fails", Fault::status(500, "InternalServerError").on("GET", "").probability(0.5)),
    ] {
        let (_, journal, stage) = survives([fault]).await;
        assert_eq!(stage.world.effects().restore_posts_received, 1, "{what}");
        assert!(!journal.notes().is_empty(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_operation_is_found_in_the_service() {
    let (_, journal, _) = survives([Fault::new(Act::LoseOperation).on("GET", POLL).skip(3)]).await;
    assert!(journal.notes().contains("watching the service itself"), "{}", journal.notes());
}

#[tokio::test(start_paused = true)]
async fn a_locked_service_is_waited_for_and_then_asked_again() {
    let (_, journal, stage) = survives([Fault::status(409, "ServiceLocked").on("POST", "/restore").times(2)]).await;
    assert_eq!(stage.world.effects().restore_posts_received, 3);
    let locked: Vec<Value> = journal.intents().iter().map(|intent| intent.before["locked"].clone()).collect();
    assert_eq!(locked, [false, true, false, true, false], "between two requests the journal says that none is out");
}

#[tokio::test(start_paused = true)]
async fn a_refused_request_is_never_taken_for_a_restore_that_goes_on() {
    let stage = Stage::with([Fault::status(409, "ServiceLocked").on("POST", "/restore").times(1)]);
    let arguments = arguments(&stage).await;
    let (done, journal) = stage.perform(RESTORE, arguments.clone()).await;
    done.unwrap();
    let refused = journal.intents().into_iter().find(|intent| intent.before["locked"] == true).unwrap();
    // The service has been restored since, by another request: this one's intent does not tell so.
    let verdict = stage.settle(RESTORE, arguments, Some(&refused), None).await;
    assert!(matches!(verdict, Verdict::Unknown { .. }), "{verdict:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_arrives_twice_and_is_answered_by_a_lock_is_never_sent_again() {
    let stage = Stage::with([Fault::new(Act::Twice(Twice::Second)).on("POST", "/restore").times(1)]);
    let arguments = arguments(&stage).await;
    let (done, journal) = stage.perform(RESTORE, arguments.clone()).await;
    let error = done.unwrap_err();
    assert_eq!((error.code.as_str(), error.disposition), ("restore-in-doubt", Disposition::InDoubt), "{error:?}");
    assert!(error.message.contains("asked for twice on the way"), "{}", error.message);
    assert_eq!(stage.world.effects().restores_completed, 1);
    let last = journal.intents().pop().unwrap();
    let verdict = stage.settle(RESTORE, arguments, Some(&last), None).await;
    let Verdict::Unknown { remedy, .. } = verdict else { panic!("{verdict:?}") };
    assert!(remedy.contains("activity log") && remedy.contains("`lifeboat settle`"), "{remedy}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_was_locked_and_is_busy_is_not_followed_as_if_it_were_the_restore() {
    let stage = Stage::with([Fault::new(Act::Twice(Twice::Second)).on("POST", "/restore").times(1)]);
    let arguments = arguments(&stage).await;
    // The process that waits for it dies after five minutes.
    let (record, journal) = recorder();
    let step = call(arguments.clone());
    tokio::select! {
        _ = action::perform(RESTORE, &step, &stage.context, &record) => panic!("45 minutes have not passed"),
        () = stage.pass(5) => {}
    }
    let last = journal.intents().pop().unwrap();
    assert_eq!(last.before["locked"], true);
    let verdict = stage.settle(RESTORE, arguments, Some(&last), None).await;
    let Verdict::Unknown { reason, .. } = verdict else { panic!("{verdict:?}") };
    assert!(reason.contains("is busy (state"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_busy_service_is_waited_for_before_anything_is_sent() {
    let stage = Stage::new(Scenario::default());
    let arguments = arguments(&stage).await;
    let (first, second) = tokio::join!(stage.perform(RESTORE, arguments.clone()), async {
        stage.pass(5).await;
        stage.perform(RESTORE, arguments.clone()).await
    });
    first.0.unwrap();
    second.0.unwrap();
    assert!(second.1.notes().contains("is busy (state"), "{}", second.1.notes());
    assert_eq!(stage.world.effects().restore_posts_received, 2, "the second waited and was never refused");
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_in_doubt_and_the_service_tells() {
    // Before Azure took it: the service stays as it was, so it may be sent again.
    let (error, journal, stage) = fails([Fault::new(Act::Reset(Moment::Before)).on("POST", "/restore").times(1)]).await;
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::InDoubt, "restore-in-doubt"));
    let arguments = arguments(&stage).await;
    let intent = journal.intents().pop().unwrap();
    let verdict = stage.settle(RESTORE, arguments.clone(), Some(&intent), None).await;
    assert!(matches!(verdict, Verdict::DidNotHappen { .. }), "{verdict:?}");
    stage.perform(RESTORE, arguments).await.0.unwrap();
    assert_eq!(stage.world.effects().restores_accepted, 1);

    // After: it goes on, is followed, and is never sent again.
    for fault in [
        Fault::new(Act::Reset(Moment::After)).on("POST", "/restore").times(1),
        Fault::new(Act::Status(Status {
            code: 500,
            error_code: Some("InternalServerError".to_owned()),
            message: None,
            retry_after: None,
            acted: true,
        }))
        .on("POST", "/restore")
        .times(1),
        Fault::new(Act::Hang(Duration::from_mins(5))).on("POST", "/restore").times(1),
    ] {
        let (error, journal, stage) = fails([fault]).await;
        assert_eq!((error.disposition, error.code.as_str()), (Disposition::InDoubt, "restore-in-doubt"));
        let arguments = super::restore::arguments(&stage).await;
        let intent = journal.intents().pop().unwrap();
        let verdict = stage.settle(RESTORE, arguments.clone(), Some(&intent), None).await;
        assert_eq!(verdict, Verdict::GoesOn { operation: None });
        let (done, followed) = stage.follow(RESTORE, arguments, None, &intent).await;
        let done = done.unwrap();
        assert_eq!(done.outputs["operation"], Value::Null);
        assert_eq!(followed.operations().len(), 1, "that it was seen busy is kept");
        assert_eq!(stage.world.effects().restore_posts_received, 1);
        assert!(is_restored(&stage));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_to_go_on_is_known_to_have_happened_later() {
    let (_, journal, stage) = fails([Fault::new(Act::Reset(Moment::After)).on("POST", "/restore").times(1)]).await;
    let arguments = arguments(&stage).await;
    let intent = journal.intents().pop().unwrap();
    // The process that follows dies after a minute.
    let (record, followed) = recorder();
    let step = call(arguments.clone());
    tokio::select! {
        _ = action::follow(RESTORE, &step, &stage.context, None, &intent, &record) => panic!("45 minutes have not passed"),
        () = stage.pass(1) => {}
    }
    let kept = followed.operations().pop().unwrap();
    stage.pass(60).await;
    let verdict = stage.settle(RESTORE, arguments.clone(), Some(&intent), Some(&kept)).await;
    assert!(matches!(verdict, Verdict::Happened { .. }), "{verdict:?}");
    // Without that, a changed service is no proof: somebody else may have changed it.
    let verdict = stage.settle(RESTORE, arguments, Some(&intent), None).await;
    let Verdict::Unknown { remedy, .. } = verdict else { panic!("{verdict:?}") };
    assert!(remedy.contains("activity log"));
}

#[tokio::test(start_paused = true)]
async fn an_operation_is_settled_by_looking_at_it() {
    let stage = Stage::new(Scenario::default());
    let arguments = arguments(&stage).await;
    let (record, journal) = recorder();
    let step = call(arguments.clone());
    tokio::select! {
        _ = action::perform(RESTORE, &step, &stage.context, &record) => panic!("45 minutes have not passed"),
        () = stage.pass(10) => {}
    }
    let (intent, operation) = (journal.intents().pop().unwrap(), journal.operations().pop().unwrap());
    let settle = || stage.settle(RESTORE, arguments.clone(), Some(&intent), Some(&operation));
    assert_eq!(settle().await, Verdict::GoesOn { operation: Some(operation.clone()) });
    let (done, _) = stage.follow(RESTORE, arguments.clone(), Some(operation.clone()), &intent).await;
    assert_eq!(done.unwrap().outputs["operation"], json!(operation.url));
    assert!(matches!(settle().await, Verdict::Happened { .. }));
    assert_eq!(stage.world.effects().restore_posts_received, 1);
}

#[tokio::test(start_paused = true)]
async fn settling_says_unknown_when_azure_cannot_be_read() {
    let (_, journal, stage) = fails([
        Fault::new(Act::Reset(Moment::Before)).on("POST", "/restore").times(1),
        Fault::status(503, "ServiceUnavailable").between(Duration::from_mins(1), None),
    ])
    .await;
    stage.pass(2).await;
    let intent = journal.intents().pop().unwrap();
    let arguments = json!({
        "service": standby(), "access": "system-assigned-identity",
        "backup": { "account": "stcontosodr", "container": "apim-backups", "name": "x" },
    });
    let verdict = stage.settle(RESTORE, arguments.clone(), Some(&intent), None).await;
    let Verdict::Unknown { reason, remedy } = verdict else { panic!("{verdict:?}") };
    assert!(reason.contains("cannot be read") && !remedy.is_empty());
    let verdict = stage.settle(RESTORE, arguments, None, None).await;
    assert!(matches!(verdict, Verdict::DidNotHappen { .. }), "nothing was intended");
}

#[tokio::test(start_paused = true)]
async fn a_failed_operation_says_why_in_words_that_help() {
    for (code, message, known) in [
        ("RestoreFailed", "Cannot restore: backup expired", "backup-expired"),
        ("RestoreFailed", "Cannot restore: current SKU is 'StandardV2', backup SKU is 'Standard'", "tier-mismatch"),
        (
            "InvalidParameters",
            "Requested value 'GET,PUT' was not found. (Parameter 'backupStorageAccount')",
            "storage-cors",
        ),
        ("InternalError", "Something broke.", "restore-failed"),
    ] {
        let act = Act::FailOperation { code: code.to_owned(), message: message.to_owned() };
        let (error, journal, stage) = fails([Fault::new(act.clone()).on("POST", "/restore")]).await;
        assert_eq!((error.disposition, error.code.as_str()), (Disposition::Final, known));
        assert!(error.message.contains(message) && error.message.contains(code), "{}", error.message);
        assert!(!error.hint.is_empty());
        assert_eq!(error.details["azure_code"], code);
        let (intent, operation) = (journal.intents().pop().unwrap(), journal.operations().pop().unwrap());
        let arguments = arguments(&stage).await;
        let verdict = stage.settle(RESTORE, arguments, Some(&intent), Some(&operation)).await;
        let Verdict::Failed { error } = verdict else { panic!("{verdict:?}") };
        assert_eq!(error.code, known);
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_change_nothing_and_are_final() {
    for (status, azure, known, hint) in [
        (400, "InvalidParameters", "restore-failed", "Azure's message"),
        (403, "AuthorizationFailed", "forbidden", ""),
        (409, "ScopeLocked", "resource-locked", "lock"),
        (404, "ResourceNotFound", "not-found", ""),
    ] {
        let (error, _, stage) = fails([Fault::status(status, azure).on("POST", "/restore")]).await;
        assert_eq!((error.disposition, error.code.as_str()), (Disposition::Final, known), "{azure}");
        assert!(error.hint.contains(hint) && !error.hint.is_empty(), "{azure}: {}", error.hint);
        assert_eq!(stage.world.effects().restores_accepted, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_moved_since_the_plan_is_seen_before_anything_is_sent() {
    let stage = Stage::new(Scenario::default());
    let good = arguments(&stage).await;
    let mut gone = good.clone();
    gone["backup"]["name"] = json!("apim-contoso-west-20261122T020000Z.gone");
    let mut old = good.clone();
    old["backup"]["created"] = json!("2026-10-20T00:00:00Z");
    let mut empty = good.clone();
    empty["backup"]["name"] = json!("apim-contoso-west-20261123T010000Z.apimbackup");
    for (arguments, code) in [(gone, "backup-missing"), (old, "backup-expired"), (empty, "backup-unusable")] {
        let probe = stage.probe(RESTORE, arguments.clone()).await.unwrap();
        assert_eq!(codes(&probe, Severity::Blocker), [code]);
        let error = stage.perform(RESTORE, arguments).await.0.unwrap_err();
        assert_eq!((error.disposition, error.code.as_str()), (Disposition::Final, code));
    }
    let mut keyless = good.clone();
    keyless["access"] = json!("access-key");
    keyless["access_key"] = json!({ "env": "NOT_SET" });
    let probe = stage.probe(RESTORE, keyless.clone()).await.unwrap();
    assert_eq!(codes(&probe, Severity::Warning), ["access-key-missing"]);
    assert_eq!(stage.perform(RESTORE, keyless).await.0.unwrap_err().code, "access-key-missing");
    let mut torn = good.clone();
    torn["access"] = json!("user-assigned-identity");
    assert_eq!(stage.perform(RESTORE, torn).await.0.unwrap_err().code, "invalid-arguments");
    assert!(stage.only_read());

    let mut scenario = Scenario::default();
    scenario.standby.identity = lifeboat::sim::scenario::Identity::None;
    scenario.standby.tier = "StandardV2".to_owned();
    let stage = Stage::new(scenario);
    let probe = stage.probe(RESTORE, good.clone()).await.unwrap();
    assert_eq!(codes(&probe, Severity::Blocker), ["tier-cannot-restore", "identity-missing"]);
    assert_eq!(stage.perform(RESTORE, good).await.0.unwrap_err().code, "tier-cannot-restore");
    assert!(stage.only_read());
}

#[tokio::test(start_paused = true)]
async fn the_plan_shows_the_request_with_the_key_masked() {
    let stage = Stage::new(Scenario::default());
    let mut arguments = arguments(&stage).await;
    arguments["access"] = json!("access-key");
    let probe = stage.probe(RESTORE, arguments).await.unwrap();
    let body = probe.requests[0].body.as_ref().unwrap();
    assert_eq!(body["accessKey"], "***");
    assert_eq!(probe.targets, [standby().to_lowercase()]);
    assert!(probe.verified && stage.only_read());
}

/// A name that leads to the standby although the plan did not see that: nothing is sent.
#[tokio::test(start_paused = true)]
async fn a_service_that_went_live_since_the_plan_is_left_alone() {
    let live = || {
        let mut scenario = Scenario::default();
        NEW_TARGET.to_uppercase().clone_into(&mut scenario.zone.records.get_mut("api").unwrap().target);
        Stage::new(scenario)
    };
    let stage = Stage::with([]);
    let planned = stage.probe(RESTORE, arguments(&stage).await).await.unwrap().facts;
    let stage = live();
    let given = arguments(&stage).await;
    let (done, journal) = stage.perform_planned(RESTORE, given.clone(), planned.clone()).await;
    let error = done.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Refused, "restore-over-live"));
    assert!(error.message.contains("apim-contoso-east serves api.contoso.com"), "{}", error.message);
    assert!(journal.intents().is_empty() && stage.only_read());

    // The plan knew of it, and somebody let it go on.
    let known = stage.probe(RESTORE, given.clone()).await.unwrap().facts;
    let (done, _) = stage.perform_planned(RESTORE, given.clone(), known).await;
    done.unwrap();

    let stage = live();
    let (record, journal) = recorder();
    let by = crate::transitions::person("ann");
    let forced = Some(lifeboat::plan::Forced { by, reason: "it holds nothing".to_owned() });
    let call = Call { planned, forced, ..call(given) };
    action::perform(RESTORE, &call, &stage.context, &record).await.unwrap();
    assert!(journal.notes().contains("forced by ann@here: \"it holds nothing\""), "{}", journal.notes());
}

#[tokio::test(start_paused = true)]
async fn resolvers_that_say_nothing_stop_no_restore() {
    let silent = |server: &str| {
        Fault::new(Act::DnsServer(lifeboat::sim::DnsTrouble { server: server.to_owned(), lag: None, down: true }))
    };
    let (_, journal, stage) = survives(Scenario::default().dns.name_servers.iter().map(|name| silent(name))).await;
    assert!(journal.notes().contains("not known whether apim-contoso-east serves api"), "{}", journal.notes());
    let probe = stage.probe(RESTORE, arguments(&stage).await).await.unwrap();
    assert!(probe.findings.iter().any(|it| it.code == "serving-unverified" && it.severity == Severity::Warning));
}

/// What another machine's clock says of when it was sent shortens nothing, and nobody waits for it.
#[tokio::test(start_paused = true)]
async fn what_another_process_sent_is_watched_for_the_whole_window() {
    for (minutes, another, seconds) in [(-180, true, 120), (180, true, 120), (-180, false, 15)] {
        let (_, journal, mut stage) =
            fails([Fault::new(Act::Reset(Moment::Before)).on("POST", "/restore").times(1)]).await;
        stage.context = stage.context.clone().after_another(another);
        let mut intent = journal.intents().pop().unwrap();
        let sent = stage.context.clock.now() + jiff::SignedDuration::from_mins(minutes);
        intent.before["sent_at"] = json!(sent);
        let arguments = arguments(&stage).await;
        let begin = stage.context.clock.now();
        let verdict = stage.settle(RESTORE, arguments, Some(&intent), None).await;
        assert!(matches!(verdict, Verdict::DidNotHappen { .. }), "{verdict:?}");
        let took = stage.context.clock.now().duration_since(begin).as_secs();
        assert!((seconds..seconds + 15).contains(&took), "{took} s, sent {minutes} min from now");
    }
}
