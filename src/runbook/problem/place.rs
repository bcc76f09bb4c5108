//! Files and places in them.

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

/// Bytes of a file: half the size of a `Range<usize>`, since a tree holds one a node. Files are bounded to 16 MiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Self {
        let narrow = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: narrow(start), end: narrow(end.max(start)) }
    }

    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A file as it was read. Its text is kept to draw the line a problem is on.
#[derive(Debug)]
pub struct Source {
    name: String,
    text: String,
    /// Where each line begins; computed when the first place is asked for.
    lines: OnceLock<Vec<usize>>,
}

impl Source {
    pub fn new(name: &str, text: String) -> Arc<Self> {
        Arc::new(Self { name: name.to_owned(), text, lines: OnceLock::new() })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where `span` begins, for people.
    pub fn place(self: &Arc<Self>, span: Span) -> Place {
        let range = span.range();
        let start = self.text.floor_char_boundary(range.start);
        let end = self.text.ceil_char_boundary(range.end.max(start));
        let line = self.line_starts().partition_point(|line_start| *line_start <= start);
        let column = self.text[self.line_starts()[line - 1]..start].chars().count() + 1;
        let narrow = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Place { source: Arc::clone(self), line: narrow(line), column: narrow(column), span: start..end }
    }

    /// The text of line `line` (from 1) without its line end, and the byte at which it begins.
    pub(super) fn line(&self, line: u32) -> (usize, &str) {
        let starts = self.line_starts();
        let start = starts[line as usize - 1];
        let end = starts.get(line as usize).copied().unwrap_or(self.text.len());
        (start, self.text[start..end].trim_end_matches(['\n', '\r']))
    }

    fn line_starts(&self) -> &[usize] {
        self.lines.get_or_init(|| {
            let after_feeds = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(after_feeds).collect()
        })
    }
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
