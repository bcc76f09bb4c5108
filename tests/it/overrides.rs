//! What people decide against what is seen: forced failovers and skipped proofs, on the real engine and the paused clock.

use std::time::Duration;

use lifeboat::{
    plan::{Forced, digest::digest, facts::Severity},
    report::{Commands, Standing, Status, Summary},
    run::{Event, Outcome, PowerCut, State, engine::Request},
    runbook::{Mode, StepId},
    sim::{Act, Fault, GatewayFault, GatewayTrouble, Scenario},
    style::Style,
};

use crate::{
    harness::{Stage, on_paused_clock, outcome},
    transitions::person,
};

const REASON: &str = "the region answers, and half of it is lost";

fn forced() -> Forced {
    Forced { by: person("ann"), reason: REASON.to_owned() }
}

fn summary(stage: &Stage, state: &State) -> String {
    let style = Style { colour: false, unicode: true, width: 200 };
    let standing = Standing::of(state, Some(false));
    let (now, commands) = (stage.clock.now(), Commands::default());
    let status = Status::of(state, standing, now, &commands);
    let brief = status.brief(&style);
    assert!(brief.lines().nth(1).unwrap().contains("by ann@here"), "{brief}");
    Summary::of(state, standing, now, &commands).text(&style)
}

#[test]
fn a_living_service_is_refused_without_force_and_left_with_it() {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::alive());
        let plan = stage.plan().await;
        let blocker = plan.findings.iter().find(|finding| finding.code == "service-looks-alive").unwrap();
        assert_eq!(blocker.severity, Severity::Blocker);
        assert!(blocker.remedy.contains("--force"));

        let mut stage = Stage::flagship(Scenario::alive());
        stage.forced = Some(forced());
        let plan = stage.plan().await;
        let warning = plan.findings.iter().find(|finding| finding.code == "service-looks-alive").unwrap();
        assert_eq!(warning.severity, Severity::Warning);
        assert!(warning.message.contains(REASON) && warning.message.contains("ann@here"), "{}", warning.message);

        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        let evidence = stage.events().into_iter().find_map(|event| match event {
            Event::StepSucceeded { step, evidence, .. } if step.as_str() == "confirm-outage" => Some(evidence),
            _ => None,
        });
        let evidence = evidence.unwrap();
        assert_eq!(evidence["observations"].as_array().unwrap().len(), 2);
        assert_eq!(evidence["forced"]["reason"], REASON);
        assert_eq!(evidence["overridden"][1], "service-looks-alive");
        let noted = stage.events().iter().any(|event| match event {
            Event::StepNoted { message, .. } => message.contains("looks alive") && message.contains(REASON),
            _ => false,
        });
        assert!(noted, "whoever watches is told");
        let text = summary(&stage, &state);
        assert!(text.lines().nth(1).unwrap().contains(REASON), "not first:\n{text}");
    });
}

#[test]
fn a_machine_that_sees_nothing_and_an_outage_that_nothing_shows_can_be_forced_too() {
    on_paused_clock(async {
        let mut scenario = Scenario::alive();
        // Nobody may read it, and its gateway refuses the question: unknown, twice.
        let quiet = |path: &str| Fault::status(403, "AuthorizationFailed").on("GET", path);
        scenario.faults = vec![
            quiet("apim-contoso-west?"),
            quiet("apim-contoso-west/providers/Microsoft.ResourceHealth"),
            Fault::status(403, "Forbidden").on("GET", "apim-contoso-west.azure-api.net/status-0123456789abcdef"),
        ];
        let mut stage = Stage::flagship(scenario);
        let code = |plan: &lifeboat::plan::Plan| -> Vec<(Severity, String)> {
            let of = plan.findings.iter().filter(|finding| finding.step == Some(StepId::new("confirm-outage")));
            of.map(|finding| (finding.severity, finding.code.clone())).collect()
        };
        let without = code(&stage.plan().await);
        stage.forced = Some(forced());
        let with = code(&stage.plan().await);
        assert_eq!(without.len(), 1);
        assert_eq!(without[0].0, Severity::Blocker);
        assert_eq!(with, [(Severity::Warning, without[0].1.clone())]);
    });
}

#[test]
fn the_decision_is_part_of_the_plan_and_old_plans_are_still_read() {
    on_paused_clock(async {
        let mut stage = Stage::flagship(Scenario::default());
        let plain = stage.plan().await;
        stage.forced = Some(forced());
        let forced = stage.plan().await;
        assert_ne!(plain.digest, forced.digest);
        let mut other = forced.clone();
        other.forced.as_mut().unwrap().reason.push('!');
        assert_ne!(digest(&other), forced.digest);
        let written = serde_json::to_value(&plain).unwrap();
        assert!(written.get("forced").is_none());
        let read: lifeboat::plan::Plan = serde_json::from_value(written).unwrap();
        assert_eq!(digest(&read), plain.digest);
    });
}

#[test]
fn the_decision_goes_with_the_run_to_another_machine() {
    on_paused_clock(async {
        for append in 0..6 {
            let mut stage = Stage::flagship(Scenario::alive());
            stage.forced = Some(forced());
            stage.start(Some(PowerCut { append, bytes: None })).await.unwrap_err();
            // Whoever resumes says nothing of it: the plan in the journal does.
            stage.forced = if append == 0 { stage.forced } else { None };
            let state = stage.resume(None).await.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{append}: {:?}", state.stopped);
            assert!(summary(&stage, &state).contains(REASON));
        }
    });
}

/// A proof that fails as long as the gateway is down, then a flip.
const PROOF: &str = "
version: 1
name: prove-then-flip
parameters:
  zone: { type: resource-id }
  standby: { type: resource-id }
steps:
  - id: look
    timeout: 1m
    retry: { attempts: 3, delay: 2m }
    do: { gateway.health-check: { service: '${{ params.standby }}', hostname: api.contoso.com } }
  - id: pause
    do: { wait: { duration: 10m } }
  - id: flip
    modes: [planned, unplanned]
    needs: [look, pause]
    do: { dns.flip-cname: { zone: '${{ params.zone }}', record: api, target: apim-contoso-east.azure-api.net } }
  - id: tell
    needs: [flip]
    when: \"${{ steps.look.address == '203.0.113.11:443' }}\"
    do: { wait: { duration: 1s } }
";

fn proving() -> Stage {
    let down = GatewayFault { service: "apim-contoso-east".to_owned(), trouble: GatewayTrouble::Down };
    let faults = vec![Fault::new(Act::Gateway(down))];
    Stage::with(Scenario { faults, ..Scenario::default() }, PROOF)
}

fn skip(step: &str) -> Request {
    Request::Skip { step: StepId::new(step), by: person("ann"), reason: REASON.to_owned() }
}

#[test]
fn a_proof_is_skipped_through_the_driver_and_the_flip_still_waits_for_its_other_need() {
    on_paused_clock(async {
        let mut stage = proving();
        stage.script = [("flip", 60), ("look", 1), ("look", 1)]
            .map(|(step, after)| (Duration::from_secs(after), skip(step)))
            .into();
        let began = stage.clock.now();
        let state = stage.start(None).await.unwrap();
        let told = stage.told.lock().unwrap().clone();
        assert!(told[0].as_ref().unwrap_err().contains("changes the world"), "{told:?}");
        assert_eq!(told[1], Ok(()));
        assert!(told[2].as_ref().unwrap_err().contains("is skipped already"), "{told:?}");
        let flipped = state.steps[2].started_at.unwrap();
        assert!(flipped.duration_since(began).as_mins() >= 10, "it did not wait for `pause`");
        assert_eq!(stage.world.effects().record_puts_accepted, 1);
        // What was skipped gives nothing: an expression on it fails, and says of which step.
        let (step, error) = state.failure().unwrap();
        assert_eq!((step.as_str(), error.code.as_str()), ("tell", "expression"));
        assert!(error.message.contains("look"), "{}", error.message);
        let text = summary(&stage, &state);
        assert!(text.lines().nth(1).unwrap().contains("step look was skipped by ann@here"), "{text}");
    });
}

#[test]
fn a_proof_is_skipped_when_nobody_drives_and_a_resume_goes_on() {
    on_paused_clock(async {
        let mut stage = proving();
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Failed));
        assert_eq!(stage.world.effects().record_puts_accepted, 0, "no green, no flip");
        let advice =
            Summary::of(&state, Standing::of(&state, Some(false)), stage.clock.now(), &Commands::default()).next;
        assert!(
            advice.iter().any(|advice| advice.command == "lifeboat skip test-run look --reason TEXT"),
            "{advice:?}"
        );
        stage.record(skip("look"));
        let state = stage.resume(None).await.unwrap();
        assert_eq!(state.steps[0].state.word(), "skipped");
        assert_eq!(stage.world.effects().record_puts_accepted, 1);
        assert!(summary(&stage, &state).contains("step look was skipped by ann@here"));
    });
}

#[test]
fn a_planned_switchover_asks_nobody_to_force_anything() {
    on_paused_clock(async {
        let mut stage = Stage::flagship(Scenario::alive());
        stage.mode = Mode::Drill;
        let plan = stage.plan().await;
        assert!(plan.findings.iter().all(|finding| finding.code != "service-looks-alive"));
    });
}
