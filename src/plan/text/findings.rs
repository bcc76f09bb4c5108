//! Findings in a plan's text: blockers and warnings with their remedies, notes folded into a short list.

use crate::{
    plan::facts::{Finding, Severity},
    style::{Page, Symbol, one_line, time},
};

/// Notes that are shown; nobody must act on them, and all of them are in the JSON form.
const MOST_NOTES: usize = 6;

pub(super) fn draw(page: &mut Page, findings: &[Finding]) {
    let of = |severity| findings.iter().filter(move |finding| finding.severity == severity).collect::<Vec<_>>();
    urgent(page, "Blockers: nothing may start", Symbol::Failed, &of(Severity::Blocker));
    urgent(page, "Warnings", Symbol::Warning, &of(Severity::Warning));
    notes(page, &of(Severity::Note));
}

fn urgent(page: &mut Page, title: &str, symbol: Symbol, findings: &[&Finding]) {
    if findings.is_empty() {
        return;
    }
    let style = page.style;
    page.heading(&format!("{title} ({})", findings.len()));
    for finding in findings {
        page.hang(&format!("  {} ", style.mark(symbol)), &style.toned(symbol, said(finding)));
        if !finding.remedy.is_empty() {
            page.hang(&format!("    {} ", style.mark(Symbol::Arrow)), &one_line(&finding.remedy));
        }
    }
}

fn notes(page: &mut Page, findings: &[&Finding]) {
    if findings.is_empty() {
        return;
    }
    let style = page.style;
    page.heading(&format!("Notes ({})", findings.len()));
    for finding in findings.iter().take(MOST_NOTES) {
        page.hang(&format!("  {} ", style.mark(Symbol::Note)), &style.toned(Symbol::Note, said(finding)));
    }
    if findings.len() > MOST_NOTES {
        page.line(&format!("    and {} more, in the JSON form of the plan", findings.len() - MOST_NOTES));
    }
}

/// `verify-standby: apim-east has 1 unit where the other has 2 [standby-smaller, seen 14:00:02Z]`
fn said(finding: &Finding) -> String {
    let place = finding.place();
    let place = if place.is_empty() { place } else { format!("{}: ", one_line(&place)) };
    let seen = finding.observed_at.map(|at| format!(", seen {}", time(at))).unwrap_or_default();
    format!("{place}{} [{}{seen}]", one_line(&finding.message), finding.code)
}
