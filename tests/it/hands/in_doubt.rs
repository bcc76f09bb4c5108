//! A doubt that no probe can lead out of: what is shown, and a person's word as the last resort.

use std::time::Duration;

use lifeboat::{
    run::{Event, Outcome, PowerCut},
    sim::{Act, Fault, Moment, Scenario},
};
use serde_json::{Map, json};

use super::*;
use crate::harness::{on_paused_clock, outcome};

/// A flip, and a step that needs what it gives.
const FLIP: &str = "
version: 1
name: flip
parameters:
  zone: { type: resource-id }
steps:
  - id: flip
    modes: [planned, unplanned]
    do: { dns.flip-cname: { zone: '${{ params.zone }}', record: api, target: apim-contoso-east.azure-api.net, ttl: 60s } }
  - id: propagated
    modes: [planned, unplanned]
    needs: [flip]
    timeout: 2h
    do: { dns.verify-propagation: { zone: '${{ params.zone }}', record: api, target: '${{ steps.flip.target }}' } }
";

/// Azure DNS can neither be read nor asked for anything until then, counted from the beginning of the world.
const BLIND: Duration = Duration::from_hours(2);

/// The answer to the flip is lost, before or after Azure took it, and from then on nobody can read the record.
async fn blind(moment: Moment) -> (Stage, State) {
    let lost = Fault { until: Some(BLIND), ..Fault::new(Act::Reset(moment)).on("PUT", RECORD) };
    let blind = Fault { until: Some(BLIND), ..Fault::status(403, "AuthorizationFailed").on("GET", RECORD).skip(3) };
    let mut stage = Stage::with(Scenario { faults: vec![lost, blind], ..Scenario::default() }, FLIP);
    let state = stage.start(None).await.unwrap();
    assert_eq!(outcome(&state), Some(Outcome::Stuck), "{:?}", state.stopped);
    (stage, state)
}

fn with(outputs: Map<String, serde_json::Value>) -> Request {
    let Request::Settle { step, by, reason, happened, .. } = settle("flip", true) else { unreachable!() };
    Request::Settle { step, by, reason, happened, outputs }
}

#[test]
fn everything_that_is_known_of_a_doubt_is_shown_with_the_commands_that_lead_out() {
    on_paused_clock(async {
        let (stage, state) = blind(Moment::After).await;
        let summary = summary(&stage, &state);
        let doubt = summary.attention.iter().find_map(|step| step.doubt.as_ref()).unwrap();
        assert!(doubt.request.as_ref().unwrap().starts_with("PUT https://"), "{:?}", doubt.request);
        assert_eq!(doubt.by.as_deref(), Some("ann@here, process 1"));
        assert!(doubt.sent_at.unwrap() <= doubt.looked_at.unwrap());
        assert!(doubt.seen.as_ref().unwrap().contains("cannot be read"), "{:?}", doubt.seen);
        let commands: Vec<&str> = doubt.commands.iter().map(|advice| advice.command.as_str()).collect();
        for wanted in [
            "lifeboat resume test-run",
            "az rest --method get --url 'https://",
            "az monitor activity-log list --resource-id '/subscriptions/",
            "lifeboat settle test-run flip --happened --reason TEXT",
            "lifeboat settle test-run flip --did-not-happen --reason TEXT",
        ] {
            assert!(commands.iter().any(|command| command.starts_with(wanted)), "no {wanted}: {commands:#?}");
        }
        assert!(commands[0].starts_with("lifeboat resume"), "{commands:#?}");
        let text = told(&stage, &state);
        assert!(text.contains("sent: PUT") && text.contains("looked: last at"), "{text}");
    });
}

#[test]
fn a_persons_word_is_taken_where_no_probe_can_tell_and_told_as_one() {
    on_paused_clock(async {
        let (mut stage, _) = blind(Moment::After).await;
        let missing = stage.look_and_record(settle("flip", true), None).await.unwrap_err();
        assert!(missing.contains("`target` (for step `propagated`)"), "{missing}");
        let given = Map::from_iter([("target".to_owned(), json!(NEW_TARGET))]);
        stage.look_and_record(with(given), None).await.unwrap();
        stage.clock.sleep(BLIND).await;
        let state = stage.resume(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        assert_eq!(stage.world.effects().record_puts_accepted, 1);
        let text = told(&stage, &state);
        let line = text.lines().nth(1).unwrap();
        assert!(line.contains("a person's word, which no probe could check") && line.contains("ann@here"), "{text}");
    });
}

#[test]
fn what_a_person_says_did_not_happen_is_tried_again() {
    on_paused_clock(async {
        let (mut stage, _) = blind(Moment::Before).await;
        stage.look_and_record(settle("flip", false), None).await.unwrap();
        stage.clock.sleep(BLIND).await;
        let state = stage.resume(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        assert_eq!(stage.world.effects().record_puts_accepted, 1);
        assert!(told(&stage, &state).contains("step flip has not happened: a person's word"));
    });
}

#[test]
fn a_probe_that_can_tell_again_wins_over_a_persons_word() {
    on_paused_clock(async {
        for (moment, wrong, why) in [(Moment::After, false, "it happened"), (Moment::Before, true, "it did not happen")]
        {
            let (mut stage, _) = blind(moment).await;
            stage.clock.sleep(BLIND).await;
            let refused = stage.look_and_record(settle("flip", wrong), None).await.unwrap_err();
            assert!(refused.contains(why), "{moment:?}: {refused}");
            assert!(!stage.events().iter().any(|event| matches!(event, Event::StepSettled { word: Some(_), .. })));
            // Who agrees with the probe is told so, and the verdict is the probe's.
            stage.look_and_record(settle("flip", !wrong), None).await.unwrap();
            assert!(folded(&stage).decided.is_empty(), "{moment:?}");
            let state = stage.resume(None).await.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{moment:?}: {:?}", state.stopped);
            assert_eq!(stage.world.effects().record_puts_accepted, 1, "{moment:?}");
        }
    });
}

#[test]
fn a_settlement_whose_append_is_cut_is_asked_for_again() {
    on_paused_clock(async {
        for bytes in [Some(0), Some(100), None] {
            let (mut stage, _) = blind(Moment::Before).await;
            let cut = PowerCut { append: 0, bytes };
            stage.look_and_record(settle("flip", false), Some(cut)).await.unwrap_err();
            let written = !folded(&stage).decided.is_empty();
            assert_eq!(written, bytes.is_none(), "{cut:?}");
            if !written {
                stage.look_and_record(settle("flip", false), None).await.unwrap();
            }
            stage.clock.sleep(BLIND).await;
            let state = stage.resume(None).await.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{cut:?}: {:?}", state.stopped);
            assert_eq!(stage.world.effects().record_puts_accepted, 1, "{cut:?}");
        }
    });
}
