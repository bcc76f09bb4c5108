//! Rehearsals: they touch nothing of production, put back what they moved, and tell how long the next run takes.

mod command;
mod estimate;
mod production;

use std::time::Duration;

use clap::Parser;
use lifeboat::{
    cli::{
        Session,
        arguments::Arguments,
        history::{self, MEASURED},
        machine::Machine,
    },
    plan::{Leftover, Measured},
    report::{
        Commands, Standing,
        drills::{self, Drills},
        measured,
    },
    run::{Event, Outcome, State, StepState},
    runbook::Mode,
    sim::Scenario,
    style::Style,
};

use crate::{
    harness::{Stage, on_paused_clock, outcome},
    store::{Place, holder, run_id},
    transitions::person,
};

fn drill(scenario: Scenario) -> Stage {
    Stage { mode: Mode::Drill, ..Stage::flagship(scenario) }
}

fn target(stage: &Stage, record: &str) -> String {
    stage.world.record("contoso.com", record).unwrap().target.unwrap()
}

#[test]
fn a_drill_restores_the_standby_moves_the_shadow_and_puts_it_back() {
    on_paused_clock(async {
        let mut stage = drill(Scenario::default());
        let before = (target(&stage, "api"), target(&stage, "api-drill"));
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        assert_eq!((target(&stage, "api"), target(&stage, "api-drill")), before);
        let effects = stage.world.effects();
        assert_eq!((effects.restores_completed, effects.record_puts_accepted), (1, 2), "there and back");
        assert!(stage.events().iter().any(|event| matches!(event, Event::UndoSucceeded { .. })));
        // What it took is what led to recovery, not what put it back; each step is measured, the flip too.
        let told = measured::measured(&state);
        let (took, ended) = (told.took.unwrap(), state.stopped.as_ref().unwrap().2);
        assert!(took < Duration::try_from(ended.duration_since(state.created_at)).unwrap());
        let steps: Vec<&str> = told.steps.iter().map(|step| step.id.as_str()).collect();
        assert_eq!(steps, ["find-backup", "verify-standby", "restore", "gateway-healthy", "flip", "propagated"]);
        assert!(told.steps.iter().all(|step| step.took <= took));
        assert!(told.steps[2].took >= Duration::from_mins(45));
        // What stays is written down.
        assert_eq!(told.left.len(), 1, "{:?}", told.left);
        assert!(told.left[0].starts_with("apim-contoso-east "), "{:?}", told.left);
    });
}

#[test]
fn a_drill_that_is_run_again_moves_the_shadow_again() {
    on_paused_clock(async {
        let mut stage = drill(Scenario::default());
        for (turn, run) in ["one", "two"].into_iter().enumerate() {
            stage.then(run, "runbooks/apim-failover.yaml", Mode::Drill);
            let state = stage.start(None).await.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
            assert_eq!(stage.world.effects().record_puts_accepted, 2 * (u32::try_from(turn).unwrap() + 1));
        }
    });
}

/// At whichever record the power goes, whoever resumes ends with the shadow put back; until then it is a leftover.
#[test]
fn a_drill_whose_process_dies_is_named_and_cleaned_up_by_a_resume() {
    on_paused_clock(async {
        let mut whole = drill(Scenario::default());
        whole.start(None).await.unwrap();
        let mut left: u64 = 0;
        for append in 2..whole.appends {
            let mut stage = drill(Scenario::default());
            let before = target(&stage, "api-drill");
            let cut = lifeboat::run::PowerCut { append, bytes: None };
            assert!(stage.start(Some(cut)).await.is_err());
            let (abandoned, now) = (folded(&stage), stage.clock.now());
            if abandoned.is_over() || abandoned.generation == 0 {
                continue;
            }
            let leftover = measured::leftover(&abandoned, Standing::Abandoned, now, &Commands::default()).unwrap();
            assert!(leftover.remedy.starts_with("`lifeboat abort test-run --undo --yes`"), "{}", leftover.remedy);
            left += leftover.left.len() as u64;
            let state = stage.resume(None).await.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{append}: {:?}", state.stopped);
            assert_eq!(target(&stage, "api-drill"), before, "{append}");
            let standing = Standing::of(&state, Some(false));
            assert_eq!(measured::leftover(&state, standing, now, &Commands::default()), None);
            assert!(measured::measured(&state).interrupted, "its times say when somebody came");
        }
        assert!(left > whole.appends / 4, "what it had changed was named: {left}");
    });
}

/// In a shared store most runs that are over are known by their row alone.
#[test]
fn a_drill_that_was_given_up_is_a_leftover_in_a_shared_store_too() {
    on_paused_clock(async {
        let mut stage = drill(Scenario::default());
        stage.start(None).await.unwrap();
        let place = Place::shared(&stage.clock);
        let claim = place.store.begin(&run_id(), &holder("ann")).await.unwrap();
        let events = stage.events();
        let mut journal = claim.begin(stage.clock.now(), &events[0]).await.unwrap();
        let flipped = events
            .iter()
            .position(|event| matches!(event, Event::StepSucceeded { step, .. } if step.as_str() == "flip"));
        let reason = "enough".to_owned();
        let given_up = [
            Event::StopRequested { by: person("ann"), abort: true, undo: false, reason: reason.clone() },
            Event::RunStopped { outcome: Outcome::Aborted, reason },
        ];
        for event in events[1..=flipped.unwrap()].iter().chain(&given_up) {
            journal.append(stage.clock.now(), std::slice::from_ref(event)).await.unwrap();
        }
        let (state, _) = claim.kept.load().await.unwrap();
        let row = serde_json::json!({ MEASURED: measured::measured(&state) });
        place.store.put_row(&state.run, state.is_over(), row).await.unwrap();
        assert_eq!(place.store.rows_of_ended().await.unwrap().len(), 1);

        let session = Session::new(Arguments::parse_from(["lifeboat", "drills"]).everywhere, Machine::here());
        let history = history::read(&session, &place.store).await;
        assert_eq!(history.runs.len(), 1, "{:?}", history.unread);
        assert_eq!(history.leftovers.len(), 1);
        assert!(history.leftovers[0].left.iter().any(|left| left.starts_with("api-drill.contoso.com ")));
    });
}

/// One that was killed and one that is stuck are no good ones, in words, in the chart and in the file.
#[test]
fn rehearsals_that_did_not_end_are_counted_as_that() {
    let good = on_paused_clock(async { measured::measured(&drill(Scenario::default()).start(None).await.unwrap()) });
    let killed = Measured { outcome: None, took: None, ..good.clone() };
    let stuck = Measured { outcome: Some(Outcome::Stuck), ..good.clone() };
    let leftover = Leftover {
        run: killed.run.clone(),
        runbook: "<b>other</b>".to_owned(),
        standing: "never ended".to_owned(),
        left: vec!["api-drill.contoso.com points at the standby".to_owned()],
        remedy: "take it back".to_owned(),
    };
    let runs = vec![good.clone(), killed.clone(), killed, stuck, good];
    let drills = Drills::of(runs, vec![leftover], None, None);
    let told = &drills.runbooks[0];
    assert_eq!((told.succeeded, told.failed, told.not_ended), (2, 1, 2));
    assert!(told.sentence().contains("2 rehearsals of apim-failover succeeded, 1 failed, 2 did not end"));
    let text = drills.text(&Style::plain(100));
    assert!(text.contains("took       1xxx1"), "{text}");
    let page = drills::page(&drills);
    assert!(page.contains("1 failed, 2 did not end") && page.contains("api-drill.contoso.com points at"), "{page}");
    assert_eq!((page.matches("actual good").count(), page.matches("actual bad").count()), (2, 3));
    assert_eq!(page.matches(">✗</text>").count(), 3, "not by colour alone");
    assert!(page.contains("&lt;b&gt;other") || page.contains("&#60;b&#62;other"), "{page}");
    // One look for all pages: what holds of a report's colours and tables holds of this one.
    assert_eq!(page.matches("<table").count(), page.matches("<caption>").count());
    assert!(page.contains(include_str!("../../src/report/paper/page.css")));
}

fn folded(stage: &Stage) -> State {
    let loaded = stage.load().unwrap();
    State::fold(loaded.records.iter().map(|record| (record.at, &record.event))).unwrap()
}

#[test]
fn a_real_failover_leaves_moved_what_it_moved() {
    on_paused_clock(async {
        let mut stage = Stage::flagship(Scenario::default());
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded));
        assert!(state.steps.iter().all(|record| !matches!(record.state, StepState::Undone)));
        assert_eq!(target(&stage, "api"), "apim-contoso-east.azure-api.net");
    });
}
