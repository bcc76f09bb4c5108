//! What can be known of a shared state without writing to it.

use http::StatusCode;
use jiff::Timestamp;

use super::{
    blob,
    open::{Access, Unusable, open},
};
use crate::{
    azure::read_secret,
    net::listing_refused,
    site::{Location, StateCredential},
};

/// What a store must let runs do, as a shared access signature writes it, and in words.
const NEEDED: [(char, &str); 4] = [('r', "read"), ('w', "write"), ('d', "delete"), ('l', "list")];

/// What a signature says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// What it does not allow, of what runs need. Empty: nothing is known to be missing.
    pub lacking: Vec<&'static str>,
    pub ends: Option<Timestamp>,
}

/// Opens the store and lists a page of it. Reads only.
///
/// # Errors
/// Why runs cannot be kept there as it is now, and what to do.
pub async fn look(location: &Location, credential: Option<&StateCredential>, access: &Access) -> Result<(), Unusable> {
    let store = open(location, credential, access)?;
    let prefix = object_store::path::Path::from(location.prefix());
    match store.list_with_delimiter(Some(&prefix)).await {
        Ok(_) => Ok(()),
        Err(error) => {
            let hint = match listing_refused(&error) {
                Some(StatusCode::NOT_FOUND) => "create the container or the bucket, in another region",
                Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                    "let the credential list, read and write there; in Azure: `Storage Blob Data Contributor` on the \
                     container"
                }
                Some(_) | None => "see that the store answers from here, or name another with --state",
            };
            Err(Unusable::new(format!("{location} cannot be listed: {}", reason(&error)), hint))
        }
    }
}

/// Of a shared access signature; of every other credential nothing is known from itself.
pub fn granted(credential: Option<&StateCredential>, access: &Access) -> Granted {
    match credential {
        Some(StateCredential::Sas(reference)) => {
            let text = read_secret(reference, &access.environment, "the shared access signature").ok();
            text.and_then(|text| blob::pairs(&text).ok()).map(|pairs| of_signature(&pairs)).unwrap_or_default()
        }
        Some(
            StateCredential::Site
            | StateCredential::AccountKey(_)
            | StateCredential::Aws(_)
            | StateCredential::Google(_),
        )
        | None => Granted::default(),
    }
}

fn of_signature(pairs: &[(String, String)]) -> Granted {
    let of = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    // A stored access policy may hold both instead.
    let lacking = of("sp")
        .map(|letters| NEEDED.iter().filter(|(letter, _)| !letters.contains(*letter)).map(|(_, word)| *word).collect());
    // A date alone is its midnight.
    let ends = of("se").and_then(|text| text.parse().or_else(|_| format!("{text}T00:00:00Z").parse()).ok());
    Granted { lacking: lacking.unwrap_or_default(), ends }
}

/// The last cause, which says what the store or the way to it said.
pub(super) fn reason(error: &object_store::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_says_what_it_allows_and_until_when() {
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let said = |pairs: &[(&str, &str)]| of_signature(&pairs.iter().copied().map(pair).collect::<Vec<_>>());
        let whole = said(&[("sp", "racwdl"), ("se", "2026-12-24T10:00:00Z"), ("sig", "x")]);
        assert_eq!(whole, Granted { lacking: vec![], ends: Some("2026-12-24T10:00:00Z".parse().unwrap()) });
        let reader = said(&[("sp", "rl"), ("se", "2026-12-24")]);
        assert_eq!(reader.lacking, ["write", "delete"]);
        assert_eq!(reader.ends, Some("2026-12-24T00:00:00Z".parse().unwrap()));
        assert_eq!(said(&[("si", "policy"), ("sig", "x")]), Granted::default());
    }
}
