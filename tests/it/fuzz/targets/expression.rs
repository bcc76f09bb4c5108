//! Texts with `${{ }}`: taken apart without a gap, refused at a place, evaluated within their fuel.

use lifeboat::runbook::{
    Mode, Scope, StepId,
    expression::{Fault, Part, Target, expression, parts},
};
use serde_json::{Map, Value, json};

pub fn hold(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match parts(text) {
        Ok(parts) => whole(text, &parts),
        Err(fault) => refused(text, &fault),
    }
    // The same text as a condition, which has no `${{ }}`.
    if let Err(fault) = expression(text, 0) {
        refused(text, &fault);
    }
    evaluated(text);
}

/// The parts are the text, and each of them means the same alone.
fn whole(text: &str, parts: &[Part<'_>]) {
    let mut at = 0;
    for part in parts {
        match part {
            Part::Literal(literal) => {
                assert!(text[at..].starts_with(literal), "{text:?}: {part:?} does not stand at {at}");
                at += literal.len();
            }
            Part::Expression(found) => {
                assert_eq!(found.range.start, at, "{text:?}: {part:?}");
                at = found.range.end;
                let alone = &text[found.range.clone()];
                assert!(alone.starts_with("${{") && alone.ends_with("}}"), "{alone:?}");
                let again = lifeboat::runbook::expression::parts(alone).expect("it was read as a part");
                let [Part::Expression(again)] = again.as_slice() else { panic!("{alone:?}: {again:?}") };
                assert_eq!((&again.rewritten, &again.bare), (&found.rewritten, &found.bare), "{alone:?}");
                for reference in &found.references {
                    let name = text.get(reference.range.clone()).expect("a reference stands in the text");
                    let begins = match &reference.target {
                        Target::Parameter { .. } => "params",
                        Target::Output { .. } => "steps",
                        Target::Mode => "mode",
                        Target::Run => "run",
                    };
                    assert!(name.starts_with(begins), "{name:?} is no {reference:?}");
                }
            }
        }
    }
    assert_eq!(at, text.len(), "{text:?}: the end is in no part");
}

fn refused(text: &str, fault: &Fault) {
    assert!(text.get(fault.range.clone()).is_some(), "{text:?}: {fault:?} is not in the text");
    assert!(!fault.kind.to_string().trim().is_empty());
}

/// Every reference to these two has a value; what is wrong is told in words.
fn evaluated(text: &str) {
    let parameters = [
        ("a".to_owned(), json!("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/dnsZones/a.example")),
        ("n".to_owned(), json!(7)),
    ];
    let mut scope = Scope::new(parameters.into(), Mode::Drill, Some("run-1".to_owned()));
    let outputs = json!({ "o": [1, { "p": null }], "text": "x" });
    scope.set_outputs(StepId::new("s"), outputs.as_object().expect("written so").clone());
    let arguments: Map<String, Value> = [("field".to_owned(), json!([text]))].into_iter().collect();
    if let Err(error) = scope.resolve(&arguments) {
        assert!(!error.to_string().trim().is_empty());
    }
    if let Err(error) = scope.condition(text) {
        assert!(!error.to_string().trim().is_empty());
    }
}
