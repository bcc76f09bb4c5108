//! Scenario files: the shipped ones, and the mistakes that are caught.

use std::path::Path;

use super::*;

#[test]
fn the_example_is_the_built_in_scenario_key_by_key() {
    let text = include_str!("../../../examples/scenario.yaml");
    assert_eq!(Scenario::parse(text).unwrap(), Scenario::default());
    let said: Value = serde_saphyr::from_str(text).unwrap();
    let built_in = serde_json::to_value(Scenario::default()).unwrap();
    names_every_key(&built_in, &said, "");
}

fn names_every_key(built_in: &Value, said: &Value, place: &str) {
    if let (Value::Object(built_in), Value::Object(said)) = (built_in, said) {
        for (key, value) in built_in {
            let place = format!("{place}.{key}");
            names_every_key(value, said.get(key).unwrap_or_else(|| panic!("{place} is not in the example")), &place);
        }
    }
}

#[test]
fn every_shipped_scenario_is_read() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scenarios");
    let listed = |directory: &Path| std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let files = listed(&directory).chain(listed(&directory.join("readiness")));
    let mut read = 0;
    for path in files.filter(|path| path.is_file()) {
        let scenario = lifeboat::sim::command::read_scenario(&path).unwrap_or_else(|error| panic!("{error}"));
        let as_built_in = path.ends_with("readiness/active-silent.yaml");
        assert_eq!(scenario == Scenario::default(), as_built_in, "{}", path.display());
        read += 1;
    }
    assert!(read >= 4, "{read}");
}

#[test]
fn a_scenario_says_only_what_differs() {
    let scenario = Scenario::parse("region: alive\nstandby: { tier: Standard }\n").unwrap();
    assert_eq!(scenario.standby.tier, "Standard");
    assert_eq!(scenario.standby.name, "apim-contoso-east");
    let mut expected = Scenario::alive();
    expected.standby.tier = "Standard".to_owned();
    assert_eq!(scenario, expected);
}

#[test]
fn mistakes_are_named_with_their_place() {
    let mistakes = [
        ("region: gone", Some((1, 9)), "gone"),
        ("seed: 1\nstandby:\n  teir: Premium\n", Some((3, 3)), "teir"),
        ("latency: 40", Some((1, 10)), "no unit"),
        ("faults:\n  - do: { explode: true }\n", Some((2, 11)), "explode"),
        ("faults:\n  - on: { method: GET }\n", None, "do"),
        ("version: 2", None, "version 2"),
        ("faults: [{ do: { gateway: { service: other, trouble: flap } } }]", None, "no service `other`"),
        ("faults: [{ do: { dns-server: { server: resolver-1 } } }]", None, "either `lag` or `down"),
        ("faults: [{ probability: 2.0, do: truncate }]", None, "between 0 and 1"),
        ("seed: 1\nseed: 2\n", Some((2, 1)), "seed"),
    ];
    for (text, place, part) in mistakes {
        let error = Scenario::parse(text).expect_err(text);
        assert!(error.message.contains(part), "{text}: {error}");
        if let Some(place) = place {
            assert_eq!((error.line, error.column), (Some(place.0), Some(place.1)), "{text}: {error}");
        }
    }
}
