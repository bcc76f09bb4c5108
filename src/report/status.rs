//! `lifeboat status RUN`: every step, and the summary of now.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Commands, Outlook, Standing, Summary, step::StepView};
use crate::{
    run::State,
    style::{Page, Style, Symbol, columns, duration, fit, moment, one_line, pad},
};

/// The process that drives a run, as its store knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// `dana@jump-1`
    pub driver: String,
    pub pid: u32,
    pub since: Timestamp,
    /// By its own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_heard: Option<Timestamp>,
}

impl Process {
    /// `dana@jump-1, process 7, since …, last heard …`
    pub fn sentence(&self) -> String {
        let heard = self.last_heard.map(|at| format!(", last heard {}", moment(at))).unwrap_or_default();
        format!("{}, process {}, since {}{heard}", one_line(&self.driver), self.pid, moment(self.since))
    }
}

/// The run as it is now.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    #[serde(flatten)]
    pub summary: Summary,
    /// Who drives it, or drove it last: `dana@jump-1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// The process that drives it, while one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// How often somebody has taken it up.
    pub generation: u32,
    pub last_event_at: Timestamp,
    /// What each waiting approval asks.
    pub questions: std::collections::BTreeMap<crate::runbook::StepId, String>,
    /// What comes next, until the run is over.
    pub outlook: Outlook,
    pub steps: Vec<StepView>,
}

impl Status {
    pub fn of(state: &State, standing: Standing, now: Timestamp, commands: &Commands) -> Self {
        let mut summary = Summary::of(state, standing, now, commands);
        if !standing.may_be_driven() {
            // It would lead right here again.
            let here = commands.about("status", &state.run, "");
            summary.next.retain(|advice| advice.command != here);
        }
        Self {
            summary,
            process: None,
            driver: state.driver.as_ref().map(|driver| format!("{}@{}", driver.name, driver.host)),
            generation: state.generation,
            last_event_at: state.last_event_at,
            questions: state.approvals_wanted(),
            outlook: Outlook::of(state, standing, now),
            steps: (0..state.steps.len()).map(|place| StepView::of(state, place, standing, now, commands)).collect(),
        }
    }

    /// The same, with the process that drives it now.
    #[must_use]
    pub fn driven_by(mut self, process: Option<Process>) -> Self {
        self.process = process;
        self
    }

    pub fn text(&self, style: &Style) -> String {
        let mut page = Page::new(style);
        self.summary.head(&mut page);
        if let Some(process) = &self.process {
            page.hang("  ", &format!("held by {}", process.sentence()));
        }
        if let Some(driver) = &self.driver {
            let verb = if self.summary.standing == Standing::Driven { "driven by" } else { "last driven by" };
            let line = format!(
                "{verb} {} (generation {}); last event {}; plan {}",
                one_line(driver),
                self.generation,
                moment(self.last_event_at),
                self.summary.plan_digest
            );
            page.hang("  ", &line);
        }
        page.heading("Steps");
        let wide = self.steps.iter().map(|step| columns(step.id.as_str())).max().unwrap_or_default();
        for step in &self.steps {
            let row = row(step, wide, &page.style);
            page.line(&row);
        }
        for approved in &self.summary.approvals {
            let lead = format!("  {} ", page.style.mark(Symbol::Done));
            page.hang(&lead, &approved.sentence());
        }
        for (step, question) in &self.questions {
            page.gap();
            let lead = format!("  {} {step} asks: ", page.style.mark(Symbol::Ask));
            page.hang(&lead, &one_line(question));
        }
        self.summary.world(&mut page);
        self.summary.objectives(&mut page);
        self.summary.attention(&mut page);
        self.summary.next(&mut page);
        page.text()
    }
}

/// ` 4 ● running    restore          12m 03s of about 45m  note`
pub(super) fn row(step: &StepView, wide: usize, style: &Style) -> String {
    let took = match (step.elapsed(), step.ended_at) {
        (None, _) => String::new(),
        (Some(elapsed), Some(_)) => duration(elapsed),
        (Some(elapsed), None) => {
            let about = i64::try_from(step.expected_s).unwrap_or(i64::MAX);
            format!("{} of about {}", duration(elapsed), duration(SignedDuration::from_secs(about)))
        }
    };
    let attempts = if step.attempts > 1 { format!("attempt {}  ", step.attempts) } else { String::new() };
    let note = step.note.as_deref().map(one_line).unwrap_or_default();
    let head = format!(
        "{:>3} {} {}  {}  {}  {attempts}",
        step.number,
        style.mark(step.symbol),
        style.toned(step.symbol, pad(step.state, 11)),
        pad(&fit(step.id.as_str(), wide, style), wide),
        pad(&took, 10),
    );
    let room = style.columns().saturating_sub(columns(&head));
    let note = if room < 8 { String::new() } else { fit(&note, room, style) };
    format!("{head}{}", style.dim(note)).trim_end().to_owned()
}
