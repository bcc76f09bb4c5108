//! `traffic-manager.set-endpoints` and `front-door.set-origin`: one after the other, never over a change that was not
//! seen, never twice, and back again.

use lifeboat::{
    net::{RecordData, RecordKind},
    run::Disposition,
    sim::{Act, Fault, MemberChange, Moment, Status, pools::Setting},
};

use super::*;

const ENDPOINTS: ActionKind = ActionKind::SetEndpoints;
const ORIGIN: ActionKind = ActionKind::SetOrigin;

/// East on, then west off.
fn endpoints() -> Value {
    json!({
        "profile": traffic_manager(),
        "endpoints": [
            { "name": "east", "type": "external", "status": "enabled" },
            { "name": "West", "type": "external", "status": "disabled", "weight": 10 },
        ],
    })
}

fn origins() -> Value {
    json!({
        "profile": front_door(),
        "origin_group": "apim",
        "origins": [{ "name": "east", "enabled": true, "priority": 1 }, { "name": "west", "enabled": false }],
    })
}

fn both() -> [(ActionKind, Value); 2] {
    [(ENDPOINTS, endpoints()), (ORIGIN, origins())]
}

fn member(stage: &Stage, kind: ActionKind, name: &str) -> Setting {
    let found = match kind {
        ENDPOINTS => stage.world.endpoint("tm-contoso-api", name),
        _ => stage.world.origin("afd-contoso", name),
    };
    found.unwrap()
}

fn enabled(stage: &Stage, kind: ActionKind) -> (bool, bool) {
    (member(stage, kind, "east").enabled, member(stage, kind, "west").enabled)
}

/// Requests that Azure took, and all of them.
fn patches(stage: &Stage, kind: ActionKind) -> (u32, u32) {
    let effects = stage.world.effects();
    match kind {
        ENDPOINTS => (effects.endpoint_patches_accepted, effects.endpoint_patches_received),
        _ => (effects.origin_patches_accepted, effects.origin_patches_received),
    }
}

fn path(kind: ActionKind, name: &str) -> String {
    format!("{}/{name}?", if kind == ENDPOINTS { "ExternalEndpoints" } else { "origins" })
}

fn change(name: &str) -> MemberChange {
    MemberChange { member: name.to_owned(), weight: Some(7), ..MemberChange::default() }
}

async fn asked(stage: &Stage) -> Option<String> {
    let server = stage.world.panel()[0];
    let answer = stage.context.dns.ask(server, "tm-contoso-api.trafficmanager.net", RecordKind::A, true).await.unwrap();
    answer.records.iter().find_map(|record| match &record.data {
        RecordData::Cname(target) => Some(target.clone()),
        RecordData::Address(_) | RecordData::Ns(_) | RecordData::Other(_) => None,
    })
}

#[tokio::test(start_paused = true)]
async fn endpoints_are_set_in_the_given_order_and_traffic_follows() {
    let stage = Stage::new(Scenario::default());
    assert_eq!(asked(&stage).await.as_deref(), Some(OLD_TARGET), "all fail, so it answers as if none did");
    let probe = stage.probe(ENDPOINTS, endpoints()).await.unwrap();
    assert_eq!(
        probe.summary,
        "tm-contoso-api.trafficmanager.net: `east` disabled → enabled; then `West` enabled → disabled, weight 1000 → 10"
    );
    assert_eq!(*fact(&probe, "endpoint.east"), json!({ "enabled": false, "priority": 2, "weight": 1000 }));
    let bodies: Vec<&Value> = probe.requests.iter().map(|request| request.body.as_ref().unwrap()).collect();
    assert_eq!(bodies[0], &json!({ "properties": { "endpointStatus": "Enabled" } }));
    assert_eq!(bodies[1], &json!({ "properties": { "endpointStatus": "Disabled", "weight": 10 } }));
    assert!(probe.requests[0].url.contains("/ExternalEndpoints/east?api-version=2022-04-01"));
    assert_eq!(probe.targets, [traffic_manager().to_ascii_lowercase()]);
    assert!(stage.only_read());

    let (done, journal) = stage.perform_planned(ENDPOINTS, endpoints(), probe.facts).await;
    let done = done.unwrap();
    assert_eq!(done.outputs["hostname"], "tm-contoso-api.trafficmanager.net");
    assert_eq!(done.outputs["endpoints"][0], json!({ "name": "east", "enabled": true, "priority": 2, "weight": 1000 }));
    assert_eq!(done.outputs["previous"][1], json!({ "name": "West", "enabled": true, "priority": 1, "weight": 1000 }));
    assert_eq!(enabled(&stage, ENDPOINTS), (true, false));
    assert_eq!(asked(&stage).await.as_deref(), Some(NEW_TARGET));
    let urls: Vec<String> = journal.intents().iter().map(|intent| intent.request.url.clone()).collect();
    assert!(urls[0].contains("/east?") && urls[1].contains("/West?"), "{urls:?}");
    assert_eq!(patches(&stage, ENDPOINTS), (2, 2));
    for name in ENDPOINTS.entry().outputs {
        assert!(done.outputs.contains_key(name.name), "{}", name.name);
    }

    let (undone, journal) = stage.undo(ENDPOINTS, endpoints(), &done.outputs).await;
    undone.unwrap();
    let urls: Vec<String> = journal.intents().iter().map(|intent| intent.request.url.clone()).collect();
    assert!(urls[0].contains("/West?") && urls[1].contains("/east?"), "{urls:?}");
    assert_eq!(enabled(&stage, ENDPOINTS), (false, true));
    assert_eq!(member(&stage, ENDPOINTS, "west").weight, 1000);
    stage.undo(ENDPOINTS, endpoints(), &done.outputs).await.0.unwrap();
    assert_eq!(patches(&stage, ENDPOINTS), (4, 4), "the second time nothing was left to do");
}

#[tokio::test(start_paused = true)]
async fn origins_are_followed_through_their_operations() {
    let stage = Stage::new(Scenario::default());
    let probe = stage.probe(ORIGIN, origins()).await.unwrap();
    assert_eq!(
        probe.summary,
        "the origin group `apim` of afd-contoso: `east` disabled → enabled, priority 2 → 1; then `west` enabled → disabled"
    );
    assert_eq!(probe.findings, [], "origins may share a priority");
    let before = stage.context.clock.now();
    let (done, journal) = stage.perform_planned(ORIGIN, origins(), probe.facts).await;
    let done = done.unwrap();
    let entries: Vec<&str> = journal
        .entries()
        .iter()
        .filter_map(|entry| match entry {
            Entry::Intent(_) => Some("intent"),
            Entry::Accepted(operation) => {
                assert!(operation.url.contains("/operationresults/"), "{}", operation.url);
                Some("accepted")
            }
            Entry::Note(_) => None,
        })
        .collect();
    assert_eq!(entries, ["intent", "accepted", "intent", "accepted"], "one after the other");
    let took = stage.context.clock.now().duration_since(before).as_secs();
    assert!((180..240).contains(&took), "{took} s for two changes of 90 s");
    assert_eq!(enabled(&stage, ORIGIN), (true, false));
    assert_eq!(done.outputs["origins"][0], json!({ "name": "east", "enabled": true, "priority": 1, "weight": 1000 }));
    for name in ORIGIN.entry().outputs {
        assert!(done.outputs.contains_key(name.name), "{}", name.name);
    }
    stage.undo(ORIGIN, origins(), &done.outputs).await.0.unwrap();
    assert_eq!(enabled(&stage, ORIGIN), (false, true));
    assert_eq!(member(&stage, ORIGIN, "east").priority, Some(2));

    // A profile whose changes are done at once.
    let mut scenario = Scenario::default();
    scenario.front_door.update_duration = Duration::ZERO;
    let stage = Stage::new(scenario);
    let (done, journal) = stage.perform(ORIGIN, origins()).await;
    done.unwrap();
    assert!(journal.operations().is_empty());
    assert_eq!(enabled(&stage, ORIGIN), (true, false));
}

#[tokio::test(start_paused = true)]
async fn what_is_so_already_is_not_sent() {
    for (kind, arguments) in both() {
        let stage = Stage::new(Scenario::default());
        let first = stage.perform(kind, arguments.clone()).await.0.unwrap();
        let (again, journal) = stage.perform(kind, arguments.clone()).await;
        assert_eq!(
            again.unwrap().outputs["previous"],
            first.outputs[if kind == ENDPOINTS { "endpoints" } else { "origins" }]
        );
        assert!(journal.intents().is_empty());
        assert_eq!(patches(&stage, kind), (2, 2));
        let probe = stage.probe(kind, arguments).await.unwrap();
        assert_eq!(probe.requests, []);
        assert!(probe.summary.starts_with("leaves "), "{}", probe.summary);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_looked_for_and_nothing_is_set_twice() {
    let acted = |code| {
        Act::Status(Status { code, error_code: Some("x".to_owned()), message: None, retry_after: None, acted: true })
    };
    for (kind, arguments) in both() {
        for act in [Act::Reset(Moment::After), acted(500), acted(503)] {
            let stage = Stage::with([Fault::new(act.clone()).on("PATCH", &path(kind, "east")).times(1)]);
            let (done, _) = stage.perform(kind, arguments.clone()).await;
            done.unwrap_or_else(|error| panic!("{kind} {act:?}: {error}"));
            assert_eq!(patches(&stage, kind), (2, 2), "{kind} {act:?}");
            assert_eq!(enabled(&stage, kind), (true, false));
        }
        // Azure never saw it: in doubt, until the profile has been read.
        let stage = Stage::with([Fault::new(Act::Reset(Moment::Before)).on("PATCH", &path(kind, "west")).times(1)]);
        let (done, journal) = stage.perform(kind, arguments.clone()).await;
        let error = done.unwrap_err();
        assert_eq!((error.disposition, error.code.as_str()), (Disposition::InDoubt, "switch-in-doubt"));
        assert_eq!((&error.details["set"], error.details["not_set"][0].as_str().unwrap().len()), (&json!(["east"]), 4));
        let intent = journal.intents().pop().unwrap();
        let verdict = stage.settle(kind, arguments.clone(), Some(&intent), None).await;
        let Verdict::DidNotHappen { reason } = verdict else { panic!("{verdict:?}") };
        assert!(reason.starts_with("set: `east`; not set: `"), "{reason}");
        // The next attempt sends only what is missing, and still knows what the first one had found.
        let (record, _) = recorder();
        let call = Call { earlier: Some(Arc::new(intent)), ..call(arguments.clone()) };
        let done = action::perform(kind, &call, &stage.context, &record).await.unwrap();
        assert_eq!(done.outputs["previous"][0]["enabled"], false, "{kind}");
        assert_eq!(patches(&stage, kind), (2, 3), "{kind}");
        stage.undo(kind, arguments, &done.outputs).await.0.unwrap();
        assert_eq!(enabled(&stage, kind), (false, true), "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_azure_refuses_says_which_members_are_set() {
    for (kind, arguments) in both() {
        for (code, name, disposition) in [
            (400, "BadRequest", Disposition::Final),
            (403, "AuthorizationFailed", Disposition::Final),
            (409, "Conflict", Disposition::Final),
            (412, "PreconditionFailed", Disposition::Refused),
        ] {
            let stage = Stage::with([Fault::status(code, name).on("PATCH", &path(kind, "west")).times(1)]);
            let error = stage.perform(kind, arguments.clone()).await.0.unwrap_err();
            assert_eq!(error.disposition, disposition, "{kind} {code}: {error}");
            assert!(error.message.contains("; set: `east`; not set: `"), "{}", error.message);
            assert!(!error.hint.is_empty());
            assert_eq!(enabled(&stage, kind), (true, true), "{kind}: never none");
        }
        // Throttling had no effect: it is waited for.
        let stage = Stage::with([Fault::status(429, "TooManyRequests").on("PATCH", &path(kind, "west")).times(2)]);
        stage.perform(kind, arguments).await.0.unwrap();
        assert_eq!(patches(&stage, kind), (2, 4), "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_changed_since_the_plan_is_left_alone() {
    for (kind, arguments) in both() {
        let read = if kind == ENDPOINTS { "/tm-contoso-api?" } else { "/origins?" };
        // Between the plan and the run.
        let stage = Stage::with([Fault::new(Act::ChangeMember(change("west"))).on("GET", read).skip(1).times(1)]);
        let facts = stage.probe(kind, arguments.clone()).await.unwrap().facts;
        let error = stage.perform_planned(kind, arguments.clone(), facts).await.0.unwrap_err();
        assert_eq!(error.disposition, Disposition::Refused, "{error}");
        assert!(error.code.ends_with("-changed"), "{}", error.code);
        assert!(error.message.contains("weight 7, and was enabled, priority 1, weight 1000"), "{}", error.message);
        assert_eq!(patches(&stage, kind), (0, 0));

        // In the middle: the first is set, the second is somebody else's now.
        let stage = Stage::with([Fault::new(Act::ChangeMember(change("west"))).on("GET", read).skip(2).times(1)]);
        let facts = stage.probe(kind, arguments.clone()).await.unwrap().facts;
        let error = stage.perform_planned(kind, arguments, facts).await.0.unwrap_err();
        assert_eq!(error.disposition, Disposition::Refused, "{error}");
        if kind == ENDPOINTS {
            assert!(error.message.contains("; set: `east`; not set: `West`"), "{}", error.message);
            assert_eq!(patches(&stage, kind), (1, 1));
        }
        assert_eq!(member(&stage, kind, "west").weight, 7);
    }
}

#[tokio::test(start_paused = true)]
async fn undo_leaves_alone_what_somebody_else_has_changed() {
    for (kind, arguments) in both() {
        let stage = Stage::new(Scenario::default());
        let done = stage.perform(kind, arguments.clone()).await.0.unwrap();
        let read = if kind == ENDPOINTS { "/tm-contoso-api?" } else { "/origins?" };
        let scenario = Scenario {
            faults: vec![Fault::new(Act::ChangeMember(change("east"))).on("GET", read)],
            ..Scenario::default()
        };
        let other = Stage::new(scenario);
        let error = other.undo(kind, arguments.clone(), &done.outputs).await.0.unwrap_err();
        assert_eq!(error.disposition, Disposition::Refused, "{error}");
        assert!(error.message.contains("is no longer as this run left it"), "{}", error.message);
        assert_eq!(patches(&other, kind), (0, 0));
        let error = stage.undo(kind, arguments.clone(), &Map::new()).await.0.unwrap_err();
        assert_eq!(error.code, "previous-unknown");

        // An answer that is lost on the way back.
        let lost = Fault::new(Act::Reset(Moment::After)).on("PATCH", &path(kind, "east")).skip(1).times(1);
        let stage = Stage::with([lost]);
        let done = stage.perform(kind, arguments.clone()).await.0.unwrap();
        stage.undo(kind, arguments, &done.outputs).await.0.unwrap();
        assert_eq!(enabled(&stage, kind), (false, true));
        assert_eq!(patches(&stage, kind), (4, 4));
    }
}

#[tokio::test(start_paused = true)]
async fn settling_reads_what_is_there() {
    for (kind, arguments) in both() {
        let stage = Stage::new(Scenario::default());
        let verdict = stage.settle(kind, arguments.clone(), None, None).await;
        assert!(matches!(verdict, Verdict::DidNotHappen { .. }), "{verdict:?}");
        let (done, journal) = stage.perform(kind, arguments.clone()).await;
        let intent = journal.intents().pop().unwrap();
        let verdict = stage.settle(kind, arguments.clone(), Some(&intent), None).await;
        assert_eq!(verdict, Verdict::Happened { outputs: done.unwrap().outputs });
        let read = if kind == ENDPOINTS { "/tm-contoso-api?" } else { "/origins?" };
        let other = Stage::with([Fault::new(Act::ChangeMember(change("east"))).on("GET", read)]);
        let verdict = other.settle(kind, arguments.clone(), Some(&intent), None).await;
        assert!(matches!(verdict, Verdict::Unknown { .. }), "{verdict:?}");
        let down = Stage::with([Fault::status(403, "AuthorizationFailed").on("GET", read)]);
        let verdict = down.settle(kind, arguments, Some(&intent), None).await;
        assert!(matches!(verdict, Verdict::Unknown { .. }), "{verdict:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_fails_is_told_in_azures_words() {
    let fails = Act::FailOperation { code: "OriginHealth".to_owned(), message: "The origin is not valid.".to_owned() };
    let stage = Stage::with([Fault::new(fails).on("PATCH", &path(ORIGIN, "west"))]);
    let (done, journal) = stage.perform(ORIGIN, origins()).await;
    let error = done.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Final, "change-failed"));
    assert!(
        error.message.contains("origin `west` failed: OriginHealth: The origin is not valid."),
        "{}",
        error.message
    );
    assert_eq!((&error.details["set"], &error.details["not_set"]), (&json!(["east"]), &json!(["west"])));
    let intent = journal.intents().pop().unwrap();
    let operation = journal.operations().pop().unwrap();
    let verdict = stage.settle(ORIGIN, origins(), Some(&intent), Some(&operation)).await;
    assert!(matches!(&verdict, Verdict::Failed { error } if error.code == "change-failed"), "{verdict:?}");
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_cannot_be_watched_is_seen_on_the_origin() {
    for act in [
        Act::LoseOperation,
        Act::Status(Status { code: 403, error_code: None, message: None, retry_after: None, acted: false }),
    ] {
        let fault = match act {
            Act::LoseOperation => Fault::new(act).on("PATCH", "/origins/"),
            _ => Fault::new(act).on("GET", "/operationresults/"),
        };
        let stage = Stage::with([fault]);
        stage.perform(ORIGIN, origins()).await.0.unwrap();
        assert_eq!(enabled(&stage, ORIGIN), (true, false));
        assert_eq!(patches(&stage, ORIGIN), (2, 2));
    }
}

/// Somebody else takes the run up while the first operation goes on.
#[tokio::test(start_paused = true)]
async fn an_operation_that_goes_on_is_followed_and_the_rest_is_set_after_it() {
    let stage = Stage::new(Scenario::default());
    let (record, journal) = recorder();
    let step = call(origins());
    tokio::select! {
        _ = action::perform(ORIGIN, &step, &stage.context, &record) => panic!("it takes three minutes"),
        () = stage.context.clock.sleep(Duration::from_secs(30)) => {}
    }
    let intent = journal.intents().pop().unwrap();
    let operation = journal.operations().pop().unwrap();
    let verdict = stage.settle(ORIGIN, origins(), Some(&intent), Some(&operation)).await;
    assert_eq!(verdict, Verdict::GoesOn { operation: Some(operation.clone()) });
    // The journal had not got to the operation: the origin itself tells.
    let verdict = stage.settle(ORIGIN, origins(), Some(&intent), None).await;
    assert_eq!(verdict, Verdict::GoesOn { operation: None });
    let error = stage.follow(ORIGIN, origins(), Some(operation), &intent).await.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::InDoubt, "others-remain"));
    assert_eq!(patches(&stage, ORIGIN), (1, 1), "following sends nothing");
    let verdict = stage.settle(ORIGIN, origins(), Some(&intent), None).await;
    assert!(matches!(verdict, Verdict::DidNotHappen { .. }), "{verdict:?}");
    let call = Call { earlier: Some(Arc::new(intent)), ..step };
    let done = action::perform(ORIGIN, &call, &stage.context, &record).await.unwrap();
    assert_eq!(done.outputs["previous"][0]["enabled"], false);
    assert_eq!(patches(&stage, ORIGIN), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_change_of_somebody_else_that_goes_on_is_waited_for() {
    let stage = Stage::new(Scenario::default());
    let one =
        json!({ "profile": front_door(), "origin_group": "apim", "origins": [{ "name": "east", "enabled": true }] });
    let (record, _) = recorder();
    let one = call(one);
    tokio::select! {
        _ = action::perform(ORIGIN, &one, &stage.context, &record) => panic!("it takes 90 s"),
        () = stage.context.clock.sleep(Duration::from_secs(30)) => {}
    }
    let (done, journal) = stage.perform(ORIGIN, origins()).await;
    done.unwrap();
    assert!(journal.notes().contains("a change of the origin `east` goes on in Azure"), "{}", journal.notes());
    assert_eq!(enabled(&stage, ORIGIN), (true, false));
}

/// Findings of a plan that names these endpoints, in a world that is not in trouble.
async fn findings(endpoints: Value) -> Vec<(Severity, String)> {
    let stage = Stage::new(Scenario::alive());
    let arguments = json!({ "profile": traffic_manager(), "endpoints": endpoints });
    let probe = stage.probe(ENDPOINTS, arguments.clone()).await.unwrap();
    assert!(probe.findings.iter().all(|finding| !finding.remedy.is_empty()));
    let blocker = probe.findings.iter().find(|finding| finding.severity == Severity::Blocker);
    // Whatever blocks the plan is refused by the step, too.
    if let Some(blocker) = blocker {
        let error = stage.perform(ENDPOINTS, arguments).await.0.unwrap_err();
        assert_eq!((error.disposition, error.code.as_str()), (Disposition::Refused, blocker.code.as_str()));
    }
    assert!(stage.only_read());
    probe.findings.into_iter().map(|finding| (finding.severity, finding.code)).collect()
}

#[tokio::test(start_paused = true)]
async fn the_plan_says_where_traffic_would_have_nowhere_to_go() {
    use Severity::{Blocker, Note, Warning};
    let east = |more: Value| merged(json!({ "name": "east", "type": "external" }), &more);
    let west = |more: Value| merged(json!({ "name": "west", "type": "external" }), &more);
    let on = || json!({ "status": "enabled" });
    let off = || json!({ "status": "disabled" });
    for (endpoints, wanted) in [
        (json!([east(on()), west(off())]), vec![(Note, "endpoint-unprobed")]),
        (json!([west(off()), east(on())]), vec![(Warning, "nothing-enabled-between"), (Note, "endpoint-unprobed")]),
        (json!([west(off())]), vec![(Blocker, "nothing-enabled")]),
        (json!([east(json!({ "priority": 1 }))]), vec![(Blocker, "priority-taken")]),
        // A free number first.
        (json!([west(json!({ "priority": 3 })), east(json!({ "priority": 1 }))]), vec![]),
        (json!([]), vec![(Blocker, "nothing-to-set")]),
        (json!([east(json!({}))]), vec![(Blocker, "nothing-to-set")]),
        (json!([east(on()), merged(east(off()), &json!({ "name": "EAST" }))]), vec![(Blocker, "named-twice")]),
        (json!([merged(east(on()), &json!({ "name": "north" }))]), vec![(Blocker, "endpoint-not-found")]),
        (json!([merged(east(on()), &json!({ "type": "azure" }))]), vec![(Blocker, "endpoint-type")]),
    ] {
        let found = findings(endpoints.clone()).await;
        let wanted: Vec<(Severity, String)> = wanted.into_iter().map(|(of, code)| (of, code.to_owned())).collect();
        assert_eq!(found, wanted, "{endpoints}");
    }
}

fn merged(mut value: Value, more: &Value) -> Value {
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value
}

#[tokio::test(start_paused = true)]
async fn the_plan_tells_what_the_probes_of_traffic_manager_say() {
    for (health, wanted) in
        [("Degraded", vec!["endpoint-unhealthy"]), ("CheckingEndpoint", vec!["endpoint-unhealthy"]), ("Online", vec![])]
    {
        let mut scenario = Scenario::alive();
        let profile = scenario.traffic_manager.profiles.get_mut("tm-contoso-api").unwrap();
        let east = profile.endpoints.get_mut("east").unwrap();
        (east.enabled, east.health) = (true, Some(health.to_owned()));
        let stage = Stage::new(scenario);
        let off = json!({ "profile": traffic_manager(), "endpoints": [{ "name": "west", "type": "external", "status": "disabled" }] });
        let probe = stage.probe(ENDPOINTS, off).await.unwrap();
        assert_eq!(codes(&probe, Severity::Warning), wanted, "{health}");
    }
    let mut scenario = Scenario::alive();
    scenario.traffic_manager.profiles.get_mut("tm-contoso-api").unwrap().enabled = false;
    let probe = Stage::new(scenario).probe(ENDPOINTS, endpoints()).await.unwrap();
    assert_eq!(codes(&probe, Severity::Warning), ["profile-disabled"]);
}

/// The simulator refuses what Azure refuses.
#[tokio::test(start_paused = true)]
async fn a_profile_that_is_not_there_and_a_group_that_is_not_there_block_the_plan() {
    let stage = Stage::new(Scenario::default());
    let mut arguments = endpoints();
    arguments["profile"] = json!(id("rg-traffic", "Microsoft.Network/trafficManagerProfiles", "absent"));
    assert_eq!(stage.probe(ENDPOINTS, arguments).await.unwrap_err().code, "profile-not-found");
    let mut arguments = origins();
    arguments["origin_group"] = json!("absent");
    let error = stage.probe(ORIGIN, arguments).await.unwrap_err();
    assert_eq!(error.code, "profile-not-found");
    assert!(error.hint.contains("origin group"), "{}", error.hint);
    let mut arguments = origins();
    arguments["origins"] = json!([{ "name": "west", "enabled": false }]);
    let probe = stage.probe(ORIGIN, arguments).await.unwrap();
    assert_eq!(codes(&probe, Severity::Blocker), ["nothing-enabled"]);
}

/// East alone, and what the journal has of its request, which left and got no answer.
async fn cut_off(stage: &Stage, kind: ActionKind) -> (Value, Intent) {
    let mut arguments = if kind == ENDPOINTS { endpoints() } else { origins() };
    let list = if kind == ENDPOINTS { "endpoints" } else { "origins" };
    arguments[list].as_array_mut().unwrap().truncate(1);
    let (record, journal) = recorder();
    let step = call(arguments.clone());
    tokio::select! {
        _ = action::perform(kind, &step, &stage.context, &record) => panic!("it reads for two minutes"),
        () = stage.context.clock.sleep(Duration::from_secs(20)) => {}
    }
    assert!(journal.notes().contains("nobody knows whether Azure took the change of the"), "{}", journal.notes());
    (arguments, journal.intents().pop().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_request_that_may_still_arrive_is_not_called_lost() {
    for kind in [ENDPOINTS, ORIGIN] {
        let lost = Fault::new(Act::Reset(Moment::Before)).on("PATCH", &path(kind, "east")).times(1);
        let stage = Stage::with([lost.clone()]);
        let began = stage.context.clock.now();
        let seconds = || stage.context.clock.now().duration_since(began).as_secs();
        let (arguments, mut intent) = cut_off(&stage, kind).await;
        let verdict = stage.settle(kind, arguments.clone(), Some(&intent), None).await;
        assert!(matches!(verdict, Verdict::DidNotHappen { .. }), "{kind}: {verdict:?}");
        assert!((120..150).contains(&seconds()), "{kind}: after {} s", seconds());
        let verdict = stage.settle(kind, arguments.clone(), Some(&intent), None).await;
        assert!(matches!(verdict, Verdict::DidNotHappen { .. }), "{kind}: {verdict:?}");
        assert!(seconds() < 150, "{kind}: long past, one look is enough");
        // A journal that does not say when.
        intent.before.as_object_mut().unwrap().remove("sent_at").unwrap();
        stage.settle(kind, arguments, Some(&intent), None).await;
        assert!(seconds() >= 240, "{kind}: after {} s", seconds());

        // It arrives a minute after it was sent.
        let read = if kind == ENDPOINTS { "/tm-contoso-api?" } else { "/origins?" };
        let priority = (kind == ORIGIN).then_some(1);
        let arrives = MemberChange { enabled: Some(true), priority, weight: None, ..change("east") };
        let stage = Stage::with([lost, Fault::new(Act::ChangeMember(arrives)).on("GET", read).skip(5).times(1)]);
        let (arguments, intent) = cut_off(&stage, kind).await;
        let verdict = stage.settle(kind, arguments, Some(&intent), None).await;
        assert!(matches!(verdict, Verdict::Happened { .. }), "{kind}: {verdict:?}");
    }
}

/// As of a restore: another machine's clock is not compared with.
#[tokio::test(start_paused = true)]
async fn a_switch_that_another_process_sent_is_watched_for_the_whole_window() {
    for (minutes, another, seconds) in [(-180, true, 120), (180, true, 120), (-180, false, 0)] {
        let mut stage =
            Stage::with([Fault::new(Act::Reset(Moment::Before)).on("PATCH", &path(ORIGIN, "west")).times(1)]);
        let (_, journal) = stage.perform(ORIGIN, origins()).await;
        stage.context = stage.context.clone().after_another(another);
        let mut intent = journal.intents().pop().unwrap();
        let begin = stage.context.clock.now();
        intent.before["sent_at"] = json!(begin + jiff::SignedDuration::from_mins(minutes));
        let verdict = stage.settle(ORIGIN, origins(), Some(&intent), None).await;
        assert!(matches!(verdict, Verdict::DidNotHappen { .. }), "{verdict:?}");
        let took = stage.context.clock.now().duration_since(begin).as_secs();
        assert!((seconds..seconds + 15).contains(&took), "{took} s, sent {minutes} min from now");
    }
}
