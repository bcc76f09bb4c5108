//! `plan`, which is also `run --dry-run`: probes, writes nothing, prints what would happen.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    Exit, Failure, Session,
    arguments::{PlanArguments, Where},
    check, history,
    others::others,
    print, report, saved,
    world::{self, Scene},
};
use crate::{
    action::Others,
    plan::{self, Forced, Ingredients, Plan, Purpose, facts::Severity, saved as file, text},
    runbook::{Given, Mode, Runbook, bind},
    site::Site,
    store::write_private,
};

/// Makes a plan, to be run or read, for the command line's runbook, place and mode.
pub async fn make(
    session: &Session,
    runbook: &Path,
    place: &Where,
    mode: Option<Mode>,
    force: Option<&str>,
    with_people: bool,
) -> Result<(Plan, Scene), Failure> {
    make_for(Purpose::Run, session, runbook, place, mode, force, with_people).await
}

/// Makes a plan for a purpose.
pub async fn make_for(
    purpose: Purpose,
    session: &Session,
    runbook: &Path,
    place: &Where,
    mode: Option<Mode>,
    force: Option<&str>,
    with_people: bool,
) -> Result<(Plan, Scene), Failure> {
    let runbook = check::load(runbook)?;
    let mode = match mode {
        Some(mode) => mode,
        None if place.simulate.is_some() => Mode::Unplanned,
        None if session.everywhere.site.is_none() => return Err(world::no_site()),
        None => {
            return Err(Failure::usage(
                "no mode: why is the runbook run?",
                "give --mode unplanned when the active region is lost, --mode planned when it lives, --mode drill to rehearse",
            ));
        }
    };
    let forced = force.map(|reason| forced(session, mode, reason)).transpose()?;
    let scene = world::open(session, place, with_people).await?;
    let parameters = bind_parameters(&runbook, place, &scene.site.parameters, mode)?;
    let (site, history) = (Site::clone(&scene.site), history::in_time(session, Some(&scene.site)).await);
    let ingredients = Ingredients { runbook: &runbook, parameters, mode, purpose, forced, site, history };
    Ok((probe(session, ingredients, &scene).await, scene))
}

/// Makes a plan of its parts, in a world that is open already.
pub async fn probe(session: &Session, ingredients: Ingredients<'_>, scene: &Scene) -> Plan {
    let restore_timeout = ingredients.runbook.longest_restore(ingredients.mode);
    let context = scene.context.clone().beside(beside(session, &scene.site));
    plan::make(ingredients, Arc::new(context.for_run("", restore_timeout))).await
}

/// The runs that are not over where this one would be kept. Whoever only plans needs no such place, until a step asks.
fn beside(session: &Session, site: &Site) -> Others {
    match world::store(session, Some(site)) {
        Ok(store) => others(store, None),
        Err(failure) => Others::asking(move || std::future::ready(Err(failure.message.clone()))),
    }
}

/// The decision to fail over whatever is seen, in the name of whoever types it.
fn forced(session: &Session, mode: Mode, reason: &str) -> Result<Forced, Failure> {
    let reason = super::reason(reason, "--force")?;
    if mode == Mode::Unplanned {
        return Ok(Forced { by: session.machine.user.clone(), reason });
    }
    Err(Failure::usage(
        format!("--force goes past the look at a service that is believed lost, and --mode {mode} does not look"),
        "leave --force out",
    ))
}

/// A value for every parameter: `--set`, else `--parameters`, else the site's.
pub fn bind_parameters(
    runbook: &Runbook,
    place: &Where,
    site: &BTreeMap<String, Value>,
    mode: Mode,
) -> Result<BTreeMap<String, Value>, Failure> {
    let file = match &place.parameters {
        Some(path) => Some((path.display().to_string(), check::read(path, "parameter file")?)),
        None => None,
    };
    let given = Given {
        site: site.clone(),
        file: file.as_ref().map(|(name, bytes)| (name.as_str(), bytes.as_slice())),
        set: place.set.clone(),
    };
    Ok(bind(runbook, &given, mode)?)
}

pub async fn plan(session: &Session, arguments: PlanArguments) -> Result<Exit, Failure> {
    let wanted = report::Wanted::of(&arguments)?;
    let (mut plan, scene) =
        make(session, &arguments.runbook, &arguments.place, arguments.mode, arguments.force.as_deref(), false).await?;
    let on_paper = arguments.print && !session.json();
    if !on_paper {
        show(session, &plan, &arguments.runbook, &arguments.place)?;
    }
    if let Some(out) = &arguments.out {
        let saved = save(session, &plan, scene.clock.now(), &arguments, out)?;
        plan.saved = Some(Box::new(saved));
    }
    if on_paper {
        print(&text::paper(&plan, &session.machine.style_out()))?;
    }
    if let Some(wanted) = wanted {
        wanted.write(session, &plan, &arguments.runbook).await?;
    }
    Ok(if is_blocked(&plan) { Exit::Refused } else { Exit::Done })
}

/// Writes a plan so that it can be approved, and run as it is.
fn save(
    session: &Session,
    plan: &Plan,
    now: Timestamp,
    arguments: &PlanArguments,
    out: &Path,
) -> Result<file::Saved, Failure> {
    let lasts = |valid| now + SignedDuration::try_from(valid).unwrap_or(SignedDuration::MAX);
    let again = again(session, plan, &arguments.runbook, &arguments.place);
    let saved = saved::beside(plan, &arguments.runbook, again, arguments.valid_for.map(lasts))?;
    write_private(out, file::write(plan, saved.clone()).as_bytes()).map_err(|error| {
        Failure::refused(format!("cannot write {}: {error}", out.display()), "name another file with --out")
    })?;
    if !session.json() && arguments.place.simulate.is_none() && !is_blocked(plan) {
        eprintln!("plan {} is in {}", plan.digest, out.display());
        eprintln!(
            "next: lifeboat approve {0} --out approval.json, by somebody else; or lifeboat run {0}",
            out.display()
        );
    }
    Ok(saved)
}

/// Prints a plan on stdout; the exit code says whether something stands in the way.
pub fn show(session: &Session, plan: &Plan, runbook: &Path, place: &Where) -> Result<Exit, Failure> {
    if session.json() {
        print(&serde_json::to_string_pretty(plan).expect("plans have text keys"))?;
    } else {
        let again = again(session, plan, runbook, place);
        let (run, anew) = match &plan.saved {
            None => (format!("lifeboat run {again}"), format!("lifeboat plan {again}")),
            Some(saved) => {
                let file = runbook.display();
                (format!("lifeboat run {file}"), format!("lifeboat plan {} --out {file}", saved.again))
            }
        };
        let next = text::Next { run: &run, plan: &anew };
        print(&text::render(plan, &session.machine.style_out(), &next))?;
    }
    Ok(if is_blocked(plan) { Exit::Refused } else { Exit::Done })
}

/// The arguments that name the same runbook, world and mode once more.
pub fn again(session: &Session, plan: &Plan, runbook: &Path, place: &Where) -> String {
    let mut words = vec![runbook.display().to_string()];
    words.extend(place.again(session.everywhere.site.as_deref(), Some(plan.mode)));
    words.extend(plan.forced.as_ref().map(|forced| format!("--force {}", super::quoted(&forced.reason))));
    words.join(" ")
}

pub fn is_blocked(plan: &Plan) -> bool {
    plan.findings.iter().any(|finding| finding.severity == Severity::Blocker)
}
