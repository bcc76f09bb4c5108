//! `lifeboat readiness` from outside: exit codes, data on stdout, nothing kept, nothing but reads.

use super::*;

fn shipped(name: &str) -> String {
    format!("--simulate={}/examples/scenarios/readiness/{name}.yaml", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn it_exits_with_0_or_4_writes_nothing_and_keeps_nothing() {
    for (name, code, said) in [
        ("clean", 0, "ready: apim-failover, mode unplanned (simulated)"),
        ("hostname-missing", 0, "[hostname-missing] verify-standby: "),
        ("read-only-lock", 4, "[read-only-lock] flip: "),
    ] {
        let place = Place::new();
        let output = place.lifeboat(&["readiness", FLAGSHIP, &shipped(name), "--request-log", "requests.jsonl"]);
        assert_eq!(output.status.code(), Some(code), "{}", story(&output));
        assert!(out(&output).contains(said), "{name}: {}", out(&output));
        assert!(story(&output).is_empty(), "{}", story(&output));
        assert!(place.methods().iter().all(|method| method == "GET" || method == "HEAD"), "{:?}", place.methods());
        assert!(place.is_untouched() && !place.0.path().join("state").exists());
    }
}

#[test]
fn its_json_is_one_versioned_document() {
    let place = Place::new();
    let output = place.lifeboat(&["readiness", FLAGSHIP, &shipped("read-only-lock"), "--output", "json"]);
    assert_eq!(output.status.code(), Some(4));
    let report: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!((&report["v"], &report["ready"], &report["blockers"]), (&1.into(), &false.into(), &1.into()));
    let finding = &report["findings"][0];
    assert_eq!((&finding["code"], &finding["severity"]), (&"read-only-lock".into(), &"blocker".into()));
    assert!(finding["observed_at"].as_str().unwrap().ends_with('Z'), "{finding}");
    assert!(!finding["remedy"].as_str().unwrap().is_empty());
}

#[test]
fn bad_input_is_refused_with_its_place() {
    let place = Place::new();
    let broken =
        place.write("broken.yaml", format!("{HEAD}  - {{ id: a, ned: [], do: {{ wait: {{ duration: 1s }} }} }}\n"));
    assert_refused(&place, &place.lifeboat(&["readiness", &broken, "--simulate"]), 3, &["broken.yaml", ":4:14"]);
    assert_refused(&place, &place.lifeboat(&["readiness", FLAGSHIP]), 2, &["--site", "--simulate"]);
    assert_refused(&place, &place.lifeboat(&["readiness", FLAGSHIP, "--simulate=no-such.yaml"]), 3, &["no-such.yaml"]);
}
