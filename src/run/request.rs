//! What people ask of a run, and whether it can be taken: the event that it comes to, or why not. Pure.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Event, Person, State, StepState,
    approval::{Approval, Asked, Flaw},
    inquiry::Inquiry,
    state::Alone,
};
use crate::{
    runbook::{ActionKind, Effect, StepId},
    style::moment,
};

/// What people ask of a running process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    Stop {
        by: Person,
        abort: bool,
        reason: String,
        /// Take back what can be taken back, then end.
        #[serde(default)]
        undo: bool,
    },
    Approve {
        step: StepId,
        by: Person,
        comment: Option<String>,
    },
    /// A yes in a document, for a step that asks, or for one that somebody went past alone. `over`: why this person goes on
    /// alone, in an emergency.
    Vouch {
        step: StepId,
        approval: Arc<Approval>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        over: Option<String>,
    },
    Refuse {
        step: StepId,
        by: Person,
        comment: Option<String>,
    },
    /// Go on without a step that only reads.
    Skip {
        step: StepId,
        by: Person,
        reason: String,
    },
    /// Somebody did what the step is for; a probe must agree.
    Adopt {
        step: StepId,
        by: Person,
        reason: String,
    },
    /// What became of a step in doubt, or of an undo that is stuck, where no probe can tell.
    Settle {
        step: StepId,
        by: Person,
        reason: String,
        happened: bool,
        /// Outputs for later steps, for what no probe can tell.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        outputs: Map<String, Value>,
    },
    /// Nothing more starts until somebody lifts it.
    Pause {
        by: Person,
        #[serde(default)]
        reason: Option<String>,
    },
    /// Lifts a pause.
    Resume {
        by: Person,
    },
}

impl Request {
    /// A run that is over takes nothing but the sign-off of what one person did alone.
    pub fn may_follow_the_end(&self, state: &State) -> bool {
        let Self::Vouch { step, over: None, .. } = self else { return false };
        state.open_items().any(|alone| state.planned(alone.place).id == *step)
    }

    /// It is answered only after the world was looked at, which may take minutes.
    pub fn looks(&self) -> bool {
        match self {
            Self::Adopt { .. } | Self::Settle { .. } => true,
            Self::Stop { .. }
            | Self::Approve { .. }
            | Self::Vouch { .. }
            | Self::Refuse { .. }
            | Self::Skip { .. }
            | Self::Pause { .. }
            | Self::Resume { .. } => false,
        }
    }
}

/// What a request comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// It can be taken as it is.
    Take(Event),
    /// The world must be looked at first.
    Look(Inquiry),
}

/// What a person's request comes to, or why it cannot be taken now.
pub fn respond(state: &State, now: Timestamp, request: Request) -> Result<Response, String> {
    let waiting = |step: &StepId| -> Result<(), String> {
        let wanted = state.approvals_wanted();
        if wanted.contains_key(step) {
            return Ok(());
        }
        let now = wanted.keys().map(|step| format!("`{step}`")).collect::<Vec<_>>().join(", ");
        let now =
            if now.is_empty() { "no step waits for an approval now".to_owned() } else { format!("waiting now: {now}") };
        Err(format!("step `{step}` does not wait for an approval; {now}"))
    };
    let event = match request {
        Request::Adopt { step, by, reason } => {
            return Inquiry::adoption(state, step, by, reason).map(Response::Look);
        }
        Request::Settle { step, by, reason, happened, outputs } => {
            return Inquiry::settlement(state, step, (by, reason), happened, outputs).map(Response::Look);
        }
        Request::Pause { by, reason } => {
            may_be_paused(state)?;
            Event::Paused { by, reason }
        }
        Request::Resume { .. } if state.hold.is_none() => return Err("the run is not paused".to_owned()),
        Request::Resume { by } => Event::PauseLifted { by },
        Request::Stop { by, abort, reason, undo } => Event::StopRequested { by, abort, reason, undo },
        Request::Skip { step, by, reason } => {
            may_be_skipped(state, &step)?;
            Event::StepSkipped { step, reason, by: Some(by) }
        }
        Request::Approve { step, by, comment } => {
            waiting(&step)?;
            may_approve(state, now, &step, &by)?;
            Event::ApprovalGiven { step, by, comment }
        }
        Request::Vouch { step, approval, over: Some(reason) } => {
            waiting(&step)?;
            Event::ApprovalOverridden { step, by: approval.by.clone(), reason }
        }
        Request::Vouch { step, approval, over: None } => {
            if let Some(alone) = to_sign_off(state, &step) {
                may_sign_off(state, alone, &approval)?;
                return Ok(Response::Take(Event::ApprovalSignedOff { step, approval }));
            }
            waiting(&step)?;
            may_file(state, now, &step, &approval)?;
            Event::ApprovalFiled { approval }
        }
        Request::Refuse { step, by, comment } => {
            waiting(&step)?;
            Event::ApprovalRefused { step, by, comment }
        }
    };
    Ok(Response::Take(event))
}

/// What somebody did alone there; not while the step asks again, which an earlier override does not answer.
fn to_sign_off<'a>(state: &'a State, step: &StepId) -> Option<&'a Alone> {
    let place = state.place(step)?;
    let asks_again = state.approvals_wanted().contains_key(step) && !state.steps[place].alone;
    state.open_items().filter(|_| !asks_again).find(|alone| alone.place == place)
}

/// A yes without a document: never where the site asks for signatures.
fn may_approve(state: &State, now: Timestamp, step: &StepId, by: &Person) -> Result<(), String> {
    let asked = asked(state);
    if !asked.trusted.is_empty() {
        return Err(told(&Flaw::untrusted(asked.trusted)));
    }
    if by.simulated && !asked.simulated {
        return Err(told(&Flaw::StandIn));
    }
    if asked.starter.is_some_and(|starter| by.is_same(starter, asked.trusted)) {
        return Err(told(&Flaw::Starter(by.shown().to_owned())));
    }
    is_new(state, now, step, by)
}

fn may_file(state: &State, now: Timestamp, step: &StepId, approval: &Approval) -> Result<(), String> {
    counts_for(state, step, approval)?;
    is_new(state, now, step, &approval.person())
}

/// Another person than whoever went on alone, and than whoever started the run; with this in view, not before it was done.
fn may_sign_off(state: &State, alone: &Alone, approval: &Approval) -> Result<(), String> {
    if approval.is_by(&alone.by, asked(state).trusted) {
        return Err(format!("{} went on alone, and it is signed off by somebody else", alone.by.shown()));
    }
    counts_for(state, &state.planned(alone.place).id, approval)?;
    if approval.at < alone.at {
        return Err(format!(
            "the approval was given at {}, before {} went on alone at {}; have it given anew: \
             `lifeboat approve RUN STEP`",
            moment(approval.at),
            alone.by.shown(),
            moment(alone.at)
        ));
    }
    Ok(())
}

fn counts_for(state: &State, step: &StepId, approval: &Approval) -> Result<(), String> {
    if !approval.covers(step) {
        return Err(told(&Flaw::OtherStep(step.clone())));
    }
    approval.check(asked(state)).map_err(|flaw| told(&flaw))
}

/// Nothing that this person has said to the step still counts.
fn is_new(state: &State, now: Timestamp, step: &StepId, by: &Person) -> Result<(), String> {
    let place = state.place(step).ok_or("no such step")?;
    if state.counting(place, now).any(|given| given.by.is_same(by, state.plan.site.trusted())) {
        return Err(told(&Flaw::Twice(by.shown().to_owned())));
    }
    Ok(())
}

fn told(flaw: &Flaw) -> String {
    format!("{flaw}; {}", flaw.hint())
}

/// What an approval of this run is held against. In a simulation one person plays everybody.
pub fn asked(state: &State) -> Asked<'_> {
    let site = &state.plan.site;
    Asked {
        plan: &state.plan.digest,
        run: Some(&state.run),
        simulated: site.is_simulated(),
        trusted: site.trusted(),
        starter: Some(&state.by).filter(|by| !by.simulated),
    }
}

/// Every approval that a run counted or may count still does: its plan, its run, its signature, and the key that the site
/// trusts. How many are signed.
///
/// # Errors
/// The first that does not: whose it is, and why.
pub fn approvals_hold(state: &State) -> Result<usize, (&Person, String)> {
    let asked = asked(state);
    let mut given = state.approvals().map(|(_, given)| given);
    if let Some(bare) = given.find(|given| given.document.is_none() && !asked.trusted.is_empty()) {
        return Err((&bare.by, Flaw::untrusted(asked.trusted).to_string()));
    }
    let filed = || state.filed.iter().map(|filed| &filed.approval);
    let offs = || state.alone.iter().filter_map(|alone| alone.signed_off.as_ref().map(|off| (alone, &off.approval)));
    for approval in filed() {
        approval.check(asked).map_err(|flaw| (&approval.by, flaw.to_string()))?;
    }
    for (alone, approval) in offs() {
        may_sign_off(state, alone, approval).map_err(|flaw| (&approval.by, flaw))?;
    }
    Ok(filed().chain(offs().map(|(_, approval)| approval)).filter(|approval| approval.signature.is_some()).count())
}

fn may_be_paused(state: &State) -> Result<(), String> {
    if let Some(hold) = &state.hold {
        return Err(format!("{} has paused the run already", hold.by.name));
    }
    if state.goes_back() {
        return Err(
            "the run is on its way back, which is not held half-way: SIGINT in its terminal stops it".to_owned()
        );
    }
    Ok(())
}

/// Why a person may not go on without this step, or that it can be done: it only reads, its turn has come, and it is
/// not done.
pub fn may_be_skipped(state: &State, step: &StepId) -> Result<(), String> {
    let place = state.place(step).ok_or_else(|| format!("the run has no step `{step}`"))?;
    let planned = state.planned(place);
    let action = planned.action;
    match action {
        ActionKind::Approval => return Err(format!("step `{step}` is an approval: approve or reject it")),
        ActionKind::ConfirmOutage => {
            return Err(format!(
                "step `{step}` keeps two regions from taking traffic: start a run with --force instead"
            ));
        }
        _ if planned.effect != Effect::ReadOnly => {
            return Err(format!(
                "step `{step}` ({action}) changes the world: what waits for it would find it unchanged"
            ));
        }
        _ if state.goes_back() => return Err("the run is on its way back".to_owned()),
        _ => {}
    }
    match &state.steps[place].state {
        StepState::Failed { .. } if state.tolerated(place) => {
            Err(format!("step `{step}` failed, and the run goes on without it anyway"))
        }
        StepState::Failed { .. } | StepState::Waiting { .. } => Ok(()),
        StepState::Running { attempt, .. } if attempt.intent.is_none() => Ok(()),
        StepState::Running { .. } | StepState::InDoubt { .. } => {
            Err(format!("what became of step `{step}` is not known yet: resume the run, then look again"))
        }
        StepState::Pending { .. } => Err(format!("step `{step}` has not been tried yet: its turn has not come")),
        StepState::Succeeded { .. } => Err(format!("step `{step}` is done")),
        StepState::Skipped { .. } => Err(format!("step `{step}` is skipped already")),
        StepState::Undoing { .. } | StepState::Undone | StepState::UndoFailed { .. } => {
            Err(format!("step `{step}` is being undone"))
        }
    }
}
