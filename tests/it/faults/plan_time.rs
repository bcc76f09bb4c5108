//! What a plan of the flagship refuses before anything starts: no backups, the wrong standby, an alias, no permission.

use lifeboat::{
    plan::facts::{Finding, Severity},
    sim::scenario::{Trap, TrapKind},
};

use super::*;
use crate::harness::on_paused_clock;

/// Plans the flagship and gives what stands in its way; nothing may have been changed by that.
fn blockers(scenario: Scenario) -> Vec<Finding> {
    on_paused_clock(async {
        let stage = Stage::flagship(scenario);
        let plan = stage.plan().await;
        assert!(stage.world.requests().iter().all(|request| ["GET", "HEAD"].contains(&request.method.as_str())));
        plan.findings.into_iter().filter(|finding| finding.severity == Severity::Blocker).collect()
    })
}

/// The blocker of this step with this code.
#[track_caller]
fn blocker(scenario: Scenario, step: &str, code: &str) -> Finding {
    let all = blockers(scenario);
    let found = all
        .iter()
        .find(|finding| finding.code == code && finding.step.as_ref().is_some_and(|id| id.as_str() == step))
        .unwrap_or_else(|| panic!("no `{code}` of `{step}` in {all:#?}"));
    assert!(!found.remedy.is_empty(), "{found:?}");
    found.clone()
}

#[test]
fn a_container_without_backups_is_a_blocker() {
    let mut scenario = Scenario::default();
    (scenario.backups.count, scenario.backups.traps) = (0, Vec::new());
    let found = blocker(scenario, "find-backup", "no-backups");
    assert!(found.message.contains("there are no backups in"), "{}", found.message);
    assert!(found.remedy.contains("make a backup"), "{}", found.remedy);
}

#[test]
fn backups_that_have_all_expired_are_a_blocker_that_names_the_newest() {
    let mut scenario = Scenario::default();
    (scenario.backups.newest, scenario.backups.traps) = (minutes(31 * 24 * 60), Vec::new());
    let found = blocker(scenario, "find-backup", "backups-expired");
    for part in ["apim-contoso-west-20261023T030000Z", "expired 2026-11-22 03:00 UTC"] {
        assert!(found.message.contains(part), "{}", found.message);
    }
    assert!(found.remedy.contains("30 days"), "{}", found.remedy);
}

#[test]
fn backups_that_cannot_be_read_are_a_blocker_that_says_why() {
    let mut scenario = Scenario::default();
    scenario.backups.count = 0;
    scenario.backups.traps =
        vec![Trap { kind: TrapKind::Empty, age: minutes(60) }, Trap { kind: TrapKind::Archived, age: minutes(120) }];
    let found = blocker(scenario, "find-backup", "no-usable-backup");
    for part in ["it is empty", "Archive tier"] {
        assert!(found.message.contains(part), "{}", found.message);
    }
    let found = blocker(
        world([Fault::status(403, "AuthorizationPermissionMismatch").on("GET", "comp=list")]),
        "find-backup",
        "forbidden",
    );
    assert!(found.remedy.contains("Storage Blob Data Reader"), "{}", found.remedy);
}

#[test]
fn a_record_that_is_an_alias_is_a_blocker() {
    let mut scenario = Scenario::default();
    let alias = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/trafficManagerProfiles/tm";
    scenario.zone.records.get_mut("api").unwrap().alias = Some(alias.to_owned());
    let found = blocker(scenario, "flip", "record-alias");
    assert!(found.message.contains(alias), "{}", found.message);
    assert!(found.remedy.contains("Traffic Manager"), "{}", found.remedy);
}

#[test]
fn a_standby_of_another_tier_is_a_blocker() {
    let mut scenario = Scenario::default();
    scenario.standby.tier = "Standard".to_owned();
    let found = blocker(scenario, "verify-standby", "tier-mismatch");
    assert!(found.message.contains("Standard") && found.message.contains("Premium"), "{}", found.message);
    assert!(found.remedy.contains("az apim update --sku-name Premium"), "{}", found.remedy);
}

#[test]
fn refusals_of_the_resource_manager_are_blockers_that_name_what_is_missing() {
    let (service, record) = ("/apim-contoso-east?", RECORD);
    for (status, azure, path, step, code) in [
        (401, "InvalidAuthenticationToken", service, "verify-standby", "unauthorized"),
        (403, "AuthorizationFailed", service, "verify-standby", "forbidden"),
        (404, "ResourceNotFound", service, "verify-standby", "standby-not-found"),
        (401, "InvalidAuthenticationToken", record, "flip", "unauthorized"),
        (403, "AuthorizationFailed", record, "flip", "forbidden"),
        (404, "ResourceNotFound", record, "flip", "record-not-found"),
    ] {
        let mut fault = Fault::status(status, azure).on("GET", path);
        let action = if path == record {
            "Microsoft.Network/dnszones/CNAME/read"
        } else {
            "Microsoft.ApiManagement/service/read"
        };
        if let lifeboat::sim::Act::Status(answer) = &mut fault.act {
            answer.message = (status == 403).then(|| {
                format!(
                    "The client 'x' with object id 'x' does not have authorization to perform action '{action}' over \
                     scope '/subscriptions/s' or the scope is invalid."
                )
            });
        }
        let found = blocker(world([fault]), step, code);
        if status == 403 {
            assert!(found.remedy.contains(&format!("grant the permission `{action}`")), "{}", found.remedy);
        }
    }
}
