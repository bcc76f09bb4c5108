//! Secrets by reference, and the ready access token: the break-glass path when the identity provider is down.
//!
//! Never keeps what it reads.

use azure_core::base64;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::site::SecretReference;

use super::{AzureError, AzureErrorKind, Environment};

/// Read anew every time, without the white space around it. Where there are several, one a line, the one for `scope`: a
/// token is for the resource manager or for storage, never for both.
pub(super) fn read(
    reference: &SecretReference,
    environment: &Environment,
    scope: &str,
) -> Result<SecretString, AzureError> {
    let text = read_text(reference, environment, WHAT)?;
    let tokens: Vec<&str> = text.expose_secret().split_whitespace().collect();
    if tokens.len() == 1 || !tokens.iter().all(|token| claims(token).is_some()) {
        return read_secret(reference, environment, WHAT);
    }
    let wanted = audience(scope);
    let fits = |token: &&&str| {
        claims(token).and_then(|claims| Some(audience(claims.get("aud")?.as_str()?))).is_some_and(|aud| aud == wanted)
    };
    tokens.iter().find(fits).map(|token| (**token).to_owned().into()).ok_or_else(|| {
        unusable(
            format!("none of the access tokens in {} is for {wanted}", place(reference)),
            format!("add the one that `az account get-access-token --scope {scope} --query accessToken -o tsv` prints"),
        )
    })
}

/// [`read`], where another credential may take over: a token that has ended is none.
pub(super) fn read_valid(
    reference: &SecretReference,
    environment: &Environment,
    scope: &str,
    now: Timestamp,
) -> Result<SecretString, AzureError> {
    let token = read(reference, environment, scope)?;
    match end(token.expose_secret()) {
        Some(end) if end <= now => Err(unusable(
            format!("the access token in {} ended at {end}", place(reference)),
            "put a new one there".to_owned(),
        )),
        Some(_) | None => Ok(token),
    }
}

const WHAT: &str = "the access token";

/// What a token is for, in one spelling: the resource manager has an older name, and each has an id of its application.
fn audience(text: &str) -> String {
    const SAME: [(&str, &str); 6] = [
        ("https://management.core.windows.net", "https://management.azure.com"),
        ("https://management.core.usgovcloudapi.net", "https://management.usgovcloudapi.net"),
        ("https://management.core.chinacloudapi.cn", "https://management.chinacloudapi.cn"),
        ("797f4846-ba00-4fd7-ba43-dac1f8f63013", "https://management.azure.com"),
        ("e406a681-f3d4-42a8-90b6-c2b029497af1", "https://storage.azure.com"),
        ("cfa8b339-82a2-471a-a3c9-0fc0be7a4093", "https://vault.azure.net"),
    ];
    let bare = text.strip_suffix("/.default").unwrap_or(text).trim_end_matches('/').to_ascii_lowercase();
    SAME.iter().find(|(other, _)| *other == bare).map_or(bare, |(_, name)| (*name).to_owned())
}

/// One line. `what`: `the client secret`.
pub fn read_secret(
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
pub fn read_text(
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
    let text = read_text(reference, environment, WHAT).ok();
    let tokens = text.iter().flat_map(|text| text.expose_secret().split_whitespace());
    // Of several, the one that ends first.
    match tokens.filter_map(end).min() {
        Some(end) if end <= now => format!("the access token in {place} ended at {end}; put a new one there"),
        Some(end) => format!(
            "the access token in {place} is valid until {end}; check that it is for this cloud and tenant, and for what was \
             asked: the resource manager and storage take one of their own each, one a line"
        ),
        None => format!("put a new access token into {place}"),
    }
}

/// Of a JSON web token. None for every other token.
pub(super) fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    serde_json::from_slice(&base64::decode_url_safe(payload).ok()?).ok()
}

/// `exp`.
fn end(token: &str) -> Option<Timestamp> {
    Timestamp::from_second(claims(token)?.get("exp")?.as_i64()?).ok()
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
        let scope = "https://management.azure.com/.default";
        read(&SecretReference::Env("T".to_owned()), &environment(token), scope)
            .map(|token| token.expose_secret().to_owned())
    }

    #[test]
    fn a_token_is_trimmed_and_must_be_one_line() {
        assert_eq!(of(" abc\n").unwrap(), "abc");
        assert!(of("{\n\"accessToken\": \"abc\"\n}").unwrap_err().message.contains("not one line"));
        assert!(of("").unwrap_err().hint.unwrap().contains('T'));
        assert!(of("  ").unwrap_err().message.contains("empty"));
    }

    fn token(aud: &str) -> String {
        format!("e30.{}.c2ln", base64::encode_url_safe(format!(r#"{{"aud":"{aud}","exp":1790000000}}"#)))
    }

    #[test]
    fn of_several_tokens_each_scope_gets_its_own() {
        let (manager, storage) = (token("https://management.core.windows.net/"), token("https://storage.azure.com"));
        let environment = environment(&format!("{manager}\n{storage}\n"));
        let of = |scope: &str| {
            let read = read(&SecretReference::Env("T".to_owned()), &environment, scope);
            read.map(|token| token.expose_secret().to_owned())
        };
        assert_eq!(of("https://management.azure.com/.default").unwrap(), manager);
        assert_eq!(of("https://storage.azure.com/.default").unwrap(), storage);
        let missing = of("https://vault.azure.net/.default").unwrap_err();
        assert!(missing.message.ends_with("is for https://vault.azure.net"), "{missing}");
        assert!(missing.hint.unwrap().contains("az account get-access-token --scope https://vault.azure.net/.default"));
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
