//! Secrets by reference, and the ready access token: the break-glass path when the identity provider is down.
//!
//! Never keeps what it reads.

use azure_core::base64;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::site::SecretReference;

use super::{AzureError, AzureErrorKind, Environment};

/// Read anew every time, without the white space around it.
pub(super) fn read(reference: &SecretReference, environment: &Environment) -> Result<SecretString, AzureError> {
    read_secret(reference, environment, "the access token")
}

/// One line. `what`: `the client secret`.
pub(super) fn read_secret(
    reference: &SecretReference,
    environment: &Environment,
    what: &str,
) -> Result<SecretString, AzureError> {
    let text = read_text(reference, environment, what)?;
    if text.expose_secret().contains(|c: char| c.is_control() || !c.is_ascii()) {
        return Err(unusable(
            format!("{what} in {} is not one line of ASCII", place(reference)),
            "store the bare value, without quotes or JSON around it".to_owned(),
        ));
    }
    Ok(text)
}

/// Several lines, without the white space around them.
pub(super) fn read_text(
    reference: &SecretReference,
    environment: &Environment,
    what: &str,
) -> Result<SecretString, AzureError> {
    let text = match reference {
        SecretReference::Env(name) => environment
            .get(name)
            .ok_or_else(|| unusable(format!("{what} is not in the environment"), format!("set the variable {name}")))?,
        SecretReference::File(path) => std::fs::read_to_string(path).map_err(|error| {
            unusable(
                format!("{what} cannot be read from {}: {error}", path.display()),
                "check that the file exists, is text, and that you may read it".to_owned(),
            )
        })?,
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(unusable(format!("{what} is empty"), format!("put it into {}", place(reference))));
    }
    Ok(text.to_owned().into())
}

fn unusable(message: String, hint: String) -> AzureError {
    AzureError { hint: Some(hint), ..AzureError::new(AzureErrorKind::Credential, message) }
}

/// What to do when Azure refuses the ready token.
pub(super) fn why_refused(reference: &SecretReference, environment: &Environment, now: Timestamp) -> String {
    let place = place(reference);
    let end = read(reference, environment).ok().and_then(|token| end(&token));
    match end {
        Some(end) if end <= now => format!("the access token in {place} ended at {end}; put a new one there"),
        Some(end) => format!(
            "the access token in {place} is valid until {end}; check that it is for this cloud's resource manager and tenant"
        ),
        None => format!("put a new access token into {place}"),
    }
}

/// `exp` of a JSON web token. None for every other token.
fn end(token: &SecretString) -> Option<Timestamp> {
    let payload = token.expose_secret().split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&base64::decode_url_safe(payload).ok()?).ok()?;
    Timestamp::from_second(claims.get("exp")?.as_i64()?).ok()
}

fn place(reference: &SecretReference) -> String {
    match reference {
        SecretReference::Env(name) => format!("the variable {name}"),
        SecretReference::File(path) => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(token: &str) -> Environment {
        Environment::of([("T".to_owned(), token.to_owned())])
    }

    fn of(token: &str) -> Result<String, AzureError> {
        read(&SecretReference::Env("T".to_owned()), &environment(token)).map(|token| token.expose_secret().to_owned())
    }

    #[test]
    fn a_token_is_trimmed_and_must_be_one_line() {
        assert_eq!(of(" abc\n").unwrap(), "abc");
        assert!(of("{\n\"accessToken\": \"abc\"\n}").unwrap_err().message.contains("not one line"));
        assert!(of("").unwrap_err().hint.unwrap().contains('T'));
        assert!(of("  ").unwrap_err().message.contains("empty"));
    }

    #[test]
    fn the_end_of_a_json_web_token_is_told_when_it_is_refused() {
        let payload = base64::encode_url_safe(br#"{"aud":"x","exp":1790000000}"#);
        let environment = environment(&format!("e30.{payload}.c2ln"));
        let reference = SecretReference::Env("T".to_owned());
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(why_refused(&reference, &environment, at(1_790_000_001)).contains("ended at 2026-09-21T14:13:20Z"));
        assert!(why_refused(&reference, &environment, at(1_789_999_999)).contains("is valid until"));
    }
}
