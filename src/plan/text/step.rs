//! One step of a plan as text.

use crate::{
    plan::{
        Basis, Certainty, PlannedStep,
        facts::{Fact, PlannedRequest},
    },
    runbook::{Effect, OnFailure, StepId},
    style::{Page, Symbol, columns, one_line, pad, say},
};

use super::{timeline, value};

/// Facts of a step that are shown; all of them are in the JSON form.
const MOST_FACTS: usize = 24;

const INDENT: &str = "      ";

pub(super) fn draw(page: &mut Page, number: usize, step: &PlannedStep) {
    let style = page.style;
    page.gap();
    page.line(&format!(" {number:>3}. {}  {}", style.bold(&step.id), step.action));
    let effect = match step.effect {
        Effect::ReadOnly => step.effect.to_string(),
        Effect::Reversible => style.yellow(step.effect),
        Effect::Irreversible => style.red(step.effect),
    };
    page.hang(
        INDENT,
        &format!(
            "{effect}; {}; takes about {}{} ({})",
            certainty(step.certainty),
            say(step.expected),
            timeline::bound(step.prediction.as_ref()),
            one_line(&source(step))
        ),
    );
    page.hang(INDENT, &limits(step));
    for condition in conditions(step) {
        page.hang(INDENT, &condition);
    }
    if let Some(description) = &step.description {
        page.hang(INDENT, &one_line(description));
    }
    if !step.probe.summary.is_empty() {
        page.hang(&format!("{INDENT}{} ", style.mark(Symbol::Arrow)), &one_line(&step.probe.summary));
    }
    facts(page, &step.probe.facts);
    for request in &step.probe.requests {
        self::request(page, request);
    }
}

/// What the figures rest on.
fn source(step: &PlannedStep) -> String {
    match step.prediction.map(|prediction| prediction.basis) {
        Some(Basis::Documented) => format!("no history; {}", step.expected_source),
        Some(Basis::History | Basis::Action | Basis::Step) | None => step.expected_source.clone(),
    }
}

pub(super) fn certainty(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Verified => "verified live",
        Certainty::Predicted => "predicted",
        Certainty::Unknown => "cannot be known before the run",
    }
}

/// `at most 90m; up to 20 attempts, 15s apart`
fn limits(step: &PlannedStep) -> String {
    let attempts = match step.retry.attempts {
        1 => "one attempt".to_owned(),
        attempts => format!("up to {attempts} attempts, {} apart", say(step.retry.delay)),
    };
    format!("at most {}; {attempts}", say(step.timeout))
}

/// What it waits for, when it is skipped, and what its failure does.
fn conditions(step: &PlannedStep) -> Vec<String> {
    let mut list = Vec::new();
    if !step.needs.is_empty() {
        let needs: Vec<&str> = step.needs.iter().map(StepId::as_str).collect();
        list.push(format!("after {}", needs.join(", ")));
    }
    list.extend(step.when.as_ref().map(|when| format!("only when {}", one_line(when))));
    match step.on_failure {
        OnFailure::Stop => {}
        OnFailure::Continue => list.push("if it fails, the run goes on".to_owned()),
        OnFailure::Undo => list.push("if it fails, what was done and can be undone is undone".to_owned()),
    }
    list
}

/// Grouped by where they were seen.
fn facts(page: &mut Page, facts: &[Fact]) {
    let style = page.style;
    let shown = &facts[..facts.len().min(MOST_FACTS)];
    let wide = shown.iter().map(|fact| columns(&fact.name)).max().unwrap_or_default().min(28);
    let mut source = None;
    for fact in shown {
        if source != Some(&fact.source) {
            page.hang(INDENT, &style.dim(format!("seen by {}", one_line(&fact.source))));
            source = Some(&fact.source);
        }
        page.hang(&format!("{INDENT}  {}  ", pad(&one_line(&fact.name), wide)), &value::inline(&fact.value));
    }
    if facts.len() > shown.len() {
        page.line(&format!("{INDENT}  and {} more facts, in the JSON form of the plan", facts.len() - shown.len()));
    }
}

/// A URL that does not fit stands on a line of its own, whole, so that it can be copied.
fn request(page: &mut Page, request: &PlannedRequest) {
    let style = page.style;
    let url = one_line(&request.url);
    page.line(&format!("{INDENT}{}", style.bold("would send")));
    let line = format!("{INDENT}  {} {url}", request.method);
    if columns(&line) <= style.columns() {
        page.line(&line);
    } else {
        page.line(&format!("{INDENT}  {}", request.method));
        page.line(&format!("{INDENT}  {url}"));
    }
    for (name, value) in &request.headers {
        page.hang(&format!("{INDENT}  {name}: "), &one_line(value));
    }
    if let Some(body) = &request.body {
        let room = style.columns().saturating_sub(INDENT.len() + 2);
        for line in value::lines(body, room) {
            page.line(&format!("{INDENT}  {line}"));
        }
    }
}
