//! The journal on disk: format, torn tails, damage, newer formats, and the medium failing.

use std::path::Path;

use lifeboat::run::{
    Event, Journal, JournalError, Outcome, PowerCut,
    journal::{Disk, hex, load, parse},
};

use crate::{
    harness::at_once,
    transitions::{at, person, taken_up},
};

fn events() -> Vec<Event> {
    vec![
        taken_up(1, person("ann"), 7),
        Event::Confirmed { by: person("ann"), what: "api.contoso.com".into() },
        Event::RunStopped { outcome: Outcome::Interrupted, reason: "stopped by SIGINT".into() },
    ]
}

fn written() -> Vec<u8> {
    let disk = Disk::default();
    let mut journal = Journal::in_memory(disk.clone(), None);
    for (second, event) in events().into_iter().enumerate() {
        at_once(journal.append(at(i64::try_from(second).unwrap()), &[event])).unwrap();
    }
    disk.bytes()
}

/// Written by format 1 once and kept for ever.
const GOLDEN: &str = include_str!("fixtures/journal-v1.jsonl");

#[test]
fn the_format_is_the_golden_one() {
    assert_eq!(String::from_utf8(written()).unwrap(), GOLDEN);
    let read = parse(Path::new("golden"), GOLDEN.as_bytes()).unwrap();
    let found: Vec<Event> = read.records.into_iter().map(|record| record.event).collect();
    assert_eq!(found, events());
}

#[test]
fn each_line_carries_the_hash_of_the_line_before() {
    let mut before = "0".repeat(64);
    for (number, line) in GOLDEN.lines().enumerate() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["v"], 1);
        assert_eq!(value["seq"], number);
        assert_eq!(value["prev"], before);
        before = hex(line.as_bytes());
    }
}

#[test]
fn cut_at_every_byte_it_reads_the_whole_lines_and_says_what_is_torn() {
    let bytes = written();
    for length in 0..bytes.len() {
        let whole = bytes[..length].split(|byte| *byte == b'\n').count() - 1;
        match parse(Path::new("cut"), &bytes[..length]) {
            Ok(loaded) => {
                assert_eq!(loaded.records.len(), whole);
                let last = bytes[..length].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
                assert_eq!(loaded.torn, length - last);
            }
            Err(JournalError::Empty { .. }) => assert_eq!(whole, 0),
            Err(other) => panic!("cut at {length}: {other}"),
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_is_refused_by_name() {
    let bytes = written();
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1 << bit;
            match parse(Path::new("flipped"), &damaged) {
                Err(JournalError::Damaged { .. } | JournalError::Newer { .. } | JournalError::Empty { .. }) => {}
                Err(other) => panic!("byte {place} bit {bit}: {other}"),
                // The last line feed became something else: that is a torn line, and it is left out.
                Ok(loaded) => {
                    assert!(place == bytes.len() - 1 && loaded.torn > 0, "byte {place} bit {bit} went unseen");
                }
            }
        }
    }
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let line = GOLDEN.lines().next().unwrap().replacen("\"v\":1", "\"v\":2", 1) + "\n";
    let error = parse(Path::new("newer.jsonl"), line.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "newer.jsonl: line 1 was written by a newer lifeboat (format 2; this one reads up to 1)"
    );
    assert!(error.hint().contains("newer lifeboat"));
}

/// What a newer lifeboat writes may look just like ours, and mean something else.
#[test]
fn a_newer_record_of_the_same_look_is_refused_too() {
    let line = GOLDEN.lines().next().unwrap().replacen("\"v\":1", "\"v\":2", 1);
    let body = format!("{}}}", line.split(",\"sum\"").next().unwrap());
    let newer = format!("{},\"sum\":\"{}\"}}\n", body.strip_suffix('}').unwrap(), hex(body.as_bytes()));
    let refused = parse(Path::new("x"), newer.as_bytes()).unwrap_err();
    assert!(matches!(refused, JournalError::Newer { line: 1, found: 2, .. }), "{refused}");
}

#[test]
fn lines_taken_out_or_swapped_break_the_chain() {
    let lines: Vec<&str> = GOLDEN.lines().collect();
    for kept in [vec![0, 2], vec![1, 0, 2], vec![1, 2], vec![0, 1, 1, 2]] {
        let text: String = kept.iter().map(|line| format!("{}\n", lines[*line])).collect();
        let error = parse(Path::new("edited"), text.as_bytes()).unwrap_err();
        assert!(matches!(error, JournalError::Damaged { .. }), "{kept:?}: {error}");
    }
}

#[test]
fn a_file_goes_on_after_a_torn_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.jsonl");
    let mut journal = Journal::create(&path).unwrap();
    at_once(journal.append(at(0), &events()[..2])).unwrap();
    drop(journal);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"v\":1,\"seq\":2,\"at\":\"20");
    std::fs::write(&path, &bytes).unwrap();

    let loaded = load(&path).unwrap();
    assert_eq!((loaded.records.len(), loaded.torn), (2, 23));
    at_once(Journal::open(&path, &loaded).unwrap().append(at(2), &events()[2..])).unwrap();
    assert_eq!(load(&path).unwrap().records.len(), 3);
    assert_eq!(std::fs::read(&path).unwrap(), written_as(&[(0, 0..2), (2, 2..3)]));
}

fn written_as(appends: &[(i64, std::ops::Range<usize>)]) -> Vec<u8> {
    let disk = Disk::default();
    let mut journal = Journal::in_memory(disk.clone(), None);
    for (second, range) in appends {
        at_once(journal.append(at(*second), &events()[range.clone()])).unwrap();
    }
    disk.bytes()
}

#[test]
fn a_journal_is_never_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.jsonl");
    Journal::create(&path).unwrap();
    let error = Journal::create(&path).unwrap_err();
    assert!(error.to_string().starts_with("cannot create "), "{error}");
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.jsonl");
    Journal::create(&path).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

/// `/dev/full` takes every open and refuses every write, as a full disk does.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_with_a_remedy() {
    let bytes = written();
    let loaded = parse(Path::new("/dev/full"), &bytes).unwrap();
    let mut journal = Journal::open(Path::new("/dev/full"), &loaded).unwrap();
    let error = at_once(journal.append(at(9), &events()[..1])).unwrap_err();
    assert!(error.to_string().contains("No space left on device"), "{error}");
    assert!(error.hint().contains("free space"), "{}", error.hint());
}

#[test]
fn a_power_cut_keeps_what_reached_the_disk() {
    let whole = written();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for bytes in [Some(0), Some(17), None] {
        let disk = Disk::default();
        let mut journal = Journal::in_memory(disk.clone(), Some(PowerCut { append: 1, bytes }));
        at_once(journal.append(at(0), &events()[..1])).unwrap();
        assert!(matches!(at_once(journal.append(at(1), &events()[1..2])), Err(JournalError::Cut)));
        let kept = match bytes {
            Some(bytes) => first + bytes,
            None => first + whole[first..].iter().position(|byte| *byte == b'\n').unwrap() + 1,
        };
        assert_eq!(disk.bytes(), &whole[..kept]);
    }
}

#[test]
fn a_disk_without_room_keeps_what_fits_and_tells_where_each_append_began() {
    let whole = written();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let disk = Disk::default();
    let mut journal = Journal::in_memory(disk.clone(), None);
    at_once(journal.append(at(0), &events()[..1])).unwrap();
    disk.set_room(Some(first + 9));
    let error = at_once(journal.append(at(1), &events()[1..2])).unwrap_err();
    assert!(matches!(error, JournalError::Io { .. }), "{error}");
    assert_eq!(disk.bytes(), &whole[..first + 9]);
    assert_eq!(disk.appends(), [0, first]);
}

#[test]
fn the_last_line_has_the_hash_that_the_next_one_would_carry() {
    let bytes = written();
    let last = bytes[..bytes.len() - 1].rsplit(|byte| *byte == b'\n').next().unwrap();
    assert_eq!(parse(Path::new("j"), &bytes).unwrap().head_hash(), hex(last));
}

#[test]
fn a_file_that_is_no_journal_by_its_size_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.jsonl");
    std::fs::File::create(&path).unwrap().set_len((1 << 30) + 1).unwrap();
    assert!(matches!(load(&path), Err(JournalError::TooLarge { .. })));
}

#[test]
fn nobody_overtakes_the_owner_of_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::create(&directory.path().join("journal.jsonl")).unwrap();
    assert!(!journal.may_be_overtaken());
}
