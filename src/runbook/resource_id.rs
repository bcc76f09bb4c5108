//! Azure resource ids: `/subscriptions/{s}/resourceGroups/{g}/providers/{namespace}/{type}/{name}[/{type}/{name}…]`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A resource id, kept as it was written; compared without regard to case, as ARM does.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceId {
    text: String,
    subscription: String,
    group: String,
    kind: String,
    name: String,
}

impl ResourceId {
    /// # Errors
    /// A lower-case fragment that says which part is missing.
    pub fn parse(text: &str) -> Result<Self, String> {
        const FORM: &str = "write `/subscriptions/…/resourceGroups/…/providers/Namespace/type/name`";
        let wrong = |what: &str| format!("`{text}` is not a resource id: {what}; {FORM}");
        let parts: Vec<&str> = text.strip_prefix('/').ok_or_else(|| wrong("no leading slash"))?.split('/').collect();
        if parts.iter().any(|part| {
            part.is_empty() || part.contains(|c: char| c.is_whitespace() || c.is_control() || "?#%\\".contains(c))
        }) {
            return Err(wrong("a segment is empty or holds a character that ids do not have"));
        }
        if parts.iter().any(|part| *part == "." || *part == "..") {
            return Err(wrong("a segment is a dot"));
        }
        let [subscriptions, subscription, groups, group, providers, namespace, rest @ ..] = parts.as_slice() else {
            return Err(wrong("too short"));
        };
        let fixed = [(subscriptions, "subscriptions"), (groups, "resourceGroups"), (providers, "providers")];
        for (found, expected) in fixed {
            if !found.eq_ignore_ascii_case(expected) {
                return Err(wrong(&format!("`{expected}` expected where `{found}` stands")));
            }
        }
        let (true, Some(name)) = (rest.len() % 2 == 0, rest.last()) else {
            return Err(wrong("types and names do not come in pairs"));
        };
        let types: Vec<&str> = rest.iter().step_by(2).copied().collect();
        Ok(Self {
            text: text.to_owned(),
            subscription: (*subscription).to_owned(),
            group: (*group).to_owned(),
            kind: format!("{namespace}/{}", types.join("/")),
            name: (*name).to_owned(),
        })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn subscription(&self) -> &str {
        &self.subscription
    }

    /// Resource group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// `Namespace/type[/type…]`, as written.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The last name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn is_of(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
    }

    /// One text for ids that ARM takes for equal; for locks and comparisons, never for requests.
    pub fn folded(&self) -> String {
        self.text.to_ascii_lowercase()
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.text.eq_ignore_ascii_case(&other.text)
    }
}

impl Eq for ResourceId {}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl TryFrom<String> for ResourceId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<ResourceId> for String {
    fn from(id: ResourceId) -> Self {
        id.text
    }
}
