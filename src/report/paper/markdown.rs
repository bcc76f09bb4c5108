//! The document as Markdown, as `GitHub` and most wikis read it: tables with pipes, pictures as Mermaid.

use super::{Block, Cell, Drawing, Paper, Table};
use crate::style::one_line;

/// The document as Markdown. Ends with a line feed.
pub fn markdown(paper: &Paper) -> String {
    let mut parts = vec![format!("# {}", plain(&paper.title)), plain(&paper.subtitle)];
    for section in &paper.sections {
        parts.push(format!("## {}", plain(&section.title)));
        parts.extend(section.blocks.iter().map(block).filter(|text| !text.is_empty()));
    }
    parts.push(format!("---\n\n{}", plain(&paper.foot)));
    let mut text = parts.join("\n\n");
    text.push('\n');
    text
}

fn block(block: &Block) -> String {
    match block {
        Block::Text(text) => plain(text),
        Block::Notice { tone, title, lines } => {
            let mut quoted = vec![format!("> **{}{}**", tone.lead(), plain(title))];
            if !lines.is_empty() {
                quoted.push(">".to_owned());
            }
            quoted.extend(lines.iter().map(|line| format!("> - {}", plain(line))));
            quoted.join("\n")
        }
        Block::Facts(facts) => {
            let rows = facts.iter().map(|(name, value)| format!("| {} | {} |", plain(name), plain(value)));
            ["| | |".to_owned(), "|---|---|".to_owned()].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
        }
        Block::List(lines) => lines.iter().map(|line| format!("- {}", plain(line))).collect::<Vec<_>>().join("\n"),
        Block::Table(table) => rows(table),
        Block::Code { caption, text } => {
            // Four spaces, not a fence: nothing that stands in it can end it.
            let body: Vec<String> = text.lines().map(|line| format!("    {}", visible(line))).collect();
            format!("**{}**\n\n{}", plain(caption), body.join("\n"))
        }
        Block::Picture(drawing) => picture(drawing),
    }
}

fn rows(table: &Table) -> String {
    let columns: Vec<String> = table.columns.iter().map(|column| plain(column)).collect();
    let mut lines = vec![
        format!("**{}**", plain(&table.caption)),
        String::new(),
        format!("| {} |", columns.join(" | ")),
        format!("|{}", "---|".repeat(columns.len())),
    ];
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(cell).collect();
        lines.push(format!("| {} |", cells.join(" | ")));
    }
    lines.join("\n")
}

fn cell(cell: &Cell) -> String {
    format!("{}{}", cell.tone.lead(), plain(&cell.text))
}

fn picture(drawing: &Drawing) -> String {
    let caption = format!("**{}**", plain(&drawing.caption));
    match &drawing.mermaid {
        Some(mermaid) => format!("{caption}\n\n```mermaid\n{}\n```", mermaid.trim_end().replace("```", "'''")),
        None => format!("{caption}\n\n{}", plain(&drawing.alternative)),
    }
}

/// One line in which nothing has a meaning.
pub fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in one_line(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => {
                escaped.push('\\');
                escaped.push(character);
            }
            // A reader that does not know the escape of the bracket before sees no link either.
            '(' if escaped.ends_with(']') => escaped.push_str("\\("),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Without what would move a cursor or hide.
fn visible(line: &str) -> String {
    line.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
