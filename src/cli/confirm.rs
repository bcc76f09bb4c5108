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
    let word = moved_hostname(plan).unwrap_or_else(|| plan.name.clone());
    if yes {
        let by = Person { simulated, ..session.machine.user.clone() };
        return Ok(Some(Event::Confirmed { by, what: format!("--yes, for {word}") }));
    }
    if !session.machine.stdin_terminal {
        return Err(Failure::refused(
            format!("nobody can be asked whether to move {word}: stdin is not a terminal"),
            "add --yes when a script shall go on without asking, or run it in a terminal",
        ));
    }
    eprint!("This changes the world. Type {word} to go on: ");
    let _best_effort = std::io::stderr().flush();
    let mut typed = String::new();
    let read = std::io::stdin().lock().read_line(&mut typed);
    if read.is_ok() && typed.trim() == word {
        return Ok(Some(Event::Confirmed { by: session.machine.user.clone(), what: word }));
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
