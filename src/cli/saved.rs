//! `run PLAN.json`: reads the facts again, by the same probes, and runs the plan only where nothing has moved, or where
//! somebody accepts by name that it has.
//!
//! Never changes anything: what it finds in the way is refused before a run begins.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Exit, Failure, Session, approve,
    arguments::{RunArguments, Where},
    check, history, plan,
    world::{self, Scene},
};
use crate::{
    clock::Clock,
    plan::{
        Ingredients, Plan, Purpose,
        drift::{self, Drift},
        facts::Fact,
        saved::{self as file, Saved, SavedProblem},
    },
    report::Approved,
    run::{
        Event, Person,
        approval::{Approval, Asked, Flaw},
        journal::hex,
    },
    runbook::{self, Runbook},
    site::Site,
    style::moment,
};

/// A site that trusts no key.
static NOBODY: BTreeMap<String, String> = BTreeMap::new();

/// A plan in a file, held against its digest and its seal.
pub fn read(path: &Path, text: &[u8]) -> Result<(Plan, Saved), Failure> {
    file::read(text).map_err(|problem| {
        let hint = match problem {
            SavedProblem::NotPlan(_) | SavedProblem::Printed => "`lifeboat plan RUNBOOK --out FILE` saves one",
            SavedProblem::Newer(_) => "use the version of lifeboat that wrote it, or a later one",
            SavedProblem::Digest { .. } | SavedProblem::Seal => {
                "make it anew with `lifeboat plan RUNBOOK --out FILE`, and have that approved"
            }
        };
        Failure::refused(format!("{} cannot be run: {problem}", path.display()), hint)
    })
}

/// # Errors
/// It is past its end; with the command that makes a new one.
pub fn refuse_expired(path: &Path, saved: &Saved, now: Timestamp) -> Result<(), Failure> {
    match saved.valid_until {
        Some(until) if until <= now => Err(Failure::refused(
            format!("the plan {} was valid until {}, and it is {}", path.display(), moment(until), moment(now)),
            anew(path, saved),
        )),
        Some(_) | None => Ok(()),
    }
}

fn anew(path: &Path, saved: &Saved) -> String {
    format!("`lifeboat plan {} --out {}` makes a new one", saved.again, path.display())
}

/// What a saved plan comes to now.
#[derive(Debug)]
pub struct Reread {
    pub plan: Plan,
    pub scene: Scene,
    /// What had moved and is accepted.
    pub accepted: Vec<Accepted>,
}

/// A difference that whoever starts the run goes past.
#[derive(Debug)]
pub struct Accepted {
    drift: Drift,
    reason: String,
    facts: Vec<Fact>,
}

impl Accepted {
    pub fn event(self, by: &Person) -> Event {
        let Self { drift, reason, facts } = self;
        Event::DriftAccepted { drift, by: by.clone(), reason, facts }
    }
}

/// Reads the world again for a plan that is to be run.
pub async fn reread(
    session: &Session,
    path: &Path,
    (plan, saved): (Plan, Saved),
    arguments: &RunArguments,
    with_people: bool,
) -> Result<Reread, Failure> {
    fits(path, &plan, &saved, arguments)?;
    refuse_expired(path, &saved, world::clock(&plan.site).now())?;
    let runbook = embedded(path, &plan, &saved)?;
    let scene = world::open_planned(session, &arguments.place, with_people, &plan.site).await?;
    let mut drifts = Vec::new();
    drifts.extend(moved_runbook(&plan, &saved));
    let values = values_now(&runbook, &plan, &scene.site, &arguments.place)?;
    drifts.extend(drift::parameters(&plan.parameters, &values));
    let now = make(session, &runbook, &plan, &scene).await;
    drifts.extend(drift::between(&plan, &now));
    let accepted = accept(path, &saved, drifts, &now, arguments)?;
    let plan = Plan { saved: Some(Box::new(saved)), ..drift::as_saved(&plan, now) };
    Ok(Reread { plan, scene, accepted })
}

/// The command line says nothing else than the plan.
fn fits(path: &Path, plan: &Plan, saved: &Saved, arguments: &RunArguments) -> Result<(), Failure> {
    if let Some(mode) = arguments.mode
        && mode != plan.mode
    {
        return Err(Failure::usage(
            format!("{} is a plan for the mode {}, and --mode says {mode}", path.display(), plan.mode),
            "leave --mode out, or make another plan",
        ));
    }
    if arguments.force.is_some() {
        return Err(Failure::usage(
            "--force belongs into the plan: who approves it shall see it",
            format!("{}, with --force REASON", anew(path, saved)),
        ));
    }
    if saved.again.contains("--simulate") {
        return Err(Failure::refused(
            format!("{} was made in a simulated Azure that ended with its process", path.display()),
            "start `lifeboat sim --site-out site.yaml`, and make the plan with --site site.yaml",
        ));
    }
    Ok(())
}

/// The runbook that the plan was made of, from the plan itself.
fn embedded(path: &Path, plan: &Plan, saved: &Saved) -> Result<Runbook, Failure> {
    if hex(saved.runbook.as_bytes()) != plan.runbook_sha256 {
        return Err(Failure::refused(
            format!("{} cannot be run: the runbook in it is not the one that it was made of", path.display()),
            anew(path, saved),
        ));
    }
    Ok(runbook::check(&saved.runbook_file, saved.runbook.as_bytes())?)
}

/// Where the runbook's file is there, it is still the same.
fn moved_runbook(plan: &Plan, saved: &Saved) -> Option<Drift> {
    let there = std::fs::read(&saved.runbook_file).ok()?;
    let is = hex(&there);
    (is != plan.runbook_sha256).then(|| drift::of_runbook(&plan.runbook_sha256, &is))
}

/// The parameters as this command line and the site give them now. What came from elsewhere than the site has not moved.
fn values_now(runbook: &Runbook, plan: &Plan, site: &Site, place: &Where) -> Result<BTreeMap<String, Value>, Failure> {
    let of_site = |name: &String, was: &Value| plan.site.parameters.get(name) == Some(was);
    let mut values = plan.parameters.clone();
    for (name, value) in &mut values {
        if of_site(name, value)
            && let Some(now) = site.parameters.get(name)
        {
            *value = now.clone();
        }
    }
    plan::bind_parameters(runbook, place, &values, plan.mode)
}

/// The same plan, made now: with its own parameters, so that each difference has one name.
async fn make(session: &Session, runbook: &Runbook, plan: &Plan, scene: &Scene) -> Plan {
    let ingredients = Ingredients {
        runbook,
        parameters: plan.parameters.clone(),
        mode: plan.mode,
        purpose: Purpose::Run,
        forced: plan.forced.clone(),
        site: Site::clone(&scene.site),
        history: history::in_time(session, Some(&scene.site)).await,
    };
    plan::probe(session, ingredients, scene).await
}

/// Every difference is accepted by name, or nothing starts.
fn accept(
    path: &Path,
    saved: &Saved,
    drifts: Vec<Drift>,
    now: &Plan,
    arguments: &RunArguments,
) -> Result<Vec<Accepted>, Failure> {
    let accepted = |drift: &&Drift| drift.may_be_accepted() && arguments.accept_drift.contains(&drift.what);
    let open: Vec<Drift> = drifts.iter().filter(|drift| !accepted(drift)).cloned().collect();
    if !open.is_empty() {
        let names = open.iter().filter(|drift| drift.may_be_accepted()).map(|drift| drift.what.as_str());
        let names: Vec<String> = names.map(|name| format!("--accept-drift {name}")).collect();
        let or = match names.as_slice() {
            [] => String::new(),
            names => format!("; or run it all the same with {} --reason TEXT", names.join(" ")),
        };
        return Err(Failure::refused(
            format!(
                "the plan {} is not what would be done now, so nothing was started\n{}",
                path.display(),
                drift::told(&open)
            ),
            format!("{}{or}", anew(path, saved)),
        ));
    }
    for name in &arguments.accept_drift {
        if !drifts.iter().any(|drift| drift.what == *name) {
            eprintln!("{name} has not moved; nothing is accepted for it");
        }
    }
    if drifts.is_empty() {
        return Ok(Vec::new());
    }
    let reason = super::reason(arguments.reason.as_deref().unwrap_or_default(), "--reason")?;
    let facts = |drift: &Drift| {
        let step = now.steps.iter().find(|step| Some(&step.id) == drift.step.as_ref());
        step.map(|step| step.probe.facts.clone()).unwrap_or_default()
    };
    Ok(drifts.into_iter().map(|drift| Accepted { facts: facts(&drift), reason: reason.clone(), drift }).collect())
}

/// The approvals that the command line names, each held against the plan, the clock, and those before it. `starter`: none
/// where nobody starts anything.
pub fn approvals(
    plan: &Plan,
    starter: Option<&Person>,
    now: Timestamp,
    files: &[PathBuf],
) -> Result<Vec<Approval>, Failure> {
    let asked = Asked { plan: &plan.digest, run: None, simulated: false, trusted: plan.site.trusted(), starter };
    let mut taken: Vec<Approval> = Vec::new();
    for path in files {
        let approval = approve::read(path)?;
        let flawed = |flaw: &dyn std::fmt::Display, hint: &str| {
            Failure::refused(format!("{} does not count: {flaw}", path.display()), hint)
        };
        approval.check(asked).map_err(|flaw| flawed(&flaw, flaw.hint()))?;
        if taken.iter().any(|taken| approval.repeats(taken, asked.trusted)) {
            let flaw = Flaw::Twice(approval.by.shown().to_owned());
            return Err(flawed(&flaw, flaw.hint()));
        }
        approve::refuse_ended(&approval, now).map_err(|failure| flawed(&failure.message, &failure.hint))?;
        taken.push(approval);
    }
    Ok(taken)
}

/// `verify PLAN.json` and `verify APPROVAL.json`: offline.
pub fn verify(session: &Session, path: &Path) -> Result<Exit, Failure> {
    let bytes = check::read(path, "file")?;
    let shown = path.display();
    let is_approval = serde_json::from_slice::<Value>(&bytes).is_ok_and(|value| value.get("scope").is_some());
    let (told, text, digest) = if is_approval {
        let approval = approve::read(path)?;
        let site = session.site()?;
        let trusted = site.as_ref().map_or(&NOBODY, |site| site.trusted());
        approval.check_itself(trusted).map_err(|flaw| Failure::refused(format!("{shown}: {flaw}"), flaw.hint()))?;
        let told = Approved::of(&approval, trusted, None);
        let signed = match &approval.signature {
            Some(signature) => format!("the signature fits, of the key {}", signature.key),
            None => "whoever can write the file can have written it".to_owned(),
        };
        let ended = if approval.has_ended(Clock::Wall.now()) { "; it has ended" } else { "" };
        let run = approval.run.as_ref().map(|run| format!(" of run {run}")).unwrap_or_default();
        let text = format!("{}{run}; {signed}{ended}", told.sentence());
        (json!({ "approval": told, "signed": approval.signature.is_some() }), text, approval.plan)
    } else {
        let (plan, saved) = read(path, &bytes)?;
        let until = saved.valid_until.map(|until| format!("; valid until {}", moment(until))).unwrap_or_default();
        let text = format!("its digest and its seal fit its content{until}");
        (json!({ "plan": text, "valid_until": saved.valid_until }), text, plan.digest)
    };
    if session.json() {
        let mut verdict = json!({ "v": 1, "file": shown.to_string(), "plan_digest": digest, "intact": true });
        if let (Some(verdict), Value::Object(told)) = (verdict.as_object_mut(), told) {
            verdict.extend(told);
        }
        return super::print(&serde_json::to_string_pretty(&verdict).expect("text keys"));
    }
    super::print(&format!("{shown}: {text}\nplan {digest}"))
}

/// What a plan's file holds beside the plan.
pub fn beside(plan: &Plan, path: &Path, again: String, valid_until: Option<Timestamp>) -> Result<Saved, Failure> {
    let bytes = check::read(path, "runbook")?;
    if hex(&bytes) != plan.runbook_sha256 {
        return Err(Failure::refused("the runbook was changed while it was planned", "type the command again"));
    }
    let runbook = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Saved { runbook_file: path.display().to_string(), runbook, again, valid_until, seal: String::new() })
}
