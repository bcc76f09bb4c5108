//! A switch that stopped half-way is taken back like one that is done, and an end never says undone while some of it is
//! left.

use std::time::Duration;

use lifeboat::{
    run::{EngineError, Event, JournalError, Outcome, PowerCut},
    sim::{Act, Fault, GatewayFault, GatewayTrouble, Moment, Scenario},
};

use super::*;
use crate::harness::{on_paused_clock, outcome};

const ORIGIN: &str = "/originGroups/apim/origins/";
const ENDPOINT: &str = "/trafficManagerProfiles/tm-contoso-api/ExternalEndpoints/";
const PRIVATE: &str = "/privateDnsZones/contoso.internal/CNAME/api?";

/// Both pools, each with two members to set.
const POOLS: &str = "
version: 1
name: pools
parameters:
  traffic_manager: { type: resource-id }
  front_door: { type: resource-id }
steps:
  - id: endpoints
    modes: [planned, unplanned]
    on_failure: undo
    do:
      traffic-manager.set-endpoints:
        profile: '${{ params.traffic_manager }}'
        endpoints:
          - { name: east, type: external, status: enabled }
          - { name: west, type: external, status: disabled }
  - id: origins
    needs: [endpoints]
    modes: [planned, unplanned]
    on_failure: undo
    do:
      front-door.set-origin:
        profile: '${{ params.front_door }}'
        origin_group: apim
        origins: [{ name: east, enabled: true, priority: 1 }, { name: west, enabled: false }]
  - id: hold
    needs: [origins]
    timeout: 2h
    do: { wait: { duration: 1h } }
";

/// East and west, of Traffic Manager and of Front Door.
fn enabled(stage: &Stage) -> [bool; 4] {
    let endpoint = |name| stage.world.endpoint("tm-contoso-api", name).unwrap().enabled;
    let origin = |name| stage.world.origin("afd-contoso", name).unwrap().enabled;
    [endpoint("east"), endpoint("west"), origin("east"), origin("west")]
}

const WEST: [bool; 4] = [false, true, false, true];
const EAST: [bool; 4] = [true, false, true, false];

fn pools(faults: Vec<Fault>) -> Stage {
    Stage::with(Scenario { faults, ..Scenario::default() }, POOLS)
}

/// The second member is refused, once.
fn refused(path: &str) -> Fault {
    Fault::status(409, "Conflict").on("PATCH", path).skip(1).times(1)
}

#[test]
fn a_step_that_failed_after_its_first_member_is_taken_back() {
    on_paused_clock(async {
        for (path, back) in [(ENDPOINT, vec!["endpoints"]), (ORIGIN, vec!["origins", "endpoints"])] {
            let mut stage = pools(vec![refused(path)]);
            let state = stage.start(None).await.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Undone), "{path}: {:?}", state.stopped);
            assert_eq!((enabled(&stage), undone(&stage)), (WEST, back.iter().map(ToString::to_string).collect()));
            let (step, error) = state.failure().unwrap();
            assert_eq!((step.as_str(), error.code.as_str()), (back[0], "conflict"), "why is still told");
            assert!(told(&stage, &state).contains("a step failed, and what could be undone was undone"));
        }
    });
}

#[test]
fn a_run_that_failed_half_way_is_given_up_by_another_process_and_taken_back() {
    on_paused_clock(async {
        let stop = POOLS.replace("    on_failure: undo\n", "");
        let mut stage = Stage::with(Scenario { faults: vec![refused(ORIGIN)], ..Scenario::default() }, &stop);
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Failed), "{:?}", state.stopped);
        assert_eq!(enabled(&stage), [true, false, true, true], "half made");
        let text = told(&stage, &state);
        assert!(text.contains("lifeboat abort test-run --undo"), "{text}");
        let Request::Stop { by, abort, reason, undo } = give_up() else { unreachable!() };
        stage.first = vec![Event::StopRequested { by, abort, reason, undo }];
        let state = stage.resume(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Undone), "{:?}", state.stopped);
        assert_eq!((enabled(&stage), undone(&stage)), (WEST, vec!["origins".to_owned(), "endpoints".to_owned()]));
    });
}

/// Given up while Front Door still works on the first origin.
fn given_up_in_the_middle() -> Stage {
    let mut stage = pools(Vec::new());
    stage.script = vec![(Duration::from_secs(20), give_up())];
    stage
}

#[test]
fn every_crash_point_of_giving_up_in_the_middle_of_a_switch_ends_where_it_began() {
    let whole = on_paused_clock(async {
        let mut stage = given_up_in_the_middle();
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Undone), "{:?}", state.stopped);
        assert_eq!(enabled(&stage), WEST);
        let patches = stage.world.effects().origin_patches_accepted;
        assert!((2..4).contains(&patches), "{patches}: it was not in the middle");
        stage.appends
    });
    let mut points = 0;
    for append in 0..whole {
        for bytes in [Some(0), Some(60), None] {
            on_paused_clock(give_up_and_crash(PowerCut { append, bytes }));
            points += 1;
        }
    }
    println!("crash points {points}/{points} of giving up half-way resumable, {whole} appends");
    assert!(whole >= 12, "only {whole} appends");
}

async fn give_up_and_crash(cut: PowerCut) {
    let mut stage = given_up_in_the_middle();
    match stage.start(Some(cut)).await {
        Err(EngineError::Journal(JournalError::Cut)) => {}
        Ok(_) | Err(_) => panic!("{cut:?} did not cut"),
    }
    stage.clock.sleep(Duration::from_secs(30)).await;
    let written = cut.append > 0 && stage.events().iter().any(|event| matches!(event, Event::StopRequested { .. }));
    stage.script = if written { Vec::new() } else { vec![(Duration::from_secs(20), give_up())] };
    let state = stage.resume(None).await.unwrap();
    assert_eq!(outcome(&state), Some(Outcome::Undone), "{cut:?}: {:?}", state.stopped);
    assert_eq!(enabled(&stage), WEST, "{cut:?}");
}

#[test]
fn every_crash_point_of_a_failure_half_way_leaves_nothing_half_made() {
    let whole = on_paused_clock(async {
        let mut stage = pools(vec![refused(ORIGIN)]);
        stage.start(None).await.unwrap();
        stage.appends
    });
    for append in 0..whole {
        for bytes in [Some(0), None] {
            let cut = PowerCut { append, bytes };
            on_paused_clock(async {
                let mut stage = pools(vec![refused(ORIGIN)]);
                stage.start(Some(cut)).await.unwrap_err();
                stage.clock.sleep(Duration::from_secs(30)).await;
                let state = stage.resume(None).await.unwrap();
                // A refusal that nobody wrote down is met again, or is over by then.
                let wanted = match outcome(&state) {
                    Some(Outcome::Undone) => WEST,
                    Some(Outcome::Succeeded) => EAST,
                    other => panic!("{cut:?}: {other:?} {:?}", state.stopped),
                };
                assert_eq!(enabled(&stage), wanted, "{cut:?}");
            });
        }
    }
}

/// Every switch there is; then a look that fails.
const SWITCHES: &str = "
version: 1
name: switches
parameters:
  zone: { type: resource-id }
  private_zone: { type: resource-id }
  traffic_manager: { type: resource-id }
  front_door: { type: resource-id }
  standby: { type: resource-id }
steps:
  - id: lower
    modes: [planned, unplanned]
    do: { dns.set-ttl: { zone: '${{ params.zone }}', record: api, ttl: 60s } }
  - id: flip
    needs: [lower]
    modes: [planned, unplanned]
    do: { dns.flip-cname: { zone: '${{ params.zone }}', record: api-drill, target: apim-contoso-east.azure-api.net } }
  - id: private
    needs: [flip]
    modes: [planned, unplanned]
    do:
      private-dns.flip-cname: { zone: '${{ params.private_zone }}', record: api, target: apim-contoso-east.azure-api.net }
  - id: endpoints
    needs: [private]
    modes: [planned, unplanned]
    do:
      traffic-manager.set-endpoints:
        profile: '${{ params.traffic_manager }}'
        endpoints:
          - { name: east, type: external, status: enabled }
          - { name: west, type: external, status: disabled }
  - id: origins
    needs: [endpoints]
    modes: [planned, unplanned]
    do:
      front-door.set-origin:
        profile: '${{ params.front_door }}'
        origin_group: apim
        origins: [{ name: east, enabled: true, priority: 1 }, { name: west, enabled: false }]
  - id: look
    needs: [origins]
    on_failure: undo
    do: { gateway.health-check: { service: '${{ params.standby }}', hostname: api.contoso.com } }
";

/// For every kind of switch: its way back is refused, the run says what would finish it, somebody types that, a probe
/// agrees, and the rest is taken back.
#[test]
fn what_could_not_be_undone_is_finished_by_the_commands_that_are_shown() {
    for (step, method, path, forward) in [
        ("lower", "PUT", RECORD, 1),
        ("flip", "PUT", "/CNAME/api-drill?", 1),
        ("private", "PUT", PRIVATE, 1),
        ("endpoints", "PATCH", ENDPOINT, 2),
        ("origins", "PATCH", ORIGIN, 2),
    ] {
        on_paused_clock(async {
            let down = GatewayFault { service: "apim-contoso-east".to_owned(), trouble: GatewayTrouble::Down };
            let refused = Fault::status(403, "AuthorizationFailed").on(method, path).skip(forward).times(1);
            let faults = vec![Fault::new(Act::Gateway(down)), refused];
            let mut stage = Stage::with(Scenario { faults, ..Scenario::default() }, SWITCHES);
            let state = stage.start(None).await.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Stuck), "{step}: {:?}", state.stopped);
            let summary = summary(&stage, &state);
            let text = told(&stage, &state);
            assert!(text.contains("when it was last read"), "{step}: the world is not shown\n{text}");
            assert!(text.contains(&format!("lifeboat settle test-run {step} --happened")), "{step}:\n{text}");

            // It is not back yet, and nobody's word is taken for it.
            let early = stage.look_and_record(settle(step, true), None).await.unwrap_err();
            assert!(early.contains("still as this run left it"), "{step}: {early}");
            assert!(type_by_hand(&stage, &summary.next).await >= 1, "{step}: no command\n{text}");
            stage.look_and_record(settle(step, true), None).await.unwrap();
            assert!(folded(&stage).decided.is_empty(), "{step}: a probe could tell");
            let state = stage.resume(None).await.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Undone), "{step}: {:?}", state.stopped);
            assert_eq!(undone(&stage), ["origins", "endpoints", "private", "flip", "lower"]);
            assert_eq!(enabled(&stage), WEST, "{step}");
            for (zone, record) in [("contoso.com", "api"), ("contoso.com", "api-drill"), ("contoso.internal", "api")] {
                let found = stage.world.record(zone, record).unwrap();
                assert_eq!((found.target.as_deref(), found.ttl), (Some(OLD_TARGET), 300), "{step}: {record}.{zone}");
            }
        });
    }
}

#[test]
fn a_half_made_switch_in_doubt_is_settled_before_it_is_taken_back() {
    on_paused_clock(async {
        for moment in [Moment::Before, Moment::After] {
            // Nobody knows what became of the second member; and somebody gives up meanwhile.
            let lost = Fault::new(Act::Reset(moment)).on("PATCH", ORIGIN).skip(1).times(1);
            let mut stage = pools(vec![lost]);
            stage.script = vec![(Duration::from_secs(100), give_up())];
            let state = stage.start(None).await.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Undone), "{moment:?}: {:?}", state.stopped);
            assert_eq!(enabled(&stage), WEST, "{moment:?}");
        }
    });
}

/// What nobody answered and was not seen to have happened is looked for as long as a lost request may arrive.
#[test]
fn a_flip_that_was_lost_is_looked_for_before_the_run_ends_undone() {
    on_paused_clock(async {
        let text = SWITCHES.split("  - id: private").next().unwrap().to_owned();
        let parameters = "  private_zone: { type: resource-id }
  traffic_manager: { type: resource-id }
  front_door: { type: resource-id }
  standby: { type: resource-id }
";
        let mut stage = Stage::with(Scenario::default(), &text.replace(parameters, ""));
        // With a crash point between the intent of the flip and its request; after the last append it is over.
        let whole = {
            let state = stage.start(None).await.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
            stage.appends
        };
        let mut looked_for = 0;
        for append in 0..whole - 1 {
            let mut stage = Stage::with(Scenario::default(), &text.replace(parameters, ""));
            stage.start(Some(PowerCut { append, bytes: None })).await.unwrap_err();
            let lost = stage.events().iter().rev().find_map(|event| match event {
                Event::ChangeIntended { step, .. } => Some(step.as_str() == "flip"),
                Event::StepSucceeded { .. } => Some(false),
                _ => None,
            });
            let before = stage.clock.now();
            let Request::Stop { by, abort, reason, undo } = give_up() else { unreachable!() };
            stage.first = vec![Event::StopRequested { by, abort, reason, undo }];
            let state = stage.resume(None).await.unwrap();
            let ended = outcome(&state).unwrap();
            assert!(matches!(ended, Outcome::Undone | Outcome::Aborted), "{append}: {:?}", state.stopped);
            let found = stage.world.record("contoso.com", "api-drill").unwrap();
            assert_eq!(found.target.as_deref(), Some(OLD_TARGET), "{append}");
            if lost == Some(true) {
                let waited = stage.clock.now().duration_since(before).as_secs();
                assert!((90..=130).contains(&waited), "{append}: {waited} s");
                looked_for += 1;
            }
        }
        assert!(looked_for >= 1, "no flip was cut between its intent and its request");
    });
}
