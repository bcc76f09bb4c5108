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
        let end = out.len() - 1;
        let written = Sha256::new_with_prefix(&out[start..end]);
        let sum = text_of(written.clone().chain_update(b"}"));
        out.truncate(end);
        out.extend_from_slice(b",\"sum\":\"");
        out.extend_from_slice(sum.as_bytes());
        out.extend_from_slice(b"\"}");
        self.prev = text_of(written.chain_update(&out[end..]));
        self.seq += 1;
        out.push(b'\n');
    }

    /// Moves on over a line that was read.
    pub fn pass(&mut self, hash: String) {
        self.seq += 1;
        self.prev = hash;
    }
}

/// The hash of a line without its line feed, when the line ends in the checksum of what stands before it.
pub(super) fn checked(line: &[u8]) -> Option<String> {
    const TAIL: usize = ",\"sum\":\"".len() + 64 + "\"}".len();
    let (text, tail) = line.split_at(line.len().checked_sub(TAIL)?);
    let read = Sha256::new_with_prefix(text);
    let expected = format!(",\"sum\":\"{}\"}}", text_of(read.clone().chain_update(b"}")));
    (tail == expected.as_bytes()).then(|| text_of(read.chain_update(tail)))
}

/// SHA-256, lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    text_of(Sha256::new_with_prefix(bytes))
}

fn text_of(sum: Sha256) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(64);
    for byte in sum.finalize() {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
