//! Who did something, and whether two are one. Pure.

use std::collections::BTreeMap;

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
    /// Whether two are one person. `trusted`: name → public key, from the site. By the names under which it trusts their keys,
    /// where it trusts both; else by their accounts, where a token told both; else one key, account or user makes them one.
    /// What only one of them has tells nothing: see [`Self::is_told_apart`].
    pub fn is_same(&self, other: &Self, trusted: &BTreeMap<String, String>) -> bool {
        if self.simulated != other.simulated {
            return false;
        }
        if let Some((one, two)) = self.signer(trusted).zip(other.signer(trusted)) {
            return one == two;
        }
        let account = self.account.as_ref().zip(other.account.as_ref());
        let account = account.map(|(one, two)| one.eq_ignore_ascii_case(two));
        if self.verified
            && other.verified
            && let Some(same) = account
        {
            return same;
        }
        let key = self.public_key().zip(other.public_key()).is_some_and(|(one, two)| one == two);
        key || account == Some(true) || self.name.eq_ignore_ascii_case(&other.name)
    }

    /// Two that are not the same are so for certain: the site trusts the keys of both, or a token told both accounts.
    pub fn is_told_apart(&self, other: &Self, trusted: &BTreeMap<String, String>) -> bool {
        let by_tokens = self.verified && other.verified && self.account.is_some() && other.account.is_some();
        by_tokens || self.signer(trusted).is_some() && other.signer(trusted).is_some()
    }

    /// The name under which the site trusts the key.
    pub fn signer<'a>(&self, trusted: &'a BTreeMap<String, String>) -> Option<&'a str> {
        let key = self.public_key()?;
        let is_it = |(_, known): &(&String, &String)| public_key(known).is_ok_and(|known| known == key);
        trusted.iter().find(is_it).map(|(name, _)| name.as_str())
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

    const DER: &str = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    const BARE: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    const OTHER: &str = "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=";

    fn same(one: &Person, two: &Person) -> bool {
        one.is_same(two, &BTreeMap::new())
    }

    #[test]
    fn people_are_told_apart_by_their_accounts_where_a_token_told_them() {
        let of = |name: &str, account: &str| Person { account: Some(account.into()), verified: true, ..person(name) };
        assert!(!same(&of("azureuser", "ann@contoso.com"), &of("azureuser", "bob@contoso.com")));
        assert!(same(&of("ann", "ann@contoso.com"), &of("root", "Ann@contoso.com")));
        // One of them is only known as a user.
        assert!(same(&of("ann", "ann@contoso.com"), &person("ann")));
        assert!(!same(&of("ann", "ann@contoso.com"), &person("bob")));
        let told_apart = |one: &Person, two: &Person| one.is_told_apart(two, &BTreeMap::new());
        assert!(!told_apart(&of("ann", "ann@contoso.com"), &person("bob")));
        assert!(told_apart(&of("ann", "ann@contoso.com"), &of("bob", "bob@contoso.com")));
        // A key that several use on one machine says less than two tokens.
        let with_key = |person: Person| Person { key: Some(DER.into()), ..person };
        assert!(!same(&with_key(of("u", "ann@contoso.com")), &with_key(of("u", "bob@contoso.com"))));
        let dana = Person { account: Some("dana@contoso.com".into()), ..person("azureuser") };
        assert!(dana.may_be_called("Dana") && !dana.is_called("dana") && !dana.may_be_called("dan"));
    }

    #[test]
    fn one_key_is_one_person_and_two_that_the_site_trusts_are_two() {
        let with = |name: &str, key: &str| Person { key: Some(key.into()), ..person(name) };
        assert!(same(&with("ann", DER), &with("bob", BARE)), "in whichever form it is written");
        assert!(!same(&with("ann", DER), &person("bob")));
        let trusted = BTreeMap::from([("ann".to_owned(), BARE.to_owned()), ("bob".to_owned(), OTHER.to_owned())]);
        let (ann, bob) = (with("azureuser", DER), with("azureuser", OTHER));
        assert!(!ann.is_same(&bob, &trusted) && ann.is_told_apart(&bob, &trusted), "although they share a user");
        assert!(same(&ann, &bob), "keys that nobody trusts decide nothing");
        assert!(ann.is_same(&with("carol", BARE), &trusted));
        assert!(bob.is_same(&person("azureuser"), &trusted), "one of them has none");
    }
}
