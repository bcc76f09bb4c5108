//! The journal: append-only JSON Lines with a hash chain, synced before the effect it announces.
//!
//! ```text
//! {"v":1,"seq":0,"at":"…","prev":"000…","event":{"type":"planned",…},"sum":"…"}
//! {"v":1,"seq":1,"at":"…","prev":sha256(line 0),"event":{…},"sum":"…"}
//! ```
//!
//! Resilient against: a cut at any byte (the torn last line is dropped and said), a flipped bit anywhere
//! (`sum` covers its own line, `prev` the one before), a newer format (refused by name).
//! Not resilient against: somebody who rewrites the whole file and all its hashes.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Event;

/// Version of every record. Changelog:
/// 1. The first.
pub const FORMAT: u32 = 1;

/// Longest journal that is read: a run of 10,000 steps is below 32 MiB.
const LARGEST: u64 = 1 << 30;

/// `prev` of the first record.
const NOTHING_BEFORE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

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

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{}: line {line} was written by a newer lifeboat (format {found}; this one reads up to {FORMAT})", path.display())]
    Newer { path: PathBuf, line: usize, found: u64 },
    #[error("{}: line {line} is damaged: {what}", path.display())]
    Damaged { path: PathBuf, line: usize, what: String },
    #[error("{}: holds no complete record", path.display())]
    Empty { path: PathBuf },
    #[error("{}: {size} bytes, more than the {LARGEST} that are read", path.display())]
    TooLarge { path: PathBuf, size: u64 },
    /// The power cut of a test.
    #[error("the power was cut")]
    Cut,
}

impl JournalError {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Io { path, .. } => format!(
                "free space or make {} writable, then resume the run; nothing was started that is not written down",
                path.parent().unwrap_or(path).display()
            ),
            Self::Newer { .. } => "use the newer lifeboat to go on with this run".to_owned(),
            Self::Damaged { path, line, .. } => format!(
                "do not edit the journal; keep a copy of {}, read the service and the DNS record by hand, and compare with the lines before {line}",
                path.display()
            ),
            Self::Empty { .. } => "the run never began; start it again under another id".to_owned(),
            Self::TooLarge { .. } => {
                "this is not a journal of lifeboat, or something wrote without end; look at its last lines".to_owned()
            }
            Self::Cut => "resume the run".to_owned(),
        }
    }
}

/// What loading a journal gave.
#[derive(Debug)]
pub struct Loaded {
    pub records: Vec<Record>,
    /// Bytes of a torn last line that were left out.
    pub torn: usize,
    head: Head,
}

impl Loaded {
    /// SHA-256 of the last whole line.
    pub fn head_hash(&self) -> &str {
        &self.head.prev
    }
}

/// Where the chain stands.
#[derive(Clone, Debug)]
struct Head {
    seq: u64,
    prev: String,
    /// Bytes of whole lines.
    length: u64,
}

impl Head {
    fn start() -> Self {
        Self { seq: 0, prev: NOTHING_BEFORE.to_owned(), length: 0 }
    }

    /// Appends one line with its line feed to `out` and moves on.
    fn write(&mut self, at: Timestamp, event: &Event, out: &mut Vec<u8>) {
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
        self.length += (out.len() - start) as u64;
    }
}

/// Where events go.
#[derive(Debug)]
pub struct Journal {
    head: Head,
    buffer: Vec<u8>,
    medium: Medium,
    /// Appends so far; one is one sync.
    pub appends: u64,
}

#[derive(Debug)]
enum Medium {
    File {
        file: File,
        path: PathBuf,
    },
    Memory {
        disk: Disk,
        cut: Option<PowerCut>,
    },
    /// Measures the engine without a disk.
    Null,
}

/// A simulated disk: what a crashed process leaves behind for the next one.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Vec<u8>>>);

impl Disk {
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn extend(&self, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
    }

    fn truncate(&self, length: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).truncate(length);
    }
}

/// A power cut of the crash tests: at the `append`-th append (from 0), after `bytes` bytes of it reached the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerCut {
    pub append: u64,
    /// `None`: the whole append is durable, and the power goes right after it.
    pub bytes: Option<usize>,
}

impl Journal {
    /// A new file, mode 0600; refuses to overwrite.
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|source| io_error("cannot create", path, source))?;
        // The name itself must survive a power cut.
        if let Some(directory) = path.parent() {
            sync_directory(directory).map_err(|source| io_error("cannot sync", directory, source))?;
        }
        Ok(Self::on(Head::start(), Medium::File { file, path: path.to_owned() }))
    }

    /// Goes on after what `load` read: cuts a torn line off first.
    pub fn open(path: &Path, loaded: &Loaded) -> Result<Self, JournalError> {
        let file =
            OpenOptions::new().append(true).open(path).map_err(|source| io_error("cannot write to", path, source))?;
        if loaded.torn > 0 {
            file.set_len(loaded.head.length)
                .map_err(|source| io_error("cannot cut the torn line off", path, source))?;
            file.sync_all().map_err(|source| io_error("cannot sync", path, source))?;
        }
        Ok(Self::on(loaded.head.clone(), Medium::File { file, path: path.to_owned() }))
    }

    /// On a simulated disk that outlives it.
    pub fn in_memory(disk: Disk, cut: Option<PowerCut>) -> Self {
        Self::on(Head::start(), Medium::Memory { disk, cut })
    }

    /// Goes on after what `parse` read from the simulated disk: cuts a torn line off first.
    pub fn resume_in_memory(disk: Disk, loaded: &Loaded, cut: Option<PowerCut>) -> Self {
        disk.truncate(usize::try_from(loaded.head.length).expect("it is in memory"));
        Self::on(loaded.head.clone(), Medium::Memory { disk, cut })
    }

    pub fn null() -> Self {
        Self::on(Head::start(), Medium::Null)
    }

    fn on(head: Head, medium: Medium) -> Self {
        Self { head, buffer: Vec::new(), medium, appends: 0 }
    }

    /// Writes all of `events` and returns when they are durable: one write, one sync.
    /// After an error the journal must not be used again: nobody knows what the disk holds.
    #[expect(clippy::unused_async, reason = "a journal in an object store waits for its network")]
    pub async fn append(&mut self, at: Timestamp, events: &[Event]) -> Result<(), JournalError> {
        if matches!(self.medium, Medium::Null) {
            return Ok(());
        }
        self.buffer.clear();
        for event in events {
            self.head.write(at, event, &mut self.buffer);
        }
        let turn = self.appends;
        self.appends += 1;
        match &mut self.medium {
            Medium::File { file, path } => {
                file.write_all(&self.buffer).map_err(|source| io_error("cannot write to", path, source))?;
                file.sync_data().map_err(|source| io_error("cannot sync", path, source))
            }
            Medium::Memory { disk, cut } => match cut {
                Some(PowerCut { append, bytes: part }) if *append == turn => {
                    disk.extend(&self.buffer[..part.unwrap_or(self.buffer.len()).min(self.buffer.len())]);
                    Err(JournalError::Cut)
                }
                Some(_) | None => {
                    disk.extend(&self.buffer);
                    Ok(())
                }
            },
            Medium::Null => Ok(()),
        }
    }
}

/// Reads a journal file whole.
pub fn load(path: &Path) -> Result<Loaded, JournalError> {
    let size = path.metadata().map_err(|source| io_error("cannot read", path, source))?.len();
    if size > LARGEST {
        return Err(JournalError::TooLarge { path: path.to_owned(), size });
    }
    let bytes = std::fs::read(path).map_err(|source| io_error("cannot read", path, source))?;
    parse(path, &bytes)
}

/// Reads a journal's bytes; `path` is only for messages.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Loaded, JournalError> {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut head = Head::start();
    let mut records = Vec::new();
    for (number, line) in bytes[..whole].split_inclusive(|byte| *byte == b'\n').enumerate() {
        let line = &line[..line.len() - 1];
        records.push(read_line(path, number + 1, line, &head)?);
        head.seq += 1;
        head.prev = hex(line);
        head.length += line.len() as u64 + 1;
    }
    if records.is_empty() {
        return Err(JournalError::Empty { path: path.to_owned() });
    }
    Ok(Loaded { records, torn: bytes.len() - whole, head })
}

fn read_line(path: &Path, line_number: usize, line: &[u8], head: &Head) -> Result<Record, JournalError> {
    #[derive(Deserialize)]
    struct Sniff {
        v: u64,
    }
    let damaged = |what: String| JournalError::Damaged { path: path.to_owned(), line: line_number, what };
    let body = check_sum(line);
    let sniff: Result<Sniff, _> = serde_json::from_slice(line);
    match (&sniff, body) {
        (Ok(Sniff { v }), _) if *v > u64::from(FORMAT) => {
            return Err(JournalError::Newer { path: path.to_owned(), line: line_number, found: *v });
        }
        (Err(error), _) => return Err(damaged(format!("it is not a record ({error})"))),
        (Ok(_), None) => return Err(damaged("its checksum does not match its text".to_owned())),
        (Ok(_), Some(())) => {}
    }
    let record: Record =
        serde_json::from_slice(line).map_err(|error| damaged(format!("it is not a record ({error})")))?;
    if record.seq != head.seq {
        return Err(damaged(format!("number {} expected, {} found", head.seq, record.seq)));
    }
    if record.prev != head.prev {
        return Err(damaged("it does not follow the line before (the hash chain is broken)".to_owned()));
    }
    Ok(record)
}

/// `Some` when the line ends in the checksum of what stands before it.
fn check_sum(line: &[u8]) -> Option<()> {
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

fn io_error(action: &'static str, path: &Path, source: io::Error) -> JournalError {
    JournalError::Io { action, path: path.to_owned(), source }
}

/// Makes new names in a directory durable.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        File::open(directory)?.sync_all()
    }
    #[cfg(not(unix))]
    {
        let _nothing_to_sync = directory;
        Ok(())
    }
}
