//! `drills`: the history of rehearsals, from the journals of the store.

use std::path::Path;

use super::{Exit, Failure, Session, arguments::DrillsArguments, check, history, print, world};
use crate::{report::drills, store::write_private};

pub async fn drills(session: &Session, arguments: DrillsArguments) -> Result<Exit, Failure> {
    let name = arguments.runbook.as_deref().map(name_of).transpose()?;
    let store = world::store(session, None)?;
    let history = history::read(session, &store).await;
    let drills = drills::Drills::of(history.runs, history.leftovers, history.unread, name.as_deref());
    if let Some(path) = &arguments.html {
        write_private(path, drills::page(&drills).as_bytes()).map_err(|error| {
            Failure::refused(format!("cannot write {}: {error}", path.display()), "name another file with --html")
        })?;
    }
    if session.json() {
        return print(&serde_json::to_string_pretty(&drills).expect("text keys"));
    }
    if drills.runbooks.is_empty() {
        let of = name.map(|name| format!(" of {name}")).unwrap_or_default();
        eprintln!("no drills{of} in {}", store.shown());
        eprintln!("next: lifeboat drill runbooks/apim-failover.yaml --simulate --yes");
    }
    let text = drills.text(&session.machine.style_out());
    if text.is_empty() { Ok(Exit::Done) } else { print(&text) }
}

/// A runbook's name, or the one in its file.
fn name_of(runbook: &str) -> Result<String, Failure> {
    let path = Path::new(runbook);
    if path.is_file() { Ok(check::load(path)?.name) } else { Ok(runbook.to_owned()) }
}
