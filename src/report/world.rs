//! What is true now, as far as this run knows: where traffic goes, what was restored, what still goes on in Azure.
//!
//! Built from events alone; never looks. Every sentence says how it is known, and `certain: false` where it is not.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Standing, backups, objectives, pools, step};
use crate::{
    plan::PlannedStep,
    run::{State, StepState, state::StepRecord},
    runbook::{ActionKind, ResourceId, StepId},
    style::{moment, time},
};

/// One sentence about the world.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Truth {
    /// A host name, a service, or a step.
    pub subject: String,
    pub step: StepId,
    /// False: nobody knows, and the sentence says so.
    pub certain: bool,
    /// Lower-case fragment that follows the subject.
    pub says: String,
}

/// An operation that was accepted and whose end nobody has seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OpenOperation {
    pub step: StepId,
    /// Verbatim as Azure gave it.
    pub url: String,
    pub since: jiff::Timestamp,
}

/// What is true now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct World {
    pub truths: Vec<Truth>,
    pub operations: Vec<OpenOperation>,
}

impl World {
    pub fn of(state: &State, standing: Standing) -> Self {
        let mut truths = Vec::new();
        let mut operations = Vec::new();
        for (place, record) in state.steps.iter().enumerate() {
            truths.extend(truth(state, place, standing));
            if let Some(attempt) = step::attempt(&record.state)
                && let Some(operation) = &attempt.operation
            {
                let step = state.planned(place).id.clone();
                operations.push(OpenOperation { step, url: operation.url.clone(), since: attempt.since });
            }
        }
        // Where traffic goes is what people ask first.
        truths.sort_by_key(|truth: &Truth| {
            state.place(&truth.step).is_none_or(|place| !state.planned(place).action.moves_traffic())
        });
        Self { truths, operations }
    }

    /// Something was asked for and nobody knows what became of it.
    pub fn has_doubt(&self) -> bool {
        self.truths.iter().any(|truth| !truth.certain)
    }
}

/// Full name of the record that a DNS step is about, when it can be told.
pub fn hostname(state: &State, place: usize) -> Option<String> {
    if let StepState::Succeeded { outputs } = &state.steps[place].state
        && let Some(hostname) = text(outputs, "hostname")
    {
        return Some(hostname.to_owned());
    }
    let arguments = arguments(state, place);
    let zone = ResourceId::parse(text(&arguments, "zone")?).ok()?;
    let record = text(&arguments, "record")?;
    Some(if record == "@" { zone.name().to_owned() } else { format!("{record}.{}", zone.name()) })
}

/// Name that users ask Traffic Manager for, as the plan or the step itself saw it.
pub fn hostname_of_profile(state: &State, place: usize) -> Option<String> {
    if let StepState::Succeeded { outputs } = &state.steps[place].state
        && let Some(hostname) = text(outputs, "hostname")
    {
        return Some(hostname.to_owned());
    }
    text(&state.planned(place).probe.outputs, "hostname").map(str::to_owned)
}

/// Resolved as far as the run knows.
fn arguments(state: &State, place: usize) -> Map<String, Value> {
    if let Some(attempt) = step::attempt(&state.steps[place].state) {
        return Map::clone(&attempt.arguments);
    }
    // One by one: what is wrong with one of them must not hide the others.
    let resolved = state.planned(place).arguments.iter().map(|(name, value)| {
        let one = Map::from_iter([(name.clone(), value.clone())]);
        let known = state.scope.resolve_known(&one).ok().and_then(|(mut known, _)| known.remove(name));
        (name.clone(), known.unwrap_or_else(|| value.clone()))
    });
    resolved.collect()
}

/// A text that is known: not empty, no expression left in it.
fn text<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    map.get(name)?.as_str().filter(|text| !text.is_empty() && !text.contains("${{"))
}

fn truth(state: &State, place: usize, standing: Standing) -> Option<Truth> {
    let planned = state.planned(place);
    let record = &state.steps[place];
    let stored = backups::place(&arguments(state, place)).unwrap_or_else(|| "the container".to_owned());
    if let ActionKind::Backup | ActionKind::Prune = planned.action
        && let Some((certain, says)) = backups::truth(planned.action, &record.state, &stored, &ended(record))
    {
        let subject = if planned.action == ActionKind::Prune { stored } else { service(state, place) };
        return Some(Truth { subject, step: planned.id.clone(), certain, says });
    }
    let (subject, (certain, says)) = match planned.action {
        ActionKind::FlipCname | ActionKind::FlipPrivateCname => {
            let subject = hostname(state, place).unwrap_or_else(|| format!("the record of step {}", planned.id));
            (subject, traffic(state, place, standing))
        }
        ActionKind::SetTtl => {
            let subject = hostname(state, place).unwrap_or_else(|| format!("the record of step {}", planned.id));
            (subject, lifetime(state, place)?)
        }
        ActionKind::SetEndpoints | ActionKind::SetOrigin => {
            let named = hostname_of_profile(state, place).or_else(|| pools::subject(&arguments(state, place)));
            let subject = named.unwrap_or_else(|| format!("the profile of step {}", planned.id));
            (subject, pools::truth(planned.action, &record.state, record.changes, &ended(record)))
        }
        ActionKind::Restore => (service(state, place), restored(state, place, standing)),
        ActionKind::GatewayHealth => (service(state, place), healthy(state, place)?),
        ActionKind::VerifyRestore => (service(state, place), complete(state, place)?),
        ActionKind::Compare => (service(state, place), compared(state, place)?),
        ActionKind::HttpRequest | ActionKind::Command | ActionKind::Backup | ActionKind::Prune
            if record.changes > 0 =>
        {
            let (word, _) = step::word(&record.state, standing, false);
            let known = matches!(record.state, StepState::Succeeded { .. } | StepState::Undone);
            let says = if known {
                format!("{} {word} at {}", planned.action, ended(record))
            } else {
                format!("{} was begun and is {word}: what it changed is not known", planned.action)
            };
            (format!("step {}", planned.id), (known, says))
        }
        ActionKind::HttpRequest
        | ActionKind::Command
        | ActionKind::ConfirmOutage
        | ActionKind::VerifyStandby
        | ActionKind::Backup
        | ActionKind::FindLatest
        | ActionKind::Prune
        | ActionKind::VerifyPropagation
        | ActionKind::Approval
        | ActionKind::Notify
        | ActionKind::Wait => return None,
    };
    Some(Truth { subject, step: planned.id.clone(), certain, says })
}

/// Where a record points.
fn traffic(state: &State, place: usize, standing: Standing) -> (bool, String) {
    let planned = state.planned(place);
    let record = &state.steps[place];
    let before = previous_target(planned).unwrap_or("what it pointed at before");
    let target = target(state, place).unwrap_or_else(|| "its new target".to_owned());
    let untouched = || match previous_target(planned) {
        Some(before) => {
            (true, format!("was not moved by this run; it pointed at {before} at {}", moment(state.plan.made_at)))
        }
        None => (true, "was not moved by this run".to_owned()),
    };
    match &record.state {
        StepState::Succeeded { outputs } => {
            let target = text(outputs, "target").unwrap_or(&target);
            let before = text(outputs, "previous_target").unwrap_or(before);
            let seen = propagated(state, place);
            (true, format!("points at {target} since {} (before: {before}); {seen}", ended(record)))
        }
        StepState::Undone => (true, format!("points at {before} again; the change was undone at {}", ended(record))),
        StepState::Undoing { .. } => (false, format!("is being put back from {target} to {before}")),
        StepState::UndoFailed { error, .. } => {
            let now = step::last_read(error, "where it points is not known");
            (false, format!("was moved to {target}, and putting {before} back failed: {now}"))
        }
        StepState::Running { attempt, .. } if attempt.intent.is_some() && standing == Standing::Driven => {
            (false, format!("is being moved from {before} to {target}"))
        }
        StepState::Running { attempt, .. } | StepState::InDoubt { attempt, .. } if attempt.intent.is_some() => {
            (false, format!("points at {target} or still at {before}: nobody knows what became of the request"))
        }
        StepState::Failed { .. } | StepState::Waiting { .. } | StepState::Pending { carried: None }
            if record.changes > 0 =>
        {
            (false, format!("was not seen to move to {target}: the change failed; before the run it was {before}"))
        }
        StepState::Pending { .. } if record.changes > 0 => (
            true,
            format!("was not moved: a probe found that the request had no effect; before the run it was {before}"),
        ),
        StepState::Pending { .. }
        | StepState::Running { .. }
        | StepState::Waiting { .. }
        | StepState::InDoubt { .. }
        | StepState::Failed { .. }
        | StepState::Skipped { .. } => untouched(),
    }
}

/// Which TTL a record has. None: this run has not touched it.
fn lifetime(state: &State, place: usize) -> Option<(bool, String)> {
    let record = &state.steps[place];
    let said = match &record.state {
        StepState::Succeeded { outputs } => {
            let (ttl, before) = (text(outputs, "ttl")?, text(outputs, "previous_ttl")?);
            (true, format!("has the TTL {ttl} since {} (before: {before})", ended(record)))
        }
        StepState::Undone => (true, format!("has its old TTL again; the change was undone at {}", ended(record))),
        StepState::Pending { .. } | StepState::Skipped { .. } => return None,
        StepState::UndoFailed { error, .. } => {
            (false, format!("did not get its old TTL back: {}", step::last_read(error, "which it has is not known")))
        }
        StepState::Running { .. }
        | StepState::Waiting { .. }
        | StepState::InDoubt { .. }
        | StepState::Failed { .. }
        | StepState::Undoing { .. } => {
            (false, "may have another TTL than before: nobody has seen the end of its change".to_owned())
        }
    };
    (record.changes > 0).then_some(said)
}

/// Whether anybody saw the new target outside of Azure's own API.
fn propagated(state: &State, flip: usize) -> String {
    if state.planned(flip).action == ActionKind::FlipPrivateCname {
        return "only networks that the private zone is linked to can ask for it".to_owned();
    }
    let name = hostname(state, flip);
    let seen = state.plan.steps.iter().zip(&state.steps).enumerate().find(|(place, (planned, record))| {
        planned.action == ActionKind::VerifyPropagation
            && matches!(record.state, StepState::Succeeded { .. })
            && hostname(state, *place) == name
    });
    match seen {
        Some((_, (_, record))) => format!("every server that was asked agreed at {}", ended(record)),
        None => "name servers and resolvers have not been seen to agree".to_owned(),
    }
}

fn target(state: &State, place: usize) -> Option<String> {
    let arguments = arguments(state, place);
    text(&arguments, "target").or_else(|| text(&state.planned(place).probe.outputs, "target")).map(str::to_owned)
}

/// Where the record pointed when the plan was made.
fn previous_target(planned: &PlannedStep) -> Option<&str> {
    let fact = planned.probe.facts.iter().find(|fact| fact.name == "record.target");
    fact.and_then(|fact| fact.value.as_str()).or_else(|| text(&planned.probe.outputs, "previous_target"))
}

/// Name of the API Management service that a step is about.
fn service(state: &State, place: usize) -> String {
    let id = text(&arguments(state, place), "service").and_then(|id| ResourceId::parse(id).ok());
    id.map_or_else(|| format!("the service of step {}", state.planned(place).id), |id| id.name().to_owned())
}

/// What became of a restore.
fn restored(state: &State, place: usize, standing: Standing) -> (bool, String) {
    let record = &state.steps[place];
    let backup = backup(state).map_or_else(|| "a backup".to_owned(), |name| format!("`{name}`"));
    match &record.state {
        StepState::Succeeded { .. } => {
            let age = objectives::data_age(state).map(|age| format!(", {}", objectives::age_in_words(age)));
            (true, format!("was restored at {} from {backup}{}", ended(record), age.unwrap_or_default()))
        }
        StepState::Running { attempt, .. } if attempt.intent.is_some() && standing == Standing::Driven => {
            (false, format!("is being restored from {backup} since {}", time(attempt.since)))
        }
        StepState::Running { attempt, .. } | StepState::InDoubt { attempt, .. } if attempt.operation.is_some() => {
            (false, format!("is being restored from {backup}, or was: Azure accepted it and nobody has seen the end"))
        }
        StepState::Running { attempt, .. } | StepState::InDoubt { attempt, .. } if attempt.intent.is_some() => {
            (false, format!("may be restored from {backup}: nobody knows whether Azure took the request"))
        }
        StepState::Failed { .. } | StepState::Waiting { .. } | StepState::Pending { carried: None }
            if record.changes > 0 =>
        {
            (false, "could not be restored: what its configuration is now has not been seen".to_owned())
        }
        StepState::Pending { .. } if record.changes > 0 => {
            (true, "was not restored: a probe found that the request had no effect".to_owned())
        }
        StepState::Pending { .. }
        | StepState::Running { .. }
        | StepState::Waiting { .. }
        | StepState::InDoubt { .. }
        | StepState::Failed { .. }
        | StepState::Skipped { .. } => (true, "was not touched by this run".to_owned()),
        StepState::Undoing { .. } | StepState::Undone | StepState::UndoFailed { .. } => {
            (false, "was restored; a restore cannot be undone".to_owned())
        }
    }
}

/// Whether the gateway was seen to serve. None: nobody has looked yet.
fn healthy(state: &State, place: usize) -> Option<(bool, String)> {
    let record = &state.steps[place];
    let arguments = arguments(state, place);
    let hostname = text(&arguments, "hostname").unwrap_or("the production name");
    match &record.state {
        StepState::Succeeded { .. } => {
            Some((true, format!("answered healthily as {hostname}, seen at {}", ended(record))))
        }
        StepState::Failed { .. } => Some((true, format!("did not prove healthy as {hostname}"))),
        StepState::Pending { .. }
        | StepState::Running { .. }
        | StepState::Waiting { .. }
        | StepState::InDoubt { .. }
        | StepState::Skipped { .. }
        | StepState::Undoing { .. }
        | StepState::Undone
        | StepState::UndoFailed { .. } => None,
    }
}

/// Whether the restored service was seen to hold what its backup names. None: nobody has looked yet.
fn complete(state: &State, place: usize) -> Option<(bool, String)> {
    let record = &state.steps[place];
    match &record.state {
        StepState::Succeeded { outputs } => {
            let counts = outputs.get("counts").and_then(Value::as_object)?;
            let counts: Vec<String> =
                counts.iter().map(|(kind, count)| format!("{count} {}", kind.replace('_', " "))).collect();
            let says =
                format!("holds everything that its backup names ({}), seen at {}", counts.join(", "), ended(record));
            Some((true, says))
        }
        StepState::Failed { .. } => Some((true, "was not proved to hold what its backup names".to_owned())),
        StepState::Pending { .. }
        | StepState::Running { .. }
        | StepState::Waiting { .. }
        | StepState::InDoubt { .. }
        | StepState::Skipped { .. }
        | StepState::Undoing { .. }
        | StepState::Undone
        | StepState::UndoFailed { .. } => None,
    }
}

/// What only one of two services had, as the comparison says it itself.
fn compared(state: &State, place: usize) -> Option<(bool, String)> {
    let record = &state.steps[place];
    match &record.state {
        StepState::Succeeded { outputs } => {
            Some((true, format!("{}; seen at {}", text(outputs, "told")?, ended(record))))
        }
        StepState::Pending { .. }
        | StepState::Running { .. }
        | StepState::Waiting { .. }
        | StepState::InDoubt { .. }
        | StepState::Failed { .. }
        | StepState::Skipped { .. }
        | StepState::Undoing { .. }
        | StepState::Undone
        | StepState::UndoFailed { .. } => None,
    }
}

/// Name of the backup that was chosen last.
fn backup(state: &State) -> Option<&str> {
    let mut searches = state.plan.steps.iter().zip(&state.steps).rev();
    searches.find_map(|(planned, record)| match &record.state {
        StepState::Succeeded { outputs } if planned.action == ActionKind::FindLatest => text(outputs, "name"),
        StepState::Succeeded { .. }
        | StepState::Pending { .. }
        | StepState::Running { .. }
        | StepState::Waiting { .. }
        | StepState::InDoubt { .. }
        | StepState::Failed { .. }
        | StepState::Skipped { .. }
        | StepState::Undoing { .. }
        | StepState::Undone
        | StepState::UndoFailed { .. } => None,
    })
}

fn ended(record: &StepRecord) -> String {
    record.ended_at.map_or_else(|| "a time that is not known".to_owned(), time)
}
