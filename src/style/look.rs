//! Colour and symbols.

use std::fmt::Display;

/// What the place where text goes can show. Cheap to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    pub colour: bool,
    /// False: ASCII stands in for every symbol and line.
    pub unicode: bool,
    /// Columns; at least [`Style::NARROWEST`] is assumed.
    pub width: usize,
}

/// A mark in front of a line; its word always stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol {
    Pending,
    Running,
    Waiting,
    Doubt,
    Done,
    Failed,
    Skipped,
    Undo,
    Ask,
    Warning,
    Note,
    Arrow,
}

impl Style {
    /// Below this, text is laid out as if the terminal were this wide: one word a line helps nobody.
    pub const NARROWEST: usize = 40;

    /// Neither colour nor anything but ASCII.
    pub const fn plain(width: usize) -> Self {
        Self { colour: false, unicode: false, width }
    }

    /// Columns to lay out for.
    pub fn columns(&self) -> usize {
        self.width.max(Self::NARROWEST)
    }

    pub fn bold(&self, text: impl Display) -> String {
        self.paint("1", text)
    }

    pub fn dim(&self, text: impl Display) -> String {
        self.paint("2", text)
    }

    pub fn red(&self, text: impl Display) -> String {
        self.paint("1;31", text)
    }

    pub fn green(&self, text: impl Display) -> String {
        self.paint("32", text)
    }

    pub fn yellow(&self, text: impl Display) -> String {
        self.paint("33", text)
    }

    pub fn cyan(&self, text: impl Display) -> String {
        self.paint("36", text)
    }

    fn paint(&self, code: &str, text: impl Display) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }

    /// One column wide, but for the ASCII arrow.
    pub fn symbol(&self, symbol: Symbol) -> &'static str {
        let (unicode, ascii) = match symbol {
            Symbol::Pending | Symbol::Note => ("·", "."),
            Symbol::Running => ("●", "*"),
            Symbol::Waiting => ("◌", "~"),
            Symbol::Doubt => ("?", "?"),
            Symbol::Done => ("✓", "+"),
            Symbol::Failed => ("✗", "x"),
            Symbol::Skipped => ("–", "-"),
            Symbol::Undo => ("↶", "<"),
            Symbol::Ask => ("▶", ">"),
            Symbol::Warning => ("!", "!"),
            Symbol::Arrow => ("→", "->"),
        };
        if self.unicode { unicode } else { ascii }
    }

    /// `text` in the colour that goes with the symbol.
    pub fn toned(&self, symbol: Symbol, text: impl Display) -> String {
        match symbol {
            Symbol::Done => self.green(text),
            Symbol::Failed => self.red(text),
            Symbol::Doubt | Symbol::Waiting | Symbol::Warning | Symbol::Undo => self.yellow(text),
            Symbol::Running | Symbol::Ask => self.cyan(text),
            Symbol::Pending | Symbol::Skipped | Symbol::Note | Symbol::Arrow => self.dim(text),
        }
    }

    /// The symbol in its colour.
    pub fn mark(&self, symbol: Symbol) -> String {
        self.toned(symbol, self.symbol(symbol))
    }

    /// A line across the page with a word in the middle.
    pub fn rule(&self, word: &str) -> String {
        let dash = if self.unicode { "─" } else { "-" };
        let room = self.columns().min(100).saturating_sub(word.len() + 2);
        let left = room / 2;
        format!("{} {word} {}", dash.repeat(left), dash.repeat(room - left))
    }
}
