//! `lifeboat status --brief`: the screen for three in the morning. At most [`BRIEF_LINES`] lines of at most
//! [`BRIEF_COLUMNS`] columns, for an old terminal and a chat message.

use jiff::SignedDuration;

use super::{Judgement, Status, status::row, step::StepView};
use crate::{
    run::approval::short,
    style::{Page, Style, Symbol, columns, duration, fit, moment, one_line},
};

/// Lines of the brief form.
pub const BRIEF_LINES: usize = 24;
/// Columns of the brief form.
pub const BRIEF_COLUMNS: usize = 80;

impl Status {
    /// What is true, what it waits for, the countdown, the next decision, what aborting costs, and one command.
    pub fn brief(&self, style: &Style) -> String {
        let style = Style { width: style.columns().min(BRIEF_COLUMNS), colour: false, ..*style };
        let head = self.brief_head(&style);
        let tail = self.brief_tail(&style);
        let room = BRIEF_LINES - head.len() - tail.len();
        let mut page = Page::new(&style);
        for line in head.into_iter().chain(self.brief_steps(room, &style)).chain(tail) {
            page.line(&fit(line.trim_end(), style.columns(), &style));
        }
        page.text()
    }

    /// How it stands, and what people decided: at most 7 lines.
    fn brief_head(&self, style: &Style) -> Vec<String> {
        let summary = &self.summary;
        let mut lines = vec![format!(
            "{} {}  {}  {}  {}  plan {}",
            style.symbol(summary.standing.symbol()),
            summary.standing.word().to_uppercase(),
            summary.run,
            summary.mode,
            duration(SignedDuration::from_secs(summary.elapsed_s)),
            short(&summary.plan_digest),
        )];
        let mark = style.symbol(Symbol::Warning);
        lines.extend(summary.overrides.iter().take(2).map(|decision| format!("  {mark} {}", decision.sentence())));
        let ask = style.symbol(Symbol::Ask);
        lines.extend(summary.open_items.iter().take(1).map(|open| format!("  {ask} {}", open.sentence())));
        let waits = style.symbol(Symbol::Waiting);
        lines.extend(summary.paused.as_ref().map(|paused| format!("  {waits} {}", paused.sentence())));
        lines.extend(summary.reason.as_deref().map(|reason| format!("  {}", one_line(reason))));
        lines.push(format!("  {} of {} steps done; {}", summary.steps_done, summary.steps_in_all, self.verdict()));
        lines
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

    /// At most 12 lines, the command last.
    fn brief_tail(&self, style: &Style) -> Vec<String> {
        let (summary, outlook) = (&self.summary, &self.outlook);
        let mut lines: Vec<String> = Vec::new();
        for truth in summary.world.truths.iter().take(3) {
            let doubt = if truth.certain { "" } else { "not certain: " };
            lines.push(format!("  {} {} {doubt}{}", style.symbol(Symbol::Note), truth.subject, one_line(&truth.says)));
        }
        let waits = outlook.awaits.iter().take(2).map(|awaited| {
            let since = awaited.since.map(|since| format!(" since {}", moment(since))).unwrap_or_default();
            format!("waits for   {}, {}{since}", awaited.step, awaited.state)
        });
        lines.extend(waits);
        if let Some([left, to_go]) = outlook.countdown(summary.objectives.rto.wanted) {
            lines.extend([format!("countdown   {left}"), format!("            {to_go}")]);
        }
        lines.push(format!("decision    {}", outlook.decision));
        let question = self.questions.iter().take(1);
        lines.extend(question.map(|(_, text)| format!("            {} {}", style.symbol(Symbol::Ask), one_line(text))));
        lines.push(format!("aborting    {}", outlook.aborting));
        lines.extend(self.command(style.columns()).map(|command| format!("  $ {command}")));
        lines
    }

    /// The one to paste: whole, so the first that fits.
    fn command(&self, width: usize) -> Option<&str> {
        let mut commands = self.summary.next.iter().map(|advice| advice.command.as_str());
        let first = commands.clone().next();
        commands.find(|command| command.starts_with("lifeboat") && columns(command) + 4 <= width).or(first)
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
