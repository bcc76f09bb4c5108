//! Who did something, and whether two are one. Pure.

use serde::{Deserialize, Serialize};

use super::approval::public_key;

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
    /// The public half of the key that this person signs with, in base64, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Person {
    /// Whether two are one person: with one key, with one account where a token told both, else with one user. What only
    /// one of them has tells nothing: see [`Self::is_told_apart`].
    pub fn is_same(&self, other: &Self) -> bool {
        if self.simulated != other.simulated {
            return false;
        }
        let keys = self.public_key().zip(other.public_key());
        if keys.is_some_and(|(one, two)| one == two) {
            return true;
        }
        match (&self.account, &other.account) {
            (Some(one), Some(two)) if self.verified && other.verified => one.eq_ignore_ascii_case(two),
            (one, two) => {
                let account = one.as_ref().zip(two.as_ref()).is_some_and(|(one, two)| one.eq_ignore_ascii_case(two));
                account || self.name.eq_ignore_ascii_case(&other.name)
            }
        }
    }

    /// Two that are not the same are so for certain: a token told both accounts, or both have a key.
    pub fn is_told_apart(&self, other: &Self) -> bool {
        let by_tokens = self.verified && other.verified && self.account.is_some() && other.account.is_some();
        by_tokens || self.key.is_some() && other.key.is_some()
    }

    fn public_key(&self) -> Option<Vec<u8>> {
        public_key(self.key.as_deref()?).ok()
    }

    /// The account that a token told, else the user.
    pub fn shown(&self) -> &str {
        self.account.as_deref().unwrap_or(&self.name)
    }

    /// By either name.
    pub fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name) || self.account.as_ref().is_some_and(|it| it.eq_ignore_ascii_case(name))
    }

    /// By either name, or by what stands before the `@` of the account.
    pub fn may_be_called(&self, name: &str) -> bool {
        let short = self.account.as_deref().and_then(|account| account.split('@').next());
        self.is_called(name) || short.is_some_and(|short| short.eq_ignore_ascii_case(name))
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
        assert!(!of("ann", "ann@contoso.com").is_told_apart(&person("bob")));
        assert!(of("ann", "ann@contoso.com").is_told_apart(&of("bob", "bob@contoso.com")));
    }

    #[test]
    fn one_key_is_one_person_in_whichever_form_it_is_written() {
        let with = |name: &str, key: &str| Person { key: Some(key.into()), ..person(name) };
        let der = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let bare = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        assert!(with("ann", der).is_same(&with("bob", bare)));
        assert!(!with("ann", der).is_same(&person("bob")));
        let dana = Person { account: Some("dana@contoso.com".into()), ..person("azureuser") };
        assert!(dana.may_be_called("Dana") && !dana.is_called("dana") && !dana.may_be_called("dan"));
    }
}
