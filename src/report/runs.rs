//! `lifeboat runs`: all runs, the newest first.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Process, Standing, step};
use crate::{
    run::{RunId, State},
    runbook::{ActionKind, Mode, StepId},
    style::{Page, Style, Symbol, columns, duration, moment, one_line, pad},
};

/// One run, or one journal that cannot be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Row {
    Run {
        run: RunId,
        runbook: String,
        mode: Mode,
        /// SHA-256, hex; empty in rows of older versions.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        plan_digest: String,
        standing: Standing,
        /// Somebody wants nothing more to start.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        paused: bool,
        started_at: Timestamp,
        elapsed_s: i64,
        steps_done: usize,
        steps_in_all: usize,
        /// The first step that is being worked on, asks, is in doubt, or failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepId>,
        /// The state of that step in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step_state: Option<String>,
        /// The process that drives it, while one does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        process: Option<Process>,
    },
    Unreadable {
        run: String,
        /// Lower-case fragment.
        error: String,
    },
}

impl Row {
    pub fn of(state: &State, standing: Standing, now: Timestamp) -> Self {
        let ended = state.stopped.as_ref().map(|(_, _, at)| *at);
        let place = state.failed.iter().chain(&state.active).next().copied();
        let current = place.map(|place| {
            let planned = state.planned(place);
            let approval = planned.action == ActionKind::Approval;
            (planned.id.clone(), step::word(&state.steps[place].state, standing, approval).0.to_owned())
        });
        let (step, step_state) = current.unzip();
        Self::Run {
            run: state.run.clone(),
            runbook: state.plan.name.clone(),
            mode: state.plan.mode,
            plan_digest: state.plan.digest.clone(),
            standing,
            paused: state.hold.is_some() && !standing.is_terminal(),
            started_at: state.created_at,
            elapsed_s: ended.unwrap_or(now).duration_since(state.created_at).as_secs(),
            steps_done: state.finished,
            steps_in_all: state.steps.len(),
            step,
            step_state,
            process: None,
        }
    }

    /// The same, with the process that drives it now.
    #[must_use]
    pub fn driven_by(mut self, by: Option<Process>) -> Self {
        if let Self::Run { process, .. } = &mut self {
            *process = by;
        }
        self
    }

    pub fn unreadable(run: impl Into<String>, error: &dyn std::error::Error) -> Self {
        Self::Unreadable { run: run.into(), error: one_line(&error.to_string()) }
    }

    fn started_at(&self) -> Option<Timestamp> {
        match self {
            Self::Run { started_at, .. } => Some(*started_at),
            Self::Unreadable { .. } => None,
        }
    }
}

/// `3h ago`, by the largest unit.
pub fn ago(since: SignedDuration) -> String {
    let text = duration(since);
    format!("{} ago", text.split(' ').next().unwrap_or(&text))
}

/// The newest first; journals that cannot be read stand at the end.
pub fn sort(rows: &mut [Row]) {
    rows.sort_by_key(|row| std::cmp::Reverse(row.started_at()));
}

/// Run ids are never cut: they are what people type next.
pub fn table(rows: &[Row], style: &Style) -> String {
    let mut page = Page::new(style);
    if rows.is_empty() {
        page.line("no runs yet");
        return page.text();
    }
    let lines: Vec<Line> = rows.iter().map(line).collect();
    let head = ["RUN", "STATE", "MODE", "STARTED", "TOOK", "STEPS"];
    let width = |column: usize| {
        let widest = lines.iter().filter_map(|line| line.cells.get(column)).map(|cell| columns(cell)).max();
        widest.unwrap_or_default().max(head[column].len())
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut titles = head.iter().zip(widths).map(|(title, width)| pad(title, width)).collect::<Vec<_>>().join("  ");
    let table = columns(&titles);
    let beside = lines.iter().all(|line| table + 2 + columns(&line.rest) <= style.columns());
    if beside {
        titles.push_str("  RUNBOOK");
    }
    page.line(&style.dim(titles.trim_end()));
    for line in &lines {
        let cells = line.cells.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            let cell = pad(cell, width);
            if column == 1 { style.toned(line.symbol, cell) } else { cell }
        });
        let row = cells.collect::<Vec<_>>().join("  ");
        if beside {
            page.line(&format!("{}  {}", pad(&row, table), line.rest));
        } else {
            page.line(&row);
            page.hang("    ", &line.rest);
        }
    }
    page.text()
}

/// A row in words.
struct Line {
    cells: Vec<String>,
    /// The runbook and the step that matters, or why the journal cannot be read.
    rest: String,
    symbol: Symbol,
}

fn line(row: &Row) -> Line {
    match row {
        Row::Run {
            run,
            runbook,
            mode,
            plan_digest: _,
            standing,
            paused,
            started_at,
            elapsed_s,
            steps_done,
            steps_in_all,
            step,
            step_state,
            process,
        } => {
            let current = step.as_ref().zip(step_state.as_ref()).map(|(step, state)| format!(": {step} {state}"));
            let cells = vec![
                run.to_string(),
                if *paused && standing.may_be_driven() { "paused" } else { standing.word() }.to_owned(),
                mode.to_string(),
                started_at.strftime("%Y-%m-%d %H:%MZ").to_string(),
                duration(SignedDuration::from_secs(*elapsed_s)),
                format!("{steps_done}/{steps_in_all}"),
            ];
            let held = process.as_ref().map(|process| {
                let heard = process.last_heard.map(|at| format!(", last heard {}", moment(at))).unwrap_or_default();
                format!("; held by {}{heard}", one_line(&process.driver))
            });
            let rest = format!("{}{}{}", one_line(runbook), current.unwrap_or_default(), held.unwrap_or_default());
            Line { cells, rest, symbol: standing.symbol() }
        }
        Row::Unreadable { run, error } => {
            Line { cells: vec![run.clone(), "unreadable".to_owned()], rest: error.clone(), symbol: Symbol::Failed }
        }
    }
}
