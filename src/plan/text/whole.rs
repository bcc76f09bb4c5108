//! The whole plan on a page.

use std::time::Duration;

use crate::{
    plan::{Certainty, Forced, Plan, facts::Severity, recovery},
    runbook::StepId,
    style::{Page, Style, Symbol, columns, moment, one_line, pad, say},
};

use super::{findings, step, timeline, value};

/// What to type after reading, as the caller knows how it was called.
#[derive(Clone, Copy, Debug)]
pub struct Next<'a> {
    /// Runs this plan, or makes it again and runs it.
    pub run: &'a str,
    /// Makes the plan again, once blockers are out of the way.
    pub plan: &'a str,
}

/// The plan as text. Ends with a line feed. Only URLs and JSON values that do not fit are wider than `style.width`.
pub fn render(plan: &Plan, style: &Style, next: &Next<'_>) -> String {
    let mut page = Page::new(style);
    head(&mut page, plan);
    findings::draw(&mut page, &plan.findings);
    objectives(&mut page, plan);
    steps(&mut page, plan);
    timeline::draw(&mut page, plan);
    foot(&mut page, plan, next);
    page.text()
}

/// A run's first lines: what is about to happen, how long it will take, and what somebody should have read before.
pub fn brief(plan: &Plan, style: &Style) -> String {
    let mut page = Page::new(style);
    let short: String = plan.digest.chars().take(12).collect();
    let count = plan.steps.len();
    page.hang(
        "",
        &format!(
            "{}, mode {}, plan {short}: {count} steps, {} predicted{}",
            style.bold(one_line(&plan.name)),
            plan.mode,
            say(plan.expected),
            timeline::bound(plan.prediction.as_ref())
        ),
    );
    forced(&mut page, plan, "");
    findings::draw(&mut page, &plan.findings);
    page.text()
}

/// A decision that everybody who reads the plan should know of.
fn forced(page: &mut Page, plan: &Plan, indent: &str) {
    let Some(Forced { by, reason }) = &plan.forced else { return };
    let lead = format!("{indent}forced     ");
    page.hang(&lead, &format!("by {}@{}: {}", one_line(&by.name), one_line(&by.host), one_line(reason)));
}

fn head(page: &mut Page, plan: &Plan) {
    let style = page.style;
    page.line(&format!("Dry run of {}, mode {}", style.bold(one_line(&plan.name)), style.bold(plan.mode)));
    if let Some(description) = &plan.description {
        page.hang("  ", &one_line(description));
    }
    page.gap();
    let short: String = plan.digest.chars().take(12).collect();
    page.hang("  plan       ", &format!("{} made {}", style.bold(short), moment(plan.made_at)));
    page.hang("  digest     ", &plan.digest);
    let world = if plan.site.shared_clock().is_some() { "simulated, " } else { "" };
    page.hang("  site       ", &format!("{world}{}", plan.site.endpoints.resource_manager));
    page.hang("  certainty  ", &certainty(plan));
    if let Some(until) = plan.saved.as_ref().and_then(|saved| saved.valid_until) {
        page.hang("  valid      ", &format!("until {}", moment(until)));
    }
    forced(page, plan, "  ");
    parameters(page, plan);
}

pub(super) fn parameters(page: &mut Page, plan: &Plan) {
    if plan.parameters.is_empty() {
        return;
    }
    page.heading("Parameters");
    let wide = plan.parameters.keys().map(|name| columns(name)).max().unwrap_or_default();
    for (name, given) in &plan.parameters {
        page.hang(&format!("  {}  ", pad(name, wide)), &value::inline(given));
    }
}

/// `5 steps verified live, 2 predicted, 1 cannot be known before the run`
fn certainty(plan: &Plan) -> String {
    let kinds = [Certainty::Verified, Certainty::Predicted, Certainty::Unknown];
    let counts = kinds.map(|kind| (plan.steps.iter().filter(|step| step.certainty == kind).count(), kind));
    let parts = counts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts.map(|(count, kind)| format!("{count} {}", step::certainty(*kind))).collect();
    format!("{} steps: {}", plan.steps.len(), parts.join(", "))
}

fn objectives(page: &mut Page, plan: &Plan) {
    let wanted = &plan.objectives;
    let given = recovery::given(plan);
    if wanted.rto.is_none() && wanted.rpo.is_none() && given.is_none() {
        return;
    }
    page.heading("Objectives");
    if let Some(given) = given {
        page.hang("  ", &given);
    }
    objective(page, "RTO", wanted.rto, "predicted", Some(plan.expected));
    let age = recovery::predicted_age(plan);
    objective(page, "RPO", wanted.rpo, "age of the newest usable backup", age);
}

fn objective(page: &mut Page, name: &str, wanted: Option<Duration>, what: &str, predicted: Option<Duration>) {
    let Some(wanted) = wanted else { return };
    let style = page.style;
    let (symbol, text) = match predicted {
        None => (Symbol::Doubt, format!("{what}: not known before the run")),
        Some(predicted) if predicted > wanted => (
            Symbol::Failed,
            format!("{what} {}: misses it by {}", say(predicted), say(predicted.saturating_sub(wanted))),
        ),
        Some(predicted) => {
            (Symbol::Done, format!("{what} {}: {} to spare", say(predicted), say(wanted.saturating_sub(predicted))))
        }
    };
    page.hang(&format!("  {} {name} {}  ", style.mark(symbol), pad(&say(wanted), 6)), &text);
}

fn steps(page: &mut Page, plan: &Plan) {
    page.heading(&format!("Steps ({}), in order", plan.steps.len()));
    for (place, planned) in plan.steps.iter().enumerate() {
        if plan.point_of_no_return.as_ref() == Some(&planned.id) {
            page.gap();
            let rule = page.style.rule("going back ends here");
            let rule = page.style.red(rule);
            page.line(&rule);
        }
        step::draw(page, place + 1, planned);
    }
    if !plan.left_out.is_empty() {
        let ids: Vec<&str> = plan.left_out.iter().map(StepId::as_str).collect();
        page.gap();
        page.hang("  ", &format!("left out in mode {}: {}", plan.mode, ids.join(", ")));
    }
}

fn foot(page: &mut Page, plan: &Plan, next: &Next<'_>) {
    let style = page.style;
    page.gap();
    let blocked = plan.findings.iter().any(|finding| finding.severity == Severity::Blocker);
    let (text, command) = if blocked {
        (
            "Nothing was changed. A run would be refused as long as the blockers stand. When they are gone, plan again:",
            next.plan,
        )
    } else {
        ("Nothing was changed. To do all this:", next.run)
    };
    page.hang("", text);
    page.line(&format!("  {}", style.bold(command)));
}
