//! Drives a run in this process: signals, other terminals, the terminal's own answers, and the views.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::BufRead,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::{Exit, Failure, Session, history::MEASURED, identity::identify, notify, others::others, world::Scene};
use crate::{
    action::Context,
    prove::operator::simulated_operator,
    report::{
        Standing, Summary, json, lines,
        live::{Canvas, Live},
        measured::measured,
        objectives,
        outlet::Outlet,
        runs::Row,
        story::Voice,
    },
    run::{
        Event, Journal, Outcome, Person, State, TakeOver,
        engine::{self, Directive, Driver, Observer, Request},
    },
    runbook::StepId,
    store::{Beating, Claim, Store},
};

/// Everything that a drive owns.
#[derive(Debug)]
pub struct Drive {
    pub store: Store,
    pub state: State,
    pub journal: Journal,
    pub scene: Scene,
    /// Events to write before the first step.
    pub first: Vec<Event>,
    /// Why it was taken from a process that may still live.
    pub take_over: Option<TakeOver>,
    /// What the run's targets were taken as.
    pub fences: BTreeMap<String, u64>,
    /// A simulated operator gives the approvals.
    pub operator: bool,
    /// Journal number of the next event.
    pub next: u64,
}

/// Drives to the end, leaves, and prints the summary. `beating`: until the drive is attended.
pub async fn drive(session: &Session, claim: Arc<Claim>, beating: Beating, drive: Drive) -> Result<Exit, Failure> {
    let Drive { store, state, journal, scene, first, take_over, fences, operator, next } = drive;
    let run = state.run.clone();
    let host = session.machine.user.host.clone();
    let context = Arc::new(Context { host, ..context(&scene, &state, store.clone()) });
    let (sender, directives) = mpsc::channel(64);
    let asked = Asked::default();
    let asks_here =
        session.machine.stdin_terminal && !session.json() && !operator && may_answer(session, &state, &scene);
    let views = Views::start(session, &state, &scene, asks_here, next);
    let notifier = notify::start(session, &scene);
    let mut observers: Vec<Observer> = vec![views.observer, asked.observer(), notifier.observer(next)];
    if operator {
        observers.push(simulated_operator(scene.clock.clone(), sender.clone()));
    }
    let signals = tokio::spawn(signals(session.machine.user.clone(), sender.clone()));
    let mut attendance = claim.attend(sender.clone());
    beating.end().await;
    // The token that tells who sits here may take long, and nothing waits for it.
    let (site, simulated) = (Arc::clone(&state.plan), scene.simulation.is_some());
    let answers = async {
        if asks_here {
            let by = Person { simulated, ..identify(session, &site.site).await };
            ask_at_terminal(asked, by, sender.clone());
        }
    };
    let driver = Driver {
        claim: Some(claim.number),
        quiet_from: claim.quiet_from,
        take_over,
        fences: Arc::new(fences),
        first,
        ..Driver::new(session.machine.user.clone(), std::process::id(), env!("CARGO_PKG_VERSION"))
    };
    note(&store, &state, Standing::of(&state, Some(true)), scene.clock.now()).await;
    let driven = {
        let driving = attendance.drive(engine::drive(state, journal, context, driver, directives, observers));
        let mut driving = std::pin::pin!(driving);
        tokio::select! {
            driven = &mut driving => driven,
            () = answers => driving.await,
        }
    };
    if let Ok(Ok((state, _))) = &driven {
        note(&store, state, Standing::of(state, Some(false)), scene.clock.now()).await;
    }
    attendance.end().await;
    drop(views.kept);
    if let Ok(claim) = Arc::try_unwrap(claim) {
        claim.leave().await;
    }
    let driven = driven.map_err(|error| Failure::unheard(&error, &run.0));
    let driven = driven.and_then(|driven| driven.map_err(|error| Failure::of_engine(&error, &run.0)));
    if let Ok((state, _)) = &driven {
        print_summary(session, state, scene.clock.now(), scene.simulation.is_none());
    }
    notify::finish(session, notifier).await;
    // Last: until here a signal means that somebody does not want to wait for what is still written.
    signals.abort();
    let (state, _journal) = driven?;
    Ok(exit(&state, scene.clock.now()))
}

/// Whoever drives may answer approvals at this terminal, unless they started the run. In a simulation one person plays
/// everybody. Nobody where an approval must be signed.
fn may_answer(session: &Session, state: &State, scene: &Scene) -> bool {
    let unsigned = state.plan.site.trusted().is_empty();
    scene.simulation.is_some() || unsigned && !session.machine.user.is_same(&state.by)
}

/// The world as the actions of a run see it.
pub fn context(scene: &Scene, state: &State, store: Store) -> Context {
    let beside = scene.context.clone().beside(others(store, Some(state.run.clone())));
    beside.for_run(&*state.run.0, state.plan.longest_restore())
}

/// For `lifeboat runs`; a view, without which the run goes on.
async fn note(store: &Store, state: &State, standing: Standing, now: Timestamp) {
    let mut row = serde_json::to_value(Row::of(state, standing, now)).expect("text keys");
    row[MEASURED] = serde_json::to_value(measured(state)).expect("text keys");
    if let Err(error) = store.put_row(&state.run, state.is_over(), row).await {
        tracing::warn!(%error, "the index of runs cannot be written");
    }
}

/// What shows the run while it is driven.
struct Views {
    observer: Observer,
    /// Writes to the end when it is dropped.
    kept: Kept,
}

/// Dropped when the drive has ended.
#[derive(Debug)]
enum Kept {
    Live { _live: Live },
    Outlet { _outlet: Outlet },
    Nothing,
}

impl Views {
    /// JSON Lines on stdout, a live view on a terminal, else plain lines on stderr. Without a thread to draw it
    /// there is no view, and the run goes on.
    fn start(session: &Session, state: &State, scene: &Scene, asks_here: bool, next: u64) -> Self {
        let (style, voice) =
            (session.machine.style(), Voice { commands: session.commands(scene.simulation.is_none()), asks_here });
        let started = if session.json() {
            Outlet::start(Box::new(std::io::stdout())).map(|outlet| {
                let inlet = outlet.inlet();
                if next == 1 {
                    let planned =
                        Event::Planned { run: state.run.clone(), plan: state.plan.clone(), by: state.by.clone() };
                    inlet.send(json::line(0, state.created_at, &state.run, &planned));
                }
                Self { observer: json::observer(inlet, next), kept: Kept::Outlet { _outlet: outlet } }
            })
        } else if session.machine.can_redraw() {
            Live::start(state, scene.clock.clone(), style, voice, Canvas::stderr())
                .map(|live| Self { observer: live.observer(), kept: Kept::Live { _live: live } })
        } else {
            Outlet::start(Box::new(std::io::stderr())).map(|outlet| {
                let observer = lines::observer(outlet.inlet(), style, voice);
                Self { observer, kept: Kept::Outlet { _outlet: outlet } }
            })
        };
        started.unwrap_or_else(|error| {
            eprintln!("the run cannot be shown ({error}); it goes on all the same");
            Self { observer: Box::new(|_, _, _| {}), kept: Kept::Nothing }
        })
    }
}

/// Outcome and objectives as an exit code.
fn exit(state: &State, now: Timestamp) -> Exit {
    let outcome = state.stopped.as_ref().map_or(Outcome::Interrupted, |(outcome, _, _)| *outcome);
    if outcome == Outcome::Succeeded && objectives(state, now).missed() {
        return Exit::ObjectiveMissed;
    }
    if outcome == Outcome::Undone && state.way_back.is_some() {
        // Just what somebody asked for.
        return Exit::Done;
    }
    Exit::of(outcome)
}

/// The story goes to stderr; with `--output json` the events are the data already.
pub fn print_summary(session: &Session, state: &State, now: Timestamp, site_lives: bool) {
    let standing = Standing::of(state, Some(false));
    eprint!("{}", Summary::of(state, standing, now, &session.commands(site_lives)).text(&session.machine.style()));
}

/// SIGINT or SIGTERM once: stop and detach. Twice, or when the drive has ended: leave at once; the journal is whole.
async fn signals(by: Person, directives: mpsc::Sender<Directive>) {
    for turn in 0.. {
        let Some(name) = next_signal().await else { return };
        if turn > 0 || directives.is_closed() {
            eprintln!("\nleft at once; the journal is whole, `lifeboat resume` goes on");
            std::process::exit(Exit::Interrupted as i32);
        }
        let request = Request::Stop { by: by.clone(), abort: false, reason: format!("stopped by {name}"), undo: false };
        let (answer, _) = oneshot::channel();
        let _the_run_is_over = directives.send(Directive { request, answer }).await;
    }
}

/// Name of a signal that asks this process to stop. None: none can be heard.
pub(super) type Signal = Option<&'static str>;

/// The next one since this call, whenever it is awaited.
#[cfg(unix)]
pub(super) fn next_signal() -> impl Future<Output = Signal> {
    use tokio::signal::unix::{SignalKind, signal};
    let heard = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    async move {
        let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = heard else { return None };
        tokio::select! {
            _ = interrupt.recv() => Some("SIGINT"),
            _ = terminate.recv() => Some("SIGTERM"),
            _ = hangup.recv() => Some("SIGHUP"),
        }
    }
}

#[cfg(not(unix))]
pub(super) async fn next_signal() -> Signal {
    tokio::signal::ctrl_c().await.ok().map(|()| "Ctrl-C")
}

/// The approvals that wait for somebody at this terminal.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<BTreeSet<StepId>>>);

impl Asked {
    fn observer(&self) -> Observer {
        let asked = self.clone();
        Box::new(move |_, _, state| {
            let wanted = state.approvals_wanted().into_keys().collect();
            *asked.0.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
        })
    }

    fn first(&self) -> Option<StepId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).first().cloned()
    }
}

/// Reads answers from the terminal on a thread of its own; it ends with the process.
fn ask_at_terminal(asked: Asked, by: Person, directives: mpsc::Sender<Directive>) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            let Some(step) = asked.first() else { continue };
            let (by, comment) = (by.clone(), None);
            let request = match line.trim().to_ascii_lowercase().as_str() {
                "yes" => Request::Approve { step, by, comment },
                "no" => Request::Refuse { step, by, comment },
                "" => continue,
                other => {
                    eprintln!("`{other}` is neither yes nor no; type one of them for step `{step}`");
                    continue;
                }
            };
            let (answer, answered) = oneshot::channel();
            if directives.blocking_send(Directive { request, answer }).is_err() {
                return;
            }
            if let Ok(Err(reason)) = answered.blocking_recv() {
                eprintln!("not taken: {reason}");
            }
        }
    });
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    /// It comes while something else is waited for.
    #[tokio::test]
    async fn a_signal_is_heard_from_the_call_on_and_not_only_while_it_is_awaited() {
        let signal = next_signal();
        kill_process(getpid(), Signal::HUP).unwrap();
        assert_eq!(signal.await, Some("SIGHUP"));
    }
}
