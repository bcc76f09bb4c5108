//! What services hold, in words and as outputs: `2 APIs (orders, payments), 1 product (partners)`. Pure.

use serde_json::{Map, Value, json};

use crate::azure::apim_content::{ContentDifference, ContentKind, ContentNames};

/// Names of one kind that a sentence lists; all of them are in the outputs.
const MOST_NAMED: usize = 5;

/// `{ "apis": 3, … }`
pub fn counts(content: &ContentNames) -> Value {
    ContentKind::ALL.into_iter().map(|kind| (key(kind), json!(content.of(kind).len()))).collect::<Map<_, _>>().into()
}

/// `3 APIs, 2 products, 4 subscriptions, 3 named values`
pub fn counted(content: &ContentNames) -> String {
    ContentKind::ALL.map(|kind| format!("{} {kind}", content.of(kind).len())).join(", ")
}

/// Names by kind, the kinds without any left out.
pub fn by_kind(differences: &[ContentDifference], side: fn(&ContentDifference) -> &[String]) -> Value {
    let kinds = differences.iter().filter(|one| !side(one).is_empty());
    kinds.map(|one| (key(one.kind), json!(side(one)))).collect::<Map<_, _>>().into()
}

/// The same in words; empty when there are none.
pub fn told(differences: &[ContentDifference], side: fn(&ContentDifference) -> &[String]) -> String {
    let kinds = differences.iter().filter(|one| !side(one).is_empty());
    let words = kinds.map(|one| {
        let names = side(one);
        let more = names.len().saturating_sub(MOST_NAMED);
        let more = if more == 0 { String::new() } else { format!(", and {more} more") };
        format!("{} {} ({}{more})", names.len(), one.kind, names[..names.len().min(MOST_NAMED)].join(", "))
    });
    words.collect::<Vec<_>>().join(", ")
}

pub fn first(difference: &ContentDifference) -> &[String] {
    &difference.only_first
}

pub fn second(difference: &ContentDifference) -> &[String] {
    &difference.only_second
}

/// As manifests and outputs write it: `named_values`.
fn key(kind: ContentKind) -> String {
    let name = match kind {
        ContentKind::Apis => "apis",
        ContentKind::Products => "products",
        ContentKind::Subscriptions => "subscriptions",
        ContentKind::NamedValues => "named_values",
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_counted_and_the_first_are_named() {
        let names = |count: usize| (0..count).map(|place| format!("n{place}")).collect::<Vec<_>>();
        let (one, other) = (
            ContentNames { apis: names(7), products: names(1), ..ContentNames::default() },
            ContentNames { named_values: names(2), ..ContentNames::default() },
        );
        let differences = one.diff(&other);
        assert_eq!(told(&differences, first), "7 APIs (n0, n1, n2, n3, n4, and 2 more), 1 products (n0)");
        assert_eq!(by_kind(&differences, second), json!({ "named_values": ["n0", "n1"] }));
        assert_eq!(told(&one.diff(&one), first), "");
    }
}
