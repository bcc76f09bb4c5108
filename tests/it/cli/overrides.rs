//! Decisions of people, typed: `--force`, `skip`, `abort --undo`.

use super::*;

const ALIVE: &str = "version: 1\nregion: alive\n";

/// Looks at the service for a short while, then moves the name, then proves what cannot be proved.
const RUNBOOK: &str = "
version: 1
name: short
parameters:
  active: { type: resource-id }
  standby: { type: resource-id }
  zone: { type: resource-id }
steps:
  - id: confirm-outage
    modes: [unplanned]
    do: { apim.confirm-outage: { service: '${{ params.active }}', hold_off: 1s } }
  - id: flip
    modes: [unplanned]
    needs: [confirm-outage]
    do: { dns.flip-cname: { zone: '${{ params.zone }}', record: api, target: apim-contoso-east.azure-api.net } }
  - id: prove
    needs: [flip]
    do: { gateway.health-check: { service: '${{ params.standby }}', hostname: api.contoso.com, paths: [{ path: /orders }] } }
  - id: rest
    needs: [prove]
    do: { wait: { duration: 1s } }
";

fn place() -> (Place, String, String) {
    let place = Place::new();
    let runbook = place.write("short.yaml", RUNBOOK);
    let alive = format!("--simulate={}", place.write("alive.yaml", ALIVE));
    (place, runbook, alive)
}

#[test]
fn a_living_service_is_refused_and_force_needs_a_reason_and_an_unplanned_run() {
    let (place, runbook, alive) = place();
    let run = |more: &[&str]| {
        let mut arguments = vec!["run", &runbook, &alive, "--yes"];
        arguments.extend(more);
        place.lifeboat(&arguments)
    };
    assert_refused(&place, &run(&[]), 4, &["looks alive", "--force"]);
    assert_refused(&place, &run(&["--force", "  "]), 2, &["blank"]);
    assert_refused(&place, &run(&["--force", &"x".repeat(501)]), 2, &["more than 500"]);
    for mode in ["planned", "drill"] {
        assert_refused(&place, &run(&["--mode", mode, "--force", "because"]), 2, &["--force", mode]);
    }
    assert_refused(&place, &place.lifeboat(&["drill", FLAGSHIP, "--simulate", "--force", "x"]), 2, &["drill"]);
}

#[test]
fn a_forced_failover_says_so_first_in_the_plan_the_summary_and_after_a_resume() {
    let (place, runbook, alive) = place();
    let reason = "half of it is lost; don't wait";
    let plan = place.lifeboat(&["plan", &runbook, &alive, "--force", reason]);
    assert_eq!(plan.status.code(), Some(0), "{}", out(&plan));
    assert!(out(&plan).contains("forced") && out(&plan).contains(reason), "{}", out(&plan));
    assert!(out(&plan).contains(r"--force 'half of it is lost; don'\''t wait'"), "{}", out(&plan));

    let run = place.lifeboat(&["run", &runbook, &alive, "--yes", "--run-id", "forced", "--force", reason]);
    assert_eq!(run.status.code(), Some(1), "nothing was restored, so the proof fails: {}", story(&run));
    let ended = story(&run);
    let (head, rest) = ended.split_once("FAILED").unwrap();
    assert!(head.contains("looks alive"), "{ended}");
    assert!(rest.lines().nth(1).unwrap().contains("forced by"), "{ended}");
    let resumed = place.lifeboat(&["resume", "forced"]);
    let ended = story(&resumed);
    let (_, rest) = ended.split_once("FAILED").unwrap();
    assert!(rest.lines().nth(1).unwrap().contains("forced by"), "{ended}");
    let status = place.lifeboat(&["status", "forced", "--output", "json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(
        (&status["overrides"][0]["kind"], &status["overrides"][0]["reason"]),
        (&"forced".into(), &reason.into())
    );
}

#[test]
fn a_proof_is_skipped_with_a_reason_and_what_was_done_is_undone_on_request() {
    let (place, runbook, _) = place();
    let run = |id: &str| place.lifeboat(&["run", &runbook, "--simulate", "--yes", "--run-id", id]);
    assert_eq!(run("one").status.code(), Some(1));
    let skip = |step: &str, reason: &str| place.lifeboat(&["skip", "one", step, "--reason", reason]);
    assert_eq!(skip("prove", " ").status.code(), Some(2));
    let refused = skip("flip", "because");
    assert_eq!(refused.status.code(), Some(4));
    assert!(story(&refused).contains("changes the world"), "{}", story(&refused));
    let refused = skip("rest", "because");
    assert!(story(&refused).contains("its turn has not come"), "{}", story(&refused));
    let skipped = skip("prove", "the path is new");
    assert_eq!((skipped.status.code(), out(&skipped).contains("skipped: step prove")), (Some(0), true));
    let resumed = place.lifeboat(&["resume", "one"]);
    assert_eq!(resumed.status.code(), Some(0), "{}", story(&resumed));
    assert!(story(&resumed).contains("step prove was skipped by"), "{}", story(&resumed));
    assert!(story(&resumed).contains("the path is new"));

    assert_eq!(run("two").status.code(), Some(1));
    let unasked = place.lifeboat(&["abort", "two", "--undo"]);
    assert_eq!(unasked.status.code(), Some(4), "nobody can be asked");
    assert!(story(&unasked).contains("What is undone, in this order"), "{}", story(&unasked));
    assert!(story(&unasked).contains("whether to put api.contoso.com back"), "{}", story(&unasked));
    let undone = place.lifeboat(&["abort", "two", "--undo", "--yes", "--reason", "it is back"]);
    assert_eq!(undone.status.code(), Some(0), "{}", story(&undone));
    assert!(story(&undone).contains("UNDONE"), "{}", story(&undone));
    assert!(story(&undone).contains("points at apim-contoso-west.azure-api.net again"), "{}", story(&undone));
    let again = place.lifeboat(&["abort", "two", "--undo", "--yes"]);
    assert_eq!(again.status.code(), Some(4), "it is over");
}
