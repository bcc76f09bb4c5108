//! The history of rehearsals as a document.

use std::{fmt::Write as _, time::Duration};

use super::{Drills, Figures, Rehearsals, of};
use crate::{
    plan::Measured,
    report::{
        Standing, paper,
        paper::{Block, Cell, Drawing, Paper, Section, Table, Tone},
        picture::escape,
    },
    run::Outcome,
    style::{moment, one_line, say},
};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 280.0;
/// Room for the figures at the left, and for the dates below.
const LEFT: f64 = 130.0;
const RIGHT: f64 = 10.0;
const BELOW: f64 = 24.0;
/// Rehearsals in one chart; older ones stand in the table of the JSON form.
const MOST_BARS: usize = 100;

/// One HTML file that needs nothing else.
pub fn page(drills: &Drills) -> String {
    paper::html(&document(drills))
}

fn document(drills: &Drills) -> Paper {
    let mut sections = Vec::new();
    if !drills.leftovers.is_empty() || drills.unread.is_some() {
        sections.push(trouble(drills));
    }
    sections.extend(drills.runbooks.iter().enumerate().map(|(place, rehearsals)| section(place, rehearsals)));
    if drills.runbooks.is_empty() {
        let blocks = vec![Block::text("None is known.")];
        sections.push(Section { id: "none".to_owned(), title: "Rehearsals".to_owned(), blocks });
    }
    Paper {
        title: "Rehearsals".to_owned(),
        subtitle: "What each runbook took, and what the next one will take".to_owned(),
        foot: format!("Made by lifeboat {} from the journals of the runs. Times are UTC.", env!("CARGO_PKG_VERSION")),
        sections,
    }
}

fn trouble(drills: &Drills) -> Section {
    let left = drills.leftovers.iter().map(|left| {
        let what: Vec<String> = left.left.iter().map(|sentence| one_line(sentence)).collect();
        vec![
            Cell::literal(&*left.run.0),
            Cell::new(format!("{}: {}", one_line(&left.runbook), one_line(&left.standing))).toned(Tone::Bad),
            Cell::new(what.join("; ")),
            Cell::new(one_line(&left.remedy)),
        ]
    });
    let rows: Vec<Vec<Cell>> = left.collect();
    let mut blocks = Vec::new();
    if !rows.is_empty() {
        let columns = vec!["drill", "how it stands", "what it left", "what to do"];
        blocks.push(Block::Table(Table { caption: "Left over".to_owned(), columns, rows }));
    }
    blocks.extend(drills.unread.as_ref().map(|unread| {
        let title = "Not every run could be read".to_owned();
        Block::Notice { tone: Tone::Careful, title, lines: vec![one_line(unread)] }
    }));
    Section { id: "trouble".to_owned(), title: "To look at".to_owned(), blocks }
}

fn section(place: usize, rehearsals: &Rehearsals) -> Section {
    let world = if rehearsals.simulated { " (simulated)" } else { "" };
    let mut blocks = vec![Block::Facts(facts(rehearsals))];
    blocks.extend(chart(rehearsals).map(Block::Picture));
    let rows = rehearsals.steps.iter().map(|step| {
        let Figures { p50, p90, sample, last } = step.figures;
        let figures = [say(p50), say(p90), say(last), sample.to_string()];
        let head = [Cell::literal(step.id.as_str()), Cell::literal(step.action.to_string())];
        head.into_iter().chain(figures.map(Cell::new)).collect()
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    if !rows.is_empty() {
        let columns = vec!["step", "action", "p50", "p90", "last", "sample"];
        blocks.push(Block::Table(Table { caption: "Step by step".to_owned(), columns, rows }));
    }
    let title = format!("{}{world}", one_line(&rehearsals.runbook));
    Section { id: format!("runbook-{}", place + 1), title, blocks }
}

fn facts(rehearsals: &Rehearsals) -> Vec<(String, String)> {
    let fact = |name: &str, value: String| (name.to_owned(), value);
    let mut facts = vec![
        fact("Rehearsed", format!("{} succeeded, {}", of(rehearsals.succeeded), rehearsals.otherwise())),
        fact("Trend", rehearsals.trend_in_words()),
    ];
    facts.extend(rehearsals.total.as_ref().map(|total| {
        fact("The next one", format!("p50 {}, p90 {} ({})", say(total.p50), say(total.p90), of(total.sample)))
    }));
    facts.extend(rehearsals.objective.map(|wanted| {
        let kept = format!("kept {} of {} times", rehearsals.in_time, rehearsals.succeeded);
        fact("Objective (RTO)", format!("{}: {kept}", say(wanted)))
    }));
    facts
}

/// A bar a rehearsal, the oldest at the left; lines for the objective and the p90. None: there is nothing to draw.
fn chart(rehearsals: &Rehearsals) -> Option<Drawing> {
    let shown = &rehearsals.drills[rehearsals.drills.len().saturating_sub(MOST_BARS)..];
    let lines =
        [("objective", rehearsals.objective, "6 4"), ("p90", rehearsals.total.as_ref().map(|total| total.p90), "2 3")];
    let tallest = shown.iter().filter_map(|run| run.took).chain(lines.iter().filter_map(|line| line.1)).max();
    let tallest = tallest.filter(|tallest| !tallest.is_zero())?;
    let top = tallest.as_secs_f64() * 1.1;
    let floor = HEIGHT - BELOW;
    let y = |took: Duration| floor - took.as_secs_f64() / top * (floor - 8.0);
    let mut svg = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\"><title>Duration of the last {} of {}</title>\n",
        of(shown.len()),
        escape(&one_line(&rehearsals.runbook))
    );
    let mut add = |part: std::fmt::Arguments<'_>| svg.write_fmt(part).expect("a string takes everything");
    let each = (WIDTH - LEFT - RIGHT) / shown.len() as f64;
    for (place, run) in shown.iter().enumerate() {
        let (x, width) = (LEFT + each * place as f64 + each * 0.1, (each * 0.8).min(48.0));
        // One that did not get to its end stands low.
        let top = run.took.map_or(floor - 6.0, y).min(floor - 1.0);
        let tone = tone(run);
        add(format_args!(
            "<rect class=\"actual {}\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{:.1}\"><title>{}</title></rect>\n",
            tone.class(),
            floor - top,
            escape(&told(run))
        ));
        if tone == Tone::Bad {
            add(format_args!(
                "<text class=\"limit-word\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
                x + width / 2.0,
                top - 4.0,
                tone.mark()
            ));
        }
    }
    // Of two lines that lie close together the words do not: above the longer time, below the shorter.
    let longest = lines.iter().filter_map(|line| line.1).max();
    for (name, at, dash) in lines {
        let Some(at) = at else { continue };
        let (y, right) = (y(at), WIDTH - RIGHT);
        let words = if Some(at) == longest { y - 4.0 } else { y + 13.0 };
        add(format_args!(
            "<path class=\"limit\" d=\"M8 {y:.1} H{right}\" stroke-dasharray=\"{dash}\"/><text class=\"quiet\" x=\"8\" \
             y=\"{words:.1}\">{name} {}</text>\n",
            say(at)
        ));
    }
    let ends = [(shown.first(), "start", LEFT), (shown.last().filter(|_| shown.len() > 1), "end", WIDTH - RIGHT)];
    for (run, anchor, x) in ends {
        let Some(run) = run else { continue };
        let day = run.started_at.strftime("%Y-%m-%d");
        let y = HEIGHT - 6.0;
        add(format_args!("<text class=\"quiet\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{day}</text>\n"));
    }
    svg.push_str("</svg>\n");
    let all: Vec<String> = shown.iter().map(told).collect();
    let caption = "How long each took, the oldest at the left; those that did not succeed are marked ✗".to_owned();
    Some(Drawing { caption, alternative: all.join("; "), svg, mermaid: None })
}

fn tone(run: &Measured) -> Tone {
    if run.outcome == Some(Outcome::Succeeded) { Tone::Good } else { Tone::Bad }
}

/// `2026-11-23 14:03:22Z drill-07: succeeded, 57m`
fn told(run: &Measured) -> String {
    let ended = match run.outcome {
        Some(Outcome::Succeeded) => "succeeded",
        Some(ended) => Standing::Ended(ended).word(),
        None => "did not end",
    };
    let took = run.took.map(|took| format!(", {}", say(took))).unwrap_or_default();
    format!("{} {}: {ended}{took}", moment(run.started_at), run.run)
}
