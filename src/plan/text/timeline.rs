//! When each step is expected to begin and end, drawn as bars.

use std::{collections::HashMap, time::Duration};

use crate::{
    plan::{Plan, Prediction},
    runbook::StepId,
    style::{Page, columns, fit, pad, say},
};

/// Beyond this only the critical path is drawn: a board reads a page, not a wall.
const MOST_ROWS: usize = 40;

/// A bar of fewer cells says nothing; the figures beside it do.
const LEAST_CELLS: usize = 12;

/// When each step begins if everything before it takes as long as expected, in the plan's order.
pub fn starts(plan: &Plan) -> Vec<Duration> {
    let mut ends: HashMap<&StepId, Duration> = HashMap::new();
    let mut starts = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let start = step.needs.iter().filter_map(|need| ends.get(need)).max().copied().unwrap_or_default();
        ends.insert(&step.id, start.saturating_add(step.expected));
        starts.push(start);
    }
    starts
}

pub(super) fn draw(page: &mut Page, plan: &Plan) {
    if plan.steps.is_empty() {
        return;
    }
    let style = page.style;
    page.heading(&format!("Predicted timeline: {}", whole(plan)));
    let arrow = if style.unicode { " → " } else { " -> " };
    let path: Vec<&str> = plan.critical_path.iter().map(StepId::as_str).collect();
    page.hang("  critical path: ", &path.join(arrow));
    page.gap();
    let critical = |id: &StepId| plan.critical_path.contains(id);
    let rows: Vec<_> = plan.steps.iter().zip(starts(plan)).collect();
    let rows: Vec<_> = if rows.len() > MOST_ROWS {
        page.line(&format!("  {} steps; only the critical path is drawn", rows.len()));
        rows.into_iter().filter(|(step, _)| critical(&step.id)).take(MOST_ROWS).collect()
    } else {
        rows
    };
    let widest = rows.iter().map(|(step, _)| columns(step.id.as_str())).max().unwrap_or_default();
    let names = widest.min(24).min(style.columns() / 3);
    let (full, half, empty) = if style.unicode { ("█", "▒", "·") } else { ("#", "=", ".") };
    let figures = 22;
    let cells = style.columns().min(110).saturating_sub(names + figures + 6);
    let end = rows.iter().map(|(step, start)| start.saturating_add(step.expected)).max().unwrap_or_default();
    let total = end.as_secs_f64().max(f64::MIN_POSITIVE);
    for (step, start) in &rows {
        // At least one cell, also for what takes no time at the very end.
        let cell = |at: Duration| cells_of(at.as_secs_f64() / total, cells);
        let from = cell(*start).min(cells.saturating_sub(1));
        let to = cell(start.saturating_add(step.expected)).clamp(from + 1, cells.max(from + 1));
        let drawn = if critical(&step.id) { full } else { half };
        let bar =
            format!("{}{}{}", empty.repeat(from), drawn.repeat(to - from), empty.repeat(cells.saturating_sub(to)));
        let name = pad(&fit(step.id.as_str(), names, &style), names);
        let bar = if cells < LEAST_CELLS { String::new() } else { format!("{bar}  ") };
        page.line(&format!("  {name}  {bar}{:>8} +{}", say(*start), say(step.expected)));
    }
    if cells < LEAST_CELLS {
        return;
    }
    page.hang("  ", &style.dim(format!("{full} on the critical path, {half} beside it; start +duration")));
}

/// `57m in all, p90 1h 21m (12 earlier runs)`
pub(super) fn whole(plan: &Plan) -> String {
    let rests = plan.prediction.map(|prediction| format!(" ({})", prediction.rests_on())).unwrap_or_default();
    format!("{} in all{}{rests}", say(plan.expected), bound(plan.prediction.as_ref()))
}

/// `, p90 1h 21m`, where it is another figure than the p50.
pub(super) fn bound(prediction: Option<&Prediction>) -> String {
    let differs = prediction.filter(|prediction| say(prediction.p90) != say(prediction.p50));
    differs.map(|prediction| format!(", p90 {}", say(prediction.p90))).unwrap_or_default()
}

/// `share` of so many cells, rounded.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a terminal's width")]
fn cells_of(share: f64, cells: usize) -> usize {
    (share * cells as f64).round().clamp(0.0, cells as f64) as usize
}
