//! Blobs: listing and reading, through the blob endpoint and with a token. What writes is in [`super::blob_change`].

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use url::Url;

use crate::{clock::Clock, net::Http, site::Endpoints};

use super::{
    Arm, AzureError, AzureErrorKind, Gate, NoticeSink, TokenSource, arm,
    exchange::{self, Answer, Call, Exchange, Repeat},
    refusal,
    retry_after::http_date,
};

/// One scope for all clouds.
pub const SCOPE: &str = "https://storage.azure.com/.default";
/// Old enough for every Azurite and Azure Stack, new enough for tiers and creation times in listings.
pub const STORAGE_VERSION: &str = "2021-12-02";
/// 5,000 blobs a page: a million blobs in one container are no backups any more.
const MOST_PAGES: usize = 200;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlobItem {
    pub name: String,
    pub created: Option<Timestamp>,
    pub last_modified: Option<Timestamp>,
    /// As the listing writes it, without quotes; what a conditional write or delete is given.
    pub etag: Option<String>,
    /// Bytes.
    pub size: u64,
    /// `Hot`, `Cool`, `Cold`, `Archive`.
    pub tier: Option<String>,
    /// `rehydrate-pending-to-hot` while it comes back.
    pub archive_status: Option<String>,
    /// `pending`, `success`, `aborted`, `failed`.
    pub copy_status: Option<String>,
    pub deleted: bool,
    pub snapshot: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

/// Blobs of the site's storage accounts. Cheap to clone.
#[derive(Clone)]
pub struct Blobs {
    http: Http,
    tokens: Arc<TokenSource>,
    clock: Clock,
    /// With `{account}`.
    endpoint: String,
    sink: Option<NoticeSink>,
    gate: Gate,
}

impl std::fmt::Debug for Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blobs").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Blobs {
    pub fn new(http: Http, endpoints: &Endpoints, tokens: Arc<TokenSource>, clock: Clock) -> Self {
        Self { http, tokens, clock, endpoint: endpoints.blob.clone(), sink: None, gate: Gate::default() }
    }

    /// The same, whose waits are told to `sink`.
    #[must_use]
    pub fn noting(&self, sink: NoticeSink) -> Self {
        Self { sink: Some(sink), ..self.clone() }
    }

    /// The same, whose changes leave when `gate` says so.
    #[must_use]
    pub fn gated(self, gate: Gate) -> Self {
        Self { gate, ..self }
    }

    /// Every blob whose name begins with `prefix`, in the service's order.
    pub async fn list(&self, account: &str, container: &str, prefix: &str) -> Result<Vec<BlobItem>, AzureError> {
        let (exchange, base) = self.exchange(account)?;
        let mut blobs = Vec::new();
        let mut marker = String::new();
        for _ in 0..MOST_PAGES {
            let mut url = within(&base, &[container]);
            url.query_pairs_mut()
                .append_pair("restype", "container")
                .append_pair("comp", "list")
                .append_pair("include", "metadata")
                .append_pair("prefix", prefix);
            if !marker.is_empty() {
                url.query_pairs_mut().append_pair("marker", &marker);
            }
            let body = self.get(&exchange, url, crate::net::http::DEFAULT_MAX_BODY).await?;
            let (page, next_marker) = listed(&body)?;
            blobs.extend(page);
            match next_marker {
                None => return Ok(blobs),
                Some(next) if next == marker => return Err(malformed("the listing's next page is the same page")),
                Some(next) => marker = next,
            }
        }
        Err(malformed(&format!("the listing of `{container}` has more than {MOST_PAGES} pages; give a longer prefix")))
    }

    /// A blob's content; none when there is no such blob.
    ///
    /// # Errors
    /// Also when it is larger than `max_bytes`.
    pub async fn read(
        &self,
        account: &str,
        container: &str,
        name: &str,
        max_bytes: usize,
    ) -> Result<Option<Bytes>, AzureError> {
        let (exchange, url) = self.blob(account, container, name)?;
        match self.get(&exchange, url, max_bytes).await {
            Ok(body) => Ok(Some(body)),
            Err(error)
                if error.kind == AzureErrorKind::NotFound && error.code.as_deref() != Some("ContainerNotFound") =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn get(&self, exchange: &Exchange, url: Url, max_body: usize) -> Result<Bytes, AzureError> {
        let mut call = Call::new(Method::GET, url, Repeat::Safe);
        call.max_body = max_body;
        Ok(self.send(exchange, call).await?.response.body)
    }

    /// # Errors
    /// Every answer that is no success.
    pub(super) async fn send(&self, exchange: &Exchange, mut call: Call) -> Result<Answer, AzureError> {
        call.headers.insert(HeaderName::from_static("x-ms-version"), HeaderValue::from_static(STORAGE_VERSION));
        let Answer { response, repeated_unknown } = exchange.send(&call).await?;
        let wanted = match call.method {
            Method::PUT => StatusCode::CREATED,
            Method::DELETE => StatusCode::ACCEPTED,
            _ => StatusCode::OK,
        };
        if response.status == wanted {
            return Ok(Answer { response, repeated_unknown });
        }
        let what = format!("{} {}", call.method, call.url.path());
        let mut error = refusal::refusal(&call.method, &what, &response);
        error.message = format!("the storage account {}", error.message);
        if error.kind == AzureErrorKind::Unauthorized {
            error.hint = Some(self.tokens.why_unauthorized(self.clock.now()));
        }
        Err(exchange::after(error, &call, repeated_unknown))
    }

    /// The way to one blob. A blob's name may hold slashes, which are its own.
    pub(super) fn blob(&self, account: &str, container: &str, name: &str) -> Result<(Exchange, Url), AzureError> {
        let (exchange, base) = self.exchange(account)?;
        let segments: Vec<&str> = std::iter::once(container).chain(name.split('/')).collect();
        Ok((exchange, within(&base, &segments)))
    }

    /// Tokens for storage go to this account's endpoint and nowhere else.
    fn exchange(&self, account: &str) -> Result<(Exchange, Url), AzureError> {
        let is_name = !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_name {
            return Err(malformed(&format!("`{account}` is not a storage account's name")));
        }
        let base =
            arm::base_url(&self.endpoint.replace("{account}", account)).map_err(|message| malformed(&message))?;
        let exchange = Exchange {
            http: self.http.clone(),
            tokens: Arc::clone(&self.tokens),
            clock: self.clock.clone(),
            scope: SCOPE.to_owned(),
            origin: base.clone(),
            sink: self.sink.clone(),
            gate: self.gate.clone(),
            budget: Arc::default(),
        };
        Ok((exchange, base))
    }
}

impl Arm {
    /// Blobs with the same transport, tokens, clock and notices.
    pub fn blobs(&self, endpoints: &Endpoints) -> Blobs {
        let exchange = self.exchange();
        Blobs {
            http: exchange.http.clone(),
            tokens: Arc::clone(&exchange.tokens),
            clock: exchange.clock.clone(),
            endpoint: endpoints.blob.clone(),
            sink: exchange.sink.clone(),
            gate: exchange.gate.clone(),
        }
    }
}

fn within(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    // A URL of http always has segments.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// One page of a listing: its blobs, and the marker of the next page. Pure; public for the fuzz targets.
///
/// # Errors
/// [`AzureErrorKind::Malformed`].
pub fn listed(body: &[u8]) -> Result<(Vec<BlobItem>, Option<String>), AzureError> {
    let page = Page::read(body)?;
    let next_marker = page.next_marker.filter(|next| !next.is_empty());
    Ok((page.blobs.blob.into_iter().map(BlobItem::from).collect(), next_marker))
}

pub(super) fn malformed(message: &str) -> AzureError {
    AzureError::new(AzureErrorKind::Malformed, message)
}

#[derive(Deserialize)]
#[serde(rename = "EnumerationResults", rename_all = "PascalCase")]
struct Page {
    /// Azure always sends it, also when it is empty. Were it optional, a proxy's page would read as "no backups".
    blobs: Listed,
    next_marker: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    #[serde(default)]
    blob: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    name: EntryName,
    deleted: Option<String>,
    snapshot: Option<String>,
    properties: EntryProperties,
    metadata: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct EntryName {
    /// The name holds characters that XML cannot: it is percent-encoded.
    #[serde(rename = "@Encoded")]
    encoded: Option<String>,
    #[serde(rename = "$text", default)]
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EntryProperties {
    #[serde(rename = "Creation-Time")]
    creation_time: Option<String>,
    #[serde(rename = "Last-Modified")]
    last_modified: Option<String>,
    etag: Option<String>,
    #[serde(rename = "Content-Length")]
    content_length: Option<String>,
    access_tier: Option<String>,
    archive_status: Option<String>,
    copy_status: Option<String>,
}

impl Page {
    fn read(body: &[u8]) -> Result<Self, AzureError> {
        let text = std::str::from_utf8(refusal::without_mark(body)).map_err(|error| error.to_string());
        let page = text.and_then(|text| quick_xml::de::from_str(text).map_err(|error| error.to_string()));
        page.map_err(|reason| malformed(&format!("the listing of blobs cannot be read: {reason}")))
    }
}

impl From<Entry> for BlobItem {
    fn from(entry: Entry) -> Self {
        let properties = entry.properties;
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        let encoded = entry.name.encoded.as_deref() == Some("true");
        Self {
            name: if encoded { decoded(&entry.name.text) } else { entry.name.text },
            created: properties.creation_time.as_deref().and_then(http_date),
            last_modified: properties.last_modified.as_deref().and_then(http_date),
            etag: filled(properties.etag).map(|etag| etag.trim_matches('"').to_owned()),
            // Without a length it counts as empty, and an empty backup is none.
            size: properties.content_length.and_then(|text| text.trim().parse().ok()).unwrap_or(0),
            tier: filled(properties.access_tier),
            archive_status: filled(properties.archive_status),
            copy_status: filled(properties.copy_status),
            deleted: entry.deleted.as_deref() == Some("true"),
            snapshot: filled(entry.snapshot),
            metadata: entry.metadata.unwrap_or_default(),
        }
    }
}

fn decoded(text: &str) -> String {
    // To a form's reader these three have a meaning; in a blob's name they are themselves.
    let pair = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(pair.as_bytes()).map(|(name, _)| name.into_owned()).next().unwrap_or_default()
}
