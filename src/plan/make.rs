//! Makes a plan: every step's arguments resolved as far as they are known, every step probed, nothing written.
//!
//! Probes whose needs have been probed run at the same time. A probe that fails is a blocker, not an end:
//! the plan tells everything at once.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::Arc,
    task::{Context as TaskContext, Poll, Waker},
    time::Duration,
};

use serde_json::{Map, Value};
use tokio::task::JoinSet;

use super::{
    Certainty, FORMAT, Forced, History, Plan, PlannedStep, codes,
    digest::digest,
    facts::{Finding, Probe, gather},
    graph::Graph,
    history::Rehearsed,
    live,
    prediction::{THIS_STEP, predict},
    recovery,
};
use crate::{
    action::{
        self, Call, Context, permissions,
        readiness::{self, Probed, Subjects},
    },
    run::StepError,
    runbook::{ActionKind, Mode, OnFailure, Retry, Runbook, Scope, Step, check_arguments, span},
    site::{Occasion, Site},
};

/// Probes that run at the same time: well below ARM's 25 reads a second (azure-facts 4).
const PROBES_AT_ONCE: usize = 16;

/// Longest that one probe may take: a lost region makes every connection run into its time limit, one after another.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(180);

/// What a plan is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Somebody may run it.
    Run,
    /// Somebody asks on any day whether it could be run. That the active service is alive is then the normal case: the
    /// one finding of apim.confirm-outage that says so is left out, and nothing else.
    Readiness,
}

impl Purpose {
    fn asks_about(self, finding: &Finding) -> bool {
        match self {
            Self::Run => true,
            Self::Readiness => finding.code != action::LOOKS_ALIVE,
        }
    }
}

/// What a plan is made of.
#[derive(Debug)]
pub struct Ingredients<'a> {
    pub runbook: &'a Runbook,
    pub parameters: BTreeMap<String, Value>,
    pub mode: Mode,
    pub purpose: Purpose,
    /// Somebody decided to fail over whatever `apim.confirm-outage` sees.
    pub forced: Option<Forced>,
    pub site: Site,
    /// What earlier runs took.
    pub history: History,
}

/// One step on its way into the plan.
struct Draft {
    arguments: Map<String, Value>,
    certainty: Certainty,
    probe: Probe,
    findings: Vec<Finding>,
}

/// Probes the world and writes everything down. Cancel safe: nothing was changed.
pub async fn make(ingredients: Ingredients<'_>, context: Arc<Context>) -> Plan {
    let Ingredients { runbook, parameters, mode, purpose, forced, site, history } = ingredients;
    let made_at = context.clock.now();
    let left_out: Vec<bool> =
        runbook.steps.iter().map(|step| step.modes.as_ref().is_some_and(|modes| !modes.contains(&mode))).collect();
    let whole = Graph::new(runbook.steps.iter().map(|step| (&step.id, step.needs.as_slice())));
    let whole_order = whole.order().expect("a checked runbook has no cycle");
    let needs = whole.needs_without(&whole_order, &left_out);
    let order: Vec<usize> = whole_order.into_iter().filter(|place| !left_out[*place]).collect();
    let mut scope = Scope::new(parameters.clone(), mode, None);
    let subjects = Subjects::of(&foreseen(runbook, &order, &scope));
    let (drafts, observed) = tokio::join!(
        probe_all(runbook, &order, &needs, &mut scope, forced.as_ref(), &context),
        readiness::observe(&subjects, &context),
    );
    let mut findings = Vec::new();
    let mut steps = Vec::with_capacity(order.len());
    for (place, draft) in order.iter().zip(drafts) {
        let step = &runbook.steps[*place];
        let of_step = |finding: &Finding| Finding { step: Some(step.id.clone()), ..finding.clone() };
        findings.extend(draft.findings.iter().filter(|finding| purpose.asks_about(finding)).map(of_step));
        let needs = needs[*place].iter().map(|need| runbook.steps[*need].id.clone()).collect();
        steps.push(planned_step(step, needs, draft));
    }
    live::carry(&mut steps);
    let shadows = live::shadows(runbook, &parameters, mode);
    let probed: Vec<Probed<'_>> = steps.iter().map(probed).collect();
    findings.extend(readiness::judge(&subjects, &observed, &probed, runbook.objectives.rto, &context));
    if steps.is_empty() && !runbook.steps.is_empty() {
        let message = format!("no step of `{}` is run in the mode {mode}", runbook.name);
        findings.push(codes::finding("nothing-in-this-mode", message));
    }
    findings.extend(stopped_by_silence(&steps, &site));
    let mut plan = Plan {
        format: FORMAT,
        digest: String::new(),
        name: runbook.name.clone(),
        description: runbook.description.clone(),
        runbook_sha256: runbook.sha256.clone(),
        mode,
        forced,
        made_at,
        objectives: runbook.objectives.clone(),
        parameters,
        site,
        steps,
        left_out: runbook
            .steps
            .iter()
            .zip(&left_out)
            .filter(|(_, out)| **out)
            .map(|(step, _)| step.id.clone())
            .collect(),
        critical_path: Vec::new(),
        expected: Duration::ZERO,
        prediction: None,
        operator_must_not_be: Vec::new(),
        point_of_no_return: None,
        findings,
        saved: None,
    };
    plan.findings.extend(live::judge(&plan.steps, mode, plan.forced.as_ref(), &shadows));
    let (simulated, policy) = (plan.site.is_simulated(), plan.site.rehearsal);
    let of = Rehearsed { runbook: &plan.name, sha256: &plan.runbook_sha256, mode, simulated };
    plan.findings.extend(history.findings(&of, policy, made_at));
    predict(&mut plan, &history);
    conclude(&mut plan);
    plan
}

/// A receiver may be lost with the region that is failed over.
fn stopped_by_silence(steps: &[PlannedStep], site: &Site) -> Vec<Finding> {
    let told = site.notify.iter().any(|receiver| receiver.on.contains(&Occasion::Message));
    let stops = |step: &&PlannedStep| told && step.action == ActionKind::Notify && step.on_failure == OnFailure::Stop;
    let finding = |step: &PlannedStep| Finding {
        step: Some(step.id.clone()),
        ..codes::finding("notify-stops-the-run", "the run stops here when one of those it tells cannot be told")
    };
    steps.iter().filter(stops).map(finding).collect()
}

/// The steps with what is known of them before anything was asked, as far as it names something in Azure.
fn foreseen(runbook: &Runbook, order: &[usize], scope: &Scope) -> Vec<readiness::Planned> {
    let mut scope = scope.clone();
    let mut all = Vec::new();
    for step in order.iter().map(|place| &runbook.steps[*place]) {
        let local = matches!(
            step.action,
            ActionKind::Approval
                | ActionKind::HttpRequest
                | ActionKind::Command
                | ActionKind::Notify
                | ActionKind::Wait
        );
        let skipped = || step.when.as_ref().is_some_and(|when| scope.condition(when) == Ok(false));
        if local || skipped() {
            continue;
        }
        // What cannot be resolved is a finding of the step.
        let Ok((arguments, _)) = scope.resolve_known(&step.arguments) else { continue };
        scope.set_predicted(step.id.clone(), permissions::foreseen(step.action, &arguments));
        all.push(readiness::Planned { step: step.id.clone(), kind: step.action, arguments });
    }
    all
}

fn probed(step: &PlannedStep) -> Probed<'_> {
    Probed { step: &step.id, kind: step.action, outputs: &step.probe.outputs, facts: &step.probe.facts }
}

fn planned_step(step: &Step, needs: Vec<crate::runbook::StepId>, draft: Draft) -> PlannedStep {
    let entry = step.action.entry();
    let expected = draft.probe.expected.or_else(|| action::expected(step.action, &draft.arguments));
    PlannedStep {
        id: step.id.clone(),
        description: step.description.clone(),
        action: step.action,
        effect: action::effect(step.action, &draft.arguments),
        needs,
        when: step.when.clone(),
        timeout: step.timeout.unwrap_or(entry.timeout),
        retry: step.retry.unwrap_or(Retry { attempts: 1, delay: Duration::ZERO }),
        on_failure: step.on_failure,
        arguments: step.arguments.clone(),
        certainty: draft.certainty,
        expected: expected.unwrap_or(entry.typical),
        expected_source: if expected.is_some() { THIS_STEP } else { entry.typical_source }.to_owned(),
        prediction: None,
        probe: draft.probe,
    }
}

/// Probes every step after its needs; the result is in the order of `order`.
async fn probe_all(
    runbook: &Runbook,
    order: &[usize],
    needs: &[Vec<usize>],
    scope: &mut Scope,
    forced: Option<&Forced>,
    context: &Arc<Context>,
) -> Vec<Draft> {
    let mut drafts: Vec<Option<Draft>> = runbook.steps.iter().map(|_| None).collect();
    let mut unmet: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    for place in order {
        for need in &needs[*place] {
            dependents[*need].push(*place);
        }
    }
    let mut ready: std::collections::VecDeque<usize> =
        order.iter().copied().filter(|place| unmet[*place] == 0).collect();
    let mut probes = JoinSet::new();
    loop {
        let mut over = Vec::new();
        while probes.len() < PROBES_AT_ONCE
            && let Some(place) = ready.pop_front()
        {
            match prepare(&runbook.steps[place], scope, forced) {
                Prepared::Call(call) => {
                    let (context, kind) = (context.clone(), runbook.steps[place].action);
                    let mut probe = Box::pin(async move { (place, probe_one(kind, call, &context).await) });
                    // Most steps that touch no network are done at the first look; only the others are worth a task.
                    match probe.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())) {
                        Poll::Ready(probed) => over.push(probed),
                        Poll::Pending => {
                            probes.spawn(probe);
                        }
                    }
                }
                Prepared::Draft(draft) => over.push((place, draft)),
            }
        }
        if over.is_empty() {
            match probes.join_next().await {
                Some(Ok(probed)) => over.push(probed),
                Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                None => break,
            }
        }
        for (place, draft) in over {
            scope.set_predicted(runbook.steps[place].id.clone(), draft.probe.outputs.clone());
            drafts[place] = Some(draft);
            for dependent in &dependents[place] {
                unmet[*dependent] -= 1;
                if unmet[*dependent] == 0 {
                    ready.push_back(*dependent);
                }
            }
        }
    }
    order.iter().map(|place| drafts[*place].take().expect("every ordered step was probed")).collect()
}

enum Prepared {
    Call(Call),
    Draft(Draft),
}

/// Resolves what can be known before the run; a step that depends on more is not probed.
fn prepare(step: &Step, scope: &Scope, forced: Option<&Forced>) -> Prepared {
    if let Some(when) = &step.when
        && let Ok(false) = scope.condition(when)
    {
        let probe = Probe { summary: format!("skipped: `when: {when}` is false"), verified: true, ..Probe::default() };
        let (arguments, certainty) = (step.arguments.clone(), Certainty::Verified);
        return Prepared::Draft(Draft { arguments, certainty, probe, findings: Vec::new() });
    }
    let blocked = |code: &str, message: String, remedy: String| {
        Prepared::Draft(Draft {
            arguments: step.arguments.clone(),
            certainty: Certainty::Unknown,
            probe: Probe { summary: message.clone(), ..Probe::default() },
            findings: vec![Finding::blocker(code, message, remedy)],
        })
    };
    let (arguments, unknown) = match scope.resolve_known(&step.arguments) {
        Ok(known) => known,
        Err(message) => return blocked("expression", message, "correct the expression in the runbook".to_owned()),
    };
    if let Some(first) = unknown.first() {
        let summary = format!("cannot be known before the run: {first}");
        let probe = Probe { summary, ..Probe::default() };
        return Prepared::Draft(Draft { arguments, certainty: Certainty::Unknown, probe, findings: Vec::new() });
    }
    if let Some(misfit) = check_arguments(step.action, &arguments).into_iter().next() {
        return blocked("argument", format!("`{}`: {}", misfit.field, misfit.message), misfit.help);
    }
    Prepared::Call(Call {
        step: step.id.clone(),
        arguments,
        planned: Vec::new(),
        forced: forced.cloned(),
        earlier: None,
        unanswered: None,
        doubt: None,
        fences: Arc::default(),
    })
}

async fn probe_one(kind: ActionKind, call: Call, context: &Context) -> Draft {
    let probed = tokio::select! {
        biased;
        probed = action::probe(kind, &call, context) => probed,
        () = context.clock.patience(PROBE_TIMEOUT) => Err(StepError::new(
            crate::run::Disposition::Retryable,
            "probe-timeout",
            format!("no answer within {}", span::format(PROBE_TIMEOUT)),
            "find out whether Azure can be reached from this machine, then plan again",
        )),
    };
    let now = context.clock.now();
    match probed {
        Ok(mut probe) => {
            let certainty = if probe.verified { Certainty::Verified } else { Certainty::Predicted };
            let seen = |finding: Finding| Finding { observed_at: finding.observed_at.or(Some(now)), ..finding };
            let findings = std::mem::take(&mut probe.findings).into_iter().map(seen).collect();
            Draft { arguments: call.arguments, certainty, probe, findings }
        }
        Err(error) => Draft {
            arguments: call.arguments,
            certainty: Certainty::Unknown,
            probe: Probe { summary: format!("could not be verified: {error}"), ..Probe::default() },
            findings: vec![Finding::blocker(&error.code, error.message, error.hint).seen(now)],
        },
    }
}

/// What follows from the steps: critical path, prediction against the objectives, the line where going back ends, the digest.
fn conclude(plan: &mut Plan) {
    let graph = Graph::new(plan.steps.iter().map(|step| (&step.id, step.needs.as_slice())));
    let durations: Vec<Duration> = plan.steps.iter().map(|step| step.expected).collect();
    let order: Vec<usize> = (0..plan.steps.len()).collect();
    let (path, _) = graph.critical_path(&order, &durations);
    plan.critical_path = path.into_iter().map(|place| plan.steps[place].id.clone()).collect();
    let expected = plan.expected;
    plan.point_of_no_return =
        plan.steps.iter().find(|step| step.effect == crate::runbook::Effect::Irreversible).map(|step| step.id.clone());
    if let Some(rto) = plan.objectives.rto
        && expected > rto
    {
        plan.findings.push(Finding::warning(
            "rto-predicted-missed",
            format!("{} are predicted, and the objective is {}", span::format(expected), span::format(rto)),
            "shorten the critical path or agree on another objective",
        ));
    }
    if let Some(rpo) = plan.objectives.rpo
        && let Some(age) = recovery::predicted_age(plan)
        && age > rpo
    {
        plan.findings.push(Finding::warning(
            "rpo-predicted-missed",
            format!(
                "the newest usable backup is {} old, and the objective is {}",
                span::format(Duration::from_secs(age.as_secs())),
                span::format(rpo)
            ),
            "find out why no newer backup was made; take one while the active service still answers",
        ));
    }
    plan.findings = gather(std::mem::take(&mut plan.findings));
    plan.digest = digest(plan);
}
