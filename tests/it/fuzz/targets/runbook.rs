//! Runbooks: refused with every problem at its place, or understood so well that they can be written down again.

use std::collections::HashSet;

use lifeboat::{
    report::picture::Picture,
    runbook::{OnFailure, Parameter, Runbook, Step, check, expression::parts, span},
};
use serde_json::{Map, Value, json};

use super::problems;

pub fn hold(bytes: &[u8]) {
    let runbook = match check("fuzz.yaml", bytes) {
        Ok(runbook) => runbook,
        Err(found) => return problems::hold(&found, bytes, false),
    };
    legal(&runbook);
    let written = written(&runbook).to_string();
    let again = check("again.yaml", written.as_bytes())
        .unwrap_or_else(|problems| panic!("{written}\n{}", problems.render(false)));
    assert_eq!(Runbook { sha256: runbook.sha256.clone(), ..again }, runbook, "{written}");
    let picture = Picture::of(&runbook);
    for drawn in [picture.text(), picture.mermaid(), picture.dot(), picture.svg()] {
        assert!(!drawn.is_empty());
    }
}

/// What the rest of the program takes for granted.
fn legal(runbook: &Runbook) {
    let ids: HashSet<&str> = runbook.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids.len(), runbook.steps.len(), "an id twice");
    assert!(!ids.is_empty() && !runbook.name.is_empty());
    for step in &runbook.steps {
        assert!(step.needs.iter().all(|need| ids.contains(need.as_str()) && *need != step.id), "{step:?}");
        for text in step.arguments.values().filter_map(Value::as_str) {
            parts(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
        }
    }
    // Everything can be put into an order, so nothing waits for itself.
    let mut done: HashSet<&str> = HashSet::new();
    while done.len() < ids.len() {
        let before = done.len();
        for step in &runbook.steps {
            if step.needs.iter().all(|need| done.contains(need.as_str())) {
                done.insert(step.id.as_str());
            }
        }
        assert!(done.len() > before, "a circle that the check did not see");
    }
}

/// As JSON, which is YAML.
fn written(runbook: &Runbook) -> Value {
    let objectives = serde_json::to_value(runbook.objectives.clone()).expect("it has text keys");
    let parameters: Map<String, Value> =
        runbook.parameters.iter().map(|parameter| (parameter.name.clone(), parameter_written(parameter))).collect();
    filled([
        ("version", Some(json!(1))),
        ("name", Some(json!(runbook.name))),
        ("description", runbook.description.as_ref().map(|text| json!(text))),
        ("objectives", Some(objectives)),
        ("parameters", Some(Value::Object(parameters))),
        ("steps", Some(runbook.steps.iter().map(step_written).collect())),
    ])
}

fn parameter_written(parameter: &Parameter) -> Value {
    filled([
        ("type", Some(json!(parameter.kind))),
        ("description", parameter.description.as_ref().map(|text| json!(text))),
        ("default", parameter.default.clone()),
        ("drill", parameter.drill.clone()),
    ])
}

fn step_written(step: &Step) -> Value {
    let action = filled([(step.action.name(), Some(Value::Object(step.arguments.clone())))]);
    filled([
        ("id", Some(json!(step.id))),
        ("description", step.description.as_ref().map(|text| json!(text))),
        ("needs", Some(json!(step.needs))),
        ("modes", step.modes.as_ref().map(|modes| json!(modes))),
        ("when", step.when.as_ref().map(|text| json!(format!("${{{{ {text} }}}}")))),
        ("timeout", step.timeout.map(|timeout| json!(span::format(timeout)))),
        ("retry", step.retry.map(|retry| json!(retry))),
        ("on_failure", (step.on_failure != OnFailure::default()).then(|| json!(step.on_failure))),
        ("do", Some(action)),
    ])
}

fn filled<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>().into()
}
