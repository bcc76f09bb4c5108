//! Every code that a finding can have, as a table: what it means, what to do, and a scenario that produces it.
//!
//! Pure. Probes and readiness tell findings with these codes and no others; `docs/reference/readiness.md` is this table,
//! and a test produces each code with its scenario.

mod backups;
mod names;
mod receivers;
mod rehearsals;
mod rights;
mod services;
mod state;
mod steps;
mod storage;
mod switches;

use super::facts::{Finding, Severity};

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// Kebab-case; never given another meaning.
    pub code: &'static str,
    pub severity: Severity,
    /// A lower-case fragment.
    pub meaning: &'static str,
    /// What to do, when the finding itself says nothing more exact.
    pub remedy: &'static str,
    /// File in `examples/scenarios/readiness`, without its ending, that produces it with `runbooks/apim-failover.yaml`.
    pub scenario: &'static str,
    /// What has to be different besides: in the runbook, the site or the verb. Empty: nothing.
    pub with: &'static str,
    /// It says of something that it could not be read, so that the plan was made without it.
    pub unread: bool,
}

/// Areas of the table, in the order of the reference.
pub const AREAS: [(&str, &[Code]); 10] = [
    ("Services", services::CODES),
    ("Storage", storage::CODES),
    ("Backups", backups::CODES),
    ("Where runs are kept", state::CODES),
    ("Earlier runs and rehearsals", rehearsals::CODES),
    ("Who is told", receivers::CODES),
    ("Names", names::CODES),
    ("Other switches of traffic", switches::CODES),
    ("Rights, locks and limits", rights::CODES),
    ("Steps that could not be planned, and objectives", steps::CODES),
];

pub fn all() -> impl Iterator<Item = &'static Code> {
    AREAS.iter().flat_map(|(_, codes)| codes.iter())
}

pub fn find(code: &str) -> Option<&'static Code> {
    all().find(|row| row.code == code)
}

/// A finding with the severity and the remedy of its row.
///
/// # Panics
/// When the table has no such code: a test collects the codes of the source and holds them against the table.
pub fn finding(code: &str, message: impl Into<String>) -> Finding {
    let row = find(code).expect("every code of the source stands in the table");
    Finding { severity: row.severity, ..Finding::blocker(row.code, message, row.remedy) }
}

/// A row whose scenario has its own name.
const fn row(code: &'static str, severity: Severity, meaning: &'static str, remedy: &'static str) -> Code {
    Code { code, severity, meaning, remedy, scenario: code, with: "", unread: false }
}

const fn blocker(code: &'static str, meaning: &'static str, remedy: &'static str) -> Code {
    row(code, Severity::Blocker, meaning, remedy)
}

const fn warning(code: &'static str, meaning: &'static str, remedy: &'static str) -> Code {
    row(code, Severity::Warning, meaning, remedy)
}

const fn note(code: &'static str, meaning: &'static str, remedy: &'static str) -> Code {
    row(code, Severity::Note, meaning, remedy)
}

impl Code {
    /// A scenario that produces several codes.
    const fn seen_in(self, scenario: &'static str) -> Self {
        Self { scenario, ..self }
    }

    /// What has to be different besides the world.
    const fn with(self, with: &'static str) -> Self {
        Self { with, ..self }
    }

    /// Something could not be read.
    const fn unread(self) -> Self {
        Self { unread: true, ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_stands_once_and_says_what_to_do() {
        let mut seen = BTreeSet::new();
        for row in all() {
            assert!(seen.insert(row.code), "{} stands twice", row.code);
            let kebab = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
            assert!(row.code.chars().all(kebab), "{}", row.code);
            assert!(!row.meaning.is_empty() && !row.remedy.is_empty() && !row.scenario.is_empty(), "{}", row.code);
            assert_eq!(find(row.code), Some(row));
            let named_so = ["-unverified", "-unknown", "-unread", "-unreadable", "-silent"]
                .iter()
                .any(|end| row.code.ends_with(end));
            assert!(row.unread || !named_so, "{}: its name says that it could not be read", row.code);
        }
        assert_eq!(find("no-such-code"), None);
    }
}
