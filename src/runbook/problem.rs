//! The author's mistakes, each with its place.

use std::{ops::Range, sync::Arc};

/// A file as it was read. Its text is kept to draw the line a problem is on.
#[derive(Debug)]
pub struct Source {
    pub name: String,
    pub text: String,
}

/// Where something stands in a file.
#[derive(Clone, Debug)]
pub struct Place {
    pub source: Arc<Source>,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// Bytes of the file.
    pub span: Range<usize>,
}

/// Stable, kebab-case name of a kind of mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    UnknownKey,
}

impl Code {
    pub fn as_str(self) -> &'static str {
        unimplemented!()
    }
}

/// One mistake of the author.
#[derive(Clone, Debug)]
pub struct Problem {
    pub code: Code,
    /// Lower-case fragment: what is wrong.
    pub message: String,
    /// `None`: it is in no file (a `--set`, a parameter that nobody gave).
    pub place: Option<Place>,
    /// What to do.
    pub help: String,
}

/// All the mistakes, sorted by place. Never empty.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{} problem(s)", .0.len())]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// As rustc draws them. Ends with a line feed.
    pub fn render(&self, _colour: bool) -> String {
        unimplemented!()
    }

    /// A list of `{code, message, file, line, column, span, help}`.
    pub fn to_json(&self) -> serde_json::Value {
        unimplemented!()
    }
}
