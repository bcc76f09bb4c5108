//! A restore over the service that clients use: refused in every mode, unless somebody decided otherwise.

use lifeboat::{
    plan::{
        Forced, Plan,
        facts::{Finding, Severity},
    },
    run::{Outcome, journal::Disk},
    runbook::{self, Mode},
    sim::Scenario,
};

use crate::{
    harness::{FLAGSHIP, Stage, on_paused_clock, outcome},
    transitions::person,
};

const EAST: &str = "apim-contoso-east.azure-api.net";

/// West is lost, and these names lead to the standby.
fn moved(names: &[&str]) -> Scenario {
    let mut scenario = Scenario::default();
    for name in names {
        EAST.clone_into(&mut scenario.zone.records.get_mut(*name).unwrap().target);
    }
    scenario
}

fn over_live(plan: &Plan) -> Option<&Finding> {
    plan.findings.iter().find(|finding| finding.code == "restore-over-live")
}

fn refused(plan: &Plan) -> &Finding {
    let finding = over_live(plan).unwrap_or_else(|| panic!("{:#?}", plan.findings));
    assert_eq!(finding.severity, Severity::Blocker);
    assert!(finding.place().contains("verify-standby"), "{finding:?}");
    assert!(finding.message.starts_with("apim-contoso-east serves api.contoso.com:"), "{}", finding.message);
    finding
}

#[test]
fn a_second_failover_after_the_first_is_refused() {
    on_paused_clock(async {
        let mut stage = Stage::flagship(Scenario::default());
        assert_eq!(over_live(&stage.plan().await), None);
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        let again = stage.plan().await;
        assert!(refused(&again).remedy.contains("--force"));
        assert!(refused(&again).place().contains("restore"));
        stage.mode = Mode::Planned;
        assert!(!refused(&stage.plan().await).remedy.contains("--force"), "only an unplanned run can be forced");
    });
}

/// The resolvers still tell the old target; the record itself does not.
#[test]
fn a_name_that_was_moved_a_moment_ago_counts_too() {
    on_paused_clock(async {
        let flip = "version: 1\nname: flip\nparameters: { zone: { type: resource-id } }\nsteps:\n  - id: flip\n    \
                    modes: [planned, unplanned]\n    do: { dns.flip-cname: { zone: '${{ params.zone }}', record: api, \
                    target: apim-contoso-east.azure-api.net } }\n";
        let mut stage = Stage::flagship(Scenario::default());
        stage.plan().await;
        stage.runbook =
            runbook::check("flip.yaml", flip.as_bytes()).unwrap_or_else(|it| panic!("{}", it.render(false)));
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        stage.disk = Disk::default();
        stage.runbook = runbook::check("again.yaml", &std::fs::read(FLAGSHIP).unwrap()).unwrap();
        refused(&stage.plan().await);
    });
}

#[test]
fn a_drill_goes_on_over_its_own_shadow_name_and_not_over_production() {
    on_paused_clock(async {
        let mut stage = Stage { mode: Mode::Drill, ..Stage::flagship(moved(&["api-drill"])) };
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        assert_eq!(stage.world.effects().restores_accepted, 1);

        let stage = Stage { mode: Mode::Drill, ..Stage::flagship(moved(&["api", "api-drill"])) };
        assert!(!refused(&stage.plan().await).message.contains("api-drill"));
        // What a drill left behind stops no failover.
        let mut stage = Stage::flagship(moved(&["api-drill"]));
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
    });
}

#[test]
fn who_decides_to_overwrite_it_is_told_and_goes_on() {
    on_paused_clock(async {
        let mut stage = Stage::flagship(moved(&["api"]));
        stage.forced = Some(Forced { by: person("ann"), reason: "the first restore was of a bad backup".to_owned() });
        let plan = stage.plan().await;
        let finding = over_live(&plan).unwrap();
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.message.contains("ann@here: \"the first restore"), "{}", finding.message);
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        assert_eq!(stage.world.effects().restores_accepted, 1);
    });
}

/// The names still lead home: the returned service is no longer, or not yet, the one to overwrite.
#[test]
fn a_way_home_while_the_names_lead_home_is_refused() {
    on_paused_clock(async {
        let mut stage = Stage::flagship(Scenario::alive());
        stage.then("way-home", "runbooks/apim-failback.yaml", Mode::Planned);
        let plan = stage.plan().await;
        let finding = over_live(&plan).unwrap_or_else(|| panic!("{:#?}", plan.findings));
        assert_eq!(finding.severity, Severity::Blocker);
        assert!(finding.message.starts_with("apim-contoso-west serves api.contoso.com:"), "{}", finding.message);
    });
}
