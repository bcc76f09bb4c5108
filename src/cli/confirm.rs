//! Before the first write a person types the hostname that is being moved; `--yes` says it for scripts.

use std::io::{BufRead, Write};

use super::{Failure, Session};
use crate::{
    plan::Plan,
    run::{Event, Person},
    runbook::{ActionKind, Effect},
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

fn consent(session: &Session, word: &str, question: &str, yes: bool, simulated: bool) -> Result<Event, Failure> {
    if yes {
        let by = Person { simulated, ..session.machine.user.clone() };
        return Ok(Event::Confirmed { by, what: format!("--yes, for {word}") });
    }
    if !session.machine.stdin_terminal {
        return Err(Failure::refused(
            format!("nobody can be asked {question}: stdin is not a terminal"),
            "add --yes when a script shall go on without asking, or run it in a terminal",
        ));
    }
    eprint!("This changes the world. Type {word} to go on: ");
    let _best_effort = std::io::stderr().flush();
    let mut typed = String::new();
    let read = std::io::stdin().lock().read_line(&mut typed);
    if read.is_ok() && typed.trim() == word {
        return Ok(Event::Confirmed { by: session.machine.user.clone(), what: word.to_owned() });
    }
    Err(Failure::refused(
        format!("`{}` is not `{word}`", typed.trim()),
        "nothing was changed; type the command again when you are sure",
    ))
}

/// The name behind which the plan moves traffic first; of the record whose TTL it changes when it moves none.
pub fn moved_hostname(plan: &Plan) -> Option<String> {
    let mover = plan.steps.iter().find(|step| step.action.moves_traffic());
    let step = mover.or_else(|| plan.steps.iter().find(|step| step.action == ActionKind::SetTtl))?;
    step.probe.outputs.get("hostname").and_then(|hostname| hostname.as_str()).map(str::to_owned)
}
