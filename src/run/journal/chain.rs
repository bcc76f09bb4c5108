//! The chain: how one record is written as a line, and what holds the lines together. Pure.

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::FORMAT;
use crate::run::Event;

/// `prev` of the first record.
const NOTHING_BEFORE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Where the chain stands.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// Number of the next record.
    pub seq: u64,
    /// SHA-256 of the last line.
    pub prev: String,
}

impl Head {
    pub fn start() -> Self {
        Self { seq: 0, prev: NOTHING_BEFORE.to_owned() }
    }

    /// Appends one line with its line feed to `out` and moves on.
    pub fn write(&mut self, at: Timestamp, event: &Event, out: &mut Vec<u8>) {
        #[derive(Serialize)]
        struct Line<'a> {
            v: u32,
            seq: u64,
            at: Timestamp,
            prev: &'a str,
            event: &'a Event,
        }
        let start = out.len();
        let line = Line { v: FORMAT, seq: self.seq, at, prev: &self.prev, event };
        serde_json::to_writer(&mut *out, &line).expect("events have text keys and no failing serialiser");
        let sum = hex(&out[start..]);
        out.pop();
        out.extend_from_slice(b",\"sum\":\"");
        out.extend_from_slice(sum.as_bytes());
        out.extend_from_slice(b"\"}");
        self.prev = hex(&out[start..]);
        self.seq += 1;
        out.push(b'\n');
    }

    /// Moves on over a line that was read.
    pub fn pass(&mut self, line: &[u8]) {
        self.seq += 1;
        self.prev = hex(line);
    }
}

/// `Some` when the line ends in the checksum of what stands before it.
pub(super) fn check_sum(line: &[u8]) -> Option<()> {
    const TAIL: usize = ",\"sum\":\"".len() + 64 + "\"}".len();
    let at = line.len().checked_sub(TAIL)?;
    let (text, tail) = line.split_at(at);
    let mut whole = text.to_vec();
    whole.push(b'}');
    let expected = format!(",\"sum\":\"{}\"}}", hex(&whole));
    (tail == expected.as_bytes()).then_some(())
}

/// SHA-256, lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
