//! The history of rehearsals as one HTML file: no scripts, nothing from elsewhere, light and dark, readable when printed.

use std::{fmt::Write as _, time::Duration};

use super::{Drills, Figures, Rehearsals, of, say};
use crate::{plan::Measured, report::picture::escape, run::Outcome, style::moment};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
/// Room for the figures at the left, and for the dates below.
const LEFT: f64 = 64.0;
const BELOW: f64 = 24.0;
/// Rehearsals in one chart; older ones stand in the table of the JSON form.
const MOST_BARS: usize = 100;

const LOOK: &str = "\
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #ffffff; --dim: #595959; --bar: #2f6db5; --bad: #b3261e; --line: #a15c00; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececec; --paper: #161616; --dim: #a8a8a8; --bar: #7fb2ee; --bad: #ff8a80; --line: #ffb74d; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
svg { width: 100%; height: auto; } svg text { fill: var(--dim); font-size: 12px; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid color-mix(in srgb, var(--dim) 30%, transparent); }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } .dim { color: var(--dim); } .bad { color: var(--bad); }
.scroll { overflow-x: auto; }
@media print { body { margin: 0; max-width: none; } section { break-inside: avoid; } }";

/// The whole file.
pub fn page(drills: &Drills) -> String {
    let mut html = String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    put(
        &mut html,
        format_args!("<title>Rehearsals</title>\n<style>\n{LOOK}\n</style>\n</head>\n<body>\n<h1>Rehearsals</h1>\n"),
    );
    for left in &drills.leftovers {
        put(
            &mut html,
            format_args!(
                "<p class=\"bad\"><strong>Left over:</strong> drill {} of {} {}. {}</p>\n",
                escape(&left.run.0),
                escape(&left.runbook),
                escape(&left.standing),
                escape(&left.remedy)
            ),
        );
    }
    if let Some(unread) = &drills.unread {
        put(&mut html, format_args!("<p class=\"bad\">Not every run could be read: {}</p>\n", escape(unread)));
    }
    if drills.runbooks.is_empty() {
        html.push_str("<p>None is known.</p>\n");
    }
    for rehearsals in &drills.runbooks {
        section(&mut html, rehearsals);
    }
    html.push_str("</body>\n</html>\n");
    html
}

fn put(html: &mut String, text: std::fmt::Arguments<'_>) {
    html.write_fmt(text).expect("a string takes everything");
}

fn section(html: &mut String, rehearsals: &Rehearsals) {
    let world = if rehearsals.simulated { " <span class=\"dim\">(simulated)</span>" } else { "" };
    put(html, format_args!("<section>\n<h2>{}{world}</h2>\n", escape(&rehearsals.runbook)));
    let failed = rehearsals.failed;
    put(
        html,
        format_args!("<p>{} succeeded, {failed} failed; {}.", of(rehearsals.succeeded), rehearsals.trend_in_words()),
    );
    if let Some(Figures { p50, p90, sample, .. }) = &rehearsals.total {
        put(html, format_args!(" The next one: p50 {}, p90 {} ({}).", say(*p50), say(*p90), of(*sample)));
    }
    if let Some(wanted) = rehearsals.objective {
        let kept = format!("kept {} of {} times", rehearsals.in_time, rehearsals.succeeded);
        put(html, format_args!(" Objective (RTO) {}: {kept}.", say(wanted)));
    }
    html.push_str("</p>\n");
    chart(html, rehearsals);
    steps(html, rehearsals);
    html.push_str("</section>\n");
}

fn steps(html: &mut String, rehearsals: &Rehearsals) {
    html.push_str("<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Step</th><th scope=\"col\">Action</th>");
    for name in ["p50", "p90", "Last", "Sample"] {
        put(html, format_args!("<th scope=\"col\" class=\"n\">{name}</th>"));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for step in &rehearsals.steps {
        let Figures { p50, p90, sample, last } = step.figures;
        put(html, format_args!("<tr><th scope=\"row\">{}</th><td>{}</td>", escape(step.id.as_str()), step.action));
        for cell in [say(p50), say(p90), say(last), sample.to_string()] {
            put(html, format_args!("<td class=\"n\">{cell}</td>"));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
}

/// A bar a rehearsal, the oldest at the left; lines for the objective and the p90.
fn chart(html: &mut String, rehearsals: &Rehearsals) {
    let shown = &rehearsals.drills[rehearsals.drills.len().saturating_sub(MOST_BARS)..];
    let lines =
        [("objective", rehearsals.objective, "6 4"), ("p90", rehearsals.total.as_ref().map(|total| total.p90), "2 3")];
    let tallest = shown.iter().filter_map(|run| run.took).chain(lines.iter().filter_map(|line| line.1)).max();
    let Some(tallest) = tallest.filter(|tallest| !tallest.is_zero()) else { return };
    let top = tallest.as_secs_f64() * 1.1;
    let floor = HEIGHT - BELOW;
    let y = |took: Duration| floor - took.as_secs_f64() / top * (floor - 8.0);
    let says = format!("Duration of the last {} rehearsals of {}", shown.len(), rehearsals.runbook);
    put(html, format_args!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\"><title>{}</title>\n", escape(&says)));
    let each = (WIDTH - LEFT) / shown.len() as f64;
    for (place, run) in shown.iter().enumerate() {
        let x = LEFT + each * place as f64 + each * 0.1;
        bar(html, run, (x, (each * 0.8).min(48.0)), (floor, &y));
    }
    for (name, at, dash) in lines {
        let Some(at) = at else { continue };
        let y = y(at);
        put(
            html,
            format_args!(
                "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"var(--line)\" \
                 stroke-dasharray=\"{dash}\"/><text x=\"0\" y=\"{:.1}\">{name}</text><text x=\"0\" y=\"{:.1}\">{}</text>\n",
                y - 2.0,
                y + 11.0,
                say(at)
            ),
        );
    }
    for (run, anchor, x) in [(shown.first(), "start", LEFT), (shown.last().filter(|_| shown.len() > 1), "end", WIDTH)] {
        let Some(run) = run else { continue };
        let day = run.started_at.strftime("%Y-%m-%d");
        put(html, format_args!("<text x=\"{x}\" y=\"{}\" text-anchor=\"{anchor}\">{day}</text>\n", HEIGHT - 6.0));
    }
    html.push_str("</svg>\n");
}

/// One that did not get to its end stands low and red, and its words say so.
fn bar(html: &mut String, run: &Measured, (x, width): (f64, f64), (floor, y): (f64, &dyn Fn(Duration) -> f64)) {
    let good = run.outcome == Some(Outcome::Succeeded);
    let top = run.took.map_or(floor - 6.0, y).min(floor - 1.0);
    let colour = if good { "var(--bar)" } else { "var(--bad)" };
    let took = run.took.map_or_else(|| "did not get to its end".to_owned(), say);
    let says = format!("{} {}: {took}", moment(run.started_at), run.run);
    put(
        html,
        format_args!(
            "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{colour}\"><title>{}</title></rect>\n",
            floor - top,
            escape(&says)
        ),
    );
}
