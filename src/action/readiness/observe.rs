//! Everything at once, then the judgement.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use super::{
    ask::Asker,
    groups::{self, SeenGroup},
    locks, names,
    names::SeenZone,
    receivers,
    resemblance::{self, Known},
    rights::{self, SeenRights},
    services::{self, SeenService, SeenStandby},
    state::{self, SeenState},
    storage::{self, SeenAccount},
    subjects::{Probed, Subjects, chosen},
    throttling,
};
use crate::{action::Context, plan::facts::Finding};

/// All that was read.
#[derive(Debug, Default)]
pub struct Observed {
    standbys: Vec<SeenStandby>,
    actives: Vec<SeenService>,
    accounts: Vec<SeenAccount>,
    zones: Vec<SeenZone>,
    groups: Vec<SeenGroup>,
    rights: Vec<SeenRights>,
    locks: Vec<Finding>,
    state: Option<SeenState>,
    receivers: Vec<Finding>,
}

/// Reads only. Cancel safe.
pub async fn observe(subjects: &Subjects, context: &Context) -> Observed {
    if subjects.is_empty() {
        return Observed::default();
    }
    let asker = Asker::new(context);
    let asker = &asker;
    let (standbys, actives, accounts, zones, groups, rights, locks, state) = tokio::join!(
        at_once(subjects.standbys.iter().map(|standby| services::observe_standby(asker, standby))),
        at_once(subjects.actives.iter().map(|active| services::observe_active(asker, active))),
        at_once(subjects.accounts.iter().map(|account| storage::observe(asker, account))),
        at_once(subjects.zones.iter().map(|zone| names::observe(asker, zone))),
        groups::observe(asker, subjects),
        rights::look(asker, subjects),
        locks::look(asker, subjects),
        state::observe(asker, subjects),
    );
    let receivers = receivers::look(context);
    Observed { standbys, actives, accounts, zones, groups, rights, locks, state, receivers }
}

/// What stands in the way, told once. `probed`: what the steps' own probes gave.
pub fn judge(
    subjects: &Subjects,
    observed: &Observed,
    probed: &[Probed<'_>],
    rto: Option<Duration>,
    context: &Context,
) -> Vec<Finding> {
    if subjects.is_empty() {
        return Vec::new();
    }
    let now = context.clock.now();
    let backups = chosen(probed);
    let known: Vec<Known> = observed.actives.iter().map(|active| Known::of(active, &backups)).collect();
    let silent = observed.actives.iter().any(|active| active.service.answer.is_err());
    // Of several active services the first that tells; a runbook has one.
    let region = known.iter().find_map(|known| known.location.as_deref());
    let mut findings = Vec::new();
    for known in &known {
        findings.extend(known.unverified());
        findings.extend(known.lacks_identity(subjects.access.as_deref()).map(|finding| finding.seen(now)));
    }
    for standby in &observed.standbys {
        findings.extend(services::judge(standby, now));
        findings.extend(known.iter().flat_map(|known| resemblance::judge(known, standby)));
    }
    findings.extend(
        observed
            .accounts
            .iter()
            .flat_map(|account| storage::judge(account, (region, subjects.access.as_deref()), &backups, now)),
    );
    findings.extend(observed.state.iter().flat_map(|state| state::judge(state, region, &observed.accounts, now)));
    findings.extend(observed.receivers.iter().cloned());
    findings.extend(groups::judge(&observed.groups, region));
    findings.extend(observed.zones.iter().filter_map(names::judge_delegation));
    findings.extend(names::judge_ttl(probed, rto, now));
    findings.extend(rights::judge(&observed.rights, subjects, silent));
    findings.extend(observed.locks.iter().cloned());
    findings.extend(throttling::judge(context.arm.budget(), now));
    findings
}

/// Runs them all in this task; the results are in the order given. For some dozens: each turn looks at all that are not
/// done.
pub async fn at_once<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    let mut results: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut done = true;
        for (future, result) in running.iter_mut().zip(&mut results).filter(|(_, result)| result.is_none()) {
            match future.as_mut().poll(context) {
                Poll::Ready(output) => *result = Some(output),
                Poll::Pending => done = false,
            }
        }
        if done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    results.into_iter().map(|result| result.expect("each is done")).collect()
}
