//! The dossier as a change request of `ServiceNow`: names of fields as in its table `change_request`.
//!
//! What differs from instance to instance (assignment group, configuration item, risk and impact values) is left to
//! whoever sends it. Times are UTC, as the table stores them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Dossier, said};
use crate::{report::Standing, run::Outcome as Ended, runbook::Mode};

pub(super) fn payload(dossier: &Dossier) -> Map<String, Value> {
    let cover = &dossier.cover;
    let list = |lines: &mut dyn Iterator<Item = String>| lines.collect::<Vec<_>>().join("\n");
    // A window that nine of ten runs keep.
    let (start, end) = (dossier.schedule.planned_at, dossier.schedule.ends_by.unwrap_or(dossier.schedule.would_end_at));
    let kind = match cover.mode {
        Mode::Planned => "normal",
        Mode::Unplanned => "emergency",
        Mode::Drill => "standard",
    };
    let simulated = if cover.simulated { " (simulated)" } else { "" };
    let plan = list(&mut dossier.steps.iter().map(|step| {
        format!(
            "{}. {} ({}, {}): {}; about {}{}",
            step.number,
            step.id,
            step.action,
            step.effect,
            step.summary,
            said(step.expected_s),
            step.bound()
        )
    }));
    let backout = list(
        &mut dossier
            .backout
            .iter()
            .filter(|row| row.effect != crate::runbook::Effect::ReadOnly)
            .map(|row| format!("{}: {}; going all the way back from here: {}", row.step, row.how, row.takes())),
    );
    let tests = list(&mut dossier.criteria.iter().map(|criterion| format!("- {}", criterion.what)));
    let risks = list(&mut dossier.risks.iter().map(|risk| {
        format!(
            "- {} (likelihood {}, impact {}): {}",
            risk.risk,
            risk.likelihood.word(),
            risk.impact.word(),
            risk.answer
        )
    }));
    let mut fields = Map::from_iter([
        ("type".to_owned(), json!(kind)),
        ("short_description".to_owned(), json!(format!("{}, mode {}{simulated}", cover.runbook, cover.mode))),
        ("description".to_owned(), json!(description(dossier))),
        ("justification".to_owned(), json!(justification(dossier))),
        ("implementation_plan".to_owned(), json!(plan)),
        ("backout_plan".to_owned(), json!(if backout.is_empty() { "nothing is changed".to_owned() } else { backout })),
        ("test_plan".to_owned(), json!(tests)),
        ("risk_impact_analysis".to_owned(), json!(format!("{risks}\n\n{}", dossier.loss.says.join(".\n")))),
        ("start_date".to_owned(), json!(time(start))),
        ("end_date".to_owned(), json!(time(end))),
        ("correlation_id".to_owned(), json!(cover.plan_digest)),
        ("correlation_display".to_owned(), json!("lifeboat plan digest")),
    ]);
    if let Some(outcome) = &dossier.outcome {
        fields.insert("work_start".to_owned(), json!(time(outcome.started_at)));
        if let Some(ended) = outcome.ended_at {
            fields.insert("work_end".to_owned(), json!(time(ended)));
        }
        if let Some(code) = close_code(dossier, outcome.standing) {
            fields.insert("close_code".to_owned(), json!(code));
            fields.insert("close_notes".to_owned(), json!(close_notes(dossier)));
        }
    }
    fields
}

fn description(dossier: &Dossier) -> String {
    let cover = &dossier.cover;
    let what = cover.description.clone().unwrap_or_else(|| cover.runbook.clone());
    let touches = cover.touches.join("\n");
    format!(
        "{what}\n\nIt writes to:\n{touches}\n\nPlan digest: {}\nRunbook SHA-256: {}",
        cover.plan_digest, cover.runbook_sha256
    )
}

fn justification(dossier: &Dossier) -> String {
    let why = match dossier.cover.mode {
        Mode::Planned => "The active region is left while it lives.",
        Mode::Unplanned => "The active region is believed lost; the run makes sure of it before anything is changed.",
        Mode::Drill => "A rehearsal: the same runbook, on a shadow name.",
    };
    let reasons: String = dossier.judged.reasons.iter().map(|reason| format!("\n- {reason}")).collect();
    format!("{why}\nJudged {}: {}{reasons}", dossier.judged.light.word(), dossier.judged.rule)
}

/// None: it is not over.
fn close_code(dossier: &Dossier, standing: Standing) -> Option<&'static str> {
    match standing {
        Standing::Ended(Ended::Succeeded) => Some(match dossier.judged.light {
            super::Light::Green => "successful",
            super::Light::Amber | super::Light::Red => "successful_issues",
        }),
        Standing::Ended(Ended::Undone | Ended::Aborted) => Some("unsuccessful"),
        Standing::Ended(Ended::Failed | Ended::Refused | Ended::Stuck | Ended::Interrupted)
        | Standing::Driven
        | Standing::Abandoned
        | Standing::Unknown => None,
    }
}

fn close_notes(dossier: &Dossier) -> String {
    let Some(outcome) = &dossier.outcome else { return String::new() };
    let mut lines = vec![format!("{} after {}; {}", outcome.ended_because(), outcome.elapsed(), dossier.judged.rule)];
    lines.extend(outcome.world.truths.iter().map(|truth| format!("- {} {}", truth.subject, truth.says)));
    lines.extend(outcome.decided().iter().map(|decision| format!("- {decision}")));
    lines.extend(outcome.done_alone.iter().map(|item| format!("- {}", item.sentence())));
    lines.join("\n")
}

/// `2026-11-23 14:03:22`, UTC.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}
