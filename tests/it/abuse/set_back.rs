//! The clock of a machine is set back, or a colleague's is behind: what was written down seems to come from the future.

use jiff::SignedDuration;
use lifeboat::{
    clock::Clock,
    report::{Commands, Judgement, Standing, Status, Summary},
    run::{Outcome, PowerCut},
    sim::Scenario,
    style::Style,
};

use crate::harness::{Stage, on_paused_clock, outcome};

const BACK: [SignedDuration; 2] = [SignedDuration::from_mins(1), SignedDuration::from_hours(2)];

#[test]
fn a_run_that_is_taken_up_in_its_past_ends_with_each_effect_once() {
    on_paused_clock(async {
        for back in BACK {
            for append in [2, 6, 9, 12, 16] {
                let mut stage = Stage::flagship(Scenario::default());
                stage.start(Some(PowerCut { append, bytes: None })).await.unwrap_err();
                // The world's own clock goes on as it was.
                stage.clock = Clock::starting_at(stage.clock.now() - back);
                let now = stage.clock.now();
                let mut state = stage.resume(None).await.unwrap();
                if outcome(&state) == Some(Outcome::Failed) {
                    // What waited for a moment of the world's clock waited too long by this one.
                    state = stage.resume(None).await.unwrap();
                }
                let told = format!("{back:?} back after append {append}: {:?}", state.stopped);
                assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{told}");
                let effects = stage.world.effects();
                assert_eq!((effects.restore_posts_received, effects.record_puts_received), (1, 1), "{told}");
                for at in [now, stage.clock.now()] {
                    let standing = Standing::of(&state, None);
                    let summary = Summary::of(&state, standing, at, &Commands::default());
                    // Whoever reads it sees that the clocks disagree, and is told no objective that was met by it.
                    let met = summary.objectives.rto.judgement == Judgement::Met;
                    assert!(summary.elapsed_s >= 0 || !met, "{told}: in {} s", summary.elapsed_s);
                    assert!(!Status::of(&state, standing, at, &Commands::default()).text(&Style::plain(80)).is_empty());
                }
            }
        }
    });
}
