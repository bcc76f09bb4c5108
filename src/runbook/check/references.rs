//! What the expressions of a step refer to, looked up.

use super::{Checker, resource_kind, whole_parameter};
use crate::runbook::{
    Mode, ParameterType,
    arguments::expected,
    catalog::{Field, FieldType},
    draft::DraftStep,
    expression::{self, Fault, FaultKind, Part, Target},
    parameter::type_name,
    problem::{Span, mistake},
    scope::RESOURCE_ATTRIBUTES,
    source::{Node, Value},
};

impl Checker<'_, '_, '_, '_> {
    /// Every expression of a step: `when`, and all that its action takes.
    pub(super) fn step_expressions(&mut self, position: usize, step: &DraftStep<'_, '_>) {
        if let Some((_, node)) = &step.when {
            self.node(position, step, node, None);
        }
        let Some(action) = &step.action else { return };
        let fields = action.kind.value.entry().fields;
        for entry in action.entries {
            let field = fields.iter().find(|field| field.name == entry.key);
            self.node(position, step, &entry.value, field.map(|field: &Field| &field.shape));
        }
    }

    fn node(&mut self, position: usize, step: &DraftStep<'_, '_>, node: &Node<'_>, shape: Option<&'static FieldType>) {
        match &node.value {
            Value::Text(text) if text.contains("${{") => self.text(position, step, node, text, shape),
            Value::Text(_) => {}
            _ => {
                for child in node.children() {
                    self.node(position, step, child, None);
                }
            }
        }
    }

    fn text(
        &mut self,
        position: usize,
        step: &DraftStep<'_, '_>,
        node: &Node<'_>,
        text: &str,
        shape: Option<&'static FieldType>,
    ) {
        let parts = match expression::parts(text) {
            Ok(parts) => parts,
            Err(fault) => return self.fault(node, text, fault),
        };
        for part in &parts {
            let Part::Expression(expression) = part else { continue };
            for reference in &expression.references {
                let span = self.span_in(node, text, &reference.range);
                match &reference.target {
                    Target::Parameter { name, attribute } => self.parameter(name, attribute.as_deref(), span),
                    Target::Output { step: used, output } => self.output(position, step, used, output, span),
                    Target::Mode | Target::Run => {}
                }
            }
        }
        if let (Some(shape), Some(name)) = (shape, whole_parameter(&parts)) {
            self.whole(name, shape, node.span);
        }
    }

    fn fault(&mut self, node: &Node<'_>, text: &str, fault: Fault) {
        let span = self.span_in(node, text, &fault.range);
        let problem = match fault.kind {
            FaultKind::Unclosed => mistake::expression_unclosed(),
            FaultKind::Syntax(what) => mistake::expression_syntax(&what),
            FaultKind::UnknownName(name) => mistake::unknown_name(&name),
            FaultKind::UnknownFilter(name) => mistake::unknown_filter(&name),
        };
        self.notebook.add(span, problem);
    }

    /// Where a part of a text stands in the file; the whole text when quotes or folding moved it.
    fn span_in(&self, node: &Node<'_>, text: &str, range: &std::ops::Range<usize>) -> Span {
        let start = node.span.start as usize;
        let written = self.notebook.source().text().get(node.span.range()).unwrap_or("");
        match written.find(text) {
            Some(at) => Span::new(start + at + range.start, start + at + range.end),
            None => node.span,
        }
    }

    fn parameter(&mut self, name: &str, attribute: Option<&str>, span: Span) {
        let Some(parameter) = self.parameters.get(name) else {
            let known = if self.notebook.may_suggest() { self.draft.parameters.as_slice() } else { &[] };
            let known = known.iter().map(|parameter| parameter.name.value.as_str());
            return self.notebook.add(span, mistake::unknown_parameter(name, known));
        };
        let (Some(attribute), Some(kind)) = (attribute, parameter.kind) else { return };
        let known = if kind == ParameterType::ResourceId { RESOURCE_ATTRIBUTES } else { &[] };
        if !known.contains(&attribute) {
            self.notebook.add(span, mistake::unknown_attribute(name, type_name(kind), attribute, known));
        }
    }

    fn output(&mut self, position: usize, step: &DraftStep<'_, '_>, used: &str, output: &str, span: Span) {
        let Some(used_position) = self.steps.get(used).copied() else {
            let problem = self.unknown_step(used);
            return self.notebook.add(span, problem);
        };
        let used_step = &self.draft.steps[used_position];
        if let Some(action) = &used_step.action {
            let kind = action.kind.value;
            let outputs = kind.entry().outputs;
            if !outputs.iter().any(|known| known.name == output) {
                let known = outputs.iter().map(|known| known.name);
                return self.notebook.add(span, mistake::unknown_output(used, kind.name(), output, known));
            }
        }
        if let Some(mode) = Mode::ALL.into_iter().find(|mode| step.runs_in(*mode) && !used_step.runs_in(*mode)) {
            self.notebook.add(span, mistake::output_left_out(&step.id.value, used, mode.as_str()));
        }
        // The common case needs no walk.
        if !step.needs.iter().any(|need| need.value == used) {
            self.uses.push((used_position, position, span));
        }
    }

    /// A field that takes a parameter whole: the types must go together.
    fn whole(&mut self, name: &str, shape: &'static FieldType, span: Span) {
        let Some((name, parameter)) = self.parameters.get_key_value(name) else { return };
        let Some(kind) = parameter.kind else { return };
        if !fits(kind, shape) {
            return self.notebook.add(span, mistake::parameter_type_mismatch(name, type_name(kind), expected(shape)));
        }
        let Some(wanted) = resource_kind(shape) else { return };
        let known = *self.kinds.entry(name).or_insert(wanted);
        if known != wanted {
            self.notebook.add(span, mistake::parameter_kind_conflict(name, wanted, known));
        }
    }
}

/// Whether a parameter of this type may be the value of such a field. A string may hold anything that is written as
/// text; its value is judged when it is known.
fn fits(kind: ParameterType, shape: &FieldType) -> bool {
    use ParameterType as Type;
    match shape {
        FieldType::String => matches!(kind, Type::String | Type::Hostname | Type::ResourceId | Type::Duration),
        FieldType::Integer(..) => kind == Type::Integer,
        FieldType::Boolean => kind == Type::Boolean,
        FieldType::Duration => matches!(kind, Type::Duration | Type::String),
        FieldType::ResourceId(_) => matches!(kind, Type::ResourceId | Type::String),
        FieldType::Hostname => matches!(kind, Type::Hostname | Type::String),
        FieldType::Url | FieldType::OneOf(_) => kind == Type::String,
        FieldType::List(_) => kind == Type::List,
        FieldType::Map(_) | FieldType::Record(_) | FieldType::Object => false,
    }
}
