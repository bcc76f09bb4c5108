//! Schedule file: text → what it says. Pure; every problem at once, each with its place.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use croner::{Cron, parser::CronParser};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::runbook::{
    Mode, Problems,
    fields::{self, Fields, Key, key},
    problem::{Notebook, mistake},
    source::{self, Node, Value},
};

const SCHEDULE_KEYS: &[Key] = &[
    key("version", "format version, 1"),
    key("seed", "another number draws another jitter; default: 0"),
    key("jobs", "what is started, and when"),
];

const JOB_KEYS: &[Key] = &[
    key("id", "a name of lower-case letters, digits and dashes; one job a store"),
    key("cron", "minute, hour, day of month, month, day of week: `0 3 * * SUN`"),
    key("time_zone", "of the cron expression, such as Europe/Berlin; default: UTC"),
    key("window", "what could not start for so long after its time does not start"),
    key("jitter", "starts up to so much later, each time the same on every machine"),
    key("from", "does not start before"),
    key("until", "does not start from then on"),
    key("catch_up", "latest or skip: whether what was due while no scheduler ran starts within its window"),
    key("do", "exactly one of drill, backup, readiness"),
];

const WORK_KEYS: &[Key] = &[
    key("runbook", "path of the runbook, relative to the working directory"),
    key("mode", "of a readiness; default: unplanned"),
    key("operator_must_not_be", "of a drill: who may not drive it"),
];

const WORKS: [&str; 3] = ["drill", "backup", "readiness"];

/// Jobs of one schedule: more is a scheduler for something else.
const MOST_JOBS: usize = 100;

/// Longest id: with the time it is the name of a run, which has at most 64 bytes.
const LONGEST_ID: usize = 40;

/// A window that nobody names: long enough for a machine that is being patched.
const WINDOW: Duration = Duration::from_hours(1);

/// Times are looked at from here on, for the shortest between two: a leap year's beginning, so that the same file is always
/// right or always wrong.
const FROM: Timestamp = Timestamp::constant(1_704_067_200, 0);

/// For so long: a 29 February comes in it, and is left out.
const YEARS: i64 = 5;

/// And so many: of what comes more often than daily, a summer time's beginning and end.
const MOST_LOOKED_AT: usize = 8_000;

#[derive(Clone, Debug)]
pub struct Schedule {
    pub seed: i64,
    pub jobs: Vec<Job>,
}

/// What is started again and again.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: String,
    pub cron: Cron,
    pub zone: TimeZone,
    pub window: Duration,
    /// Shorter than the window, and than the shortest time between two occurrences.
    pub jitter: Duration,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub catch_up: CatchUp,
    pub work: Work,
}

impl Job {
    /// When it is due, as the file says it: another one makes it due at other times.
    pub fn rule(&self) -> String {
        format!("{} {}", self.cron.as_str(), self.zone.iana_name().unwrap_or_default())
    }
}

/// What becomes of what was due while no scheduler ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatchUp {
    /// The newest starts, if its window has not passed; those before it do not.
    Latest,
    /// None starts.
    Skip,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    Drill {
        runbook: PathBuf,
        operator_must_not_be: Vec<String>,
    },
    /// A planned run of a runbook that takes backups and does nothing else.
    Backup {
        runbook: PathBuf,
    },
    Readiness {
        runbook: PathBuf,
        mode: Mode,
    },
}

impl Work {
    pub fn runbook(&self) -> &Path {
        match self {
            Self::Drill { runbook, .. } | Self::Backup { runbook } | Self::Readiness { runbook, .. } => runbook,
        }
    }
}

/// Reads a schedule. Never stops at the first problem.
pub fn parse(file_name: &str, bytes: &[u8]) -> Result<Schedule, Problems> {
    let source = source::text(file_name, bytes)?;
    let mut notebook = Notebook::new(source.clone());
    let root = source::read(source.text(), "a schedule", &mut notebook);
    let schedule = root.and_then(|root| schedule(&root, &mut notebook));
    notebook.finish(schedule)
}

fn schedule(root: &Node<'_>, notebook: &mut Notebook) -> Option<Schedule> {
    let fields = Fields::of(root, "a schedule", SCHEDULE_KEYS, notebook)?;
    fields::version(&fields, notebook);
    let seed = fields.get("seed").and_then(|node| fields::integer(node, notebook)).unwrap_or_default();
    let node = fields.required("jobs", notebook)?;
    let nodes = fields::list(node, notebook)?;
    if nodes.is_empty() {
        notebook.add(node.span, mistake::empty_value("`jobs`", "name at least one job"));
    }
    if nodes.len() > MOST_JOBS {
        notebook.add(node.span, mistake::out_of_range(nodes.len(), 1, MOST_JOBS));
    }
    let mut jobs: Vec<(Job, u32)> = Vec::new();
    for node in nodes {
        let Some(job) = job(node, notebook) else { continue };
        match jobs.iter().find(|(earlier, _)| earlier.id == job.id) {
            Some((_, line)) => notebook.add(node.head(), mistake::duplicate_job(&job.id, *line)),
            None => jobs.push((job, notebook.source().place(node.head()).line)),
        }
    }
    Some(Schedule { seed, jobs: jobs.into_iter().map(|(job, _)| job).collect() })
}

fn job(node: &Node<'_>, notebook: &mut Notebook) -> Option<Job> {
    let fields = Fields::of(node, "a job", JOB_KEYS, notebook)?;
    let id = fields.required("id", notebook).and_then(|node| id(node, notebook));
    let cron = fields.required("cron", notebook).and_then(|node| cron(node, notebook));
    let zone = fields.get("time_zone").map_or(Some(TimeZone::UTC), |node| zone(node, notebook));
    let window = fields.get("window").map_or(Some(WINDOW), |node| fields::duration(node, notebook));
    let jitter = fields.get("jitter").map_or(Some(Duration::ZERO), |node| fields::duration(node, notebook));
    if let (Some(window), Some(jitter), Some(node)) = (window, jitter, fields.get("jitter"))
        && jitter >= window
    {
        notebook.add(node.span, mistake::jitter_beyond_window(jitter, window));
    } else if let (Some(cron), Some(zone), Some(jitter), Some(node)) = (&cron, &zone, jitter, fields.get("jitter"))
        && let Some(apart) = closer_than(cron, zone, jitter)
    {
        notebook.add(node.span, mistake::jitter_beyond_interval(jitter, apart));
    }
    let mut moment = |name| fields.get(name).map(|node| timestamp(node, notebook));
    let (from, until) = (moment("from"), moment("until"));
    let catch_up = match fields.get("catch_up") {
        None => Some(CatchUp::Latest),
        Some(node) => fields::choice(node, "catch_up", &["latest", "skip"], notebook)
            .map(|choice| [CatchUp::Latest, CatchUp::Skip][choice]),
    };
    let work = fields.required("do", notebook).and_then(|node| work(node, notebook));
    Some(Job {
        id: id?,
        cron: cron?,
        zone: zone?,
        window: window?,
        jitter: jitter?,
        from: from.flatten(),
        until: until.flatten(),
        catch_up: catch_up?,
        work: work?,
    })
}

fn id(node: &Node<'_>, notebook: &mut Notebook) -> Option<String> {
    let text = fields::plain_text(node, "`id`", notebook)?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let good = text.len() <= LONGEST_ID && text.starts_with(|first: char| first.is_ascii_lowercase());
    if !good || !text.bytes().all(plain) {
        let form = format!("write it as `weekly-drill`, in at most {LONGEST_ID} characters");
        notebook.add(node.span, mistake::bad_name(text, "the id of a job", &form));
        return None;
    }
    Some(text.to_owned())
}

fn cron(node: &Node<'_>, notebook: &mut Notebook) -> Option<Cron> {
    let text = fields::plain_text(node, "`cron`", notebook)?;
    let parser = CronParser::builder().seconds(croner::parser::Seconds::Disallowed).build();
    parser.parse(text).map_err(|error| notebook.add(node.span, mistake::bad_cron(text, &error.to_string()))).ok()
}

/// How far apart two occurrences are that a jitter could put in another order: the later one would hide the earlier one.
fn closer_than(cron: &Cron, zone: &TimeZone, jitter: Duration) -> Option<Duration> {
    if jitter.is_zero() {
        return None;
    }
    let ends = FROM + SignedDuration::from_hours(24 * 366 * YEARS);
    let all = cron.iter_after(FROM.to_zoned(zone.clone())).map(|at| at.timestamp());
    let mut last = None;
    for at in all.take_while(|at| *at < ends).take(MOST_LOOKED_AT) {
        let apart = last.replace(at).and_then(|last| Duration::try_from(at.duration_since(last)).ok());
        if let Some(apart) = apart.filter(|apart| *apart <= jitter) {
            return Some(apart);
        }
    }
    None
}

fn zone(node: &Node<'_>, notebook: &mut Notebook) -> Option<TimeZone> {
    let text = fields::plain_text(node, "`time_zone`", notebook)?;
    let found = TimeZone::get(text).ok();
    if found.is_none() {
        let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        notebook.add(node.span, mistake::bad_time_zone(text, known.iter().map(String::as_str)));
    }
    found
}

fn timestamp(node: &Node<'_>, notebook: &mut Notebook) -> Option<Timestamp> {
    let text = fields::text(node, notebook)?;
    let found = text.parse().ok();
    if found.is_none() {
        notebook.add(node.span, mistake::bad_timestamp(text));
    }
    found
}

fn work(node: &Node<'_>, notebook: &mut Notebook) -> Option<Work> {
    let [entry] = fields::map(node, notebook)? else {
        notebook.add(node.head(), mistake::empty_value("`do`", "write exactly one of drill, backup, readiness"));
        return None;
    };
    let Some(kind) = WORKS.iter().position(|name| *name == entry.key) else {
        notebook.add(entry.key_span, mistake::unknown_value("work", &entry.key, WORKS));
        return None;
    };
    let fields = Fields::of(&entry.value, "what is done", WORK_KEYS, notebook)?;
    let runbook = fields.required("runbook", notebook).and_then(|node| fields::plain_text(node, "`runbook`", notebook));
    let runbook = runbook.map(PathBuf::from);
    let misplaced = |name: &'static str, wanted: &str| {
        fields.get(name).map(|node| (node.span, mistake::unknown_key(name, wanted, ["runbook"])))
    };
    let wrong = match WORKS[kind] {
        "drill" => misplaced("mode", "a drill"),
        "backup" => misplaced("mode", "a backup").or_else(|| misplaced("operator_must_not_be", "a backup")),
        _ => misplaced("operator_must_not_be", "a readiness"),
    };
    if let Some((span, problem)) = wrong {
        notebook.add(span, problem);
        return None;
    }
    match WORKS[kind] {
        "drill" => {
            let excluded = fields.get("operator_must_not_be").map(|node| names(node, notebook)).unwrap_or_default();
            Some(Work::Drill { runbook: runbook?, operator_must_not_be: excluded })
        }
        "backup" => Some(Work::Backup { runbook: runbook? }),
        _ => {
            let known = Mode::ALL.map(Mode::as_str);
            let mode = match fields.get("mode") {
                None => Mode::Unplanned,
                Some(node) => Mode::ALL[fields::choice(node, "mode", &known, notebook)?],
            };
            Some(Work::Readiness { runbook: runbook?, mode })
        }
    }
}

fn names(node: &Node<'_>, notebook: &mut Notebook) -> Vec<String> {
    if let Value::Text(_) = &node.value {
        notebook.add(node.span, mistake::wrong_type("a list", node.kind()));
        return Vec::new();
    }
    let items = fields::list(node, notebook).unwrap_or_default();
    items.iter().filter_map(|item| fields::text(item, notebook).map(str::to_owned)).collect()
}
