//! Durable runs, and what the disk itself costs, on the disk that `target` lies on.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use lifeboat::run::Journal;

use crate::{
    figure::{median, middle, per},
    stage::Stage,
};

/// Rounds of (b): in each, one run and one series of raw appends, so that a slow moment of the disk hits both.
const ROUNDS: usize = 5;

/// What one durable run took.
pub struct Durable {
    pub took: Duration,
    pub appends: u64,
    bytes: u64,
}

fn fresh() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().join("journal.jsonl");
    (directory, path)
}

pub fn drive(stage: &Stage) -> Durable {
    let (_directory, path) = fresh();
    let (took, journal) = stage.drive(|| Journal::create(&path).unwrap());
    Durable { took, appends: journal.appends, bytes: path.metadata().unwrap().len() }
}

fn append(file: &mut File, bytes: &[u8]) {
    file.write_all(bytes).unwrap();
    file.sync_data().unwrap();
}

fn create(path: &Path) -> File {
    OpenOptions::new().append(true).create_new(true).open(path).unwrap()
}

/// What a durable step took, what a raw append of as many bytes took in the same round, and the median of the rounds'
/// ratios: a disk that is slower for a while is slower for both.
pub struct Interleaved {
    pub step: Duration,
    pub raw: Duration,
    pub ratio: f64,
}

/// In each round half of the raw appends come before the run and half after it.
pub fn interleaved(stage: &Stage, steps: u32) -> Interleaved {
    let durable = drive(stage);
    let bytes = vec![b'x'; usize::try_from(durable.bytes / durable.appends).unwrap()];
    let rounds: Vec<(Duration, Duration)> = (0..ROUNDS)
        .map(|_| {
            let before = raw(&bytes, steps / 2);
            let step = per(drive(stage).took, steps);
            (step, per(before + raw(&bytes, steps - steps / 2), steps))
        })
        .collect();
    let mut ratios: Vec<f64> = rounds.iter().map(|(step, raw)| step.as_secs_f64() / raw.as_secs_f64()).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    Interleaved {
        step: middle(rounds.iter().map(|(step, _)| *step).collect()),
        raw: middle(rounds.iter().map(|(_, raw)| *raw).collect()),
        ratio: ratios[ROUNDS / 2],
    }
}

/// So many appends to a new file, each synced.
fn raw(bytes: &[u8], appends: u32) -> Duration {
    let (_directory, path) = fresh();
    let mut file = create(&path);
    let begin = Instant::now();
    for _ in 0..appends {
        append(&mut file, bytes);
    }
    begin.elapsed()
}

/// One raw append of a kilobyte.
pub fn one_sync() -> Duration {
    let (_directory, path) = fresh();
    let mut file = create(&path);
    median(|| {
        let begin = Instant::now();
        append(&mut file, &[b'x'; 1024]);
        begin.elapsed()
    })
}
