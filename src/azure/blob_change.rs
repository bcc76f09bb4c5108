//! Writing and deleting blobs, under a condition wherever there is one.
//!
//! With a condition a call may be repeated: the first that arrives makes every other one fail the condition. Without one
//! it is sent at most once where it can have had an effect. Never appends, never copies, never touches a lease or a tier.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use secrecy::SecretString;
use url::Url;

use super::{
    AzureError, AzureErrorKind,
    blobs::{Blobs, malformed},
    exchange::{Call, Repeat},
};

/// Longest content that is written: a manifest of thousands of APIs is below 1 MiB.
pub const LONGEST_CONTENT: usize = 4 << 20;

/// What must hold of a blob for a change to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobCondition<'a> {
    /// There is no such blob yet (`If-None-Match: *`).
    Absent,
    /// It is as it was when it had this `ETag`, quoted or not (`If-Match`).
    Unchanged(&'a str),
    /// Whatever is there.
    None,
}

/// What a blob is to become.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlobContent<'a> {
    /// UTF-8, at most [`LONGEST_CONTENT`].
    pub text: &'a str,
    /// `application/json`.
    pub content_type: &'a str,
    /// Names are C# identifiers in Azure; values are printable ASCII.
    pub metadata: BTreeMap<&'a str, &'a str>,
}

impl Blobs {
    /// Writes a block blob; gives its `ETag`, without quotes.
    ///
    /// # Errors
    /// [`AzureErrorKind::PreconditionFailed`] when the condition does not hold, with the code `BlobAlreadyExists` for
    /// [`BlobCondition::Absent`]. With `repeated_unknown` it may be this call's own effect: read the blob before
    /// calling it somebody else's.
    pub async fn write(
        &self,
        account: &str,
        container: &str,
        name: &str,
        content: &BlobContent<'_>,
        condition: BlobCondition<'_>,
    ) -> Result<Option<String>, AzureError> {
        if content.text.len() > LONGEST_CONTENT {
            return Err(malformed(&format!("the blob `{name}` would be longer than {LONGEST_CONTENT} bytes")));
        }
        let (exchange, url) = self.blob(account, container, name)?;
        let mut call = conditional(Method::PUT, url, condition)?;
        call.headers.insert(HeaderName::from_static("x-ms-blob-type"), HeaderValue::from_static("BlockBlob"));
        call.headers.insert(header::CONTENT_TYPE, value(content.content_type, "the content type")?);
        add_metadata(&mut call.headers, &content.metadata)?;
        call.body = SecretString::from(content.text.to_owned());
        let response = self.send(&exchange, call).await?.response;
        Ok(response.header("etag").map(|etag| etag.trim_matches('"').to_owned()))
    }

    /// Deletes a blob. False: there was none, also when an earlier repeat of this very call took it.
    ///
    /// # Errors
    /// [`AzureErrorKind::PreconditionFailed`] when it was changed, [`AzureErrorKind::Conflict`] when a lease, a snapshot
    /// or a policy of the account keeps it.
    pub async fn delete(
        &self,
        account: &str,
        container: &str,
        name: &str,
        condition: BlobCondition<'_>,
    ) -> Result<bool, AzureError> {
        let (exchange, url) = self.blob(account, container, name)?;
        match self.send(&exchange, conditional(Method::DELETE, url, condition)?).await {
            Ok(_) => Ok(true),
            Err(error)
                if error.kind == AzureErrorKind::NotFound && error.code.as_deref() != Some("ContainerNotFound") =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// The URL of a blob, for people; none when the account's name is none.
    pub fn blob_url(&self, account: &str, container: &str, name: &str) -> Option<Url> {
        self.blob(account, container, name).ok().map(|(_, url)| url)
    }
}

fn conditional(method: Method, url: Url, condition: BlobCondition<'_>) -> Result<Call, AzureError> {
    let condition = match condition {
        BlobCondition::Absent => Some((header::IF_NONE_MATCH, HeaderValue::from_static("*"))),
        BlobCondition::Unchanged(etag) => {
            Some((header::IF_MATCH, value(&format!("\"{}\"", etag.trim_matches('"')), "the ETag")?))
        }
        BlobCondition::None => None,
    };
    let repeat = if condition.is_some() { Repeat::Safe } else { Repeat::Never };
    let mut call = Call::new(method, url, repeat);
    call.headers.extend(condition);
    Ok(call)
}

fn add_metadata(headers: &mut HeaderMap, metadata: &BTreeMap<&str, &str>) -> Result<(), AzureError> {
    for (key, text) in metadata {
        let name = HeaderName::try_from(format!("x-ms-meta-{key}"))
            .map_err(|_| malformed(&format!("`{key}` cannot be the name of a blob's metadata")))?;
        headers.insert(name, value(text, key)?);
    }
    Ok(())
}

fn value(text: &str, what: &str) -> Result<HeaderValue, AzureError> {
    HeaderValue::from_str(text).map_err(|_| malformed(&format!("{what} holds characters that no header may hold")))
}
