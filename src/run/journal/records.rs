//! Records as they are read: each line is checked against its own sum and against the line before. Pure.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    FORMAT, JournalError,
    chain::{Head, checked},
};
use crate::run::Event;

/// One line, as it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub v: u32,
    /// From 0, without gaps.
    pub seq: u64,
    pub at: Timestamp,
    /// SHA-256 of the line before, without its line feed, lower-case hex.
    pub prev: String,
    pub event: Event,
}

/// What loading a journal gave.
#[derive(Debug)]
pub struct Loaded {
    pub records: Vec<Record>,
    /// Bytes of whole lines in a file.
    pub(super) length: usize,
    /// Bytes of a torn last line that were left out.
    pub torn: usize,
    pub(super) head: Head,
}

impl Loaded {
    /// SHA-256 of the last whole line.
    pub fn head_hash(&self) -> &str {
        &self.head.prev
    }
}

/// Reads a journal's bytes; `path` is only for messages.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Loaded, JournalError> {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut head = Head::start();
    let mut records = Vec::new();
    for (number, line) in bytes[..whole].split_inclusive(|byte| *byte == b'\n').enumerate() {
        let line = &line[..line.len() - 1];
        records.push(read_line(path, number + 1, line, &mut head)?);
    }
    if records.is_empty() {
        return Err(JournalError::Empty { path: path.to_owned() });
    }
    Ok(Loaded { records, length: whole, torn: bytes.len() - whole, head })
}

/// One line without its line feed, which must follow `head`; moves that on.
pub(super) fn read_line(path: &Path, line_number: usize, line: &[u8], head: &mut Head) -> Result<Record, JournalError> {
    #[derive(Deserialize)]
    struct Sniff {
        v: u64,
    }
    let damaged = |what: String| JournalError::Damaged { path: path.to_owned(), line: line_number, what };
    let newer = |found: u64| JournalError::Newer { path: path.to_owned(), line: line_number, found };
    // What a newer lifeboat writes may look like anything but for its version: that comes before all else.
    let refused = |what: String| match serde_json::from_slice(line) {
        Ok(Sniff { v }) if v > u64::from(FORMAT) => newer(v),
        Ok(Sniff { .. }) => damaged(what),
        Err(error) => damaged(format!("it is not a record ({error})")),
    };
    let hash = checked(line).ok_or_else(|| refused("its checksum does not match its text".to_owned()))?;
    let record: Record =
        serde_json::from_slice(line).map_err(|error| refused(format!("it is not a record ({error})")))?;
    if record.v > FORMAT {
        return Err(newer(record.v.into()));
    }
    if record.seq != head.seq {
        return Err(damaged(format!("number {} expected, {} found", head.seq, record.seq)));
    }
    if record.prev != head.prev {
        return Err(damaged("it does not follow the line before (the hash chain is broken)".to_owned()));
    }
    head.pass(hash);
    Ok(record)
}
