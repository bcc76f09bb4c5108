//! `runs`, `status` and `verify`: they read journals and nothing else.

use super::{Exit, Failure, Session, print, world};
use crate::{
    report::{Standing, Status, runs as listing},
    run::State,
};

/// Now, on the clock that the run was driven by.
fn now(state: &State) -> jiff::Timestamp {
    world::clock(&state.plan.site).now()
}

pub fn runs(session: &Session) -> Result<Exit, Failure> {
    let store = world::store(session, None)?;
    let mut rows = Vec::new();
    for directory in store.list()? {
        rows.push(match directory.load() {
            Ok((state, _)) => {
                let standing = Standing::of(&state, Some(directory.is_driven()));
                listing::Row::of(&state, standing, now(&state))
            }
            Err(error) => listing::Row::unreadable(&*directory.run.0, &error),
        });
    }
    listing::sort(&mut rows);
    if session.json() {
        let listed = serde_json::json!({ "v": 1, "runs": rows });
        return print(&serde_json::to_string_pretty(&listed).expect("text keys"));
    }
    if rows.is_empty() {
        eprintln!("no runs in {}", store.root().display());
        eprintln!("next: lifeboat run runbooks/apim-failover.yaml --simulate --yes");
        return Ok(Exit::Done);
    }
    print(&listing::table(&rows, &session.machine.style_out()))
}

pub fn status(session: &Session, run: &str, brief: bool) -> Result<Exit, Failure> {
    let directory = world::store(session, None)?.open(run)?;
    let (state, _) = directory.load()?;
    let standing = Standing::of(&state, Some(directory.is_driven()));
    let status = Status::of(&state, standing, now(&state), &session.commands(!directory.world_path().is_file()));
    let style = session.machine.style_out();
    if session.json() {
        print(&serde_json::to_string_pretty(&status).expect("text keys"))
    } else if brief {
        print(&status.brief(&style))
    } else {
        print(&status.text(&style))
    }
}

pub fn verify(session: &Session, run: &str) -> Result<Exit, Failure> {
    let directory = world::store(session, None)?.open(run)?;
    let (state, loaded) = directory.load()?;
    let count = loaded.records.len();
    if session.json() {
        let verdict = serde_json::json!({
            "v": 1, "run": directory.run, "records": count, "torn_bytes": loaded.torn,
            "head": loaded.head_hash(), "plan_digest": state.plan.digest, "intact": true,
        });
        return print(&serde_json::to_string_pretty(&verdict).expect("text keys"));
    }
    let torn = match loaded.torn {
        0 => String::new(),
        bytes => format!("; a torn last line of {bytes} bytes is left out, it announced nothing that was begun"),
    };
    print(&format!(
        "{}: {count} records, every checksum and the hash chain hold{torn}\nhead {}",
        directory.run,
        loaded.head_hash()
    ))
}
