//! The journal in a shared store: one object a record, created only if absent. Whoever cannot create the next one has
//! been superseded.
//!
//! ```text
//! 0000000000.json   {"v":1,"seq":0,…}⏎     the very line that a file would have
//! 0000000001.json   {"v":1,"seq":1,…}⏎
//! ```
//!
//! Records are created one after the other, so what is there is always a prefix. A gap is damage.

use std::path::PathBuf;

use jiff::Timestamp;

use super::{JournalError, LARGEST, Loaded, Record, chain::Head, records::read_line, succession::Succession};
use crate::{
    net::{Objects, objects::Created},
    run::Event,
};

/// Name of a record's object.
pub fn name(seq: u64) -> String {
    format!("{seq:010}.json")
}

/// Number in the name of a record's object; none when it is something else's.
fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json").filter(|digits| digits.len() == 10)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Appends each event as one object. An error leaves a prefix of them there.
pub(super) async fn append(
    objects: &Objects,
    succession: &Succession,
    head: &mut Head,
    at: Timestamp,
    events: &[Event],
) -> Result<(), JournalError> {
    for event in events {
        let (mut line, mut next) = (Vec::new(), head.clone());
        next.write(at, event, &mut line);
        let object = name(head.seq);
        match objects.create(&object, line).await? {
            Created::Ours => *head = next,
            Created::Taken(_) => {
                return Err(match succession.look().await? {
                    Some(to) => JournalError::Superseded { to: Box::new(to) },
                    None => JournalError::Overtaken { path: PathBuf::from(objects.shown(&object)) },
                });
            }
        }
    }
    Ok(())
}

/// Reads a journal whole: one listing, then every record side by side.
pub async fn load(objects: &Objects) -> Result<Loaded, JournalError> {
    let mut head = Head::start();
    let records = read_on(objects, &mut head).await?;
    if records.is_empty() {
        return Err(JournalError::Empty { path: PathBuf::from(objects.shown("")) });
    }
    Ok(Loaded { records, length: 0, torn: 0, head })
}

/// Reads what follows `head`, and moves it on.
pub(super) async fn read_on(objects: &Objects, head: &mut Head) -> Result<Vec<Record>, JournalError> {
    let place = |name: &str| PathBuf::from(objects.shown(name));
    let listed = objects.list().await?;
    let size = listed.iter().map(|object| object.size).sum();
    if size > LARGEST {
        return Err(JournalError::TooLarge { path: place(""), size });
    }
    let numbers: Vec<u64> =
        listed.iter().filter_map(|object| number(&object.name)).filter(|seq| *seq >= head.seq).collect();
    for (seq, found) in (head.seq..).zip(&numbers) {
        if seq != *found {
            return Err(JournalError::Missing { path: place(&name(seq)), after: place(&name(*found)) });
        }
    }
    let names: Vec<String> = numbers.iter().map(|seq| name(*seq)).collect();
    let mut records = Vec::with_capacity(names.len());
    for (name, bytes) in names.iter().zip(objects.read_all(&names).await?) {
        let damaged = |what: &str| JournalError::Damaged { path: place(name), line: 1, what: what.to_owned() };
        let bytes = bytes.ok_or_else(|| JournalError::Missing { path: place(name), after: place("") })?;
        let line = bytes.strip_suffix(b"\n").ok_or_else(|| damaged("it does not end in a line feed"))?;
        if line.contains(&b'\n') {
            return Err(damaged("it holds more than one line"));
        }
        records.push(read_line(&place(name), 1, line, head)?);
    }
    Ok(records)
}
