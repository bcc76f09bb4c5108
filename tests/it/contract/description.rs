//! Microsoft's descriptions as the fixtures have them: which operation a request is, and what it takes and gives.

use std::{path::Path, rc::Rc};

use http::Method;
use serde_json::{Map, Value};

/// Parameters of a path that stand for several segments; the value says for how many at least.
const SPANNING: &[(&str, usize)] = &[("scope", 1), ("resourceUri", 1), ("parentResourcePath", 0)];

/// One operation of one description.
pub struct Operation {
    /// `dns/RecordSets_Get`.
    pub id: String,
    pub method: Method,
    template: Vec<String>,
    /// Each whole, in whatever place.
    pub parameters: Vec<Value>,
    /// By status, or `default`.
    pub responses: Map<String, Value>,
    pub long_running: bool,
    /// The description's own.
    pub version: String,
    pub definitions: Rc<Map<String, Value>>,
}

impl Operation {
    /// Names of the path's parameters with what stands in their place; none: the path is not of this operation.
    fn place(&self, segments: &[&str]) -> Option<Vec<(String, String)>> {
        let mut found = Vec::new();
        fit(&self.template, segments, &mut found).then_some(found)
    }

    fn literal_segments(&self) -> usize {
        self.template.iter().filter(|segment| !segment.starts_with('{')).count()
    }
}

fn fit(template: &[String], segments: &[&str], found: &mut Vec<(String, String)>) -> bool {
    let Some((first, rest)) = template.split_first() else { return segments.is_empty() };
    let Some(name) = first.strip_prefix('{').and_then(|name| name.strip_suffix('}')) else {
        return segments.first().is_some_and(|segment| segment.eq_ignore_ascii_case(first))
            && fit(rest, &segments[1..], found);
    };
    let spanning = SPANNING.iter().find(|(spanning, _)| *spanning == name);
    let lengths = match spanning {
        Some((_, least)) => *least..=segments.len(),
        None => 1..=1.min(segments.len()),
    };
    for length in lengths {
        let kept = found.len();
        found.push((name.to_owned(), segments[..length].join("/")));
        if fit(rest, &segments[length..], found) {
            return true;
        }
        found.truncate(kept);
    }
    false
}

/// All operations of all fixtures.
pub fn operations() -> Vec<Operation> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/openapi");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let definitions = Rc::new(text["definitions"].as_object().unwrap().clone());
        for (template, methods) in text["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                all.push(Operation {
                    id: format!("{stem}/{}", operation["operationId"].as_str().unwrap()),
                    method: method.to_uppercase().parse().unwrap(),
                    template: template.trim_matches('/').split('/').map(str::to_owned).collect(),
                    parameters: operation["parameters"].as_array().unwrap().clone(),
                    responses: operation["responses"].as_object().unwrap().clone(),
                    long_running: operation["x-ms-long-running-operation"] == true,
                    version: text["info"]["version"].as_str().unwrap().to_owned(),
                    definitions: Rc::clone(&definitions),
                });
            }
        }
    }
    all
}

/// The operation that a request is, with the parameters of its path. Of several, the one that says most of the path.
pub fn find<'a>(
    operations: &'a [Operation],
    method: &Method,
    path: &str,
) -> Option<(&'a Operation, Vec<(String, String)>)> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let of_method = operations.iter().filter(|operation| operation.method == *method);
    let fitting = of_method.filter_map(|operation| Some((operation, operation.place(&segments)?)));
    fitting.max_by_key(|(operation, _)| operation.literal_segments())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(method: &Method, path: &str) -> Option<String> {
        let operations = operations();
        find(&operations, method, path).map(|(operation, _)| operation.id.clone())
    }

    #[test]
    fn a_path_is_found_whatever_its_case_and_however_deep_its_scope() {
        let zone = "/subscriptions/s/resourcegroups/g/providers/microsoft.network/DNSZONES/z";
        assert_eq!(id(&Method::GET, &format!("{zone}/CNAME/api")).as_deref(), Some("dns/RecordSets_Get"));
        assert_eq!(id(&Method::POST, &format!("{zone}/CNAME/api")), None);
        let health = "/providers/Microsoft.ResourceHealth/availabilityStatuses/current";
        let wanted = Some("resourcehealth/AvailabilityStatuses_GetByResource");
        assert_eq!(id(&Method::GET, &format!("{zone}{health}")).as_deref(), wanted);
        let locks = "providers/Microsoft.Authorization/locks";
        let of_zone = id(&Method::GET, &format!("{zone}/{locks}"));
        assert_eq!(of_zone.as_deref(), Some("locks/ManagementLocks_ListAtResourceLevel"));
        let of_subscription = id(&Method::GET, &format!("/subscriptions/s/{locks}"));
        assert_eq!(of_subscription.as_deref(), Some("locks/ManagementLocks_ListAtSubscriptionLevel"));
        assert_eq!(id(&Method::GET, "/subscriptions/s/nothing"), None);
    }
}
