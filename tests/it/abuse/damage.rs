//! Journals that are cut, or have a bit of them flipped: every byte in this process, a sample as a process.

use std::{path::Path, process::Command};

use lifeboat::{
    run::{JournalError, Outcome, PowerCut, State, journal::parse},
    sim::Scenario,
};

use super::{changes, journal, quick, resumes};
use crate::{
    harness::{Stage, on_paused_clock, outcome},
    process::{Simulator, Watched, assert_moved_once, output, text},
};

/// Two steps, so that every byte of the journal can be tried.
const TINY: &str = "
version: 1
name: tiny
steps:
- { id: ask, do: { approval: { prompt: Now? } } }
- { id: wait, needs: [ask], do: { wait: { duration: 5m } } }
";

/// The journal of a run whose power went in the middle of a line, and which was taken up again.
fn real_journal() -> Vec<u8> {
    on_paused_clock(async {
        let mut stage = Stage::with(Scenario::default(), TINY);
        stage.start(Some(PowerCut { append: 3, bytes: Some(9) })).await.unwrap_err();
        let state = stage.resume(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded));
        stage.disk.bytes()
    })
}

/// Whatever a cut leaves is a run that somebody can go on with, or one that never began.
#[test]
fn cut_at_every_byte_it_is_what_was_whole() {
    let bytes = real_journal();
    let whole = parse(Path::new("whole"), &bytes).unwrap();
    let mut ends = 0;
    for length in 0..bytes.len() {
        ends += usize::from(length > 0 && bytes[length - 1] == b'\n');
        let last = bytes[..length].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        match parse(Path::new("cut"), &bytes[..length]) {
            Ok(loaded) => {
                assert_eq!(loaded.records[..], whole.records[..ends], "cut at {length}");
                assert_eq!(loaded.torn, length - last, "cut at {length}");
                State::fold(loaded.records.iter().map(|record| (record.at, &record.event))).unwrap();
            }
            Err(JournalError::Empty { .. }) => assert_eq!(ends, 0, "cut at {length}"),
            Err(other) => panic!("cut at {length}: {other}"),
        }
    }
    assert!(ends > 8, "{ends} lines are no run");
}

/// One bit of each byte: the checksum covers its line, so which one does not matter. `journal.rs` flips all eight.
#[test]
fn a_bit_flipped_anywhere_is_refused_by_its_line() {
    let mut bytes = real_journal();
    let last = bytes.len() - 1;
    let mut line = 1;
    for place in 0..bytes.len() {
        let bit = 1 << (place % 8);
        let feed = bytes[place] == b'\n';
        bytes[place] ^= bit;
        match parse(Path::new("flipped"), &bytes) {
            Err(JournalError::Damaged { line: told, .. } | JournalError::Newer { line: told, .. }) => {
                assert_eq!(told, line, "byte {place}");
            }
            Err(other) => panic!("byte {place}: {other}"),
            Ok(loaded) => assert!(place == last && loaded.torn > 0, "byte {place} went unseen"),
        }
        bytes[place] ^= bit;
        line += usize::from(feed);
    }
}

/// A run whose process was killed right after the restore was accepted, and its journal.
fn left() -> (Simulator, Vec<u8>) {
    let (simulator, runbook) = quick();
    let mut first = Watched::start(simulator.run_of(&runbook, "left"));
    assert!(first.until(&simulator, "left", "operation-accepted", "restore"), "{}", first.finish().2);
    first.kill();
    let bytes = std::fs::read(journal(&simulator.path("state"), "left")).unwrap();
    (simulator, bytes)
}

/// Where in the line of `operation-accepted` the journal is cut.
const CUTS: [f64; 4] = [0.0, 0.01, 0.5, 0.999];

#[test]
fn a_process_goes_on_after_whatever_cut() {
    std::thread::scope(|scope| {
        for cut in CUTS {
            scope.spawn(move || {
                let (simulator, bytes) = left();
                let start = find(&bytes, b"\"type\":\"operation-accepted\"");
                let start = bytes[..start].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
                let length = bytes[start..].iter().position(|byte| *byte == b'\n').unwrap();
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a line")]
                let torn = (length as f64 * cut) as usize;
                std::fs::write(journal(&simulator.path("state"), "left"), &bytes[..start + torn]).unwrap();

                let verified = text(&output(&mut simulator.lifeboat(&["verify", "left"])));
                assert_eq!(verified.contains("a torn last line"), torn > 0, "{verified}");
                let status = text(&output(&mut simulator.lifeboat(&["status", "left"])));
                assert!(status.contains("lifeboat resume left"), "{status}");
                let told = resumes(&simulator, "left");
                assert_eq!(told.contains("ended in a torn line"), torn > 0, "{told}");
            });
        }
    });
}

fn find(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|window| window == part).unwrap()
}

/// Every verb that reads a journal.
const VERBS: [&[&str]; 6] = [
    &["verify", "left"],
    &["status", "left"],
    &["resume", "left", "--yes"],
    &["abort", "left"],
    &["approve", "left", "flip"],
    &["skip", "left", "find", "--reason", "x"],
];

#[test]
fn a_process_refuses_a_damaged_journal_and_changes_nothing() {
    let (simulator, bytes) = left();
    let path = journal(&simulator.path("state"), "left");
    let sent = changes(&simulator);
    let flipped = |place: usize| {
        let mut damaged = bytes.clone();
        damaged[place] ^= 4;
        damaged
    };
    let first_line = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    let cases: [(&str, Vec<u8>); 6] = [
        ("line 1 is damaged", flipped(first_line / 2)),
        ("line 1 is damaged", flipped(first_line)),
        ("line 3 is damaged", flipped(first_line + find(&bytes[first_line..], b"\"seq\":2") + 6)),
        ("holds no complete record", bytes[..first_line].to_vec()),
        ("holds no complete record", Vec::new()),
        ("line 1 was written by a newer lifeboat", [b"{\"v\":9}\n".as_slice(), &bytes].concat()),
    ];
    for (expected, damaged) in cases {
        std::fs::write(&path, &damaged).unwrap();
        for verb in VERBS {
            let refused = output(&mut simulator.lifeboat(verb));
            let told = text(&refused);
            assert_eq!(refused.status.code(), Some(4), "{verb:?} of {expected}: {told}");
            assert!(told.contains(expected) && told.contains("journal.jsonl"), "{verb:?} of {expected}: {told}");
            assert!(told.contains("next: "), "no remedy, {verb:?} of {expected}: {told}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), damaged, "a damaged journal is evidence: {expected}");
        let listed = output(&mut simulator.lifeboat(&["runs"]));
        assert!(listed.status.success() && text(&listed).contains("left"), "{}", text(&listed));
    }
    assert_eq!(changes(&simulator), sent);

    std::fs::write(&path, &bytes).unwrap();
    resumes(&simulator, "left");
}

/// A run that died before its plan was written has begun nothing, so it stands in nobody's way.
#[test]
fn a_run_that_never_began_holds_no_service() {
    for torn in [&b""[..], b"{\"v\":1,\"seq\":0,\"at\":\"20"] {
        let (simulator, runbook) = quick();
        let mut first = Watched::start(simulator.run_of(&runbook, "unborn"));
        assert!(first.until(&simulator, "unborn", "step-started", "find"), "{}", first.finish().2);
        first.kill();
        std::fs::write(journal(&simulator.path("state"), "unborn"), torn).unwrap();
        let other: Command = simulator.run_of(&runbook, "other");
        let done = output(&mut { other });
        assert_eq!(done.status.code(), Some(0), "{}", text(&done));
        assert_moved_once(&simulator);
    }
}
