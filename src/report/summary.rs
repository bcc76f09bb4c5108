//! The closing summary: what is true now, how long it took, what needs attention, and what to type next.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::{
    Accepted, Advice, Approved, Commands, Doubt, Judgement, Objective, ObjectiveVerdict, OpenItem, Override, Standing,
    advice::advice,
    approvals::{accepted_drift, approvals, open_items},
    objectives::{age_in_words, objectives},
    overrides,
    step::StepView,
    story::person,
    world::World,
};
use crate::{
    run::{Outcome, RunId, State, state::BY_HAND},
    runbook::Mode,
    style::{Page, Style, Symbol, columns, duration, fit, moment, one_line, pad, say},
};

/// Version of the JSON form. Changelog:
/// 1. The first.
pub const FORMAT: u32 = 1;

/// A command that is longer pushes its explanation to the next line, and nobody else's.
const WIDEST_COMMAND: usize = 44;

/// Columns of one detail of an error; all of it is in the JSON form.
const WIDEST_DETAIL: usize = 300;

/// What a person or a program should know when a drive has ended, or when somebody asks.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    pub v: u32,
    pub run: RunId,
    pub runbook: String,
    /// SHA-256, hex.
    pub plan_digest: String,
    pub mode: Mode,
    pub standing: Standing,
    /// Why it ended so. Lower-case fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What people decided against what the tool saw.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// Who said yes to what.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approved>,
    /// What one person did alone and nobody has signed off yet: with one, a report is amber at best.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open_items: Vec<OpenItem>,
    /// What had moved since the plan was saved, and who ran it all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accepted_drift: Vec<Accepted>,
    /// Nothing more starts until somebody lifts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// Somebody gave the run up and wanted back what could be taken back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
    pub started_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    pub elapsed_s: i64,
    pub steps_done: usize,
    pub steps_in_all: usize,
    pub objectives: ObjectiveVerdict,
    pub world: World,
    /// Steps that failed, are in doubt, were undone or skipped, or wait for somebody.
    pub attention: Vec<StepView>,
    /// Never empty; the first is the one to type.
    pub next: Vec<Advice>,
}

/// Who holds the run, since when, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Paused {
    /// `dana@jump-1`
    pub by: String,
    pub since: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Paused {
    /// None: nobody holds it, or it is over.
    pub fn of(state: &State) -> Option<Self> {
        let hold = state.hold.as_ref().filter(|_| !state.is_over())?;
        Some(Self { by: person(&hold.by), since: hold.at, reason: hold.reason.clone() })
    }

    /// `paused by dana@jump-1 since 14:12:05Z: the region may come back`
    pub fn sentence(&self) -> String {
        let reason = self.reason.as_ref().map(|reason| format!(": {}", one_line(reason))).unwrap_or_default();
        format!(
            "paused by {} since {}{reason}; what runs goes on, nothing more starts",
            one_line(&self.by),
            moment(self.since)
        )
    }
}

impl Summary {
    pub fn of(state: &State, standing: Standing, now: Timestamp, commands: &Commands) -> Self {
        let stopped = state.stopped.as_ref();
        let ended_at = stopped.map(|(_, _, at)| *at);
        let views = (0..state.steps.len()).map(|place| StepView::of(state, place, standing, now, commands));
        Self {
            v: FORMAT,
            run: state.run.clone(),
            runbook: state.plan.name.clone(),
            plan_digest: state.plan.digest.clone(),
            mode: state.plan.mode,
            standing,
            reason: stopped.map(|(_, reason, _)| reason.clone()),
            overrides: overrides(state),
            approvals: approvals(state),
            open_items: open_items(state),
            accepted_drift: accepted_drift(state),
            paused: Paused::of(state),
            given_up: state.way_back.is_some(),
            started_at: state.created_at,
            ended_at,
            elapsed_s: ended_at.unwrap_or(now).duration_since(state.created_at).as_secs(),
            steps_done: state.finished,
            steps_in_all: state.steps.len(),
            objectives: objectives(state, now),
            world: World::of(state, standing),
            attention: views.filter(StepView::needs_attention).collect(),
            next: advice(state, standing, commands),
        }
    }

    pub fn text(&self, style: &Style) -> String {
        let mut page = Page::new(style);
        self.head(&mut page);
        self.world(&mut page);
        self.objectives(&mut page);
        self.attention(&mut page);
        self.next(&mut page);
        page.text()
    }

    pub(super) fn head(&self, page: &mut Page) {
        let style = page.style;
        let symbol = self.standing.symbol();
        let word = style.toned(symbol, self.standing.word().to_uppercase());
        page.line(&format!("{} {word}  run {}  ({}, {})", style.mark(symbol), self.run, self.runbook, self.mode));
        for decision in &self.overrides {
            let lead = format!("  {} ", style.mark(Symbol::Warning));
            page.hang(&lead, &style.toned(Symbol::Warning, decision.sentence()));
        }
        for open in &self.open_items {
            let lead = format!("  {} ", style.mark(Symbol::Ask));
            page.hang(&lead, &style.toned(Symbol::Ask, open.sentence()));
        }
        for accepted in &self.accepted_drift {
            let lead = format!("  {} ", style.mark(Symbol::Warning));
            page.hang(&lead, &style.toned(Symbol::Warning, accepted.sentence()));
        }
        page.hang("  ", &self.sentence());
        if let Some(paused) = &self.paused {
            let lead = format!("  {} ", style.mark(Symbol::Waiting));
            page.hang(&lead, &style.toned(Symbol::Waiting, paused.sentence()));
        }
        if let Some(reason) = &self.reason {
            page.hang("  ", &one_line(reason));
        }
    }

    /// What the standing means, with the figures.
    fn sentence(&self) -> String {
        let elapsed = duration(SignedDuration::from_secs(self.elapsed_s));
        let steps = format!("{} of {} steps done", self.steps_done, self.steps_in_all);
        let began = moment(self.started_at);
        match self.standing {
            Standing::Driven => format!("it has been running for {elapsed} since {began}; {steps}"),
            Standing::Abandoned => {
                format!("the process that drove it is gone; it began at {began}, {elapsed} ago; {steps}")
            }
            Standing::Unknown => {
                format!(
                    "it has not ended; whether a process drives it cannot be told from here; began {began}; {steps}"
                )
            }
            Standing::Ended(Outcome::Succeeded) => format!("recovered in {elapsed}, from {began}; {steps}"),
            Standing::Ended(Outcome::Failed) => format!("a step failed after {elapsed}, from {began}; {steps}"),
            Standing::Ended(Outcome::Refused) => {
                format!("refused after {elapsed}, from {began}: what it guards was not started; {steps}")
            }
            Standing::Ended(Outcome::Undone) => {
                let why = if self.given_up { "it was given up" } else { "a step failed" };
                format!("{why}, and what could be undone was undone; {elapsed}, from {began}")
            }
            Standing::Ended(Outcome::Stuck) => format!("a human must look; {elapsed}, from {began}; {steps}"),
            Standing::Ended(Outcome::Interrupted) => {
                format!("stopped after {elapsed}, from {began}; what goes on in Azure goes on; {steps}")
            }
            Standing::Ended(Outcome::Aborted) => {
                format!("given up after {elapsed}, from {began}; nothing was undone; {steps}")
            }
        }
    }

    pub(super) fn world(&self, page: &mut Page) {
        let style = page.style;
        if self.world.truths.is_empty() && self.world.operations.is_empty() {
            return;
        }
        page.heading("What is true now, as far as this run knows");
        for truth in &self.world.truths {
            let symbol = if truth.certain { Symbol::Note } else { Symbol::Doubt };
            let doubt = if truth.certain { String::new() } else { style.toned(Symbol::Doubt, "not certain: ") };
            page.hang(
                &format!("  {} ", style.mark(symbol)),
                &format!("{} {doubt}{}", style.bold(&truth.subject), one_line(&truth.says)),
            );
        }
        for operation in &self.world.operations {
            page.hang(
                &format!("  {} ", style.mark(Symbol::Doubt)),
                &format!(
                    "step {}: an operation begun at {} was accepted, and nobody has seen its end:",
                    operation.step,
                    moment(operation.since)
                ),
            );
            page.line(&format!("    {}", one_line(&operation.url)));
        }
    }

    pub(super) fn objectives(&self, page: &mut Page) {
        let ObjectiveVerdict { rto, rpo, only_backs_up } = &self.objectives;
        if rto.judgement == Judgement::NotSet && rpo.judgement == Judgement::NotSet {
            return;
        }
        page.heading("Objectives");
        let took = rto.reached.map_or_else(|| "a time that is not known".to_owned(), say);
        let recovery = match self.standing {
            Standing::Ended(Outcome::Succeeded) => format!("recovered in {took}"),
            Standing::Ended(Outcome::Undone | Outcome::Aborted) => {
                format!("this run ended after {took}, not recovered")
            }
            Standing::Ended(Outcome::Failed | Outcome::Refused | Outcome::Stuck | Outcome::Interrupted)
            | Standing::Driven
            | Standing::Abandoned
            | Standing::Unknown => format!("not recovered, {took} so far"),
        };
        objective(page, "RTO", rto, &recovery);
        let age = match (rpo.judgement, rpo.reached) {
            (_, None) if *only_backs_up => "no backup was taken yet, or there was none before".to_owned(),
            (_, Some(age)) if *only_backs_up => {
                format!("the newest backup beside this run's own had become {} old", say(age))
            }
            (_, None) => "no backup was chosen yet".to_owned(),
            (Judgement::Unknown, Some(age)) => format!("nothing is restored; the chosen backup is {} old", say(age)),
            (Judgement::Met | Judgement::Missed | Judgement::NotSet, Some(age)) => {
                format!("the backup was {}", age_in_words(age))
            }
        };
        objective(page, "RPO", rpo, &age);
    }

    pub(super) fn attention(&self, page: &mut Page) {
        if self.attention.is_empty() {
            return;
        }
        page.heading("Steps to look at");
        let width = self.attention.iter().map(|step| step.id.as_str().len()).max().unwrap_or_default();
        for step in &self.attention {
            attention(page, step, width);
        }
    }

    pub(super) fn next(&self, page: &mut Page) {
        let style = page.style;
        page.heading("Next");
        let commands = self.next.iter().map(|advice| columns(&advice.command));
        let width = commands.filter(|width| *width <= WIDEST_COMMAND).max().unwrap_or_default();
        for advice in &self.next {
            let beside = columns(&advice.command) <= width && width + columns(&advice.why) + 5 <= style.columns();
            if beside {
                let command = pad(&style.bold(&advice.command), width);
                page.line(&format!("  {command}   {}", style.dim(&advice.why)));
            } else {
                page.line(&format!("  {}", style.bold(&advice.command)));
                page.hang("      ", &style.dim(&advice.why));
            }
        }
    }
}

fn objective(page: &mut Page, name: &str, objective: &Objective, reached: &str) {
    let Some(wanted) = objective.wanted else { return };
    let style = page.style;
    let (symbol, word) = match objective.judgement {
        Judgement::Met => (Symbol::Done, "met"),
        Judgement::Missed => (Symbol::Failed, "missed"),
        Judgement::Unknown | Judgement::NotSet => (Symbol::Doubt, "open"),
    };
    page.hang(
        &format!("  {} {name} ", style.mark(symbol)),
        &format!("{}: {reached}; wanted {}", style.toned(symbol, word), say(wanted)),
    );
}

/// A step, why, and what to do about it.
fn attention(page: &mut Page, step: &StepView, width: usize) {
    let style = page.style;
    let lead = format!("  {} {}  ", style.mark(step.symbol), pad(step.id.as_str(), width));
    let word = style.toned(step.symbol, step.state);
    let indent = " ".repeat(columns(&lead).min(8));
    let error = step.error.as_ref();
    let why = match (&step.unsettled, error, &step.note) {
        (Some(unsettled), _, _) => one_line(&unsettled.reason),
        (None, Some(error), _) => format!("{} [{}]", one_line(&error.message), error.code),
        (None, None, Some(note)) => one_line(note),
        (None, None, None) if step.symbol == Symbol::Doubt => "nobody knows what became of its request".to_owned(),
        (None, None, None) => String::new(),
    };
    let attempts = if step.attempts > 1 || step.attempts_allowed > 1 && step.attempts > 0 {
        format!(" (attempt {} of {})", step.attempts, step.attempts_allowed)
    } else {
        String::new()
    };
    let colon = if why.is_empty() { "" } else { ": " };
    page.hang(&lead, &format!("{word}{attempts}{colon}{why}"));
    if let Some(remedy) = step.unsettled.as_ref().map(|unsettled| &unsettled.remedy).or(error.map(|error| &error.hint))
        && !remedy.is_empty()
    {
        page.hang(&format!("{indent}{} ", style.mark(Symbol::Arrow)), &one_line(remedy));
    }
    if let Some(doubt) = &step.doubt {
        unclear(page, doubt, indent.as_str());
    }
    // What would finish by hand stands whole under "Next".
    for (name, value) in error.iter().flat_map(|error| &error.details).filter(|(name, _)| *name != BY_HAND) {
        page.hang(&format!("{indent}{} ", style.dim(format!("{name}:"))), &fit(&scalar(value), WIDEST_DETAIL, &style));
    }
}

/// What was sent, when and by whom, and when somebody last looked.
fn unclear(page: &mut Page, doubt: &Doubt, indent: &str) {
    let style = page.style;
    if let Some(request) = &doubt.request {
        let at = doubt.sent_at.map(|at| format!(" at {}", moment(at))).unwrap_or_default();
        let by = doubt.by.as_ref().map(|by| format!(" by {}", one_line(by))).unwrap_or_default();
        page.hang(&format!("{indent}{} ", style.dim("sent:")), &format!("{}{at}{by}", one_line(request)));
    }
    let looked = match doubt.looked_at {
        Some(at) => format!("last at {}", moment(at)),
        None => "nobody has looked since".to_owned(),
    };
    page.hang(&format!("{indent}{} ", style.dim("looked:")), &looked);
}

/// A JSON value on one line; a text without its quotes.
fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| one_line(&value.to_string()), one_line)
}
