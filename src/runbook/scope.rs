//! What expressions can see, and their values: while planning (outputs as far as probes know them) and in the run.
//!
//! A text that is exactly one `${{ }}` keeps the type of its value; in any other text values are written out. Text
//! without `${{` is returned untouched. Never looks at the world and never costs more than a bounded amount of fuel.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::{
    Mode, ResourceId, StepId,
    expression::{self, ENVIRONMENT, Expression, Part, Target, context},
};

/// Longest text that expressions may make of a field; the journal holds it with every attempt.
const LONGEST_TEXT: usize = 1 << 20;

/// What a resource id has behind its dot.
pub(super) const RESOURCE_ATTRIBUTES: &[&str] = &["name", "group", "subscription", "type"];

/// Why a value cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// The step has not given this output yet.
    #[error("`steps.{step}.{output}` is not known yet")]
    Output { step: StepId, output: String },
    /// There is no run yet.
    #[error("`run` is not known yet")]
    Run,
    /// It can never be had. Lower-case fragment.
    #[error("{0}")]
    Wrong(String),
}

/// Outputs that the expressions in a value refer to, in lists and maps too. What is no expression refers to none.
pub fn outputs_in(value: &Value) -> Vec<(StepId, String)> {
    match value {
        Value::String(text) => {
            let parts = expression::parts(text).unwrap_or_default();
            let expressions = parts.iter().filter_map(|part| match part {
                Part::Expression(expression) => Some(expression),
                Part::Literal(_) => None,
            });
            expressions.flat_map(outputs_of).collect()
        }
        Value::Array(items) => items.iter().flat_map(outputs_in).collect(),
        Value::Object(entries) => entries.values().flat_map(outputs_in).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// As `outputs_in`, of a text without `${{ }}`, as in `Step::when`.
pub fn outputs_in_condition(text: &str) -> Vec<(StepId, String)> {
    expression::expression(text, 0).map(|expression| outputs_of(&expression)).unwrap_or_default()
}

fn outputs_of(expression: &Expression) -> Vec<(StepId, String)> {
    let output = |reference: &expression::Reference| match &reference.target {
        Target::Output { step, output } => Some((StepId::new(step), output.clone())),
        Target::Parameter { .. } | Target::Mode | Target::Run => None,
    };
    expression.references.iter().filter_map(output).collect()
}

/// What expressions can see.
#[derive(Clone, Debug)]
pub struct Scope {
    parameters: BTreeMap<String, Value>,
    mode: Mode,
    run: Option<String>,
    steps: HashMap<StepId, Outputs>,
}

#[derive(Clone, Debug)]
struct Outputs {
    values: Map<String, Value>,
    /// Nothing can be added: an output that is not here will never be.
    complete: bool,
}

impl Scope {
    /// `run`: the run's id, `None` while planning.
    pub fn new(parameters: BTreeMap<String, Value>, mode: Mode, run: Option<String>) -> Self {
        Self { parameters, mode, run, steps: HashMap::new() }
    }

    /// The step is over. An output that is not in `outputs` is wrong from now on, not "not known yet"; a step that was
    /// skipped or failed has an empty map.
    pub fn set_outputs(&mut self, step: StepId, outputs: Map<String, Value>) {
        self.steps.insert(step, Outputs { values: outputs, complete: true });
    }

    /// Outputs as far as a probe knows them; all others stay "not known yet".
    pub fn set_predicted(&mut self, step: StepId, outputs: Map<String, Value>) {
        self.steps.insert(step, Outputs { values: outputs, complete: false });
    }

    /// Every `${{ }}` replaced by its value, in lists and maps too.
    pub fn resolve(&self, arguments: &Map<String, Value>) -> Result<Map<String, Value>, Unresolved> {
        arguments.iter().map(|(name, value)| Ok((name.clone(), self.value(value)?))).collect()
    }

    /// As `resolve`, but text that depends on something not known yet stays as it is; the second part says on what.
    ///
    /// # Errors
    /// Lower-case fragment: something is wrong, not merely unknown.
    pub fn resolve_known(
        &self,
        arguments: &Map<String, Value>,
    ) -> Result<(Map<String, Value>, Vec<Unresolved>), String> {
        let mut unknown = Vec::new();
        let mut resolved = Map::new();
        for (name, value) in arguments {
            resolved.insert(name.clone(), self.known(value, &mut unknown)?);
        }
        Ok((resolved, unknown))
    }

    /// `expression` without `${{ }}`, as in `Step::when`.
    pub fn condition(&self, expression: &str) -> Result<bool, Unresolved> {
        let parsed =
            expression::expression(expression, 0).map_err(|fault| Unresolved::Wrong(fault.kind.to_string()))?;
        match self.evaluate(&parsed)? {
            Value::Bool(value) => Ok(value),
            other => Err(Unresolved::Wrong(format!("`when` must give true or false, it gave `{other}`"))),
        }
    }

    fn value(&self, value: &Value) -> Result<Value, Unresolved> {
        Ok(match value {
            Value::String(text) => self.text(text)?,
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect::<Result<_, _>>()?,
            Value::Object(entries) => Value::Object(self.resolve(entries)?),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }

    fn known(&self, value: &Value, unknown: &mut Vec<Unresolved>) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => match self.text(text) {
                Ok(value) => value,
                Err(Unresolved::Wrong(message)) => return Err(message),
                Err(why @ (Unresolved::Output { .. } | Unresolved::Run)) => {
                    unknown.push(why);
                    value.clone()
                }
            },
            Value::Array(items) => items.iter().map(|item| self.known(item, unknown)).collect::<Result<_, _>>()?,
            Value::Object(entries) => {
                let mut resolved = Map::new();
                for (name, value) in entries {
                    resolved.insert(name.clone(), self.known(value, unknown)?);
                }
                Value::Object(resolved)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }

    fn text(&self, text: &str) -> Result<Value, Unresolved> {
        if !text.contains("${{") {
            return Ok(text.into());
        }
        let parts = expression::parts(text).map_err(|fault| Unresolved::Wrong(fault.kind.to_string()))?;
        if let [Part::Expression(expression)] = parts.as_slice() {
            return self.evaluate(expression);
        }
        let mut whole = String::new();
        for part in parts {
            match part {
                Part::Literal(text) => whole.push_str(text),
                Part::Expression(expression) => match self.evaluate(&expression)? {
                    Value::String(text) => whole.push_str(&text),
                    value @ (Value::Bool(_) | Value::Number(_)) => whole.push_str(&value.to_string()),
                    Value::Null | Value::Array(_) | Value::Object(_) => {
                        let message = format!("`{}` is not text and cannot stand inside text", &text[expression.range]);
                        return Err(Unresolved::Wrong(message));
                    }
                },
            }
        }
        if whole.len() > LONGEST_TEXT {
            return Err(Unresolved::Wrong(format!("an expression makes more than {LONGEST_TEXT} bytes of text")));
        }
        Ok(whole.into())
    }

    fn evaluate(&self, expression: &Expression) -> Result<Value, Unresolved> {
        let mut values = Vec::with_capacity(expression.references.len());
        for reference in &expression.references {
            values.push(self.look_up(&reference.target)?);
        }
        if let Some(path) = &expression.bare {
            return follow(values.swap_remove(0), path);
        }
        let wrong = |error: &minijinja::Error| {
            let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
            Unresolved::Wrong(format!("an expression cannot be evaluated: {what}"))
        };
        let values = values.iter().map(|value| minijinja::Value::from(minijinja::value::Serde(value))).collect();
        let compiled = ENVIRONMENT.compile_expression(&expression.rewritten).map_err(|error| wrong(&error))?;
        let value = compiled.eval(context(values)).map_err(|error| wrong(&error))?;
        if value.is_undefined() {
            return Err(Unresolved::Wrong("an expression gives no value: something in it is not there".to_owned()));
        }
        serde_json::to_value(&value)
            .map_err(|error| Unresolved::Wrong(format!("an expression gives no value: {error}")))
    }

    fn look_up(&self, target: &Target) -> Result<Value, Unresolved> {
        match target {
            Target::Mode => Ok(self.mode.as_str().into()),
            Target::Run => self.run.as_deref().map(Value::from).ok_or(Unresolved::Run),
            Target::Parameter { name, attribute } => {
                let value = self.parameters.get(name);
                let value = value.ok_or_else(|| Unresolved::Wrong(format!("the parameter `{name}` has no value")))?;
                match attribute {
                    None => Ok(value.clone()),
                    Some(attribute) => resource_attribute(name, value, attribute),
                }
            }
            Target::Output { step, output } => {
                let id = StepId::new(step);
                let Some(outputs) = self.steps.get(&id) else {
                    return Err(Unresolved::Output { step: id, output: output.clone() });
                };
                match outputs.values.get(output) {
                    Some(value) => Ok(value.clone()),
                    None if outputs.complete => {
                        Err(Unresolved::Wrong(format!("the step `{step}` gave no output `{output}`")))
                    }
                    None => Err(Unresolved::Output { step: id, output: output.clone() }),
                }
            }
        }
    }
}

fn resource_attribute(parameter: &str, value: &Value, attribute: &str) -> Result<Value, Unresolved> {
    let wrong = |what: String| Unresolved::Wrong(format!("`params.{parameter}.{attribute}`: {what}"));
    let text = value.as_str().ok_or_else(|| wrong("the value is not a resource id".to_owned()))?;
    let id = ResourceId::parse(text).map_err(wrong)?;
    match attribute {
        "name" => Ok(id.name().into()),
        "group" => Ok(id.group().into()),
        "subscription" => Ok(id.subscription().into()),
        "type" => Ok(id.kind().into()),
        _ => Err(wrong(format!("a resource id has {}", RESOURCE_ATTRIBUTES.join(", ")))),
    }
}

/// `path` into `value`.
fn follow(mut value: Value, path: &[String]) -> Result<Value, Unresolved> {
    for name in path {
        value = match value {
            Value::Object(mut entries) => entries.remove(name),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
        }
        .ok_or_else(|| Unresolved::Wrong(format!("there is no `{name}` in the value that an expression names")))?;
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SERVICE: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/apim-west";

    fn scope() -> Scope {
        let parameters = BTreeMap::from([
            ("active".to_owned(), json!(SERVICE)),
            ("my-name".to_owned(), json!("api")),
            ("count".to_owned(), json!(3)),
            ("paths".to_owned(), json!(["/a", "/b"])),
        ]);
        let mut scope = Scope::new(parameters, Mode::Drill, None);
        let outputs = json!({ "backup": { "name": "b1", "size": 5 } });
        scope.set_outputs(StepId::new("find-backup"), outputs.as_object().unwrap().clone());
        scope
    }

    fn resolve(text: &str) -> Result<Value, Unresolved> {
        let arguments = json!({ "field": text });
        scope().resolve(arguments.as_object().unwrap()).map(|mut resolved| resolved.remove("field").unwrap())
    }

    #[test]
    fn a_text_that_is_one_expression_keeps_the_type() {
        assert_eq!(resolve("${{ params.count }}"), Ok(json!(3)));
        assert_eq!(resolve("${{ params.count + 1 }}"), Ok(json!(4)));
        assert_eq!(resolve("${{ params.paths }}"), Ok(json!(["/a", "/b"])));
        assert_eq!(resolve("${{ steps.find-backup.backup }}"), Ok(json!({ "name": "b1", "size": 5 })));
        assert_eq!(resolve("${{ steps.find-backup.backup.size }}"), Ok(json!(5)));
        assert_eq!(resolve("${{ steps.find-backup.backup['name'] }}"), Ok(json!("b1")));
        assert_eq!(resolve("${{ mode == 'drill' }}"), Ok(json!(true)));
    }

    #[test]
    fn other_text_is_put_together() {
        assert_eq!(resolve("${{ params.active.name }}-${{ params.count }}"), Ok(json!("apim-west-3")));
        assert_eq!(resolve("${{ params.my-name | upper }}."), Ok(json!("API.")));
        assert_eq!(resolve("plain { } $"), Ok(json!("plain { } $")));
        assert_eq!(resolve("${{ '${{' }}"), Ok(json!("${{")));
        assert_eq!(resolve("${{ params.active }}"), Ok(json!(SERVICE)));
        assert_eq!(
            resolve("${{ params.active.group }}/${{ params.active.subscription }}/${{ params.active.type }}"),
            Ok(json!("g/s/Microsoft.ApiManagement/service"))
        );
    }

    #[test]
    fn not_known_yet_and_wrong_are_told_apart() {
        let output = |step: &str, output: &str| Unresolved::Output { step: StepId::new(step), output: output.into() };
        assert_eq!(resolve("x ${{ steps.flip.target }}"), Err(output("flip", "target")));
        assert_eq!(resolve("${{ run }}"), Err(Unresolved::Run));
        for text in [
            "${{ params.nobody }}",
            "${{ params.my-name.name }}",
            "${{ steps.find-backup.age }}",
            "${{ steps.find-backup.backup.nope }}",
            "${{ steps.find-backup.backup['nope'] }}",
            "${{ params.count + 'a' }}",
            "${{ params.count // 0 }}",
            "a ${{ params.paths }}",
            "${{ unclosed",
        ] {
            assert!(matches!(resolve(text), Err(Unresolved::Wrong(_))), "{text}: {:?}", resolve(text));
        }
    }

    #[test]
    fn what_is_not_known_yet_stays_as_it_is() {
        let mut scope = scope();
        scope.set_predicted(StepId::new("flip"), Map::new());
        let arguments = json!({ "a": "${{ params.count }}", "b": ["${{ steps.flip.target }}", "x"] });
        let (resolved, unknown) = scope.resolve_known(arguments.as_object().unwrap()).unwrap();
        assert_eq!(Value::Object(resolved), json!({ "a": 3, "b": ["${{ steps.flip.target }}", "x"] }));
        assert_eq!(unknown, [Unresolved::Output { step: StepId::new("flip"), output: "target".into() }]);
    }

    #[test]
    fn conditions_give_a_boolean_or_an_error() {
        assert_eq!(scope().condition("mode in ['drill', 'planned']"), Ok(true));
        assert_eq!(scope().condition(" params.count > 5 "), Ok(false));
        assert!(matches!(scope().condition("params.count"), Err(Unresolved::Wrong(_))));
    }

    #[test]
    fn fuel_bounds_what_an_expression_costs() {
        let text = format!("${{{{ {} }}}}", vec!["params.paths | join('x') | length"; 100].join(" + "));
        assert!(resolve(&text).is_ok());
        assert!(matches!(resolve("${{ 'ab' * 1000000000 }}"), Err(Unresolved::Wrong(_))));
    }
}
