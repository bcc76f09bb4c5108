//! A document: sections of paragraphs, tables and pictures, drawn as one HTML file or as Markdown.
//!
//! Pure. Whoever writes a document says what is in it and never how it looks; whatever is put in is escaped by the
//! form that draws it. No form needs a script, a font or anything else from elsewhere.

mod html;
mod markdown;

pub use html::html;
pub use markdown::{markdown, plain};

/// A whole document.
#[derive(Clone, Debug)]
pub struct Paper {
    pub title: String,
    /// Below the title: what it is about.
    pub subtitle: String,
    /// In the foot: what it was made from.
    pub foot: String,
    pub sections: Vec<Section>,
}

#[derive(Clone, Debug)]
pub struct Section {
    /// Kebab-case, unique in the document: a place to link to.
    pub id: String,
    pub title: String,
    pub blocks: Vec<Block>,
}

/// How something is meant. Stands beside a word, never for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Good,
    Careful,
    Bad,
}

impl Tone {
    /// Class in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::Careful => "careful",
            Self::Bad => "bad",
        }
    }

    /// A shape that is told apart without colour.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "✓",
            Self::Careful => "▲",
            Self::Bad => "✗",
        }
    }

    /// What stands before the toned word: the mark and a space, if there is one.
    pub fn lead(self) -> String {
        if self == Self::Plain { String::new() } else { format!("{} ", self.mark()) }
    }
}

#[derive(Clone, Debug)]
pub enum Block {
    Text(String),
    /// One judgement in large letters, and the reasons below it.
    Notice {
        tone: Tone,
        title: String,
        lines: Vec<String>,
    },
    /// Names and values.
    Facts(Vec<(String, String)>),
    List(Vec<String>),
    Table(Table),
    /// Text that somebody copies.
    Code {
        caption: String,
        text: String,
    },
    Picture(Drawing),
}

impl Block {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

/// The first cell of a row is the row's heading.
#[derive(Clone, Debug)]
pub struct Table {
    pub caption: String,
    pub columns: Vec<&'static str>,
    pub rows: Vec<Vec<Cell>>,
}

/// A word that is longer, such as a URL in a sentence, may be broken anywhere: it would push a table off the page.
const LONGEST_WORD: usize = 32;

#[derive(Clone, Debug)]
pub struct Cell {
    pub text: String,
    pub tone: Tone,
    pub kind: Kind,
}

/// What a cell's text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Words,
    /// A name, a URL or a value of the world, which may be broken anywhere.
    Literal,
    /// A time or a duration, which may not be broken.
    Time,
}

impl Cell {
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: Tone::Plain, kind: Kind::Words }
    }

    pub fn literal(text: impl Into<String>) -> Self {
        Self { kind: Kind::Literal, ..Self::new(text) }
    }

    pub fn time(text: impl Into<String>) -> Self {
        Self { kind: Kind::Time, ..Self::new(text) }
    }

    fn is_literal(&self) -> bool {
        self.kind == Kind::Literal
    }

    /// Classes in the style sheet. None: it looks like most.
    fn class(&self) -> Option<String> {
        let is_long = |text: &str| text.split_whitespace().any(|word| word.chars().count() > LONGEST_WORD);
        let mut classes = Vec::new();
        if self.kind == Kind::Time {
            classes.push("time");
        }
        if self.tone != Tone::Plain {
            classes.push(self.tone.class());
        }
        if self.kind == Kind::Words && is_long(&self.text) {
            classes.push("long");
        }
        (!classes.is_empty()).then(|| classes.join(" "))
    }

    #[must_use]
    pub fn toned(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

#[derive(Clone, Debug)]
pub struct Drawing {
    pub caption: String,
    /// Everything that the picture tells, in words.
    pub alternative: String,
    /// Whole, with everything in it escaped.
    pub svg: String,
    /// The same for Markdown, which shows no SVG; none: the words stand for it.
    pub mermaid: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paper(text: &str) -> Paper {
        let table = Table {
            caption: text.to_owned(),
            columns: vec!["name", "value"],
            rows: vec![vec![Cell::literal(text), Cell::new(text).toned(Tone::Bad)]],
        };
        let notice = Block::Notice { tone: Tone::Careful, title: text.to_owned(), lines: vec![text.to_owned()] };
        let blocks = vec![
            Block::text(text),
            notice,
            Block::Facts(vec![(text.to_owned(), text.to_owned())]),
            Block::List(vec![text.to_owned()]),
            Block::Table(table),
            Block::Code { caption: text.to_owned(), text: text.to_owned() },
        ];
        let section = Section { id: "one".to_owned(), title: text.to_owned(), blocks };
        Paper { title: text.to_owned(), subtitle: text.to_owned(), foot: text.to_owned(), sections: vec![section] }
    }

    #[test]
    fn nothing_that_is_put_in_becomes_markup() {
        let nasty = "<script>alert('x')</script>\"><img src=x onerror=y> & | `` ``` [a](javascript:b) **c**\n# d";
        let html = html(&paper(nasty));
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
        let markdown = markdown(&paper(nasty));
        for line in markdown.lines().filter(|line| !line.starts_with("    ")) {
            assert!(!line.contains("<script") && !line.contains("](java"), "{line}");
            assert!(!line.starts_with("# d"), "{line}");
        }
        let row = markdown.lines().find(|line| line.starts_with("| ") && line.contains("alert")).unwrap();
        assert_eq!(row.replace("\\|", "").matches('|').count(), 3, "{row}");
    }

    #[test]
    fn the_page_is_whole_and_asks_nobody() {
        let html = html(&paper("plain"));
        assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
        for foreign in ["<script", "<link", "@import", "url(", "src=", "http://", "https://"] {
            assert!(!html.contains(foreign), "{foreign}");
        }
        assert!(html.contains("<th scope=\"col\"") && html.contains("<th scope=\"row\""), "{html}");
    }
}
