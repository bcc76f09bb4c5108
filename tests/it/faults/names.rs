//! The record, the name servers and the gateway.

use lifeboat::sim::{Act, DnsTrouble, GatewayFault, GatewayTrouble};

use super::*;
use crate::harness::on_paused_clock;

fn gateway(trouble: GatewayTrouble) -> Fault {
    Fault::new(Act::Gateway(GatewayFault { service: "apim-contoso-east".to_owned(), trouble }))
}

fn name_server(lag: Option<Duration>) -> Fault {
    let server = "ns2-07.azure-dns.net".to_owned();
    Fault::new(Act::DnsServer(DnsTrouble { server, lag, down: lag.is_none() }))
}

#[test]
fn a_stale_etag_with_the_same_content_is_read_again_and_written_once() {
    on_paused_clock(async {
        let (state, stage) = driven([Fault::new(Act::StaleEtag).on("PUT", RECORD).times(1)]).await;
        assert_recovered(&state, &stage, ONCE);
        assert_eq!(stage.world.effects().record_puts_received, 2);
    });
}

#[test]
fn a_record_that_somebody_else_changed_since_the_plan_is_left_alone() {
    on_paused_clock(async {
        let act = Act::ChangeRecord { target: "elsewhere.example.net".to_owned() };
        // After the plan, which takes minutes when a region is lost, and before the restore has ended.
        let fault = Fault::new(act).on("GET", RECORD).between(minutes(30), None).times(1);
        let (state, mut stage) = driven([fault]).await;
        let error = assert_ended(&state, Outcome::Refused, "flip", Disposition::Refused, "record-changed");
        for part in [OLD_TARGET, "elsewhere.example.net", NEW_TARGET] {
            assert!(error.message.contains(part), "{error}");
        }
        assert!(error.hint.contains("plan again"), "{}", error.hint);
        assert_eq!(changes(&stage), Changes { puts: 0, ..ONCE });
        assert_eq!(target(&stage), "elsewhere.example.net");
        // Resuming does not overrule it.
        let state = stage.resume(None).await.unwrap();
        assert_ended(&state, Outcome::Refused, "flip", Disposition::Refused, "record-changed");
        assert_eq!(changes(&stage), Changes { puts: 0, ..ONCE });
    });
}

#[test]
fn a_record_that_is_at_the_target_already_is_not_written() {
    on_paused_clock(async {
        let mut scenario = Scenario::default();
        let record = scenario.zone.records.get_mut("api").unwrap();
        (record.target, record.ttl) = (NEW_TARGET.to_owned(), minutes(1));
        let mut stage = Stage::flagship(scenario);
        // A restore over what a name leads to already is somebody's decision.
        let (by, reason) = (crate::transitions::person("ann"), "the standby is to be restored anew".to_owned());
        stage.forced = Some(lifeboat::plan::Forced { by, reason });
        let state = stage.start(None).await.unwrap();
        assert_recovered(&state, &stage, Changes { puts: 0, ..ONCE });
        assert_eq!(stage.world.effects().record_puts_received, 0);
        let said = notes(&stage, "flip");
        assert!(said.iter().any(|(message, _)| message.contains("already")), "{said:?}");
    });
}

#[test]
fn a_flapping_gateway_holds_the_flip_until_it_is_steady() {
    on_paused_clock(async {
        let (state, stage) = driven([gateway(GatewayTrouble::Flap).between(Duration::ZERO, Some(minutes(53)))]).await;
        assert_recovered(&state, &stage, ONCE);
        let health = StepId::new("gateway-healthy");
        let tries = count(
            &stage,
            |event| matches!(event, Event::StepFailed { step, retry_at: Some(_), .. } if *step == health),
        );
        assert!(tries > 0, "the gateway never flapped");
    });
}

#[test]
fn a_gateway_that_never_gets_steady_keeps_traffic_where_it_is() {
    on_paused_clock(async {
        let (state, mut stage) =
            driven([gateway(GatewayTrouble::Flap).between(Duration::ZERO, Some(minutes(90)))]).await;
        assert_ended(&state, Outcome::Failed, "gateway-healthy", Disposition::Retryable, "gateway-silent");
        assert_eq!(changes(&stage), Changes { puts: 0, ..ONCE });
        assert_eq!(target(&stage), OLD_TARGET);
        stage.clock.sleep(minutes(60)).await;
        let state = stage.resume(None).await.unwrap();
        assert_recovered(&state, &stage, ONCE);
    });
}

#[test]
fn a_gateway_with_a_wrong_certificate_is_final() {
    on_paused_clock(async {
        let fault = gateway(GatewayTrouble::WrongCertificate).between(Duration::ZERO, Some(minutes(90)));
        let (state, mut stage) = driven([fault]).await;
        let error =
            assert_ended(&state, Outcome::Failed, "gateway-healthy", Disposition::Final, "certificate-untrusted");
        assert!(error.message.contains("api.contoso.com"), "{error}");
        let started = count(
            &stage,
            |event| matches!(event, Event::StepStarted { step, .. } if step.as_str() == "gateway-healthy"),
        );
        assert_eq!(started, 1, "a certificate does not get better by asking again");
        assert_eq!(changes(&stage), Changes { puts: 0, ..ONCE });
        stage.clock.sleep(minutes(60)).await;
        let state = stage.resume(None).await.unwrap();
        assert_recovered(&state, &stage, ONCE);
    });
}

#[test]
fn a_name_server_that_lags_is_waited_for() {
    on_paused_clock(async {
        let (state, stage) = driven([name_server(Some(minutes(8)))]).await;
        assert_recovered(&state, &stage, ONCE);
        let said = notes(&stage, "propagated");
        assert!(said.iter().any(|(message, _)| message.contains("ns2-07")), "{said:?}");
    });
}

#[test]
fn a_name_server_that_is_down_is_named_and_the_wait_can_be_resumed() {
    on_paused_clock(async {
        let fault = name_server(None).between(Duration::ZERO, Some(minutes(120)));
        let (state, mut stage) = driven([fault]).await;
        let error = assert_ended(&state, Outcome::Failed, "propagated", Disposition::Retryable, "timeout");
        assert!(error.message.contains("ns2-07"), "{error}");
        assert_eq!(changes(&stage), ONCE);
        stage.clock.sleep(minutes(60)).await;
        let state = stage.resume(None).await.unwrap();
        assert_recovered(&state, &stage, ONCE);
    });
}
