//! `command`: a program, without a shell, in a process group of its own.
//!
//! Never waits for a child that nobody reads, and never leaves one behind: dropping the step kills the group.

use std::{
    collections::VecDeque,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Context, Done, Outside, Recorder, arguments::Command};
use crate::{
    clock::Clock,
    plan::facts::{Finding, PlannedRequest, Probe},
    run::{Disposition, Intent, StepError, Verdict},
};

/// What is kept of each stream: its end, where programs say why they failed.
const KEPT_OUTPUT: usize = 64 << 10;
/// Real time that is given to what a program wrote at its very end, before its streams are given up.
const AFTERMATH: Duration = Duration::from_secs(1);
/// The end of standard error that is repeated in an error.
const QUOTED_STDERR: usize = 500;

/// Runs nothing. Says whether the program is there.
pub fn probe(command: &Command, context: &Context) -> Probe {
    let program = command.argv[0].as_str();
    let mut findings = Vec::new();
    let found = context.outside == Outside::Pretended || find(command, context).is_some();
    if !found {
        findings.push(Finding::warning(
            "program-not-found",
            format!("`{program}` is not a program that can be found from here"),
            "install it on the machine that will run this, or give its full path",
        ));
    }
    Probe {
        summary: format!("runs {}", quoted(&command.argv)),
        requests: vec![planned(command)],
        verified: found,
        findings,
        ..Probe::default()
    }
}

pub async fn perform(command: &Command, context: &Context, record: &Recorder) -> Result<Done, StepError> {
    if !command.read_only {
        let before = json!({ "started_at": context.clock.now() });
        record.intend(Intent { request: planned(command), before }).await;
    }
    if context.outside == Outside::Pretended {
        return Ok(pretended(command));
    }
    let mut child = spawn(command, context)?;
    let (mut stdout, mut stderr) = (Tail::new(child.inner.stdout.take()), Tail::new(child.inner.stderr.take()));
    let status = wait(&mut child, &mut stdout, &mut stderr, &context.clock).await;
    let (stdout, stderr) = (stdout.text(), stderr.text());
    let status = status.map_err(|failure| {
        let disposition = if command.read_only { Disposition::Retryable } else { Disposition::InDoubt };
        StepError::new(
            disposition,
            "command-lost",
            format!("`{}` could not be waited for: {failure}", command.argv[0]),
            "look whether it is still running, and whether it did its work",
        )
    })?;
    let outputs = Map::from_iter([
        ("stdout".to_owned(), Value::from(stdout)),
        ("stderr".to_owned(), Value::from(stderr.as_str())),
        ("exit_code".to_owned(), json!(status.code())),
    ]);
    if status.success() {
        return Ok(Done { outputs, evidence: json!({ "argv": command.argv, "exit_code": 0 }) });
    }
    let how = status.code().map_or_else(|| status.to_string(), |code| format!("exit code {code}"));
    let mut failure = StepError::new(
        if command.read_only { Disposition::Retryable } else { Disposition::Final },
        "command-failed",
        format!("`{}` ended with {how}{}", command.argv[0], last_words(&stderr)),
        "its output is in the details; correct the cause, then resume",
    );
    failure.details = outputs;
    Err(failure)
}

/// As if it had done its work, in silence.
fn pretended(command: &Command) -> Done {
    let outputs = [("stdout", json!("")), ("stderr", json!("")), ("exit_code", json!(0))];
    let outputs = outputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Done { outputs, evidence: json!({ "argv": command.argv, "pretended": true }) }
}

pub fn settle(command: &Command) -> Verdict {
    if command.read_only {
        return Verdict::DidNotHappen { reason: "the program changes nothing".to_owned() };
    }
    Verdict::Unknown {
        reason: format!("{} was started, and nobody saw how it ended", quoted(&command.argv)),
        remedy:
            "look by hand whether it did its work; then `lifeboat abort` this run and start another that leaves out \
                 what is done, or mark the command `read_only: true` if it may be run again"
                .to_owned(),
    }
}

/// Until the child has ended and its streams are read. They are read all the while, so that a full pipe never stops it.
async fn wait<O: AsyncRead + Unpin, E: AsyncRead + Unpin>(
    child: &mut Group,
    stdout: &mut Tail<O>,
    stderr: &mut Tail<E>,
    clock: &Clock,
) -> std::io::Result<ExitStatus> {
    let reading = async { tokio::join!(stdout.fill(), stderr.fill()) };
    tokio::pin!(reading);
    let mut open = true;
    let status = loop {
        tokio::select! {
            status = child.inner.wait() => break status?,
            _ended = &mut reading, if open => open = false,
        }
    };
    if open {
        tokio::select! {
            _ended = &mut reading => {}
            // Something that the program left behind holds its streams open, and would hold the step for ever.
            () = clock.sleep(AFTERMATH.mul_f64(clock.speed())) => return Ok(status),
        }
    }
    child.finished();
    Ok(status)
}

/// A child whose whole group dies with this value, unless it has finished.
#[derive(Debug)]
struct Group {
    inner: tokio::process::Child,
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

impl Group {
    /// The leader has ended and nobody holds its streams: nothing is left to kill.
    #[cfg_attr(not(unix), expect(clippy::unused_self, reason = "only Unix has process groups"))]
    fn finished(&mut self) {
        #[cfg(unix)]
        {
            self.leader = None;
        }
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            // It fails when the group has ended in between, which is what is wanted.
            let _ended = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

fn spawn(command: &Command, context: &Context) -> Result<Group, StepError> {
    let mut builder = tokio::process::Command::new(&command.argv[0]);
    builder
        .args(&command.argv[1..])
        .envs(&command.env)
        .current_dir(directory(command, context))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    builder.process_group(0);
    // Nothing ran, so this is never in doubt; and another attempt would not find the program either.
    let inner = builder.spawn().map_err(|failure| {
        StepError::new(
            Disposition::Final,
            "command-not-started",
            format!("`{}` could not be started: {failure}", command.argv[0]),
            "check that the program is installed and may be executed, and that the working directory exists",
        )
    })?;
    Ok(Group {
        #[cfg(unix)]
        leader: inner.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?)),
        inner,
    })
}

/// The end of a stream.
#[derive(Debug)]
struct Tail<S> {
    stream: Option<S>,
    kept: VecDeque<u8>,
}

impl<S: AsyncRead + Unpin> Tail<S> {
    fn new(stream: Option<S>) -> Self {
        Self { stream, kept: VecDeque::new() }
    }

    /// Reads to the end and keeps the last [`KEPT_OUTPUT`] bytes. Cancel safe.
    async fn fill(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        let mut buffer = vec![0; 8192];
        // A stream that breaks ends like one that is closed: the exit code is what counts.
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            self.kept.extend(&buffer[..read]);
            let surplus = self.kept.len().saturating_sub(KEPT_OUTPUT);
            self.kept.drain(..surplus);
        }
    }

    fn text(mut self) -> String {
        String::from_utf8_lossy(self.kept.make_contiguous()).into_owned()
    }
}

fn directory(command: &Command, context: &Context) -> PathBuf {
    match &command.directory {
        Some(directory) => context.directory.join(directory),
        None => context.directory.clone(),
    }
}

/// Where the program is, looked up as the system would.
fn find(command: &Command, context: &Context) -> Option<PathBuf> {
    let program = PathBuf::from(&command.argv[0]);
    if program.components().count() > 1 {
        return Some(directory(command, context).join(program)).filter(|path| path.is_file());
    }
    let path = command.env.get("PATH").cloned().or_else(|| context.environment.get("PATH"))?;
    std::env::split_paths(&path)
        .flat_map(|place| {
            let bare = place.join(&program);
            [bare.with_extension("exe"), bare]
        })
        .find(|path| path.is_file())
}

fn planned(command: &Command) -> PlannedRequest {
    PlannedRequest {
        method: "EXEC".to_owned(),
        url: command.argv[0].clone(),
        headers: Vec::new(),
        body: Some(json!({ "argv": command.argv, "env": command.env, "directory": command.directory })),
    }
}

/// For people: quoted where a space or a quote would mislead.
fn quoted(argv: &[String]) -> String {
    let quote = |word: &String| {
        let plain = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_./:=@%+,".contains(c));
        if plain { word.clone() } else { format!("{word:?}") }
    };
    argv.iter().map(quote).collect::<Vec<_>>().join(" ")
}

fn last_words(stderr: &str) -> String {
    let words = stderr.trim();
    if words.is_empty() {
        return String::new();
    }
    let skipped = words.chars().count().saturating_sub(QUOTED_STDERR);
    let end: String = words.chars().skip(skipped).collect();
    format!(": {}", end.trim())
}
