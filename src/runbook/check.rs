//! Text → checked runbook: holds the parts of a draft together. Names are looked up, the graph is walked, expressions
//! are read, drills are made safe. Never stops at the first problem and never says the same thing twice.

mod references;

use std::{collections::HashMap, fmt::Write as _};

use sha2::{Digest, Sha256};

use super::{
    Mode, Parameter, ParameterType, Problems, Runbook, Step, StepId,
    arguments::{self, Misfit},
    catalog::FieldType,
    decode::decode,
    draft::{Draft, DraftParameter, DraftStep},
    expression::{self, Part, Target},
    graph::Graph,
    parameter::shape_of,
    problem::{Notebook, Span, mistake},
    source::{self, Node, Value},
};

/// Reads a runbook. Never stops at the first problem.
pub fn check(file_name: &str, bytes: &[u8]) -> Result<Runbook, Problems> {
    let source = source::text(file_name, bytes)?;
    let mut notebook = Notebook::new(source.clone());
    let root = source::read(source.text(), "a runbook", &mut notebook);
    let draft = root.as_ref().and_then(|root| decode(root, &mut notebook));
    let runbook = draft.map(|draft| {
        Checker::new(&draft, &mut notebook).check();
        runbook(draft, bytes)
    });
    notebook.finish(runbook)
}

/// What the parts of a draft are held against.
struct Checker<'d, 'n, 't, 'b> {
    draft: &'d Draft<'n, 't>,
    notebook: &'b mut Notebook,
    /// Id → position; the first when there are two.
    steps: HashMap<&'d str, usize>,
    parameters: HashMap<&'d str, &'d DraftParameter<'n, 't>>,
    /// Uses of outputs, to be held against the graph: needed step, using step, where.
    uses: Vec<(usize, usize, Span)>,
    /// Parameter → the kind of resource that it must be, from the fields that take it whole.
    kinds: HashMap<&'d str, &'static str>,
}

impl<'d, 'n, 't, 'b> Checker<'d, 'n, 't, 'b> {
    fn new(draft: &'d Draft<'n, 't>, notebook: &'b mut Notebook) -> Self {
        let mut steps = HashMap::with_capacity(draft.steps.len());
        for (position, step) in draft.steps.iter().enumerate() {
            steps.entry(step.id.value.as_str()).or_insert(position);
        }
        let parameters = draft.parameters.iter().map(|parameter| (parameter.name.value.as_str(), parameter)).collect();
        Self { draft, notebook, steps, parameters, uses: Vec::new(), kinds: HashMap::new() }
    }

    fn check(mut self) {
        for (position, step) in self.draft.steps.iter().enumerate() {
            self.unique(position, step);
            self.needs(step);
            self.step_expressions(position, step);
            self.drill(step);
        }
        self.graph();
        for parameter in &self.draft.parameters {
            self.parameter_values(parameter);
        }
    }

    fn unique(&mut self, position: usize, step: &DraftStep<'_, '_>) {
        let id = &step.id;
        let first = self.steps[id.value.as_str()];
        if first != position && !id.value.is_empty() {
            let line = self.notebook.source().place(self.draft.steps[first].id.span).line;
            self.notebook.add(id.span, mistake::duplicate_step(&id.value, line));
        }
    }

    fn needs(&mut self, step: &DraftStep<'_, '_>) {
        for (index, need) in step.needs.iter().enumerate() {
            let problem = if need.value == step.id.value {
                mistake::self_need(&need.value)
            } else if !self.steps.contains_key(need.value.as_str()) {
                self.unknown_step(&need.value)
            } else if step.needs[..index].iter().any(|earlier| earlier.value == need.value) {
                mistake::repeated_need(&need.value)
            } else {
                continue;
            };
            self.notebook.add(need.span, problem);
        }
    }

    fn unknown_step(&self, id: &str) -> super::Problem {
        let known = if self.notebook.may_suggest() { self.draft.steps.as_slice() } else { &[] };
        mistake::unknown_step(id, known.iter().map(|step| step.id.value.as_str()))
    }

    /// In a drill, traffic goes where a `drill:` value says.
    fn drill(&mut self, step: &DraftStep<'_, '_>) {
        let Some(action) = step.action.as_ref().filter(|_| step.runs_in(Mode::Drill)) else { return };
        let Some(field) = action.kind.value.entry().traffic else { return };
        let Some(entry) = action.entries.iter().find(|entry| entry.key == field) else { return };
        let Value::Text(text) = &entry.value.value else { return };
        // A text that cannot be read was told already.
        let Ok(parts) = expression::parts(text) else { return };
        let has_drill_value = parts.iter().any(|part| match part {
            Part::Literal(_) => false,
            Part::Expression(expression) => expression.references.iter().any(|reference| match &reference.target {
                Target::Parameter { name, .. } => {
                    self.parameters.get(name.as_str()).is_none_or(|parameter| parameter.drill.is_some())
                }
                Target::Output { .. } | Target::Mode | Target::Run => false,
            }),
        });
        if !has_drill_value {
            self.notebook.add(entry.value.span, mistake::drill_moves_traffic(&step.id.value, field));
        }
    }

    /// Cycles, and outputs that are used without a need.
    fn graph(&mut self) {
        let steps = &self.draft.steps;
        let edges = steps.iter().enumerate().flat_map(|(position, step)| {
            let known = &self.steps;
            step.needs.iter().filter_map(move |need| Some((*known.get(need.value.as_str())?, position)))
        });
        // A step that needs itself was told already.
        let graph = Graph::from_edges(steps.len(), edges.filter(|(from, to)| from != to));
        match graph.order() {
            Ok(order) => {
                let asks: Vec<(usize, usize)> = self.uses.iter().map(|(needed, by, _)| (*needed, *by)).collect();
                for (answer, (needed, by, span)) in graph.needs_through(&order, &asks).into_iter().zip(&self.uses) {
                    if !answer {
                        let (by, needed) = (&steps[*by].id.value, &steps[*needed].id.value);
                        self.notebook.add(*span, mistake::output_not_needed(by, needed));
                    }
                }
            }
            Err(cycles) => {
                for cycle in cycles {
                    let ids: Vec<&str> = cycle.iter().map(|step| steps[*step].id.value.as_str()).collect();
                    let needs = &steps[cycle[0]].needs;
                    let next = ids.get(1).unwrap_or(&ids[0]);
                    let span = needs.iter().find(|need| need.value == *next).map(|need| need.span);
                    self.notebook.add(span.unwrap_or(steps[cycle[0]].id.span), mistake::cycle(&ids));
                }
            }
        }
    }

    fn parameter_values(&mut self, parameter: &DraftParameter<'_, '_>) {
        let Some(kind) = parameter.kind else { return };
        let shape = shape_of(kind, self.kinds.get(parameter.name.value.as_str()).copied().unwrap_or(""));
        for (what, node) in [("a default value", parameter.default), ("a drill value", parameter.drill)] {
            let Some(node) = node else { continue };
            if let Some(span) = expression_in(node) {
                self.notebook.add(span, mistake::expression_not_allowed(what));
                continue;
            }
            for misfit in arguments::check_value(&shape, &node.to_json()) {
                self.notebook.add(node.span, Misfit::into_problem(misfit));
            }
        }
    }
}

/// The first text with `${{` in a tree.
fn expression_in(node: &Node<'_>) -> Option<Span> {
    match &node.value {
        Value::Text(text) => text.contains("${{").then_some(node.span),
        _ => node.children().find_map(expression_in),
    }
}

/// A field that takes a resource of this kind, if it takes one.
fn resource_kind(shape: &FieldType) -> Option<&'static str> {
    match shape {
        FieldType::ResourceId(kind) if !kind.is_empty() => Some(kind),
        FieldType::ResourceId(_)
        | FieldType::String
        | FieldType::Integer(..)
        | FieldType::Boolean
        | FieldType::Duration
        | FieldType::Hostname
        | FieldType::Url
        | FieldType::OneOf(_)
        | FieldType::List(_)
        | FieldType::Map(_)
        | FieldType::Record(_)
        | FieldType::Object => None,
    }
}

/// The kind of resource that each parameter of a checked runbook must be.
pub(super) fn resource_kinds(runbook: &Runbook) -> HashMap<String, &'static str> {
    let mut kinds = HashMap::new();
    for step in &runbook.steps {
        for field in step.action.entry().fields {
            let Some(kind) = resource_kind(&field.shape) else { continue };
            let Some(text) = step.arguments.get(field.name).and_then(serde_json::Value::as_str) else { continue };
            if let Some(name) = expression::parts(text).ok().as_deref().and_then(whole_parameter) {
                kinds.insert(name.to_owned(), kind);
            }
        }
    }
    kinds
}

/// The parameter's name, when a text is `${{ params.name }}` and nothing else.
fn whole_parameter<'p>(parts: &'p [Part<'_>]) -> Option<&'p str> {
    let [Part::Expression(expression)] = parts else { return None };
    expression.bare.as_ref().filter(|path| path.is_empty())?;
    match &expression.references[0].target {
        Target::Parameter { name, attribute: None } => Some(name),
        Target::Parameter { .. } | Target::Output { .. } | Target::Mode | Target::Run => None,
    }
}

/// The model of a draft. Only meaningful when nothing was noted.
fn runbook(draft: Draft<'_, '_>, bytes: &[u8]) -> Runbook {
    let parameters = draft.parameters.into_iter().map(|parameter| Parameter {
        name: parameter.name.value,
        kind: parameter.kind.unwrap_or(ParameterType::String),
        description: parameter.description,
        default: parameter.default.map(Node::to_json),
        drill: parameter.drill.map(Node::to_json),
    });
    let steps = draft.steps.into_iter().filter_map(|step| {
        let action = step.action?;
        Some(Step {
            id: StepId::new(&step.id.value),
            description: step.description,
            needs: step.needs.iter().map(|need| StepId::new(&need.value)).collect(),
            modes: step.modes,
            when: step.when.map(|(text, _)| text),
            timeout: step.timeout,
            retry: step.retry,
            on_failure: step.on_failure,
            action: action.kind.value,
            arguments: action.arguments,
        })
    });
    Runbook {
        parameters: parameters.collect(),
        steps: steps.collect(),
        name: draft.name,
        description: draft.description,
        objectives: draft.objectives,
        sha256: hex(&Sha256::digest(bytes)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}
