//! All switches of traffic in one runbook: a power cut at every append, a failure behind them, somebody else between them.

use lifeboat::{
    run::{EngineError, JournalError, PowerCut, StepState},
    sim::{Act, GatewayFault, GatewayTrouble, MemberChange, Moment, pools::Setting},
};

use super::*;
use crate::harness::on_paused_clock;

const PRIVATE: &str = "/privateDnsZones/contoso.internal/CNAME/api?";
const ENDPOINT: &str = "/trafficManagerProfiles/tm-contoso-api/ExternalEndpoints/";
const ORIGIN: &str = "/originGroups/apim/origins/";

/// `look` behind them fails when the standby's gateway is down.
const RUNBOOK: &str = "
version: 1
name: all-switches
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
  - id: private
    needs: [lower]
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

/// What traffic does: TTL of the public record, target of the private one, who is on where.
#[derive(Debug, PartialEq, Eq)]
struct Switches {
    ttl: u32,
    private: String,
    endpoints: (bool, bool),
    origins: (bool, bool),
}

fn switches(stage: &Stage) -> Switches {
    let on = |member: Option<Setting>| member.unwrap().enabled;
    let endpoint = |name| on(stage.world.endpoint("tm-contoso-api", name));
    let origin = |name| on(stage.world.origin("afd-contoso", name));
    Switches {
        ttl: stage.world.record("contoso.com", "api").unwrap().ttl,
        private: stage.world.record("contoso.internal", "api").unwrap().target.unwrap(),
        endpoints: (endpoint("east"), endpoint("west")),
        origins: (origin("east"), origin("west")),
    }
}

fn west() -> Switches {
    Switches { ttl: 300, private: OLD_TARGET.to_owned(), endpoints: (false, true), origins: (false, true) }
}

fn east() -> Switches {
    Switches { ttl: 60, private: NEW_TARGET.to_owned(), endpoints: (true, false), origins: (true, false) }
}

/// Records, endpoints and origins that Azure changed.
fn counted(stage: &Stage) -> (u32, u32, u32) {
    let effects = stage.world.effects();
    (effects.record_puts_accepted, effects.endpoint_patches_accepted, effects.origin_patches_accepted)
}

fn stage(faults: impl IntoIterator<Item = Fault>) -> Stage {
    Stage::with(world(faults), RUNBOOK)
}

/// What each pool's step says was there before: east off, west on.
fn assert_previous(state: &State, why: &str) {
    for step in ["endpoints", "origins"] {
        let place = state.place(&StepId::new(step)).unwrap();
        let StepState::Succeeded { outputs } = &state.steps[place].state else { panic!("{why}: {step}") };
        let was = |place: usize| outputs["previous"][place]["enabled"].as_bool().unwrap();
        assert_eq!((was(0), was(1)), (false, true), "{why}: {step}");
    }
}

#[test]
fn every_crash_point_of_all_switches_is_resumed_with_each_change_once() {
    let whole = on_paused_clock(async {
        let mut stage = stage([]);
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        assert_eq!((switches(&stage), counted(&stage)), (east(), (2, 2, 2)));
        stage.appends
    });
    assert!(whole > 15, "only {whole} appends");
    let mut points = 0;
    for append in 0..whole {
        for bytes in [Some(0), None] {
            for pause in [5, 40 * 60] {
                on_paused_clock(crash_once(PowerCut { append, bytes }, pause));
                points += 1;
            }
        }
    }
    println!("crash points {points}/{points} resumable, {whole} appends, every change once");
}

async fn crash_once(cut: PowerCut, pause: u64) {
    let why = format!("{cut:?}, {pause} s");
    // A look that comes too late must not put everything back.
    let mut stage = Stage::with(Scenario::default(), &RUNBOOK.replace("on_failure: undo", "on_failure: stop"));
    match stage.start(Some(cut)).await {
        Err(EngineError::Journal(JournalError::Cut)) => {}
        Ok(_) | Err(_) => panic!("{cut:?} did not cut"),
    }
    stage.clock.sleep(Duration::from_secs(pause)).await;
    let mut state = stage.resume(None).await.unwrap();
    // A deadline that passed while nobody drove has passed: the next resume tries the step again.
    if state.failure().is_some_and(|(_, error)| error.code == "timeout") {
        state = stage.resume(None).await.unwrap();
    }
    assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{why}: {:?}", state.stopped);
    assert_eq!((switches(&stage), counted(&stage)), (east(), (2, 2, 2)), "{why}");
    assert_previous(&state, &why);
}

#[test]
fn a_failure_behind_them_puts_every_switch_back_in_reverse_order() {
    on_paused_clock(async {
        let down = GatewayFault { service: "apim-contoso-east".to_owned(), trouble: GatewayTrouble::Down };
        let mut stage = stage([Fault::new(Act::Gateway(down))]);
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Undone), "{:?}", state.stopped);
        assert_eq!((switches(&stage), counted(&stage)), (west(), (4, 4, 4)));
        let undone: Vec<String> = stage
            .events()
            .into_iter()
            .filter_map(|event| match event {
                Event::UndoSucceeded { step, .. } => Some(step.to_string()),
                _ => None,
            })
            .collect();
        assert_eq!(undone, ["origins", "endpoints", "private", "lower"]);
    });
}

#[test]
fn connections_that_break_on_every_switch_change_nothing_twice() {
    on_paused_clock(async {
        for moment in [Moment::Before, Moment::After] {
            let faults = [PRIVATE, ENDPOINT, ORIGIN].map(|path| {
                let method = if path == PRIVATE { "PUT" } else { "PATCH" };
                Fault::new(Act::Reset(moment)).on(method, path).times(1)
            });
            let mut stage = stage(faults);
            let state = stage.start(None).await.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{moment:?}: {:?}", state.stopped);
            assert_eq!((switches(&stage), counted(&stage)), (east(), (2, 2, 2)), "{moment:?}");
            assert_previous(&state, "a reset");
        }
    });
}

#[test]
fn throttling_and_bad_gateways_end_where_they_must() {
    on_paused_clock(async {
        for (code, error_code) in [(429, "TooManyRequests"), (503, "ServiceUnavailable"), (500, "InternalServerError")]
        {
            let faults =
                [ENDPOINT, ORIGIN].map(|path| Fault::status(code, error_code).on("PATCH", path).skip(1).times(1));
            let mut stage = stage(faults);
            let state = stage.start(None).await.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{code}: {:?}", state.stopped);
            assert_eq!((switches(&stage), counted(&stage)), (east(), (2, 2, 2)), "{code}");
        }
        // What Azure refuses ends the run; what was set before goes back, and says so.
        let mut stage = stage([Fault::status(409, "Conflict").on("PATCH", ORIGIN).skip(1).times(1)]);
        let state = stage.start(None).await.unwrap();
        let error = assert_ended(&state, Outcome::Failed, "origins", Disposition::Final, "conflict");
        assert!(error.message.contains("set: `east`; not set: `west`"), "{error}");
        let state = stage.resume(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        assert_eq!((switches(&stage), counted(&stage)), (east(), (2, 2, 2)));
        assert_previous(&state, "a resume after a refusal in the middle");
    });
}

#[test]
fn somebody_elses_change_between_plan_and_run_refuses_and_touches_nothing_of_it() {
    on_paused_clock(async {
        let change = MemberChange { member: "west".to_owned(), weight: Some(7), ..MemberChange::default() };
        let meddled = Fault::new(Act::ChangeMember(change)).on("GET", "/origins?").skip(1).times(1);
        let mut stage = stage([meddled]);
        let state = stage.start(None).await.unwrap();
        let error = assert_ended(&state, Outcome::Refused, "origins", Disposition::Refused, "origin-changed");
        assert!(error.message.contains("weight 7"), "{error}");
        assert_eq!(counted(&stage), (2, 2, 0));
    });
}
