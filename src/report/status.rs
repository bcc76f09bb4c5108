//! `lifeboat status RUN`: every step, and the summary of now.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Commands, Judgement, Standing, Summary, step::StepView};
use crate::{
    run::State,
    style::{Page, Style, Symbol, columns, duration, fit, moment, one_line, pad},
};

/// Lines of the brief form: it fits an old terminal and a chat message.
pub const BRIEF_LINES: usize = 24;
/// Columns of the brief form.
pub const BRIEF_COLUMNS: usize = 80;

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
    /// SHA-256, hex.
    pub plan_digest: String,
    pub last_event_at: Timestamp,
    /// What each waiting approval asks.
    pub questions: std::collections::BTreeMap<crate::runbook::StepId, String>,
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
            plan_digest: state.plan.digest.clone(),
            last_event_at: state.last_event_at,
            questions: state.approvals_wanted(),
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
                self.plan_digest
            );
            page.hang("  ", &line);
        }
        page.heading("Steps");
        let wide = self.steps.iter().map(|step| columns(step.id.as_str())).max().unwrap_or_default();
        for step in &self.steps {
            let row = row(step, wide, &page.style);
            page.line(&row);
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

    /// At most [`BRIEF_LINES`] lines of at most [`BRIEF_COLUMNS`] columns, for an old terminal and a chat message.
    pub fn brief(&self, style: &Style) -> String {
        let style = Style { width: style.columns().min(BRIEF_COLUMNS), colour: false, ..*style };
        let summary = &self.summary;
        let mut lines = vec![format!(
            "{} {}  {}  {}  {}",
            style.symbol(summary.standing.symbol()),
            summary.standing.word().to_uppercase(),
            summary.run,
            summary.mode,
            duration(SignedDuration::from_secs(summary.elapsed_s)),
        )];
        let mark = style.symbol(Symbol::Warning);
        lines.extend(summary.overrides.iter().take(2).map(|decision| format!("  {mark} {}", decision.sentence())));
        let waits = style.symbol(Symbol::Waiting);
        lines.extend(summary.paused.as_ref().map(|paused| format!("  {waits} {}", paused.sentence())));
        lines.extend(summary.reason.as_deref().map(|reason| format!("  {}", one_line(reason))));
        lines.push(format!("  {} of {} steps done; {}", summary.steps_done, summary.steps_in_all, self.verdict()));
        let tail = self.brief_tail(&style);
        let room = BRIEF_LINES - lines.len() - tail.len();
        lines.extend(self.brief_steps(room, &style));
        lines.extend(tail);
        let mut page = Page::new(&style);
        for line in lines {
            page.line(&fit(line.trim_end(), style.columns(), &style));
        }
        page.text()
    }

    /// `RTO met, RPO missed`
    fn verdict(&self) -> String {
        let word = |judgement| match judgement {
            Judgement::Met => "met",
            Judgement::Missed => "missed",
            Judgement::Unknown => "open",
            Judgement::NotSet => "not set",
        };
        let objectives = &self.summary.objectives;
        format!("RTO {}, RPO {}", word(objectives.rto.judgement), word(objectives.rpo.judgement))
    }

    /// What is true, what is asked, and what to type: at most 12 lines, commands last.
    fn brief_tail(&self, style: &Style) -> Vec<String> {
        let truths = self.summary.world.truths.iter().take(5).map(|truth| {
            let doubt = if truth.certain { "" } else { "not certain: " };
            format!("  {} {} {doubt}{}", style.symbol(Symbol::Note), truth.subject, one_line(&truth.says))
        });
        let ask = style.symbol(Symbol::Ask);
        let questions = self.questions.iter().take(3).map(|(step, text)| format!("  {ask} {step}: {}", one_line(text)));
        let commands = self.summary.next.iter().take(3).map(|advice| format!("  $ {}", advice.command));
        truths.chain(questions).chain(commands).collect()
    }

    /// The steps that say most, in the plan's order, and how many were left out.
    fn brief_steps(&self, room: usize, style: &Style) -> Vec<String> {
        let mut order: Vec<&StepView> = self.steps.iter().collect();
        if order.len() > room {
            // What needs attention first, then what goes on, then what ended last, then what comes next.
            let rank = |step: &StepView| match step.symbol {
                Symbol::Failed | Symbol::Doubt | Symbol::Ask => 0,
                Symbol::Running | Symbol::Waiting | Symbol::Undo | Symbol::Warning => 1,
                Symbol::Pending => 2,
                Symbol::Done | Symbol::Skipped | Symbol::Note | Symbol::Arrow => 3,
            };
            order.sort_by_key(|step| (rank(step), step.number));
            order.truncate(room.saturating_sub(1));
            order.sort_by_key(|step| step.number);
        }
        let left_out = self.steps.len() - order.len();
        let wide = order.iter().map(|step| columns(step.id.as_str())).max().unwrap_or_default().min(30);
        let mut rows: Vec<String> = order.into_iter().map(|step| row(step, wide, style)).collect();
        if left_out > 0 {
            rows.push(format!("  and {left_out} more steps"));
        }
        rows
    }
}

/// ` 4 ● running    restore          12m 03s of about 45m  note`
fn row(step: &StepView, wide: usize, style: &Style) -> String {
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
