//! What there is to tell: event → news. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    run::{Event, Outcome, State},
    runbook::{ActionKind, Mode, StepId},
    schedule::{Occurrence, Told},
    site::Occasion,
    style::{moment, one_line},
};

/// How much it matters. `PagerDuty`'s words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    #[default]
    Info,
    Warning,
    Error,
    Critical,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// Bytes of a sentence: an error that quotes a whole answer is in the journal, and a phone shows three lines. Below every
/// receiver's own limit; `PagerDuty`'s, of 1024, is the lowest.
const LONGEST: usize = 600;

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// `RUN/SEQ`, of a message `RUN/STEP`, of a job `RUN/OCCASION`: the same however often it is sent.
    pub id: String,
    pub occasion: Occasion,
    pub severity: Severity,
    pub at: Timestamp,
    /// The run, or the job of a schedule: what belongs together has the same.
    pub about: String,
    /// The runbook's name; empty: not of a run.
    pub runbook: String,
    pub mode: Option<Mode>,
    pub step: Option<StepId>,
    /// Host that tells it.
    pub source: String,
    /// One sentence without an end.
    pub sentence: String,
    /// What to do. Empty: nothing.
    pub next: String,
    /// It ended, and what was told before is no trouble any more.
    pub ended_well: bool,
}

/// What an event says, before it is known of which run.
struct Said {
    occasion: Occasion,
    severity: Severity,
    sentence: String,
    next: String,
}

impl News {
    /// None: nobody is told of such an event. `seq`: the event's number in the journal. `state`: after it.
    pub fn of(seq: u64, at: Timestamp, event: &Event, state: &State) -> Option<Self> {
        let Said { occasion, severity, sentence, next } = of_run(event, state).or_else(|| of_step(event, state))?;
        Some(Self {
            id: format!("{}/{seq}", state.run),
            occasion,
            severity,
            at,
            about: state.run.to_string(),
            runbook: state.plan.name.clone(),
            mode: Some(state.plan.mode),
            step: event.step().cloned(),
            source: state.driver.as_ref().unwrap_or(&state.by).host.clone(),
            sentence: short(&sentence),
            next: short(&next),
            ended_well: ended_well(event, state),
        })
    }

    /// None: nobody is told of it. `host`: of the scheduler.
    pub fn of_schedule(told: &Told, at: Timestamp, host: &str) -> Option<Self> {
        let missed = Occasion::JobMissed;
        let (job, occurrence, occasion, sentence) = match told {
            Told::Missed { job, occurrence, more } => {
                let more = if *more == 0 { String::new() } else { format!(", nor were {more} before it") };
                let sentence = format!(
                    "job {job} was not started in time: it could start until {}{more}",
                    moment(occurrence.ends)
                );
                (job, occurrence, missed, sentence)
            }
            Told::Lost { job, occurrence } => {
                let sentence = format!("nobody knows of the end of job {job}: whoever claimed it is gone");
                (job, occurrence, missed, sentence)
            }
            Told::Overlaps { job, occurrence } => {
                (job, occurrence, missed, format!("job {job} was not started: the one before still runs"))
            }
            Told::Ended { job, occurrence, exit: 0 } => {
                let well =
                    Self::of_job(Occasion::JobFailed, job, *occurrence, at, host, &format!("job {job} ended well"));
                return Some(Self { severity: Severity::Info, next: String::new(), ended_well: true, ..well });
            }
            Told::Ended { job, occurrence, exit } => {
                (job, occurrence, Occasion::JobFailed, format!("job {job} ended with exit code {exit}"))
            }
            Told::Open { job, occurrence, why, first: true, .. } => {
                let run = occurrence.run_of(job);
                let sentence =
                    format!("run {run} of job {job} is not over, and goes on by a person's hand only: {why}");
                let next =
                    format!("lifeboat abort {run} --undo takes back what it moved, lifeboat resume {run} goes on");
                let left = Self::of_job(Occasion::JobFailed, job, *occurrence, at, host, &sentence);
                return Some(Self { next, ..left });
            }
            // A run that it starts tells its own beginning and end, and its job that it failed; a store that fails is asked
            // again, until the window ends.
            Told::Started { .. }
            | Told::Resumed { .. }
            | Told::Taken { .. }
            | Told::Open { .. }
            | Told::StoreFailed { .. } => return None,
        };
        Some(Self::of_job(occasion, job, *occurrence, at, host, &sentence))
    }

    fn of_job(
        occasion: Occasion,
        job: &str,
        occurrence: Occurrence,
        at: Timestamp,
        host: &str,
        sentence: &str,
    ) -> Self {
        let id = format!("{}/{}", occurrence.run_of(job), occasion.as_str());
        // It is missed once, and may fail again when it goes on.
        let id = if occasion == Occasion::JobFailed { format!("{id}/{}", at.as_millisecond()) } else { id };
        Self {
            id,
            occasion,
            severity: Severity::Error,
            at,
            about: job.to_owned(),
            runbook: String::new(),
            mode: None,
            step: None,
            source: host.to_owned(),
            sentence: short(sentence),
            next: format!("it was due at {}; look at the scheduler's log", moment(occurrence.at)),
            ended_well: false,
        }
    }

    /// What a step of a runbook wants to be told.
    pub fn of_message(run: &str, step: &StepId, at: Timestamp, host: &str, severity: Severity, message: &str) -> Self {
        Self {
            id: format!("{run}/{step}"),
            occasion: Occasion::Message,
            severity,
            at,
            about: run.to_owned(),
            runbook: String::new(),
            mode: None,
            step: Some(step.clone()),
            source: host.to_owned(),
            sentence: short(message),
            next: String::new(),
            ended_well: false,
        }
    }

    /// For a calm day. `ended`: that the test is over, for receivers that keep an alarm open.
    pub fn test(at: Timestamp, host: &str, ended: bool) -> Self {
        Self {
            id: format!("test-{}/{}", at.as_millisecond(), u8::from(ended)),
            occasion: Occasion::Test,
            severity: Severity::Info,
            at,
            about: format!("test-{}", at.as_millisecond()),
            runbook: String::new(),
            mode: None,
            step: None,
            source: host.to_owned(),
            sentence: "this is a test of lifeboat's notifications; nothing happened".to_owned(),
            next: String::new(),
            ended_well: ended,
        }
    }

    /// `apim-failover (drill), run R`, `job nightly`: what it is about.
    pub fn title(&self) -> String {
        match (self.mode, self.occasion) {
            (Some(mode), _) => format!("{} ({mode}), run {}", self.runbook, self.about),
            (None, Occasion::Test) => "test".to_owned(),
            (None, Occasion::Message) => format!("run {}", self.about),
            (None, _) => format!("job {}", self.about),
        }
    }
}

/// Without control characters, and cut at a letter.
fn short(text: &str) -> String {
    let line = one_line(text);
    if line.len() <= LONGEST {
        return line;
    }
    let end = (0..=LONGEST).rev().find(|end| line.is_char_boundary(*end)).unwrap_or_default();
    format!("{}…", &line[..end])
}

fn status(state: &State) -> String {
    format!("lifeboat status {}", state.run)
}

/// Of the run as a whole.
fn of_run(event: &Event, state: &State) -> Option<Said> {
    let said = |occasion, severity, sentence| Some(Said { occasion, severity, sentence, next: status(state) });
    match event {
        Event::DriverAttached { by, take_over: Some(take_over), .. } => said(
            Occasion::TakenOver,
            Severity::Warning,
            format!("{} took it over from {}: {}", by.shown(), take_over.from.shown(), take_over.reason),
        ),
        Event::DriverAttached { generation: 1, by, .. } => {
            said(Occasion::Started, Severity::Info, format!("{} started it", by.shown()))
        }
        Event::DriverAttached { by, .. } => {
            said(Occasion::Resumed, Severity::Info, format!("{} goes on with it", by.shown()))
        }
        Event::Paused { by, reason } => {
            let why = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            said(Occasion::Paused, Severity::Warning, format!("{} paused it{why}", by.shown()))
        }
        Event::PauseLifted { by } => {
            said(Occasion::Resumed, Severity::Info, format!("{} lifted the pause", by.shown()))
        }
        Event::RunStopped { outcome, reason } => {
            let (severity, what) = ending(*outcome);
            said(Occasion::Finished, severity, format!("{what}: {reason}"))
        }
        Event::Planned { .. }
        | Event::Confirmed { .. }
        | Event::StepStarted { .. }
        | Event::ChangeIntended { .. }
        | Event::OperationAccepted { .. }
        | Event::StepNoted { .. }
        | Event::StepSucceeded { .. }
        | Event::StepFailed { .. }
        | Event::StepSkipped { .. }
        | Event::StepInDoubt { .. }
        | Event::StepSettled { .. }
        | Event::StepAdopted { .. }
        | Event::ApprovalGiven { .. }
        | Event::ApprovalRefused { .. }
        | Event::ApprovalFiled { .. }
        | Event::ApprovalOverridden { .. }
        | Event::ApprovalSignedOff { .. }
        | Event::DriftAccepted { .. }
        | Event::UndoStarted { .. }
        | Event::UndoIntended { .. }
        | Event::UndoSucceeded { .. }
        | Event::UndoFailed { .. }
        | Event::StopRequested { .. } => None,
    }
}

/// Of one step.
fn of_step(event: &Event, state: &State) -> Option<Said> {
    let said = |occasion, severity, sentence, next: &str| {
        let next = if next.is_empty() { status(state) } else { next.to_owned() };
        Some(Said { occasion, severity, sentence, next })
    };
    match event {
        // One that has the approvals already asks nobody.
        Event::StepStarted { step, .. } if is_approval(step, state) => {
            let prompt = state.approvals_wanted().remove(step)?;
            let next = format!("lifeboat approve {} {step}", state.run);
            let sentence = format!("step {step} waits for approval: {prompt}");
            said(Occasion::WaitingForApproval, Severity::Warning, sentence, &next)
        }
        Event::StepFailed { step, error, retry_at: None } => {
            let sentence = format!("step {step} failed: {}", error.message);
            said(Occasion::StepFailed, Severity::Error, sentence, &error.hint)
        }
        Event::UndoFailed { step, error } => {
            let sentence = format!("step {step} could not be undone: {}", error.message);
            said(Occasion::StepFailed, Severity::Critical, sentence, &error.hint)
        }
        Event::StepInDoubt { step, error } => {
            let sentence = format!("nobody knows what became of step {step}: {}", error.message);
            said(Occasion::InDoubt, Severity::Error, sentence, &error.hint)
        }
        Event::ApprovalOverridden { step, by, reason } => {
            let sentence = format!("{} went on alone with step {step}: {reason}", by.shown());
            said(Occasion::ApprovedAlone, Severity::Warning, sentence, "")
        }
        Event::StepStarted { .. }
        | Event::StepFailed { retry_at: Some(_), .. }
        | Event::Planned { .. }
        | Event::DriverAttached { .. }
        | Event::Confirmed { .. }
        | Event::ChangeIntended { .. }
        | Event::OperationAccepted { .. }
        | Event::StepNoted { .. }
        | Event::StepSucceeded { .. }
        | Event::StepSkipped { .. }
        | Event::StepSettled { .. }
        | Event::StepAdopted { .. }
        | Event::ApprovalGiven { .. }
        | Event::ApprovalRefused { .. }
        | Event::ApprovalFiled { .. }
        | Event::ApprovalSignedOff { .. }
        | Event::DriftAccepted { .. }
        | Event::UndoStarted { .. }
        | Event::UndoIntended { .. }
        | Event::UndoSucceeded { .. }
        | Event::StopRequested { .. }
        | Event::Paused { .. }
        | Event::PauseLifted { .. }
        | Event::RunStopped { .. } => None,
    }
}

fn is_approval(step: &StepId, state: &State) -> bool {
    state.place(step).is_some_and(|place| state.planned(place).action == ActionKind::Approval)
}

fn ending(outcome: Outcome) -> (Severity, &'static str) {
    match outcome {
        Outcome::Succeeded => (Severity::Info, "it succeeded"),
        Outcome::Failed => (Severity::Error, "it failed"),
        Outcome::Refused => (Severity::Error, "it was refused"),
        Outcome::Undone => (Severity::Warning, "it was taken back"),
        Outcome::Stuck => (Severity::Critical, "it is stuck, and a person must look"),
        Outcome::Interrupted => (Severity::Warning, "it was interrupted"),
        Outcome::Aborted => (Severity::Warning, "it was aborted"),
    }
}

/// It succeeded, or was taken back because somebody asked for that.
fn ended_well(event: &Event, state: &State) -> bool {
    let Event::RunStopped { outcome, .. } = event else { return false };
    match outcome {
        Outcome::Succeeded => true,
        Outcome::Undone => state.way_back.is_some(),
        Outcome::Failed | Outcome::Refused | Outcome::Stuck | Outcome::Interrupted | Outcome::Aborted => false,
    }
}
