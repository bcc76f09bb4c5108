//! `runs`, `status` and `verify`: they read journals and nothing else.

use super::{Exit, Failure, Session, check::count, print, world};
use crate::{
    clock::Clock,
    report::{Process, Standing, Status, handover, runs as listing},
    run::{State, journal::Loaded, request::approvals_hold},
    store::{Heard, Kept, StoreError},
};

/// Whoever has not been heard for so long is not called driving any more: several heartbeats, and some seconds by which
/// two machines' clocks may differ.
const SILENT_FOR_S: i64 = 60;

/// Now, on the clock that the run was driven by.
pub(super) fn now(state: &State) -> jiff::Timestamp {
    world::clock(&state.plan.site).now()
}

/// A run, how it stands, and who drives it or drove it last.
pub(super) async fn standing(kept: &Kept) -> Result<(State, Loaded, Standing, Option<Process>), StoreError> {
    let (state, loaded) = kept.load().await?;
    let driver = match state.stopped {
        // Whoever ended it has gone, or goes.
        Some(_) => None,
        None => kept.driver().await?.filter(|driver| driver.lives),
    };
    let driven = match &driver {
        Some(driver) if kept.is_shared() && fell_silent(driver.at) => None,
        Some(_) => Some(true),
        None => Some(false),
    };
    let standing = Standing::of(&state, driven);
    let process = driver.map(|Heard { holder, at, .. }| Process {
        driver: format!("{}@{}", holder.by.name, holder.by.host),
        pid: holder.pid,
        since: holder.since,
        last_heard: at,
    });
    Ok((state, loaded, standing, process))
}

/// Two machines' clocks are compared here, so this only chooses words.
fn fell_silent(heard: Option<jiff::Timestamp>) -> bool {
    heard.is_none_or(|at| Clock::Wall.now().duration_since(at).as_secs() > SILENT_FOR_S)
}

pub async fn runs(session: &Session) -> Result<Exit, Failure> {
    let store = world::store(session, None)?;
    let mut rows = Vec::new();
    let mut ended = store.rows_of_ended().await?;
    for kept in store.list().await? {
        if let Some(row) = ended.remove(kept.run()).and_then(|row| serde_json::from_value(row).ok()) {
            rows.push(row);
            continue;
        }
        rows.push(match standing(&kept).await {
            Ok((state, _, standing, process)) => listing::Row::of(&state, standing, now(&state)).driven_by(process),
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
    let (state, _, standing, process) = standing(&kept).await?;
    let commands = session.commands(!kept.is_simulated());
    let status = Status::of(&state, standing, now(&state), &commands).driven_by(process);
    let style = session.machine.style_out();
    if session.json() {
        print(&serde_json::to_string_pretty(&status).expect("text keys"))
    } else if brief {
        print(&status.brief(&style))
    } else {
        print(&status.text(&style))
    }
}

/// The note for whoever takes over.
pub async fn handover(session: &Session, run: &str) -> Result<Exit, Failure> {
    let kept = world::store(session, None)?.open(run).await?;
    let (state, loaded, standing, process) = standing(&kept).await?;
    let events: Vec<_> = loaded.records.into_iter().map(|record| (record.at, record.event)).collect();
    let (commands, now) = (session.commands(!kept.is_simulated()), now(&state));
    let status = Status::of(&state, standing, now, &commands).driven_by(process);
    if session.json() {
        return print(&serde_json::to_string_pretty(&status).expect("text keys"));
    }
    print(&handover::note(&status, &state, &events, now, &commands))
}

pub async fn verify(session: &Session, run: &str) -> Result<Exit, Failure> {
    let kept = world::store(session, None)?.open(run).await?;
    let (state, loaded) = kept.load().await?;
    let records = loaded.records.len();
    let signed = verify_approvals(run, &state)?;
    if session.json() {
        let verdict = serde_json::json!({
            "v": 1, "run": kept.run(), "records": records, "torn_bytes": loaded.torn,
            "head": loaded.head_hash(), "plan_digest": state.plan.digest, "approvals": state.filed.len(), "signed": signed, "intact": true,
        });
        return print(&serde_json::to_string_pretty(&verdict).expect("text keys"));
    }
    let torn = match loaded.torn {
        0 => String::new(),
        bytes => format!("; a torn last line of {bytes} bytes is left out, it announced nothing that was begun"),
    };
    let approvals = match state.filed.len() {
        0 => String::new(),
        filed => {
            let fit = if signed == 0 { "" } else { ", and the signatures fit" };
            format!("; {} of its plan, {signed} of them signed{fit}", count(filed, "approval"))
        }
    };
    print(&format!(
        "{}: {records} records, every checksum and the hash chain hold{torn}{approvals}\nplan {}\nhead {}",
        kept.run(),
        state.plan.digest,
        loaded.head_hash()
    ))
}

/// How many are signed.
fn verify_approvals(run: &str, state: &State) -> Result<usize, Failure> {
    approvals_hold(state).map_err(|(by, flaw)| {
        Failure::refused(
            format!("the journal of `{run}` has an approval of {} that does not count: {flaw}", by.shown()),
            "somebody wrote it into the journal past lifeboat; find out who",
        )
    })
}
