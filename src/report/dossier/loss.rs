//! What is lost: everything that was changed since the backup that is restored. By name where that is among the facts;
//! else why it could not be had, and who can tell.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{said, scope::changes};
use crate::{
    plan::{
        Plan, PlannedStep,
        changes::{Changes, since_backup},
        recovery,
    },
    run::{Outcome, State, StepState},
    runbook::{ActionKind, Mode, ResourceId, StepId},
    style::{moment, one_line},
};

const LOG_LACKS: &str = "It is minutes late, and lacks what passes by the resource manager (the developer portal)";

/// A name that only one side has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LostName {
    /// Step that saw it.
    pub step: StepId,
    /// `apis`, `products`, …
    pub kind: String,
    pub name: String,
    /// Lower-case fragment: where it is, and where not.
    pub says: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct Loss {
    /// None: nothing is restored, or it is not chosen yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// When the plan was made; of a backup that the run chose, when it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_s: Option<u64>,
    /// What the backup holds, by kind, as its manifest counts it.
    pub holds: Vec<(String, u64)>,
    pub names: Vec<LostName>,
    /// What is known, and what could not be had and why. Sentences without full stop.
    pub says: Vec<String>,
    /// A command that tells more, for whoever can run it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask: Option<String>,
}

/// `state`: after a run, what the steps themselves saw.
pub(super) fn of(plan: &Plan, arguments: &[Map<String, Value>], state: Option<&State>) -> Loss {
    let outputs = |place: usize| outputs(plan, state, place);
    let places = |kind: ActionKind| plan.steps.iter().enumerate().filter(move |(_, step)| step.action == kind);
    let chosen = Chosen::of(plan, state);
    let restores = places(ActionKind::Restore).next().is_some();
    let mut names: Vec<LostName> = Vec::new();
    for (place, step) in places(ActionKind::Compare) {
        let argument = |field| of_argument(&arguments[place], field);
        let (service, other) = (argument("service"), argument("with"));
        names.extend(named(step, outputs(place), "only_in_service", &format!("only {service} has it, not {other}")));
        names.extend(named(step, outputs(place), "only_in_other", &format!("only {other} has it, not {service}")));
    }
    let compared = compared(plan, state, names.len());
    for (place, step) in places(ActionKind::VerifyRestore) {
        names.extend(named(step, outputs(place), "missing", "the backup holds it, and it was not found restored"));
        names.extend(named(
            step,
            outputs(place),
            "unexpected",
            "the service has it, and the backup's manifest does not",
        ));
    }
    let changes = chosen.changes.iter().flat_map(|(step, read)| read.listed.iter().map(move |one| (step, one)));
    names.extend(changes.map(|(step, one)| LostName {
        step: step.clone(),
        kind: "changed since the backup".to_owned(),
        name: one.name().to_owned(),
        says: one.how(),
    }));
    let foretold = state.is_some_and(|state| !matches!(state.stopped, Some((Outcome::Succeeded, _, _)))).then(|| {
        "As the plan foretold it: the run has not recovered, and what is true now stands in the summary".to_owned()
    });
    let lost = if restores {
        sentences(plan, &chosen, compared)
    } else {
        vec!["No step restores anything: no configuration is overwritten by an older one".to_owned()]
    };
    Loss {
        backup: chosen.outputs.get("name").and_then(Value::as_str).map(str::to_owned),
        created: chosen.created,
        age_s: chosen.age_s.filter(|_| restores),
        holds: holds(&chosen.outputs),
        names,
        says: foretold.into_iter().chain(impact(plan, arguments)).chain(lost).collect(),
        ask: active(plan, arguments).zip(chosen.created).filter(|_| restores).map(|(active, created)| {
            format!(
                "az monitor activity-log list --resource-id '{active}' --start-time {} --query \
                 \"[].{{at:eventTimestamp,what:operationName.value,on:resourceId,who:caller}}\" --output table",
                created.strftime("%Y-%m-%dT%H:%M:%SZ")
            )
        }),
    }
}

/// The backup that is restored: of several, the oldest.
#[derive(Default)]
struct Chosen {
    outputs: Map<String, Value>,
    created: Option<Timestamp>,
    age_s: Option<u64>,
    /// The run chose it; else the plan foresaw it.
    in_run: bool,
    /// By the activity log: step that read it, and what was changed after the backup. None: nobody could read it.
    changes: Option<(StepId, Changes)>,
    /// When the backup was made from which on the log was read, where the run chose an older one.
    read_from: Option<Timestamp>,
}

impl Chosen {
    fn of(plan: &Plan, state: Option<&State>) -> Self {
        let searches = plan.steps.iter().enumerate().filter(|(_, step)| step.action == ActionKind::FindLatest);
        let chosen = searches.map(|(place, step)| {
            let outputs = outputs(plan, state, place).clone();
            let began = state.filter(|state| matches!(state.steps[place].state, StepState::Succeeded { .. }));
            let at = began.map_or(plan.made_at, |state| state.created_at);
            let created = created(&outputs);
            let read_from = self::created(&step.probe.outputs).filter(|from| created.is_some_and(|at| at < *from));
            let age_s = recovery::backup_age(&outputs, at).map(|age| age.as_secs());
            let after = |read: Changes| if let Some(created) = created { read.after(created) } else { read };
            // What is changed before a run takes a backup of its own is in that.
            let old = plan.steps.iter().all(|step| step.action != ActionKind::Backup);
            let changes = since_backup(step).filter(|_| old).map(|read| (step.id.clone(), after(read)));
            Self { outputs, created, age_s, in_run: began.is_some(), changes, read_from }
        });
        chosen.max_by_key(|chosen| chosen.age_s).unwrap_or_default()
    }
}

/// What users notice, name by name.
fn impact(plan: &Plan, arguments: &[Map<String, Value>]) -> Vec<String> {
    let moves = plan.steps.iter().filter(|step| step.action.moves_traffic());
    let mut says: Vec<String> = moves
        .map(|step| {
            let fact = |name: &str| step.probe.facts.iter().find(|fact| fact.name == name).map(|fact| &fact.value);
            let name = fact("record.hostname").or_else(|| fact("profile.hostname")).and_then(Value::as_str);
            let caches = fact("record.ttl").and_then(Value::as_u64).map_or_else(String::new, |ttl| {
                format!("; for up to {} after it, caches still give the old answer", said(ttl))
            });
            format!(
                "Users of {} stay where they are until step {} moves it{caches}",
                name.unwrap_or("the profile"),
                step.id
            )
        })
        .collect();
    for (step, arguments) in plan.steps.iter().zip(arguments) {
        if step.action == ActionKind::Restore {
            let service = of_argument(arguments, "service");
            says.push(format!(
                "Step {} replaces the configuration of {service}: whoever uses that service already notices it",
                step.id
            ));
        } else if matches!(step.action, ActionKind::HttpRequest | ActionKind::Command) && changes(step) {
            says.push(format!(
                "What users notice of step {} is not known: only its author knows what it does",
                step.id
            ));
        }
    }
    if says.is_empty() {
        says.push("No step moves traffic: users notice nothing of it".to_owned());
    }
    says
}

/// What the comparisons of the services came to: one sentence, and none where the runbook has none. `named`: names that they
/// brought.
fn compared(plan: &Plan, state: Option<&State>, named: usize) -> Option<String> {
    let compares = plan.steps.iter().enumerate().filter(|(_, step)| step.action == ActionKind::Compare);
    let (read, unread): (Vec<_>, Vec<_>) =
        compares.partition(|(place, _)| outputs(plan, state, *place).contains_key("only_in_service"));
    if let Some((place, step)) = unread.first() {
        let why = match state.map(|state| &state.steps[*place].state) {
            Some(StepState::Failed { error }) => format!("it failed: {}", one_line(&error.message)),
            Some(StepState::Skipped { reason, .. }) => format!("it was skipped: {}", one_line(reason)),
            Some(
                StepState::Pending { .. }
                | StepState::Running { .. }
                | StepState::Waiting { .. }
                | StepState::InDoubt { .. }
                | StepState::Succeeded { .. }
                | StepState::Undoing { .. }
                | StepState::Undone
                | StepState::UndoFailed { .. },
            )
            | None => one_line(&step.probe.summary),
        };
        return Some(format!("What that is is not known: step {} compares the services by name; {why}", step.id));
    }
    let (_, step) = read.first()?;
    Some(match named {
        0 => format!("The services were compared by name, by step {}: neither has one that the other has not", step.id),
        _ => "What only one of the two services has was read and is named below".to_owned(),
    })
}

/// Of a plan that restores something.
fn sentences(plan: &Plan, chosen: &Chosen, compared: Option<String>) -> Vec<String> {
    let mut says = Vec::new();
    let takes_one = plan.steps.iter().find(|step| step.action == ActionKind::Backup);
    match (takes_one, chosen.created) {
        (Some(step), _) => says.push(format!(
            "The run takes a fresh backup itself (step {}): what is changed in the active service after that step has begun \
             is lost, so nothing should be changed from then on",
            step.id
        )),
        (None, Some(created)) => {
            let at = if chosen.in_run { "the run began" } else { "the plan was made" };
            let age = chosen.age_s.map(|age| format!(": {} when {at}", said(age))).unwrap_or_default();
            let after = moment(created);
            let lost = format!("everything that was changed in the active service after {after}");
            says.push(match plan.mode {
                Mode::Drill => format!(
                    "A rehearsal loses nothing: users stay with the active service. What is restored lacks {lost}{age}"
                ),
                Mode::Planned | Mode::Unplanned => format!("Lost is {lost}{age}"),
            });
        }
        (None, None) => says.push("Which backup is restored is only known in the run".to_owned()),
    }
    if let Some(compared) = compared {
        says.push(compared);
    } else if answers(plan) == Some(false) {
        says.push(
            "The active service did not answer when the plan was made, so what it holds could not be held against the backup"
                .to_owned(),
        );
    } else {
        says.push("No step of the runbook compares the services by name (`apim.compare` does)".to_owned());
    }
    says.push(match &chosen.changes {
        _ if takes_one.is_some() => {
            "What is changed after that backup stands in the activity log, which the command below asks".to_owned()
        }
        Some((step, read)) => logged(step, read, chosen),
        None => {
            "The activity log was not read: it could not be, or `service` of backup.find-latest does not say of which \
                 service. It names every change for 90 days, also while the region is lost; the command below asks it"
                .to_owned()
        }
    });
    says
}

/// What the activity log named, and what of it nobody has read.
fn logged(step: &StepId, read: &Changes, chosen: &Chosen) -> String {
    let after = match chosen.read_from {
        None => "it".to_owned(),
        Some(from) => format!("{}, when the backup was made that the plan foresaw", moment(from)),
    };
    let (many, listed) = (read.count, read.listed.len());
    let named = match many {
        0 => format!("no change after {after}"),
        1 => format!("one thing that was changed after {after} (step {step}), listed below"),
        _ if many > listed => {
            format!("{many} things that were changed after {after} (step {step}); the newest {listed} are listed below")
        }
        _ => format!("{many} things that were changed after {after} (step {step}), listed below"),
    };
    let mut says = format!("When the plan was made, the activity log named {named}");
    match read.unread {
        0 => {}
        1 => says.push_str(". One entry of it could not be read"),
        unread => says = format!("{says}. {unread} entries of it could not be read"),
    }
    says = format!("{says}. {LOG_LACKS}");
    if let Some((from, to)) = chosen.created.zip(chosen.read_from) {
        let (from, to) = (moment(from), moment(to));
        says = format!("{says}. The run chose an older backup: what was changed between {from} and {to} was not read");
    }
    if many == 0 || many > listed || chosen.read_from.is_some() {
        says.push_str("; the command below asks it again");
    }
    says
}

/// When the backup was made, in outputs of the step that found it.
fn created(outputs: &Map<String, Value>) -> Option<Timestamp> {
    outputs.get("created")?.as_str()?.parse().ok()
}

/// Outputs of a step: as it gave them in the run, else as the plan foretold them.
fn outputs<'a>(plan: &'a Plan, state: Option<&'a State>, place: usize) -> &'a Map<String, Value> {
    match state.map(|state| &state.steps[place].state) {
        Some(StepState::Succeeded { outputs }) => outputs,
        Some(
            StepState::Pending { .. }
            | StepState::Running { .. }
            | StepState::Waiting { .. }
            | StepState::InDoubt { .. }
            | StepState::Failed { .. }
            | StepState::Skipped { .. }
            | StepState::Undoing { .. }
            | StepState::Undone
            | StepState::UndoFailed { .. },
        )
        | None => &plan.steps[place].probe.outputs,
    }
}

/// Names of an output that lists them by kind.
fn named(step: &PlannedStep, outputs: &Map<String, Value>, output: &str, says: &str) -> Vec<LostName> {
    let kinds = outputs.get(output).and_then(Value::as_object).into_iter().flatten();
    let names = kinds.flat_map(|(kind, names)| {
        names.as_array().into_iter().flatten().filter_map(Value::as_str).map(move |name| (kind, name))
    });
    names
        .map(|(kind, name)| LostName {
            step: step.id.clone(),
            kind: kind.clone(),
            name: name.to_owned(),
            says: says.to_owned(),
        })
        .collect()
}

/// Counts of the manifest that came with the chosen backup.
fn holds(chosen: &Map<String, Value>) -> Vec<(String, u64)> {
    let manifest = chosen.get("backup").and_then(|backup| backup.get("manifest_data"));
    let count = |field: &str| manifest?.get(field)?.get("count")?.as_u64();
    let kinds = [
        ("APIs", "apis"),
        ("products", "products"),
        ("subscriptions", "subscriptions"),
        ("named values", "named_values"),
    ];
    kinds.into_iter().filter_map(|(kind, field)| Some((kind.to_owned(), count(field)?))).collect()
}

/// Whether the service that is left answered, if anybody asked.
fn answers(plan: &Plan) -> Option<bool> {
    let facts = plan.steps.iter().flat_map(|step| &step.probe.facts);
    facts.filter(|fact| fact.name == "active.answers").find_map(|fact| fact.value.as_bool())
}

/// Resource id of the service whose backup is restored.
fn active(plan: &Plan, arguments: &[Map<String, Value>]) -> Option<String> {
    let searches = plan.steps.iter().zip(arguments).filter(|(step, _)| step.action == ActionKind::FindLatest);
    let services = searches.filter_map(|(_, arguments)| arguments.get("service")?.as_str());
    services.map(str::to_owned).find(|id| ResourceId::parse(id).is_ok())
}

/// Name of the service in an argument.
fn of_argument(arguments: &Map<String, Value>, field: &str) -> String {
    let id = arguments.get(field).and_then(Value::as_str).and_then(|id| ResourceId::parse(id).ok());
    id.map_or_else(|| format!("the service in `{field}`"), |id| id.name().to_owned())
}
