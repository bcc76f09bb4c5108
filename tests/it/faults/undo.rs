//! What `on_failure` says, when the step after the flip fails for good.

use lifeboat::sim::{Act, GatewayFault, GatewayTrouble};

use super::*;
use crate::harness::on_paused_clock;

/// The gateway never answers, so `look` fails.
fn runbook(on_failure: &str) -> String {
    format!(
        "
version: 1
name: flip-and-look
parameters:
  zone: {{ type: resource-id }}
  standby: {{ type: resource-id }}
steps:
  - id: flip
    modes: [planned, unplanned]
    do:
      dns.flip-cname: {{ zone: '${{{{ params.zone }}}}', record: api, target: {NEW_TARGET}, ttl: 60s }}
  - id: look
    needs: [flip]
    on_failure: {on_failure}
    do: {{ gateway.health-check: {{ service: '${{{{ params.standby }}}}', hostname: api.contoso.com }} }}
  - id: after
    needs: [look]
    do: {{ wait: {{ duration: 1m }} }}
"
    )
}

async fn run(on_failure: &str, more: Vec<Fault>) -> (State, Stage) {
    let down = GatewayFault { service: "apim-contoso-east".to_owned(), trouble: GatewayTrouble::Down };
    let faults = more.into_iter().chain([Fault::new(Act::Gateway(down))]);
    let mut stage = Stage::with(world(faults), &runbook(on_failure));
    let state = stage.start(None).await.unwrap();
    (state, stage)
}

#[test]
fn undo_puts_the_record_back() {
    on_paused_clock(async {
        let (state, stage) = run("undo", Vec::new()).await;
        assert_ended(&state, Outcome::Undone, "look", Disposition::Retryable, "gateway-silent");
        let record = stage.world.record("contoso.com", "api").unwrap();
        assert_eq!((record.target.as_deref(), record.ttl), (Some(OLD_TARGET), 300));
        assert_eq!(record.metadata.keys().collect::<Vec<_>>(), ["owner"], "our notes are gone");
        assert_eq!(stage.world.effects().record_puts_accepted, 2, "there and back");
    });
}

#[test]
fn a_lowered_ttl_goes_back_behind_the_flip() {
    on_paused_clock(async {
        let down = GatewayFault { service: "apim-contoso-east".to_owned(), trouble: GatewayTrouble::Down };
        let lower = "
  - id: lower
    modes: [planned, unplanned]
    do: { dns.set-ttl: { zone: '${{ params.zone }}', record: api, ttl: 60s } }
  - id: flip
    needs: [lower]";
        let text = runbook("undo").replace("\n  - id: flip", lower);
        let mut stage = Stage::with(world([Fault::new(Act::Gateway(down))]), &text);
        let state = stage.start(None).await.unwrap();
        assert_ended(&state, Outcome::Undone, "look", Disposition::Retryable, "gateway-silent");
        let record = stage.world.record("contoso.com", "api").unwrap();
        assert_eq!((record.target.as_deref(), record.ttl), (Some(OLD_TARGET), 300));
        assert_eq!(record.metadata.keys().collect::<Vec<_>>(), ["owner"], "our notes are gone");
        assert_eq!(stage.world.effects().record_puts_accepted, 4, "there and back, one by one");
    });
}

#[test]
fn an_undo_that_fails_ends_stuck_and_a_resume_tries_it_again() {
    on_paused_clock(async {
        // The flip passes; the way back is refused once.
        let refused = Fault::status(403, "AuthorizationFailed").on("PUT", RECORD).skip(1).times(1);
        let (state, mut stage) = run("undo", vec![refused]).await;
        assert_eq!(outcome(&state), Some(Outcome::Stuck), "{:?}", state.stopped);
        let errors = stage.events().into_iter().filter_map(|event| match event {
            Event::UndoFailed { step, error } => Some((step.to_string(), error)),
            _ => None,
        });
        let errors: Vec<_> = errors.collect();
        assert_eq!(errors.len(), 1);
        assert_eq!((errors[0].0.as_str(), errors[0].1.code.as_str()), ("flip", "forbidden"));
        assert!(!errors[0].1.hint.is_empty());
        assert_eq!((target(&stage).as_str(), stage.world.effects().record_puts_accepted), (NEW_TARGET, 1));
        let state = stage.resume(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Undone), "{:?}", state.stopped);
        assert_eq!((target(&stage).as_str(), stage.world.effects().record_puts_accepted), (OLD_TARGET, 2));
    });
}

#[test]
fn continue_goes_on_past_the_failure() {
    on_paused_clock(async {
        let (state, stage) = run("continue", Vec::new()).await;
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        assert_eq!((target(&stage).as_str(), stage.world.effects().record_puts_accepted), (NEW_TARGET, 1));
        let failed = count(
            &stage,
            |event| matches!(event, Event::StepFailed { step, retry_at: None, .. } if step.as_str() == "look"),
        );
        assert_eq!(failed, 1);
    });
}

#[test]
fn stop_leaves_everything_as_it_is() {
    on_paused_clock(async {
        let (state, stage) = run("stop", Vec::new()).await;
        assert_ended(&state, Outcome::Failed, "look", Disposition::Retryable, "gateway-silent");
        assert_eq!((target(&stage).as_str(), stage.world.effects().record_puts_accepted), (NEW_TARGET, 1));
    });
}
