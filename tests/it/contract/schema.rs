//! Schemas of the descriptions as JSON Schema, closed: what a description does not name is not allowed.

use std::collections::BTreeSet;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// Which way a body goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// What the service alone says must not be sent.
    Request,
    Response,
}

/// A validator for `schema`, whose references are to `definitions`.
pub fn validator(schema: &Value, definitions: &Map<String, Value>, way: Way) -> Validator {
    let close = Close { definitions, way };
    let mut whole = close.schema(schema);
    let all = definitions.iter().map(|(name, definition)| (name.clone(), close.schema(definition)));
    whole["$defs"] = Value::Object(all.collect());
    jsonschema::options().should_validate_formats(true).build(&whole).unwrap_or_else(|error| panic!("{error}: {whole}"))
}

/// Every mistake of a body, with its place.
pub fn mistakes(validator: &Validator, body: &Value) -> Vec<String> {
    validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Azure answers full of explicit nulls (azure-facts §1.2): they count as absent.
pub fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

struct Close<'a> {
    definitions: &'a Map<String, Value>,
    way: Way,
}

/// What a schema and all that it inherits say of an object.
#[derive(Default)]
struct Shape {
    properties: Map<String, Value>,
    required: BTreeSet<String>,
    additional: Option<Value>,
}

impl Close<'_> {
    fn schema(&self, schema: &Value) -> Value {
        if let Some(reference) = schema["$ref"].as_str() {
            return json!({ "$ref": reference.replace("#/definitions/", "#/$defs/") });
        }
        let is_object = schema.get("properties").is_some()
            || schema.get("allOf").is_some()
            || schema.get("additionalProperties").is_some()
            || schema["type"] == "object";
        if is_object { self.object(schema) } else { self.plain(schema) }
    }

    fn plain(&self, schema: &Value) -> Value {
        let mut plain = Map::new();
        let kept =
            ["type", "format", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"];
        for key in kept.into_iter().chain(["uniqueItems"]) {
            if let Some(value) = schema.get(key) {
                plain.insert(key.to_owned(), value.clone());
            }
        }
        if schema["type"] == "file" {
            plain.remove("type");
        }
        // An open enumeration names what is known, not what is allowed.
        if schema["x-ms-enum"]["modelAsString"] != true
            && let Some(values) = schema.get("enum")
        {
            plain.insert("enum".to_owned(), values.clone());
        }
        if let Some(items) = schema.get("items") {
            plain.insert("items".to_owned(), self.schema(items));
        }
        Value::Object(plain)
    }

    fn object(&self, schema: &Value) -> Value {
        let mut shape = Shape::default();
        self.gather(schema, &mut shape);
        let free = shape.properties.is_empty();
        let additional = shape.additional.unwrap_or(Value::Bool(free));
        json!({
            "type": "object",
            "properties": shape.properties,
            "required": shape.required,
            "additionalProperties": additional,
        })
    }

    fn gather(&self, schema: &Value, shape: &mut Shape) {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.trim_start_matches("#/definitions/");
            return self.gather(&self.definitions[name], shape);
        }
        for parent in schema["allOf"].as_array().into_iter().flatten() {
            self.gather(parent, shape);
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if self.way == Way::Request && property["readOnly"] == true {
                shape.properties.remove(name);
            } else {
                shape.properties.insert(name.clone(), self.schema(property));
            }
        }
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        shape.required.extend(required.map(str::to_owned));
        if self.way == Way::Request {
            shape.required.retain(|name| schema["properties"][name]["readOnly"] != true);
        }
        match schema.get("additionalProperties") {
            Some(Value::Bool(allowed)) => shape.additional = Some(Value::Bool(*allowed)),
            Some(additional) => shape.additional = Some(self.schema(additional)),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definitions() -> Map<String, Value> {
        let all = json!({
            "Resource": { "type": "object", "properties": { "id": { "type": "string", "readOnly": true } } },
            "Record": {
                "allOf": [{ "$ref": "#/definitions/Resource" }],
                "properties": {
                    "ttl": { "type": "integer" },
                    "kind": { "type": "string", "enum": ["A", "B"], "x-ms-enum": { "modelAsString": false } },
                    "state": { "type": "string", "enum": ["On"], "x-ms-enum": { "modelAsString": true } },
                    "labels": { "type": "object", "additionalProperties": { "type": "string" } },
                },
                "required": ["ttl"],
            },
        });
        all.as_object().unwrap().clone()
    }

    fn count(body: &Value, way: Way) -> usize {
        let validator = validator(&json!({ "$ref": "#/definitions/Record" }), &definitions(), way);
        mistakes(&validator, body).len()
    }

    #[test]
    fn what_is_not_named_or_not_of_its_kind_is_a_mistake() {
        let good = json!({ "id": "x", "ttl": 60, "kind": "A", "state": "Off", "labels": { "any": "text" } });
        assert_eq!(count(&good, Way::Response), 0);
        assert_eq!(count(&good, Way::Request), 1, "the id is the service's to say");
        for (key, wrong) in
            [("ttl", json!("60")), ("kind", json!("C")), ("labels", json!({ "any": 1 })), ("more", json!(true))]
        {
            let mut body = good.clone();
            body[key] = wrong;
            assert_eq!(count(&body, Way::Response), 1, "{key}");
        }
        assert_eq!(count(&json!({}), Way::Response), 1);
    }

    #[test]
    fn an_explicit_null_counts_as_absent() {
        let body = json!({ "ttl": 60, "kind": null, "labels": { "any": null } });
        assert_eq!(count(&without_nulls(&body), Way::Response), 0);
        assert_eq!(count(&without_nulls(&json!({ "ttl": null })), Way::Response), 1);
    }
}
