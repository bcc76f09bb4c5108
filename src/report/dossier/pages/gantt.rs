//! The timeline as bars: what was foretold, and beside it what was.

use std::fmt::Write as _;

use super::table;
use crate::report::{
    dossier::{Dossier, StepRow, said},
    paper::{Block, Cell, Drawing, Section},
    picture::escape,
};

/// Of more rows only those on the critical path are drawn, as many of them as this.
const MOST_ROWS: usize = 60;

const WIDTH: u64 = 960;
/// For the steps' names.
const NAMES: u64 = 220;
const RIGHT: u64 = 20;
const HEAD: u64 = 44;
/// Marks on the axis, at most.
const MOST_MARKS: u64 = 8;
/// Seconds between marks that people can read.
const STRIDES: [u64; 16] = [1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400, 604_800];

fn shown(dossier: &Dossier) -> Vec<&StepRow> {
    if dossier.steps.len() <= MOST_ROWS {
        return dossier.steps.iter().collect();
    }
    dossier.steps.iter().filter(|step| step.critical).take(MOST_ROWS).collect()
}

pub(super) fn section(dossier: &Dossier) -> Option<Section> {
    let rows = shown(dossier);
    if rows.is_empty() {
        return None;
    }
    let run = dossier.outcome.is_some();
    let note =
        if rows.len() < dossier.steps.len() { " Only the critical path is drawn, or its beginning." } else { "" };
    let caption = if run {
        format!(
            "Outlined: as predicted, with a line to where nine of ten end. Filled: as it was, from the run's beginning.{note}"
        )
    } else {
        format!(
            "As predicted, from the run's beginning, with a line to where nine of ten end. Thick frame: on the critical path.{note}"
        )
    };
    let alternative: Vec<String> = rows.iter().map(|row| in_words(row)).collect();
    let cells = rows.iter().map(|row| {
        let actual = row.actual.as_ref();
        let mut cells =
            vec![Cell::literal(row.id.as_str()), Cell::new(said(row.start_s)), Cell::new(said(row.expected_s))];
        cells.push(Cell::new(row.p90_s.map(said).unwrap_or_default()));
        if run {
            let started = actual.and_then(|actual| actual.start_s).map(said);
            let took = actual.and_then(|actual| actual.took_s).map(said);
            cells.push(Cell::new(started.unwrap_or_else(|| "not begun".to_owned())));
            cells.push(Cell::new(took.unwrap_or_default()));
        }
        cells
    });
    let columns: &[&'static str] = if run {
        &["step", "predicted start", "p50", "p90", "started after", "took"]
    } else {
        &["step", "predicted start", "p50", "p90"]
    };
    let drawing = Drawing {
        caption,
        alternative: format!("{}.", alternative.join("; ")),
        svg: draw(dossier, &rows),
        mermaid: None,
    };
    let mut blocks = vec![Block::Picture(drawing)];
    blocks.extend(table("The same in figures", columns, cells.collect()));
    super::section("timeline", "Timeline", blocks)
}

fn in_words(row: &StepRow) -> String {
    let planned =
        format!("{} predicted from {} for {}{}", row.id, said(row.start_s), said(row.expected_s), row.bound());
    match row.actual.as_ref().and_then(|actual| Some((actual.start_s?, actual.took_s?, actual.state))) {
        Some((start, took, state)) => format!("{planned}, {state}: from {} for {}", said(start), said(took)),
        None => planned,
    }
}

/// Seconds that the picture spans.
fn span(rows: &[&StepRow]) -> u64 {
    let end = |row: &&StepRow| {
        let actual = row.actual.as_ref().and_then(|actual| Some(actual.start_s? + actual.took_s?)).unwrap_or_default();
        actual.max(row.start_s + row.longest_s())
    };
    rows.iter().map(end).max().unwrap_or_default().max(1)
}

fn draw(dossier: &Dossier, rows: &[&StepRow]) -> String {
    let run = dossier.outcome.is_some();
    let row_height = if run { 34 } else { 26 };
    let height = HEAD + row_height * rows.len() as u64 + 12;
    let span = span(rows);
    let x = |second: u64| NAMES + second * (WIDTH - NAMES - RIGHT) / span;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\"><title>Timeline of {}</title>\n",
        escape(&dossier.cover.runbook)
    );
    let mut add = |part: std::fmt::Arguments<'_>| svg.write_fmt(part).expect("a string takes everything");
    add(format_args!("<rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"));
    let stride = STRIDES.into_iter().find(|stride| span / stride <= MOST_MARKS).unwrap_or(span);
    for mark in (0..=span).step_by(usize::try_from(stride).unwrap_or(usize::MAX)) {
        let at = x(mark);
        add(format_args!(
            "<path class=\"grid\" d=\"M{at} {} V{}\" stroke=\"#c9ced4\"/><text class=\"quiet\" x=\"{at}\" y=\"18\" \
             text-anchor=\"middle\" font-size=\"12\">{}</text>\n",
            HEAD - 18,
            height - 8,
            said(mark)
        ));
    }
    for (row, top) in rows.iter().zip((HEAD..).step_by(usize::try_from(row_height).unwrap_or(1))) {
        add(format_args!("<text x=\"8\" y=\"{}\">{}</text>\n", top + 15, escape(&fit(row.id.as_str()))));
        let (from, to) = (x(row.start_s), x(row.start_s + row.expected_s));
        let (class, stroke) = if row.critical { ("predicted critical", 2) } else { ("predicted", 1) };
        let bar = if run { 10 } else { 16 };
        add(format_args!(
            "<rect class=\"{class}\" x=\"{from}\" y=\"{}\" width=\"{}\" height=\"{bar}\" rx=\"2\" fill=\"#f5f6f8\" \
             stroke=\"#50565c\" stroke-width=\"{stroke}\"/>\n",
            top + 3,
            (to - from).max(3)
        ));
        if row.longest_s() > row.expected_s {
            let (middle, bound) = (top + 3 + bar / 2, x(row.start_s + row.longest_s()));
            add(format_args!(
                "<path class=\"edge\" d=\"M{to} {middle} H{bound} M{bound} {} v6\" fill=\"none\" stroke=\"#50565c\"/>\n",
                middle - 3
            ));
        }
        let Some(actual) = &row.actual else { continue };
        let Some((start, took)) = actual.start_s.zip(actual.took_s) else { continue };
        add(format_args!(
            "<rect class=\"actual {}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"10\" rx=\"2\" fill=\"#0b4f8a\"/>\n",
            super::of_symbol(actual.symbol).class(),
            x(start),
            top + 17,
            (x(start + took) - x(start)).max(3)
        ));
    }
    let limit = dossier.steps.iter().find(|step| Some(&step.id) == dossier.point_of_no_return.as_ref());
    if let Some(limit) = limit {
        let at = x(limit.actual.as_ref().and_then(|actual| actual.start_s).unwrap_or(limit.start_s));
        add(format_args!(
            "<path class=\"limit\" d=\"M{at} {} V{}\" stroke=\"#a8201a\" stroke-width=\"2\" stroke-dasharray=\"6 4\"/>\
             <text class=\"limit-word\" x=\"{}\" y=\"36\" font-size=\"12\" fill=\"#a8201a\">going back ends</text>\n",
            HEAD - 6,
            height - 8,
            at + 6
        ));
    }
    svg.push_str("</svg>\n");
    svg
}

/// At most as many letters as the column of names holds.
fn fit(name: &str) -> String {
    const LETTERS: usize = 28;
    if name.chars().count() <= LETTERS {
        return name.to_owned();
    }
    name.chars().take(LETTERS - 1).chain(['…']).collect()
}
