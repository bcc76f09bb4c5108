//! What earlier runs took, and what earlier rehearsals left behind: what predictions and the policy on rehearsals rest on.
//!
//! Pure: whoever reads the journals hands it in. Never mixes what a simulated Azure took with what the real one took.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    run::{Outcome, RunId},
    runbook::{ActionKind, Mode, StepId, span},
    site::Rehearsal,
    style::moment,
};

use super::{codes, facts::Finding};

/// Runs that a prediction looks back on, the newest: what a service took years ago says little of what it takes now.
pub const WINDOW: usize = 100;

pub const NOT_REHEARSED: &str = "not-rehearsed";
pub const LEFT_OVER: &str = "drill-left-over";
pub const HISTORY_UNREAD: &str = "history-unread";

/// How long one step took, from its first attempt until it counted as done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasuredStep {
    pub id: StepId,
    pub action: ActionKind,
    #[serde(with = "span")]
    pub took: Duration,
}

/// One run as it was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    pub run: RunId,
    pub runbook: String,
    /// SHA-256 of the runbook's bytes.
    pub runbook_sha256: String,
    pub mode: Mode,
    /// Its Azure was a simulated one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
    pub started_at: Timestamp,
    /// How its last drive ended; none: it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// From its beginning until its last step was done; putting back what a drill moved is not counted. None: it did not
    /// get there.
    #[serde(default, with = "span::optional", skip_serializing_if = "Option::is_none")]
    pub took: Option<Duration>,
    /// The recovery time objective that it was held against.
    #[serde(default, with = "span::optional", skip_serializing_if = "Option::is_none")]
    pub objective: Option<Duration>,
    /// A person decided something in its place, or against what it saw: it was not rehearsed from its beginning to its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_hand: bool,
    /// It stopped on the way and somebody went on with it: its times say when people came, not what Azure took.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// Those that were done by the tool itself, in the plan's order.
    pub steps: Vec<MeasuredStep>,
    /// What it changed and did not take back, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
}

impl Measured {
    /// Whether it tells how long such a run takes.
    fn is_whole(&self) -> bool {
        self.outcome == Some(Outcome::Succeeded) && !self.interrupted && self.took.is_some()
    }

    /// A rehearsal that was given up and did not take back everything.
    pub fn gave_up_a_drill(&self) -> bool {
        self.mode == Mode::Drill && self.outcome == Some(Outcome::Aborted) && !self.left.is_empty()
    }

    pub fn step(&self, id: &StepId) -> Option<Duration> {
        self.steps.iter().find(|step| step.id == *id).map(|step| step.took)
    }
}

/// What a rehearsal left behind that never came to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    pub run: RunId,
    pub runbook: String,
    /// Lower-case fragment: how it stands.
    pub standing: String,
    /// A sentence each.
    pub left: Vec<String>,
    /// What to type, or to do by hand.
    pub remedy: String,
}

impl Leftover {
    fn finding(&self) -> Finding {
        let left = if self.left.is_empty() { "nothing that is known".to_owned() } else { self.left.join("; ") };
        let message = format!("the drill {} of {} {}; it left: {left}", self.run, self.runbook, self.standing);
        Finding { remedy: self.remedy.clone(), ..codes::finding(LEFT_OVER, message) }.on(&*self.run.0)
    }
}

/// What somebody plans, and wants to know whether it was rehearsed.
#[derive(Clone, Copy, Debug)]
pub struct Rehearsed<'a> {
    pub runbook: &'a str,
    /// Of the runbook's bytes.
    pub sha256: &'a str,
    pub mode: Mode,
    pub simulated: bool,
}

/// What is known of earlier runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The oldest first.
    pub runs: Vec<Measured>,
    pub leftovers: Vec<Leftover>,
    /// Why not all of it could be read. Lower-case fragment.
    pub unread: Option<String>,
}

impl History {
    /// Nobody kept any.
    pub fn none() -> Self {
        Self::default()
    }

    /// As it was known at a time.
    #[must_use]
    pub fn before(&self, at: Timestamp) -> Self {
        let runs = self.runs.iter().filter(|run| run.started_at < at).cloned().collect();
        Self { runs, leftovers: Vec::new(), unread: self.unread.clone() }
    }

    /// Whole runs of a runbook, the newest of them, the oldest first.
    pub fn of_runbook<'a>(&'a self, runbook: &str, simulated: bool) -> Vec<&'a Measured> {
        let of = |run: &&Measured| run.runbook == runbook && run.simulated == simulated && run.is_whole();
        newest(self.runs.iter().filter(of).collect())
    }

    /// How long an action took in any step of any runbook.
    pub fn of_action(&self, action: ActionKind, simulated: bool) -> Vec<Duration> {
        let runs = self.runs.iter().filter(|run| run.simulated == simulated && !run.interrupted);
        let of = |step: &&MeasuredStep| step.action == action;
        newest(runs.flat_map(|run| run.steps.iter().filter(of)).map(|step| step.took).collect())
    }

    /// When a runbook was last rehearsed from its beginning to its end by the tool itself. `text`: as this very text, by its
    /// SHA-256; none: as any text of its name.
    fn last_rehearsal(&self, of: &Rehearsed<'_>, text: Option<&str>) -> Option<&Measured> {
        let is_one = |run: &&Measured| {
            let is_whole = run.mode == Mode::Drill && run.outcome == Some(Outcome::Succeeded) && !run.by_hand;
            let is_same = run.runbook == of.runbook && text.is_none_or(|text| run.runbook_sha256 == text);
            is_whole && is_same && run.simulated == of.simulated
        };
        self.runs.iter().filter(is_one).max_by_key(|run| run.started_at)
    }

    /// What somebody who plans a run should know of the ones before.
    pub fn findings(&self, of: &Rehearsed<'_>, policy: Option<Rehearsal>, now: Timestamp) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.leftovers.iter().map(Leftover::finding).collect();
        if let Some(why) = &self.unread {
            let message = format!("not every earlier run could be read, so predictions may rest on less: {why}");
            findings.push(codes::finding(HISTORY_UNREAD, message));
        }
        if let Some(policy) = policy.filter(|_| of.mode != Mode::Drill) {
            findings.extend(self.overdue(of, policy, now));
        }
        findings
    }

    fn overdue(&self, of: &Rehearsed<'_>, policy: Rehearsal, now: Timestamp) -> Option<Finding> {
        let runbook = of.runbook;
        let within = span::format(policy.within);
        let limit = SignedDuration::try_from(policy.within).unwrap_or(SignedDuration::MAX);
        let in_time = |last: &&Measured| now.duration_since(last.started_at) <= limit;
        if self.last_rehearsal(of, Some(of.sha256)).as_ref().is_some_and(in_time) {
            return None;
        }
        let message = match self.last_rehearsal(of, None) {
            // A word in a description may be all that was changed, or the restore: only people can tell.
            Some(last) if in_time(&last) => {
                let (at, run) = (moment(last.started_at), &last.run);
                let message = format!("{runbook} was changed since it was last rehearsed, at {at}, by run {run}");
                let remedy = "see what was changed; if it is more than words, rehearse it anew with `lifeboat drill`";
                return Some(Finding::warning(NOT_REHEARSED, message, remedy));
            }
            Some(last) => format!(
                "{runbook} was last rehearsed at {}, by run {}; the site wants a rehearsal every {within}",
                moment(last.started_at),
                last.run
            ),
            None => format!("{runbook} was never rehearsed, as far as is known; the site wants it every {within}"),
        };
        let finding = codes::finding(NOT_REHEARSED, message);
        Some(match of.mode {
            // Somebody has time to rehearse first.
            Mode::Planned => finding,
            Mode::Unplanned | Mode::Drill => Finding::warning(
                NOT_REHEARSED,
                finding.message,
                "expect surprises: keep a second person near, and rehearse it with `lifeboat drill` once this is over",
            ),
        })
    }
}

fn newest<T>(mut all: Vec<T>) -> Vec<T> {
    all.drain(..all.len().saturating_sub(WINDOW));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::facts::Severity;

    fn drill(run: &str, at: &str) -> Measured {
        Measured {
            run: RunId(run.into()),
            runbook: "failover".to_owned(),
            runbook_sha256: String::new(),
            mode: Mode::Drill,
            simulated: false,
            started_at: at.parse().unwrap(),
            outcome: Some(Outcome::Succeeded),
            took: Some(Duration::from_mins(50)),
            objective: None,
            by_hand: false,
            interrupted: false,
            steps: Vec::new(),
            left: Vec::new(),
        }
    }

    fn failover(mode: Mode) -> Rehearsed<'static> {
        Rehearsed { runbook: "failover", sha256: "", mode, simulated: false }
    }

    #[test]
    fn what_was_not_rehearsed_blocks_planned_runs_and_warns_in_others() {
        let policy = Some(Rehearsal { within: Duration::from_hours(30 * 24) });
        let history = History { runs: vec![drill("a", "2026-10-01T00:00:00Z")], ..History::none() };
        let judged = |history: &History, mode, now: &str| {
            let found = history.findings(&failover(mode), policy, now.parse().unwrap());
            found.first().map(|finding| finding.severity)
        };
        let (in_time, late) = ("2026-10-31T00:00:00Z", "2026-10-31T00:00:01Z");
        assert_eq!(judged(&history, Mode::Planned, in_time), None);
        assert_eq!(judged(&history, Mode::Planned, late), Some(Severity::Blocker));
        assert_eq!(judged(&history, Mode::Unplanned, late), Some(Severity::Warning));
        assert_eq!(judged(&history, Mode::Drill, late), None);
        assert_eq!(judged(&History::none(), Mode::Planned, in_time), Some(Severity::Blocker));
        // One that failed, one in the simulator, and one in which a person stood in for the tool rehearse nothing.
        let failed = Measured { outcome: Some(Outcome::Failed), ..drill("b", in_time) };
        let simulated = Measured { simulated: true, ..drill("c", in_time) };
        let by_hand = Measured { by_hand: true, ..drill("d", in_time) };
        let history = History { runs: vec![failed, simulated, by_hand], ..History::none() };
        assert_eq!(judged(&history, Mode::Planned, in_time), Some(Severity::Blocker));
        assert_eq!(history.findings(&failover(Mode::Planned), None, in_time.parse().unwrap()), []);
        // A rehearsal of another text in time is told; one that is too old blocks, whatever its text.
        let other = Measured { runbook_sha256: "ff".to_owned(), ..drill("e", "2026-10-01T00:00:00Z") };
        let history = History { runs: vec![other], ..History::none() };
        assert_eq!(judged(&history, Mode::Planned, in_time), Some(Severity::Warning));
        assert_eq!(judged(&history, Mode::Planned, late), Some(Severity::Blocker));
        // The same text before it still counts.
        let history = History { runs: [vec![drill("a", "2026-10-01T00:00:00Z")], history.runs].concat(), ..history };
        assert_eq!(judged(&history, Mode::Planned, in_time), None);
    }

    #[test]
    fn only_the_newest_whole_runs_are_looked_back_on() {
        let mut runs: Vec<Measured> = (0..150).map(|n| drill(&n.to_string(), "2026-10-01T00:00:00Z")).collect();
        runs[149].interrupted = true;
        runs[148].outcome = Some(Outcome::Failed);
        let history = History { runs, ..History::none() };
        let of = history.of_runbook("failover", false);
        assert_eq!((of.len(), &*of[0].run.0, &*of[99].run.0), (WINDOW, "48", "147"));
        assert!(history.of_runbook("failover", true).is_empty());
    }
}
