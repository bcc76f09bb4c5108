//! What the terminal can show: colour, width, symbols. The rules; the values of the environment are handed in.
//!
//! The styling itself is [`crate::style`], re-exported here for the commands.

pub use crate::style::{Page, Style, Symbol, columns, duration, fit, moment, one_line, pad, time, wrap};

/// Columns when nothing tells.
const USUAL_WIDTH: usize = 80;

/// Wider lines are hard to read and were never looked at.
const WIDEST: usize = 500;

/// What the environment says. A variable that is not set is `None`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings<'a> {
    /// The stream that is written to is a terminal.
    pub is_terminal: bool,
    /// `NO_COLOR`: no colour when it is set and not empty (<https://no-color.org>).
    pub no_color: Option<&'a str>,
    /// `CLICOLOR_FORCE`: colour also when this is no terminal, when it is set and not `0`.
    pub clicolor_force: Option<&'a str>,
    /// `TERM`: `dumb` can neither colour nor move the cursor.
    pub term: Option<&'a str>,
    /// `COLUMNS`: what people set in pipelines; wins over what was measured.
    pub columns: Option<&'a str>,
    /// Columns that the terminal reports.
    pub measured: Option<u16>,
    /// `LC_ALL`, else `LC_CTYPE`, else `LANG`: the first that is set and not empty.
    pub locale: Option<&'a str>,
}

impl Surroundings<'_> {
    pub fn style(&self) -> Style {
        Style { colour: self.colour(), unicode: self.unicode(), width: self.width() }
    }

    /// Lines may be drawn over: a terminal that can move its cursor.
    pub fn can_redraw(&self) -> bool {
        self.is_terminal && self.term != Some("dumb")
    }

    fn colour(&self) -> bool {
        let set = |value: Option<&str>| value.is_some_and(|value| !value.is_empty());
        if set(self.no_color) {
            return false;
        }
        if set(self.clicolor_force) && self.clicolor_force != Some("0") {
            return true;
        }
        self.can_redraw()
    }

    /// Windows has no locale variables, and its terminals show UTF-8.
    fn unicode(&self) -> bool {
        match self.locale {
            Some(locale) => {
                let locale = locale.to_ascii_lowercase();
                locale.contains("utf-8") || locale.contains("utf8")
            }
            None => cfg!(windows),
        }
    }

    fn width(&self) -> usize {
        let said = self.columns.and_then(|columns| columns.trim().parse().ok()).filter(|columns| *columns > 0);
        let measured = self.measured.filter(|columns| *columns > 0 && self.is_terminal).map(usize::from);
        said.or(measured).unwrap_or(USUAL_WIDTH).min(WIDEST)
    }
}

/// Rows and columns of the terminal behind standard error, when it is one.
pub fn measure() -> Option<(u16, u16)> {
    console::Term::stderr().size_checked()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMINAL: Surroundings<'static> = Surroundings {
        is_terminal: true,
        no_color: None,
        clicolor_force: None,
        term: Some("xterm-256color"),
        columns: None,
        measured: Some(132),
        locale: Some("en_GB.UTF-8"),
    };

    #[test]
    fn a_terminal_shows_everything() {
        assert_eq!(TERMINAL.style(), Style { colour: true, unicode: true, width: 132 });
        assert!(TERMINAL.can_redraw());
    }

    #[test]
    fn a_pipe_gets_plain_text() {
        let pipe = Surroundings { is_terminal: false, ..TERMINAL };
        assert_eq!(pipe.style(), Style { colour: false, unicode: true, width: 80 });
        assert!(!pipe.can_redraw());
    }

    #[test]
    fn colour_follows_the_conventions() {
        let colour = |surroundings: Surroundings<'_>| surroundings.style().colour;
        assert!(!colour(Surroundings { no_color: Some("1"), ..TERMINAL }));
        assert!(colour(Surroundings { no_color: Some(""), ..TERMINAL }), "empty is not set");
        assert!(!colour(Surroundings { no_color: Some("1"), clicolor_force: Some("1"), ..TERMINAL }));
        assert!(!colour(Surroundings { term: Some("dumb"), ..TERMINAL }));
        let pipe = Surroundings { is_terminal: false, ..TERMINAL };
        assert!(colour(Surroundings { clicolor_force: Some("1"), ..pipe }));
        assert!(!colour(Surroundings { clicolor_force: Some("0"), ..pipe }));
    }

    #[test]
    fn width_is_what_is_said_then_measured_then_usual() {
        let width = |surroundings: Surroundings<'_>| surroundings.style().width;
        assert_eq!(width(Surroundings { columns: Some("100"), ..TERMINAL }), 100);
        assert_eq!(width(Surroundings { columns: Some("wide"), ..TERMINAL }), 132);
        assert_eq!(width(Surroundings { columns: Some("0"), measured: None, ..TERMINAL }), 80);
        assert_eq!(width(Surroundings { columns: Some("99999"), ..TERMINAL }), WIDEST);
    }

    #[test]
    fn ascii_where_the_locale_is_not_utf8() {
        let unicode = |locale| Surroundings { locale, ..TERMINAL }.style().unicode;
        assert!(unicode(Some("C.utf8")));
        assert!(!unicode(Some("C")));
        assert_eq!(unicode(None), cfg!(windows));
    }
}
