//! What became of a run: how it stands, what failed, what is true now, how long each phase took, and what happened.

use jiff::Timestamp;
use serde::Serialize;

use super::{Beside, Deviation, PhaseClock, deviations, phases};
use crate::{
    report::{
        Accepted, Advice, Approved, Judgement, ObjectiveVerdict, OpenItem, Override, Standing, Summary, World,
        approvals::{done_alone, identity, who},
        decision::Kind,
        objectives::age_in_words,
        step::StepView,
        story::{Voice, Weight, retell},
    },
    run::{Record, State},
    runbook::StepId,
    style::{duration, moment},
};

#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    pub standing: Standing,
    /// Why it ended so. Lower-case fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub by: String,
    /// How it is known who that is: `unverified`.
    pub identity: String,
    pub started_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    pub elapsed_s: i64,
    pub steps_done: usize,
    pub steps_in_all: usize,
    /// Steps that failed, are in doubt, were undone or skipped, or wait for somebody: what failed first.
    pub attention: Vec<StepView>,
    pub overrides: Vec<Override>,
    /// What one person approved alone, signed off since or not.
    pub done_alone: Vec<OpenItem>,
    /// What had moved since the plan was saved, and who ran it all the same.
    pub accepted_drift: Vec<Accepted>,
    /// Approvals that were filed with the plan and that no step has asked for.
    pub unused_approvals: Vec<Approved>,
    pub world: World,
    pub clock: PhaseClock,
    pub objectives: ObjectiveVerdict,
    /// How each figure was computed. Sentences without full stop.
    pub computed: Vec<String>,
    pub deviations: Vec<Deviation>,
    /// Processes that drove it, the first one included.
    pub drives: u32,
    pub next: Vec<Advice>,
    pub happened: Vec<Happened>,
    /// Records of the journal.
    pub records: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
}

/// One line of the record of what happened.
#[derive(Clone, Debug, Serialize)]
pub struct Happened {
    pub seq: u64,
    pub at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// One line.
    pub says: String,
}

impl Outcome {
    pub(super) fn of(state: &State, records: &[Record], standing: Standing, at: Timestamp, beside: &Beside) -> Self {
        let summary = Summary::of(state, standing, at, &beside.commands);
        let mut attention = summary.attention;
        attention.sort_by_key(|view| (view.error.is_none(), view.doubt.is_none()));
        Self {
            standing,
            reason: summary.reason,
            by: who(&state.by),
            identity: identity(&state.by).to_owned(),
            started_at: summary.started_at,
            ended_at: summary.ended_at,
            elapsed_s: summary.elapsed_s,
            steps_done: summary.steps_done,
            steps_in_all: summary.steps_in_all,
            attention,
            overrides: summary.overrides,
            done_alone: done_alone(state),
            accepted_drift: summary.accepted_drift,
            unused_approvals: summary.approvals.into_iter().filter(|one| one.step.is_none()).collect(),
            world: summary.world,
            clock: phases::of(state, at, beside.incident),
            computed: computed(&summary.objectives, beside.incident),
            objectives: summary.objectives,
            deviations: deviations::of(state, records, at),
            drives: state.generation,
            next: summary.next,
            happened: happened(records, &beside.commands),
            records: records.len(),
            head: beside.head.clone(),
        }
    }

    /// One lower-case fragment.
    pub(super) fn ended_because(&self) -> String {
        match &self.reason {
            Some(reason) => format!("{}: {reason}", self.standing.word()),
            None => self.standing.word().to_owned(),
        }
    }

    /// Of what people did: those that nobody has signed off.
    pub(super) fn open_items(&self) -> impl Iterator<Item = &OpenItem> {
        self.done_alone.iter().filter(|item| item.signed_off_at.is_none())
    }

    /// Decisions against what was seen, and in its place. What one person approved alone is judged as an open item: once it
    /// is signed off, it is an approval.
    pub(super) fn decided(&self) -> Vec<String> {
        let against = self.overrides.iter().filter(|decision| decision.kind != Kind::ApprovedAlone);
        let against = against.map(Override::sentence);
        against.chain(self.accepted_drift.iter().map(Accepted::sentence)).collect()
    }

    /// `recovered in 57m`
    pub(super) fn elapsed(&self) -> String {
        duration(jiff::SignedDuration::from_secs(self.elapsed_s))
    }
}

fn computed(reached: &ObjectiveVerdict, incident: Option<Timestamp>) -> Vec<String> {
    let judged = |judgement| match judgement {
        Judgement::Met => "met",
        Judgement::Missed => "missed",
        Judgement::Unknown => "not known, or not reached yet",
        Judgement::NotSet => "the runbook sets none",
    };
    let figure = |reached: Option<std::time::Duration>| {
        reached.map_or_else(|| "not known".to_owned(), |reached| super::said(reached.as_secs()))
    };
    let mut says = vec![format!(
        "RTO: {}; from the moment at which the plan was written into the journal until the last step was done, or the run ended \
         without that ({})",
        figure(reached.rto.reached),
        judged(reached.rto.judgement)
    )];
    if let Some(incident) = incident {
        says.push(format!(
            "The incident is said to have begun at {}; the phase clock counts from there, the RTO's judgement does not",
            moment(incident)
        ));
    }
    let rpo = reached.rpo.reached.map_or_else(
        || "not known: no backup was chosen".to_owned(),
        |age| {
            if reached.only_backs_up {
                format!(
                    "{}; how old the newest backup had become when the run's own was whole",
                    super::said(age.as_secs())
                )
            } else {
                format!(
                    "the backup was {}; its age is counted from its own creation, not from its upload",
                    age_in_words(age)
                )
            }
        },
    );
    says.push(format!("RPO: {rpo} ({})", judged(reached.rpo.judgement)));
    says
}

/// Every event that is worth a line in a log, told as the live view tells it.
fn happened(records: &[Record], commands: &crate::report::Commands) -> Vec<Happened> {
    let voice = Voice { commands: commands.clone(), asks_here: false };
    let told = retell(records.iter().map(|record| (record.at, &record.event)), &voice);
    let told = told.into_iter().filter(|(_, _, sentence)| sentence.weight >= Weight::Detail);
    let lines = told.map(|(place, at, sentence)| Happened {
        seq: records[place].seq,
        at,
        step: sentence.step,
        says: sentence.text,
    });
    lines.collect()
}
