//! Draws problems the way rustc does.

use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet, renderer::DecorStyle};

use super::{Place, Problem, Problems};

/// Screens of text beyond this help nobody; the JSON form has them all.
const MOST_DRAWN: usize = 50;

/// Lines longer than this, in bytes, are cut before they are laid out.
const LONGEST_LINE: usize = 4096;

/// Longer source lines are cut around the place.
const WIDEST: usize = 140;

pub(super) fn render(problems: &Problems, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(WIDEST);
    let mut text = String::new();
    for problem in problems.iter().take(MOST_DRAWN) {
        text.push_str(&draw(problem, &renderer));
        text.push_str("\n\n");
    }
    let total = problems.list.len() + problems.left_out;
    if total > MOST_DRAWN {
        writeln!(text, "… and {} more\n", total - MOST_DRAWN).expect("a string takes everything");
    }
    let file = problems.list.iter().find_map(|problem| problem.place.as_ref()).map(|place| place.source.name());
    let file = file.map_or_else(String::new, |file| format!("{file}: "));
    let noun = if total == 1 { "problem" } else { "problems" };
    writeln!(text, "{file}{total} {noun}").expect("a string takes everything");
    text
}

fn draw(problem: &Problem, renderer: &Renderer) -> String {
    let title = Level::ERROR.primary_title(&problem.message).id(problem.code.as_str());
    let help = Level::HELP.message(&problem.help);
    let group = match &problem.place {
        None => Group::with_title(title).element(help),
        Some(place) => {
            if problem.hides_source {
                let origin = Origin::path(place.source.name()).line(place.line as usize);
                title.element(origin.char_column(place.column as usize)).element(help)
            } else {
                title.elements(source_line(place)).element(help)
            }
        }
    };
    renderer.render(&[group])
}

/// The first line of `place` with the place underlined. One line is all that has to be looked at, however large the
/// file is; of a line that no person wrote, only the surroundings are.
fn source_line(place: &Place) -> Vec<Element<'_>> {
    let (line_start, line) = place.source.line(place.line);
    let start = place.span.start.saturating_sub(line_start).min(line.len());
    let end = place.span.end.saturating_sub(line_start).clamp(start, line.len());
    let number = place.line as usize;
    let underline = |span| AnnotationKind::Primary.span(span);
    if line.len() <= LONGEST_LINE {
        let snippet = Snippet::source(line).path(place.source.name()).line_start(number);
        return vec![snippet.annotation(underline(start..end)).into()];
    }
    let first = line.floor_char_boundary(start.saturating_sub(LONGEST_LINE / 2));
    let last = line.ceil_char_boundary((start + LONGEST_LINE / 2).min(line.len()));
    let origin = Origin::path(place.source.name()).line(number).char_column(place.column as usize);
    let snippet = Snippet::source(&line[first..last]).line_start(number);
    vec![origin.into(), snippet.annotation(underline(start - first..end.min(last) - first)).into()]
}
