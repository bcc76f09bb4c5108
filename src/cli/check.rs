//! `check` and `graph`: offline.

use std::path::{Path, PathBuf};

use super::{Exit, Failure, Session, arguments::GraphFormat, print};
use crate::{
    plan::graph::Graph,
    report::picture::Picture,
    runbook::{self, Mode, Runbook, StepId},
};

/// Reads a file, or says why not.
pub fn read(path: &Path, what: &str) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        Failure::new(
            Exit::Problems,
            format!("cannot read the {what} {}: {error}", path.display()),
            "nothing was changed; correct the path or the file's mode and type the command again",
        )
    })
}

pub fn load(path: &Path) -> Result<Runbook, Failure> {
    let bytes = read(path, "runbook")?;
    Ok(runbook::check(&path.display().to_string(), &bytes)?)
}

pub fn check(session: &Session, paths: &[PathBuf]) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    let mut found = Vec::new();
    for path in paths {
        let name = path.display().to_string();
        match load(path) {
            Ok(runbook) => {
                let (steps, parameters) = (runbook.steps.len(), runbook.parameters.len());
                found.push(serde_json::json!({ "file": name, "problems": [] }));
                if !session.json() {
                    print(
                        &format!("{name}: no problems ({} , {})", count(steps, "step"), count(parameters, "parameter"))
                            .replace(" ,", ","),
                    )?;
                }
            }
            Err(failure) => {
                exit = Exit::Problems;
                match &failure.problems {
                    Some(problems) if session.json() => {
                        found.push(serde_json::json!({ "file": name, "problems": problems.to_json() }));
                    }
                    Some(_) | None => {
                        found.push(serde_json::json!({ "file": name, "error": failure.message }));
                        eprint!("{}", failure.render(session.machine.style().colour));
                    }
                }
            }
        }
    }
    if session.json() {
        print(&serde_json::to_string_pretty(&serde_json::json!({ "v": 1, "runbooks": found })).expect("text keys"))?;
    }
    Ok(exit)
}

pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

pub fn graph(path: &Path, format: GraphFormat, mode: Option<Mode>) -> Result<Exit, Failure> {
    let mut runbook = load(path)?;
    if let Some(mode) = mode {
        runbook = in_mode(runbook, mode);
    }
    let picture = Picture::of(&runbook);
    print(&match format {
        GraphFormat::Text => picture.text(),
        GraphFormat::Mermaid => picture.mermaid(),
        GraphFormat::Dot => picture.dot(),
        GraphFormat::Svg => picture.svg(),
    })
}

/// The runbook as a mode sees it: without the steps that it leaves out, whose needs pass to those that need them.
fn in_mode(mut runbook: Runbook, mode: Mode) -> Runbook {
    let left_out: Vec<bool> =
        runbook.steps.iter().map(|step| step.modes.as_ref().is_some_and(|modes| !modes.contains(&mode))).collect();
    let graph = Graph::new(runbook.steps.iter().map(|step| (&step.id, step.needs.as_slice())));
    let order = graph.order().expect("a checked runbook has no cycle");
    let needs = graph.needs_without(&order, &left_out);
    let ids: Vec<StepId> = runbook.steps.iter().map(|step| step.id.clone()).collect();
    for (step, needs) in runbook.steps.iter_mut().zip(needs) {
        step.needs = needs.into_iter().map(|need| ids[need].clone()).collect();
    }
    let mut stays = left_out.iter().map(|out| !out);
    runbook.steps.retain(|_| stays.next().unwrap_or(true));
    runbook
}
