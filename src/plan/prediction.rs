//! How long the next one will take, from how long the ones before took. Pure.
//!
//! What is wanted is not the spread of what was measured, but a bound that the *next* one keeps in nine of ten cases.
//! - From nine on, that is the order statistic at `0.9 · (n + 1)`, interpolated: for times that are alike it holds in
//!   exactly nine of ten cases, whatever their distribution (Weibull's plotting position).
//! - Below nine no order statistic can say it. Times are then taken as log-normal, with Student's bound for one more
//!   observation, and a spread that is shrunk towards [`SPREAD`], as if that had been seen in [`SPREAD_WEIGHT`] runs.
//! - Without any, the documented typical time stands for one observation, and the plan says so.
//!
//! The whole run is not the sum of its steps' bounds, which would be kept far too often: each earlier run gives one total,
//! along the plan's own graph, and the bound is that of the totals.

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Plan, graph::Graph, history::History};
use crate::{
    runbook::{ActionKind, StepId, span},
    style::say,
};

/// Source of a duration that a step's arguments or its probe tell.
pub(super) const THIS_STEP: &str = "this step";

/// Observations from which on an order statistic gives a bound for nine of ten.
const ENOUGH: usize = 9;

/// Standard deviation of the logarithm, before anything is measured: a restore that takes 45 minutes in the middle takes
/// 37 to 55 in two of three cases. Assumed; no published figure exists.
const SPREAD: f64 = 0.2;

/// Observations that [`SPREAD`] is worth.
const SPREAD_WEIGHT: usize = 2;

/// 90th percentile of Student's distribution, for 2 to 9 degrees of freedom.
const STUDENT: [f64; 8] = [1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383];

/// What a prediction rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// The same step in earlier runs of the same runbook; of a plan: earlier runs of the runbook.
    History,
    /// The same action in other steps and runbooks.
    Action,
    /// The step's own arguments and what its probe saw: a wait, a TTL.
    Step,
    /// The documented typical time: nothing was measured.
    Documented,
}

/// How long something will take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prediction {
    /// Half of all take no longer.
    #[serde(with = "span")]
    pub p50: Duration,
    /// Nine of ten take no longer.
    #[serde(with = "span")]
    pub p90: Duration,
    /// Measured times, or runs, that it rests on. Of a whole plan: the fewest that any measured step on the critical path
    /// rests on.
    pub sample: usize,
    pub basis: Basis,
    /// Of a whole plan: how much of the p50 is documented typical times of steps on the critical path that nobody measured.
    #[serde(default, with = "span", skip_serializing_if = "Duration::is_zero")]
    pub assumed: Duration,
}

impl Prediction {
    /// `12 earlier runs`, `nothing measured yet: documented`; for people.
    pub fn says(&self) -> String {
        let times = |one: &str, many: &str| format!("{} {}", self.sample, if self.sample == 1 { one } else { many });
        match self.basis {
            Basis::History => times("earlier run", "earlier runs"),
            Basis::Action => times("earlier time, of the same action", "earlier times, of the same action"),
            Basis::Step => "this step".to_owned(),
            Basis::Documented => "nothing measured yet".to_owned(),
        }
    }

    /// Of a whole plan: `12 earlier runs`, `12 earlier runs, and 45m that nobody measured`, `no history: documented defaults`.
    pub fn rests_on(&self) -> String {
        match self.basis {
            Basis::History | Basis::Action if self.assumed.is_zero() => self.says(),
            Basis::History | Basis::Action => {
                format!("{}, and {} that nobody measured", self.says(), say(self.assumed))
            }
            Basis::Step | Basis::Documented => "no history: documented defaults".to_owned(),
        }
    }
}

/// p50 and p90 of the next one. None: there is none to go by.
pub fn next(sample: &[Duration]) -> Option<(Duration, Duration)> {
    let mut sorted = sample.to_vec();
    sorted.sort_unstable();
    match sorted.len() {
        0 => None,
        few if few < ENOUGH => Some(of_few(&sorted)),
        _ => Some((order_statistic(&sorted, 0.5), order_statistic(&sorted, 0.9))),
    }
}

/// `sorted` is not empty.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the list")]
fn order_statistic(sorted: &[Duration], share: f64) -> Duration {
    let last = sorted.len() - 1;
    let place = (share * (sorted.len() + 1) as f64 - 1.0).clamp(0.0, last as f64);
    let below = place as usize;
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    low + high.saturating_sub(low).mul_f64(place - below as f64)
}

/// Fewer than [`ENOUGH`], and not none.
fn of_few(sample: &[Duration]) -> (Duration, Duration) {
    let count = sample.len() as f64;
    // Nothing takes no time, and the logarithm wants more.
    let logs = || sample.iter().map(|took| took.as_secs_f64().max(0.001).ln());
    let middle = logs().sum::<f64>() / count;
    let squares: f64 = logs().map(|log| (log - middle).powi(2)).sum();
    let freedom = SPREAD_WEIGHT + sample.len() - 1;
    let spread = ((SPREAD_WEIGHT as f64 * SPREAD * SPREAD + squares) / freedom as f64).sqrt();
    let bound = STUDENT[freedom - SPREAD_WEIGHT] * spread * (1.0 + 1.0 / count).sqrt();
    (from_log(middle), from_log(middle + bound))
}

/// Whole milliseconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a duration of less than a year")]
fn from_log(log: f64) -> Duration {
    Duration::from_millis((log.exp() * 1000.0).round().min(1e12) as u64)
}

/// What a step is known by before it is planned.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub action: ActionKind,
    /// What its arguments or its probe tell: it takes at least so long.
    pub told: Option<Duration>,
}

/// Of one step. `earlier`: how long it took in earlier runs of its runbook. `alike`: how long its action took anywhere.
pub fn of_step(known: Known, earlier: &[Duration], alike: impl FnOnce() -> Vec<Duration>) -> Prediction {
    let at_least = known.told.unwrap_or_default();
    let told = |(p50, p90): (Duration, Duration), sample, basis| Prediction {
        p50: p50.max(at_least),
        p90: p90.max(at_least),
        sample,
        basis,
        assumed: Duration::ZERO,
    };
    // A wait lasts as long as it says, whatever it said before.
    if let Some(found) = next(earlier).filter(|_| known.told.is_none() || known.action != ActionKind::Wait) {
        return told(found, earlier.len(), Basis::History);
    }
    if known.told.is_some() {
        return told((at_least, at_least), 0, Basis::Step);
    }
    let alike = alike();
    if let Some(found) = next(&alike) {
        return told(found, alike.len(), Basis::Action);
    }
    let typical = known.action.entry().typical;
    let (_, p90) = of_few(&[typical]);
    let p90 = if typical.is_zero() { typical } else { p90 };
    told((typical, p90), 0, Basis::Documented)
}

/// Whole runs of one runbook, step by step; the oldest first.
#[derive(Debug)]
pub struct Earlier<'a>(Vec<HashMap<&'a StepId, Duration>>);

impl<'a> Earlier<'a> {
    pub fn of(history: &'a History, runbook: &str, simulated: bool) -> Self {
        let runs = history.of_runbook(runbook, simulated).into_iter();
        Self(runs.map(|run| run.steps.iter().map(|step| (&step.id, step.took)).collect()).collect())
    }

    /// How long a step took, where it was done.
    pub fn of_step(&self, id: &StepId) -> Vec<Duration> {
        self.0.iter().filter_map(|run| run.get(id).copied()).collect()
    }
}

/// Of the whole run: each earlier one gives one total along the plan's graph. A step that it did not have, or that
/// nothing is measured of, counts with its own p50 in the one and its own p90 in the other total. `steps`: with their
/// predictions, and what each takes at least.
pub fn of_run(graph: &Graph, steps: &[(&StepId, Prediction, Duration)], earlier: &Earlier<'_>) -> Prediction {
    let order: Vec<usize> = (0..steps.len()).collect();
    let total = |durations: &[Duration]| graph.critical_path(&order, durations).1;
    let own = |pick: fn(&Prediction) -> Duration| steps.iter().map(|(_, it, _)| pick(it)).collect::<Vec<Duration>>();
    let (p50s, p90s) = (own(|it| it.p50), own(|it| it.p90));
    let totals = |fallback: &[Duration]| -> Vec<Duration> {
        let of = |run: &HashMap<&StepId, Duration>| {
            let took = steps.iter().zip(fallback).map(|((id, it, at_least), fallback)| {
                let measured = run.get(id).filter(|_| it.basis == Basis::History);
                measured.map_or(*fallback, |took| (*took).max(*at_least))
            });
            total(&took.collect::<Vec<Duration>>())
        };
        earlier.0.iter().map(of).collect()
    };
    let mut whole = Prediction { p50: total(&p50s), p90: total(&p90s), ..resting_on(graph, &p50s, steps) };
    let is_measured = steps.iter().any(|(_, it, _)| it.basis == Basis::History);
    if is_measured && let Some(((p50, _), (_, p90))) = next(&totals(&p50s)).zip(next(&totals(&p90s))) {
        (whole.p50, whole.p90) = (p50, p90.max(p50));
    }
    whole
}

/// What the steps that decide rest on, without how long they take: the weakest that was measured of them, and how much was
/// not. Steps beside the critical path may have been measured a hundred times, and say nothing of the whole.
fn resting_on(graph: &Graph, p50s: &[Duration], steps: &[(&StepId, Prediction, Duration)]) -> Prediction {
    let order: Vec<usize> = (0..steps.len()).collect();
    let (path, _) = graph.critical_path(&order, p50s);
    let of_basis = |basis| path.iter().map(|place| &steps[*place].1).filter(move |it| it.basis == basis);
    let measured = || of_basis(Basis::History).chain(of_basis(Basis::Action));
    let basis = if of_basis(Basis::Action).next().is_some() {
        Basis::Action
    } else if of_basis(Basis::History).next().is_some() {
        Basis::History
    } else {
        Basis::Documented
    };
    Prediction {
        p50: Duration::ZERO,
        p90: Duration::ZERO,
        sample: measured().map(|it| it.sample).min().unwrap_or(0),
        basis,
        assumed: of_basis(Basis::Documented).map(|it| it.p50).sum(),
    }
}

/// How long each step and the whole will take, from what earlier runs took.
pub(super) fn predict(plan: &mut Plan, history: &History) {
    let simulated = plan.site.is_simulated();
    let earlier = Earlier::of(history, &plan.name, simulated);
    // A wide plan has thousands of steps of one action.
    let mut alike: HashMap<ActionKind, Vec<Duration>> = HashMap::new();
    let mut at_least = Vec::with_capacity(plan.steps.len());
    let mut predictions = Vec::with_capacity(plan.steps.len());
    for step in &mut plan.steps {
        let action = step.action;
        let told = (step.expected_source == THIS_STEP).then_some(step.expected);
        let of_action = || alike.entry(action).or_insert_with(|| history.of_action(action, simulated)).clone();
        let prediction = of_step(Known { action, told }, &earlier.of_step(&step.id), of_action);
        step.expected = prediction.p50;
        if let Basis::History | Basis::Action = prediction.basis {
            step.expected_source = prediction.says();
        }
        step.prediction = Some(prediction);
        at_least.push(told.unwrap_or_default());
        predictions.push(prediction);
    }
    let graph = Graph::new(plan.steps.iter().map(|step| (&step.id, step.needs.as_slice())));
    let steps: Vec<_> = plan.steps.iter().zip(predictions).zip(at_least).collect();
    let steps: Vec<_> = steps.into_iter().map(|((step, it), at_least)| (&step.id, it, at_least)).collect();
    let whole = of_run(&graph, &steps, &earlier);
    plan.expected = whole.p50;
    plan.prediction = Some(whole);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(all: &[u64]) -> Vec<Duration> {
        all.iter().map(|minutes| Duration::from_mins(*minutes)).collect()
    }

    #[test]
    fn many_are_told_by_their_order() {
        let sample = minutes(&[9, 1, 8, 2, 7, 3, 6, 4, 5]);
        assert_eq!(next(&sample), Some((Duration::from_mins(5), Duration::from_mins(9))));
        let hundred: Vec<Duration> = (1..=100).map(Duration::from_secs).collect();
        let (p50, p90) = next(&hundred).unwrap();
        assert_eq!((p50.as_millis(), p90.as_millis()), (50_500, 90_900));
    }

    #[test]
    fn few_leave_room_for_what_was_not_seen() {
        assert_eq!(next(&[]), None);
        let (p50, p90) = next(&minutes(&[45])).unwrap();
        assert_eq!((p50, p90.as_secs() / 60), (Duration::from_mins(45), 76));
        // Eight that were alike leave less room than one.
        let (_, of_eight) = next(&minutes(&[45; 8])).unwrap();
        assert!(of_eight < p90 && of_eight > Duration::from_mins(45), "{of_eight:?}");
        let (_, spread) = next(&minutes(&[30, 60, 40, 50])).unwrap();
        assert!(spread > Duration::from_mins(60), "{spread:?}");
    }

    /// The restore was renamed, and no other was ever measured: what decides is a default, whatever is known of the rest.
    #[test]
    fn the_whole_rests_on_what_decides_it() {
        let (find, restore) = (StepId::new("find"), StepId::new("restore"));
        let graph = Graph::new([(&find, [].as_slice()), (&restore, std::slice::from_ref(&find))]);
        let measured = |sample: usize| of_step(known(ActionKind::FindLatest), &minutes(&vec![12; sample]), Vec::new);
        let whole = |find_in: usize, restore_is: Prediction| {
            let steps = [(&find, measured(find_in), Duration::ZERO), (&restore, restore_is, Duration::ZERO)];
            let run = HashMap::from([(&find, Duration::from_mins(12))]);
            of_run(&graph, &steps, &Earlier(vec![run; find_in]))
        };
        let documented = whole(12, of_step(known(ActionKind::Restore), &[], Vec::new));
        assert_eq!(documented.rests_on(), "12 earlier runs, and 45m that nobody measured");
        assert_eq!(documented.p50, Duration::from_mins(57));
        let all = whole(12, of_step(known(ActionKind::Restore), &minutes(&[45; 3]), Vec::new));
        assert_eq!((all.rests_on().as_str(), all.sample), ("3 earlier runs", 3), "the fewest");
        let alike = whole(12, of_step(known(ActionKind::Restore), &[], || minutes(&[45; 2])));
        assert_eq!(alike.rests_on(), "2 earlier times, of the same action");
        let nothing = whole(0, of_step(known(ActionKind::Restore), &[], Vec::new));
        assert_eq!(nothing.rests_on(), "no history: documented defaults");
    }

    fn known(action: ActionKind) -> Known {
        Known { action, told: None }
    }

    #[test]
    fn a_step_goes_by_the_nearest_that_is_known() {
        let restore = Known { action: ActionKind::Restore, told: None };
        let predicted = of_step(restore, &minutes(&[50; 9]), || panic!("its own history is enough"));
        assert_eq!((predicted.p50, predicted.sample, predicted.basis), (Duration::from_mins(50), 9, Basis::History));
        let predicted = of_step(restore, &[], || minutes(&[40; 10]));
        assert_eq!((predicted.p90, predicted.sample, predicted.basis), (Duration::from_mins(40), 10, Basis::Action));
        let predicted = of_step(restore, &[], Vec::new);
        assert_eq!((predicted.p50, predicted.sample, predicted.basis), (Duration::from_mins(45), 0, Basis::Documented));
        // Whatever it took before, it waits at least as long as it says now; a wait, exactly so long.
        let told = Some(Duration::from_mins(20));
        let drain = of_step(Known { action: ActionKind::VerifyPropagation, told }, &minutes(&[5; 9]), Vec::new);
        assert_eq!((Some(drain.p50), Some(drain.p90), drain.basis), (told, told, Basis::History));
        let wait = of_step(Known { action: ActionKind::Wait, told }, &minutes(&[50; 9]), Vec::new);
        assert_eq!((Some(wait.p90), wait.basis), (told, Basis::Step));
    }
}
