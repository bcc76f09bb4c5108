//! Takes values out of a tree, one key at a time, and notes what does not fit. Shared by every file that people write.

use std::time::Duration;

use super::{
    arguments,
    problem::{Notebook, Span, mistake},
    source::{Entry, Node, Value},
    span,
};

/// A key that a map may have.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub summary: &'static str,
}

pub const fn key(name: &'static str, summary: &'static str) -> Key {
    Key { name, summary }
}

/// The keys of one map.
#[derive(Debug)]
pub struct Fields<'n, 't> {
    entries: &'n [Entry<'t>],
    head: Span,
    holder: &'static str,
    known: &'static [Key],
}

impl<'n, 't> Fields<'n, 't> {
    /// Notes every key that is not `known`. `None`: it is no map, and that is noted. `holder`: "a step".
    pub fn of(
        node: &'n Node<'t>,
        holder: &'static str,
        known: &'static [Key],
        notebook: &mut Notebook,
    ) -> Option<Self> {
        let entries = map(node, notebook)?;
        for entry in entries {
            if !known.iter().any(|key| key.name == entry.key) {
                let names = known.iter().map(|key| key.name);
                notebook.add(entry.key_span, mistake::unknown_key(&entry.key, holder, names));
            }
        }
        Some(Self { entries, head: node.head(), holder, known })
    }

    pub fn get(&self, key: &str) -> Option<&'n Node<'t>> {
        debug_assert!(self.known.iter().any(|known| known.name == key), "{key} is not among the known keys");
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// Notes when it is missing.
    pub fn required(&self, key: &str, notebook: &mut Notebook) -> Option<&'n Node<'t>> {
        let found = self.get(key);
        if found.is_none() {
            let summary = self.known.iter().find(|known| known.name == key).map_or("", |known| known.summary);
            notebook.add(self.head, mistake::missing_key(key, self.holder, summary));
        }
        found
    }

    /// Where a complaint about the whole map belongs.
    pub fn head(&self) -> Span {
        self.head
    }
}

/// Notes `version` when it is missing or not 1.
pub fn version(fields: &Fields<'_, '_>, notebook: &mut Notebook) {
    match fields.get("version") {
        None => notebook.add(fields.head(), mistake::version_missing()),
        Some(node) => match integer(node, notebook) {
            Some(1) | None => {}
            Some(other) => notebook.add(node.span, mistake::version_unsupported(other)),
        },
    }
}

pub fn map<'n, 't>(node: &'n Node<'t>, notebook: &mut Notebook) -> Option<&'n [Entry<'t>]> {
    match &node.value {
        Value::Map(entries) => Some(entries),
        _ => wrong(node, "a map", notebook),
    }
}

pub fn list<'n, 't>(node: &'n Node<'t>, notebook: &mut Notebook) -> Option<&'n [Node<'t>]> {
    match &node.value {
        Value::List(items) => Some(items),
        _ => wrong(node, "a list", notebook),
    }
}

/// Text without an expression.
pub fn plain_text<'n>(node: &'n Node<'_>, what: &str, notebook: &mut Notebook) -> Option<&'n str> {
    let found = text(node, notebook)?;
    if found.contains("${{") {
        notebook.add(node.span, mistake::expression_not_allowed(what));
        return None;
    }
    Some(found)
}

pub fn text<'n>(node: &'n Node<'_>, notebook: &mut Notebook) -> Option<&'n str> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => wrong(node, "text", notebook),
    }
}

pub fn integer(node: &Node<'_>, notebook: &mut Notebook) -> Option<i64> {
    match &node.value {
        Value::Integer(number) => Some(*number),
        _ => wrong(node, "an integer", notebook),
    }
}

pub fn duration(node: &Node<'_>, notebook: &mut Notebook) -> Option<Duration> {
    let problem = match &node.value {
        Value::Text(text) => match span::parse(text) {
            Ok(duration) => return Some(duration),
            Err(_) => arguments::duration(text).unwrap_or_else(|| mistake::bad_duration(text)),
        },
        Value::Integer(number) => mistake::duration_without_unit(&number.to_string()),
        Value::Decimal(number) => mistake::duration_without_unit(&number.to_string()),
        _ => return wrong(node, "a duration", notebook),
    };
    notebook.add(node.span, problem);
    None
}

/// One of `known`: its position. `what`: "parameter type".
pub fn choice(node: &Node<'_>, what: &str, known: &[&str], notebook: &mut Notebook) -> Option<usize> {
    let found = text(node, notebook)?;
    let position = known.iter().position(|name| *name == found);
    if position.is_none() {
        notebook.add(node.span, mistake::unknown_value(what, found, known.iter().copied()));
    }
    position
}

fn wrong<T>(node: &Node<'_>, expected: &str, notebook: &mut Notebook) -> Option<T> {
    notebook.add(node.span, mistake::wrong_type(expected, node.kind()));
    None
}
