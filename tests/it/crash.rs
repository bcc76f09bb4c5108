//! The power is cut before, in the middle of and after every journal append of the flagship; another process resumes.
//! Same end, each effect exactly once.

use lifeboat::{
    run::{EngineError, JournalError, Outcome, PowerCut, State},
    runbook::Mode,
    sim::Scenario,
};

use crate::harness::{Stage, on_paused_clock, outcome};

/// Where in an append the power goes.
const PLACES: [Option<usize>; 3] = [Some(0), Some(100), None];

/// Time that passes until somebody resumes.
const PAUSES: [u64; 2] = [5, 40 * 60];

/// Every timeout of the flagship is longer.
const LONGEST_SHORT_PAUSE: u64 = 60;

#[test]
fn every_crash_point_of_the_flagship_is_resumed_with_each_effect_once() {
    let whole = on_paused_clock(async {
        let mut stage = Stage::flagship(Scenario::default());
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        stage.appends
    });
    let mut points = 0;
    for append in 0..whole {
        for bytes in PLACES {
            for pause in PAUSES {
                on_paused_clock(crash_once(PowerCut { append, bytes }, pause));
                points += 1;
            }
        }
    }
    println!("crash points {points}/{points} resumable, {whole} appends, restore POSTs 1, record PUTs 1 each time");
    assert!(whole > 15, "only {whole} appends: the flagship was not run");
}

/// A nightly backup: one POST, one manifest, and every expired backup gone, wherever the power goes.
#[test]
fn every_crash_point_of_the_backup_is_resumed_with_each_effect_once() {
    let stage = || Stage {
        mode: Mode::Planned,
        ..Stage::with(Scenario::alive(), include_str!("../../runbooks/apim-backup.yaml"))
    };
    let whole = on_paused_clock(async {
        let mut stage = stage();
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        stage.appends
    });
    let mut points = 0;
    for append in 0..whole {
        for bytes in PLACES {
            for pause in PAUSES {
                on_paused_clock(async {
                    let (cut, mut stage) = (PowerCut { append, bytes }, stage());
                    assert!(
                        matches!(stage.start(Some(cut)).await, Err(EngineError::Journal(JournalError::Cut))),
                        "{cut:?}"
                    );
                    stage.clock.sleep(std::time::Duration::from_secs(pause)).await;
                    let mut state = stage.resume(None).await.unwrap();
                    if pause > LONGEST_SHORT_PAUSE && state.failure().is_some_and(|(_, error)| error.code == "timeout")
                    {
                        state = stage.resume(None).await.unwrap();
                    }
                    let effects = stage.world.effects();
                    assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{cut:?}, {pause} s: {:?}", state.stopped);
                    assert_eq!(effects.backup_posts_received, 1, "{cut:?}, {pause} s: {effects:?}");
                    assert_eq!(effects.blob_puts_accepted, 1, "one manifest; {cut:?}, {pause} s: {effects:?}");
                    assert_eq!(effects.blob_deletes_accepted, 8, "{cut:?}, {pause} s: {effects:?}");
                });
                points += 1;
            }
        }
    }
    println!(
        "crash points {points}/{points} resumable, {whole} appends, backup POSTs 1, manifests 1, deletes 8 each time"
    );
    assert!(whole > 8, "only {whole} appends");
}

async fn crash_once(cut: PowerCut, pause: u64) {
    let mut stage = Stage::flagship(Scenario::default());
    match stage.start(Some(cut)).await {
        Err(EngineError::Journal(JournalError::Cut)) => {}
        Ok(_) | Err(_) => panic!("{cut:?} did not cut"),
    }
    stage.clock.sleep(std::time::Duration::from_secs(pause)).await;
    let mut state = stage.resume(None).await.unwrap();
    // A deadline that passed while nobody drove has passed: the step says so, and the next resume tries it again.
    let late = |state: &State| {
        state.failure().is_some_and(|(_, error)| error.code == "timeout" || error.code == "approval-missing")
    };
    if pause > LONGEST_SHORT_PAUSE && late(&state) {
        state = stage.resume(None).await.unwrap();
    }
    let effects = stage.world.effects();
    assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{cut:?}, {pause} s: {:?}", state.stopped);
    assert_eq!(effects.restore_posts_received, 1, "{cut:?}, {pause} s: {effects:?}");
    assert_eq!(effects.record_puts_accepted, 1, "{cut:?}, {pause} s: {effects:?}");
    let record = stage.world.record("contoso.com", "api").unwrap();
    assert_eq!(record.target.as_deref(), Some("apim-contoso-east.azure-api.net"), "{cut:?}, {pause} s");
}
