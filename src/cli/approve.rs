//! `approve`: a yes to a saved plan, in a file, or to a step of a run that asks.

use std::{path::Path, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{
    Exit, Failure, Session,
    arguments::ApproveArguments,
    check,
    identity::{identify, signing_key},
    people, print,
    run::not_the_one,
    saved, world,
};
use crate::{
    run::{
        Person, State,
        approval::{self, Approval, Scope},
        request::Request,
    },
    runbook::StepId,
    site::Site,
    store::write_private,
    style::moment,
};

/// Clocks of two machines may differ by so much before an approval is called one of the future.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(5);

/// A yes to a plan without an end, when nobody says for how long.
const LASTS: SignedDuration = SignedDuration::from_hours(24);

pub async fn approve(session: &Session, arguments: ApproveArguments) -> Result<Exit, Failure> {
    match &arguments.out {
        Some(out) => approve_plan(session, &arguments, out).await,
        None => Box::pin(approve_run(session, &arguments)).await,
    }
}

/// Before the run, for a plan in a file.
async fn approve_plan(session: &Session, arguments: &ApproveArguments, out: &Path) -> Result<Exit, Failure> {
    if arguments.alone || arguments.approval.is_some() {
        return Err(Failure::usage(
            "--override and --approval are for a run, and --out approves a plan before it is run",
            "leave --out out, and name the run and its step",
        ));
    }
    let file = Path::new(&arguments.run);
    let (plan, saved) = saved::read(file, &check::read(file, "plan")?)?;
    let scope = match &arguments.step {
        None => Scope::Plan,
        Some(step) if plan.steps.iter().any(|planned| planned.id.as_str() == step) => Scope::Step(StepId::new(step)),
        Some(step) => {
            return Err(Failure::usage(
                format!("the plan has no step `{step}`"),
                "leave it out to approve the whole plan",
            ));
        }
    };
    let now = world::clock(&plan.site).now();
    saved::refuse_expired(file, &saved, now)?;
    let site = rules(session, &plan.site)?;
    let by = approver(session, &site, &plan.site).await;
    let end = saved.valid_until.or_else(|| arguments.valid_for.is_none().then(|| now + LASTS));
    let (comment, until) = (arguments.comment.clone(), until(now, arguments.valid_for, end));
    let plain = Approval {
        format: approval::FORMAT,
        plan: plan.digest,
        scope,
        run: None,
        by,
        comment,
        at: now,
        until,
        signature: None,
    };
    let approval = signed(session, &site, plain)?;
    approval.check_itself(plan.site.trusted()).map_err(|flaw| Failure::refused(flaw.to_string(), flaw.hint()))?;
    let text = serde_json::to_string_pretty(&approval).expect("approvals have text keys") + "\n";
    write_private(out, text.as_bytes()).map_err(|error| {
        Failure::refused(format!("cannot write {}: {error}", out.display()), "name another file with --out")
    })?;
    if session.json() {
        return print(&text);
    }
    let how = if approval.signature.is_some() { "signed" } else { "not signed" };
    eprintln!("next: lifeboat run {} --approval {}", file.display(), out.display());
    let until = approval.until.map(|until| format!(", until {}", moment(until))).unwrap_or_default();
    print(&format!("approved by {} ({how}){until}: plan {}", approval.by.shown(), approval.plan))
}

/// A step of a run that asks, or what somebody did alone there.
async fn approve_run(session: &Session, arguments: &ApproveArguments) -> Result<Exit, Failure> {
    let run = &arguments.run;
    let Some(step) = &arguments.step else {
        return Err(Failure::usage(
            format!("which step of run `{run}`?"),
            "name it; to approve a plan before it is run, say where to write the approval with --out",
        ));
    };
    let over = match (arguments.alone, &arguments.reason) {
        (true, reason) => Some(super::reason(reason.as_deref().unwrap_or_default(), "--reason")?),
        (false, _) => None,
    };
    let kept = world::store(session, None)?.open(run).await?;
    let (state, _) = kept.load().await?;
    let site = rules(session, &state.plan.site)?;
    let now = world::clock(&state.plan.site).now().max(state.last_event_at);
    let approval = match &arguments.approval {
        Some(file) => read(file)?,
        None => {
            // In a simulation one person plays everybody.
            let by = Person { simulated: kept.is_simulated(), ..approver(session, &site, &state.plan.site).await };
            let plain = Approval {
                format: approval::FORMAT,
                plan: state.plan.digest.clone(),
                scope: Scope::Step(StepId::new(step)),
                run: Some(state.run.clone()),
                by,
                comment: arguments.comment.clone(),
                at: now,
                until: until(now, arguments.valid_for, None),
                signature: None,
            };
            if over.is_some() { plain } else { signed(session, &site, plain)? }
        }
    };
    refuse_ended(&approval, now)?;
    not_the_one(&approval.by, &state.plan.operator_must_not_be)?;
    let word = word(&state, step, over.is_some());
    let short = approval::short(&state.plan.digest);
    let done = format!("{word}: step {step} of run {run}, plan {short}");
    let request = Request::Vouch { step: StepId::new(step), approval: Arc::new(approval), over };
    people::ask(session, run, request, &done).await
}

fn word(state: &State, step: &str, alone: bool) -> &'static str {
    let open = state.open_items().any(|item| state.planned(item.place).id.as_str() == step);
    match (alone, open) {
        (true, _) => "approved alone, to be signed off by somebody else",
        (false, true) => "signed off",
        (false, false) => "approved",
    }
}

/// Reads an approval that somebody hands in.
pub fn read(file: &Path) -> Result<Approval, Failure> {
    let bytes = check::read(file, "approval")?;
    serde_json::from_slice(&bytes).map(Approval::handed_in).map_err(|error| {
        Failure::refused(
            format!("{} is no approval: {error}", file.display()),
            "`lifeboat approve PLAN.json --out FILE` writes one",
        )
    })
}

/// An approval counts between two moments.
pub fn refuse_ended(approval: &Approval, now: Timestamp) -> Result<(), Failure> {
    let flaw = match approval.until {
        Some(until) if until <= now => approval::Flaw::Ended(until),
        Some(_) | None if approval.at > now + CLOCKS_DIFFER => approval::Flaw::Early(approval.at),
        Some(_) | None => return Ok(()),
    };
    Err(Failure::refused(flaw.to_string(), flaw.hint()))
}

/// The approver's own site, else the plan's: whose token and key are asked.
fn rules(session: &Session, planned: &Site) -> Result<Site, Failure> {
    Ok(session.site()?.map_or_else(|| planned.clone(), |own| Site::clone(&own)))
}

/// Who approves. Another cloud than the plan's does not say who somebody is.
async fn approver(session: &Session, site: &Site, planned: &Site) -> Person {
    let by = identify(session, site).await;
    Person { verified: by.verified && site.endpoints == planned.endpoints, ..by }
}

/// Until when a yes counts: as long as it was said to, and no longer than what it is for.
fn until(now: Timestamp, valid_for: Option<Duration>, end: Option<Timestamp>) -> Option<Timestamp> {
    let lasts = valid_for.map(|valid| now + SignedDuration::try_from(valid).unwrap_or(SignedDuration::MAX));
    lasts.into_iter().chain(end).min()
}

/// Signed, where the site names a key.
fn signed(session: &Session, site: &Site, plain: Approval) -> Result<Approval, Failure> {
    Ok(match signing_key(session, site)? {
        Some(key) => plain.signed(&key),
        None => plain,
    })
}
