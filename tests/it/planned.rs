//! While both regions live: the planned switchover, and going back after a failover. Whole, and with the power cut at
//! every append.

use std::time::Duration;

use lifeboat::{
    plan::facts::Severity,
    report::{Commands, Standing, Summary},
    run::{EngineError, Event, JournalError, Outcome, PowerCut, State},
    runbook::Mode,
    sim::{Act, Fault, Scenario},
    style::Style,
};

use crate::harness::{Stage, on_paused_clock, outcome};

const HOME: &str = "apim-contoso-west.azure-api.net";
const AWAY: &str = "apim-contoso-east.azure-api.net";
const FAILBACK: &str = "runbooks/apim-failback.yaml";

fn target(stage: &Stage) -> String {
    stage.world.record("contoso.com", "api").unwrap().target.unwrap()
}

/// When a step began and ended.
fn span(state: &State, step: &str) -> (jiff::Timestamp, jiff::Timestamp) {
    let place = state.plan.steps.iter().position(|planned| planned.id.as_str() == step).unwrap();
    (state.steps[place].started_at.unwrap(), state.steps[place].ended_at.unwrap())
}

fn planned() -> Stage {
    let mut stage = Stage::flagship(Scenario::alive());
    stage.mode = Mode::Planned;
    stage
}

#[test]
fn a_planned_switchover_lowers_the_ttl_backs_up_and_moves_after_the_old_ttl() {
    on_paused_clock(async {
        let mut stage = planned();
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        let effects = stage.world.effects();
        assert_eq!((effects.backups_completed, effects.restores_completed, effects.record_puts_accepted), (1, 1, 2));
        assert_eq!(target(&stage), AWAY);
        let order = ["lower-ttl", "backup", "find-backup", "restore", "gateway-healthy", "flip"];
        for pair in order.windows(2) {
            assert!(span(&state, pair[0]).1 <= span(&state, pair[1]).0, "{pair:?}");
        }
        // The backup that was restored is the fresh one.
        let restored = stage.world.service("apim-contoso-east").unwrap().restored_from.unwrap();
        let begun = span(&state, "backup").0.strftime("%Y%m%d").to_string();
        assert!(restored.contains(&begun), "{restored}");
        let drained = span(&state, "old-ttl-over").1;
        assert!(drained.duration_since(span(&state, "lower-ttl").0).as_secs() >= 300, "the old TTL was 5m");
        assert!(drained <= span(&state, "flip").0);
        // What it restored is what it had taken itself: nothing is lost that was there when it began.
        assert_eq!(
            lifeboat::report::objectives(&state, stage.clock.now()).rpo.reached,
            Some(std::time::Duration::ZERO)
        );
    });
}

#[test]
fn the_name_does_not_move_before_a_long_old_ttl_is_over() {
    on_paused_clock(async {
        let mut scenario = Scenario::alive();
        scenario.zone.records.get_mut("api").unwrap().ttl = Duration::from_hours(3);
        let mut stage = Stage::flagship(scenario);
        stage.mode = Mode::Planned;
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        let waited = span(&state, "flip").0.duration_since(span(&state, "lower-ttl").0);
        assert!(waited.as_hours() >= 3, "{waited}");
    });
}

#[test]
fn each_mode_takes_its_own_steps() {
    on_paused_clock(async {
        for (mode, without) in [
            (Mode::Planned, vec!["confirm-outage"]),
            (Mode::Unplanned, vec!["lower-ttl", "backup", "old-ttl-over"]),
            (Mode::Drill, vec!["confirm-outage", "lower-ttl", "backup", "approve", "old-ttl-over"]),
        ] {
            let scenario = if mode == Mode::Unplanned { Scenario::default() } else { Scenario::alive() };
            let mut stage = Stage::flagship(scenario);
            stage.mode = mode;
            let state = stage.start(None).await.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{mode}: {:?}", state.stopped);
            let mut left_out: Vec<&str> = state.plan.left_out.iter().map(lifeboat::runbook::StepId::as_str).collect();
            let mut without = without;
            left_out.sort_unstable();
            without.sort_unstable();
            assert_eq!(left_out, without, "{mode}");
        }
    });
}

/// Cuts the power, lets somebody resume, and again when a deadline had passed meanwhile.
async fn through(stage: &mut Stage, cut: PowerCut) -> State {
    match stage.start(Some(cut)).await {
        Err(EngineError::Journal(JournalError::Cut)) => {}
        Ok(_) | Err(_) => panic!("{cut:?} did not cut"),
    }
    stage.clock.sleep(Duration::from_secs(5)).await;
    stage.resume(None).await.unwrap()
}

#[test]
fn every_crash_point_of_a_planned_switchover_is_resumed_with_each_effect_once() {
    let whole = on_paused_clock(async {
        let mut stage = planned();
        stage.start(None).await.unwrap();
        stage.appends
    });
    for append in 0..whole {
        // Before an append or after it: to whoever resumes, after one is before the next.
        let bytes = (append % 2 == 0).then_some(0);
        on_paused_clock(async {
            let cut = PowerCut { append, bytes };
            let mut stage = planned();
            let state = through(&mut stage, cut).await;
            let effects = stage.world.effects();
            assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{cut:?}: {:?}", state.stopped);
            let done = (effects.backup_posts_received, effects.restore_posts_received, effects.record_puts_accepted);
            assert_eq!(done, (1, 1, 2), "{cut:?}");
        });
    }
    println!("crash points {whole}/{whole} of a planned switchover resumable");
    assert!(whole > 20, "only {whole} appends");
}

/// A world whose home region is lost for a while, after the failover: traffic is away.
async fn failed_over() -> Stage {
    let outage = Fault::new(Act::RegionDown("West Europe".to_owned()));
    let faults = vec![outage.between(Duration::ZERO, Some(Duration::from_hours(3)))];
    let mut stage = Stage::flagship(Scenario { faults, ..Scenario::alive() });
    let state = stage.start(None).await.unwrap();
    assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
    assert_eq!(target(&stage), AWAY);
    stage.clock.sleep(Duration::from_hours(6)).await;
    stage.then("way-home", FAILBACK, Mode::Planned);
    stage
}

#[test]
fn after_a_failover_the_way_home_brings_the_live_configuration_back() {
    on_paused_clock(async {
        let mut stage = failed_over().await;
        let plan = stage.plan().await;
        assert!(plan.findings.iter().all(|finding| finding.severity != Severity::Blocker), "{:#?}", plan.findings);
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        assert_eq!(target(&stage), HOME);
        let restored = stage.world.service("apim-contoso-west").unwrap().restored_from.unwrap();
        assert!(restored.starts_with("apim-contoso-east-"), "{restored}: not the live one's");
        let effects = stage.world.effects();
        assert_eq!((effects.backups_completed, effects.restores_completed), (1, 2), "one restore away, one home");
        let style = Style { colour: false, unicode: true, width: 200 };
        let text = Summary::of(&state, Standing::of(&state, Some(false)), stage.clock.now(), &Commands::default());
        let text = text.text(&style);
        assert!(text.contains("held the same names as apim-contoso-west"), "{text}");
        assert!(text.contains("holds everything that its backup names"), "{text}");
    });
}

#[test]
fn what_only_one_of_the_two_has_is_told_before_it_is_overwritten() {
    on_paused_clock(async {
        let mut scenario = Scenario::alive();
        scenario.standby.content = scenario.active.content.clone();
        scenario.active.content.named_values.push("forgotten".to_owned());
        scenario.zone.records.get_mut("api").unwrap().target = AWAY.to_owned();
        let mut stage = Stage::flagship(scenario);
        stage.then("way-home", FAILBACK, Mode::Planned);
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        let told = state.plan.findings.iter().find(|finding| finding.code == "configuration-differs").unwrap();
        assert!(told.message.contains("only apim-contoso-west has 1 named values (forgotten)"), "{}", told.message);
        assert_eq!(target(&stage), HOME);
    });
}

#[test]
fn going_back_is_planned_or_not_at_all() {
    on_paused_clock(async {
        for mode in [Mode::Unplanned, Mode::Drill] {
            let mut stage = Stage::flagship(Scenario::alive());
            stage.then("way-home", FAILBACK, mode);
            let plan = stage.plan().await;
            let blocker = plan.findings.iter().find(|finding| finding.severity == Severity::Blocker).unwrap();
            assert_eq!(blocker.code, "nothing-in-this-mode");
        }
    });
}

#[test]
fn every_crash_point_of_the_way_home_is_resumed_with_each_effect_once() {
    let home = || async {
        let mut scenario = Scenario::alive();
        scenario.standby.content = scenario.active.content.clone();
        scenario.zone.records.get_mut("api").unwrap().target = AWAY.to_owned();
        let mut stage = Stage::flagship(scenario);
        stage.then("way-home", FAILBACK, Mode::Planned);
        stage
    };
    let whole = on_paused_clock(async {
        let mut stage = home().await;
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        let asked = stage.events().iter().filter(|event| matches!(event, Event::ApprovalGiven { .. })).count();
        assert_eq!(asked, 1);
        stage.appends
    });
    for append in 0..whole {
        // Before an append or after it: to whoever resumes, after one is before the next.
        let bytes = (append % 2 == 0).then_some(0);
        on_paused_clock(async {
            let cut = PowerCut { append, bytes };
            let mut stage = home().await;
            let state = through(&mut stage, cut).await;
            assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{cut:?}: {:?}", state.stopped);
            let effects = stage.world.effects();
            let done = (effects.backup_posts_received, effects.restore_posts_received, effects.record_puts_accepted);
            assert_eq!(done, (1, 1, 2), "{cut:?}");
            assert_eq!(target(&stage), HOME, "{cut:?}");
        });
    }
    println!("crash points {whole}/{whole} of a way home resumable");
}
