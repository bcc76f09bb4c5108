//! Random runbooks of the real actions, in random trouble, driven by processes that die, are taken over and are asked things.
//! After every event of every run the promises are held.
//!
//! `LIFEBOAT_SEED=7 cargo test simulate` runs one seed again and tells what it was like; `LIFEBOAT_SEEDS=5000` runs so many.

pub mod chance;
mod crowd;
mod promises;
mod runbooks;

use std::{
    panic::catch_unwind,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use crate::harness::on_paused_clock;
use chance::Chance;

/// Seeds of one `cargo test`; `.ci/run` runs 4,000 on top.
const SEEDS: u64 = 1000;

#[test]
fn whatever_happens_every_promise_holds() {
    if let Some(seed) = number("LIFEBOAT_SEED") {
        let told = one(seed).unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
        println!("seed {seed}: {told:?}");
        return;
    }
    let seeds = number("LIFEBOAT_SEEDS").unwrap_or(SEEDS);
    let (next, counts, broken) = (AtomicU64::new(0), Mutex::new(Counts::default()), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds || broken.lock().unwrap().len() >= 3 {
                return;
            }
            match one(seed) {
                Ok(told) => counts.lock().unwrap().add(&told),
                Err(what) => broken.lock().unwrap().push(format!("LIFEBOAT_SEED={seed} cargo test simulate: {what}")),
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let broken = broken.into_inner().unwrap();
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
    let counts = counts.into_inner().unwrap();
    println!("{seeds} seeds: {counts:?}");
    // What never happens proves nothing.
    let Counts { runs, events, generations, take_overs, changes, undone, failed, succeeded } = counts;
    assert!(runs * 10 > seeds * 7, "only {runs} of {seeds} runbooks could be run");
    for often in [events / 10, generations / 2, changes, succeeded * 2, failed * 20, take_overs * 4, undone * 40] {
        assert!(often > runs, "{counts:?}");
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// What a run was like.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    runs: u64,
    events: u64,
    /// Processes that drove.
    generations: u64,
    take_overs: u64,
    changes: u64,
    undone: u64,
    failed: u64,
    succeeded: u64,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.events += other.events;
        self.generations += other.generations;
        self.take_overs += other.take_overs;
        self.changes += other.changes;
        self.undone += other.undone;
        self.failed += other.failed;
        self.succeeded += other.succeeded;
    }
}

fn one(seed: u64) -> Result<Counts, String> {
    let lived = || on_paused_clock(Box::pin(crowd::live(&mut Chance::new(seed))));
    catch_unwind(lived).unwrap_or_else(|_| Err("a bug, told above".to_owned()))
}
