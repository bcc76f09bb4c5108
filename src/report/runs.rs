//! `lifeboat runs`: all runs, the newest first.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Standing, step};
use crate::{
    run::{RunId, State},
    runbook::{ActionKind, Mode, StepId},
    style::{Page, Style, Symbol, columns, duration, fit, moment, one_line, pad},
};

/// One run, or one journal that cannot be read.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Row {
    Run {
        run: RunId,
        runbook: String,
        mode: Mode,
        standing: Standing,
        started_at: Timestamp,
        elapsed_s: i64,
        steps_done: usize,
        steps_in_all: usize,
        /// The first step that is being worked on, asks, is in doubt, or failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        step: Option<StepId>,
        /// The state of that step in words.
        #[serde(skip_serializing_if = "Option::is_none")]
        step_state: Option<&'static str>,
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
            (planned.id.clone(), step::word(&state.steps[place].state, standing, approval).0)
        });
        let (step, step_state) = current.unzip();
        Self::Run {
            run: state.run.clone(),
            runbook: state.plan.name.clone(),
            mode: state.plan.mode,
            standing,
            started_at: state.created_at,
            elapsed_s: ended.unwrap_or(now).duration_since(state.created_at).as_secs(),
            steps_done: state.finished,
            steps_in_all: state.steps.len(),
            step,
            step_state,
        }
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
    let cells: Vec<([String; 6], Symbol)> = rows.iter().map(cells).collect();
    let head = ["RUN", "STATE", "MODE", "STARTED", "TOOK", "STEPS"];
    let width = |column: usize| {
        let widest = cells.iter().map(|(cells, _)| columns(&cells[column])).max().unwrap_or_default();
        widest.max(head[column].len())
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    let titles = head.iter().zip(widths).map(|(title, width)| pad(title, width)).collect::<Vec<_>>().join("  ");
    page.line(&page.style.dim(titles.trim_end()));
    for (cells, symbol) in &cells {
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let left = style.columns().saturating_sub(columns(&line));
            let cell = if column == 5 { fit(cell, left.max(12), style) } else { pad(cell, widths[column]) };
            let cell = if column == 1 { style.toned(*symbol, cell) } else { cell };
            line.push_str(&cell);
            line.push_str("  ");
        }
        page.line(&line);
    }
    page.text()
}

fn cells(row: &Row) -> ([String; 6], Symbol) {
    match row {
        Row::Run { run, mode, standing, started_at, elapsed_s, steps_done, steps_in_all, step, step_state, .. } => {
            let current = step.as_ref().zip(*step_state).map(|(step, state)| format!(", {step} {state}"));
            let cells = [
                run.to_string(),
                standing.word().to_owned(),
                mode.to_string(),
                moment(*started_at),
                duration(SignedDuration::from_secs(*elapsed_s)),
                format!("{steps_done}/{steps_in_all}{}", current.unwrap_or_default()),
            ];
            (cells, standing.symbol())
        }
        Row::Unreadable { run, error } => {
            let none = String::new;
            ([run.clone(), "unreadable".to_owned(), none(), none(), none(), error.clone()], Symbol::Failed)
        }
    }
}
