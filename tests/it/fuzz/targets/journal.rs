//! Journals: damage is refused by its line; what is read folds or is refused by name; what folds can be decided on, told
//! and shown.
//!
//! Nobody guesses a SHA-256, so each input is read twice: as it is, and *mended*, with every line numbered, chained and
//! summed anew. That is what a journal looks like that a strange version, or a malicious person, wrote.

use std::path::Path;

use jiff::Timestamp;
use lifeboat::{
    report::{Commands, Standing, Status, Summary, json, lines::Teller, runs::Row, story::Voice},
    run::{
        JournalError, State,
        decide::{decide, task},
        journal::{FORMAT, Loaded, hex, parse},
    },
    style::Style,
};
use serde_json::Value;

const NAME: &str = "fuzz/journal.jsonl";

pub fn hold(bytes: &[u8]) {
    read(bytes);
    read(&mended(bytes));
}

fn read(bytes: &[u8]) {
    match parse(Path::new(NAME), bytes) {
        Ok(loaded) => {
            whole(bytes, &loaded);
            folded(&loaded);
        }
        Err(error) => refused(bytes, &error),
    }
}

/// Every line that is JSON gets the number, the hash and the sum that it needs; the others stay.
fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut mended = Vec::with_capacity(bytes.len() + 256);
    let mut before = "0".repeat(64);
    for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let start = mended.len();
        match serde_json::from_slice::<Value>(line) {
            Ok(Value::Object(mut fields)) => {
                fields.remove("sum");
                fields.insert("seq".to_owned(), number.into());
                fields.insert("prev".to_owned(), before.into());
                let text = Value::Object(fields).to_string();
                let sum = hex(text.as_bytes());
                mended.extend_from_slice(&text.as_bytes()[..text.len() - 1]);
                mended.extend_from_slice(format!(",\"sum\":\"{sum}\"}}\n").as_bytes());
            }
            Ok(_) | Err(_) => mended.extend_from_slice(line),
        }
        before = hex(mended[start..].strip_suffix(b"\n").unwrap_or(&mended[start..]));
    }
    mended
}

fn refused(bytes: &[u8], error: &JournalError) {
    assert!(error.to_string().contains(NAME), "no file: {error}");
    assert!(!error.hint().trim().is_empty(), "no remedy: {error}");
    let lines = feeds(bytes);
    match error {
        JournalError::Damaged { line, .. } => assert!((1..=lines).contains(line), "{error} of {lines} lines"),
        JournalError::Newer { line, found, .. } => {
            assert!((1..=lines).contains(line), "{error} of {lines} lines");
            assert!(*found > u64::from(FORMAT), "{error}");
        }
        JournalError::Empty { .. } => assert_eq!(lines, 0, "{error}"),
        other => panic!("bytes alone cannot give this: {other}"),
    }
}

fn feeds(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count() - 1
}

/// Cut anywhere it is the records before the cut, and it is torn exactly there.
fn whole(bytes: &[u8], loaded: &Loaded) {
    let lines = feeds(bytes);
    assert_eq!(loaded.records.len(), lines);
    assert!(loaded.records.iter().enumerate().all(|(place, record)| record.seq == place as u64));
    let end = bytes.len() - loaded.torn;
    assert!(end == 0 || bytes[end - 1] == b'\n');
    let line_before_last = bytes[..end - 1].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    for cut in [line_before_last, line_before_last + 1, end - 1] {
        match parse(Path::new(NAME), &bytes[..cut]) {
            Ok(shorter) => {
                assert_eq!(shorter.records[..], loaded.records[..lines - 1], "cut at {cut}");
                assert_eq!(shorter.torn, cut - line_before_last);
            }
            Err(error) => assert!(lines == 1 && matches!(error, JournalError::Empty { .. }), "cut at {cut}: {error}"),
        }
    }
}

fn folded(loaded: &Loaded) {
    let (first, rest) = loaded.records.split_first().expect("a journal that was read has records");
    let mut state = match State::begin(first.at, &first.event) {
        Ok(state) => state,
        Err(illegal) => return assert!(!illegal.to_string().trim().is_empty()),
    };
    seen(&state, first.at);
    let mut lines = Teller::new(Style::plain(80), Voice::default());
    for record in rest {
        if let Err(illegal) = state.apply(record.at, &record.event) {
            assert!(illegal.to_string().contains(record.event.name()), "{illegal}");
            return;
        }
        let told = lines.lines(record.at, &record.event, &state);
        let is_line = |line: &String| line.strip_suffix('\n').is_some_and(|line| !line.contains(['\n', '\r', '\x1b']));
        assert!(told.iter().all(is_line), "{told:?}");
        let written = json::line(record.seq, record.at, &state.run, &record.event);
        serde_json::from_str::<Value>(&written).unwrap_or_else(|error| panic!("{written}: {error}"));
        seen(&state, record.at);
    }
}

/// Whatever state a journal tells of, `lifeboat status`, `report` and `resume` have an answer to it.
fn seen(state: &State, at: Timestamp) {
    let commands = Commands::default();
    let style = Style::plain(80);
    for driven in [None, Some(true), Some(false)] {
        let standing = Standing::of(state, driven);
        let status = Status::of(state, standing, at, &commands);
        assert!(!status.text(&style).is_empty() && !status.brief(&style).is_empty());
        let summary = Summary::of(state, standing, at, &commands);
        assert!(!summary.next.is_empty(), "nothing to type next");
        serde_json::to_value(&status).expect("it has text keys");
        let _row = Row::of(state, standing, at);
    }
    for place in 0..state.steps.len() {
        let _task = task(state, place);
    }
    let _decision = decide(state, at, &|_| false);
}
