//! One exchange held against its operation.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use http::{HeaderMap, StatusCode};
use jsonschema::Validator;
use lifeboat::sim::Exchanged;
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    description::{self, Operation},
    schema::{self, Way, mistakes, without_nulls},
};

/// What every request may carry, whatever its operation says.
const COMMON_HEADERS: &[&str] = &[
    "authorization",
    "accept",
    "content-type",
    "content-length",
    "user-agent",
    "x-ms-client-request-id",
    "x-ms-return-client-request-id",
];
/// On a request that is wrong on purpose: only its answer is looked at.
pub const WRONG_ON_PURPOSE: &str = "x-wrong-on-purpose";

/// Where the simulator answers otherwise than the description says, as Azure does.
pub struct Departure {
    pub operation: &'static str,
    /// In the answer; `*` stands for every item of a list.
    pub place: &'static str,
    pub reason: &'static str,
}

/// What was found out so far.
pub struct Court {
    operations: Vec<Operation>,
    departures: &'static [Departure],
    /// By what they are for; building one takes longer than using it.
    validators: RefCell<BTreeMap<String, Rc<Validator>>>,
    /// Operations that were answered with success.
    pub seen: BTreeMap<String, usize>,
    /// Places of [`Departure`]s that were met.
    pub met: BTreeMap<usize, usize>,
    pub mistakes: BTreeMap<String, usize>,
    pub answers: usize,
    pub refusals: usize,
}

impl Court {
    pub fn new(departures: &'static [Departure]) -> Self {
        Self {
            operations: description::operations(),
            departures,
            validators: RefCell::default(),
            seen: BTreeMap::new(),
            met: BTreeMap::new(),
            mistakes: BTreeMap::new(),
            answers: 0,
            refusals: 0,
        }
    }

    pub fn hold(&mut self, exchanged: &Exchanged) {
        let url: Url = exchanged.url.parse().unwrap();
        let found = description::find(&self.operations, &exchanged.method, url.path());
        let Some((operation, place)) = found else {
            return self.note(format!("{} {}: no description has it", exchanged.method, url.path()));
        };
        let id = operation.id.clone();
        let mut wrong = Vec::new();
        if !exchanged.headers.contains_key(WRONG_ON_PURPOSE) {
            self.request(operation, &place, &url, exchanged, &mut wrong);
        }
        let mut met = Vec::new();
        if let Some((status, headers, body)) = &exchanged.answer {
            self.answer(operation, *status, headers, body, &mut met, &mut wrong);
            self.answers += 1;
            if status.is_success() {
                *self.seen.entry(id.clone()).or_default() += 1;
            } else {
                self.refusals += 1;
            }
        }
        for place in met {
            *self.met.entry(place).or_default() += 1;
        }
        for mistake in wrong {
            self.note(format!("{id}: {mistake}"));
        }
    }

    fn note(&mut self, mistake: String) {
        *self.mistakes.entry(mistake).or_default() += 1;
    }

    fn request(
        &self,
        operation: &Operation,
        place: &[(String, String)],
        url: &Url,
        exchanged: &Exchanged,
        wrong: &mut Vec<String>,
    ) {
        let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let version = query.iter().find(|(name, _)| name == "api-version").map(|(_, version)| version.as_str());
        if version != Some(operation.version.as_str()) {
            wrong.push(format!("api-version {version:?} is not the description's {}", operation.version));
        }
        let mut declared = Vec::new();
        for parameter in &operation.parameters {
            let name = parameter["name"].as_str().unwrap();
            let given = match parameter["in"].as_str().unwrap() {
                "path" => place.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()),
                "query" => {
                    declared.push(name.to_owned());
                    query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
                }
                "header" => {
                    declared.push(name.to_ascii_lowercase());
                    exchanged.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
                }
                "body" => {
                    declared.push("body".to_owned());
                    self.request_body(operation, parameter, exchanged, wrong);
                    continue;
                }
                other => panic!("{}: a parameter in `{other}`", operation.id),
            };
            self.parameter(operation, parameter, name, given, wrong);
        }
        let unknown = query.iter().filter(|(name, _)| !declared.contains(name));
        wrong.extend(unknown.map(|(name, _)| format!("the query has `{name}`, which is not described")));
        let of_headers = exchanged.headers.keys().map(http::HeaderName::as_str);
        let unknown = of_headers.filter(|name| !COMMON_HEADERS.contains(name) && !declared.iter().any(|it| it == name));
        wrong.extend(unknown.map(|name| format!("the header `{name}` is not described")));
        if !declared.iter().any(|name| name == "body") && !exchanged.body.is_empty() {
            wrong.push("a body is sent, and none is described".to_owned());
        }
    }

    fn parameter(
        &self,
        operation: &Operation,
        parameter: &Value,
        name: &str,
        given: Option<String>,
        wrong: &mut Vec<String>,
    ) {
        let Some(given) = given else {
            if parameter["required"] == true {
                wrong.push(format!("the parameter `{name}` is required"));
            }
            return;
        };
        let value = match parameter["type"].as_str() {
            Some("integer" | "number" | "boolean") => serde_json::from_str(&given).unwrap_or(Value::String(given)),
            _ => Value::String(given),
        };
        let validator = self.validator(operation, &format!("parameter {name}"), parameter, Way::Request);
        wrong
            .extend(mistakes(&validator, &value).into_iter().map(|mistake| format!("the parameter `{name}`{mistake}")));
    }

    fn request_body(&self, operation: &Operation, parameter: &Value, exchanged: &Exchanged, wrong: &mut Vec<String>) {
        if exchanged.body.is_empty() {
            if parameter["required"] == true {
                wrong.push("a body is required".to_owned());
            }
            return;
        }
        let kind = exchanged.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/json") {
            wrong.push(format!("the body is `{kind}`"));
        }
        match serde_json::from_slice(&exchanged.body) {
            Ok(body) => {
                let validator = self.validator(operation, "body", &parameter["schema"], Way::Request);
                wrong.extend(mistakes(&validator, &body).into_iter().map(|mistake| format!("the request's {mistake}")));
            }
            Err(error) => wrong.push(format!("the body is not JSON: {error}")),
        }
    }

    fn answer(
        &self,
        operation: &Operation,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        met: &mut Vec<usize>,
        wrong: &mut Vec<String>,
    ) {
        if !headers.contains_key("x-ms-request-id") {
            wrong.push(format!("the answer {status} has no x-ms-request-id"));
        }
        let named = operation.responses.get(status.as_str());
        let described = match named {
            Some(described) => described.clone(),
            // Every other refusal has the resource manager's own shape.
            None if status.is_client_error() || status.is_server_error() => {
                operation.responses.get("default").cloned().unwrap_or_else(any_error)
            }
            None => return wrong.push(format!("the answer {status} is not described")),
        };
        if status == StatusCode::ACCEPTED
            && operation.long_running
            && !headers.contains_key("location")
            && !headers.contains_key("azure-asyncoperation")
        {
            wrong.push("it is accepted, and nothing says where to look".to_owned());
        }
        for name in described["headers"].as_object().into_iter().flat_map(Map::keys) {
            if status == StatusCode::ACCEPTED && name.eq_ignore_ascii_case("location") && !headers.contains_key(name) {
                wrong.push(format!("the answer {status} lacks the header `{name}`"));
            }
        }
        let Some(schema) = described.get("schema") else {
            if !body.is_empty() {
                wrong.push(format!("the answer {status} has a body, and none is described"));
            }
            return;
        };
        let parsed = serde_json::from_slice::<Value>(body);
        let Ok(mut body) = parsed.map(|body| without_nulls(&body)) else {
            return wrong.push(format!("the answer {status} is not JSON"));
        };
        for (number, departure) in self.departures.iter().enumerate() {
            let steps: Vec<&str> = departure.place.split('/').skip(1).collect();
            if departure.operation == operation.id && remove(&mut body, &steps) {
                met.push(number);
            }
        }
        let validator = self.validator(operation, status.as_str(), schema, Way::Response);
        wrong.extend(mistakes(&validator, &body).into_iter().map(|mistake| format!("the answer {status} {mistake}")));
    }

    fn validator(&self, operation: &Operation, what: &str, schema: &Value, way: Way) -> Rc<Validator> {
        let mut known = self.validators.borrow_mut();
        let key = format!("{} {what}", operation.id);
        let made = known.entry(key).or_insert_with(|| Rc::new(schema::validator(schema, &operation.definitions, way)));
        Rc::clone(made)
    }
}

fn any_error() -> Value {
    let text = json!({ "type": "string" });
    let error =
        json!({ "type": "object", "required": ["code", "message"], "properties": { "code": text, "message": text } });
    json!({ "schema": { "type": "object", "required": ["error"], "properties": { "error": error } } })
}

/// Takes away what is at a place; false: nothing is there.
fn remove(value: &mut Value, steps: &[&str]) -> bool {
    match (steps, value) {
        ([last], Value::Object(fields)) => fields.remove(*last).is_some(),
        (["*", rest @ ..], Value::Array(items)) => {
            // All of them: `any` would stop at the first.
            items.iter_mut().filter_map(|item| remove(item, rest).then_some(())).count() > 0
        }
        ([step, rest @ ..], Value::Object(fields)) => fields.get_mut(*step).is_some_and(|inner| remove(inner, rest)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderName, HeaderValue, Method};

    use super::*;

    const RECORD: &str = "https://management.azure.com/subscriptions/00000000-0000-0000-0000-000000000001\
        /resourceGroups/rg/providers/Microsoft.Network/dnsZones/contoso.com/CNAME/api?api-version=2018-05-01";

    /// A record set is written and shown as it should be.
    fn good() -> Exchanged {
        let body = json!({ "properties": { "TTL": 60, "CNAMERecord": { "cname": "a.example" } } });
        let headers = [("content-type", "application/json"), ("if-match", "x"), ("x-ms-request-id", "y")];
        let headers: HeaderMap = headers
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .into_iter()
            .collect();
        let mut asked = headers.clone();
        asked.remove("x-ms-request-id");
        let body = Bytes::from(body.to_string());
        Exchanged {
            method: Method::PUT,
            url: RECORD.to_owned(),
            headers: asked,
            body: body.clone(),
            answer: Some((StatusCode::OK, headers, body)),
        }
    }

    fn found(exchanged: &Exchanged) -> Vec<String> {
        let mut court = Court::new(&[]);
        court.hold(exchanged);
        court.mistakes.into_keys().collect()
    }

    fn wrong(said: &str, change: impl FnOnce(&mut Exchanged)) {
        let mut exchanged = good();
        change(&mut exchanged);
        let mistakes = found(&exchanged);
        assert!(mistakes.len() == 1 && mistakes[0].contains(said), "wanted `{said}`: {mistakes:#?}");
    }

    fn answer(exchanged: &mut Exchanged) -> &mut (StatusCode, HeaderMap, Bytes) {
        exchanged.answer.as_mut().unwrap()
    }

    #[test]
    fn every_kind_of_mistake_is_found() {
        assert_eq!(found(&good()), [""; 0]);
        let value = HeaderValue::from_static("1");
        wrong("no description has it", |it| it.method = Method::POST);
        wrong("is not the description's 2018-05-01", |it| it.url = it.url.replace("05-01", "05-02"));
        wrong("the query has `top`", |it| it.url.push_str("&top=1"));
        wrong("the parameter `recordType`", |it| it.url = it.url.replace("/CNAME/", "/CNAMES/"));
        wrong("the header `x-more`", |it| drop(it.headers.insert("x-more", value)));
        wrong("the body is `text/plain`", |it| {
            it.headers.insert("content-type", HeaderValue::from_static("text/plain"));
        });
        wrong("a body is required", |it| it.body = Bytes::new());
        wrong("the body is not JSON", |it| it.body = Bytes::from_static(b"{"));
        wrong("'ttl' was unexpected", |it| it.body = Bytes::from_static(br#"{"properties":{"ttl":60}}"#));
        wrong("'fqdn' was unexpected", |it| it.body = Bytes::from_static(br#"{"properties":{"fqdn":"x"}}"#));
        wrong("has no x-ms-request-id", |it| drop(answer(it).1.remove("x-ms-request-id")));
        wrong("the answer 202 Accepted is not described", |it| answer(it).0 = StatusCode::ACCEPTED);
        wrong("the answer 200 OK is not JSON", |it| answer(it).2 = Bytes::new());
        wrong("is not of type \"integer\"", |it| answer(it).2 = Bytes::from_static(br#"{"properties":{"TTL":"1"}}"#));
        wrong("'more' was unexpected", |it| answer(it).2 = Bytes::from_static(br#"{"more":1}"#));
        wrong("the answer 412", |it| {
            answer(it).0 = StatusCode::PRECONDITION_FAILED;
            answer(it).2 = Bytes::from_static(br#"{"error":"stale"}"#);
        });
    }

    #[test]
    fn an_operation_that_goes_on_says_where_to_look() {
        let restore = RECORD.split("/providers/").next().unwrap().to_owned()
            + "/providers/Microsoft.ApiManagement/service/apim/restore?api-version=2024-05-01";
        let body = json!({ "storageAccount": "a", "containerName": "c", "backupName": "b" });
        let mut exchanged = Exchanged { method: Method::POST, url: restore, body: body.to_string().into(), ..good() };
        exchanged.headers.remove("if-match");
        *answer(&mut exchanged) = (StatusCode::ACCEPTED, good().answer.unwrap().1, Bytes::new());
        assert_eq!(found(&exchanged).len(), 2, "of the description and of every long operation");
        answer(&mut exchanged).1.insert("location", HeaderValue::from_static("https://management.azure.com/x"));
        assert_eq!(found(&exchanged), [""; 0]);
        answer(&mut exchanged).2 = Bytes::from_static(b"{}");
        assert!(found(&exchanged)[0].contains("has a body, and none is described"));
    }
}
