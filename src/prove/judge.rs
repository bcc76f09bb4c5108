//! Whether the end of a trial is the one of the undisturbed run, or one that is explained, and whether all of it is true.

use super::{
    blow::Blow,
    case::Case,
    effects::duplicates,
    retold::story,
    rows::Point,
    trial::{End, Trial},
    truth::lies,
};
use crate::{
    report::{Commands, Standing, Summary},
    run::{Event, Outcome, State, StepState},
    runbook::{ActionKind, Effect},
    sim::{Act, Shape},
};

/// What became of a point, judged.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict {
    /// How it ended, in a word or two; the same as the undisturbed run when `same`.
    pub end: String,
    /// The same end as if nothing had happened.
    pub same: bool,
    pub resumes: u32,
    /// What was done twice, or without an intent.
    pub duplicates: Vec<String>,
    /// States that nobody can explain.
    pub unexplained: Vec<String>,
    /// How it went; only of what does not hold.
    pub story: Vec<String>,
}

impl Verdict {
    pub fn holds(&self) -> bool {
        self.duplicates.is_empty() && self.unexplained.is_empty()
    }

    /// The process itself went down.
    pub fn panicked() -> Self {
        let unexplained = vec!["the process stopped with a bug".to_owned()];
        Self { end: "bug".to_owned(), unexplained, ..Self::default() }
    }
}

pub(super) fn judge(case: &Case, point: Point, trial: &Trial) -> Verdict {
    let mut verdict = Verdict { resumes: trial.resumes, ..Verdict::default() };
    let events = events(trial, &mut verdict);
    let shape = trial.world.shape();
    let meddles = point.row.blow.meddles();
    match &trial.end {
        End::Blocked(findings) => {
            "not started".clone_into(&mut verdict.end);
            let explained = |text: &str| !text.trim().is_empty();
            let dumb = findings.iter().any(|finding| !explained(&finding.message) || !explained(&finding.remedy));
            if dumb || findings.is_empty() {
                verdict.unexplained.push("the plan is blocked, and does not say why or what to do".to_owned());
            }
            if shape != case.before {
                verdict.unexplained.push("nothing was started, and the world is another".to_owned());
            }
        }
        End::Broken(error) => {
            "broken".clone_into(&mut verdict.end);
            verdict.unexplained.push(format!("the engine gave up: {error}"));
        }
        End::Endless => {
            "endless".clone_into(&mut verdict.end);
            verdict.unexplained.push("it had not ended after two weeks".to_owned());
        }
        End::Stopped(state) => {
            let standing = Standing::of(state, Some(false));
            standing.word().clone_into(&mut verdict.end);
            verdict.same = state.stopped.as_ref().is_some_and(|(outcome, _, _)| *outcome == Outcome::Succeeded)
                && shape == case.after;
            verdict.unexplained.extend(explained(case, trial, state, &shape, meddles));
            if !meddles {
                verdict.unexplained.extend(lies(case, state, &shape));
            }
        }
    }
    let repeats = matches!(point.row.blow, Blow::Strike(act, _) if matches!(act(), Act::Twice(_)));
    let effects = (&trial.world.effects(), Some(&case.effects));
    if trial.records.is_ok() {
        verdict.duplicates = duplicates(effects, &trial.world.requests(), &events, repeats);
    }
    if !verdict.holds() {
        verdict.story = story(trial.records.as_deref().unwrap_or_default());
    }
    verdict
}

/// The journal as it is on the disk: whole, its chain unbroken, its fold legal.
fn events<'a>(trial: &'a Trial, verdict: &mut Verdict) -> Vec<&'a Event> {
    if matches!(trial.end, End::Blocked(_)) {
        return Vec::new();
    }
    match &trial.records {
        Ok(records) => {
            if let Err(illegal) = State::fold(records.iter().map(|record| (record.at, &record.event))) {
                verdict.unexplained.push(format!("the journal cannot be folded: {illegal}"));
            }
            records.iter().map(|record| &record.event).collect()
        }
        Err(error) => {
            verdict.unexplained.push(format!("the journal does not verify: {error}"));
            Vec::new()
        }
    }
}

/// What is missing from an end for somebody who has to go on from it.
fn explained(case: &Case, trial: &Trial, state: &State, shape: &Shape, meddles: bool) -> Vec<String> {
    let Some((outcome, reason, _)) = &state.stopped else {
        return vec!["the last drive ended without a word".to_owned()];
    };
    let mut missing = Vec::new();
    let now = trial.clock.now();
    let summary = Summary::of(state, Standing::of(state, Some(false)), now, &Commands::default());
    if reason.trim().is_empty() {
        missing.push("the end has no reason".to_owned());
    }
    if summary.next.iter().all(|advice| advice.command.trim().is_empty()) {
        missing.push("nothing is said to type next".to_owned());
    }
    match outcome {
        Outcome::Succeeded if *shape == case.after || meddles => {}
        Outcome::Succeeded => {
            missing.push(format!("it succeeded, and the world is another: {}", differs(&case.after, shape)));
        }
        Outcome::Failed | Outcome::Refused | Outcome::Stuck => {
            let says = |text: &str| !text.trim().is_empty();
            let told = summary.attention.iter().any(|view| view.error.is_some() || view.unsettled.is_some());
            let dumb = summary.attention.iter().any(|view| {
                view.error.as_ref().is_some_and(|error| !says(&error.message) || !says(&error.hint))
                    || view.unsettled.as_ref().is_some_and(|doubt| !says(&doubt.reason) || !says(&doubt.remedy))
            });
            if !told || dumb {
                missing
                    .push(format!("it ended {}, and a step does not say why or what to do", summary.standing.word()));
            }
            let bug = summary.attention.iter().any(|view| view.error.as_ref().is_some_and(|error| error.code == "bug"));
            if bug {
                missing.push("an action stopped in the middle: a bug".to_owned());
            }
        }
        Outcome::Undone => {
            let reversible = |shape: &Shape| {
                (shape.records.clone(), shape.private_records.clone(), shape.endpoints.clone(), shape.origins.clone())
            };
            if reversible(shape) != reversible(&case.before) && !meddles {
                missing.push(format!("it was undone, and the world is another: {}", differs(&case.before, shape)));
            }
        }
        Outcome::Interrupted | Outcome::Aborted => {
            missing.push(format!("nobody stopped it, and it ended {}", summary.standing.word()));
        }
    }
    // What may have changed and is not told as done must be told as uncertain, or as failed.
    for (place, record) in state.steps.iter().enumerate() {
        let planned = state.planned(place);
        let silent = matches!(record.state, StepState::Running { .. } | StepState::Undoing { .. });
        if silent && planned.effect != Effect::ReadOnly && planned.action != ActionKind::Approval {
            missing.push(format!("step {} is neither done nor failed nor in doubt", planned.id));
        }
    }
    missing
}

/// What of two shapes is not alike.
fn differs(wanted: &Shape, found: &Shape) -> String {
    let parts = [
        ("records", wanted.records != found.records),
        ("private records", wanted.private_records != found.private_records),
        ("endpoints", wanted.endpoints != found.endpoints),
        ("origins", wanted.origins != found.origins),
        ("services", wanted.services != found.services),
        ("blobs", wanted.blobs != found.blobs),
    ];
    parts.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}
