//! `gateway.health-check`: the production hostname at the standby's own address.

use std::collections::BTreeMap;

use lifeboat::{
    azure::Environment,
    run::Disposition,
    sim::{Act, Fault, GatewayFault, GatewayTrouble},
};

use super::*;

const HEALTH: ActionKind = ActionKind::GatewayHealth;

fn arguments() -> Value {
    json!({ "service": standby(), "hostname": "api.contoso.com" })
}

fn trouble(trouble: GatewayTrouble) -> Fault {
    Fault::new(Act::Gateway(GatewayFault { service: "apim-contoso-east".to_owned(), trouble }))
}

async fn restored(stage: &Stage) {
    let arguments =
        json!({ "service": standby(), "backup": newest_backup(stage).await, "access": "system-assigned-identity" });
    stage.perform(ActionKind::Restore, arguments).await.0.unwrap();
}

#[tokio::test(start_paused = true)]
async fn asks_so_often_in_a_row_and_tells_which_certificate_it_saw() {
    let stage = Stage::new(Scenario::default());
    let done = stage.perform(HEALTH, arguments()).await.0.unwrap();
    let asked = stage.world.requests().iter().filter(|request| request.url.contains("status-0123456789abcdef")).count();
    assert_eq!(asked, 3);
    assert!(stage.world.requests().iter().any(|request| request.url.starts_with("https://api.contoso.com/status-")));
    let thumbprint = done.outputs["thumbprint"].as_str().unwrap().to_owned();
    assert!(done.outputs["address"].as_str().unwrap().ends_with(":443"));
    assert!(done.outputs["certificate_expires"].is_string());
    let mut pinned = arguments();
    pinned["thumbprint"] = json!(thumbprint.to_lowercase());
    stage.perform(HEALTH, pinned.clone()).await.0.unwrap();
    pinned["thumbprint"] = json!("AA:BB");
    let error = stage.perform(HEALTH, pinned).await.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Final, "certificate-unexpected"));
    assert!(stage.only_read());
}

#[tokio::test(start_paused = true)]
async fn a_path_proves_that_the_configuration_is_there() {
    let stage = Stage::new(Scenario::default());
    let mut arguments = arguments();
    arguments["paths"] = json!([{ "path": "/orders" }]);
    let error = stage.perform(HEALTH, arguments.clone()).await.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Retryable, "gateway-unhealthy"));
    assert_eq!(error.details["status"], 404);
    restored(&stage).await;
    stage.perform(HEALTH, arguments).await.0.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_flapping_gateway_is_not_healthy_but_may_become_so() {
    for kind in [GatewayTrouble::Flap, GatewayTrouble::Down] {
        let stage = Stage::with([trouble(kind)]);
        let error = stage.perform(HEALTH, arguments()).await.0.unwrap_err();
        assert_eq!((error.disposition, error.code.as_str()), (Disposition::Retryable, "gateway-silent"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_certificate_is_final() {
    for kind in [GatewayTrouble::WrongCertificate, GatewayTrouble::ExpiredCertificate] {
        let stage = Stage::with([trouble(kind)]);
        let error = stage.perform(HEALTH, arguments()).await.0.unwrap_err();
        assert_eq!((error.disposition, error.code.as_str()), (Disposition::Final, "certificate-untrusted"));
        // At plan time it is a warning: the restore does not bring certificates, but somebody may.
        let probe = stage.probe(HEALTH, arguments()).await.unwrap();
        assert_eq!(codes(&probe, Severity::Warning), ["certificate-untrusted"]);
        assert_eq!(codes(&probe, Severity::Blocker), Vec::<&str>::new());
    }
    let mut scenario = Scenario::default();
    scenario.standby.certificate_validity = Duration::from_hours(36);
    scenario.active.certificate_validity = Duration::from_hours(36);
    let stage = Stage::new(scenario);
    let mut arguments = arguments();
    stage.perform(HEALTH, arguments.clone()).await.0.unwrap();
    arguments["certificate_days"] = json!(7);
    let error = stage.perform(HEALTH, arguments).await.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Final, "certificate-expiring"));
}

/// A standby that serves: `orders` to everybody, with a header; `payments` to subscribers.
fn serving() -> Scenario {
    let mut scenario = Scenario::default();
    scenario.standby.content = scenario.active.content.clone();
    scenario.standby.content.apis[0].headers = BTreeMap::from([("x-api-version".to_owned(), "v2".to_owned())]);
    scenario.standby.content.apis[1].subscription_required = true;
    scenario
}

fn asking(paths: &Value) -> Value {
    json!({ "service": standby(), "hostname": "api.contoso.com", "paths": paths })
}

const REFERENCE: &str = "GATEWAY_KEY";

/// A machine that holds this key.
fn with_key(scenario: Scenario, key: &str) -> Stage {
    let mut stage = Stage::new(scenario);
    stage.context.environment = Environment::of([(REFERENCE.to_owned(), key.to_owned())]);
    stage
}

fn good_key() -> String {
    World::new(serving(), Clock::Wall).subscription_key("partner-fabrikam")
}

#[tokio::test(start_paused = true)]
async fn all_rules_together_pass_a_gateway_that_serves() {
    let stage = with_key(serving(), &good_key());
    let mut arguments = asking(&json!([
        { "path": "/orders", "expect_headers": { "X-API-Version": "v2" }, "expect_body": "orders", "max_latency": "1s" },
        { "path": "/payments", "expect_status": 401 },
        { "path": "/payments", "subscription_key": { "env": REFERENCE }, "expect_body": "payments" },
        { "path": "/nothing-here", "expect_status": 404 },
    ]));
    arguments["max_latency"] = json!("500ms");
    let done = stage.perform(HEALTH, arguments).await.0.unwrap();
    let asked = stage.world.requests().iter().filter(|request| request.url.starts_with("https://api.contoso")).count();
    assert_eq!(asked, 3 * 5, "five paths, three times in a row");
    assert_eq!(done.evidence["asked"][1]["slowest_ms"], 40, "the scenario's latency");
    assert_eq!(done.evidence["asked"][3]["with_subscription_key"], true);
    assert!(stage.only_read());
}

#[tokio::test(start_paused = true)]
async fn each_rule_fails_and_names_the_path_what_was_wanted_and_what_was_found() {
    let slow = || Fault::new(Act::Hang(Duration::from_secs(2))).on("GET", "/orders");
    for (path, faults, code, said) in [
        (
            json!({ "path": "/orders", "expect_status": 204 }),
            vec![],
            "gateway-unhealthy",
            "answered 200 to /orders where 204",
        ),
        (json!({ "path": "/payments" }), vec![], "gateway-unhealthy", "answered 401 to /payments where 200"),
        (
            json!({ "path": "/orders", "expect_status": 401 }),
            vec![],
            "gateway-unhealthy",
            "answered 200 to /orders where 401",
        ),
        (
            json!({ "path": "/orders", "expect_headers": { "x-api-version": "v3" } }),
            vec![],
            "gateway-header",
            "answered /orders without the header `x-api-version: v3`: it is `v2`",
        ),
        (
            json!({ "path": "/orders", "expect_headers": { "x-absent": "1" } }),
            vec![],
            "gateway-header",
            "without the header `x-absent: 1`: there is none",
        ),
        (
            json!({ "path": "/orders", "expect_body": "invoices" }),
            vec![],
            "gateway-body",
            "answered /orders with a body that does not hold `invoices`",
        ),
        (
            json!({ "path": "/orders", "max_latency": "1s" }),
            vec![slow()],
            "gateway-slow",
            "took 2s40ms to answer /orders, and at most 1s is allowed",
        ),
    ] {
        let mut scenario = serving();
        scenario.faults = faults;
        let error = Stage::new(scenario).perform(HEALTH, asking(&json!([path]))).await.0.unwrap_err();
        assert_eq!((error.disposition, error.code.as_str()), (Disposition::Retryable, code), "{error}");
        assert!(error.message.contains(said), "{}", error.message);
        assert!(error.message.contains("apim-contoso-east"), "{}", error.message);
        assert!(!error.hint.is_empty());
    }
    // The bound of all paths holds for the status endpoint, too.
    let mut scenario = serving();
    scenario.faults = vec![Fault::new(Act::Hang(Duration::from_secs(2))).on("GET", "/status-0123456789abcdef")];
    let mut arguments = arguments();
    arguments["max_latency"] = json!("500ms");
    let error = Stage::new(scenario).perform(HEALTH, arguments).await.0.unwrap_err();
    assert_eq!(error.code, "gateway-slow");
}

#[tokio::test(start_paused = true)]
async fn an_answer_later_than_ten_seconds_is_waited_for_only_when_that_is_allowed() {
    let late = Act::Hang(Duration::from_secs(15));
    for (longest, passes) in [(json!(null), false), (json!("20s"), true)] {
        let mut scenario = serving();
        scenario.faults = vec![Fault::new(late.clone()).on("GET", "/orders")];
        let path = json!({ "path": "/orders", "max_latency": longest });
        let path = if longest.is_null() { json!({ "path": "/orders" }) } else { path };
        let done = Stage::new(scenario).perform(HEALTH, asking(&json!([path]))).await.0;
        assert_eq!(done.is_ok(), passes, "{done:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_bad_answer_among_many_fails_the_attempt() {
    let mut scenario = serving();
    scenario.faults = vec![Fault::status(500, "InternalServerError").on("GET", "/orders").skip(2).times(1)];
    let stage = Stage::new(scenario);
    let error = stage.perform(HEALTH, asking(&json!([{ "path": "/orders" }]))).await.0.unwrap_err();
    assert!(error.message.contains("answered 500 to /orders"), "{}", error.message);
    stage.perform(HEALTH, asking(&json!([{ "path": "/orders" }]))).await.0.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_subscription_key_is_read_at_the_moment_of_use_and_never_shown() {
    let path = json!([{ "path": "/payments", "subscription_key": { "env": REFERENCE } }]);
    // The policy sends the key back in a header, which a rule then finds to be wrong.
    let key = good_key();
    let mut scenario = serving();
    scenario.standby.content.apis[1].headers = BTreeMap::from([("x-echo".to_owned(), key.clone())]);
    let stage = with_key(scenario.clone(), &key);
    let (done, journal) = stage.perform(HEALTH, asking(&path)).await;
    let mut shown = format!("{:?} {:?}", done.unwrap(), journal.entries());
    let mut echoed = path.clone();
    echoed[0]["expect_headers"] = json!({ "x-echo": "something else" });
    let error = stage.perform(HEALTH, asking(&echoed)).await.0.unwrap_err();
    assert!(error.message.contains("it is `***`"), "{}", error.message);
    write_all(&mut shown, &error);
    write_all(&mut shown, &stage.probe(HEALTH, asking(&path)).await.unwrap());
    write_all(&mut shown, &stage.world.requests());
    assert!(!shown.contains(&key), "{shown}");

    let stage = with_key(scenario.clone(), "0123456789abcdef0123456789abcdef");
    let error = stage.perform(HEALTH, asking(&path)).await.0.unwrap_err();
    assert!(error.hint.contains("does not know this subscription key"), "{}", error.hint);
    write_all(&mut shown, &error);
    assert!(!shown.contains("0123456789abcdef0123"), "{shown}");

    // Elsewhere: a warning while planning, final when it is needed.
    let stage = Stage::new(scenario);
    let probe = stage.probe(HEALTH, asking(&path)).await.unwrap();
    assert_eq!(codes(&probe, Severity::Warning), ["subscription-key-missing"]);
    let error = stage.perform(HEALTH, asking(&path)).await.0.unwrap_err();
    assert_eq!((error.disposition, error.code.as_str()), (Disposition::Final, "subscription-key-missing"));
    let both = json!([{ "path": "/payments", "subscription_key": { "env": "A", "file": "b" } }]);
    assert_eq!(stage.probe(HEALTH, asking(&both)).await.unwrap_err().code, "invalid-arguments");
    let nonsense = json!([{ "path": "/payments", "expect_headers": { "no header": "x" } }]);
    assert!(stage.probe(HEALTH, asking(&nonsense)).await.unwrap_err().message.contains("`no header` is not the name"));
}

fn write_all(shown: &mut String, value: &impl std::fmt::Debug) {
    use std::fmt::Write as _;
    write!(shown, "{value:?}").unwrap();
}
