//! Where problems are collected while a file is read and checked.

use std::sync::Arc;

use super::{Problem, Problems, Source, Span};

/// Nobody reads more; a broken generator should not fill the memory.
const MOST_PROBLEMS: usize = 1000;

/// "did you mean" compares with every known name; a hundred such answers are enough for one reading.
const MOST_SUGGESTIONS: usize = 100;

/// Collects the problems of one file.
#[derive(Debug)]
pub struct Notebook {
    source: Arc<Source>,
    list: Vec<Problem>,
    left_out: usize,
    hides_source: bool,
}

impl Notebook {
    pub fn new(source: Arc<Source>) -> Self {
        Self { source, list: Vec::new(), left_out: 0, hides_source: false }
    }

    /// For a file in which somebody may have written a secret: none of its lines is ever drawn.
    pub fn hiding_lines(source: Arc<Source>) -> Self {
        Self { hides_source: true, ..Self::new(source) }
    }

    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    pub fn add(&mut self, span: Span, mut problem: Problem) {
        problem.hides_source |= self.hides_source;
        if self.list.len() == MOST_PROBLEMS {
            self.left_out += 1;
        } else {
            self.list.push(problem.at(self.source.place(span)));
        }
    }

    /// For what is in no file.
    pub fn add_placeless(&mut self, problem: Problem) {
        self.list.push(problem);
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// False when so much is wrong that looking for similar names no longer pays.
    pub fn may_suggest(&self) -> bool {
        self.list.len() < MOST_SUGGESTIONS
    }

    /// `value`, unless something is wrong.
    ///
    /// # Errors
    /// All problems, sorted by place; those without a place come last.
    ///
    /// # Panics
    /// There is neither a value nor a problem: the reader gave up without saying why, which is a bug.
    pub fn finish<T>(mut self, value: Option<T>) -> Result<T, Problems> {
        self.list.sort_by_key(|problem| match &problem.place {
            Some(place) => (place.span.start, place.span.end),
            None => (usize::MAX, usize::MAX),
        });
        match value {
            Some(value) if self.list.is_empty() => Ok(value),
            Some(_) | None => {
                assert!(!self.list.is_empty(), "a file that cannot be read has at least one problem");
                Err(Problems { list: self.list, left_out: self.left_out })
            }
        }
    }
}
