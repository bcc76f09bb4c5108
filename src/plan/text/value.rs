//! JSON values for people: what fits stands on one line, what does not is broken at its outermost level.

use serde_json::Value;

use crate::style::{columns, one_line};

/// A scalar as people write it, without quotes; anything else as JSON on one line.
pub(super) fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => one_line(text),
        Value::Null => "none".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => one_line(&value.to_string()),
    }
}

/// Lines of JSON, each at most `width` columns where the values allow.
pub(super) fn lines(value: &Value, width: usize) -> Vec<String> {
    let mut out = Vec::new();
    write(&mut out, "", value, "", width, 0);
    out
}

/// `lead` is the key, `tail` the comma.
fn write(out: &mut Vec<String>, lead: &str, value: &Value, tail: &str, width: usize, depth: usize) {
    let indent = "  ".repeat(depth);
    let flat = format!("{indent}{lead}{value}{tail}");
    let (open, close, children): (_, _, Vec<(String, &Value)>) = match value {
        Value::Array(items) => ('[', ']', items.iter().map(|item| (String::new(), item)).collect()),
        Value::Object(fields) => {
            let named = fields.iter().map(|(name, item)| (format!("{}: ", Value::from(name.as_str())), item));
            ('{', '}', named.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (' ', ' ', Vec::new()),
    };
    if children.is_empty() || columns(&flat) <= width {
        out.push(flat);
        return;
    }
    out.push(format!("{indent}{lead}{open}"));
    let last = children.len() - 1;
    for (place, (name, item)) in children.into_iter().enumerate() {
        write(out, &name, item, if place == last { "" } else { "," }, width, depth + 1);
    }
    out.push(format!("{indent}{close}{tail}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn breaks_only_what_does_not_fit() {
        let value = json!({ "properties": { "TTL": 60, "CNAMERecord": { "cname": "apim-west.azure-api.net" } } });
        assert_eq!(lines(&value, 100).len(), 1);
        assert_eq!(
            lines(&value, 60),
            [
                "{",
                r#"  "properties": {"#,
                r#"    "TTL": 60,"#,
                r#"    "CNAMERecord": {"cname":"apim-west.azure-api.net"}"#,
                "  }",
                "}"
            ]
        );
    }

    #[test]
    fn the_text_is_still_the_same_json() {
        let value = json!({ "a": [1, { "b": "x\u{7}\"" }, []], "c": {}, "d": null });
        for width in [0, 10, 20, 200] {
            assert_eq!(serde_json::from_str::<Value>(&lines(&value, width).join("\n")).unwrap(), value);
        }
    }
}
