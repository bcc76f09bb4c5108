//! Text laid out for a width: wrapped, cut, padded. Text that came from the world is made harmless first.

use unicode_width::UnicodeWidthChar;

use super::Style;

/// Columns that a text takes on a terminal; colour takes none.
pub fn columns(text: &str) -> usize {
    let mut escaped = false;
    let mut total = 0;
    for character in text.chars() {
        if escaped {
            escaped = character != 'm';
        } else if character == '\x1b' {
            escaped = true;
        } else {
            total += character.width().unwrap_or(0);
        }
    }
    total
}

/// One line without control characters: an error message or a comment must not move somebody's cursor.
pub fn one_line(text: &str) -> String {
    let spaced = text.chars().map(|character| if character.is_control() { ' ' } else { character });
    spaced.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// At most `width` columns; an ellipsis says that something was cut. Only for text without colour.
pub fn fit(text: &str, width: usize, style: &Style) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let ellipsis = if style.unicode { "…" } else { "..." };
    let room = width.saturating_sub(columns(ellipsis));
    let mut used = 0;
    let kept = text.chars().take_while(|character| {
        used += character.width().unwrap_or(0);
        used <= room
    });
    let kept: String = kept.collect();
    format!("{}{ellipsis}", kept.trim_end()).chars().take(width.max(1)).collect()
}

/// With spaces up to `width` columns.
pub fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

/// Lines of whole words. A word that is wider than `width` (a URL) stands whole on a line of its own, so that
/// it can be copied. Never empty.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            if columns(&line) + 1 + columns(word) > width {
                lines.push(std::mem::take(&mut line));
            } else {
                line.push(' ');
            }
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// Text that grows line by line.
#[derive(Debug)]
pub struct Page {
    pub style: Style,
    text: String,
}

impl Page {
    pub fn new(style: &Style) -> Self {
        Self { style: *style, text: String::new() }
    }

    /// As it is, without what would be invisible at its end.
    pub fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// An empty line, but never two, and none at the top.
    pub fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    pub fn heading(&mut self, heading: &str) {
        self.gap();
        let heading = self.style.bold(heading);
        self.line(&heading);
    }

    /// Wrapped; lines after the first begin below the text, not below the lead.
    pub fn hang(&mut self, lead: &str, text: &str) {
        let indent = columns(lead);
        let room = self.style.columns().saturating_sub(indent).max(20);
        let mut lead = lead.to_owned();
        for line in wrap(text, room) {
            self.line(&format!("{lead}{line}"));
            lead = " ".repeat(indent);
        }
    }

    pub fn text(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_words_and_leaves_long_ones_whole() {
        let url = "https://management.azure.com/subscriptions/x";
        assert_eq!(wrap(&format!("sends POST {url} now"), 20), ["sends POST", url, "now"]);
        assert_eq!(wrap("", 20), [""]);
    }

    #[test]
    fn cuts_by_columns() {
        let style = Style { colour: false, unicode: true, width: 80 };
        assert_eq!(fit("restore", 7, &style), "restore");
        assert_eq!(fit("restored", 7, &style), "restor…");
        assert_eq!(fit("restored", 7, &Style::plain(80)), "rest...");
        assert_eq!(columns(&fit("復元しています", 7, &style)), 7);
    }

    #[test]
    fn colour_takes_no_columns() {
        let style = Style { colour: true, unicode: true, width: 80 };
        assert_eq!(columns(&style.red("failed")), 6);
        assert_eq!(pad(&style.red("no"), 4), format!("{}  ", style.red("no")));
    }

    #[test]
    fn text_from_the_world_cannot_move_the_cursor() {
        assert_eq!(one_line("a\x1b[2Jb\r\n  c\u{7}"), "a [2Jb c");
    }

    #[test]
    fn continues_below_the_text() {
        let mut page = Page::new(&Style::plain(40));
        page.hang("  -> ", "choose a backup that is younger than thirty days");
        assert_eq!(page.text(), "  -> choose a backup that is younger\n     than thirty days\n");
    }
}
