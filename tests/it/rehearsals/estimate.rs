//! How good the predictions are: of a hundred, the p90 of 85 to 95 is kept by the run that follows.

use std::time::Duration;

use lifeboat::{
    plan::{Basis, History, Measured, prediction},
    report::measured::measured,
    run::Outcome,
    runbook::Mode,
    sim::Scenario,
};

use super::{drill, on_paused_clock, outcome};
use crate::{harness::Stage, simulate::chance::Chance};

/// Restores whose duration is log-normal, as the simulator draws it: two of three between 36 and 57 minutes.
const SPREAD: f64 = 0.23;

/// Of so many predictions from `sample` times, how many the next time keeps; in each trial other times.
fn kept(trials: u64, sample: usize, took: impl Fn(&mut Chance) -> Duration) -> usize {
    let trial = |seed: &u64| {
        let mut chance = Chance::new(*seed);
        let times: Vec<Duration> = (0..=sample).map(|_| took(&mut chance)).collect();
        let (_, p90) = prediction::next(&times[..sample]).unwrap();
        times[sample] <= p90
    };
    (0..trials).filter(trial).count()
}

fn share(chance: &mut Chance) -> f64 {
    (chance.below(1 << 53) as f64 + 0.5) / 2_f64.powi(53)
}

fn restore(chance: &mut Chance) -> Duration {
    let (one, other) = (share(chance), share(chance));
    let normal = (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos();
    Duration::from_secs_f64(2700.0 * (SPREAD * normal).exp())
}

/// Mostly quick, and one in six takes twice as long: no log-normal.
fn two_humps(chance: &mut Chance) -> Duration {
    let base = if share(chance) < 1.0 / 6.0 { 5400.0 } else { 2700.0 };
    Duration::from_secs_f64(base * (0.9 + 0.2 * share(chance)))
}

#[test]
fn the_p90_of_a_hundred_times_is_kept_by_the_next_in_nine_of_ten_trials() {
    for took in [restore, two_humps] {
        let hundred = kept(100, 100, took);
        assert!((85..=95).contains(&hundred), "{hundred} of 100");
        let many = kept(4000, 100, took);
        assert!((3520..=3680).contains(&many), "{many} of 4000");
        // Nine are just enough for an order statistic.
        let nine = kept(4000, 9, took);
        assert!((3480..=3720).contains(&nine), "{nine} of 4000, from nine");
    }
}

#[test]
fn the_p90_of_a_few_times_is_kept_about_as_often() {
    for sample in [1, 2, 3, 5, 8] {
        let few = kept(4000, sample, restore);
        assert!((3400..=3840).contains(&few), "{few} of 4000, from {sample}");
    }
}

/// The engine itself, the simulator's restores, and totals along the plan's graph: each of a hundred drills is predicted
/// from the hundred before it.
#[test]
fn the_plan_of_a_hundred_drills_covers_the_next_in_85_to_95_of_100_trials() {
    let runs: Vec<Measured> = on_paused_clock(async {
        let mut all = Vec::new();
        for seed in 0..200 {
            let mut stage = drill(Scenario { seed, duration_spread: SPREAD, ..Scenario::default() });
            let state = stage.start(None).await.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{seed}: {:?}", state.stopped);
            all.push(measured(&state));
        }
        all
    });
    on_paused_clock(async {
        let (mut total, mut restore) = (0, 0);
        for trial in 0..100 {
            let history = History { runs: runs[trial..trial + 100].to_vec(), ..History::none() };
            let plan = Stage { history, ..drill(Scenario::default()) }.plan().await;
            let predicted = plan.prediction.unwrap();
            assert_eq!((predicted.sample, predicted.basis), (100, Basis::History));
            let next = &runs[trial + 100];
            total += usize::from(next.took.unwrap() <= predicted.p90);
            let step = plan.steps.iter().find(|step| step.id.as_str() == "restore").unwrap();
            restore += usize::from(next.step(&step.id).unwrap() <= step.prediction.unwrap().p90);
        }
        println!("of 100 drills, the p90 of the whole was kept by {total}, that of the restore by {restore}");
        assert!((85..=95).contains(&total), "{total} of 100 kept the p90 of the whole");
        assert!((85..=95).contains(&restore), "{restore} of 100 kept the p90 of the restore");
    });
}

/// History changes what a plan predicts, and nothing of what was approved.
#[test]
fn the_digest_does_not_know_of_history_and_the_plan_says_what_it_rests_on() {
    on_paused_clock(async {
        let fresh = drill(Scenario::default());
        let without = fresh.plan().await;
        assert_eq!(without.prediction.map(|it| (it.sample, it.basis)), Some((0, Basis::Documented)));
        let mut one = drill(Scenario { restore_duration: Duration::from_mins(80), ..Scenario::default() });
        let run = measured(&one.start(None).await.unwrap());
        let history = History { runs: vec![run; 12], ..History::none() };
        let with = Stage { history: history.clone(), ..drill(Scenario::default()) }.plan().await;
        assert_eq!(with.digest, without.digest);
        assert!(with.expected > without.expected + Duration::from_mins(30), "{:?}", with.expected);
        let text = |plan: &lifeboat::plan::Plan| {
            let next = lifeboat::plan::text::Next { run: "r", plan: "p" };
            lifeboat::plan::text::render(plan, &lifeboat::style::Style::plain(100), &next)
        };
        assert!(text(&without).contains("(no history: documented defaults)"), "{}", text(&without));
        assert!(text(&with).contains("(12 earlier runs)"), "{}", text(&with));
        // A step that drills leave out, in another mode: by its default, and the others by what was measured.
        let unplanned = Stage { history, mode: Mode::Unplanned, ..Stage::flagship(Scenario::default()) }.plan().await;
        let basis =
            |id: &str| unplanned.steps.iter().find(|step| step.id.as_str() == id).unwrap().prediction.unwrap().basis;
        assert_eq!((basis("restore"), basis("approve")), (Basis::History, Basis::Documented));
        assert!(unplanned.findings.iter().any(|finding| finding.code == "rto-predicted-missed"));
    });
}
