//! JSON Schema of runbooks, for editors: built from the same tables as the check, so that both say the same.
//!
//! Looser than the check where a schema cannot be as strict (names that must exist, cycles), never stricter.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::{
    Mode,
    catalog::{ActionKind, Entry, Field, FieldType},
    decode::{FAILURE_CHOICES, OBJECTIVE_KEYS, PARAMETER_KEYS, PARAMETER_TYPES, RETRY_KEYS, RUNBOOK_KEYS, STEP_KEYS},
    fields::Key,
    span,
};

/// JSON Schema 2020-12.
pub fn json_schema() -> Value {
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "lifeboat runbook, format version 1",
    });
    let body = object(
        RUNBOOK_KEYS,
        &["version", "name", "steps"],
        &[
            ("version", json!({ "const": 1 })),
            ("name", json!({ "type": "string", "minLength": 1 })),
            ("description", json!({ "type": "string", "minLength": 1 })),
            ("objectives", duration_fields(OBJECTIVE_KEYS)),
            (
                "parameters",
                json!({
                    "type": "object",
                    "propertyNames": { "pattern": "^[a-z][a-z0-9_-]{0,63}$" },
                    "additionalProperties": { "$ref": "#/$defs/parameter" },
                }),
            ),
            ("steps", json!({ "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/step" } })),
        ],
    );
    extend(&mut schema, body);
    extend(&mut schema, json!({ "$defs": definitions() }));
    schema
}

fn definitions() -> Value {
    json!({
        "duration": {
            "type": "string",
            "pattern": r"^\s*(0|(?=\d)(\d+d)?\s*(\d+h)?\s*(\d+m(?!s))?\s*(\d+s)?\s*(\d+ms)?)\s*$",
            "examples": ["90s", "45m", "1h30m"],
        },
        "id": { "type": "string", "pattern": "^[a-z][a-z0-9-]{0,63}$" },
        "expression": {
            "type": "string",
            "pattern": r"\$\{\{",
            "description": "text with `${{ … }}`: params.<name>, steps.<id>.<output>, mode, run",
        },
        "parameter": parameter(),
        "step": step(),
        "action": action(),
    })
}

fn parameter() -> Value {
    let types = PARAMETER_TYPES.map(|(name, _)| name);
    let literal = json!({ "type": ["string", "integer", "boolean", "array"] });
    object(
        PARAMETER_KEYS,
        &["type"],
        &[
            ("type", json!({ "enum": types })),
            ("description", json!({ "type": "string", "minLength": 1 })),
            ("default", literal.clone()),
            ("drill", literal),
        ],
    )
}

fn step() -> Value {
    let modes = Mode::ALL.map(Mode::as_str);
    let reactions = FAILURE_CHOICES.map(|(name, _)| name);
    object(
        STEP_KEYS,
        &["id", "do"],
        &[
            ("id", json!({ "$ref": "#/$defs/id" })),
            ("description", json!({ "type": "string", "minLength": 1 })),
            ("needs", json!({ "type": "array", "uniqueItems": true, "items": { "$ref": "#/$defs/id" } })),
            ("modes", json!({ "type": "array", "minItems": 1, "items": { "enum": modes } })),
            ("when", json!({ "type": "string", "pattern": r"^\s*\$\{\{.*\}\}\s*$" })),
            ("timeout", json!({ "$ref": "#/$defs/duration" })),
            (
                "retry",
                object(
                    RETRY_KEYS,
                    &["attempts", "delay"],
                    &[
                        ("attempts", json!({ "type": "integer", "minimum": 1, "maximum": 1000 })),
                        ("delay", json!({ "$ref": "#/$defs/duration" })),
                    ],
                ),
            ),
            ("on_failure", json!({ "enum": reactions, "default": "stop" })),
            ("do", json!({ "$ref": "#/$defs/action" })),
        ],
    )
}

/// Exactly one of the actions. One object with a property an action, so that editors offer all of them.
fn action() -> Value {
    let properties: Map<String, Value> =
        ActionKind::ALL.iter().map(|kind| (kind.name().to_owned(), arguments(kind.entry()))).collect();
    json!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": false,
        "properties": properties,
    })
}

fn arguments(entry: &Entry) -> Value {
    let outputs: Vec<String> =
        entry.outputs.iter().map(|output| format!("- `{}`: {}", output.name, output.summary)).collect();
    let mut description =
        format!("{} ({}; default timeout {})", entry.summary, entry.effect, span::format(entry.timeout));
    if !outputs.is_empty() {
        write!(description, "\n\nOutputs:\n{}", outputs.join("\n")).expect("a string takes everything");
    }
    let mut schema = json!({ "description": description });
    extend(&mut schema, record(entry.fields));
    schema
}

fn record(fields: &[Field]) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|field| {
            let mut schema = json!({ "description": field.summary });
            extend(&mut schema, shape(&field.shape));
            (field.name.to_owned(), schema)
        })
        .collect();
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties })
}

/// A literal of the shape, or an expression.
fn shape(shape: &FieldType) -> Value {
    let literal = match shape {
        // Any text will do, with or without an expression.
        FieldType::String => return json!({ "type": "string" }),
        FieldType::Integer(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        FieldType::Boolean => json!({ "type": "boolean" }),
        FieldType::Duration => json!({ "$ref": "#/$defs/duration" }),
        FieldType::ResourceId(kind) => json!({
            "type": "string",
            "pattern": "^/[sS]ubscriptions/[^/]+/[rR]esource[gG]roups/[^/]+/[pP]roviders/.+",
            "description": if kind.is_empty() { "resource id".to_owned() } else { format!("id of a {kind}") },
        }),
        FieldType::Hostname => json!({ "type": "string", "pattern": "^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?$" }),
        FieldType::Url => json!({ "type": "string", "pattern": "^[hH][tT][tT][pP][sS]?://" }),
        FieldType::OneOf(names) => json!({ "enum": names }),
        FieldType::List(item) => json!({ "type": "array", "items": self::shape(item) }),
        FieldType::Map(item) => json!({ "type": "object", "additionalProperties": self::shape(item) }),
        FieldType::Record(fields) => record(fields),
        FieldType::Object => json!({ "type": "object" }),
    };
    json!({ "anyOf": [literal, { "$ref": "#/$defs/expression" }] })
}

fn duration_fields(keys: &[Key]) -> Value {
    let fields: Vec<(&str, Value)> = keys.iter().map(|key| (key.name, json!({ "$ref": "#/$defs/duration" }))).collect();
    object(keys, &[], &fields)
}

/// A closed object; the descriptions are those of the table that the check uses.
fn object(keys: &[Key], required: &[&str], fields: &[(&str, Value)]) -> Value {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| {
            let mut schema = json!({ "description": key.summary });
            let field = fields.iter().find(|(name, _)| *name == key.name);
            extend(
                &mut schema,
                field.map(|(_, schema)| schema.clone()).expect("every key has a schema; a test builds it"),
            );
            (key.name.to_owned(), schema)
        })
        .collect();
    json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties })
}

fn extend(schema: &mut Value, more: Value) {
    if let (Value::Object(schema), Value::Object(more)) = (schema, more) {
        schema.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        let schema = json_schema();
        let text = schema.to_string();
        for name in text.split("\"#/$defs/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(schema["$defs"][name].is_object(), "{name}");
        }
    }

    #[test]
    fn every_action_and_field_of_the_catalogue_is_offered_with_its_description() {
        let schema = json_schema();
        for kind in ActionKind::ALL {
            let action = &schema["$defs"]["action"]["properties"][kind.name()];
            assert_eq!(action["additionalProperties"], json!(false), "{kind}");
            for field in kind.entry().fields {
                let property = &action["properties"][field.name];
                assert!(property["description"].is_string(), "{kind}.{}", field.name);
                let takes_expressions = property["type"] == "string" || property["anyOf"][1].is_object();
                assert!(takes_expressions, "{kind}.{}", field.name);
            }
        }
    }
}
