//! Pauses, and steps that people do in place of the run.

use std::time::Duration;

use lifeboat::{
    azure::{apim, dns},
    report::Status,
    run::{EngineError, Event, JournalError, Outcome, PowerCut, StepState},
    runbook::ResourceId,
    sim::{Fault, Scenario},
};

use super::*;
use crate::harness::{on_paused_clock, outcome};

fn pause() -> Request {
    Request::Pause { by: person("ann"), reason: Some("the region may come back".to_owned()) }
}

fn lift() -> Request {
    Request::Resume { by: person("ben") }
}

/// What is written at the beginning of a `resume` of a run that is held.
fn lifted() -> Vec<Event> {
    vec![Event::PauseLifted { by: person("ben") }]
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}

#[test]
fn a_restore_goes_on_under_a_pause_and_nothing_after_it_starts() {
    on_paused_clock(async {
        let mut stage = Stage::flagship(Scenario::default());
        stage.script = vec![(minutes(20), pause()), (minutes(20), pause()), (minutes(240), lift())];
        let began = stage.clock.now();
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        assert!(stage.clock.now().duration_since(began).as_mins() >= 240);
        let events = stage.events();
        let place = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(wanted).unwrap();
        let paused = place(&|event| matches!(event, Event::Paused { .. }));
        let restored = place(&|event| matches!(event, Event::StepSucceeded { step, .. } if step.as_str() == "restore"));
        let lifted = place(&|event| matches!(event, Event::PauseLifted { .. }));
        assert!(paused < restored && restored < lifted);
        let started = events[paused..lifted].iter().any(|event| matches!(event, Event::StepStarted { .. }));
        assert!(!started, "a step started under the pause");
        let told = stage.told.lock().unwrap().clone();
        assert!(told[1].as_ref().unwrap_err().contains("ann has paused the run already"), "{told:?}");
    });
}

#[test]
fn a_pause_outlives_its_process_and_is_shown_until_a_resume_lifts_it() {
    let whole = on_paused_clock(async {
        let mut stage = Stage::flagship(Scenario::default());
        stage.script = vec![(minutes(20), pause()), (minutes(60), lift())];
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        stage.appends
    });
    let mut held = 0;
    for append in 0..whole {
        for bytes in [Some(0), Some(80), None] {
            let cut = PowerCut { append, bytes };
            held += u32::from(on_paused_clock(async {
                let mut stage = Stage::flagship(Scenario::default());
                stage.script = vec![(minutes(20), pause()), (minutes(60), lift())];
                match stage.start(Some(cut)).await {
                    Err(EngineError::Journal(JournalError::Cut)) => {}
                    Ok(_) | Err(_) => panic!("{cut:?} did not cut"),
                }
                stage.script.clear();
                stage.clock.sleep(Duration::from_secs(5)).await;
                let is_held = append > 0 && folded(&stage).hold.is_some();
                if is_held {
                    let state = folded(&stage);
                    let text = told(&stage, &state);
                    assert!(text.contains("paused by ann@here since"), "{cut:?}:\n{text}");
                    assert!(text.contains("the region may come back"), "{cut:?}:\n{text}");
                    stage.first = lifted();
                }
                let state = stage.resume(None).await.unwrap();
                assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{cut:?}: {:?}", state.stopped);
                let effects = stage.world.effects();
                assert_eq!((effects.restore_posts_received, effects.record_puts_accepted), (1, 1), "{cut:?}");
                is_held
            }));
        }
    }
    assert!(held > 5, "the power went under the pause only {held} times");
}

/// A flip that Azure refuses, with something behind it that needs what the flip gives.
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
    timeout: 30m
    do: { dns.verify-propagation: { zone: '${{ params.zone }}', record: api, target: '${{ steps.flip.target }}' } }
";

async fn refused_flip() -> Stage {
    let refused = Fault::status(403, "AuthorizationFailed").on("PUT", RECORD).times(1);
    let mut stage = Stage::with(Scenario { faults: vec![refused], ..Scenario::default() }, FLIP);
    let state = stage.start(None).await.unwrap();
    assert_eq!(outcome(&state), Some(Outcome::Failed), "{:?}", state.stopped);
    stage
}

/// Somebody does it in the portal.
async fn flip_by_hand(stage: &Stage) {
    let zone = ResourceId::parse(stage.world.site().parameters["zone"].as_str().unwrap()).unwrap();
    let arm = stage.context().arm;
    let found = dns::cname(&arm, &zone, "api").await.unwrap();
    let etag = found.etag.clone().unwrap();
    let wanted = dns::CnameRecord { cname: Some(NEW_TARGET.to_owned()), ttl: 60, ..found };
    dns::put_cname(&arm, &zone, &wanted, &etag).await.unwrap();
}

#[test]
fn a_flip_that_somebody_did_by_hand_is_adopted_once_it_is_seen() {
    on_paused_clock(async {
        let mut stage = refused_flip().await;
        let early = stage.look_and_record(adopt("flip"), None).await.unwrap_err();
        assert!(early.contains(OLD_TARGET) && early.contains(NEW_TARGET), "{early}");
        flip_by_hand(&stage).await;
        stage.look_and_record(adopt("flip"), None).await.unwrap();
        let state = folded(&stage);
        let StepState::Succeeded { outputs } = &state.steps[0].state else { panic!("{:?}", state.steps[0].state) };
        assert_eq!(outputs["target"], NEW_TARGET);
        assert_eq!(outputs["previous_target"], OLD_TARGET);
        let state = stage.resume(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        assert_eq!(stage.world.effects().record_puts_accepted, 1, "only the person's");
        let text = told(&stage, &state);
        let line = text.lines().nth(1).unwrap();
        assert!(line.contains("step flip was done by hand") && line.contains("ann@here"), "not first:\n{text}");
        assert!(line.contains("done in the portal"), "{line}");
        let (standing, now) = (Standing::of(&state, Some(false)), stage.clock.now());
        let status = Status::of(&state, standing, now, &Commands::default());
        let flip = status.steps.iter().find(|step| step.id.as_str() == "flip").unwrap();
        assert_eq!(flip.note.as_deref(), Some("done by hand, adopted by ann@here: done in the portal"));
    });
}

#[test]
fn an_adoption_whose_append_is_cut_is_asked_for_again() {
    on_paused_clock(async {
        for bytes in [Some(0), Some(100)] {
            let mut stage = refused_flip().await;
            flip_by_hand(&stage).await;
            let cut = PowerCut { append: 0, bytes };
            stage.look_and_record(adopt("flip"), Some(cut)).await.unwrap_err();
            assert!(folded(&stage).decided.is_empty(), "{cut:?}");
            stage.look_and_record(adopt("flip"), None).await.unwrap();
            let state = stage.resume(None).await.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{cut:?}: {:?}", state.stopped);
        }
    });
}

#[test]
fn a_step_that_is_held_is_done_by_hand_while_the_process_drives() {
    on_paused_clock(async {
        let text = FLIP.replace("steps:\n", "steps:\n  - id: before\n    do: { wait: { duration: 10m } }\n");
        let text = text.replace("  - id: flip\n", "  - id: flip\n    needs: [before]\n");
        let mut stage = Stage::with(Scenario::default(), &text);
        let at = |seconds: u64| Duration::from_secs(seconds);
        stage.script = vec![(at(60), pause()), (at(700), adopt("flip")), (at(1000), adopt("flip")), (at(1060), lift())];
        let (clock, world, context) = (stage.clock.clone(), stage.world.clone(), stage.context());
        tokio::spawn(async move {
            clock.sleep(at(900)).await;
            let zone = ResourceId::parse(world.site().parameters["zone"].as_str().unwrap()).unwrap();
            let found = dns::cname(&context.arm, &zone, "api").await.unwrap();
            let etag = found.etag.clone().unwrap();
            let wanted = dns::CnameRecord { cname: Some(NEW_TARGET.to_owned()), ttl: 60, ..found };
            dns::put_cname(&context.arm, &zone, &wanted, &etag).await.unwrap();
        });
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        let told = stage.told.lock().unwrap().clone();
        assert_eq!(told[0], Ok(()));
        assert!(told[1].as_ref().unwrap_err().contains("is not done"), "{told:?}");
        assert_eq!(told[2..], [Ok(()), Ok(())]);
        assert_eq!(stage.world.effects().record_puts_accepted, 1, "only the person's");
    });
}

#[test]
fn a_restore_that_somebody_did_by_hand_is_adopted_when_the_service_holds_what_the_backup_names() {
    on_paused_clock(async {
        let refused = Fault::status(403, "AuthorizationFailed").on("POST", "/restore?").times(1);
        let mut stage = Stage::flagship(Scenario { faults: vec![refused], ..Scenario::default() });
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Failed), "{:?}", state.stopped);
        let early = stage.look_and_record(adopt("restore"), None).await.unwrap_err();
        assert!(early.contains("is idle and as it was before this run"), "{early}");

        let place = state.place(&StepId::new("find-backup")).unwrap();
        let StepState::Succeeded { outputs } = &state.steps[place].state else { panic!("no backup was found") };
        let text = |name: &str| outputs["backup"][name].as_str().unwrap().to_owned();
        let request = apim::BackupRestoreRequest {
            storage_account: text("account"),
            container: text("container"),
            backup_name: text("name"),
            access: apim::StorageAccess::SystemAssigned,
        };
        let standby = ResourceId::parse(stage.world.site().parameters["standby"].as_str().unwrap()).unwrap();
        apim::restore(&stage.context().arm, &standby, &request).await.unwrap();
        stage.clock.sleep(minutes(10)).await;
        let busy = stage.look_and_record(adopt("restore"), None).await.unwrap_err();
        assert!(busy.contains("still changes in Azure"), "{busy}");
        stage.clock.sleep(minutes(60)).await;
        stage.look_and_record(adopt("restore"), None).await.unwrap();
        let state = stage.resume(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        assert_eq!(stage.world.effects().restores_accepted, 1, "only the person's");
    });
}
