//! Random small runs: any plan, any answers of the world, any interleaving, crashes anywhere. After every event the
//! promises are held against a naive look at the plan; once nothing goes wrong any more, the run comes to its end.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lifeboat::{
    plan::PlannedStep,
    run::{
        Disposition, Event, Outcome, State, StepState, Verdict,
        decide::{self, Task, decide},
        engine::Request,
        state::StepRecord,
    },
    runbook::{Effect, OnFailure, Retry, StepId},
};
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::play::{Play, approval, plan, step};
use crate::transitions::{error, intent, operation, person};

/// Processes that drive one run while things go wrong.
const MOST_DRIVES: u32 = 12;

/// Resumes that may follow once nothing goes wrong any more: one tells what ran out of time, one asks again.
const MOST_CALM_DRIVES: u32 = 3;

/// Turns that a run of twelve steps may take once nothing goes wrong any more.
const MOST_CALM_TURNS: usize = 400;

/// A step as it is drawn: bits of its needs, kind, what follows a failure, attempts, delay, condition.
type Drawn = (u16, u8, u8, u32, u8, u8);

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    prop::collection::vec((any::<u16>(), 0..8_u8, 0..3_u8, 1..=3_u32, 0..3_u8, 0..10_u8), 1..=12)
}

/// Which of the things that can happen, and to what.
fn script() -> impl Strategy<Value = Vec<(u8, u8)>> {
    prop::collection::vec((0..12_u8, any::<u8>()), 0..120)
}

fn build((place, (needs, kind, on_failure, attempts, delay, when)): (usize, Drawn)) -> PlannedStep {
    let id = format!("s{place}");
    let needs: Vec<String> =
        (0..place).filter(|need| needs >> need & 0b11 == 0b11).map(|need| format!("s{need}")).collect();
    let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
    let base = match kind {
        0 => approval(&id, &needs, 1),
        1 => approval(&id, &needs, 2),
        2..=4 => PlannedStep { effect: Effect::Reversible, ..step(&id, &needs) },
        5 => PlannedStep { effect: Effect::Irreversible, ..step(&id, &needs) },
        _ => step(&id, &needs),
    };
    let on_failure = [OnFailure::Stop, OnFailure::Continue, OnFailure::Undo][usize::from(on_failure)];
    let delay = std::time::Duration::from_secs([0, 5, 900][usize::from(delay)]);
    let when = (when == 0).then(|| "mode == 'drill'".to_owned());
    PlannedStep { on_failure, retry: Retry { attempts, delay }, when, ..base }
}

/// A run under watch.
struct Watched {
    play: Play,
    /// Events that were looked at.
    seen: usize,
    /// Rebuilt event by event from what was written; never touched by anything else.
    shadow: State,
    /// Steps with a change that was announced and whose end nobody has told yet.
    open: BTreeSet<StepId>,
    /// Steps with an attempt that has begun and whose end nobody has told yet.
    begun: BTreeSet<StepId>,
    /// Reversible steps that asked for a change, in the order in which what became of it was last known, and were not
    /// undone.
    changed: Vec<StepId>,
    /// Steps on which a need counts as met: once so, always so.
    met: BTreeSet<StepId>,
}

fn words(state: &State) -> Vec<&'static str> {
    state.steps.iter().map(|record| record.state.word()).collect()
}

impl Watched {
    fn new(steps: Vec<PlannedStep>) -> Self {
        let play = Play::new(plan(steps));
        let (at, first) = &play.events[0];
        let shadow = State::begin(*at, first).unwrap();
        let mut watched = Self {
            play,
            seen: 1,
            shadow,
            open: BTreeSet::new(),
            begun: BTreeSet::new(),
            changed: Vec::new(),
            met: BTreeSet::new(),
        };
        watched.attach();
        watched
    }

    fn attach(&mut self) {
        self.play.attach();
        self.look();
    }

    /// Holds every event since the last look against the promises.
    fn look(&mut self) {
        for number in self.seen..self.play.events.len() {
            let (at, event) = self.play.events[number].clone();
            self.look_at(at, &event);
        }
        self.seen = self.play.events.len();
        assert_eq!(words(&self.shadow), words(&self.play.state), "folding what was written gives another state");
        self.look_at_indexes();
        let state = &self.play.state;
        let again = |()| decide(state, self.play.now, &|place| self.play.live.contains_key(&place));
        let (one, other) = (again(()), again(()));
        assert_eq!((one.events, one.wake_at), (other.events, other.wake_at), "the same question, another answer");
        assert!(
            state.stopped.is_some()
                || state.hold.is_some()
                || !self.play.live.is_empty()
                || self.play.wake_at.is_some(),
            "it would sleep for ever: {:?}",
            words(state)
        );
    }

    fn look_at(&mut self, at: Timestamp, event: &Event) {
        let before = &self.shadow;
        assert!(!before.is_over(), "an end, and then {event:?}");
        match event {
            Event::StepStarted { step, .. } => {
                let planned = before.planned(before.place(step).unwrap());
                for need in &planned.needs {
                    let place = before.place(need).unwrap();
                    let tolerated = before.planned(place).on_failure == OnFailure::Continue;
                    let met = match &before.steps[place].state {
                        StepState::Succeeded { .. } | StepState::Skipped { .. } => true,
                        StepState::Failed { .. } => tolerated,
                        _ => false,
                    };
                    assert!(met, "{step} starts although {need} is {}", before.steps[place].state.word());
                }
                assert!(before.hold.is_none(), "{step} starts in a run that is held");
                assert!(before.stop.is_none(), "{step} starts after a stop");
                assert!(before.way_back.is_none(), "{step} starts after the run was given up");
                assert!(before.stopped.is_none(), "{step} starts after the drive ended");
                let failed = before.steps.iter().zip(&before.plan.steps).any(|(record, planned)| match &record.state {
                    StepState::Failed { .. } => planned.on_failure != OnFailure::Continue,
                    StepState::Undoing { .. } | StepState::Undone | StepState::UndoFailed { .. } => true,
                    _ => false,
                });
                assert!(!failed, "{step} starts beside a failure or on the way back");
                assert!(!self.open.contains(step), "{step} starts again and nobody knows what became of its change");
                assert!(self.begun.insert(step.clone()), "{step} starts beside its own earlier attempt");
            }
            Event::ChangeIntended { step, .. } => {
                self.open.insert(step.clone());
            }
            Event::StepSucceeded { step, .. } => self.over(step),
            Event::StepFailed { step, .. } => self.over(step),
            Event::StepSettled { step, verdict, .. } => match verdict {
                Verdict::Happened { .. } => self.over(step),
                Verdict::DidNotHappen { .. } | Verdict::Failed { .. } => self.over(step),
                Verdict::GoesOn { .. } | Verdict::Unknown { .. } => {}
            },
            Event::UndoStarted { step } => {
                assert_eq!(self.changed.pop().as_ref(), Some(step), "not the latest change is undone first");
                assert!(before.hold.is_none(), "{step} is undone in a run that is held");
                // Whoever gives up leaves what only reads, and what goes on in Azure; never what may or may not have happened.
                let left = |step: &StepId| {
                    let place = before.place(step).unwrap();
                    let goes_on = matches!(before.steps[place].state, StepState::Running { follow: true, .. })
                        && before.planned(place).effect != Effect::Reversible;
                    before.way_back.is_some() && (goes_on || !self.open.contains(step))
                };
                let running: Vec<_> = self.begun.iter().filter(|step| !left(step)).collect();
                assert!(running.is_empty(), "{step} is undone while {running:?} run");
            }
            Event::RunStopped { outcome, .. } => self.ends(*outcome),
            Event::StepSkipped { step, by: Some(_), .. } => {
                let planned = before.planned(before.place(step).unwrap());
                assert_eq!(planned.effect, Effect::ReadOnly, "{step} changes the world and is skipped");
                assert!(!self.open.contains(step), "{step} is skipped and nobody knows what became of its change");
                assert!(!before.goes_back(), "{step} is skipped on the way back");
                self.over(step);
            }
            Event::StepAdopted { step, .. } => {
                let planned = before.planned(before.place(step).unwrap());
                assert_ne!(planned.effect, Effect::ReadOnly, "{step} only reads and is adopted");
                assert!(planned.needs.iter().all(|need| self.met.contains(need)), "{step} is adopted before its turn");
                assert!(!before.goes_back(), "{step} is adopted on the way back");
                self.over(step);
            }
            Event::UndoSucceeded { word: Some(_), step, .. } => {
                assert_eq!(before.steps[before.place(step).unwrap()].state.word(), "undo failed", "{step}");
            }
            Event::StepInDoubt { .. } | Event::StepSkipped { by: None, .. } => {}
            _ => {}
        }
        self.shadow.apply(at, event).unwrap();
        if let Some(step) = event.step() {
            self.follow(step);
        }
    }

    /// Keeps what only grows, and the order of changes, by a look at the step alone.
    fn follow(&mut self, step: &StepId) {
        let place = self.shadow.place(step).unwrap();
        let (planned, record) = (self.shadow.planned(place), &self.shadow.steps[place]);
        let word = record.state.word();
        let tolerated = planned.on_failure == OnFailure::Continue;
        if matches!(word, "succeeded" | "skipped") || word == "failed" && tolerated {
            self.met.insert(step.clone());
        }
        let known = matches!(word, "succeeded" | "failed" | "waiting" | "pending");
        if known && planned.effect == Effect::Reversible && record.changes > 0 {
            self.changed.retain(|earlier| earlier != step);
            self.changed.push(step.clone());
        }
    }

    fn over(&mut self, step: &StepId) {
        self.open.remove(step);
        self.begun.remove(step);
    }

    fn ends(&self, outcome: Outcome) {
        let state = &self.shadow;
        let count = |word: &str| words(state).into_iter().filter(|found| *found == word).count();
        let gone_back = count("undoing") + count("undone") + count("undo failed");
        match outcome {
            Outcome::Succeeded => {
                assert_eq!(gone_back, 0, "succeeded, with {:?}", words(state));
                for (record, planned) in state.steps.iter().zip(&state.plan.steps) {
                    let fine = match &record.state {
                        StepState::Succeeded { .. } | StepState::Skipped { .. } => true,
                        StepState::Failed { .. } => planned.on_failure == OnFailure::Continue,
                        _ => false,
                    };
                    assert!(fine, "succeeded, and {} is {}", planned.id, record.state.word());
                }
            }
            Outcome::Undone => {
                assert!(count("undone") > 0 && count("undoing") + count("undo failed") == 0, "{:?}", words(state));
                assert_eq!(self.changed, Vec::<StepId>::new(), "undone, and changes are left");
                assert!(self.reversible_and_open().is_empty(), "undone, and nobody knows of a change");
            }
            Outcome::Failed | Outcome::Refused => {
                assert_eq!(gone_back, 0, "it failed on its way back");
                assert!(count("failed") > 0);
                assert_eq!(count("running"), 0);
            }
            Outcome::Stuck => assert!(count("in doubt") + count("undo failed") > 0),
            Outcome::Interrupted => assert!(state.stop.is_some()),
            Outcome::Aborted => {
                assert!(state.stop.is_some() || state.way_back.is_some());
                if !state.ends_here() {
                    assert_eq!(self.changed, Vec::<StepId>::new(), "nothing to undo, and changes are left");
                    assert!(self.reversible_and_open().is_empty(), "nothing to undo, and nobody knows of a change");
                }
            }
        }
        let stopped = matches!(outcome, Outcome::Interrupted | Outcome::Aborted) || state.way_back.is_some();
        assert!(
            stopped || self.begun.is_empty() || outcome == Outcome::Stuck,
            "{outcome:?} while {:?} run",
            self.begun
        );
    }

    /// Reversible steps with a change that was announced and whose end nobody has told.
    fn reversible_and_open(&self) -> Vec<&StepId> {
        let state = &self.shadow;
        let reversible = |step: &&StepId| state.planned(state.place(step).unwrap()).effect == Effect::Reversible;
        self.open.iter().filter(reversible).collect()
    }

    /// The sets that the state keeps say what a look at every step says.
    fn look_at_indexes(&self) {
        let state = &self.play.state;
        let all = |member: &dyn Fn(usize, &StepState) -> bool| -> BTreeSet<usize> {
            let members = state.steps.iter().enumerate().filter(|(place, record)| member(*place, &record.state));
            members.map(|(place, _)| place).collect()
        };
        let tolerated = |place: usize| state.plan.steps[place].on_failure == OnFailure::Continue;
        let needs_met = |place: usize| state.plan.steps[place].needs.iter().all(|need| self.met.contains(need));
        assert_eq!(state.ready, all(&|place, found| found.word() == "pending" && needs_met(place)));
        assert_eq!(
            state.active,
            all(&|_, found| matches!(found.word(), "running" | "waiting" | "in doubt" | "undoing"))
        );
        assert_eq!(
            state.failed,
            all(&|place, found| match found {
                StepState::Failed { .. } => !tolerated(place),
                other => other.word() == "undo failed",
            })
        );
        assert_eq!(state.finished, self.met.len());
    }

    /// What the world, people and time may do next.
    fn happen(&mut self, what: u8, which: u8) {
        match what {
            0..=1 => self.play.pass(i64::from(which)),
            2 => {
                if let Some(at) = self.play.wake_at {
                    self.play.now = self.play.now.max(at);
                }
            }
            3 => self.answer(Some(which)),
            4 => {
                self.play.pass(i64::from(which) * 10);
                return self.attach();
            }
            5 if which < 32 => {
                let stop =
                    Event::StopRequested { by: person("ann"), abort: which == 0, reason: "enough".into(), undo: false };
                self.play.take(stop);
            }
            5 if which < 48 => self.play.go_back(),
            5 => self.people(which),
            6 if self.play.state.stop.is_some() => self.play.live.clear(),
            _ => self.message(which),
        }
        self.play.settle();
        self.look();
    }

    /// Somebody asks for something, from wherever, also while nobody drives. It may be refused.
    fn people(&mut self, which: u8) {
        let steps = self.play.state.plan.steps.len();
        let any = usize::from(which) / 8 % steps;
        let unclear = |record: &StepRecord| matches!(record.state.word(), "in doubt" | "undo failed");
        let place = self.play.state.steps.iter().position(unclear).filter(|_| which % 8 > 3).unwrap_or(any);
        let step = self.play.state.planned(place).id.clone();
        let (by, reason) = (person("ann"), "known".to_owned());
        let request = match which % 8 {
            0 | 1 => Request::Skip { step, by, reason },
            2 | 3 => Request::Adopt { step, by, reason },
            4 => Request::Settle { step, by, reason, happened: true, outputs: Map::new() },
            5 => Request::Settle { step, by, reason, happened: false, outputs: Map::new() },
            6 => Request::Pause { by, reason: Some(reason) },
            _ => Request::Resume { by },
        };
        let goes_on = Verdict::GoesOn { operation: None };
        let seen = match usize::from(which) / 8 % 5 {
            0 => Verdict::DidNotHappen { reason: "idle".into() },
            1 | 2 => Verdict::Unknown { reason: "no answer".into(), remedy: "look".into() },
            3 => Verdict::Happened { outputs: Map::new() },
            _ => goes_on,
        };
        let _it_may_be_refused = self.play.ask(request, Some(seen));
        self.look();
    }

    /// A task says something.
    fn message(&mut self, which: u8) {
        let live: Vec<(usize, Task)> = self.play.live.iter().map(|(place, task)| (*place, *task)).collect();
        if live.is_empty() {
            return;
        }
        let (place, task) = live[usize::from(which) % live.len()];
        let word = usize::from(which) / live.len();
        let step = self.play.state.planned(place).id.clone();
        let (event, ends) = match task {
            Task::Perform | Task::Follow => self.performer_says(place, task, word, step),
            Task::Settle => (Event::StepSettled { step, verdict: verdict(word), word: None }, true),
            Task::Undo => match word % 4 {
                0 => (Event::UndoIntended { step, intent: intent() }, false),
                1 => (Event::UndoFailed { step, error: error(Disposition::Final, "broken") }, true),
                _ => (Event::UndoSucceeded { step, evidence: Value::Null, word: None }, true),
            },
        };
        if ends {
            self.play.live.remove(&place);
        }
        self.play.take(event);
    }

    fn performer_says(&self, place: usize, task: Task, word: usize, step: StepId) -> (Event, bool) {
        let StepState::Running { attempt, .. } = &self.play.state.steps[place].state else {
            panic!("{task:?} of {step}, which is {}", self.play.state.steps[place].state.word());
        };
        let fails =
            |disposition| (decide::failed(&self.play.state, self.play.now, place, error(disposition, "broken")), true);
        let changes = self.play.state.planned(place).effect != Effect::ReadOnly;
        match word % 8 {
            0..=1 if changes && attempt.intent.is_none() && task == Task::Perform => {
                (Event::ChangeIntended { step, intent: intent() }, false)
            }
            2 if attempt.intent.is_some() => (Event::OperationAccepted { step, operation: operation() }, false),
            3 if attempt.intent.is_some() => fails(Disposition::InDoubt),
            4 => fails(Disposition::Retryable),
            5 => fails([Disposition::Final, Disposition::Refused][word / 8 % 2]),
            _ => (Event::StepSucceeded { step, outputs: Map::new(), evidence: Value::Null }, true),
        }
    }

    /// Somebody answers the first question there is; without a choice, another person each time, and always yes.
    fn answer(&mut self, which: Option<u8>) {
        let Some(step) = self.play.state.approvals_wanted().into_keys().next() else {
            return;
        };
        let given = self.play.state.steps[self.play.state.place(&step).unwrap()].approvals.len();
        let event = match which {
            Some(which) if which % 4 == 3 => Event::ApprovalRefused { step, by: person("cleo"), comment: None },
            Some(which) => {
                let by = person(["ann", "ben", "cleo"][usize::from(which) % 3]);
                Event::ApprovalGiven { step, by, comment: None }
            }
            None => Event::ApprovalGiven { step, by: person(&format!("person {given}")), comment: None },
        };
        self.play.take(event);
    }

    /// Nothing goes wrong any more: every task succeeds, everybody approves, and somebody resumes. Ends for good.
    fn calm(&mut self) -> Outcome {
        let first = self.play.state.generation;
        for _ in 0..MOST_CALM_TURNS {
            if let Some(outcome) = self.play.outcome() {
                if outcome.is_terminal() {
                    return outcome;
                }
                assert!(self.play.state.generation < first + MOST_CALM_DRIVES, "every resume ends as {outcome:?}");
                self.attach();
                continue;
            }
            if let Some((place, task)) = self.play.live.iter().next().map(|(place, task)| (*place, *task)) {
                let step = self.play.state.planned(place).id.clone();
                self.play.live.remove(&place);
                self.play.take(match task {
                    Task::Perform | Task::Follow => {
                        Event::StepSucceeded { step, outputs: Map::new(), evidence: Value::Null }
                    }
                    Task::Settle => {
                        Event::StepSettled { step, verdict: Verdict::Happened { outputs: Map::new() }, word: None }
                    }
                    Task::Undo => Event::UndoSucceeded { step, evidence: Value::Null, word: None },
                });
            } else if self.play.state.hold.is_some() {
                self.play.take(Event::PauseLifted { by: person("ann") });
            } else if !self.play.state.approvals_wanted().is_empty() {
                self.answer(None);
            } else if let Some(at) = self.play.wake_at {
                self.play.now = self.play.now.max(at);
            }
            self.play.settle();
            self.look();
        }
        panic!("no end after {MOST_CALM_TURNS} turns: {:?}", words(&self.play.state));
    }
}

fn verdict(word: usize) -> Verdict {
    match word % 6 {
        0 => Verdict::DidNotHappen { reason: "idle".into() },
        1 => Verdict::GoesOn { operation: Some(operation()) },
        2 => Verdict::GoesOn { operation: None },
        3 => Verdict::Failed { error: error(Disposition::Final, "broken") },
        4 => Verdict::Unknown { reason: "no answer".into(), remedy: "look".into() },
        _ => Verdict::Happened { outputs: Map::new() },
    }
}

/// Plays a whole run; what was written, and how it ended.
fn run(steps: Vec<Drawn>, script: &[(u8, u8)]) -> (Play, Outcome) {
    let mut watched = Watched::new(steps.into_iter().enumerate().map(build).collect());
    for (what, which) in script {
        if watched.play.state.is_over() {
            break;
        }
        if watched.play.state.stopped.is_some() {
            if watched.play.state.generation >= MOST_DRIVES {
                break;
            }
            if *what >= 9 {
                watched.people(*which);
                continue;
            }
            watched.attach();
            continue;
        }
        watched.happen(*what, *which);
    }
    let outcome = watched.calm();
    (watched.play, outcome)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_promise_holds_whatever_happens(steps in drawn(), script in script()) {
        let (play, outcome) = run(steps, &script);
        prop_assert!(matches!(outcome, Outcome::Succeeded | Outcome::Undone | Outcome::Aborted));
        let written = serde_json::to_vec(&play.events).unwrap();
        let read: Vec<(Timestamp, Event)> = serde_json::from_slice(&written).unwrap();
        let folded = State::fold(read.iter().map(|(at, event)| (*at, event))).unwrap();
        prop_assert_eq!(words(&folded), words(&play.state));
        let decided = read.iter().filter(|(_, event)| is_a_persons(event)).count();
        prop_assert_eq!(lifeboat::report::overrides(&folded).len(), decided, "a decision of a person is not shown");
    }
}

/// What every report has to show, for ever: a step that was skipped, adopted, or settled by somebody's word.
fn is_a_persons(event: &Event) -> bool {
    matches!(
        event,
        Event::StepSkipped { by: Some(_), .. }
            | Event::StepAdopted { .. }
            | Event::StepSettled { word: Some(_), .. }
            | Event::UndoSucceeded { word: Some(_), .. }
    )
}

/// The generator reaches what the property is about; else the property would hold of nothing.
#[test]
fn the_random_runs_reach_every_outcome_and_every_event() {
    use proptest::{
        strategy::ValueTree,
        test_runner::{RngAlgorithm, TestRng, TestRunner},
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let drawn = (drawn(), script());
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..400 {
        let (steps, script) = drawn.new_tree(&mut runner).unwrap().current();
        for (_, event) in run(steps, &script).0.events {
            let name = match &event {
                Event::RunStopped { outcome, .. } => format!("ends {outcome:?}"),
                Event::StopRequested { undo: true, .. } => "given up".to_owned(),
                Event::StepSkipped { by: Some(_), .. } => "skipped by a person".to_owned(),
                Event::StepSettled { word: Some(_), .. } => "settled by a person".to_owned(),
                Event::UndoSucceeded { word: Some(_), .. } => "taken back, says a person".to_owned(),
                other => other.name().to_owned(),
            };
            *found.entry(name).or_default() += 1;
        }
    }
    for outcome in ["Succeeded", "Failed", "Refused", "Undone", "Stuck", "Interrupted", "Aborted"] {
        assert!(found.contains_key(&format!("ends {outcome}")), "no run ends as {outcome}: {found:#?}");
    }
    for name in [
        "step-skipped",
        "skipped by a person",
        "given up",
        "step-in-doubt",
        "step-settled",
        "operation-accepted",
        "undo-started",
        "undo-intended",
        "undo-failed",
        "step-adopted",
        "settled by a person",
        "taken back, says a person",
        "paused",
        "pause-lifted",
        "approval-given",
        "approval-refused",
    ] {
        assert!(found.contains_key(name), "no run has {name}: {found:#?}");
    }
}
