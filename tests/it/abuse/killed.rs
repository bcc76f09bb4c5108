//! SIGKILL, again and again, at moments that nobody chose.

use std::{
    hash::{BuildHasher, RandomState},
    process::Command,
    time::Duration,
};

use super::{QUICK, Random, attempts, journal};
use crate::process::{SPEED, Simulator, Watched, approve, assert_moved_once, output, state_word, text};

/// Names a seed to begin with, to repeat what a failure printed; the machine still has a say in the moments.
const SEED: &str = "LIFEBOAT_KILL_SEED";

/// Processes of one run that are killed; those after them live.
const LIVES: usize = 9;

/// Whoever is killed that often may miss the deadline of a step, which fails and is tried again.
const CALM_LIVES: usize = 6;

/// A flagship run each, side by side.
const RUNS: u64 = 3;

#[test]
fn killed_again_and_again_a_flagship_run_ends_with_each_effect_once() {
    let given = std::env::var(SEED).ok().map(|seed| seed.parse().expect("the seed is a number"));
    let seed: u64 = given.unwrap_or_else(|| RandomState::new().hash_one(0));
    std::thread::scope(|scope| {
        for number in 0..RUNS {
            scope.spawn(move || {
                let mut random = Random(seed.wrapping_add(number));
                let lived = std::panic::catch_unwind(move || many_lives(&mut random));
                lived.unwrap_or_else(|_| panic!("{SEED}={seed} repeats the moments"));
            });
        }
    });
}

fn many_lives(random: &mut Random) {
    let simulator = Simulator::start(SPEED, Some(QUICK));
    let state = simulator.path("state");
    let mut run = "life-0".to_owned();
    let mut ended = None;
    for life in 0..LIVES + CALM_LIVES {
        let command = next_life(&simulator, &mut run, life);
        let mut process = Watched::start(command);
        let (events, pause) = if life >= LIVES { (u64::MAX, 0) } else { (random.below(7), random.below(60)) };
        let alive = (0..events).all(|_| process.next(&simulator, &run).is_some());
        if !alive {
            let end = process.finish();
            let last = end.1.last().unwrap_or_else(|| panic!("it told nothing: {}", end.2)).clone();
            ended = Some(end);
            let reason = last["reason"].as_str().unwrap_or_default();
            if last["outcome"] == "failed" && ["no end within", "deadline"].iter().any(|late| reason.contains(late)) {
                continue;
            }
            break;
        }
        // Between two events too, in the middle of a request or of an append.
        std::thread::sleep(Duration::from_millis(pause));
        process.kill();
    }
    let (code, seen, story) = ended.expect("the last life is not cut short");
    assert_eq!(seen.last().unwrap()["outcome"], "succeeded", "{story}");
    // Every life costs time, and a slow machine may miss the objective.
    assert!(code == 0 || code == 7, "{code}: {story}");
    assert_moved_once(&simulator);
    assert_eq!(attempts(&simulator, "POST", "/restore?"), 1);
    assert!(journal(&state, &run).is_file());
    let verified = output(&mut simulator.lifeboat(&["verify", &run]));
    assert!(verified.status.success(), "{}", text(&verified));
}

/// Goes on with the run; begins another one when the process died before it had written the plan.
fn next_life(simulator: &Simulator, run: &mut String, life: usize) -> Command {
    let written = std::fs::read(journal(&simulator.path("state"), run)).unwrap_or_default();
    if !written.contains(&b'\n') {
        *run = format!("life-{life}");
        return simulator.run(run);
    }
    // It died after it had asked: the answer goes straight into the journal, since nobody drives the run.
    if state_word(simulator, run, "approve") == "asking" {
        approve(simulator, run);
    }
    simulator.lifeboat(&["resume", run, "--yes", "--output", "json"])
}
