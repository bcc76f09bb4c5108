//! Tree → draft: keys, types, names and limits. Each value is looked at by itself; `check` holds them together.

use std::time::Duration;

use super::{
    Mode, Objectives, OnFailure, ParameterType, Retry, arguments,
    arguments::Segment,
    catalog::ActionKind,
    draft::{At, Draft, DraftAction, DraftParameter, DraftStep},
    fields::{self, Fields, Key, key},
    problem::{Notebook, Span, mistake},
    source::{Entry, Node, Value, entries_to_json},
};

/// Steps that one runbook may have; ten times what the largest known estate needs.
const MOST_STEPS: usize = 100_000;

/// Ids are file names, metadata values and columns on a screen.
const LONGEST_ID: usize = 64;

/// Names and descriptions are shown on one line.
const LONGEST_LINE: usize = 1024;

const MOST_ATTEMPTS: u32 = 1000;

pub(super) const RUNBOOK_KEYS: &[Key] = &[
    key("version", "format version, 1"),
    key("name", "short name of the runbook, shown in lists"),
    key("description", "what it is for, in a sentence"),
    key("objectives", "recovery objectives that a run is held against"),
    key("parameters", "values that the site, a file or the command line gives"),
    key("steps", "the list of steps"),
];

pub(super) const OBJECTIVE_KEYS: &[Key] = &[
    key("rto", "recovery time objective: from the start of the run to its end"),
    key("rpo", "recovery point objective: the age of the backup when the run starts"),
];

pub(super) const PARAMETER_KEYS: &[Key] = &[
    key("type", "string, integer, boolean, duration, resource-id, hostname or list"),
    key("description", "what it is, for whoever has to give it"),
    key("default", "value when nobody gives one"),
    key("drill", "value that is used in a drill instead of any other"),
];

pub(super) const STEP_KEYS: &[Key] = &[
    key("id", "short unique name of the step"),
    key("description", "what it does and why, for whoever is on duty"),
    key("needs", "ids of the steps that must be done before"),
    key("modes", "modes in which the step runs; without it, all"),
    key("when", "expression; the step is skipped when it gives false"),
    key("timeout", "longest duration of one attempt"),
    key("retry", "attempts, and the pause between them"),
    key("on_failure", "stop, continue or undo"),
    key("do", "exactly one action with its fields"),
];

pub(super) const RETRY_KEYS: &[Key] = &[
    key("attempts", "attempts in all, the first one included"),
    key("delay", "pause between the end of one attempt and the start of the next"),
];

pub(super) const PARAMETER_TYPES: [(&str, ParameterType); 7] = [
    ("string", ParameterType::String),
    ("integer", ParameterType::Integer),
    ("boolean", ParameterType::Boolean),
    ("duration", ParameterType::Duration),
    ("resource-id", ParameterType::ResourceId),
    ("hostname", ParameterType::Hostname),
    ("list", ParameterType::List),
];

pub(super) const FAILURE_CHOICES: [(&str, OnFailure); 3] =
    [("stop", OnFailure::Stop), ("continue", OnFailure::Continue), ("undo", OnFailure::Undo)];

/// `None`: it is not even a map.
pub fn decode<'n, 't>(root: &'n Node<'t>, notebook: &mut Notebook) -> Option<Draft<'n, 't>> {
    let fields = Fields::of(root, "a runbook", RUNBOOK_KEYS, notebook)?;
    fields::version(&fields, notebook);
    let mut draft = Draft::default();
    if let Some(node) = fields.required("name", notebook) {
        draft.name = line(node, "the name", notebook).unwrap_or_default();
    }
    draft.description = fields.get("description").and_then(|node| line(node, "the description", notebook));
    if let Some(fields) =
        fields.get("objectives").and_then(|node| Fields::of(node, "`objectives`", OBJECTIVE_KEYS, notebook))
    {
        draft.objectives = Objectives {
            rto: fields.get("rto").and_then(|node| fields::duration(node, notebook)),
            rpo: fields.get("rpo").and_then(|node| fields::duration(node, notebook)),
        };
    }
    if let Some(entries) = fields.get("parameters").and_then(|node| fields::map(node, notebook)) {
        draft.parameters = entries.iter().map(|entry| parameter(entry, notebook)).collect();
    }
    if let Some((node, items)) =
        fields.required("steps", notebook).and_then(|node| Some((node, fields::list(node, notebook)?)))
    {
        if items.is_empty() {
            notebook.add(node.span, mistake::empty_value("`steps`", "write at least one step"));
        } else if items.len() > MOST_STEPS {
            notebook.add(items[MOST_STEPS].head(), mistake::too_many_steps(items.len(), MOST_STEPS));
        } else {
            draft.steps = items.iter().filter_map(|node| step(node, notebook)).collect();
        }
    }
    Some(draft)
}

fn parameter<'n, 't>(entry: &'n Entry<'t>, notebook: &mut Notebook) -> DraftParameter<'n, 't> {
    let name = &*entry.key;
    if !is_name(name, |byte| byte == b'-' || byte == b'_') {
        let form = "write lower-case letters, digits, `-` and `_`, a letter first, at most 64";
        notebook.add(entry.key_span, mistake::bad_name(name, "the name of a parameter", form));
    }
    let mut parameter = DraftParameter {
        name: At { value: name.to_owned(), span: entry.key_span },
        kind: None,
        description: None,
        default: None,
        drill: None,
    };
    let Some(fields) = Fields::of(&entry.value, "a parameter", PARAMETER_KEYS, notebook) else { return parameter };
    if let Some(node) = fields.required("type", notebook) {
        let names = PARAMETER_TYPES.map(|(name, _)| name);
        parameter.kind =
            fields::choice(node, "parameter type", &names, notebook).map(|choice| PARAMETER_TYPES[choice].1);
    }
    parameter.description = fields.get("description").and_then(|node| line(node, "the description", notebook));
    parameter.default = fields.get("default");
    parameter.drill = fields.get("drill");
    parameter
}

fn step<'n, 't>(node: &'n Node<'t>, notebook: &mut Notebook) -> Option<DraftStep<'n, 't>> {
    let fields = Fields::of(node, "a step", STEP_KEYS, notebook)?;
    let id = match fields.required("id", notebook) {
        Some(node) => At { value: step_id(node, notebook), span: node.span },
        None => At { value: String::new(), span: fields.head() },
    };
    let retry = fields.get("retry").and_then(|node| retry(node, notebook));
    let on_failure = fields.get("on_failure").and_then(|node| {
        let names = FAILURE_CHOICES.map(|(name, _)| name);
        Some(FAILURE_CHOICES[fields::choice(node, "reaction to a failure", &names, notebook)?].1)
    });
    Some(DraftStep {
        id,
        description: fields.get("description").and_then(|node| line(node, "the description", notebook)),
        needs: fields.get("needs").map(|node| needs(node, notebook)).unwrap_or_default(),
        modes: fields.get("modes").and_then(|node| modes(node, notebook)),
        when: fields.get("when").and_then(|node| when(node, notebook)),
        timeout: fields.get("timeout").and_then(|node| positive(node, "the timeout", notebook)),
        retry,
        on_failure: on_failure.unwrap_or_default(),
        action: fields.required("do", notebook).and_then(|node| action(node, notebook)),
    })
}

fn step_id(node: &Node<'_>, notebook: &mut Notebook) -> String {
    let Some(text) = fields::plain_text(node, "`id`", notebook) else { return String::new() };
    if !is_name(text, |byte| byte == b'-') {
        let form = "write lower-case letters, digits and `-`, a letter first, at most 64";
        notebook.add(node.span, mistake::bad_name(text, "the id of a step", form));
    }
    text.to_owned()
}

fn is_name(text: &str, is_joint: impl Fn(u8) -> bool) -> bool {
    text.len() <= LONGEST_ID
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || is_joint(byte))
}

fn needs(node: &Node<'_>, notebook: &mut Notebook) -> Vec<At<String>> {
    let items = fields::list(node, notebook).unwrap_or_default();
    let texts = items.iter().filter_map(|item| Some((fields::plain_text(item, "`needs`", notebook)?, item.span)));
    texts.map(|(text, span)| At { value: text.to_owned(), span }).collect()
}

fn modes(node: &Node<'_>, notebook: &mut Notebook) -> Option<Vec<Mode>> {
    let items = fields::list(node, notebook)?;
    if items.is_empty() {
        notebook.add(node.span, mistake::empty_value("`modes`", "name a mode, or remove the step"));
    }
    let mut modes = Vec::new();
    for item in items {
        let Some(text) = fields::text(item, notebook) else { continue };
        match Mode::ALL.into_iter().find(|mode| mode.as_str() == text) {
            Some(mode) => modes.push(mode),
            None => notebook.add(item.span, mistake::unknown_mode(text, Mode::ALL.map(Mode::as_str))),
        }
    }
    // A mode that was misspelt must not make a second problem: the step counts as running in every mode.
    (modes.len() == items.len()).then_some(modes)
}

fn when<'n, 't>(node: &'n Node<'t>, notebook: &mut Notebook) -> Option<(String, &'n Node<'t>)> {
    let text = fields::text(node, notebook)?;
    let whole = text.trim().strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}"));
    match whole {
        Some(inside) if !inside.contains("${{") => Some((inside.trim().to_owned(), node)),
        Some(_) | None => {
            notebook.add(node.span, mistake::expression_expected("`when`"));
            None
        }
    }
}

fn retry(node: &Node<'_>, notebook: &mut Notebook) -> Option<Retry> {
    let fields = Fields::of(node, "`retry`", RETRY_KEYS, notebook)?;
    let delay = fields.required("delay", notebook).and_then(|node| fields::duration(node, notebook));
    let node = fields.required("attempts", notebook)?;
    let attempts = fields::integer(node, notebook)?;
    let allowed = u32::try_from(attempts).ok().filter(|attempts| (1..=MOST_ATTEMPTS).contains(attempts));
    if allowed.is_none() {
        notebook.add(node.span, mistake::out_of_range(attempts, 1, MOST_ATTEMPTS));
    }
    Some(Retry { attempts: allowed?, delay: delay? })
}

fn positive(node: &Node<'_>, what: &str, notebook: &mut Notebook) -> Option<Duration> {
    let duration = fields::duration(node, notebook)?;
    if duration.is_zero() {
        notebook.add(node.span, mistake::empty_value(what, "write how long, such as `90m`, or remove it"));
        return None;
    }
    Some(duration)
}

fn action<'n, 't>(node: &'n Node<'t>, notebook: &mut Notebook) -> Option<DraftAction<'n, 't>> {
    let entries = fields::map(node, notebook)?;
    let [entry] = entries else {
        let names: Vec<&str> = entries.iter().map(|entry| &*entry.key).collect();
        notebook.add(node.head(), mistake::action_count(&names));
        return None;
    };
    let Some(kind) = ActionKind::from_name(&entry.key) else {
        let names = ActionKind::ALL.iter().map(|kind| kind.name());
        notebook.add(entry.key_span, mistake::unknown_action(&entry.key, names));
        return None;
    };
    let kind = At { value: kind, span: entry.key_span };
    // `approval:` with nothing behind it: the missing fields are named, which says more than "a map is expected".
    let arguments = match &entry.value.value {
        Value::Null => &[],
        _ => fields::map(&entry.value, notebook)?,
    };
    let action = DraftAction { kind, arguments: entries_to_json(arguments), entries: arguments };
    misfits(&action, notebook);
    Some(action)
}

/// Notes arguments that do not fit the catalogue, each at its own place.
fn misfits(action: &DraftAction<'_, '_>, notebook: &mut Notebook) {
    for misfit in arguments::check_with_expressions(action.kind.value, &action.arguments) {
        let span = place_of(&misfit.path, misfit.at_key, action.entries).unwrap_or(action.kind.span);
        notebook.add(span, misfit.into_problem());
    }
}

/// Where the value, or the key, at `path` stands. `None`: the path is empty.
fn place_of(path: &[Segment], at_key: bool, entries: &[Entry<'_>]) -> Option<Span> {
    let (Segment::Key(first), rest) = path.split_first()? else { return None };
    let mut entry = entries.iter().find(|entry| entry.key == *first)?;
    let mut key_span = Some(entry.key_span);
    let mut node = &entry.value;
    for segment in rest {
        match (segment, &node.value) {
            (Segment::Key(key), Value::Map(entries)) => {
                entry = entries.iter().find(|entry| entry.key == *key)?;
                key_span = Some(entry.key_span);
                node = &entry.value;
            }
            (Segment::Index(index), Value::List(items)) => {
                key_span = None;
                node = items.get(*index)?;
            }
            _ => return None,
        }
    }
    Some(if at_key { key_span.unwrap_or_else(|| node.head()) } else { node.span })
}

/// One line of text for people.
fn line(node: &Node<'_>, what: &str, notebook: &mut Notebook) -> Option<String> {
    let text = fields::plain_text(node, what, notebook)?;
    if text.trim().is_empty() {
        notebook.add(node.span, mistake::empty_value(what, "write it, or remove the key"));
        return None;
    }
    if text.len() > LONGEST_LINE {
        notebook.add(node.span, mistake::too_long(what, LONGEST_LINE));
        return None;
    }
    Some(text.to_owned())
}
