//! Blob storage, as far as backups and manifests need it: listing by pages, reading, conditional writing.

use std::fmt::Write;

use http::{HeaderValue, Method, StatusCode};

use super::{
    arm, base64,
    exchange::{Desk, Incoming, Reply, http_date},
    state::{Blob, BlobBody},
};

/// What Azure gives when no `maxresults` is named.
const DEFAULT_PAGE: usize = 5000;

/// `path` begins after the account.
pub(super) fn answer(desk: &mut Desk<'_>, incoming: &Incoming, account: &str, path: &str) -> Reply {
    let (request, now) = (desk.state.guid(), desk.now);
    let reply = handle(desk, incoming, account, path);
    let reply = reply.with("x-ms-request-id", request).with("date", http_date(now));
    let version = incoming.header("x-ms-version").unwrap_or("2023-11-03");
    let reply = reply.with("x-ms-version", version);
    match incoming.header("x-ms-client-request-id") {
        Some(id) => reply.with("x-ms-client-request-id", id),
        None => reply,
    }
}

fn handle(desk: &mut Desk<'_>, incoming: &Incoming, account: &str, path: &str) -> Reply {
    let storage = &desk.scenario.storage;
    if !account.eq_ignore_ascii_case(&storage.account) {
        return error(StatusCode::NOT_FOUND, "ResourceNotFound", "The specified resource does not exist.");
    }
    if desk.is_lost(&storage.location) {
        return error(StatusCode::SERVICE_UNAVAILABLE, "ServerBusy", "The server is busy.");
    }
    if let Some(refusal) = refuse(desk, incoming) {
        return refusal;
    }
    let (container, name) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    if container != storage.container {
        return error(StatusCode::NOT_FOUND, "ContainerNotFound", "The specified container does not exist.");
    }
    let (of, what) = (incoming.parameter("restype"), incoming.parameter("comp"));
    match (&incoming.method, name, of.as_deref(), what.as_deref()) {
        (&Method::GET, "", Some("container"), Some("list")) => list(desk, incoming),
        (&(Method::GET | Method::HEAD), "", Some("container"), None) => Reply::empty(StatusCode::OK),
        (_, "", ..) | (_, _, Some(_), _) | (.., Some(_)) => {
            error(StatusCode::BAD_REQUEST, "InvalidQueryParameterValue", "The simulator does not know this operation.")
        }
        (method, name, None, None) => {
            let name = percent_decoded(name);
            match *method {
                Method::GET | Method::HEAD => read(desk, incoming, &name),
                Method::PUT => write(desk, incoming, &name),
                Method::DELETE => delete(desk, incoming, &name),
                _ => error(StatusCode::METHOD_NOT_ALLOWED, "UnsupportedHttpVerb", "The resource does not support it."),
            }
        }
    }
}

/// A token is needed, and the version that first knew tokens.
fn refuse(desk: &Desk<'_>, incoming: &Incoming) -> Option<Reply> {
    if let Some(refusal) = arm::refuse_token(desk, incoming) {
        let challenge = refusal.headers.get("www-authenticate").cloned();
        let (code, message) = match incoming.header("authorization") {
            Some(_) => {
                ("InvalidAuthenticationInfo", "Server failed to authenticate the request: the token is not valid.")
            }
            None => ("NoAuthenticationInformation", "Server failed to authenticate the request."),
        };
        let mut refusal = error(StatusCode::UNAUTHORIZED, code, message);
        if let Some(challenge) = challenge {
            refusal.headers.insert("www-authenticate", challenge);
        }
        return Some(refusal);
    }
    let message = "The header 'x-ms-version' is required for requests with a bearer token.";
    (incoming.header("x-ms-version").is_none_or(|version| version < "2017-11-09"))
        .then(|| error(StatusCode::BAD_REQUEST, "MissingRequiredHeader", message))
}

fn error(status: StatusCode, code: &'static str, message: &str) -> Reply {
    let body = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    Reply::empty(status).body("application/xml", body).with("x-ms-error-code", code)
}

fn list(desk: &Desk<'_>, incoming: &Incoming) -> Reply {
    let prefix = incoming.parameter("prefix").unwrap_or_default();
    let marker = incoming.parameter("marker").unwrap_or_default();
    let wanted = incoming.parameter("maxresults").map(|text| text.parse::<usize>());
    let from = if marker.is_empty() {
        Some(prefix.clone())
    } else {
        base64::decode(&marker).and_then(|bytes| String::from_utf8(bytes).ok())
    };
    let (Some(from), Ok(wanted)) = (from, wanted.unwrap_or(Ok(DEFAULT_PAGE))) else {
        return error(StatusCode::BAD_REQUEST, "OutOfRangeQueryParameterValue", "A query parameter is out of range.");
    };
    let page = wanted.clamp(1, DEFAULT_PAGE).min(desk.scenario.storage.page.max(1));
    let with_metadata = incoming.parameter("include").is_some_and(|it| it.split(',').any(|it| it == "metadata"));
    let mut xml = String::from("\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>");
    let storage = &desk.scenario.storage;
    let service = format!("https://{}.blob.core.windows.net/", storage.account);
    let _ = write!(
        xml,
        "<EnumerationResults ServiceEndpoint=\"{service}\" ContainerName=\"{}\"><Prefix>{}</Prefix>\
         <MaxResults>{wanted}</MaxResults><Blobs>",
        escaped(&storage.container),
        escaped(&prefix)
    );
    let mut blobs = desk.state.blobs.range(from..).filter(|(name, _)| name.starts_with(&prefix));
    for (name, blob) in blobs.by_ref().take(page) {
        entry(&mut xml, name, blob, with_metadata);
    }
    let next = blobs.next().map(|(name, _)| base64::encode(name.as_bytes())).unwrap_or_default();
    let _ = write!(xml, "</Blobs><NextMarker>{next}</NextMarker></EnumerationResults>");
    Reply::empty(StatusCode::OK).body("application/xml", xml)
}

fn entry(xml: &mut String, name: &str, blob: &Blob, with_metadata: bool) {
    let _ = write!(
        xml,
        "<Blob><Name>{}</Name><Properties><Creation-Time>{}</Creation-Time><Last-Modified>{}</Last-Modified>\
         <Etag>{}</Etag><Content-Length>{}</Content-Length><Content-Type>{}</Content-Type>\
         <BlobType>BlockBlob</BlobType><AccessTier>{}</AccessTier><AccessTierInferred>true</AccessTierInferred>\
         <LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>",
        escaped(name),
        http_date(blob.created),
        http_date(blob.modified),
        blob.etag,
        blob.size,
        escaped(&blob.content_type),
        blob.tier,
    );
    if let Some(status) = &blob.copy_status {
        let _ = write!(xml, "<CopyId>1f812371-a41d-49e6-b123-f4b542e851c5</CopyId><CopyStatus>{status}</CopyStatus>");
    }
    xml.push_str("<ServerEncrypted>true</ServerEncrypted></Properties>");
    if with_metadata {
        xml.push_str("<Metadata>");
        for (key, value) in &blob.metadata {
            let _ = write!(xml, "<{key}>{}</{key}>", escaped(value));
        }
        xml.push_str("</Metadata>");
    }
    xml.push_str("<OrMetadata /></Blob>");
}

fn read(desk: &Desk<'_>, incoming: &Incoming, name: &str) -> Reply {
    let Some(blob) = desk.state.blobs.get(name) else { return blob_not_found() };
    // Its properties can still be read.
    if blob.tier == "Archive" && incoming.method == Method::GET {
        return error(StatusCode::CONFLICT, "BlobArchived", "This operation is not permitted on an archived blob.");
    }
    let size = usize::try_from(blob.size).unwrap_or(usize::MAX);
    let body = match &blob.body {
        BlobBody::Text(text) => text.clone().into_bytes(),
        BlobBody::Bytes(bytes) => bytes.clone(),
        // Only the service can read a backup; to everybody else it is so many bytes.
        BlobBody::Backup { .. } => vec![0; size],
    };
    let part = if incoming.method == Method::GET { part_wanted(incoming, body.len()) } else { Part::Whole };
    let mut reply = match part {
        Part::Whole => Reply::empty(StatusCode::OK).with("accept-ranges", "bytes"),
        Part::Between { first, last } => Reply::empty(StatusCode::PARTIAL_CONTENT)
            .with("content-range", format!("bytes {first}-{last}/{}", body.len())),
        Part::Outside => {
            let message = "The range specified is invalid for the current size of the resource.";
            return error(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", message)
                .with("content-range", format!("bytes */{}", body.len()));
        }
    };
    reply = reply
        .with("etag", format!("\"{}\"", blob.etag))
        .with("last-modified", http_date(blob.modified))
        .with("x-ms-creation-time", http_date(blob.created))
        .with("x-ms-blob-type", "BlockBlob")
        .with("x-ms-access-tier", &blob.tier);
    if let Some(status) = &blob.copy_status {
        reply = reply.with("x-ms-copy-status", status);
    }
    for (key, value) in &blob.metadata {
        if let (Ok(name), Ok(value)) =
            (format!("x-ms-meta-{key}").parse::<http::HeaderName>(), HeaderValue::from_str(value))
        {
            reply.headers.insert(name, value);
        }
    }
    if let Ok(kind) = HeaderValue::from_str(&blob.content_type) {
        reply.headers.insert(http::header::CONTENT_TYPE, kind);
    }
    let body = bytes::Bytes::from(body);
    reply.body = match part {
        Part::Between { first, last } => body.slice(first..=last),
        Part::Whole | Part::Outside => body,
    };
    reply
}

/// What of a blob is asked for.
#[derive(Clone, Copy)]
enum Part {
    Whole,
    /// Both are within the blob.
    Between {
        first: usize,
        last: usize,
    },
    Outside,
}

/// Blob storage knows one range with its first byte named; whatever else is there counts as none.
fn part_wanted(incoming: &Incoming, length: usize) -> Part {
    let named = incoming.header("x-ms-range").or(incoming.header("range"));
    let Some((first, last)) = named.and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) else {
        return Part::Whole;
    };
    let Ok(first) = first.parse::<usize>() else { return Part::Whole };
    if first >= length {
        return Part::Outside;
    }
    match last.parse::<usize>() {
        Ok(last) if last < first => Part::Whole,
        Ok(last) => Part::Between { first, last: last.min(length - 1) },
        Err(_) => Part::Between { first, last: length - 1 },
    }
}

fn write(desk: &mut Desk<'_>, incoming: &Incoming, name: &str) -> Reply {
    let current = desk.state.blobs.get(name);
    if incoming.header("if-none-match") == Some("*") && current.is_some() {
        return error(StatusCode::CONFLICT, "BlobAlreadyExists", "The specified blob already exists.");
    }
    if let Some(refusal) = refuse_stale(incoming, current) {
        return refusal;
    }
    if incoming.header("x-ms-blob-type") != Some("BlockBlob") {
        let message = "The header 'x-ms-blob-type: BlockBlob' is required.";
        return error(StatusCode::BAD_REQUEST, "MissingRequiredHeader", message);
    }
    let created = current.map_or(desk.now, |blob| blob.created);
    let etag = format!("0x8DE{:012X}", desk.state.draw() >> 16);
    let metadata = incoming.headers.iter().filter_map(|(key, value)| {
        Some((key.as_str().strip_prefix("x-ms-meta-")?.to_owned(), value.to_str().ok()?.to_owned()))
    });
    let kind = incoming.header("x-ms-blob-content-type").or(incoming.header("content-type"));
    let blob = Blob {
        created,
        modified: desk.now,
        etag: etag.clone(),
        size: incoming.body.len() as u64,
        content_type: kind.unwrap_or("application/octet-stream").to_owned(),
        tier: "Hot".to_owned(),
        copy_status: None,
        metadata: metadata.collect(),
        body: BlobBody::Bytes(incoming.body.to_vec()),
    };
    desk.state.blobs.insert(name.to_owned(), blob);
    desk.state.effects.blob_puts_accepted += 1;
    desk.state.changed = true;
    Reply::empty(StatusCode::CREATED)
        .with("etag", format!("\"{etag}\""))
        .with("last-modified", http_date(desk.now))
        .with("x-ms-request-server-encrypted", "true")
}

fn delete(desk: &mut Desk<'_>, incoming: &Incoming, name: &str) -> Reply {
    let current = desk.state.blobs.get(name);
    if current.is_none() {
        return blob_not_found();
    }
    if let Some(refusal) = refuse_stale(incoming, current) {
        return refusal;
    }
    desk.state.blobs.remove(name);
    desk.state.effects.blob_deletes_accepted += 1;
    desk.state.changed = true;
    Reply::empty(StatusCode::ACCEPTED)
}

fn refuse_stale(incoming: &Incoming, current: Option<&Blob>) -> Option<Reply> {
    let wanted = incoming.header("if-match")?;
    let holds = current.is_some_and(|blob| wanted == "*" || wanted.trim_matches('"') == blob.etag);
    let message = "The condition specified using HTTP conditional header(s) is not met.";
    (!holds).then(|| error(StatusCode::PRECONDITION_FAILED, "ConditionNotMet", message))
}

fn blob_not_found() -> Reply {
    error(StatusCode::NOT_FOUND, "BlobNotFound", "The specified blob does not exist.")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn percent_decoded(text: &str) -> String {
    // A plus is a plus in a path, unlike in a query.
    let pair = format!("a={}", text.replace('+', "%2B").replace('&', "%26"));
    let value = url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned());
    value.unwrap_or_default()
}
