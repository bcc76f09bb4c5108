//! Readiness: every code has a scenario that produces it, a clean world has none, and nothing writes.

mod codes;
mod switches;

use std::{collections::BTreeSet, path::Path};

use lifeboat::{
    plan::{
        Plan, Purpose,
        codes::{self as table, Code},
        facts::Severity,
    },
    report::readiness,
    sim::{Scenario, command::read_scenario},
    style::Style,
};

use crate::harness::{FLAGSHIP, Stage, on_paused_clock};

/// The shipped scenario of this name.
pub fn shipped(name: &str) -> Scenario {
    let file = format!("{}/examples/scenarios/readiness/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    read_scenario(Path::new(&file)).unwrap_or_else(|error| panic!("{error}"))
}

/// The flagship on any day.
fn stage(scenario: Scenario) -> Stage {
    Stage { purpose: Purpose::Readiness, ..Stage::flagship(scenario) }
}

/// Plans, and sees that nothing but reads reached the world.
async fn look(stage: &Stage) -> Plan {
    let plan = stage.plan().await;
    let wrote = stage.world.requests().into_iter().find(|request| !["GET", "HEAD"].contains(&request.method.as_str()));
    assert_eq!(wrote.map(|request| format!("{} {}", request.method, request.url)), None);
    plan
}

fn told(plan: &Plan) -> BTreeSet<&str> {
    plan.findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn a_clean_world_has_no_findings() {
    on_paused_clock(async {
        assert_eq!(look(&stage(Scenario::alive())).await.findings, []);
        assert_eq!(shipped("clean"), Scenario::alive());
    });
}

#[test]
fn a_lost_region_does_not_stop_a_failover_and_what_is_not_known_is_said() {
    on_paused_clock(async {
        let plan = look(&stage(Scenario::default())).await;
        let severe = plan.findings.iter().filter(|finding| finding.severity == Severity::Blocker);
        assert_eq!(severe.count(), 0, "{:#?}", plan.findings);
        assert!(
            told(&plan).is_superset(&BTreeSet::from(["active-silent", "active-unverified"])),
            "{:#?}",
            plan.findings
        );
    });
}

/// The resource manager answers for nothing: every check that could not be made is a finding.
#[test]
fn what_could_not_be_asked_is_never_called_fine() {
    on_paused_clock(async {
        let scenario = Scenario::parse(
            "region: alive\nfaults:\n  - { on: { host: management.azure.com, path: Microsoft.Authorization }, do: { reset: before } }\n  \
             - { on: { path: networkstatus }, do: { reset: before } }\n  - { on: { path: blobServices }, do: { reset: before } }\n",
        );
        let plan = look(&stage(scenario.unwrap())).await;
        let expected = BTreeSet::from([
            "locks-unverified",
            "network-unverified",
            "permissions-unverified",
            "roles-unverified",
            "storage-cors-unknown",
        ]);
        assert_eq!(told(&plan), expected, "{:#?}", plan.findings);
        for finding in &plan.findings {
            assert_eq!(finding.severity, Severity::Warning);
            assert!(finding.message.contains("not known") && finding.observed_at.is_some(), "{finding:?}");
        }
    });
}

/// Readiness asks each thing once, and no more than ARM gives at once.
#[test]
fn a_plan_asks_within_the_budget() {
    on_paused_clock(async {
        let stage = stage(Scenario::alive());
        look(&stage).await;
        let requests = stage.world.requests();
        assert!(requests.len() < 100, "{} requests", requests.len());
        let mut seen = BTreeSet::new();
        for request in requests.iter().filter(|request| request.url.contains("Microsoft.Authorization")) {
            assert!(seen.insert(&request.url), "asked twice: {}", request.url);
        }
        assert!(seen.len() > 8, "{seen:?}");
    });
}

#[test]
fn a_plan_says_what_readiness_says() {
    on_paused_clock(async {
        let scenario = || shipped("tier-mismatch");
        let ready = look(&stage(scenario())).await;
        let planned = look(&Stage::flagship(scenario())).await;
        let more: Vec<&str> = told(&planned).difference(&told(&ready)).copied().collect();
        assert_eq!(more, ["service-looks-alive"]);
        assert!(told(&planned).is_superset(&told(&ready)));
    });
}

#[test]
fn the_report_is_one_finding_a_line_and_a_summary() {
    on_paused_clock(async {
        let plan = look(&stage(shipped("standby-busy"))).await;
        insta::assert_snapshot!(readiness::text(&plan, &Style { colour: false, unicode: true, width: 110 }));
        let json: serde_json::Value = serde_json::from_str(&readiness::json(&plan)).unwrap();
        insta::assert_json_snapshot!(json);
        let clean = look(&stage(Scenario::alive())).await;
        insta::assert_snapshot!(readiness::text(&clean, &Style::plain(110)), @"ready: apim-failover, mode unplanned, 2026-11-23 03:00:00Z; 0 blockers, 0 warnings, 0 notes");
    });
}
