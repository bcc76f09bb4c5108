//! `runs`, `status` and `verify`: they read journals and nothing else.

use super::{Exit, Failure, Session, print, world};
use crate::{
    clock::Clock,
    report::{self, Listed},
    run::Outcome,
};

pub fn runs(session: &Session) -> Result<Exit, Failure> {
    let store = world::store(session, None)?;
    let listed: Vec<Listed> = store
        .list()?
        .into_iter()
        .map(|directory| {
            let state = directory.load().map(|(state, _)| state).map_err(|error| error.to_string());
            Listed { run: directory.run.clone(), driven: directory.is_driven(), state }
        })
        .collect();
    if session.json() {
        return print(&serde_json::to_string_pretty(&report::runs_json(&listed)).expect("text keys"));
    }
    if listed.is_empty() {
        eprintln!("no runs in {}", store.root().display());
        eprintln!("next: lifeboat run runbooks/apim-failover.yaml --simulate --yes");
        return Ok(Exit::Done);
    }
    print(&report::runs_table(&listed, session.machine.style_out()))
}

/// The exit code is the run's own, so that a script can ask: 0 while it is driven or done, else how it stopped.
pub fn status(session: &Session, run: &str, brief: bool) -> Result<Exit, Failure> {
    let directory = world::store(session, None)?.open(run)?;
    let (state, _) = directory.load()?;
    let driven = directory.is_driven();
    let now = match state.plan.site.simulated {
        Some(simulated) => {
            Clock::Scaled { anchor: simulated.anchor, since: simulated.since, speed: simulated.speed }.now()
        }
        None => Clock::Wall.now(),
    };
    if session.json() {
        print(&serde_json::to_string_pretty(&report::status_json(&state, driven, now)).expect("text keys"))?;
    } else if brief {
        print(&report::status_brief(&state, driven, now, session.machine.style_out()))?;
    } else {
        print(&report::status(&state, driven, now, session.machine.style_out()))?;
    }
    let _outcome: Option<Outcome> = state.stopped.as_ref().map(|(outcome, _, _)| *outcome);
    Ok(Exit::Done)
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
    print(&format!("{}: {count} records, every checksum and the hash chain hold{torn}\nhead {}", directory.run, loaded.head_hash()))
}
