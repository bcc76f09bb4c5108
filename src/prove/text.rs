//! The proof as people read it: on a terminal, and as Markdown for a change board.

use std::fmt::Write as _;

use super::proof::{CaseProof, Proof, Tally};
use crate::style::{Page, Style, Symbol, pad};

/// Columns of what happens; a longer text moves its own numbers only.
const WORDS: usize = 68;

impl Proof {
    /// For a terminal. The one line is its last.
    pub fn text(&self, style: &Style) -> String {
        let mut page = Page::new(style);
        for case in self.modes.iter().filter(|case| !case.rows.is_empty()) {
            page.heading(&format!("{} {}", self.runbook, case.mode));
            page.hang("  ", &case.sentence());
            for pretended in &case.pretended {
                page.hang("  ", &format!("step {pretended} reaches outside of the simulation: it was taken as done"));
            }
            page.gap();
            page.line(&format!("  {}  points    same  otherwise", pad("", WORDS)));
            for row in &case.rows {
                let mark = style.mark(if row.failed == 0 { Symbol::Done } else { Symbol::Failed });
                let numbers = format!("{:>6}  {:>6}  {}", row.points, row.same, row.otherwise());
                page.line(&format!("{mark} {}  {numbers}", pad(row.words, WORDS)));
            }
        }
        for left in &self.left_out {
            page.gap();
            page.hang("", &format!("not proven, {}: {}", left.mode, left.why));
        }
        if !self.failed.is_empty() {
            page.heading("What does not hold");
            for failed in &self.failed {
                page.hang(&format!("{} ", style.mark(Symbol::Failed)), &format!("{}, {}", failed.point, failed.end));
                for what in &failed.what {
                    page.hang("    ", what);
                }
                for line in &failed.story {
                    page.line(&format!("    | {line}"));
                }
                page.line(&format!("    {}", failed.repeat));
            }
        }
        page.gap();
        if self.partial {
            page.line("only some points were tried");
        }
        page.line(&self.line());
        page.text()
    }

    /// For a change board. The one line is its last.
    pub fn markdown(&self) -> String {
        let mut text = format!("# Proof of `{}`\n", self.runbook);
        for case in self.modes.iter().filter(|case| !case.rows.is_empty()) {
            let _infallible = write!(text, "\n## {}\n\n{}\n", case.mode, case.markdown());
        }
        for left in &self.left_out {
            let _infallible = writeln!(text, "\nNot proven, {}: {}.", left.mode, left.why);
        }
        if !self.failed.is_empty() {
            text.push_str("\n## What does not hold\n\n");
            for failed in &self.failed {
                let what = failed.what.join("; ");
                let _infallible =
                    writeln!(text, "- `{}`, {}: {what}. Again: `{}`", failed.point, failed.end, failed.repeat);
            }
        }
        if self.partial {
            text.push_str("\nOnly some points were tried.\n");
        }
        let _infallible = writeln!(text, "\n{}", self.line());
        text
    }
}

impl CaseProof {
    /// What was proven in which world, as a sentence.
    pub fn sentence(&self) -> String {
        format!(
            "{}; {} steps, {} appends of the journal, {} requests and {} while planning.",
            self.world, self.steps, self.appends, self.requests, self.requests_of_plan
        )
    }

    /// The rows as a table, below a sentence.
    pub fn markdown(&self) -> String {
        let mut text = format!("In the simulation {}\n", self.sentence());
        if !self.pretended.is_empty() {
            let steps = self.pretended.iter().map(|step| format!("`{step}`")).collect::<Vec<_>>().join(", ");
            let _infallible = writeln!(text, "Taken as done, because they reach outside of the simulation: {steps}.");
        }
        text.push_str(
            "\n| What goes wrong | Points | As undisturbed | Otherwise, explained | Fails |\n|---|---|---|---|---|\n",
        );
        for row in &self.rows {
            let _infallible = writeln!(
                text,
                "| {} (`{}`) | {} | {} | {} | {} |",
                row.words,
                row.row,
                row.points,
                row.same,
                row.explained(),
                row.failed
            );
        }
        text
    }
}

impl Tally {
    fn explained(&self) -> String {
        self.explained.iter().map(|(end, count)| format!("{end} {count}")).collect::<Vec<_>>().join(", ")
    }

    fn otherwise(&self) -> String {
        let failed = (self.failed > 0).then(|| format!("DOES NOT HOLD {}", self.failed));
        let parts = [Some(self.explained()).filter(|text| !text.is_empty()), failed];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}
