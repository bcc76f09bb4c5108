//! What to type next. Every end has at least one.

use serde::Serialize;

use super::{Standing, doubt, world};
use crate::{
    run::{Outcome, RunId, State, StepState, decide, request::may_be_skipped},
    runbook::{ActionKind, StepId},
};

/// How commands are written so that they can be copied: what this process was called with.
#[derive(Clone, Debug)]
pub struct Commands {
    /// `lifeboat`, or the path that was typed.
    pub program: String,
    /// Options that every command about a run needs to find it, such as `--site site.yaml`. Empty: none.
    pub options: String,
    /// The site still answers after this process: false for a simulator that lived inside it.
    pub site_lives: bool,
}

impl Default for Commands {
    fn default() -> Self {
        Self { program: "lifeboat".to_owned(), options: String::new(), site_lives: true }
    }
}

impl Commands {
    /// `lifeboat resume RUN …`
    pub fn about(&self, verb: &str, run: &RunId, rest: &str) -> String {
        let parts = [self.program.as_str(), verb, &run.0, rest, &self.options];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

/// A command and what it is good for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    pub command: String,
    /// Lower-case fragment.
    pub why: String,
}

/// Never empty; the first is the one to type.
pub fn advice(state: &State, standing: Standing, commands: &Commands) -> Vec<Advice> {
    let say = |verb: &str, why: &str| Advice { command: commands.about(verb, &state.run, ""), why: why.to_owned() };
    let mut list = Vec::new();
    if commands.site_lives {
        list.extend(doubt::all_by_hand(state));
    }
    let mut going_back = Vec::new();
    if decide::undoable(state).next().is_some() {
        let why = "give the run up and take back what it changed, as far as that can be";
        going_back.push(Advice { command: commands.about("abort", &state.run, "--undo"), why: why.to_owned() });
    }
    match standing {
        Standing::Driven | Standing::Unknown => {
            list.extend(approvals(state, commands));
            if state.hold.is_some() {
                list.push(say("resume", "lift the pause"));
            }
            list.push(say("status", "look again"));
            if standing == Standing::Unknown {
                list.push(say("resume", "go on from here, if the process that drove it is gone"));
            }
            list.push(say("abort", "stop it and say what is left behind"));
            if state.hold.is_none() && standing == Standing::Driven {
                list.push(say("pause", "hold it before its next step"));
            }
        }
        Standing::Abandoned => {
            list.push(say("resume", "look what became of what was sent, then go on; nothing is sent twice"));
            list.push(say("abort", "give the run up and say what is left behind"));
        }
        Standing::Ended(Outcome::Succeeded | Outcome::Undone | Outcome::Aborted) => {
            list.push(say("status", "every step and what it saw"));
            list.push(say("verify", "prove that the journal is whole"));
        }
        Standing::Ended(Outcome::Failed) => {
            list.push(say("resume", "try again what failed; what is done is not repeated"));
            list.push(say("status", "every step and what it saw"));
            list.extend(skips(state, commands));
            list.push(say("abort", "give the run up and say what is left behind"));
            list.extend(going_back);
        }
        Standing::Ended(Outcome::Refused) => {
            list.push(say("resume", "ask again and go on; what is done is not repeated"));
            list.push(say("abort", "give the run up and say what is left behind"));
            list.extend(going_back);
        }
        Standing::Ended(Outcome::Stuck) => {
            list.push(say("status", "what is in doubt, and what would settle it"));
            list.push(say("resume", "look again, then go on; nothing is sent twice"));
            list.push(say("abort", "give the run up and say what is left behind"));
            list.extend(going_back);
        }
        Standing::Ended(Outcome::Interrupted) => {
            list.push(say("resume", "go on from here, on this or another machine"));
            list.push(say("status", "where it stopped"));
            list.push(say("abort", "give the run up and say what is left behind"));
            list.extend(going_back);
        }
    }
    list.extend(sign_offs(state, commands));
    list.extend(doubt::ways_out(state, standing, commands));
    if commands.site_lives {
        list.extend(questions(state));
    }
    list
}

/// How to go on without a proof that failed.
fn skips(state: &State, commands: &Commands) -> Vec<Advice> {
    let failed = state.failed.iter().map(|place| &state.planned(*place).id);
    let skippable = failed.filter(|step| may_be_skipped(state, step).is_ok());
    let advice = |step: &StepId| Advice {
        command: commands.about("skip", &state.run, &format!("{step} --reason TEXT")),
        why: format!("go on without `{step}`: a decision that every report shows first"),
    };
    skippable.map(advice).collect()
}

/// How to answer what is asked now.
fn approvals(state: &State, commands: &Commands) -> Vec<Advice> {
    let wanted = state.approvals_wanted();
    let answer = |step: &str| commands.about("approve", &state.run, step);
    wanted.keys().map(|step| Advice { command: answer(step.as_str()), why: format!("say yes to `{step}`") }).collect()
}

/// How somebody else answers for what one person did alone.
fn sign_offs(state: &State, commands: &Commands) -> Vec<Advice> {
    let advice = |step: &StepId| Advice {
        command: commands.about("approve", &state.run, step.as_str()),
        why: format!("another person signs off that `{step}` was approved alone"),
    };
    state.open_items().map(|alone| advice(&state.planned(alone.place).id)).collect()
}

/// Commands that ask DNS where traffic goes, for every record that the run may have moved.
fn questions(state: &State) -> Vec<Advice> {
    let touched = state.plan.steps.iter().enumerate().filter(|(place, planned)| {
        let is_asked = matches!(planned.action, ActionKind::FlipCname | ActionKind::SetEndpoints);
        is_asked && !matches!(state.steps[*place].state, StepState::Pending { .. })
    });
    let why = match state.plan.site.shared_clock() {
        Some(_) => "ask DNS where traffic goes, as long as the simulator serves",
        None => "ask DNS where traffic goes now",
    };
    let mut list = Vec::new();
    for (place, _) in touched {
        let Some(hostname) = world::hostname(state, place).or_else(|| world::hostname_of_profile(state, place)) else {
            continue;
        };
        let zone = hostname.split_once('.').map_or(hostname.as_str(), |(_, zone)| zone);
        let dns = &state.plan.site.dns;
        let server = dns.authoritative.get(zone).and_then(|servers| servers.first()).or(dns.resolvers.first());
        let server = match server {
            Some(server) if server.port() == 53 => format!(" @{}", server.ip()),
            Some(server) => format!(" -p {} @{}", server.port(), server.ip()),
            None => String::new(),
        };
        list.push(Advice { command: format!("dig +short{server} {hostname} CNAME"), why: why.to_owned() });
    }
    list
}
