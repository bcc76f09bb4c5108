//! `lifeboat status --brief`: the screen for three in the morning. At most [`BRIEF_LINES`] lines of at most
//! [`BRIEF_COLUMNS`] columns, for an old terminal and a chat message.

use jiff::SignedDuration;

use super::{Judgement, Status, status::row, step::StepView, world::Truth};
use crate::{
    run::approval::short,
    style::{Page, Style, Symbol, columns, duration, fit, moment, one_line, wrap},
};

/// Lines of the brief form.
pub const BRIEF_LINES: usize = 24;
/// Columns of the brief form.
pub const BRIEF_COLUMNS: usize = 80;

impl Status {
    /// What is true, what it waits for, the countdown, the next decision, what aborting costs, and one command. The steps
    /// take the room that is left.
    pub fn brief(&self, style: &Style) -> String {
        let style = Style { width: style.columns().min(BRIEF_COLUMNS), colour: false, ..*style };
        let head = self.brief_head(&style);
        let tail = self.brief_tail(&style);
        let room = BRIEF_LINES.saturating_sub(head.len() + tail.len());
        let mut page = Page::new(&style);
        for line in head.into_iter().chain(self.brief_steps(room, &style)).chain(tail) {
            page.line(&fit(line.trim_end(), style.columns(), &style));
        }
        page.text()
    }

    /// How it stands, and what people decided: at most 8 lines.
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
        let more = match summary.accepted_drift.len() {
            0 | 1 => String::new(),
            many => format!("{} more; ", many - 1),
        };
        let moved = summary.accepted_drift.iter().take(1);
        lines.extend(moved.map(|accepted| format!("  {mark} {more}{}", accepted.sentence())));
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

    /// At most 16 lines, the command last.
    fn brief_tail(&self, style: &Style) -> Vec<String> {
        let (summary, outlook) = (&self.summary, &self.outlook);
        let mut lines = self.brief_truths(style);
        let waits = outlook.awaits.iter().take(2).map(|awaited| {
            let since = awaited.since.map(|since| format!(" since {}", moment(since))).unwrap_or_default();
            format!("waits for   {}, {}{since}", awaited.step, awaited.state)
        });
        lines.extend(waits);
        if let Some([left, to_go]) = outlook.countdown(summary.objectives.rto.wanted) {
            lines.extend([format!("countdown   {left}"), format!("            {to_go}")]);
        }
        lines.extend(hung("decision    ", &outlook.decision, 2, style));
        let question = self.questions.iter().take(1);
        lines.extend(question.map(|(_, text)| format!("            {} {}", style.symbol(Symbol::Ask), one_line(text))));
        lines.extend(hung("aborting    ", &outlook.aborting, 3, style));
        lines.extend(self.command(style.columns()));
        lines
    }

    /// What is not certain first: at most 3 lines, and none of them hides that there are more.
    fn brief_truths(&self, style: &Style) -> Vec<String> {
        const MOST: usize = 3;
        let mut truths: Vec<&Truth> = self.summary.world.truths.iter().collect();
        truths.sort_by_key(|truth| truth.certain);
        let left = if truths.len() > MOST { truths.split_off(MOST - 1) } else { Vec::new() };
        let note = style.symbol(Symbol::Note);
        let tell = |truth: &Truth| {
            let doubt = if truth.certain { "" } else { "not certain: " };
            format!("  {note} {} {doubt}{}", truth.subject, one_line(&truth.says))
        };
        let mut lines: Vec<String> = truths.into_iter().map(tell).collect();
        if !left.is_empty() {
            let doubts = left.iter().filter(|truth| !truth.certain).count();
            let doubts = if doubts == 0 { String::new() } else { format!(", {doubts} of them not certain") };
            lines.push(format!("  {note} and {} more{doubts}", left.len()));
        }
        lines
    }

    /// The one to type, so that it can be pasted: on lines that the shell joins. Never another one in its place, which may
    /// be to give the run up. At most 3 lines.
    fn command(&self, width: usize) -> Vec<String> {
        let commands = self.summary.next.iter().map(|advice| advice.command.as_str());
        let typed = commands.into_iter().find(|command| command.starts_with("lifeboat"));
        typed.map_or_else(Vec::new, |command| {
            broken(command, width).unwrap_or_else(|| {
                vec!["  the next command is too long for this screen: `lifeboat status` shows it".to_owned()]
            })
        })
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
        let left_out = if room == 0 { 0 } else { self.steps.len() - order.len() };
        let wide = order.iter().map(|step| columns(step.id.as_str())).max().unwrap_or_default().min(30);
        let mut rows: Vec<String> = order.into_iter().map(|step| row(step, wide, style)).collect();
        if left_out > 0 {
            rows.push(format!("  and {left_out} more steps"));
        }
        rows
    }
}

/// Below each other, the last of `most` lines cut where it does not fit.
fn hung(lead: &str, text: &str, most: usize, style: &Style) -> Vec<String> {
    let mut lines = wrap(&one_line(text), style.columns().saturating_sub(columns(lead)));
    if lines.len() > most {
        let rest = lines.split_off(most - 1);
        lines.push(rest.join(" "));
    }
    let leads = std::iter::once(lead.to_owned()).chain(std::iter::repeat(" ".repeat(columns(lead))));
    leads.zip(lines).map(|(lead, line)| format!("{lead}{line}")).collect()
}

/// A command of a shell on at most 3 lines of at most `width` columns, broken between its words. None: they are too long for
/// that, or quoted in a way that is not looked through here.
fn broken(command: &str, width: usize) -> Option<Vec<String>> {
    const JOINED: &str = " \\";
    let whole = format!("  $ {command}");
    if columns(&whole) <= width {
        return Some(vec![whole]);
    }
    let mut lines: Vec<String> = Vec::new();
    let mut line = "  $".to_owned();
    let mut is_quoted = false;
    let words = command.split_inclusive(move |letter| {
        is_quoted ^= letter == '\'';
        letter == ' ' && !is_quoted
    });
    for word in words.map(str::trim_end) {
        if columns(&line) + 1 + columns(word) + columns(JOINED) > width {
            lines.push(format!("{line}{JOINED}"));
            line.clear();
            line.push_str("     ");
        }
        line = format!("{line} {word}");
    }
    lines.push(line);
    let fits = lines.len() <= 3 && lines.iter().all(|line| columns(line) <= width);
    (fits && !command.contains(['\\', '"', '\n'])).then_some(lines)
}
