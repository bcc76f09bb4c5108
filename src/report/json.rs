//! Events as JSON Lines, for programs: `{"v":1,"seq":n,"at":"…","run":"…","event":{…}}`.

use jiff::Timestamp;
use serde::Serialize;

use super::outlet::Inlet;
use crate::run::{Event, RunId, engine::Observer};

/// Version of a line. Changelog:
/// 1. The first.
pub const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Line<'a> {
    v: u32,
    /// The event's number in the journal, from 0.
    seq: u64,
    at: Timestamp,
    run: &'a RunId,
    event: &'a Event,
}

/// One line with its line feed.
///
/// # Panics
/// Never: events have text keys and hold nothing that cannot be written as JSON.
pub fn line(seq: u64, at: Timestamp, run: &RunId, event: &Event) -> String {
    let line = Line { v: FORMAT, seq, at, run, event };
    let mut text = serde_json::to_string(&line).expect("events have text keys and no maps that can fail");
    text.push('\n');
    text
}

/// `next` is the journal number of the first event that will be seen: the ones before were written by an earlier
/// drive, or, as the plan, before the engine began.
pub fn observer(inlet: Inlet, next: u64) -> Observer {
    let mut seq = next;
    Box::new(move |at, event, state| {
        inlet.send(line(seq, at, &state.run, event));
        seq += 1;
    })
}
