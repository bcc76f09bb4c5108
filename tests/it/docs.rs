//! The generated references under `docs/reference` are up to date. `UPDATE_DOCS=1 cargo test docs` writes them anew.

use std::fmt::Write;

use clap::CommandFactory;
use lifeboat::{
    cli::arguments::Arguments,
    runbook::{
        ActionKind,
        catalog::{Field, FieldType},
        span,
    },
};

/// Compares a generated page with the committed one, or writes it.
pub fn check_generated(path: &str, content: &str) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, content).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == content, "{path} is out of date; write it anew with `UPDATE_DOCS=1 cargo test docs`");
}

#[test]
fn the_schema_is_current() {
    let mut text = serde_json::to_string_pretty(&lifeboat::runbook::json_schema()).unwrap();
    text.push('\n');
    check_generated("docs/reference/runbook.schema.json", &text);
}

#[test]
fn the_command_line_reference_is_current() {
    let mut text = String::from("# Command line\n\nGenerated from the program itself.\n");
    let mut command = Arguments::command().term_width(100);
    command.build();
    let mut page = |name: &str, help: &str| {
        write!(text, "\n## `{name}`\n\n```text\n{}\n```\n", help.trim_end()).unwrap();
    };
    page("lifeboat", &command.clone().render_help().to_string());
    for verb in command.get_subcommands_mut() {
        if verb.get_name() != "help" {
            let name = format!("lifeboat {}", verb.get_name());
            page(&name, &verb.clone().term_width(100).render_help().to_string());
        }
    }
    let text = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n") + "\n";
    check_generated("docs/reference/cli.md", &text);
}

#[test]
fn the_action_reference_is_current() {
    let mut text = String::from("# Actions\n\nGenerated from the catalogue. Every field also takes `${{ … }}`.\n");
    for kind in ActionKind::ALL {
        let entry = kind.entry();
        write!(
            text,
            "\n## `{kind}`\n\nTo {}. {}; one attempt ends after {} unless the step says otherwise.\n",
            entry.summary,
            entry.effect,
            span::format(entry.timeout)
        )
        .unwrap();
        text.push_str("\n| field | shape | |\n|---|---|---|\n");
        for field in entry.fields {
            row(&mut text, field, "");
        }
        if !entry.outputs.is_empty() {
            text.push_str("\n| output | |\n|---|---|\n");
            for output in entry.outputs {
                writeln!(text, "| `{}` | {} |", output.name, output.summary).unwrap();
            }
        }
    }
    check_generated("docs/reference/actions.md", &text);
}

fn row(text: &mut String, field: &Field, prefix: &str) {
    let required = if field.required { ", required" } else { "" };
    writeln!(text, "| `{prefix}{}` | {}{required} | {} |", field.name, shape(&field.shape), field.summary).unwrap();
    let inner = match &field.shape {
        FieldType::Record(fields) => Some((fields, ".")),
        FieldType::List(FieldType::Record(fields)) => Some((fields, "[].")),
        _ => None,
    };
    if let Some((fields, joint)) = inner {
        for inner in *fields {
            row(text, inner, &format!("{prefix}{}{joint}", field.name));
        }
    }
}

fn shape(shape_of: &FieldType) -> String {
    match shape_of {
        FieldType::String => "text".into(),
        FieldType::Integer(least, most) => format!("integer {least} to {most}"),
        FieldType::Boolean => "boolean".into(),
        FieldType::Duration => "duration".into(),
        FieldType::ResourceId("") => "resource id".into(),
        FieldType::ResourceId(kind) => format!("resource id of `{kind}`"),
        FieldType::Hostname => "host name".into(),
        FieldType::Url => "URL".into(),
        FieldType::OneOf(values) => values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" or "),
        FieldType::List(inner) => format!("list of {}", shape(inner)),
        FieldType::Map(inner) => format!("map to {}", shape(inner)),
        FieldType::Record(_) => "mapping".into(),
        FieldType::Object => "value of another step".into(),
    }
}
