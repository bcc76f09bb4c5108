//! Values for the parameters of a runbook, from wherever they may come.
//!
//! ```text
//!  default  <  site  <  --parameters FILE  <  --set name=value  <  in a drill, the `drill:` value
//! ```
//!
//! Never reads a file and never guesses a value: all that are missing are told at once.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Mode, Parameter, ParameterType, Problem, Problems, Runbook, arguments,
    catalog::FieldType,
    check::resource_kinds,
    fields,
    problem::{Notebook, Source, mistake},
    source,
};

/// Where values may come from.
#[derive(Clone, Debug, Default)]
pub struct Given<'a> {
    /// The site's `parameters`; names that the runbook does not know are fine.
    pub site: BTreeMap<String, Value>,
    /// `--parameters FILE`: its name and its bytes, a YAML map of names to values.
    pub file: Option<(&'a str, &'a [u8])>,
    /// `--set name=value`, in order; the last one wins. The text is read as the parameter's type says.
    pub set: Vec<(String, String)>,
}

/// One value for every parameter, of its type.
pub fn bind(runbook: &Runbook, given: &Given<'_>, mode: Mode) -> Result<BTreeMap<String, Value>, Problems> {
    let source = match given.file {
        Some((name, bytes)) => source::text(name, bytes)?,
        None => Source::new("", String::new()),
    };
    let mut binder = Binder {
        runbook,
        kinds: resource_kinds(runbook),
        notebook: Notebook::new(source.clone()),
        values: BTreeMap::new(),
    };
    for parameter in &runbook.parameters {
        if let Some(value) = &parameter.default {
            binder.values.insert(parameter.name.clone(), value.clone());
        }
    }
    for (name, value) in &given.site {
        if let Some(parameter) = binder.find(name) {
            let problems = binder.problems(parameter, value);
            binder.take(parameter, value.clone(), problems, &format!("the site's parameter `{name}`"));
        }
    }
    if given.file.is_some() {
        binder.file(source.text());
    }
    for (name, text) in &given.set {
        let Some(parameter) = binder.find(name) else {
            let problem = binder.unknown(name).of("`--set`");
            binder.notebook.add_placeless(problem);
            continue;
        };
        let (value, problems) = binder.read(parameter, text);
        binder.take(parameter, value, problems, &format!("`--set {name}`"));
    }
    binder.drill_and_missing(mode);
    let Binder { values, notebook, .. } = binder;
    notebook.finish(Some(values))
}

struct Binder<'r> {
    runbook: &'r Runbook,
    kinds: std::collections::HashMap<String, &'static str>,
    notebook: Notebook,
    values: BTreeMap<String, Value>,
}

impl<'r> Binder<'r> {
    fn find(&self, name: &str) -> Option<&'r Parameter> {
        self.runbook.parameters.iter().find(|parameter| parameter.name == name)
    }

    fn unknown(&self, name: &str) -> Problem {
        mistake::unknown_parameter(name, self.runbook.parameters.iter().map(|parameter| parameter.name.as_str()))
    }

    fn problems(&self, parameter: &Parameter, value: &Value) -> Vec<Problem> {
        let shape = shape_of(parameter.kind, self.kinds.get(&parameter.name).copied().unwrap_or(""));
        arguments::check_value(&shape, value).into_iter().map(arguments::Misfit::into_problem).collect()
    }

    /// `value` counts as given also when it is wrong, so that it is not told to be missing too.
    fn take(&mut self, parameter: &Parameter, value: Value, problems: Vec<Problem>, origin: &str) {
        for problem in problems {
            self.notebook.add_placeless(problem.of(origin));
        }
        self.values.insert(parameter.name.clone(), value);
    }

    fn file(&mut self, text: &str) {
        let Some(root) = source::read(text, "a map of parameter names to values", &mut self.notebook) else { return };
        for entry in fields::map(&root, &mut self.notebook).unwrap_or_default() {
            let Some(parameter) = self.find(&entry.key) else {
                let problem = self.unknown(&entry.key);
                self.notebook.add(entry.key_span, problem);
                continue;
            };
            let value = entry.value.to_json();
            for problem in self.problems(parameter, &value) {
                self.notebook.add(entry.value.span, problem);
            }
            self.values.insert(parameter.name.clone(), value);
        }
    }

    /// The text of a `--set`, read as the type says. What cannot be read is kept as text, and the problem says why.
    fn read(&self, parameter: &Parameter, text: &str) -> (Value, Vec<Problem>) {
        let value = match parameter.kind {
            ParameterType::String | ParameterType::Duration | ParameterType::ResourceId | ParameterType::Hostname => {
                Value::from(text)
            }
            ParameterType::Integer => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
            ParameterType::Boolean => text.parse::<bool>().map_or_else(|_| Value::from(text), Value::from),
            ParameterType::List if text.is_empty() => Value::Array(Vec::new()),
            ParameterType::List => text.split(',').map(str::trim).collect(),
        };
        let problems = self.problems(parameter, &value);
        (value, problems)
    }

    fn drill_and_missing(&mut self, mode: Mode) {
        for parameter in &self.runbook.parameters {
            if let Some(value) = parameter.drill.as_ref().filter(|_| mode == Mode::Drill) {
                self.values.insert(parameter.name.clone(), value.clone());
            }
            if !self.values.contains_key(&parameter.name) {
                let kind = type_name(parameter.kind);
                let problem = mistake::missing_parameter(&parameter.name, kind, parameter.description.as_deref());
                self.notebook.add_placeless(problem);
            }
        }
    }
}

/// The shape of a parameter's values. `resource_kind`: what the fields that take it want; empty: any.
pub(super) fn shape_of(kind: ParameterType, resource_kind: &'static str) -> FieldType {
    match kind {
        ParameterType::String => FieldType::String,
        ParameterType::Integer => FieldType::Integer(i64::MIN, i64::MAX),
        ParameterType::Boolean => FieldType::Boolean,
        ParameterType::Duration => FieldType::Duration,
        ParameterType::ResourceId => FieldType::ResourceId(resource_kind),
        ParameterType::Hostname => FieldType::Hostname,
        ParameterType::List => FieldType::List(&FieldType::String),
    }
}

/// As it is written.
pub(super) fn type_name(kind: ParameterType) -> &'static str {
    match kind {
        ParameterType::String => "string",
        ParameterType::Integer => "integer",
        ParameterType::Boolean => "boolean",
        ParameterType::Duration => "duration",
        ParameterType::ResourceId => "resource-id",
        ParameterType::Hostname => "hostname",
        ParameterType::List => "list",
    }
}
