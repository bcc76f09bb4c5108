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

/// One durable step of the run, and one raw append of as many bytes.
pub fn interleaved(stage: &Stage, steps: u32) -> (Duration, Duration) {
    drive(stage);
    let (mut engine, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let durable = drive(stage);
        let bytes = vec![b'x'; usize::try_from(durable.bytes / durable.appends).unwrap()];
        engine.push(per(durable.took, steps));
        let (_directory, path) = fresh();
        let mut file = create(&path);
        let begin = Instant::now();
        for _ in 0..steps {
            append(&mut file, &bytes);
        }
        raw.push(per(begin.elapsed(), steps));
    }
    (middle(engine), middle(raw))
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
