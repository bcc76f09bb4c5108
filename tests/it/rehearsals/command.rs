//! `drill`, `drills`, the policy of a site and what is left over, with the live program.

use serde_json::Value;

use crate::{
    harness::{FLAGSHIP, QUICK},
    process::{SPEED, Simulator, Watched, output, text},
};

fn drill(simulator: &Simulator, run: &str, more: &[&str]) -> std::process::Command {
    let site = simulator.path("site.yaml");
    let mut command = simulator.lifeboat(&["drill", FLAGSHIP, "--yes", "--output", "json", "--run-id", run]);
    command.args(more).arg("--site").arg(site);
    command
}

fn plan(simulator: &Simulator, mode: &str) -> (Option<i32>, Value) {
    let site = simulator.path("site.yaml");
    let mut command = simulator.lifeboat(&["plan", FLAGSHIP, "--mode", mode, "--output", "json"]);
    let planned = output(command.arg("--site").arg(site));
    (planned.status.code(), serde_json::from_slice(&planned.stdout).unwrap_or_else(|_| panic!("{}", text(&planned))))
}

fn codes(plan: &Value) -> Vec<(String, String)> {
    let words = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let findings = plan["findings"].as_array().unwrap().iter();
    findings.map(|finding| (words(finding, "code"), words(finding, "severity"))).collect()
}

fn has(plan: &Value, code: &str, severity: &str) -> bool {
    codes(plan).contains(&(code.to_owned(), severity.to_owned()))
}

#[test]
fn what_is_not_rehearsed_is_not_run_while_there_is_time_and_a_drill_changes_that() {
    let simulator = Simulator::start(SPEED, Some(QUICK));
    let site = simulator.path("site.yaml");
    let with_policy = std::fs::read_to_string(&site).unwrap() + "rehearsal: { within: 30d }\n";
    std::fs::write(&site, with_policy).unwrap();
    let (code, before) = plan(&simulator, "planned");
    assert_eq!(code, Some(4), "{:?}", codes(&before));
    assert!(has(&before, "not-rehearsed", "blocker"), "{:?}", codes(&before));
    assert!(has(&plan(&simulator, "unplanned").1, "not-rehearsed", "warning"));

    let drilled = output(&mut drill(&simulator, "drill-1", &[]));
    assert_eq!(drilled.status.code(), Some(0), "{}", text(&drilled));
    let (_, after) = plan(&simulator, "planned");
    assert!(!codes(&after).iter().any(|(code, _)| code == "not-rehearsed"), "{:?}", codes(&after));
    // What it took is what the next is predicted to take.
    assert_eq!(after["prediction"]["sample"], 1, "{}", after["prediction"]);
    assert_eq!(after["prediction"]["basis"], "history");
    let page = simulator.path("drills.html");
    let mut command = simulator.lifeboat(&["drills", FLAGSHIP, "--output", "json"]);
    let told = output(command.arg("--html").arg(&page));
    let told: Value = serde_json::from_slice(&told.stdout).unwrap_or_else(|_| panic!("{}", text(&told)));
    assert_eq!(told["runbooks"][0]["runbook"], "apim-failover");
    assert_eq!(told["runbooks"][0]["succeeded"], 1);
    assert_eq!(told["runbooks"][0]["drills"][0]["run"], "drill-1");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("<svg ") && page.contains("drill-1") && !page.contains("<script"), "{page}");
    assert!(!page.contains("http://") && !page.contains("https://"), "nothing from elsewhere");
    let shown = output(&mut simulator.lifeboat(&["drills"]));
    assert!(text(&shown).contains("rehearsed  1 times; last "), "{}", text(&shown));
}

#[test]
fn a_drill_that_was_killed_is_named_until_it_is_cleaned_up() {
    let simulator = Simulator::start(SPEED, Some(QUICK));
    let mut first = Watched::start(drill(&simulator, "lost", &[]));
    assert!(first.until(&simulator, "lost", "step-succeeded", "flip"), "{}", first.finish().2);
    first.kill();
    for mode in ["planned", "unplanned", "drill"] {
        let (_, planned) = plan(&simulator, mode);
        assert!(has(&planned, "drill-left-over", "warning"), "{mode}: {:?}", codes(&planned));
    }
    let readiness = output(simulator.lifeboat(&["readiness", FLAGSHIP]).arg("--site").arg(simulator.path("site.yaml")));
    let told = text(&readiness);
    assert!(told.contains("drill-left-over") && told.contains("lifeboat abort lost --undo --yes"), "{told}");
    assert!(told.contains("api-drill.contoso.com"), "what was left: {told}");
    let listed = output(&mut simulator.lifeboat(&["drills"]));
    assert!(text(&listed).contains("lifeboat abort lost --undo --yes"), "{}", text(&listed));

    let cleaned = output(&mut simulator.lifeboat(&["abort", "lost", "--undo", "--yes"]));
    assert_eq!(cleaned.status.code(), Some(0), "{}", text(&cleaned));
    assert_eq!(simulator.count("PUT", "/CNAME/api-drill?"), 2, "there and back");
    assert_eq!(simulator.count("PUT", "/CNAME/api?"), 0);
    let (_, planned) = plan(&simulator, "drill");
    assert!(!has(&planned, "drill-left-over", "warning"), "{:?}", codes(&planned));
}

#[test]
fn a_rehearsal_that_is_not_for_somebody_refuses_them_at_every_door() {
    let simulator = Simulator::start(SPEED, Some(QUICK));
    let as_user = |mut command: std::process::Command, user: &str| {
        command.env("USER", user);
        output(&mut command)
    };
    let excluded = ["--operator-must-not-be", "Dana"];
    let refused = as_user(drill(&simulator, "mine", &excluded), "dana");
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused));
    assert!(text(&refused).contains("must not depend on one person"), "{}", text(&refused));
    assert!(!simulator.path("state/runs").exists());

    let mut command = drill(&simulator, "ours", &excluded);
    command.env("USER", "eve");
    let mut first = Watched::start(command);
    assert!(first.until(&simulator, "ours", "operation-accepted", "restore"), "{}", first.finish().2);
    first.kill();
    let resume = || simulator.lifeboat(&["resume", "ours", "--yes"]);
    let refused = as_user(resume(), "dana");
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused));
    let done = as_user(resume(), "eve");
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
}
