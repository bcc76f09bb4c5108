//! The dossier in words: which sections there are, in which order, and what each says. Failed things stand first.

mod front;
mod gantt;
mod plan;
mod record;

use std::{collections::HashMap, hash::Hash};

use super::{Dossier, Light};
use crate::{
    report::paper::{Block, Cell, Paper, Section, Table, Tone},
    runbook::StepId,
    style::{Symbol, moment},
};

pub(super) fn paper(dossier: &Dossier) -> Paper {
    let cover = &dossier.cover;
    let (title, about) = match &cover.run {
        Some(run) => (format!("Run {run} of {}", cover.runbook), "After-action report"),
        None => (format!("Plan of {}", cover.runbook), "Dry run: nothing was changed"),
    };
    let simulated = if cover.simulated { ", in a simulated world" } else { "" };
    let subtitle = format!("{about}, mode {}{simulated}, {}", cover.mode, moment(cover.at));
    let foot = format!(
        "Made by lifeboat {} from plan {} (form {}). Times are UTC.",
        env!("CARGO_PKG_VERSION"),
        cover.plan_digest,
        dossier.v
    );
    let all = [
        front::summary(dossier),
        front::failures(dossier),
        front::findings(dossier),
        record::clock(dossier),
        record::deviations(dossier),
        front::cover(dossier),
        plan::scope(dossier),
        plan::observed(dossier),
        plan::changes(dossier),
        plan::steps(dossier),
        plan::graph(dossier),
        gantt::section(dossier),
        plan::loss(dossier),
        plan::risks(dossier),
        plan::fidelity(dossier),
        plan::backout(dossier),
        plan::schedule(dossier),
        record::evidence(dossier),
        record::approvals(dossier),
        record::criteria(dossier),
        record::happened(dossier),
        record::requests(dossier),
        record::runbook(dossier),
        record::hashes(dossier),
    ];
    Paper { title, subtitle, foot, sections: all.into_iter().flatten().collect() }
}

#[expect(clippy::unnecessary_wraps, reason = "the list of sections holds some that may be absent")]
fn section(id: &str, title: &str, blocks: Vec<Block>) -> Option<Section> {
    Some(Section { id: id.to_owned(), title: title.to_owned(), blocks })
}

/// What is the same for several steps is said once: each with the steps that it holds for, in the order in which they came.
fn said_once<'a, T: Clone + Eq + Hash>(all: impl Iterator<Item = (T, &'a StepId)>) -> Vec<(T, Vec<&'a StepId>)> {
    let mut places: HashMap<T, usize> = HashMap::new();
    let mut found: Vec<(T, Vec<&StepId>)> = Vec::new();
    for (said, step) in all {
        let place = *places.entry(said.clone()).or_insert(found.len());
        match found.get_mut(place) {
            Some((_, steps)) => steps.push(step),
            None => found.push((said, vec![step])),
        }
    }
    found
}

/// `flip`, `flip, flip-back`; of many, their numbers in the table of steps.
fn steps_named(dossier: &Dossier, steps: &[&StepId]) -> String {
    const MOST_NAMES: usize = 4;
    if steps.len() <= MOST_NAMES {
        return steps.iter().map(|step| step.as_str()).collect::<Vec<_>>().join(", ");
    }
    let numbers = steps.iter().filter_map(|step| dossier.number(step)).map(|number| number.to_string());
    format!("steps {}", numbers.collect::<Vec<_>>().join(", "))
}

/// None: no rows.
fn table(caption: &str, columns: &[&'static str], rows: Vec<Vec<Cell>>) -> Option<Block> {
    let table = Table { caption: caption.to_owned(), columns: columns.to_vec(), rows };
    (!table.rows.is_empty()).then_some(Block::Table(table))
}

fn tone(light: Light) -> Tone {
    match light {
        Light::Green => Tone::Good,
        Light::Amber => Tone::Careful,
        Light::Red => Tone::Bad,
    }
}

fn of_symbol(symbol: Symbol) -> Tone {
    match symbol {
        Symbol::Done => Tone::Good,
        Symbol::Failed => Tone::Bad,
        Symbol::Doubt | Symbol::Warning | Symbol::Undo | Symbol::Skipped => Tone::Careful,
        Symbol::Pending | Symbol::Running | Symbol::Waiting | Symbol::Ask | Symbol::Note | Symbol::Arrow => Tone::Plain,
    }
}

/// A sentence of a fragment.
fn sentence(fragment: &str) -> String {
    let mut letters = fragment.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    let end = if fragment.ends_with(['.', '?', '!', ':']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// A value of the world, in one line.
fn value(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
