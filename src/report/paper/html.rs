//! One HTML file with everything in it: a style sheet for light, dark, phones and paper; no script.

use askama::Template;

use super::{Block, Paper, Section};

const STYLE: &str = include_str!("page.css");

#[derive(Template)]
#[template(path = "page.html", config = ".askama.toml")]
struct Page<'a> {
    paper: &'a Paper,
    style: &'static str,
}

impl Page<'_> {
    fn sections(&self) -> &[Section] {
        &self.paper.sections
    }
}

/// The document as HTML. Ends with a line feed.
pub fn html(paper: &Paper) -> String {
    let page = Page { paper, style: STYLE };
    let mut text = page.render().expect("a template that compiles can be filled in");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}
