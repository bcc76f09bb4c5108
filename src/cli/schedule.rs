//! `schedule`: keeps a schedule. What is due is started as a process of its own, as a person would start it, so that it
//! outlives nothing and takes nothing down with it.

use std::{path::PathBuf, process::Stdio};

use clap::Args;
use jiff::Timestamp;

use super::{
    Exit, Failure, Session, check,
    drive::{Signal, next_signal},
    notify, print,
    runs::standing,
    world,
};
use crate::{
    action,
    clock::Clock,
    notify::News,
    report::Standing,
    run::{JournalError, Outcome, RunId},
    runbook::{ActionKind, Effect, Mode, Runbook, Step},
    schedule::{self, How, Job, Launch, Occurrence, Schedule, Stands, Told, Work},
    store::{Store, StoreError},
    style::moment,
};

/// Version of what is said as JSON. Changelog:
/// 1. The first.
const FORMAT: u32 = 1;

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
        look(job)?;
    }
    if session.everywhere.site.is_none() {
        return Err(world::no_site());
    }
    let store = world::store(session, None)?;
    let notifier = notify::of_site(session)?;
    let options = options(session);
    let json = session.json();
    let launch = Launch {
        start: |job: Job, occurrence, how| {
            let words = words(&job, occurrence, how, &options);
            // From here on: who stops this process stops it too, even before it has begun.
            let signal = next_signal();
            async move {
                // Somebody may have edited it since. What goes on needs nothing but its journal.
                match if how == How::Anew { look(&job) } else { Ok(()) } {
                    Ok(()) => start(&job.id, words, json, signal).await,
                    Err(failure) => {
                        eprint!("{}: {}", job.id, failure.render(false));
                        failure.exit as i32
                    }
                }
            }
        },
        stands: |run| stands(&store, run),
    };
    let (mut exits, mut failed, mut quiet) = (Vec::new(), false, true);
    let mut tell = |told: Told| {
        exits.extend(exit(&told));
        failed |= matches!(told, Told::StoreFailed { .. });
        quiet = false;
        say(session, &told);
        if let Some(news) = News::of_schedule(&told, Clock::Wall.now(), &session.machine.user.host) {
            notifier.tell(&news);
        }
    };
    let (clock, stop) = (Clock::Wall, stopped());
    let by = session.machine.holder(clock.now());
    schedule::keep((&schedule, &store, &clock), &by, &launch, arguments.once, stop, &mut tell).await;
    tokio::select! {
        () = notify::finish(session, notifier) => {}
        // Somebody does not want to wait for it.
        _ = next_signal() => {}
    }
    if !arguments.once {
        return Ok(Exit::Done);
    }
    if quiet && !json {
        eprintln!("nothing is due; --list says when something is");
    }
    match exits.into_iter().max_by_key(|exit| gravity(*exit)).unwrap_or(Exit::Done) {
        Exit::Done if failed => Err(Failure::refused(
            "the store could not be asked who has what is due",
            "look why it does not answer, and type the command again",
        )),
        exit => Ok(exit),
    }
}

/// Whether what a job runs can be read, and is what the job says.
fn look(job: &Job) -> Result<(), Failure> {
    let runbook = check::load(job.work.runbook())?;
    match job.work {
        Work::Backup { .. } => only_backs_up(job, &runbook),
        Work::Drill { .. } | Work::Readiness { .. } => Ok(()),
    }
}

/// A backup is started again and again with `--yes` and nobody there: what moves traffic, restores or asks is no backup.
fn only_backs_up(job: &Job, runbook: &Runbook) -> Result<(), Failure> {
    let fits = |step: &Step| match action::effect(step.action, &step.arguments) {
        Effect::ReadOnly => step.action != ActionKind::Approval,
        Effect::Reversible | Effect::Irreversible => matches!(step.action, ActionKind::Backup | ActionKind::Prune),
    };
    let planned = |step: &&Step| step.modes.as_ref().is_none_or(|modes| modes.contains(&Mode::Planned));
    let steps: Vec<&Step> = runbook.steps.iter().filter(planned).collect();
    let (file, id) = (job.work.runbook().display(), &job.id);
    if let Some(wrong) = steps.iter().find(|step| !fits(step)) {
        return Err(Failure::new(
            Exit::Problems,
            format!("job `{id}` is a backup, and step `{}` of {file} does more: {}", wrong.id, wrong.action),
            "name a runbook that only takes and prunes backups, such as runbooks/apim-backup.yaml, or make the job a drill",
        ));
    }
    if !steps.iter().any(|step| step.action == ActionKind::Backup) {
        return Err(Failure::new(
            Exit::Problems,
            format!("job `{id}` is a backup, and no step of {file} takes one"),
            "name a runbook with a step `apim.backup`, such as runbooks/apim-backup.yaml",
        ));
    }
    Ok(())
}

/// What `--once` leaves with, if this were all. None: nothing that went well or badly.
fn exit(told: &Told) -> Option<Exit> {
    match told {
        Told::Ended { exit, .. } => Some(Exit::of_code(*exit)),
        Told::Open { outcome, .. } => Some(Exit::of(outcome.unwrap_or(Outcome::Interrupted))),
        Told::Missed { .. } | Told::Lost { .. } => Some(Exit::Refused),
        Told::Started { .. }
        | Told::Resumed { .. }
        | Told::Taken { .. }
        | Told::Overlaps { .. }
        | Told::StoreFailed { .. } => None,
    }
}

/// Of several jobs the one counts that wants a person most.
fn gravity(exit: Exit) -> u8 {
    match exit {
        Exit::Done => 0,
        Exit::ObjectiveMissed => 1,
        Exit::Refused => 2,
        Exit::Interrupted => 3,
        Exit::Usage | Exit::Problems => 4,
        Exit::StepFailed => 5,
        Exit::Stuck => 6,
        Exit::Bug => 7,
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
fn options(session: &Session) -> Vec<String> {
    let path = |path: &PathBuf| path.display().to_string();
    let site = session.everywhere.site.iter().flat_map(|site| ["--site".to_owned(), path(site)]);
    let state = session.everywhere.state.iter().flat_map(|state| ["--state".to_owned(), path(state)]);
    site.chain(state).collect()
}

/// The words after the program's name.
fn words(job: &Job, occurrence: Occurrence, how: How, options: &[String]) -> Vec<String> {
    let run = occurrence.run_of(&job.id);
    let file = job.work.runbook().display().to_string();
    let words: Vec<&str> = match (&job.work, how) {
        (Work::Drill { operator_must_not_be, .. }, How::Anew) => {
            let excluded = operator_must_not_be.iter().flat_map(|name| ["--operator-must-not-be", name]);
            ["drill", &file, "--yes", "--run-id", &run].into_iter().chain(excluded).collect()
        }
        (Work::Backup { .. }, How::Anew) => vec!["run", &file, "--mode", "planned", "--yes", "--run-id", &run],
        (Work::Drill { .. } | Work::Backup { .. }, How::Resumed) => vec!["resume", &run, "--yes", "--unless-paused"],
        (Work::Readiness { mode, .. }, How::Anew | How::Resumed) => {
            vec!["readiness", &file, "--mode", mode.as_str()]
        }
    };
    words.into_iter().map(str::to_owned).chain(options.iter().cloned()).collect()
}

/// Exit code; 101 when it could not be started. `json`: stdout is this process's own, and what it starts writes on stderr.
async fn start(job: &str, words: Vec<String>, json: bool, signal: impl Future<Output = Signal>) -> i32 {
    const BUG: i32 = Exit::Bug as i32;
    let cannot = |error: std::io::Error| {
        eprintln!("{job}: cannot be started: {error}");
        BUG
    };
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return cannot(error),
    };
    let mut command = tokio::process::Command::new(program);
    command.args(words).stdin(Stdio::null());
    if json {
        command.stdout(std::io::stderr());
    }
    // A signal that the terminal sends to everybody reaches it once, through this process.
    #[cfg(unix)]
    command.process_group(0);
    match command.spawn() {
        Ok(child) => ended(child, signal).await,
        Err(error) => cannot(error),
    }
}

/// Waits for its end; whoever stops this process stops it too, and it writes that down before it goes.
async fn ended(mut child: tokio::process::Child, signal: impl Future<Output = Signal>) -> i32 {
    tokio::pin!(signal);
    let mut stopped = false;
    loop {
        tokio::select! {
            status = child.wait() => {
                let code = status.ok().and_then(|status| status.code());
                return code.unwrap_or(Exit::Interrupted as i32);
            }
            signal = &mut signal, if !stopped => {
                stopped = true;
                if signal.is_some() {
                    stop(&child);
                }
            }
            Some(_) = next_signal(), if stopped => stop(&child),
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

/// Until somebody stops this process, from this call on.
fn stopped() -> impl Future<Output = ()> {
    let signal = next_signal();
    async move {
        if signal.await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// How the run of that name stands.
async fn stands(store: &Store, run: String) -> Result<Stands, String> {
    let read = async { standing(&store.open(&run).await?).await };
    let (state, _, standing, _) = match read.await {
        Ok(read) => read,
        // It is beginning, or never began.
        Err(StoreError::NoSuchRun { .. } | StoreError::Journal(JournalError::Empty { .. })) => {
            return Ok(Stands::Absent);
        }
        Err(error) if error.is_of_one_run() => return Ok(Stands::Unreadable(error.to_string())),
        Err(error) => return Err(error.to_string()),
    };
    let generation = state.generation;
    let predicted = state.plan.prediction.map_or(state.plan.expected, |whole| whole.p90);
    let open = |outcome| Stands::Open { outcome, paused: state.hold.is_some(), generation, predicted };
    Ok(match standing {
        Standing::Driven => Stands::Driven { generation },
        // Whoever resumes it finds out whether the other still lives. Somebody who wanted it to stop has what they wanted.
        Standing::Abandoned | Standing::Unknown => open(state.stop.is_some().then_some(Outcome::Interrupted)),
        Standing::Ended(outcome) if outcome.is_terminal() => Stands::Over { exit: Exit::of(outcome) as i32 },
        Standing::Ended(outcome) => open(Some(outcome)),
    })
}

/// What is told goes to stderr, or as JSON Lines to stdout.
fn say(session: &Session, told: &Told) {
    let now = Clock::Wall.now();
    if session.json() {
        let mut line = serde_json::to_value(told).expect("text keys");
        line["v"] = FORMAT.into();
        line["at"] = now.to_string().into();
        if let Some((abort, resume)) = commands(session, told) {
            line["next"] = serde_json::json!([abort, resume]);
        }
        if let Err(failure) = print(&line.to_string()) {
            eprintln!("{}: {line}", failure.message);
        }
        return;
    }
    eprintln!("{} {}", moment(now), sentence(session, told));
}

/// What takes a run back that is not over, and what goes on with it.
fn commands(session: &Session, told: &Told) -> Option<(String, String)> {
    let Told::Open { job, occurrence, .. } = told else { return None };
    let (commands, run) = (session.commands(true), RunId(occurrence.run_of(job).into()));
    Some((commands.about("abort", &run, "--undo --yes"), commands.about("resume", &run, "--yes")))
}

fn sentence(session: &Session, told: &Told) -> String {
    match told {
        Told::Started { job, occurrence } => format!("{job}: started, due at {}", moment(occurrence.at)),
        Told::Resumed { job, occurrence } => {
            format!("{job}: goes on with run {}, which was interrupted", occurrence.run_of(job))
        }
        Told::Ended { job, exit, .. } => format!("{job}: ended with exit code {exit}"),
        Told::Taken { job, occurrence } => format!("{job}: another scheduler has it, due at {}", moment(occurrence.at)),
        Told::Missed { job, occurrence, more } => {
            let more = if *more == 0 { String::new() } else { format!(", nor {more} before it") };
            format!("{job}: not started in time, due at {}{more}", moment(occurrence.at))
        }
        Told::Lost { job, occurrence } => {
            format!(
                "{job}: due at {}, and nobody knows of its end: whoever claimed it is gone, perhaps before it began",
                moment(occurrence.at)
            )
        }
        Told::Overlaps { job, occurrence } => {
            format!("{job}: not started, the one before still runs; due at {}", moment(occurrence.at))
        }
        Told::Open { job, occurrence, outcome, paused, why, .. } => {
            let word = match outcome {
                _ if *paused => "paused",
                None => "driven by nobody",
                Some(outcome) => Standing::Ended(*outcome).word(),
            };
            let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
            let (abort, resume) = commands(session, told).unwrap_or_default();
            format!(
                "{job}: run {} is {word}{why}, and not over: a failover of what it acts on is refused until it is\n  \
                 `{abort}` takes back what it moved; `{resume}` goes on with it",
                occurrence.run_of(job)
            )
        }
        Told::StoreFailed { job, error } => format!("{job}: the store cannot be asked: {error}; tried again"),
    }
}
