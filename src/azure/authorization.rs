//! Microsoft.Authorization: what the credential may do, what is locked, and which roles an identity holds.

use serde::Deserialize;

use super::{Arm, AzureError, paged};

/// Of permissions, role assignments and role definitions.
pub const API_VERSION: &str = "2022-04-01";
/// Of locks.
pub const LOCKS_API_VERSION: &str = "2020-05-01";

/// One entry of what somebody may do: what `actions` allow and `not_actions` do not take away again. Several entries add
/// up; what one takes away another may give (azure-facts 4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Permission {
    pub actions: Vec<String>,
    pub not_actions: Vec<String>,
    pub data_actions: Vec<String>,
    pub not_data_actions: Vec<String>,
}

impl Permission {
    /// Whether this entry allows `action`. Deny assignments are not in it.
    pub fn allows(&self, action: &str, data: bool) -> bool {
        let (given, taken) =
            if data { (&self.data_actions, &self.not_data_actions) } else { (&self.actions, &self.not_actions) };
        let holds = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, action));
        holds(given) && !holds(taken)
    }
}

/// Azure's wildcard: `*` stands for anything, also for nothing. Case does not count.
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| action.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// A lock that holds at a scope, wherever it was put.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    pub name: String,
    /// `ReadOnly`, `CanNotDelete`: open.
    pub level: String,
}

/// A role that an identity holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleAssignment {
    /// Id of the role's definition, which ends in a GUID that is the same in every tenant for built-in roles.
    pub definition: String,
    /// Where it was given.
    pub scope: String,
}

/// What the credential may do at `scope`: a resource, a group or a subscription, beginning with a slash.
pub async fn permissions(arm: &Arm, scope: &str) -> Result<Vec<Permission>, AzureError> {
    let url = arm.path_url(&format!("{scope}/providers/Microsoft.Authorization/permissions"), API_VERSION);
    paged::list(arm, url, "the list of permissions").await
}

/// Locks at `scope` itself and what is below it; those above are at the scopes above.
pub async fn locks(arm: &Arm, scope: &str) -> Result<Vec<Lock>, AzureError> {
    #[derive(Deserialize)]
    struct Properties {
        level: Option<String>,
    }
    #[derive(Deserialize)]
    struct Entry {
        id: Option<String>,
        name: Option<String>,
        properties: Option<Properties>,
    }
    let url = arm.path_url(&format!("{scope}/providers/Microsoft.Authorization/locks"), LOCKS_API_VERSION);
    let entries: Vec<Entry> = paged::list(arm, url, "the list of locks").await?;
    // What is below does not hold here.
    let here = |entry: &Entry| {
        entry
            .id
            .as_deref()
            .and_then(|id| id.to_ascii_lowercase().find("/providers/microsoft.authorization/locks/"))
            .is_none_or(|end| entry.id.as_deref().is_some_and(|id| id[..end].eq_ignore_ascii_case(scope)))
    };
    let lock = |entry: Entry| {
        let level = entry.properties.and_then(|properties| properties.level).unwrap_or_default();
        Lock { name: entry.name.unwrap_or_default(), level }
    };
    Ok(entries.into_iter().filter(here).map(lock).collect())
}

/// Roles that hold at `scope` for a principal, also through groups it is in: given there or above.
pub async fn roles_of(arm: &Arm, scope: &str, principal: &str) -> Result<Vec<RoleAssignment>, AzureError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Properties {
        role_definition_id: Option<String>,
        scope: Option<String>,
    }
    #[derive(Deserialize)]
    struct Entry {
        properties: Option<Properties>,
    }
    let mut url = arm.path_url(&format!("{scope}/providers/Microsoft.Authorization/roleAssignments"), API_VERSION);
    url.query_pairs_mut().append_pair("$filter", &format!("assignedTo('{principal}')"));
    let entries: Vec<Entry> = paged::list(arm, url, "the list of role assignments").await?;
    let holds = |assignment: &RoleAssignment| {
        let (given, here) = (assignment.scope.to_ascii_lowercase(), scope.to_ascii_lowercase());
        // A management group or the tenant's root stands above every subscription.
        let above = given == "/" || given.starts_with("/providers/microsoft.management/");
        above || here.strip_prefix(&given).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let assignment = |entry: Entry| {
        let properties = entry.properties?;
        Some(RoleAssignment { definition: properties.role_definition_id?, scope: properties.scope? })
    };
    Ok(entries.into_iter().filter_map(assignment).filter(holds).collect())
}

/// What a role allows.
pub async fn role_permissions(arm: &Arm, definition: &str) -> Result<Vec<Permission>, AzureError> {
    #[derive(Deserialize)]
    struct Properties {
        permissions: Option<Vec<Permission>>,
    }
    #[derive(Deserialize)]
    struct Definition {
        properties: Option<Properties>,
    }
    let found: Definition = arm.get(arm.path_url(definition, API_VERSION)).await?.read("the role definition")?;
    Ok(found.properties.and_then(|properties| properties.permissions).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        const READ: &str = "Microsoft.ApiManagement/service/read";
        for (pattern, action, holds) in [
            ("*", READ, true),
            ("*/read", READ, true),
            ("microsoft.apimanagement/SERVICE/read", READ, true),
            ("Microsoft.ApiManagement/*", READ, true),
            ("Microsoft.ApiManagement/*/read", READ, true),
            ("Microsoft.*/service/*", READ, true),
            ("Microsoft.ApiManagement/service", READ, false),
            ("*/write", READ, false),
            ("Microsoft.Storage/*", READ, false),
            ("Microsoft.ApiManagement/service/read/*", READ, false),
            ("", READ, false),
        ] {
            assert_eq!(matches(pattern, action), holds, "{pattern}");
        }
    }

    #[test]
    fn what_an_entry_takes_away_it_does_not_give() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let entry = Permission {
            actions: texts(&["*"]),
            not_actions: texts(&["Microsoft.Network/*/write"]),
            data_actions: Vec::new(),
            not_data_actions: Vec::new(),
        };
        assert!(entry.allows("Microsoft.Network/dnsZones/CNAME/read", false));
        assert!(!entry.allows("Microsoft.Network/dnsZones/CNAME/write", false));
        assert!(!entry.allows("Microsoft.Network/dnsZones/CNAME/read", true));
    }
}
