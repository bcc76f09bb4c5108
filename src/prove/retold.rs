//! The story of a trial that breaks a promise, from its journal, for whoever has to find out why.

use crate::{
    report::{lines::Teller, story::Voice},
    run::{Record, State},
    style::Style,
};

/// Its end matters most.
const LAST_LINES: usize = 24;

/// Columns; what is longer is told whole.
const WIDE: usize = 160;

/// The last lines of what a person would have read, oldest first.
pub(super) fn story(records: &[Record]) -> Vec<String> {
    let mut records = records.iter();
    let Some(mut state) = records.next().and_then(|first| State::begin(first.at, &first.event).ok()) else {
        return Vec::new();
    };
    let mut teller = Teller::new(Style::plain(WIDE), Voice::default());
    let mut lines = Vec::new();
    for record in records {
        if state.apply(record.at, &record.event).is_err() {
            break;
        }
        lines.extend(teller.lines(record.at, &record.event, &state));
    }
    let lines = lines.iter().map(|line| line.trim_end().to_owned());
    let lines: Vec<String> = lines.collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].to_vec()
}
