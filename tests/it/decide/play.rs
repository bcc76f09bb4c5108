//! A run without an engine: the pure decision and the fold, played by hand. What the engine would start is `live`.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use lifeboat::{
    plan::{Certainty, Plan, PlannedStep, facts::Probe},
    run::{
        Disposition, Event, Outcome, RunId, State, StepState, Verdict,
        decide::{self, Task, decide},
        engine::{Request, Response, respond},
        inquiry::Seen,
    },
    runbook::{ActionKind, Effect, Mode, Objectives, OnFailure, Retry, StepId},
    site::{Cloud, Credential, Endpoints, Site, SiteDns},
};
use serde_json::{Map, Value, json};

use crate::transitions::{at, error, intent, operation, person, taken_up};

/// A step that does nothing, times out after ten minutes and is tried once.
pub fn step(id: &str, needs: &[&str]) -> PlannedStep {
    PlannedStep {
        id: StepId::new(id),
        description: None,
        action: ActionKind::Wait,
        effect: Effect::ReadOnly,
        needs: needs.iter().map(|need| StepId::new(need)).collect(),
        when: None,
        timeout: Duration::from_secs(600),
        retry: Retry { attempts: 1, delay: Duration::ZERO },
        on_failure: OnFailure::Stop,
        arguments: Map::from_iter([("duration".to_owned(), json!("0s"))]),
        certainty: Certainty::Verified,
        probe: Probe::default(),
        expected: Duration::ZERO,
        expected_source: String::new(),
        prediction: None,
    }
}

pub fn approval(id: &str, needs: &[&str], approvers: u64) -> PlannedStep {
    let arguments = [("prompt".to_owned(), json!("go on?")), ("approvers".to_owned(), json!(approvers))];
    PlannedStep { action: ActionKind::Approval, arguments: Map::from_iter(arguments), ..step(id, needs) }
}

pub fn plan(steps: Vec<PlannedStep>) -> Arc<Plan> {
    let site = Site {
        cloud: Cloud::Public,
        endpoints: Endpoints {
            resource_manager: String::new(),
            scope: String::new(),
            authority: String::new(),
            blob: String::new(),
            key_vault: String::new(),
        },
        credential: Credential::Simulated,
        ca_certificates: Vec::new(),
        dns: SiteDns::default(),
        state: None,
        state_credential: None,
        approval: None,
        notify: Vec::new(),
        rehearsal: None,
        parameters: BTreeMap::new(),
        simulated: None,
    };
    Arc::new(Plan {
        format: lifeboat::plan::FORMAT,
        digest: String::new(),
        name: "by-hand".into(),
        description: None,
        runbook_sha256: String::new(),
        mode: Mode::Unplanned,
        forced: None,
        made_at: at(0),
        objectives: Objectives::default(),
        parameters: BTreeMap::new(),
        site,
        steps,
        left_out: Vec::new(),
        critical_path: Vec::new(),
        expected: Duration::ZERO,
        prediction: None,
        operator_must_not_be: Vec::new(),
        point_of_no_return: None,
        findings: Vec::new(),
        saved: None,
    })
}

/// A run, and the tasks that an engine would have going for it.
pub struct Play {
    pub state: State,
    pub events: Vec<(Timestamp, Event)>,
    pub now: Timestamp,
    pub live: BTreeMap<usize, Task>,
    pub wake_at: Option<Timestamp>,
    told: usize,
}

impl Play {
    /// A run at second 0 that nobody drives yet.
    pub fn new(plan: Arc<Plan>) -> Self {
        let planned = Event::Planned { run: RunId("by-hand".into()), plan, by: person("ann") };
        let state = State::begin(at(0), &planned).unwrap();
        let events = vec![(at(0), planned)];
        Self { state, events, now: at(0), live: BTreeMap::new(), wake_at: None, told: 1 }
    }

    /// A run that a first process drives.
    pub fn start(steps: Vec<PlannedStep>) -> Self {
        let mut play = Self::new(plan(steps));
        play.attach();
        play
    }

    pub fn place(&self, step: &str) -> usize {
        self.state.place(&StepId::new(step)).unwrap_or_else(|| panic!("no step {step}"))
    }

    pub fn word(&self, step: &str) -> &'static str {
        self.state.steps[self.place(step)].state.word()
    }

    pub fn outcome(&self) -> Option<Outcome> {
        self.state.stopped.as_ref().map(|(outcome, _, _)| *outcome)
    }

    /// Applies one event, as the engine does.
    pub fn take(&mut self, event: Event) {
        self.state.apply(self.now, &event).unwrap_or_else(|illegal| panic!("{illegal}\n{event:?}"));
        self.events.push((self.now, event));
    }

    /// One look of the pure decision; its events are applied. False: nothing follows.
    pub fn decide_once(&mut self) -> bool {
        let decision = decide(&self.state, self.now, &|place| self.live.contains_key(&place));
        self.wake_at = decision.wake_at;
        let more = !decision.events.is_empty();
        for event in decision.events {
            self.take(event);
        }
        more
    }

    /// Decides until nothing follows, then has going exactly the tasks that the state calls for.
    pub fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 1000, "the decision goes round in circles: {:#?}", self.told());
            if !self.decide_once() {
                let stop = self.state.stop.is_some() || self.state.way_back.is_some();
                let before = self.live.clone();
                self.reconcile();
                // As the engine: what it dropped makes the end of a stopped drive possible.
                let dropped = before.keys().any(|place| self.live.get(place) != before.get(place));
                if stop && dropped && self.state.stopped.is_none() {
                    continue;
                }
                return;
            }
        }
    }

    fn reconcile(&mut self) {
        let state = &self.state;
        self.live.retain(|place, task| {
            let left = decide::may_be_left(state, *place, *task) && !is_in_flight(&state.steps[*place].state);
            decide::task(state, *place) == Some(*task) && !left
        });
        for place in &state.active {
            if let Some(task) = decide::task(state, *place)
                && decide::may_start(state, *place, task, self.now)
            {
                self.live.entry(*place).or_insert(task);
            }
        }
    }

    /// A process takes the run over; whatever went on before is gone.
    pub fn attach(&mut self) {
        self.live.clear();
        let generation = self.state.generation + 1;
        self.take(taken_up(generation, person("ann"), 1));
        self.settle();
    }

    /// Lets time pass without anybody looking.
    pub fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    /// Lets time pass, then looks.
    pub fn wait(&mut self, seconds: i64) {
        self.pass(seconds);
        self.settle();
    }

    fn on(&mut self, step: &str, event: impl FnOnce(StepId) -> Event) {
        self.take(event(StepId::new(step)));
        self.settle();
    }

    pub fn succeed(&mut self, step: &str) {
        self.live.remove(&self.place(step));
        self.on(step, |step| Event::StepSucceeded { step, outputs: Map::new(), evidence: Value::Null });
    }

    pub fn fail(&mut self, step: &str, disposition: Disposition) {
        let place = self.place(step);
        self.live.remove(&place);
        let event = decide::failed(&self.state, self.now, place, error(disposition, "broken"));
        self.on(step, |_| event);
    }

    pub fn intend(&mut self, step: &str) {
        self.on(step, |step| Event::ChangeIntended { step, intent: intent() });
    }

    pub fn accept(&mut self, step: &str) {
        self.on(step, |step| Event::OperationAccepted { step, operation: operation() });
    }

    pub fn find(&mut self, step: &str, verdict: Verdict) {
        self.live.remove(&self.place(step));
        self.on(step, |step| Event::StepSettled { step, verdict, word: None });
    }

    /// A reversible step runs and changes something.
    pub fn change(&mut self, step: &str) {
        self.intend(step);
        self.succeed(step);
    }

    pub fn undone(&mut self, step: &str) {
        self.live.remove(&self.place(step));
        self.on(step, |step| Event::UndoSucceeded { step, evidence: Value::Null, word: None });
    }

    pub fn undo_fails(&mut self, step: &str) {
        self.live.remove(&self.place(step));
        self.on(step, |step| Event::UndoFailed { step, error: error(Disposition::Final, "broken") });
    }

    pub fn approve(&mut self, step: &str, name: &str) {
        let by = person(name);
        self.on(step, |step| Event::ApprovalGiven { step, by, comment: None });
    }

    pub fn refuse(&mut self, step: &str, name: &str) {
        let by = person(name);
        self.on(step, |step| Event::ApprovalRefused { step, by, comment: None });
    }

    pub fn stop(&mut self, abort: bool) {
        self.take(Event::StopRequested { by: person("ann"), abort, reason: "enough".into(), undo: false });
        self.settle();
    }

    /// Another process takes the run over in order to take it back.
    pub fn go_back_by_another_process(&mut self) {
        self.live.clear();
        let generation = self.state.generation + 1;
        self.take(taken_up(generation, person("ann"), 1));
        self.go_back();
    }

    /// Gives the run up and wants back what can be taken back.
    pub fn go_back(&mut self) {
        self.take(Event::StopRequested { by: person("ann"), abort: true, reason: "enough".into(), undo: true });
        self.settle();
    }

    /// Asks to go on without a step, as the command line does.
    pub fn skip(&mut self, step: &str) -> Result<(), String> {
        let request = Request::Skip { step: StepId::new(step), by: person("ann"), reason: "known".into() };
        self.ask(request, None)
    }

    /// Asks as the command line does; `seen` is what a look at the world says, where one is needed.
    pub fn ask(&mut self, request: Request, seen: Option<Verdict>) -> Result<(), String> {
        let event = match respond(&self.state, self.now, request)? {
            Response::Take(event) => event,
            Response::Look(inquiry) => {
                let verdict = seen.expect("this request looks at the world");
                inquiry.conclude(&self.state, Seen { verdict, outputs: Map::new(), evidence: Value::Null })?
            }
        };
        self.take(event);
        if self.state.stopped.is_none() {
            self.settle();
        }
        Ok(())
    }

    /// The tasks going on: `perform a, settle b`.
    pub fn tasks(&self) -> String {
        let line = |(place, task): (&usize, &Task)| {
            format!("{} {}", format!("{task:?}").to_lowercase(), self.state.planned(*place).id)
        };
        self.live.iter().map(line).collect::<Vec<_>>().join(", ")
    }

    /// What was decided or done since the last call, a line each.
    pub fn told(&mut self) -> Vec<String> {
        let lines = self.events[self.told..].iter().map(|(_, event)| line(event)).collect();
        self.told = self.events.len();
        lines
    }
}

/// A change was announced and its answer has not come: a stopped drive waits for it a moment.
fn is_in_flight(state: &StepState) -> bool {
    match state {
        StepState::Running { attempt, follow } => !follow && attempt.intent.is_some() && attempt.operation.is_none(),
        StepState::Undoing { intent, .. } => intent.is_some(),
        _ => false,
    }
}

fn second(time: Timestamp) -> i64 {
    time.duration_since(at(0)).as_secs()
}

/// An event as these tests read it.
fn line(event: &Event) -> String {
    match event {
        Event::Planned { .. } => "planned".into(),
        Event::DriverAttached { generation, .. } => format!("attached {generation}"),
        Event::Confirmed { .. } => "confirmed".into(),
        Event::StepStarted { step, attempt, deadline, .. } => {
            format!("start {step} #{attempt} until {}", second(*deadline))
        }
        Event::ChangeIntended { step, .. } => format!("intend {step}"),
        Event::OperationAccepted { step, .. } => format!("accepted {step}"),
        Event::StepNoted { step, .. } => format!("note {step}"),
        Event::StepSucceeded { step, .. } => format!("done {step}"),
        Event::StepFailed { step, error, retry_at: Some(until) } => {
            format!("fail {step} {}, again at {}", error.code, second(*until))
        }
        Event::StepFailed { step, error, retry_at: None } => format!("fail {step} {}", error.code),
        Event::StepSkipped { step, by: None, .. } => format!("skip {step}"),
        Event::StepSkipped { step, by: Some(by), .. } => format!("{} skips {step}", by.name),
        Event::StepInDoubt { step, error } => format!("doubt {step} {}", error.code),
        Event::StepSettled { step, verdict, word } => {
            let verdict = match verdict {
                Verdict::Happened { .. } => "happened",
                Verdict::DidNotHappen { .. } => "did not happen",
                Verdict::GoesOn { .. } => "goes on",
                Verdict::Failed { .. } => "failed",
                Verdict::Unknown { .. } => "unknown",
            };
            let says = word.as_ref().map(|word| format!(", says {}", word.by.name)).unwrap_or_default();
            format!("settle {step} {verdict}{says}")
        }
        Event::ApprovalGiven { step, by, .. } => format!("{} approves {step}", by.name),
        Event::ApprovalRefused { step, by, .. } => format!("{} refuses {step}", by.name),
        Event::ApprovalFiled { approval } => format!("{} files an approval", approval.by.name),
        Event::ApprovalOverridden { step, by, .. } => format!("{} goes past {step} alone", by.name),
        Event::ApprovalSignedOff { step, approval } => format!("{} signs {step} off", approval.by.name),
        Event::DriftAccepted { drift, by, .. } => format!("{} accepts {}", by.name, drift.what),
        Event::UndoStarted { step } => format!("undo {step}"),
        Event::UndoIntended { step, .. } => format!("intend undo {step}"),
        Event::UndoSucceeded { step, word: None, .. } => format!("undone {step}"),
        Event::UndoSucceeded { step, word: Some(word), .. } => format!("undone {step}, says {}", word.by.name),
        Event::StepAdopted { step, by, .. } => format!("{} adopts {step}", by.name),
        Event::Paused { by, .. } => format!("{} pauses", by.name),
        Event::PauseLifted { by } => format!("{} lifts the pause", by.name),
        Event::UndoFailed { step, .. } => format!("undo fails {step}"),
        Event::StopRequested { undo: true, .. } => "undo requested".into(),
        Event::StopRequested { abort, .. } => format!("stop requested, abort {abort}"),
        Event::RunStopped { outcome, .. } => format!("ends {outcome:?}").to_lowercase(),
    }
}
