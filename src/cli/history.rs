//! Earlier runs of the store, for predictions and for what rehearsals left behind. Never stands in the way of a failover:
//! what cannot be read in time is left out, and said.

use std::time::Duration;

use super::{Session, runs::standing, world};
use crate::{
    clock::Clock,
    plan::{History, Measured},
    report::measured::{leftover, measured},
    run::{JournalError, Outcome},
    runbook::Mode,
    site::Site,
    store::{Kept, Store, StoreError},
};

/// Key of what a run took in its row of a shared store's index, beside what `lifeboat runs` shows.
pub const MEASURED: &str = "measured";

/// Longest that a plan waits for it: nobody whose region burns waits for statistics.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs that are read, those with the newest names: a year of daily rehearsals, and as many others.
const MOST_RUNS: usize = 800;

/// Reasons why something could not be read that are told one by one.
const MOST_TOLD: usize = 4;

/// As far as it can be read in a few seconds.
pub async fn in_time(session: &Session, site: Option<&Site>) -> History {
    let store = match world::store(session, site) {
        Ok(store) => store,
        Err(failure) => return History { unread: Some(failure.message), ..History::none() },
    };
    tokio::select! {
        history = read(session, &store) => history,
        () = Clock::Wall.sleep(PATIENCE) => {
            let unread = format!("{} did not answer within {} s", store.shown(), PATIENCE.as_secs());
            History { unread: Some(unread), ..History::none() }
        }
    }
}

/// All of it.
pub async fn read(session: &Session, store: &Store) -> History {
    match gather(session, store).await {
        Ok(history) => history,
        Err(error) => History { unread: Some(error.to_string()), ..History::none() },
    }
}

async fn gather(session: &Session, store: &Store) -> Result<History, StoreError> {
    let mut history = History::none();
    let mut unread = Vec::new();
    let mut ended = store.rows_of_ended().await?;
    let mut all = store.list().await?;
    if all.len() > MOST_RUNS {
        unread.push(format!("only the newest {MOST_RUNS} of {} were looked at", all.len()));
        all.drain(..all.len() - MOST_RUNS);
    }
    for kept in all {
        let row = ended.remove(kept.run());
        let known = row.and_then(|row| serde_json::from_value::<Measured>(row.get(MEASURED)?.clone()).ok());
        // What it left behind stands in its journal alone.
        if let Some(measured) = known.filter(|known| !known.gave_up_a_drill()) {
            history.runs.push(measured);
            continue;
        }
        match one(session, &kept, &mut history).await {
            // It never began, or is beginning.
            Ok(()) | Err(StoreError::Journal(JournalError::Empty { .. })) => {}
            Err(error) => unread.push(format!("run {}: {error}", kept.run())),
        }
    }
    if unread.len() > MOST_TOLD {
        let more = unread.split_off(MOST_TOLD).len();
        unread.push(format!("and {more} more"));
    }
    history.unread = (!unread.is_empty()).then(|| unread.join("; "));
    history.runs.sort_by_key(|run| run.started_at);
    let runs = std::mem::take(&mut history.leftovers);
    history.leftovers = runs.into_iter().filter(|left| !is_rehearsed_since(&history.runs, &left.run.0)).collect();
    Ok(history)
}

/// A later rehearsal of the same runbook that ended well has moved and put back whatever one before it that was given up
/// had left.
fn is_rehearsed_since(runs: &[Measured], run: &str) -> bool {
    let Some(left) = runs.iter().find(|it| &*it.run.0 == run) else { return false };
    let later =
        |it: &&Measured| it.runbook == left.runbook && it.mode == Mode::Drill && it.started_at > left.started_at;
    left.outcome == Some(Outcome::Aborted) && runs.iter().filter(later).any(|it| it.outcome == Some(Outcome::Succeeded))
}

async fn one(session: &Session, kept: &Kept, history: &mut History) -> Result<(), StoreError> {
    let (state, _, standing, _) = standing(kept).await?;
    history.runs.push(measured(&state));
    // A world that lived in a process has gone with it, and so has whatever was moved in it.
    if !kept.is_simulated() {
        let now = world::clock(&state.plan.site).now();
        history.leftovers.extend(leftover(&state, standing, now, &session.commands(true)));
    }
    Ok(())
}
