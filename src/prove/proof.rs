//! The proof: every point of every mode, tried and judged, by as many threads as there are processors.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use serde::Serialize;

use super::{
    case::{Case, Order, on_paused_clock},
    judge::{Verdict, judge},
    rows::{Point, Row, rows},
    trial,
};
use crate::runbook::Mode;

/// Version of the JSON form. Changelog:
/// 1. The first.
const FORMAT: u32 = 1;

/// A runbook, proven.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    pub v: u32,
    pub runbook: String,
    /// SHA-256 of the runbook's bytes.
    pub runbook_sha256: String,
    pub path: String,
    pub seed: u64,
    pub points: u32,
    pub resumable: u32,
    pub duplicate_effects: u32,
    pub unexplained_states: u32,
    /// True: these are some of the points, not all.
    pub partial: bool,
    pub modes: Vec<CaseProof>,
    /// Modes that were not proven, and why.
    pub left_out: Vec<LeftOut>,
    pub failed: Vec<Failed>,
}

#[derive(Clone, Debug, Serialize)]
pub struct LeftOut {
    pub mode: Mode,
    /// Lower-case fragment.
    pub why: String,
}

/// One mode of it.
#[derive(Clone, Debug, Serialize)]
pub struct CaseProof {
    pub mode: Mode,
    pub world: String,
    pub steps: usize,
    pub appends: u32,
    pub requests: usize,
    pub requests_of_plan: usize,
    /// Steps whose program or host is outside of every simulation, and that were taken as done.
    pub pretended: Vec<String>,
    pub rows: Vec<Tally>,
}

/// What became of the points of a row.
#[derive(Clone, Debug, Serialize)]
pub struct Tally {
    pub row: &'static str,
    pub words: &'static str,
    pub points: u32,
    /// Ended as if nothing had happened.
    pub same: u32,
    /// Ended otherwise, and said why: how often in which way, by name.
    pub explained: Vec<(String, u32)>,
    pub failed: u32,
    pub most_resumes: u32,
}

/// A point that breaks a promise.
#[derive(Clone, Debug, Serialize)]
pub struct Failed {
    pub point: String,
    pub end: String,
    pub what: Vec<String>,
    /// The end of what a person would have read.
    pub story: Vec<String>,
    /// What to type to see it again.
    pub repeat: String,
}

impl Proof {
    pub fn holds(&self) -> bool {
        self.failed.is_empty()
    }

    /// The one line of it.
    pub fn line(&self) -> String {
        format!(
            "crash points {}/{} resumable · duplicate effects {} · unexplained states {} · seed {}",
            self.resumable, self.points, self.duplicate_effects, self.unexplained_states, self.seed
        )
    }
}

/// Tries points and judges them. The order of `cases` and of their points is that of the proof, whoever tries them.
/// `chosen`: which points; the proof is partial when that leaves some out.
pub fn prove(
    order: &Order<'_>,
    cases: &[Case],
    left_out: Vec<(Mode, String)>,
    chosen: impl Fn(&Point) -> bool,
) -> Proof {
    let all: Vec<(&Case, Point)> =
        cases.iter().flat_map(|case| case.all_points().into_iter().map(move |point| (case, point))).collect();
    let points: Vec<(&Case, Point)> = all.iter().copied().filter(|(_, point)| chosen(point)).collect();
    let verdicts = try_all(order, &points);
    let tried: Vec<(Point, Verdict)> = points.iter().map(|(_, point)| *point).zip(verdicts).collect();
    let failed: Vec<&(Point, Verdict)> = tried.iter().filter(|(_, verdict)| !verdict.holds()).collect();
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Proof {
        v: FORMAT,
        runbook: order.runbook.name.clone(),
        runbook_sha256: order.runbook.sha256.clone(),
        path: order.path.clone(),
        seed: order.seed,
        points: number(tried.len()),
        resumable: number(tried.len() - failed.len()),
        duplicate_effects: number(tried.iter().map(|(_, verdict)| verdict.duplicates.len()).sum()),
        unexplained_states: number(tried.iter().filter(|(_, verdict)| !verdict.unexplained.is_empty()).count()),
        partial: points.len() < all.len(),
        modes: cases.iter().map(|case| of_case(case, &tried)).collect(),
        left_out: left_out.into_iter().map(|(mode, why)| LeftOut { mode, why }).collect(),
        failed: failed.into_iter().map(|(point, verdict)| told(order, *point, verdict)).collect(),
    }
}

/// One verdict a point, in their order.
fn try_all(order: &Order<'_>, points: &[(&Case, Point)]) -> Vec<Verdict> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some((case, point)) = points.get(place) else { return done };
            done.push((place, try_one(order, case, *point)));
        }
    };
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut done: Vec<(usize, Verdict)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, verdict)| verdict).collect()
}

fn try_one(order: &Order<'_>, case: &Case, point: Point) -> Verdict {
    let tried = || {
        on_paused_clock(async {
            let trial = Box::pin(trial::run(order, case, point)).await;
            judge(case, point, &trial)
        })
    };
    catch_unwind(AssertUnwindSafe(tried)).unwrap_or_else(|_| Verdict::panicked())
}

fn of_case(case: &Case, tried: &[(Point, Verdict)]) -> CaseProof {
    let of_row = |row: &'static Row| {
        let mine = |(point, verdict): &(Point, Verdict)| {
            (point.mode == case.mode && point.row.slug == row.slug).then(|| verdict.clone())
        };
        let verdicts: Vec<Verdict> = tried.iter().filter_map(mine).collect();
        (!verdicts.is_empty()).then(|| tally(row, &verdicts))
    };
    CaseProof {
        mode: case.mode,
        world: case.world.clone(),
        steps: case.plan.steps.len(),
        appends: case.appends,
        requests: case.requests.len(),
        requests_of_plan: case.requests_of_plan.len(),
        pretended: case.pretended.clone(),
        rows: rows().iter().filter_map(of_row).collect(),
    }
}

fn tally(row: &'static Row, verdicts: &[Verdict]) -> Tally {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let mut explained: Vec<(String, u32)> = Vec::new();
    for verdict in verdicts.iter().filter(|verdict| verdict.holds() && !verdict.same) {
        match explained.iter_mut().find(|(end, _)| *end == verdict.end) {
            Some((_, count)) => *count += 1,
            None => explained.push((verdict.end.clone(), 1)),
        }
    }
    explained.sort();
    Tally {
        row: row.slug,
        words: row.words,
        points: number(verdicts.len()),
        same: number(verdicts.iter().filter(|verdict| verdict.holds() && verdict.same).count()),
        explained,
        failed: number(verdicts.iter().filter(|verdict| !verdict.holds()).count()),
        most_resumes: verdicts.iter().map(|verdict| verdict.resumes).max().unwrap_or_default(),
    }
}

fn told(order: &Order<'_>, point: Point, verdict: &Verdict) -> Failed {
    let what = verdict.duplicates.iter().chain(&verdict.unexplained).cloned().collect();
    let Order { path, options, seed, .. } = order;
    Failed {
        point: point.to_string(),
        end: verdict.end.clone(),
        what,
        story: verdict.story.clone(),
        repeat: format!("lifeboat prove {path}{options} --seed {seed} --only {point}"),
    }
}
