//! `schedule`: keeps a schedule. What is due is started as a process of its own, as a person would start it, so that it
//! outlives nothing and takes nothing down with it.

use std::{path::PathBuf, process::Stdio};

use clap::Args;
use jiff::Timestamp;

use super::{Exit, Failure, Session, check, drive::next_signal, notify, print, world};
use crate::{
    clock::Clock,
    notify::News,
    schedule::{self, Job, Launch, Occurrence, Schedule, Told, Work},
    store::Store,
    style::moment,
};

#[derive(Clone, Debug, Args)]
pub struct ScheduleArguments {
    /// Schedule file: jobs, each with a cron expression and what it does
    pub schedule: PathBuf,
    /// Start what is due now, wait for its end, and leave: for a timer that starts this
    #[arg(long)]
    pub once: bool,
    /// Start nothing; print when each job is due next, so many times
    #[arg(long, value_name = "N", conflicts_with = "once", value_parser = clap::value_parser!(u8).range(1..=50))]
    pub list: Option<u8>,
}

pub async fn schedule(session: &Session, arguments: ScheduleArguments) -> Result<Exit, Failure> {
    let path = &arguments.schedule;
    let schedule = schedule::parse(&path.display().to_string(), &check::read(path, "schedule")?)?;
    if let Some(count) = arguments.list {
        return list(session, &schedule, Clock::Wall.now(), usize::from(count));
    }
    for job in &schedule.jobs {
        // What cannot be read now cannot be read at three in the morning.
        check::load(runbook(job))?;
    }
    if session.everywhere.site.is_none() {
        return Err(world::no_site());
    }
    let store = world::store(session, None)?;
    let notifier = notify::of_site(session)?;
    let starts = starts(session);
    let launch =
        Launch { start: |job, occurrence| start(starts.clone(), job, occurrence), runs: |run| runs(&store, run) };
    let (mut worst, mut failed) = (Exit::Done, false);
    let mut tell = |told: Told| {
        if let Told::Ended { exit, .. } = &told
            && *exit != 0
        {
            worst = Exit::StepFailed;
        }
        failed |= matches!(told, Told::StoreFailed { .. });
        say(session, &told);
        if let Some(news) = News::of_schedule(&told, Clock::Wall.now(), &session.machine.user.host) {
            notifier.tell(&news);
        }
    };
    let clock = Clock::Wall;
    let by = session.machine.holder(clock.now());
    schedule::keep((&schedule, &store, &clock), &by, &launch, arguments.once, stopped(), &mut tell).await;
    tokio::select! {
        () = notify::finish(session, notifier) => {}
        // Somebody does not want to wait for it.
        _ = next_signal() => {}
    }
    if failed && arguments.once {
        return Err(Failure::refused("the store could not be asked who has what is due", "type the command again"));
    }
    Ok(if arguments.once { worst } else { Exit::Done })
}

fn runbook(job: &Job) -> &std::path::Path {
    match &job.work {
        Work::Drill { runbook, .. } | Work::Backup { runbook } | Work::Readiness { runbook, .. } => runbook,
    }
}

fn list(session: &Session, schedule: &Schedule, now: Timestamp, count: usize) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    for job in &schedule.jobs {
        let all = std::iter::successors(job.after(schedule.seed, now), |last| job.after(schedule.seed, last.at));
        rows.extend(all.take(count).map(|occurrence| (occurrence, job)));
    }
    rows.sort_by_key(|(occurrence, _)| occurrence.starts);
    if session.json() {
        let rows = rows
            .iter()
            .map(|(it, job)| serde_json::json!({ "job": job.id, "at": it.at, "starts": it.starts, "ends": it.ends }));
        let listed = serde_json::json!({ "v": 1, "occurrences": rows.collect::<Vec<_>>() });
        return print(&serde_json::to_string_pretty(&listed).expect("text keys"));
    }
    let wide = schedule.jobs.iter().map(|job| job.id.len()).max().unwrap_or_default();
    let line = |(it, job): &(Occurrence, &Job)| {
        format!("{:wide$}  {}  may start until {}\n", job.id, moment(it.starts), moment(it.ends))
    };
    print(&rows.iter().map(line).collect::<String>())
}

/// Options that every job is started with.
fn starts(session: &Session) -> Vec<String> {
    let path = |path: &PathBuf| path.display().to_string();
    let site = session.everywhere.site.iter().flat_map(|site| ["--site".to_owned(), path(site)]);
    let state = session.everywhere.state.iter().flat_map(|state| ["--state".to_owned(), path(state)]);
    site.chain(state).collect()
}

/// The words after the program's name.
fn words(job: &Job, occurrence: &Occurrence) -> Vec<String> {
    let run = format!("{}-{}", job.id, occurrence.name());
    let file = runbook(job).display().to_string();
    match &job.work {
        Work::Drill { operator_must_not_be, .. } => {
            let excluded = operator_must_not_be.iter().flat_map(|name| ["--operator-must-not-be", name]);
            ["drill", &file, "--yes", "--run-id", &run].into_iter().chain(excluded).map(str::to_owned).collect()
        }
        Work::Backup { .. } => {
            ["run", &file, "--mode", "planned", "--yes", "--run-id", &run].map(str::to_owned).to_vec()
        }
        Work::Readiness { mode, .. } => ["readiness", &file, "--mode", mode.as_str()].map(str::to_owned).to_vec(),
    }
}

/// Exit code; 101 when it could not be started.
async fn start(options: Vec<String>, job: Job, occurrence: Occurrence) -> i32 {
    const BUG: i32 = Exit::Bug as i32;
    let Ok(program) = std::env::current_exe() else { return BUG };
    let mut command = tokio::process::Command::new(program);
    command.args(words(&job, &occurrence)).args(options).stdin(Stdio::null());
    // A signal that the terminal sends to everybody reaches it once, through this process.
    #[cfg(unix)]
    command.process_group(0);
    match command.spawn() {
        Ok(child) => ended(child).await,
        Err(error) => {
            eprintln!("{}: cannot be started: {error}", job.id);
            BUG
        }
    }
}

/// Waits for its end; whoever stops this process stops it too, and it writes that down before it goes.
async fn ended(mut child: tokio::process::Child) -> i32 {
    loop {
        tokio::select! {
            status = child.wait() => {
                let code = status.ok().and_then(|status| status.code());
                return code.unwrap_or(Exit::Interrupted as i32);
            }
            Some(_) = next_signal() => stop(&child),
        }
    }
}

#[cfg(unix)]
fn stop(child: &tokio::process::Child) {
    let pid = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(pid) = pid {
        let _gone_already = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

#[cfg(not(unix))]
fn stop(_child: &tokio::process::Child) {}

/// Until somebody stops this process.
async fn stopped() {
    if next_signal().await.is_none() {
        std::future::pending::<()>().await;
    }
}

/// Whether somebody drives the run of that name. What cannot be read is not said to be running: its targets are held.
async fn runs(store: &Store, run: String) -> bool {
    let Ok(kept) = store.open(&run).await else { return false };
    matches!(kept.driver().await, Ok(Some(heard)) if heard.lives)
}

fn say(session: &Session, told: &Told) {
    if session.json() {
        return;
    }
    let text = match told {
        Told::Started { job, occurrence } => format!("{job}: started, due at {}", moment(occurrence.at)),
        Told::Ended { job, exit, .. } => format!("{job}: ended with exit code {exit}"),
        Told::Taken { job, occurrence } => format!("{job}: another scheduler has it, due at {}", moment(occurrence.at)),
        Told::Missed { job, occurrence, more } => {
            let more = if *more == 0 { String::new() } else { format!(" and {more} before it") };
            format!("{job}: not started, its window ended at {}{more}", moment(occurrence.ends))
        }
        Told::Overlaps { job, occurrence } => {
            format!("{job}: not started, the one before still runs; due at {}", moment(occurrence.at))
        }
        Told::StoreFailed { job, error } => format!("{job}: the store cannot be asked: {error}; tried again"),
    };
    eprintln!("{} {text}", moment(Clock::Wall.now()));
}
