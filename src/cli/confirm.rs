//! Before the first write a person types the hostname that is being moved; `--yes` says it for scripts.

use std::io::{BufRead, Write};

use serde_json::Map;

use super::{Failure, Session};
use crate::{
    plan::{Plan, PlannedStep},
    run::{Event, Person},
    runbook::{ActionKind, Effect, ResourceId, Scope},
};

/// The event that records the consent; none when the plan writes nothing.
pub fn confirm(session: &Session, plan: &Plan, yes: bool, simulated: bool) -> Result<Option<Event>, Failure> {
    if plan.steps.iter().all(|step| step.effect == Effect::ReadOnly) {
        return Ok(None);
    }
    let word = word(plan);
    consent(session, &word, &format!("whether to move {word}"), yes, simulated).map(Some)
}

/// The event that records the consent to take back what was done.
pub fn confirm_undo(session: &Session, plan: &Plan, yes: bool, simulated: bool) -> Result<Event, Failure> {
    let word = word(plan);
    consent(session, &word, &format!("whether to put {word} back"), yes, simulated)
}

fn word(plan: &Plan) -> String {
    moved_hostname(plan).unwrap_or_else(|| plan.name.clone())
}

/// Before a person's word counts in place of a probe's: the step's name is typed.
pub fn confirm_word(session: &Session, step: &str, word: &str, yes: bool) -> Result<(), Failure> {
    let why = format!("From here on the run takes it that step {step} {word}.");
    asked(session, &why, step, &format!("whether step {step} {word}"), yes)
}

fn consent(session: &Session, word: &str, question: &str, yes: bool, simulated: bool) -> Result<Event, Failure> {
    asked(session, "This changes the world.", word, question, yes)?;
    let user = session.machine.user.clone();
    Ok(if yes {
        Event::Confirmed { by: Person { simulated, ..user }, what: format!("--yes, for {word}") }
    } else {
        Event::Confirmed { by: user, what: word.to_owned() }
    })
}

fn asked(session: &Session, why: &str, word: &str, question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !session.machine.stdin_terminal {
        return Err(Failure::refused(
            format!("nobody can be asked {question}: stdin is not a terminal"),
            "add --yes when a script shall go on without asking, or run it in a terminal",
        ));
    }
    eprint!("{why} Type {word} to go on: ");
    let _best_effort = std::io::stderr().flush();
    let mut typed = String::new();
    let read = std::io::stdin().lock().read_line(&mut typed);
    if read.is_ok() && typed.trim() == word {
        return Ok(());
    }
    Err(Failure::refused(
        format!("`{}` is not `{word}`", typed.trim()),
        "nothing was changed; type the command again when you are sure",
    ))
}

/// The name behind which the plan moves traffic first; of the record whose TTL it changes when it moves none.
pub fn moved_hostname(plan: &Plan) -> Option<String> {
    let mut movers = plan.steps.iter().filter(|step| step.action.moves_traffic());
    let lowered = || plan.steps.iter().find(|step| step.action == ActionKind::SetTtl).and_then(hostname);
    movers.find_map(|step| hostname(step).or_else(|| profile(step, plan))).or_else(lowered)
}

/// None: a step that the plan skips, or that has none.
fn hostname(step: &PlannedStep) -> Option<String> {
    step.probe.outputs.get("hostname")?.as_str().map(str::to_owned)
}

/// Name of the profile whose members a step sets: Front Door's origin groups have no name that users ask for.
fn profile(step: &PlannedStep, plan: &Plan) -> Option<String> {
    let argument = Map::from_iter([("profile".to_owned(), step.arguments.get("profile")?.clone())]);
    let scope = Scope::new(plan.parameters.clone(), plan.mode, None);
    let (known, _) = scope.resolve_known(&argument).ok()?;
    Some(ResourceId::parse(known.get("profile")?.as_str()?).ok()?.name().to_owned())
}
