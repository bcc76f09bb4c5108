//! `check` and `graph`: offline.

use std::path::{Path, PathBuf};

use super::{Exit, Failure, Session, arguments::GraphFormat, print};
use crate::runbook::{self, Mode, Runbook};

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
                        eprint!("{}", failure.render(session.machine.colour));
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

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

pub fn graph(path: &Path, format: GraphFormat, mode: Option<Mode>) -> Result<Exit, Failure> {
    let _ = (load(path)?, format, mode);
    unimplemented!("picture")
}
