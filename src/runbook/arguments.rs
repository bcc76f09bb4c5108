//! Values against the shapes of the catalogue: once when the runbook is checked, once more when every expression has
//! its value. Never evaluates an expression.

use std::{fmt::Write as _, net::IpAddr};

use serde_json::{Map, Value};

use super::{
    catalog::{ActionKind, Field, FieldType},
    problem::{Code, Problem, mistake},
    resource_id::ResourceId,
    span,
};

/// Longest text of one field; the journal holds it with every attempt.
const LONGEST_TEXT: usize = 64 << 10;

/// Where a value stands in its step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    Key(String),
    Index(usize),
}

/// One argument that does not fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Misfit {
    /// `paths[0].expect_status`
    pub field: String,
    /// Lower-case fragment.
    pub message: String,
    /// What to do.
    pub help: String,
    pub code: Code,
    pub path: Vec<Segment>,
    /// It is about the key, not about its value.
    pub at_key: bool,
}

impl Misfit {
    pub fn into_problem(self) -> Problem {
        Problem::new(self.code, self.message, self.help)
    }
}

/// Checks arguments whose expressions are resolved. Empty: all fits.
pub fn check_arguments(kind: ActionKind, arguments: &Map<String, Value>) -> Vec<Misfit> {
    check(kind, arguments, false)
}

/// The same before expressions are resolved: text with `${{` fits every shape.
pub(super) fn check_with_expressions(kind: ActionKind, arguments: &Map<String, Value>) -> Vec<Misfit> {
    check(kind, arguments, true)
}

/// Checks one value that belongs to no action, such as a parameter's.
pub(super) fn check_value(shape: &FieldType, value: &Value) -> Vec<Misfit> {
    let mut checker = Checker { expressions: false, path: Vec::new(), misfits: Vec::new() };
    checker.value(shape, value);
    checker.misfits
}

fn check(kind: ActionKind, arguments: &Map<String, Value>, expressions: bool) -> Vec<Misfit> {
    let mut checker = Checker { expressions, path: Vec::new(), misfits: Vec::new() };
    checker.record(kind.entry().fields, arguments, || format!("the action `{kind}`"));
    checker.misfits
}

struct Checker {
    /// Text with `${{` is judged later.
    expressions: bool,
    path: Vec<Segment>,
    misfits: Vec<Misfit>,
}

impl Checker {
    fn record(&mut self, fields: &[Field], found: &Map<String, Value>, holder: impl Fn() -> String) {
        for (key, value) in found {
            self.path.push(Segment::Key(key.clone()));
            match fields.iter().find(|field| field.name == key) {
                Some(field) => self.value(&field.shape, value),
                None => self.add(true, mistake::unknown_key(key, &holder(), fields.iter().map(|field| field.name))),
            }
            self.path.pop();
        }
        for field in fields.iter().filter(|field| field.required && !found.contains_key(field.name)) {
            self.add(true, mistake::missing_key(field.name, &holder(), field.summary));
        }
    }

    fn value(&mut self, shape: &FieldType, value: &Value) {
        if self.expressions && value.as_str().is_some_and(|text| text.contains("${{")) {
            return;
        }
        let problem = match (shape, value) {
            (FieldType::List(shape), Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.path.push(Segment::Index(index));
                    self.value(shape, item);
                    self.path.pop();
                }
                None
            }
            (FieldType::Map(shape), Value::Object(entries)) => {
                for (key, item) in entries {
                    self.path.push(Segment::Key(key.clone()));
                    self.value(shape, item);
                    self.path.pop();
                }
                None
            }
            (FieldType::Record(fields), Value::Object(found)) => {
                self.record(fields, found, || "this".to_owned());
                None
            }
            (FieldType::Object, Value::Object(_)) | (FieldType::Boolean, Value::Bool(_)) => None,
            (FieldType::Integer(least, most), Value::Number(number)) => integer(number, *least, *most),
            (FieldType::Duration, Value::Number(number)) => Some(mistake::duration_without_unit(&number.to_string())),
            (shape, Value::String(text)) => scalar(shape, text),
            (shape, other) => Some(mistake::wrong_type(expected(shape), kind(other))),
        };
        if let Some(problem) = problem {
            self.add(false, problem);
        }
    }

    fn add(&mut self, at_key: bool, problem: Problem) {
        let Problem { code, message, help, .. } = problem;
        let field = field_name(&self.path);
        self.misfits.push(Misfit { field, message, help, code, path: self.path.clone(), at_key });
    }
}

fn integer(number: &serde_json::Number, least: i64, most: i64) -> Option<Problem> {
    match number.as_i64() {
        None if number.is_f64() => Some(mistake::wrong_type("an integer", "a decimal number")),
        Some(found) if (least..=most).contains(&found) => None,
        Some(_) | None => Some(mistake::out_of_range(number, least, most)),
    }
}

/// A text against a shape.
fn scalar(shape: &FieldType, text: &str) -> Option<Problem> {
    if text.len() > LONGEST_TEXT {
        return Some(mistake::too_long("the text", LONGEST_TEXT));
    }
    match shape {
        FieldType::String => None,
        FieldType::Duration => duration(text),
        FieldType::ResourceId(kind) => resource_id(text, kind),
        FieldType::Hostname => (!is_hostname(text)).then(|| mistake::bad_hostname(text)),
        FieldType::Url => (!is_url(text)).then(|| mistake::bad_url(text)),
        FieldType::OneOf(names) => {
            (!names.contains(&text)).then(|| mistake::unknown_value("value of this key", text, names.iter().copied()))
        }
        FieldType::Integer(..)
        | FieldType::Boolean
        | FieldType::List(_)
        | FieldType::Map(_)
        | FieldType::Record(_)
        | FieldType::Object => Some(mistake::wrong_type(expected(shape), "text")),
    }
}

pub(super) fn duration(text: &str) -> Option<Problem> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match span::parse(text) {
        Ok(_) => None,
        Err(_) if is_number => Some(mistake::duration_without_unit(text)),
        Err(_) => Some(mistake::bad_duration(text)),
    }
}

pub(super) fn resource_id(text: &str, kind: &str) -> Option<Problem> {
    match ResourceId::parse(text) {
        Ok(id) if kind.is_empty() || id.is_of(kind) => None,
        Ok(id) => Some(mistake::wrong_resource_kind(id.kind(), kind)),
        Err(message) => Some(mistake::bad_resource_id(&message)),
    }
}

fn is_hostname(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label) && text.parse::<IpAddr>().is_err()
}

fn is_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && text.contains("://")
    })
}

/// For people: what the shape wants.
pub(super) fn expected(shape: &FieldType) -> &'static str {
    match shape {
        FieldType::String | FieldType::OneOf(_) => "text",
        FieldType::Integer(..) => "an integer",
        FieldType::Boolean => "true or false",
        FieldType::Duration => "a duration",
        FieldType::ResourceId(_) => "a resource id",
        FieldType::Hostname => "a host name",
        FieldType::Url => "a URL",
        FieldType::List(_) => "a list",
        FieldType::Map(_) | FieldType::Record(_) => "a map",
        FieldType::Object => "a value that another step gives",
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a decimal number",
        Value::Number(_) => "an integer",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

fn field_name(path: &[Segment]) -> String {
    let mut name = String::new();
    for segment in path {
        match segment {
            Segment::Key(key) if name.is_empty() => name.push_str(key),
            Segment::Key(key) => name.extend([".", key]),
            Segment::Index(index) => write!(name, "[{index}]").expect("a string takes everything"),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn misfits(kind: ActionKind, arguments: &Value) -> Vec<(String, Code)> {
        let arguments = arguments.as_object().unwrap();
        check_arguments(kind, arguments).into_iter().map(|misfit| (misfit.field, misfit.code)).collect()
    }

    #[test]
    fn resolved_values_are_held_against_their_shapes() {
        let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/a";
        let good = json!({
            "service": id, "hostname": "api.contoso.com", "consecutive": 3, "interval": "2s",
            "paths": [{ "path": "/health", "expect_status": 204 }],
        });
        assert_eq!(misfits(ActionKind::GatewayHealth, &good), []);
        let bad = json!({
            "service": "nowhere", "hostname": "https://api", "consecutive": 0, "interval": 2,
            "paths": [{ "path": 7, "expect_status": 204 }, { "expect": 1 }], "path": "/x",
        });
        assert_eq!(
            misfits(ActionKind::GatewayHealth, &bad),
            [
                ("service".into(), Code::BadResourceId),
                ("hostname".into(), Code::BadHostname),
                ("consecutive".into(), Code::OutOfRange),
                ("interval".into(), Code::DurationWithoutUnit),
                ("paths[0].path".into(), Code::WrongType),
                ("paths[1].expect".into(), Code::UnknownKey),
                ("paths[1]".into(), Code::MissingKey),
                ("path".into(), Code::UnknownKey),
            ]
        );
    }

    #[test]
    fn text_with_an_expression_fits_only_before_it_is_resolved() {
        let arguments = json!({ "duration": "${{ params.pause }}" });
        assert_eq!(check_with_expressions(ActionKind::Wait, arguments.as_object().unwrap()), []);
        assert_eq!(misfits(ActionKind::Wait, &arguments), [("duration".into(), Code::BadDuration)]);
    }

    #[test]
    fn host_names_are_names() {
        for good in ["a", "api.contoso.com", "_acme.x-y.org"] {
            assert!(is_hostname(good), "{good}");
        }
        for bad in ["", ".", "a..b", "api.contoso.com.", "-a", "a b", "10.0.0.4", "a:443", "api/x"] {
            assert!(!is_hostname(bad), "{bad}");
        }
    }
}
