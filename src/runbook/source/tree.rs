//! The tree: values as they stand in the file, each with its place.

use std::borrow::Cow;

use serde_json::{Map, Number};

use crate::runbook::problem::Span;

#[derive(Clone, Debug, PartialEq)]
pub struct Node<'t> {
    pub value: Value<'t>,
    /// Of an alias: where the alias stands.
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value<'t> {
    Null,
    Boolean(bool),
    Integer(i64),
    /// Finite.
    Decimal(f64),
    Text(Cow<'t, str>),
    List(Vec<Node<'t>>),
    /// Keys are unique.
    Map(Vec<Entry<'t>>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Entry<'t> {
    pub key: Cow<'t, str>,
    pub key_span: Span,
    pub value: Node<'t>,
}

impl Node<'_> {
    /// For people: "an integer".
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Boolean(_) => "true or false",
            Value::Integer(_) => "an integer",
            Value::Decimal(_) => "a decimal number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// A short place for a complaint about the whole: a map's first key, else the node itself.
    pub fn head(&self) -> Span {
        match &self.value {
            Value::Map(entries) => entries.first().map_or(self.span, |entry| entry.key_span),
            Value::List(items) => items.first().map_or(self.span, Node::head),
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Decimal(_) | Value::Text(_) => self.span,
        }
    }

    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Boolean(value) => (*value).into(),
            Value::Integer(value) => (*value).into(),
            Value::Decimal(value) => Number::from_f64(*value).map_or(serde_json::Value::Null, Into::into),
            Value::Text(text) => text.as_ref().into(),
            Value::List(items) => items.iter().map(Node::to_json).collect(),
            Value::Map(entries) => entries_to_json(entries).into(),
        }
    }

    /// Values in it, itself included.
    pub(super) fn size(&self) -> usize {
        self.children().map(Node::size).sum::<usize>() + 1
    }

    /// Levels of lists and maps in it.
    pub(super) fn depth(&self) -> usize {
        match &self.value {
            Value::List(_) | Value::Map(_) => self.children().map(Node::depth).max().unwrap_or(0) + 1,
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Decimal(_) | Value::Text(_) => 0,
        }
    }

    /// The nodes directly in it.
    pub fn children(&self) -> impl Iterator<Item = &Self> {
        let (items, entries) = match &self.value {
            Value::List(items) => (items.as_slice(), [].as_slice()),
            Value::Map(entries) => ([].as_slice(), entries.as_slice()),
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Decimal(_) | Value::Text(_) => {
                ([].as_slice(), [].as_slice())
            }
        };
        items.iter().chain(entries.iter().map(|entry| &entry.value))
    }
}

pub fn entries_to_json(entries: &[Entry<'_>]) -> Map<String, serde_json::Value> {
    entries.iter().map(|entry| (entry.key.clone().into_owned(), entry.value.to_json())).collect()
}
