//! `gateway.health-check`: the production hostname at the standby's own address.

use lifeboat::{
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
