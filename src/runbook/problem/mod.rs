//! The author's mistakes: what is wrong, where, and what to do. All of them at once, sorted by place.
//!
//! ```text
//!  mistake::unknown_key(…) ─► Problem ─ at(place) ─► Notebook ─ finish ─► Problems ─► text as rustc draws it, or JSON
//! ```
//!
//! Every kind of mistake has one constructor in [`mistake`] and one [`Code`]. A problem never holds a secret:
//! where a secret may stand, its place is marked so that the source line is not drawn.

mod code;
mod drawing;
pub mod mistake;
mod notebook;
mod place;

pub use code::Code;
pub use notebook::Notebook;
pub use place::{Place, Source, Span};

use serde::{Serialize, Serializer};
use serde_json::json;

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
    /// The source line may hold a secret and is not drawn.
    pub hides_source: bool,
}

impl Problem {
    pub(super) fn new(code: Code, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { code, message: message.into(), place: None, help: help.into(), hides_source: false }
    }

    /// The same problem with its place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    fn to_json(&self) -> serde_json::Value {
        let place = self.place.as_ref();
        json!({
            "code": self.code.as_str(),
            "message": self.message,
            "file": place.map(|place| place.source.name()),
            "line": place.map(|place| place.line),
            "column": place.map(|place| place.column),
            "span": place.map(|place| [place.span.start, place.span.end]),
            "help": self.help,
        })
    }

    /// The same problem, told of something that stands in no file: `` `--set ttl` ``.
    #[must_use]
    pub fn of(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

/// All the mistakes, sorted by place. Never empty.
#[derive(Clone, Debug, Serialize, thiserror::Error)]
#[serde(transparent)]
#[error("{} {}", .list.len(), if .list.len() == 1 { "problem" } else { "problems" })]
pub struct Problems {
    list: Vec<Problem>,
    /// How many more there are than a person can read.
    #[serde(skip)]
    left_out: usize,
}

impl Problems {
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// As rustc draws them, with ANSI colours when asked. Ends with a line feed.
    pub fn render(&self, colour: bool) -> String {
        drawing::render(self, colour)
    }

    /// The same problems, for a file in which somebody may have written a secret: no line of it is drawn.
    #[must_use]
    pub fn hiding_lines(mut self) -> Self {
        for problem in &mut self.list {
            problem.hides_source = true;
        }
        self
    }

    /// A list of `{code, message, file, line, column, span, help}`; the last five are null for what is in no file,
    /// `span` is `[first byte, byte after the last]`.
    pub fn to_json(&self) -> serde_json::Value {
        self.list.iter().map(Problem::to_json).collect()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self { list: vec![problem], left_out: 0 }
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
