//! What `lifeboat prove` found of a runbook: as a proof in a file says it, or as the page says it of the runbooks that
//! lifeboat ships. Pure.
//!
//! Never claims more than was tried: a proof of another text of the runbook says nothing of this one, and a proof in the
//! simulator says nothing of Azure.

use serde::{Deserialize, Serialize};

use crate::{plan::Plan, run::journal::hex, runbook::Mode};

/// Newest form of a proof that is understood: `FORMAT` in `prove`.
const NEWEST: u32 = 1;

const PAGE: &str = include_str!("../../../docs/explanation/safety.md");
const PAGE_NAME: &str = "docs/explanation/safety.md";

/// The runbooks that the page is about, as they are when this program is built. A test holds the page against them.
const SHIPPED: [(&str, &str); 4] = [
    ("runbooks/apim-failover.yaml", include_str!("../../../runbooks/apim-failover.yaml")),
    ("runbooks/apim-failback.yaml", include_str!("../../../runbooks/apim-failback.yaml")),
    ("runbooks/apim-backup.yaml", include_str!("../../../runbooks/apim-backup.yaml")),
    ("runbooks/traffic-switch.yaml", include_str!("../../../runbooks/traffic-switch.yaml")),
];

/// A proof that somebody gave, before it is held against a plan.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Proof {
    v: u32,
    runbook: String,
    /// None: an older version wrote it, and did not say.
    #[serde(default)]
    runbook_sha256: Option<String>,
    seed: u64,
    points: u32,
    resumable: u32,
    duplicate_effects: u32,
    unexplained_states: u32,
    partial: bool,
    modes: Vec<OfMode>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct OfMode {
    mode: Mode,
    rows: Vec<OfRow>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct OfRow {
    words: String,
    points: u32,
    same: u32,
    explained: Vec<(String, u32)>,
    failed: u32,
}

/// What is known of the plan's own runbook and mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CrashProof {
    /// File or page that says it.
    pub source: String,
    /// The last line of the proof, of all its modes and runbooks.
    pub line: String,
    /// It is of the very text that was planned.
    pub of_this_runbook: bool,
    /// These are some of the points, not all.
    pub partial: bool,
    /// Of the plan's mode. Empty: it was not proven in this mode, or it is of another text.
    pub rows: Vec<CrashRow>,
}

/// One thing that goes wrong, wherever it can.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CrashRow {
    pub what: String,
    /// How often it was tried.
    pub points: u32,
    /// Ended as if nothing had happened.
    pub same: u32,
    /// How the others ended, each with its reason: `stuck 1, undone 8`.
    pub otherwise: String,
    pub fails: u32,
}

impl Proof {
    /// `text`: as `lifeboat prove --format json` wrote it.
    ///
    /// # Errors
    /// Why it is no proof, as a lower-case fragment.
    pub fn read(text: &str) -> Result<Self, String> {
        let proof: Self = serde_json::from_str(text).map_err(|error| format!("it is no proof in JSON ({error})"))?;
        if proof.v > NEWEST {
            return Err(format!("it is a proof of form {}, and this version knows up to {NEWEST}", proof.v));
        }
        Ok(proof)
    }

    /// `source`: where it was read.
    pub fn of(&self, plan: &Plan, source: &str) -> CrashProof {
        let Self { seed, points, resumable, duplicate_effects, unexplained_states, .. } = self;
        let of_this_runbook = self.runbook_sha256.as_ref() == Some(&plan.runbook_sha256);
        let rows = self.modes.iter().filter(|it| of_this_runbook && it.mode == plan.mode).flat_map(|it| &it.rows);
        CrashProof {
            source: source.to_owned(),
            line: format!(
                "crash points {resumable}/{points} resumable · duplicate effects {duplicate_effects} · unexplained states \
                 {unexplained_states} · seed {seed}"
            ),
            of_this_runbook,
            partial: self.partial,
            rows: rows.map(OfRow::told).collect(),
        }
    }
}

impl OfRow {
    fn told(&self) -> CrashRow {
        let otherwise: Vec<String> = self.explained.iter().map(|(end, count)| format!("{end} {count}")).collect();
        let (what, otherwise) = (self.words.clone(), otherwise.join(", "));
        CrashRow { what, points: self.points, same: self.same, otherwise, fails: self.failed }
    }
}

/// What the page says of the plan's runbook. None: lifeboat does not ship this text.
pub fn shipped(plan: &Plan) -> Option<CrashProof> {
    let (path, _) = SHIPPED.iter().find(|(_, text)| hex(text.as_bytes()) == plan.runbook_sha256)?;
    Some(CrashProof {
        source: PAGE_NAME.to_owned(),
        line: PAGE.trim_end().lines().last().unwrap_or_default().to_owned(),
        of_this_runbook: true,
        partial: false,
        rows: section(path, plan.mode).lines().filter_map(row).collect(),
    })
}

fn section(path: &str, mode: Mode) -> &'static str {
    let after = PAGE.split(&format!("### `{path}`, {mode}\n")).nth(1).unwrap_or_default();
    after.split("\n### ").next().unwrap_or_default()
}

/// `| what (`slug`) | points | as undisturbed | otherwise | fails |`. None: another line.
fn row(line: &str) -> Option<CrashRow> {
    let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").map(str::trim).collect();
    let [what, points, same, otherwise, fails] = cells.as_slice() else { return None };
    let (what, _slug) = what.rsplit_once(" (`")?;
    Some(CrashRow {
        what: what.to_owned(),
        points: points.parse().ok()?,
        same: same.parse().ok()?,
        otherwise: (*otherwise).to_owned(),
        fails: fails.parse().ok()?,
    })
}

impl CrashProof {
    /// One sentence without full stop.
    pub fn sentence(&self, mode: Mode) -> String {
        let Self { source, line, .. } = self;
        if !self.of_this_runbook {
            return format!(
                "Crash safety: {source} does not say that it is of this text of the runbook, so it proves nothing of it ({line})"
            );
        }
        if self.rows.is_empty() {
            return format!("Crash safety: {source} proves this runbook, and not in the mode {mode} ({line})");
        }
        let sum = |count: fn(&CrashRow) -> u32| self.rows.iter().map(count).sum::<u32>();
        let (points, same, fails) = (sum(|row| row.points), sum(|row| row.same), sum(|row| row.fails));
        let some = if self.partial { "; only some points were tried" } else { "" };
        format!(
            "Crash safety: this text of the runbook was broken at {points} points in the mode {mode}, in the simulator: {same} \
             ended as if nothing had happened, {} otherwise and said why, {fails} broke a promise{some}. All of {source}: \
             {line}",
            points.saturating_sub(same + fails)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_about_the_runbooks_that_are_shipped() {
        let mut headings = 0;
        for heading in PAGE.lines().filter_map(|line| line.strip_prefix("### `")) {
            let (path, mode) = heading.split_once("`, ").unwrap();
            let mode = Mode::ALL.into_iter().find(|it| it.to_string() == mode).unwrap();
            assert!(SHIPPED.iter().any(|(shipped, _)| *shipped == path), "{path}");
            assert!(section(path, mode).lines().filter_map(row).count() > 20, "{heading}");
            headings += 1;
        }
        assert!(headings >= SHIPPED.len());
        assert!(PAGE.trim_end().lines().last().unwrap().starts_with("crash points "));
    }

    #[test]
    fn a_row_of_the_page_is_read_and_nothing_else_is() {
        let read = row("| the operation never ends (`stick-operation`) | 57 | 2 | stuck 55 | 0 |").unwrap();
        let CrashRow { what, points, same, otherwise, fails } = read;
        assert_eq!((what.as_str(), points, same, fails), ("the operation never ends", 57, 2, 0));
        assert_eq!(otherwise, "stuck 55");
        let all_alike = row("| 500 (`status-500`) | 95 | 95 |  | 0 |").unwrap();
        assert_eq!((all_alike.same, all_alike.otherwise.as_str()), (95, ""));
        for other in
            ["| What goes wrong | Points | As undisturbed | Otherwise, explained | Fails |", "|---|---|", "text"]
        {
            assert_eq!(row(other), None, "{other}");
        }
    }

    #[test]
    fn a_proof_of_a_later_form_is_refused_by_name() {
        assert!(Proof::read("{}").unwrap_err().starts_with("it is no proof in JSON"));
        let later = r#"{ "v": 2, "runbook": "x", "seed": 1, "points": 1, "resumable": 1, "duplicate_effects": 0,
            "unexplained_states": 0, "partial": false, "modes": [] }"#;
        assert_eq!(Proof::read(later).unwrap_err(), "it is a proof of form 2, and this version knows up to 1");
    }
}
