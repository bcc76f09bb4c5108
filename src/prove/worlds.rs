//! The simulated worlds that a runbook may be proven in when nobody names one.

use crate::{
    runbook::Mode,
    sim::{Region, Scenario, scenario::Content},
};

/// A world and what is the case in it, as a lower-case fragment.
pub(super) type Named = (String, Scenario);

/// What may be the case when a runbook of this mode is run, the likeliest first.
pub(super) fn candidates(mode: Mode, seed: u64) -> Vec<Named> {
    let lost = Scenario { seed, ..Scenario::default() };
    let alive = Scenario { region: Region::Alive, ..lost.clone() };
    let named = |words: &str, scenario: Scenario| (words.to_owned(), scenario);
    let lives = named("both regions live, traffic goes to the first", alive.clone());
    let moved = named("both regions live, traffic goes to the second", moved(alive));
    let lost = named("the region that traffic goes to is lost", lost);
    match mode {
        Mode::Planned => vec![lives, moved, lost],
        Mode::Unplanned | Mode::Drill => vec![lost, lives, moved],
    }
}

/// As after a failover: the standby holds what the active service holds, and every name points at it.
fn moved(mut scenario: Scenario) -> Scenario {
    scenario.standby.content = Content::clone(&scenario.active.content);
    let gateway = |name: &str| format!("{}.azure-api.net", name.to_ascii_lowercase());
    let (from, to) = (gateway(&scenario.active.name), gateway(&scenario.standby.name));
    let records = scenario.zone.records.values_mut().chain(scenario.private_zone.records.values_mut());
    for record in records.filter(|record| record.target == from) {
        record.target.clone_from(&to);
    }
    scenario
}
