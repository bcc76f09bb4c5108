//! Who an access token names. Reads the token's own claims, asks nobody, and keeps nothing of it.

use serde_json::Value;

use super::ready_token::claims;

/// Whom a token was given to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// A person's sign-in name; of an application its id, else that of its principal.
    pub name: String,
    /// False: an application, behind which anybody may stand.
    pub is_person: bool,
    /// An identity provider gave the token to this process. False: it lay ready, and whoever put it there may have
    /// written it.
    pub verified: bool,
}

/// None: the token is opaque, or says nothing of whom it is for.
pub(super) fn of_token(token: &str, verified: bool) -> Option<Account> {
    let claims = claims(token)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let account = |name: &str, is_person| Account { name: name.to_owned(), is_person, verified };
    // Of an application that acts by itself; https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference.
    let is_application = text("idtyp") == Some("app");
    let person = text("upn").or_else(|| text("unique_name")).or_else(|| text("preferred_username"));
    match person.filter(|_| !is_application) {
        Some(name) => Some(account(name, true)),
        None => text("appid").or_else(|| text("azp")).or_else(|| text("oid")).map(|name| account(name, false)),
    }
}

#[cfg(test)]
mod tests {
    use azure_core::base64::encode_url_safe;
    use serde_json::json;

    use super::*;

    fn told(claims: &Value) -> Option<(String, bool)> {
        let token = format!("{}.{}.x", encode_url_safe("{}"), encode_url_safe(claims.to_string()));
        of_token(&token, true).map(|account| (account.name, account.is_person))
    }

    #[test]
    fn a_person_is_named_by_the_sign_in_name_and_an_application_by_its_id() {
        let dana = json!({ "upn": "dana@contoso.com", "appid": "cli", "oid": "1" });
        assert_eq!(told(&dana), Some(("dana@contoso.com".to_owned(), true)));
        assert_eq!(told(&json!({ "unique_name": "dana@live.com" })), Some(("dana@live.com".to_owned(), true)));
        assert_eq!(told(&json!({ "appid": "a1", "oid": "1" })), Some(("a1".to_owned(), false)));
        assert_eq!(told(&json!({ "oid": "1" })), Some(("1".to_owned(), false)));
        assert_eq!(told(&json!({ "aud": "x" })), None);
        assert_eq!(of_token("opaque", true), None);
    }
}
