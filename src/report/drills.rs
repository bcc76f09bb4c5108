//! The history of rehearsals: what each runbook took, whether it gets slower, and whether it keeps its objective.

mod page;

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use crate::{
    plan::{Leftover, Measured, history::WINDOW, prediction},
    run::Outcome,
    runbook::{ActionKind, Mode, StepId, span},
    style::{Page, Style, Symbol, moment, one_line, pad, say},
};

pub use page::page;

/// Version of the JSON form. Changelog:
/// 1. The first.
pub const FORMAT: u32 = 1;

/// Rehearsals at each end of a trend: fewer and one that was slow decides, more and a new habit takes months to be seen.
const TREND_OF: usize = 5;

/// A change below this is said to be none.
const ALIKE: f64 = 0.05;

/// Every rehearsal that is known, by runbook.
#[derive(Clone, Debug, Serialize)]
pub struct Drills {
    pub v: u32,
    pub runbooks: Vec<Rehearsals>,
    /// Rehearsals that never came to their end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<Leftover>,
    /// Why not all could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
}

/// The rehearsals of one runbook.
#[derive(Clone, Debug, Serialize)]
pub struct Rehearsals {
    pub runbook: String,
    /// On a simulated Azure.
    pub simulated: bool,
    pub succeeded: usize,
    pub failed: usize,
    /// Killed and never taken up again, or still under way.
    pub not_ended: usize,
    /// The recovery time objective of the last one.
    #[serde(with = "span::optional", skip_serializing_if = "Option::is_none")]
    pub objective: Option<Duration>,
    /// Those that succeeded and kept it.
    pub in_time: usize,
    /// Of the whole. None: none succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<Figures>,
    /// By how much the newest took longer (positive) than the oldest, as a share. None: too few to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trend: Option<f64>,
    /// In the order of the last one's plan.
    pub steps: Vec<StepFigures>,
    /// The oldest first.
    pub drills: Vec<Measured>,
}

/// What the next one is expected to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Figures {
    #[serde(with = "span")]
    pub p50: Duration,
    #[serde(with = "span")]
    pub p90: Duration,
    /// Measured times that both rest on.
    pub sample: usize,
    #[serde(with = "span")]
    pub last: Duration,
}

#[derive(Clone, Debug, Serialize)]
pub struct StepFigures {
    pub id: StepId,
    pub action: ActionKind,
    #[serde(flatten)]
    pub figures: Figures,
}

impl Figures {
    /// The oldest first. None: there are none.
    fn of(took: &[Duration]) -> Option<Self> {
        let newest = &took[took.len().saturating_sub(WINDOW)..];
        let (p50, p90) = prediction::next(newest)?;
        Some(Self { p50, p90, sample: newest.len(), last: *newest.last()? })
    }
}

impl Drills {
    /// `runs`: any runs, the oldest first; only rehearsals count. `only`: of this runbook.
    pub fn of(runs: Vec<Measured>, leftovers: Vec<Leftover>, unread: Option<String>, only: Option<&str>) -> Self {
        let wanted = |runbook: &str| only.is_none_or(|only| only == runbook);
        let mut by: BTreeMap<(bool, String), Vec<Measured>> = BTreeMap::new();
        for run in runs.into_iter().filter(|run| run.mode == Mode::Drill && wanted(&run.runbook)) {
            by.entry((run.simulated, run.runbook.clone())).or_default().push(run);
        }
        let leftovers = leftovers.into_iter().filter(|left| wanted(&left.runbook)).collect();
        Self { v: FORMAT, runbooks: by.into_values().filter_map(Rehearsals::of).collect(), leftovers, unread }
    }

    pub fn text(&self, style: &Style) -> String {
        let mut page = Page::new(style);
        for left in &self.leftovers {
            page.hang(
                &format!("{} ", style.mark(Symbol::Warning)),
                &format!("drill {} of {} {}", left.run, one_line(&left.runbook), left.standing),
            );
            for sentence in &left.left {
                page.hang("    left: ", &one_line(sentence));
            }
            page.hang(&format!("    {} ", style.mark(Symbol::Arrow)), &one_line(&left.remedy));
        }
        if let Some(unread) = &self.unread {
            page.hang(&format!("{} ", style.mark(Symbol::Warning)), &format!("not every run could be read: {unread}"));
        }
        for rehearsals in &self.runbooks {
            page.gap();
            rehearsals.draw(&mut page);
        }
        page.text()
    }
}

impl Rehearsals {
    fn of(drills: Vec<Measured>) -> Option<Self> {
        let last = drills.last()?;
        let good = |run: &&Measured| run.outcome == Some(Outcome::Succeeded);
        let told: Vec<&Measured> = drills.iter().filter(good).filter(|run| !run.interrupted).collect();
        let took: Vec<Duration> = told.iter().filter_map(|run| run.took).collect();
        let kept = |run: &&Measured| run.took.zip(run.objective).is_some_and(|(took, wanted)| took <= wanted);
        let ended = drills.iter().filter(|run| run.outcome.is_some()).count();
        let succeeded = drills.iter().filter(good).count();
        let steps = told.last().map(|run| run.steps.clone()).unwrap_or_default().into_iter().filter_map(|step| {
            let took: Vec<Duration> = told.iter().filter_map(|run| run.step(&step.id)).collect();
            Some(StepFigures { figures: Figures::of(&took)?, id: step.id, action: step.action })
        });
        Some(Self {
            runbook: last.runbook.clone(),
            simulated: last.simulated,
            succeeded,
            failed: ended - succeeded,
            not_ended: drills.len() - ended,
            objective: last.objective,
            in_time: drills.iter().filter(good).filter(kept).count(),
            total: Figures::of(&took),
            trend: trend(&took),
            steps: steps.collect(),
            drills,
        })
    }

    /// `1 failed, 2 did not end`
    fn otherwise(&self) -> String {
        let not_ended = match self.not_ended {
            0 => String::new(),
            some => format!(", {some} did not end"),
        };
        format!("{} failed{not_ended}", self.failed)
    }

    /// `12 rehearsals of x succeeded, 1 failed; the last was …`: one sentence without full stop.
    pub fn sentence(&self) -> String {
        let last = self.drills.last().map(|run| format!("; the last was {} at {}", run.run, moment(run.started_at)));
        let next = self.total.map(|it| format!("; the next takes {} (p50), {} (p90)", say(it.p50), say(it.p90)));
        let kept = self.objective.map(|wanted| {
            format!("; the RTO of {} was kept {} of {} times", say(wanted), self.in_time, self.succeeded)
        });
        let parts: String = [last, next, kept].into_iter().flatten().collect();
        format!("{} of {} succeeded, {}{parts}", of(self.succeeded), self.runbook, self.otherwise())
    }

    fn draw(&self, page: &mut Page) {
        let style = page.style;
        let world = if self.simulated { " (simulated)" } else { "" };
        page.line(&format!("{}{world}", style.bold(one_line(&self.runbook))));
        let all_good = self.failed + self.not_ended == 0;
        let failed = if all_good { String::new() } else { format!(", {}", self.otherwise()) };
        let last = self.drills.last().map(|run| format!("; last {} ({})", moment(run.started_at), run.run));
        page.hang("  rehearsed  ", &format!("{} times{failed}{}", self.succeeded, last.unwrap_or_default()));
        let Some(total) = &self.total else { return };
        page.hang("  took       ", &format!("{}  {}", self.sparkline(&style), self.trend_in_words()));
        page.hang("  the next   ", &format!("p50 {}, p90 {} ({})", say(total.p50), say(total.p90), of(total.sample)));
        if let Some(wanted) = self.objective {
            let (symbol, says) = if total.p90 > wanted {
                (Symbol::Warning, format!("p90 misses it by {}", say(total.p90.saturating_sub(wanted))))
            } else {
                (Symbol::Done, format!("p90 has {} to spare", say(wanted.saturating_sub(total.p90))))
            };
            let says = format!("RTO {}: {says}; kept {} of {} times", say(wanted), self.in_time, self.succeeded);
            page.hang("  objective  ", &format!("{} {says}", style.mark(symbol)));
        }
        let wide = self.steps.iter().map(|step| step.id.as_str().len()).max().unwrap_or_default();
        page.gap();
        let title = format!("  {}  {:>8}  {:>8}  {:>8}  {:>6}", pad("STEP", wide), "P50", "P90", "LAST", "SAMPLE");
        page.line(&style.dim(title));
        for StepFigures { id, figures, .. } in &self.steps {
            let Figures { p50, p90, last, sample } = figures;
            let name = pad(id.as_str(), wide);
            page.line(&format!("  {name}  {:>8}  {:>8}  {:>8}  {sample:>6}", say(*p50), say(*p90), say(*last)));
        }
    }

    /// One character a rehearsal, the newest last, as many as fit; one that did not succeed is marked as such.
    fn sparkline(&self, style: &Style) -> String {
        const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        const ASCII: [char; 8] = ['1', '2', '3', '4', '5', '6', '7', '8'];
        let levels = if style.unicode { BLOCKS } else { ASCII };
        let room = style.columns().saturating_sub(48).clamp(8, 60);
        let shown = &self.drills[self.drills.len().saturating_sub(room)..];
        let good = |run: &Measured| run.took.filter(|_| run.outcome == Some(Outcome::Succeeded));
        let took = || shown.iter().filter_map(good);
        let (least, most) = (took().min().unwrap_or_default(), took().max().unwrap_or_default());
        let level = |took: Duration| {
            let share = took.saturating_sub(least).as_secs_f64()
                / most.saturating_sub(least).as_secs_f64().max(f64::MIN_POSITIVE);
            levels[eighth(share)]
        };
        let failed = style.symbol(Symbol::Failed);
        shown.iter().map(|run| good(run).map_or_else(|| failed.to_owned(), |took| level(took).to_string())).collect()
    }

    pub(super) fn trend_in_words(&self) -> String {
        match self.trend {
            None => "too few for a trend".to_owned(),
            Some(trend) if trend.abs() < ALIKE => "about as long as before".to_owned(),
            Some(trend) if trend > 0.0 => format!("{:.0}% longer than before", trend * 100.0),
            Some(trend) => format!("{:.0}% shorter than before", -trend * 100.0),
        }
    }
}

/// Of 0 to 1: which of eight.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 7")]
fn eighth(share: f64) -> usize {
    (share * 7.0).round().clamp(0.0, 7.0) as usize
}

/// The median of the newest against that of all before. None: fewer than two on a side.
fn trend(took: &[Duration]) -> Option<f64> {
    let newest = TREND_OF.min(took.len() / 2);
    if newest < 2 {
        return None;
    }
    let (before, now) = took.split_at(took.len() - newest);
    let median = |part: &[Duration]| {
        let mut sorted = part.to_vec();
        sorted.sort_unstable();
        sorted[sorted.len() / 2].as_secs_f64()
    };
    Some(median(now) / median(before).max(0.001) - 1.0)
}

pub(super) fn of(sample: usize) -> String {
    if sample == 1 { "1 rehearsal".to_owned() } else { format!("{sample} rehearsals") }
}
