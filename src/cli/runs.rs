//! `runs`, `status` and `verify`: they read journals and nothing else.

use super::{Exit, Failure, Session, print, world};
use crate::{
    report::{Standing, Status, runs as listing},
    run::State,
    store::{Heard, Kept, StoreError},
};

/// Now, on the clock that the run was driven by.
fn now(state: &State) -> jiff::Timestamp {
    world::clock(&state.plan.site).now()
}

/// A run, how it stands, and who drives it or drove it last.
async fn standing(kept: &Kept) -> Result<(State, Standing, Option<Heard>), StoreError> {
    let (state, _) = kept.load().await?;
    let driver = match state.stopped {
        // Whoever ended it has gone, or goes.
        Some(_) => None,
        None => kept.driver().await?,
    };
    let standing = Standing::of(&state, Some(driver.as_ref().is_some_and(|driver| driver.lives)));
    Ok((state, standing, driver))
}

pub async fn runs(session: &Session) -> Result<Exit, Failure> {
    let store = world::store(session, None)?;
    let mut rows = Vec::new();
    for kept in store.list().await? {
        rows.push(match standing(&kept).await {
            Ok((state, standing, _)) => listing::Row::of(&state, standing, now(&state)),
            Err(error) => listing::Row::unreadable(&*kept.run().0, &error),
        });
    }
    listing::sort(&mut rows);
    if session.json() {
        let listed = serde_json::json!({ "v": 1, "runs": rows });
        return print(&serde_json::to_string_pretty(&listed).expect("text keys"));
    }
    if rows.is_empty() {
        eprintln!("no runs in {}", store.shown());
        eprintln!("next: lifeboat run runbooks/apim-failover.yaml --simulate --yes");
        return Ok(Exit::Done);
    }
    print(&listing::table(&rows, &session.machine.style_out()))
}

pub async fn status(session: &Session, run: &str, brief: bool) -> Result<Exit, Failure> {
    let kept = world::store(session, None)?.open(run).await?;
    let (state, standing, _) = standing(&kept).await?;
    let status = Status::of(&state, standing, now(&state), &session.commands(!kept.is_simulated()));
    let style = session.machine.style_out();
    if session.json() {
        print(&serde_json::to_string_pretty(&status).expect("text keys"))
    } else if brief {
        print(&status.brief(&style))
    } else {
        print(&status.text(&style))
    }
}

pub async fn verify(session: &Session, run: &str) -> Result<Exit, Failure> {
    let kept = world::store(session, None)?.open(run).await?;
    let (state, loaded) = kept.load().await?;
    let count = loaded.records.len();
    if session.json() {
        let verdict = serde_json::json!({
            "v": 1, "run": kept.run(), "records": count, "torn_bytes": loaded.torn,
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
        kept.run(),
        loaded.head_hash()
    ))
}
