//! Who did something, and whether two are one. Pure.

use serde::{Deserialize, Serialize};

/// Who did something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Operating-system user, or `simulated operator`.
    pub name: String,
    pub host: String,
    /// The account is what an identity provider said. False: the name is what the operating system said and nobody
    /// checked it.
    #[serde(default)]
    pub verified: bool,
    /// The simulator's stand-in, never a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
    /// Who the access token says it is: `dana@contoso.com`. None: it could not be had, or names an application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

impl Person {
    /// Whether two are one person, as far as can be told: by their accounts where a token told both, else by their users.
    /// A doubt counts as yes.
    pub fn is_same(&self, other: &Self) -> bool {
        if self.simulated != other.simulated {
            return false;
        }
        match (&self.account, &other.account) {
            (Some(one), Some(two)) if self.verified && other.verified => one.eq_ignore_ascii_case(two),
            (one, two) => {
                let account = one.as_ref().zip(two.as_ref()).is_some_and(|(one, two)| one.eq_ignore_ascii_case(two));
                account || self.name.eq_ignore_ascii_case(&other.name)
            }
        }
    }

    /// The account that a token told, else the user.
    pub fn shown(&self) -> &str {
        self.account.as_deref().unwrap_or(&self.name)
    }

    /// By either name.
    pub fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name) || self.account.as_ref().is_some_and(|it| it.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str) -> Person {
        Person { name: name.into(), host: "here".into(), ..Person::default() }
    }

    #[test]
    fn people_are_told_apart_by_their_accounts_where_a_token_told_them() {
        let of = |name: &str, account: &str| Person { account: Some(account.into()), verified: true, ..person(name) };
        assert!(!of("azureuser", "ann@contoso.com").is_same(&of("azureuser", "bob@contoso.com")));
        assert!(of("ann", "ann@contoso.com").is_same(&of("root", "Ann@contoso.com")));
        // One of them is only known as a user.
        assert!(of("ann", "ann@contoso.com").is_same(&person("ann")));
        assert!(!of("ann", "ann@contoso.com").is_same(&person("bob")));
    }
}
