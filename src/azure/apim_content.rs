//! What a service holds and a restore brings: names of APIs, products, subscriptions and named values. And its workspaces,
//! with any of which it can be neither backed up nor restored. Names only: never a key, a value or a policy.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use crate::runbook::ResourceId;

use super::{Arm, AzureError, apim::API_VERSION, paged};

/// A kind of what a service holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentKind {
    Apis,
    Products,
    Subscriptions,
    NamedValues,
}

impl ContentKind {
    pub const ALL: [Self; 4] = [Self::Apis, Self::Products, Self::Subscriptions, Self::NamedValues];

    /// Below the service, as ARM writes it.
    fn path(self) -> &'static str {
        match self {
            Self::Apis => "apis",
            Self::Products => "products",
            Self::Subscriptions => "subscriptions",
            Self::NamedValues => "namedValues",
        }
    }
}

/// `APIs`, `named values`: for people, in the plural.
impl fmt::Display for ContentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Apis => "APIs",
            Self::Products => "products",
            Self::Subscriptions => "subscriptions",
            Self::NamedValues => "named values",
        })
    }
}

/// Names of everything that a service holds, each list in the order of its names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentNames {
    pub apis: Vec<String>,
    pub products: Vec<String>,
    pub subscriptions: Vec<String>,
    pub named_values: Vec<String>,
}

/// Where two services differ in one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentDifference {
    pub kind: ContentKind,
    /// Names that only the first has.
    pub only_first: Vec<String>,
    /// Names that only the second has.
    pub only_second: Vec<String>,
}

impl ContentNames {
    pub fn of(&self, kind: ContentKind) -> &[String] {
        match kind {
            ContentKind::Apis => &self.apis,
            ContentKind::Products => &self.products,
            ContentKind::Subscriptions => &self.subscriptions,
            ContentKind::NamedValues => &self.named_values,
        }
    }

    /// The kinds in which `self` and `other` differ; none when they hold the same. Azure does not mind the case of names.
    pub fn diff(&self, other: &Self) -> Vec<ContentDifference> {
        let differences = ContentKind::ALL.into_iter().map(|kind| ContentDifference {
            kind,
            only_first: missing_from(self.of(kind), other.of(kind)),
            only_second: missing_from(other.of(kind), self.of(kind)),
        });
        differences.filter(|one| !one.only_first.is_empty() || !one.only_second.is_empty()).collect()
    }
}

/// Names of `whole` that `part` has not.
fn missing_from(whole: &[String], part: &[String]) -> Vec<String> {
    let there: BTreeSet<String> = part.iter().map(|name| name.to_ascii_lowercase()).collect();
    whole.iter().filter(|name| !there.contains(&name.to_ascii_lowercase())).cloned().collect()
}

/// Names of everything that a service holds. Four lists at the same time.
pub async fn list_content(arm: &Arm, id: &ResourceId) -> Result<ContentNames, AzureError> {
    let (apis, products, subscriptions, named_values) = tokio::try_join!(
        list_names(arm, id, ContentKind::Apis),
        list_names(arm, id, ContentKind::Products),
        list_names(arm, id, ContentKind::Subscriptions),
        list_names(arm, id, ContentKind::NamedValues),
    )?;
    Ok(ContentNames { apis, products, subscriptions, named_values })
}

/// Names of one kind, in their order.
pub async fn list_names(arm: &Arm, id: &ResourceId, kind: ContentKind) -> Result<Vec<String>, AzureError> {
    names(arm, id, kind.path(), &format!("the list of {kind}")).await
}

/// Names of the workspaces; a service with any cannot be backed up or restored. Empty where the tier has none.
pub async fn list_workspaces(arm: &Arm, id: &ResourceId) -> Result<Vec<String>, AzureError> {
    match names(arm, id, "workspaces", "the list of workspaces").await {
        Err(error) if error.code.as_deref() == Some("MethodNotAllowedInPricingTier") => Ok(Vec::new()),
        answer => answer,
    }
}

async fn names(arm: &Arm, id: &ResourceId, path: &str, what: &str) -> Result<Vec<String>, AzureError> {
    #[derive(Deserialize)]
    struct Named {
        name: Option<String>,
    }
    let found: Vec<Named> = paged::list(arm, arm.url(id, &format!("/{path}"), API_VERSION), what).await?;
    let mut names: Vec<String> = found.into_iter().filter_map(|one| one.name).collect();
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn differences_are_told_by_kind_and_without_regard_to_case() {
        let one = ContentNames { apis: texts(&["a", "Orders"]), products: texts(&["p"]), ..ContentNames::default() };
        let other = ContentNames { apis: texts(&["b", "orders"]), products: texts(&["P"]), ..ContentNames::default() };
        assert_eq!(one.diff(&one), []);
        let expected =
            ContentDifference { kind: ContentKind::Apis, only_first: texts(&["a"]), only_second: texts(&["b"]) };
        assert_eq!(one.diff(&other), [expected]);
    }
}
