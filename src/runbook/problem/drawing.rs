//! Draws problems the way rustc does.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, renderer::DecorStyle};

use super::{Place, Problem, Problems};

/// Screens of text beyond this help nobody; the JSON form has them all.
const MOST_DRAWN: usize = 50;

/// Longest part of a source line that is drawn, in characters.
const WIDEST: usize = 160;

/// Characters before the place that are kept when a line is cut.
const LEAD: usize = 40;

pub(super) fn render(problems: &Problems, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    // Lines are cut here, by characters; the renderer's own limit would cut them again.
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(WIDEST * 2);
    let mut text = String::new();
    for problem in problems.iter().take(MOST_DRAWN) {
        text.push_str(&draw(problem, &renderer));
        text.push_str("\n\n");
    }
    let total = problems.list.len() + problems.left_out;
    if total > MOST_DRAWN {
        text.push_str(&format!("… and {} more\n\n", total - MOST_DRAWN));
    }
    let file = problems.list.iter().find_map(|problem| problem.place.as_ref()).map(|place| place.source.name());
    text.push_str(&match (file, total) {
        (Some(file), 1) => format!("{file}: 1 problem\n"),
        (Some(file), total) => format!("{file}: {total} problems\n"),
        (None, 1) => "1 problem\n".to_owned(),
        (None, total) => format!("{total} problems\n"),
    });
    text
}

fn draw(problem: &Problem, renderer: &Renderer) -> String {
    let title = Level::ERROR.primary_title(&problem.message).id(problem.code.as_str());
    let help = Level::HELP.message(&problem.help);
    let group = match &problem.place {
        None => Group::with_title(title).element(help),
        Some(place) => {
            let origin = Origin::path(place.source.name()).line(place.line as usize).char_column(place.column as usize);
            if problem.hides_source {
                title.element(origin).element(help)
            } else {
                let cut = cut(place);
                let snippet = Snippet::source(cut.text)
                    .line_start(place.line as usize)
                    .annotation(AnnotationKind::Primary.span(cut.start..cut.end));
                title.element(origin).element(snippet).element(help)
            }
        }
    };
    renderer.render(&[group])
}

/// A part of a line, and the bytes of it that are underlined.
struct Cut {
    text: String,
    start: usize,
    end: usize,
}

/// The line of `place`, cut to a window around it when it is long. What goes over several lines is underlined on the first.
fn cut(place: &Place) -> Cut {
    let (line_start, line) = place.source.line(place.line);
    let start = place.span.start.saturating_sub(line_start).min(line.len());
    let end = place.span.end.saturating_sub(line_start).clamp(start, line.len());
    if line.len() <= WIDEST {
        return Cut { text: line.to_owned(), start, end };
    }
    let first = line[..start].char_indices().rev().nth(LEAD - 1).map_or(0, |(at, _)| at);
    let last = line[first..].char_indices().nth(WIDEST).map_or(line.len(), |(at, _)| first + at);
    let before = if first > 0 { "…" } else { "" };
    let after = if last < line.len() { "…" } else { "" };
    let moved = |at: usize| at.min(last) - first + before.len();
    Cut { text: format!("{before}{}{after}", &line[first..last]), start: moved(start), end: moved(end) }
}
