//! The command line.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::runbook::{Mode, span};

/// Disaster-recovery failover for Azure API Management
#[derive(Debug, Parser)]
#[command(name = "lifeboat", version, about, max_term_width = 100, propagate_version = true)]
#[command(after_help = "First run, without Azure:  lifeboat run runbooks/apim-failover.yaml --simulate --yes")]
pub struct Arguments {
    #[command(subcommand)]
    pub verb: Verb,
    #[command(flatten)]
    pub everywhere: Everywhere,
}

#[derive(Clone, Debug, Args)]
pub struct Everywhere {
    /// Form of what is printed on stdout
    #[arg(long, global = true, value_enum, default_value_t = Output::Text)]
    pub output: Output,
    /// Site file: endpoints, credential, name servers, values of parameters, and where runs are kept
    #[arg(long, global = true, value_name = "FILE", env = "LIFEBOAT_SITE")]
    pub site: Option<PathBuf>,
    /// Where runs are kept: a directory, or the URL of a container as in the site's `state` [default: the site's, else
    /// the user's state directory]
    // A URL that somebody wrote a signature into is refused, and not shown.
    #[arg(long, global = true, value_name = "DIR|URL", env = "LIFEBOAT_STATE", hide_env_values = true)]
    pub state: Option<PathBuf>,
    /// What to log on stderr, as a tracing filter, such as `debug` or `lifeboat=trace`
    #[arg(long, global = true, value_name = "FILTER", env = "LIFEBOAT_LOG", hide_env_values = true)]
    pub log: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Check runbooks: every problem with its place; offline
    Check {
        #[arg(required = true, value_name = "RUNBOOK")]
        runbooks: Vec<PathBuf>,
    },
    /// The dry run: probe everything, change nothing, say what would happen
    Plan(PlanArguments),
    /// Would a failover work now? One finding a line, each with its remedy; nothing is written anywhere
    Readiness(ReadinessArguments),
    /// Fail over
    Run(RunArguments),
    /// Rehearse: a run in drill mode, whose traffic goes to a shadow name
    Drill(DrillArguments),
    /// Show what rehearsals took: trend, p50 and p90 of each step and of the whole, objective
    Drills(DrillsArguments),
    /// Run drills, backups and readiness by themselves, at the times of a schedule file
    Schedule(super::schedule::ScheduleArguments),
    /// Look whether the site's notifications have their secrets, and with --test tell everybody once
    Notify {
        /// Send a test to every receiver; an alarm that it opens is closed again at once
        #[arg(long)]
        test: bool,
    },
    /// Go on with a run from wherever it stopped, or lift its pause
    Resume {
        run: String,
        #[command(flatten)]
        consent: Consent,
        /// Also from a process that still drives it, here or on another machine; that one starts nothing more
        #[arg(long, requires = "reason")]
        take_over: bool,
        /// With --take-over: why, for the record
        #[arg(long, value_name = "TEXT", requires = "take_over")]
        reason: Option<String>,
        /// Leave a run alone that somebody has paused: for what goes on with it by itself
        #[arg(long, hide = true, conflicts_with = "take_over")]
        unless_paused: bool,
    },
    /// End a run; say what is left behind
    Abort(AbortArguments),
    /// Approve a step that waits for it, or, before it is run, a saved plan; later: sign off what one person approved alone
    Approve(ApproveArguments),
    /// Refuse a step that waits for approval
    Reject(Decision),
    /// Go on without a step that only reads and has failed or waits: a decision that every report shows first
    Skip(Ruling),
    /// Count what a person did for a step that changes the world, once a probe has seen it: every report says so
    Adopt(Ruling),
    /// Answer for a step in doubt, or for an undo that is stuck, where no probe can tell: the last resort
    Settle(SettleArguments),
    /// Hold a run before its next step; what runs goes on, and `lifeboat resume` lifts it
    Pause {
        run: String,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// List runs
    Runs,
    /// Show where a run is
    Status {
        run: String,
        /// The screen for the night: at most 24 lines of 80 columns, and one command to paste
        #[arg(long)]
        brief: bool,
    },
    /// What a board and an auditor read of a run: findings first, then everything with its evidence
    Report(super::report::ReportArguments),
    /// Write the note for whoever takes over a run, in Markdown
    Handover { run: String },
    /// Check a run's journal: every record, its checksum, the hash chain and the approvals; or a saved plan or an approval
    Verify {
        #[arg(value_name = "RUN|FILE")]
        run: String,
    },
    /// Draw a runbook's steps
    Graph {
        runbook: PathBuf,
        #[arg(long, value_enum, default_value_t = GraphFormat::Text)]
        format: GraphFormat,
        /// Only the steps of this mode
        #[arg(long, value_enum)]
        mode: Option<Mode>,
    },
    /// Prove a runbook in the simulator: break it everywhere, resume it, and print what became of it
    Prove(super::prove::ProveArguments),
    /// Print the Azure role that a runbook needs, and the roles of the services' identities
    Rbac(RbacArguments),
    /// Print the JSON Schema of runbooks
    Schema,
    /// Run the simulator on loopback
    Sim(crate::sim::command::SimArguments),
    /// Print completions for a shell
    Completions { shell: clap_complete::Shell },
    /// Print the manual page
    Man,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    Text,
    Mermaid,
    Dot,
    Svg,
}

/// Where to act, and with which values.
#[derive(Clone, Debug, Args)]
pub struct Where {
    /// Act on a simulated Azure inside this process; no site file is needed
    #[arg(long, value_name = "SCENARIO", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    #[arg(conflicts_with = "site")]
    pub simulate: Option<String>,
    /// Simulated seconds in a real one [default: 120; 60 when a person at the terminal gives the approvals]
    #[arg(long, value_name = "N", value_parser = speed, requires = "simulate")]
    pub speed: Option<f64>,
    /// Write every request that the simulator gets to this file, as JSON Lines
    #[arg(long, value_name = "FILE", requires = "simulate")]
    pub request_log: Option<PathBuf>,
    /// Value of a parameter; wins over --parameters and the site
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// YAML file with values of parameters; wins over the site
    #[arg(long, value_name = "FILE")]
    pub parameters: Option<PathBuf>,
}

impl Where {
    /// The options that name the same world, mode and values once more.
    pub fn again(&self, site: Option<&Path>, mode: Option<Mode>) -> Vec<String> {
        let mut words = Vec::new();
        match (site, &self.simulate) {
            (Some(site), _) => words.push(format!("--site {}", site.display())),
            (None, Some(scenario)) if scenario.is_empty() => words.push("--simulate".to_owned()),
            (None, Some(scenario)) => words.push(format!("--simulate={scenario}")),
            (None, None) => {}
        }
        words.extend(mode.map(|mode| format!("--mode {mode}")));
        words.extend(self.parameters.iter().map(|file| format!("--parameters {}", file.display())));
        words.extend(self.set.iter().map(|(name, value)| format!("--set {name}={value}")));
        words
    }
}

#[derive(Clone, Debug, Args)]
pub struct RbacArguments {
    pub runbook: PathBuf,
    #[command(flatten)]
    pub place: Where,
    /// Only what the steps of this mode need [default: every mode]
    #[arg(long, value_enum)]
    pub mode: Option<Mode>,
    /// Also what `lifeboat readiness` reads
    #[arg(long)]
    pub readiness: bool,
}

#[derive(Clone, Debug, Args)]
pub struct PlanArguments {
    pub runbook: PathBuf,
    #[command(flatten)]
    pub place: Where,
    /// Why the runbook is run [default with --simulate: unplanned]
    #[arg(long, value_enum)]
    pub mode: Option<Mode>,
    /// Fail over even if the service does not look lost, and record why; only with --mode unplanned
    #[arg(long, value_name = "REASON")]
    pub force: Option<String>,
    /// Save the plan in this file too, to be approved and run as it is
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Print the plan for the day on which nothing else works: the exact requests, how to see each work, how to go back
    #[arg(long)]
    pub print: bool,
    /// With --out: for how long it may be run, such as 24h [default: as long as nothing moves]
    #[arg(long, value_name = "TIME", value_parser = span::parse, requires = "out")]
    pub valid_for: Option<Duration>,
    /// Write a report for a change board to this file too: .html, .md, .json or .servicenow.json
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// With --report: a proof of the runbook to name as evidence, as `lifeboat prove --format json` wrote it
    #[arg(long, value_name = "FILE", requires = "report")]
    pub proof: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub struct ReadinessArguments {
    pub runbook: PathBuf,
    #[command(flatten)]
    pub place: Where,
    /// Why the runbook would be run
    #[arg(long, value_enum, default_value_t = Mode::Unplanned)]
    pub mode: Mode,
}

#[derive(Clone, Debug, Args)]
pub struct RunArguments {
    /// A runbook, or a plan that `lifeboat plan --out` saved
    #[arg(value_name = "RUNBOOK|PLAN")]
    pub runbook: PathBuf,
    #[command(flatten)]
    pub place: Where,
    /// Why the runbook is run [default with --simulate: unplanned]
    #[arg(long, value_enum)]
    pub mode: Option<Mode>,
    /// Fail over even if the service does not look lost, and record why; only with --mode unplanned
    #[arg(long, value_name = "REASON")]
    pub force: Option<String>,
    /// Change nothing; the same as `lifeboat plan`
    #[arg(long)]
    pub dry_run: bool,
    /// Of a saved plan: an approval that `lifeboat approve PLAN --out` wrote; may be repeated
    #[arg(long, value_name = "FILE")]
    pub approval: Vec<PathBuf>,
    /// Of a saved plan: run it although this has moved; may be repeated. The refusal names what can be given
    #[arg(long, value_name = "FACT", requires = "reason")]
    pub accept_drift: Vec<String>,
    /// With --accept-drift: why, for the record
    #[arg(long, value_name = "TEXT", requires = "accept_drift")]
    pub reason: Option<String>,
    /// Name of the run [default: from the time]
    #[arg(long, value_name = "ID")]
    pub run_id: Option<String>,
    #[command(flatten)]
    pub consent: Consent,
}

#[derive(Clone, Debug, Args)]
pub struct DrillArguments {
    #[command(flatten)]
    pub run: RunArguments,
    /// Refuse when this person drives, resumes or decides: a rehearsal must not depend on one person; may be repeated
    #[arg(long, value_name = "NAME")]
    pub operator_must_not_be: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub struct DrillsArguments {
    /// Only of this runbook: its name, or its file
    pub runbook: Option<String>,
    /// Write it as one HTML file too, with a chart
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub struct Consent {
    /// Do not ask for the hostname that is moved; with --simulate a simulated operator also gives the approvals
    #[arg(long)]
    pub yes: bool,
}

#[derive(Clone, Debug, Args)]
pub struct AbortArguments {
    pub run: String,
    /// Why, for the record
    #[arg(long, default_value = "aborted by hand")]
    pub reason: String,
    /// Undo what was done and can be undone, last done first
    #[arg(long)]
    pub undo: bool,
    /// With --undo: do not ask for the hostname that is put back
    #[arg(long, requires = "undo")]
    pub yes: bool,
}

#[derive(Clone, Debug, Args)]
pub struct Ruling {
    pub run: String,
    pub step: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

#[derive(Clone, Debug, Args)]
#[command(group = clap::ArgGroup::new("word").required(true).args(["happened", "did_not_happen"]))]
pub struct SettleArguments {
    pub run: String,
    pub step: String,
    /// What was sent has happened; for an undo: what was changed is back
    #[arg(long)]
    pub happened: bool,
    /// What was sent has not happened and cannot any more: the step may start again
    #[arg(long)]
    pub did_not_happen: bool,
    /// How it is known, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// With --happened: an output that later steps need and no probe can tell; JSON where it is some, else text
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair, conflicts_with = "did_not_happen")]
    pub output_value: Vec<(String, String)>,
    /// Do not ask for the name of the step
    #[arg(long)]
    pub yes: bool,
}

#[derive(Clone, Debug, Args)]
pub struct ApproveArguments {
    /// The run; with --out a plan that `lifeboat plan --out` saved
    #[arg(value_name = "RUN|PLAN")]
    pub run: String,
    /// The step that asks; of a plan: only that one [default of a plan: all of it]
    pub step: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
    /// For how long it counts, such as 4h [default: as long as the plan or the run; 24h when the plan has no end]
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    pub valid_for: Option<Duration>,
    /// Write an approval of the plan to this file, for `lifeboat run PLAN --approval FILE`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Hand in an approval that somebody else gave
    #[arg(long, value_name = "FILE", conflicts_with_all = ["comment", "valid_for", "alone"])]
    pub approval: Option<PathBuf>,
    /// In an emergency: go on alone, without the approvals; stays open until somebody else signs it off
    #[arg(long = "override", requires = "reason")]
    pub alone: bool,
    /// With --override: why, for the record
    #[arg(long, value_name = "TEXT", requires = "alone")]
    pub reason: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub struct Decision {
    pub run: String,
    pub step: String,
    /// Why, for the record
    #[arg(long)]
    pub comment: Option<String>,
}

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "write name=value".to_owned())
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.001..=100_000.0).contains(&speed) => Ok(speed),
        Ok(_) | Err(_) => Err("a number from 0.001 to 100000".to_owned()),
    }
}
