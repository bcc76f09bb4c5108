//! Readiness for people and programs: one finding a line, its remedy below it, and one line that sums up.
//!
//! Pure. A plan made to be looked at says everything; this is the view of its findings.

use serde::Serialize;

use crate::{
    plan::{
        Plan,
        facts::{Finding, Severity},
    },
    runbook::Mode,
    style::{Page, Style, Symbol, moment, one_line},
};

/// Version of the JSON form. Changelog:
/// 1. The first.
pub const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Report<'a> {
    v: u32,
    runbook: &'a str,
    mode: Mode,
    at: jiff::Timestamp,
    simulated: bool,
    /// Nothing stands in the way.
    ready: bool,
    blockers: usize,
    warnings: usize,
    notes: usize,
    /// The worst first.
    findings: &'a [Finding],
}

/// One JSON document, without a line feed at its end.
///
/// # Panics
/// Never: findings have text keys.
pub fn json(plan: &Plan) -> String {
    let count = |severity| plan.findings.iter().filter(|finding| finding.severity == severity).count();
    let report = Report {
        v: FORMAT,
        runbook: &plan.name,
        mode: plan.mode,
        at: plan.made_at,
        simulated: plan.site.shared_clock().is_some(),
        ready: count(Severity::Blocker) == 0,
        blockers: count(Severity::Blocker),
        warnings: count(Severity::Warning),
        notes: count(Severity::Note),
        findings: &plan.findings,
    };
    serde_json::to_string_pretty(&report).expect("findings have text keys")
}

/// Ends with a line feed.
pub fn text(plan: &Plan, style: &Style) -> String {
    let mut page = Page::new(style);
    for finding in &plan.findings {
        let symbol = symbol(finding.severity);
        let place = finding.place();
        let place = if place.is_empty() { place } else { format!("{}: ", one_line(&place)) };
        let seen = finding.observed_at.map(|at| format!(" (seen {})", moment(at))).unwrap_or_default();
        let lead = format!("{} {:7}  ", style.mark(symbol), finding.severity);
        let code = style.toned(symbol, format!("[{}]", finding.code));
        page.hang(&lead, &format!("{code} {place}{}{seen}", one_line(&finding.message)));
        if !finding.remedy.is_empty() {
            page.hang(&format!("           {} ", style.mark(Symbol::Arrow)), &one_line(&finding.remedy));
        }
    }
    page.hang("", &summary(plan, style));
    page.text()
}

fn symbol(severity: Severity) -> Symbol {
    match severity {
        Severity::Blocker => Symbol::Failed,
        Severity::Warning => Symbol::Warning,
        Severity::Note => Symbol::Note,
    }
}

fn summary(plan: &Plan, style: &Style) -> String {
    let counted = |severity: Severity| {
        let count = plan.findings.iter().filter(|finding| finding.severity == severity).count();
        format!("{count} {severity}{}", if count == 1 { "" } else { "s" })
    };
    let counts = [Severity::Blocker, Severity::Warning, Severity::Note].map(counted).join(", ");
    let world = if plan.site.shared_clock().is_some() { " (simulated)" } else { "" };
    let ready = !plan.findings.iter().any(|finding| finding.severity == Severity::Blocker);
    let verdict = if ready { style.green("ready") } else { style.red("not ready") };
    format!("{verdict}: {}, mode {}{world}, {}; {counts}", one_line(&plan.name), plan.mode, moment(plan.made_at))
}
