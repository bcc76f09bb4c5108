//! The command line: one file a verb. stdout is data, stderr is the story.

mod approve;
pub mod arguments;
pub mod check;
mod claimed;
pub mod confirm;
pub mod drills;
pub mod drive;
pub mod failure;
pub mod history;
mod identity;
pub mod machine;
pub mod notify;
pub mod others;
pub mod people;
mod plan;
pub mod prove;
pub mod rbac;
mod reach;
pub mod readiness;
pub mod report;
pub mod run;
pub mod runs;
mod saved;
pub mod schedule;
pub mod targets;
pub mod terminal;
pub mod world;

use std::{
    io::Write,
    path::Path,
    process::ExitCode,
    sync::{Arc, OnceLock},
};

use clap::{CommandFactory, FromArgMatches, parser::ValueSource};

use crate::{
    report::Commands,
    site::{Location, Site},
};
use arguments::{Arguments, Everywhere, Output, Verb};
pub use failure::{Exit, Failure};
use machine::Machine;

/// What a verb needs of the process, besides its own arguments.
#[derive(Debug)]
pub struct Session {
    pub everywhere: Everywhere,
    pub machine: Machine,
    site: OnceLock<Arc<Site>>,
}

impl Session {
    pub fn new(everywhere: Everywhere, machine: Machine) -> Self {
        Self { everywhere, machine, site: OnceLock::new() }
    }

    /// The site that --site names. Read once: two looks at a file that somebody edits would see two sites.
    pub fn site(&self) -> Result<Option<Arc<Site>>, Failure> {
        let Some(path) = &self.everywhere.site else { return Ok(None) };
        let site = match self.site.get() {
            Some(site) => site,
            None => {
                let read = Arc::new(world::read_site(path)?);
                self.site.get_or_init(|| read)
            }
        };
        Ok(Some(Arc::clone(site)))
    }

    pub fn json(&self) -> bool {
        self.everywhere.output == Output::Json
    }

    /// How to write commands that find the same runs. `site_lives`: the site outlives this process, so that commands
    /// which ask it make sense.
    pub fn commands(&self, site_lives: bool) -> Commands {
        let named = |option: &str, path: &Path| format!("{option} {}", word(&path.display().to_string()));
        let state = self.everywhere.state.as_deref().map(|state| named("--state", state));
        let site = self.everywhere.site.as_deref().filter(|_| self.is_found_by_site());
        let options: Vec<String> = state.into_iter().chain(site.map(|site| named("--site", site))).collect();
        Commands { options: options.join(" "), site_lives, ..Commands::default() }
    }

    /// Whether runs are found only with the site: it says where they are, or how to get at them.
    fn is_found_by_site(&self) -> bool {
        let says = |site: &Arc<Site>| match &self.everywhere.state {
            None => site.state.is_some(),
            Some(state) => state.to_str().and_then(|it| Location::parse(it).ok()).is_some_and(|it| !it.is_directory()),
        };
        self.site.get().is_some_and(says)
    }
}

/// Parses, runs, prints a failure if there is one. The only place that turns failures into exit codes.
pub fn main() -> ExitCode {
    let arguments = parse();
    let session = Session::new(arguments.everywhere, Machine::here());
    start_log(&session);
    match dispatch(arguments.verb, &session) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if session.json() {
                print_failure_as_json(&failure);
            }
            eprint!("{}", failure.render(session.machine.style().colour));
            failure.exit.into()
        }
    }
}

fn parse() -> Arguments {
    let matches = Arguments::command().get_matches();
    let mut arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // Where runs are kept is not where the simulator keeps its world, and the variable names the first.
    if let (Verb::Sim(sim), Some((_, of_verb))) = (&mut arguments.verb, matches.subcommand())
        && of_verb.value_source("state") == Some(ValueSource::EnvVariable)
    {
        sim.state = None;
    }
    arguments
}

fn dispatch(verb: Verb, session: &Session) -> Result<Exit, Failure> {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(|error| {
            Failure::refused(format!("cannot start: {error}"), "free some memory or threads and try again")
        })
    };
    match verb {
        Verb::Check { runbooks } => check::check(session, &runbooks),
        Verb::Graph { runbook, format, mode } => check::graph(&runbook, format, mode),
        Verb::Rbac(arguments) => runtime()?.block_on(rbac::rbac(session, arguments)),
        Verb::Prove(arguments) => prove::run(session, &arguments),
        Verb::Schema => print(&serde_json::to_string_pretty(&crate::runbook::json_schema()).expect("text keys")),
        Verb::Plan(arguments) => runtime()?.block_on(plan::plan(session, arguments)),
        Verb::Readiness(arguments) => runtime()?.block_on(readiness::readiness(session, arguments)),
        Verb::Run(arguments) => runtime()?.block_on(run::run(session, arguments)),
        Verb::Drill(arguments) => runtime()?.block_on(run::drill(session, arguments)),
        Verb::Drills(arguments) => runtime()?.block_on(drills::drills(session, arguments)),
        Verb::Resume { run, consent, take_over, reason, unless_paused } => {
            let reason = reason.as_deref().filter(|_| take_over);
            runtime()?.block_on(run::resume(session, &run, consent.yes, reason, unless_paused))
        }
        Verb::Abort(arguments) => runtime()?.block_on(people::abort(session, arguments)),
        Verb::Approve(arguments) => runtime()?.block_on(approve::approve(session, arguments)),
        Verb::Reject(decision) => runtime()?.block_on(people::reject(session, decision)),
        Verb::Skip(ruling) => runtime()?.block_on(people::skip(session, ruling)),
        Verb::Adopt(ruling) => runtime()?.block_on(people::adopt(session, ruling)),
        Verb::Settle(arguments) => runtime()?.block_on(people::settle(session, arguments)),
        Verb::Pause { run, reason } => runtime()?.block_on(people::pause(session, &run, reason.as_deref())),
        Verb::Runs => runtime()?.block_on(runs::runs(session)),
        Verb::Status { run, brief } => runtime()?.block_on(runs::status(session, &run, brief)),
        Verb::Schedule(arguments) => runtime()?.block_on(schedule::schedule(session, arguments)),
        Verb::Notify { test } => runtime()?.block_on(notify::notify(session, test)),
        Verb::Handover { run } => runtime()?.block_on(runs::handover(session, &run)),
        Verb::Verify { run } if Path::new(&run).is_file() => saved::verify(session, Path::new(&run)),
        Verb::Report(arguments) => runtime()?.block_on(report::report(session, arguments)),
        Verb::Verify { run } => runtime()?.block_on(runs::verify(session, &run)),
        Verb::Sim(arguments) => runtime()?
            .block_on(crate::sim::command::run(arguments))
            .map(|()| Exit::Done)
            .map_err(|error| Failure::new(Exit::Problems, error.message, error.hint)),
        Verb::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "lifeboat", &mut std::io::stdout());
            Ok(Exit::Done)
        }
        Verb::Man => {
            let page = clap_mangen::Man::new(Arguments::command());
            let mut bytes = Vec::new();
            page.render(&mut bytes).expect("writing to memory");
            print(&String::from_utf8_lossy(&bytes))
        }
    }
}

/// Longest reason that somebody may give: it is read in one line of a report.
const LONGEST_REASON: usize = 500;

/// Why somebody overrides what is seen; goes into the journal for good.
fn reason(text: &str, option: &str) -> Result<String, Failure> {
    let reason = text.trim();
    if reason.is_empty() {
        return Err(Failure::usage(
            format!("{option} wants a reason, and it is blank"),
            "say in a few words why: whoever reads the report later will ask",
        ));
    }
    if reason.len() > LONGEST_REASON {
        return Err(Failure::usage(
            format!("the reason has {} bytes, more than {LONGEST_REASON}", reason.len()),
            "say it in a few words, and write the rest where you keep such things",
        ));
    }
    Ok(reason.to_owned())
}

/// [`quoted`], where it has to be.
fn word(text: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "/.-_:=@%+,".contains(letter);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { quoted(text) }
}

/// A word of a command line that a POSIX shell takes as it stands.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Prints data on stdout, with a line feed at its end; a closed pipe is not an error.
pub fn print(text: &str) -> Result<Exit, Failure> {
    let mut stdout = std::io::stdout().lock();
    let line_feed = if text.ends_with('\n') { "" } else { "\n" };
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.write_all(line_feed.as_bytes())) {
        Ok(()) => Ok(Exit::Done),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Exit::Done),
        Err(error) => Err(Failure::refused(format!("cannot print: {error}"), "look where stdout goes")),
    }
}

fn print_failure_as_json(failure: &Failure) {
    let problems = failure.problems.as_ref().map(crate::runbook::Problems::to_json);
    let error = serde_json::json!({
        "v": 1,
        "error": { "exit": failure.exit as u8, "message": failure.message, "next": failure.hint, "problems": problems },
    });
    let _a_closed_pipe = writeln!(std::io::stdout(), "{error}");
}

/// Logs go to stderr, only when asked for.
fn start_log(session: &Session) {
    let Some(filter) = &session.everywhere.log else { return };
    let filter = tracing_subscriber::EnvFilter::new(filter);
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(session.machine.style().colour)
        .try_init();
    if let Err(error) = started {
        eprintln!("cannot log: {error}");
    }
}
