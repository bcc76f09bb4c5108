//! `run`, `drill` and `resume`.

use std::sync::Arc;

use super::{
    Exit, Failure, Session,
    arguments::{DrillArguments, RunArguments},
    check,
    claimed::Claimed,
    confirm,
    drive::{self, Drive},
    identity::identify,
    machine::Machine,
    people, plan, saved, targets, world,
};
use crate::{
    clock::Clock,
    plan::{facts::Severity, saved::is_plan, text},
    run::{Event, Person, RunId, State, TakeOver},
    runbook::Mode,
    store::{Claim, Store, StoreError},
};

/// A run in drill mode. `operator_must_not_be`: recorded in its plan, and held against whoever goes on with it.
pub async fn drill(session: &Session, arguments: DrillArguments) -> Result<Exit, Failure> {
    let DrillArguments { run: mut arguments, operator_must_not_be } = arguments;
    if let Some(given) = arguments.mode.replace(Mode::Drill).filter(|given| *given != Mode::Drill) {
        return Err(Failure::usage(
            format!("`lifeboat drill` is a run in drill mode, and --mode says {given}"),
            "leave --mode out, or use `lifeboat run`",
        ));
    }
    not_the_one(&session.machine.user, &operator_must_not_be)?;
    Box::pin(begin(session, arguments, operator_must_not_be)).await
}

/// A rehearsal that only one person can do rehearses the wrong thing.
pub fn not_the_one(by: &Person, excluded: &[String]) -> Result<(), Failure> {
    let is = |excluded: &&String| by.is_called(excluded) || **excluded == format!("{}@{}", by.name, by.host);
    match excluded.iter().find(is) {
        None => Ok(()),
        Some(excluded) => Err(Failure::refused(
            format!("this rehearsal is not for {excluded}: it must not depend on one person"),
            "let somebody else type the command, with nothing but the runbook and the docs",
        )),
    }
}

/// Plans, asks, and drives.
pub async fn run(session: &Session, arguments: RunArguments) -> Result<Exit, Failure> {
    Box::pin(begin(session, arguments, Vec::new())).await
}

async fn begin(session: &Session, arguments: RunArguments, operator_must_not_be: Vec<String>) -> Result<Exit, Failure> {
    let mode = arguments.mode;
    let with_people = !arguments.dry_run && !arguments.consent.yes;
    let force = arguments.force.as_deref();
    let bytes = check::read(&arguments.runbook, "runbook")?;
    let (mut plan, scene, accepted) = if is_plan(&bytes) {
        let (file, place) = (&arguments.runbook, &RunArguments { mode, ..arguments.clone() });
        let reread = saved::reread(session, file, saved::read(file, &bytes)?, place, with_people).await?;
        (reread.plan, reread.scene, reread.accepted)
    } else {
        let none = arguments.approval.is_empty() && arguments.accept_drift.is_empty();
        if !none {
            return Err(Failure::usage(
                "--approval and --accept-drift are for a saved plan, and this is a runbook",
                "save a plan with `lifeboat plan RUNBOOK --out plan.json`, and run that",
            ));
        }
        let (plan, scene) = plan::make(session, &arguments.runbook, &arguments.place, mode, force, with_people).await?;
        (plan, scene, Vec::new())
    };
    plan.operator_must_not_be = operator_must_not_be;
    if arguments.dry_run {
        return plan::show(session, &plan, &arguments.runbook, &arguments.place);
    }
    if plan::is_blocked(&plan) {
        eprint!("{}", text::brief(&plan, &session.machine.style()));
        let first = plan.findings.iter().find(|finding| finding.severity == Severity::Blocker);
        let (message, remedy) = first.map(|first| (first.message.clone(), first.remedy.clone())).unwrap_or_default();
        return Err(Failure::refused(
            format!("something stands in the way, so nothing was started: {message}"),
            format!("{remedy}; `lifeboat plan` shows everything"),
        ));
    }
    if !session.json() {
        eprint!("{}", text::brief(&plan, &session.machine.style()));
    }
    let simulated = scene.simulation.is_some();
    let by = if simulated { session.machine.user.clone() } else { identify(session, &scene.site).await };
    not_the_one(&by, &plan.operator_must_not_be)?;
    let mut first: Vec<Event> = accepted.into_iter().map(|accepted| accepted.event(&by)).collect();
    let approvals = saved::approvals(&plan, Some(&by), scene.clock.now(), &arguments.approval)?;
    first.extend(approvals.into_iter().map(|approval| Event::ApprovalFiled { approval: Arc::new(approval) }));
    let confirmed = confirm::confirm(session, &plan, arguments.consent.yes, simulated)?;
    let store = world::store(session, Some(&scene.site))?;
    let run = match &arguments.run_id {
        Some(id) => RunId(id.as_str().into()),
        None => new_id(scene.clock.now()),
    };
    if simulated && matches!(store, Store::Objects(_)) {
        return Err(simulated_in(&store.shown()));
    }
    let claim = store.begin(&run, &session.machine.holder(Clock::Wall.now())).await?;
    let prepare = async |claim: &Claim| {
        let fences = targets::hold(&store, claim, &plan, simulated).await?;
        if let Some(simulation) = &scene.simulation {
            let path = claim.kept.world_path().ok_or_else(|| simulated_in(&store.shown()))?;
            simulation.world.persist_to(&path).map_err(|source| StoreError::Io { action: "write", path, source })?;
        }
        let planned = Event::Planned { run: run.clone(), plan: Arc::new(plan), by };
        let at = scene.clock.now();
        let journal = claim.begin(at, &planned).await?;
        let state = State::begin(at, &planned).map_err(|source| StoreError::Illegal { run: run.clone(), source })?;
        let operator = simulated && arguments.consent.yes;
        first.extend(confirmed);
        let take_over = None;
        Ok(Drive { store, state, journal, scene, first, take_over, fences, operator, next: 1 })
    };
    Claimed::of(claim).drive(session, prepare).await
}

fn simulated_in(place: &str) -> Failure {
    Failure::refused(
        format!("a simulated run keeps its world in a local file, and {place} is an object store"),
        "name a directory with --state, or run against `lifeboat sim`, whose runs may be kept anywhere",
    )
}

/// Goes on with a run. Nothing is needed but its journal. `take_over`: why, from a process that may still live.
/// `unless_paused`: lifts nobody's pause.
pub async fn resume(
    session: &Session,
    run: &str,
    yes: bool,
    take_over: Option<&str>,
    unless_paused: bool,
) -> Result<Exit, Failure> {
    let reason = take_over.map(|reason| super::reason(reason, "--reason")).transpose()?;
    let store = world::store(session, None)?;
    let kept = store.open(run).await?;
    // Whoever drives a paused run is only told to go on.
    if reason.is_none()
        && !unless_paused
        && let Some(exit) = people::lift(session, &kept).await?
    {
        return Ok(exit);
    }
    // The claim first: what is read under it cannot move any more.
    let claim = kept.claim(&session.machine.holder(Clock::Wall.now()), reason.is_some()).await?;
    Claimed::of(claim)
        .drive(session, async |claim| {
            let (state, loaded) = kept.load().await?;
            if loaded.torn > 0 {
                eprintln!(
                    "the journal ended in a torn line of {} bytes; it announced nothing that was begun, and is dropped",
                    loaded.torn
                );
            }
            not_the_one(&session.machine.user, &state.plan.operator_must_not_be)?;
            if state.is_over() {
                drive::print_summary(session, &state, Clock::Wall.now(), !kept.is_simulated());
                return Err(Failure::refused(
                    format!("run `{run}` is over"),
                    format!("`lifeboat status {run}` shows how it ended; start a new run"),
                ));
            }
            if let Some(hold) = state.hold.as_ref().filter(|_| unless_paused) {
                return Err(Failure::refused(
                    format!("{} has paused run `{run}`", hold.by.shown()),
                    format!("`lifeboat resume {run}` lifts the pause"),
                ));
            }
            let scene = world::reopen(session, &state.plan, &kept).await?;
            let simulated = scene.simulation.is_some();
            let confirmed_by_script = state.confirmed.as_ref().is_some_and(|(by, _)| by.simulated);
            let mut first = Vec::new();
            if state.confirmed.is_none() {
                first.extend(confirm::confirm(session, &state.plan, yes, simulated)?);
            }
            if state.hold.is_some() {
                first.push(Event::PauseLifted { by: session.machine.user.clone() });
            }
            let fences = targets::hold(&store, claim, &state.plan, simulated).await?;
            let take_over =
                claim.over.as_ref().zip(reason).map(|(from, reason)| TakeOver { from: from.by.clone(), reason });
            let next = loaded.records.len() as u64;
            let journal = claim.journal(Some(&loaded)).await?;
            let operator = simulated && (yes || confirmed_by_script);
            Ok(Drive { store, state, journal, scene, first, take_over, fences, operator, next })
        })
        .await
}

/// `20261123-101530-3f9a`: sorts by time, can be typed.
fn new_id(now: jiff::Timestamp) -> RunId {
    let text = now.strftime("%Y%m%d-%H%M%S").to_string();
    RunId(format!("{text}-{}", Machine::random_suffix()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_excluded_is_known_by_user_and_machine_and_by_the_account_of_the_token() {
        let dana = Person {
            name: "azureuser".into(),
            host: "jump-1".into(),
            account: Some("dana@contoso.com".into()),
            ..Person::default()
        };
        let refused = |name: &str| not_the_one(&dana, &["bob".to_owned(), name.to_owned()]).is_err();
        assert!(refused("AzureUser") && refused("azureuser@jump-1") && refused("Dana@contoso.com"));
        assert!(!refused("dana") && !refused("azureuser@jump-2"));
    }
}
