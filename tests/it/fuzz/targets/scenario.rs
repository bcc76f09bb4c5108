//! Scenarios: refused in words, or understood, written as JSON, and the same again.

use lifeboat::sim::Scenario;

pub fn hold(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Scenario::parse(text) {
        Ok(scenario) => {
            let written = serde_json::to_string(&scenario).expect("it has text keys");
            let again = Scenario::parse(&written).unwrap_or_else(|error| panic!("{written}\n{error}"));
            assert_eq!(again, scenario, "{written}");
        }
        Err(error) => {
            assert!(!error.message.trim().is_empty());
            assert_eq!(error.line.is_some(), error.column.is_some(), "{error:?}");
            // YAML breaks lines where Unicode does.
            let lines = text.matches(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count() as u64 + 1;
            assert!(error.line.is_none_or(|line| line <= lines), "{error:?} of {lines} lines");
        }
    }
}
