//! A blob service as far as runs need it, with a latency: one container in memory, over HTTP on loopback.
//!
//! It counts the requests that reach it. Pages have 5,000 names, as Azure's.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fmt::Write,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Collected, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, runtime::Runtime};

/// Names in a page of a listing.
const PAGE: usize = 5000;
/// Account and container.
const ROOT: &str = "/account/runs";

#[derive(Default)]
struct Shelf {
    /// Content and a number that grows with each write.
    blobs: Mutex<BTreeMap<String, (Bytes, u64)>>,
    requests: AtomicU64,
    writes: AtomicU64,
}

pub struct BlobServer {
    _runtime: Runtime,
    address: SocketAddr,
    shelf: Arc<Shelf>,
}

impl BlobServer {
    /// Answers each request so much later than it could.
    pub fn start(latency: Duration) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let shelf = Arc::new(Shelf::default());
        let shared = Arc::clone(&shelf);
        runtime.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let shelf = Arc::clone(&shared);
                let service = service_fn(move |request| answer(Arc::clone(&shelf), request, latency));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { _runtime: runtime, address, shelf }
    }

    /// As a site names it.
    pub fn state(&self) -> String {
        format!("http://{}{ROOT}", self.address)
    }

    pub fn requests(&self) -> u64 {
        self.shelf.requests.load(Ordering::Relaxed)
    }

    /// Puts a blob there without a request.
    pub fn keep(&self, name: &str, content: Bytes) {
        self.shelf.blobs.lock().unwrap().insert(name.to_owned(), (content, 0));
    }
}

async fn answer(
    shelf: Arc<Shelf>,
    request: Request<Incoming>,
    latency: Duration,
) -> Result<Response<Full<Bytes>>, Infallible> {
    shelf.requests.fetch_add(1, Ordering::Relaxed);
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    tokio::time::sleep(latency).await;
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = parts.uri.path().strip_prefix(ROOT).unwrap_or_default().trim_start_matches('/').to_owned();
    let respond = |status: StatusCode, etag: u64, body: Bytes| {
        let response = Response::builder().status(status).header("etag", format!("\"{etag}\""));
        let response = response.header("last-modified", "Wed, 25 Nov 2026 10:00:00 GMT");
        Ok(response.body(Full::new(body)).unwrap())
    };
    if name.is_empty() {
        return respond(StatusCode::OK, 0, shelf.list(parts.uri.query().unwrap_or_default()).into());
    }
    let mut blobs = shelf.blobs.lock().unwrap();
    let there = blobs.get(&name).cloned();
    match (parts.method, there) {
        (Method::GET, Some((content, etag))) => respond(StatusCode::OK, etag, content),
        (Method::PUT, Some(_)) if header("if-none-match") == "*" => respond(StatusCode::CONFLICT, 0, Bytes::new()),
        (Method::PUT, there)
            if !header("if-match").is_empty()
                && there.as_ref().is_none_or(|(_, etag)| format!("\"{etag}\"") != header("if-match")) =>
        {
            respond(StatusCode::PRECONDITION_FAILED, 0, Bytes::new())
        }
        (Method::PUT, _) => {
            let etag = shelf.writes.fetch_add(1, Ordering::Relaxed) + 1;
            blobs.insert(name, (body, etag));
            respond(StatusCode::CREATED, etag, Bytes::new())
        }
        (Method::DELETE, Some(_)) => {
            blobs.remove(&name);
            respond(StatusCode::ACCEPTED, 0, Bytes::new())
        }
        (_, _) => respond(StatusCode::NOT_FOUND, 0, Bytes::new()),
    }
}

impl Shelf {
    fn list(&self, query: &str) -> String {
        let of = |wanted: &str| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        let (prefix, delimiter, marker) = (of("prefix"), of("delimiter"), of("marker"));
        let blobs = self.blobs.lock().unwrap();
        let from = if marker.is_empty() { prefix.clone() } else { marker };
        let (mut listed, mut count, mut folder, mut next) = (String::new(), 0, String::new(), String::new());
        for (name, (content, etag)) in blobs.range(from..).take_while(|(name, _)| name.starts_with(&prefix)) {
            if count == PAGE {
                next.clone_from(name);
                break;
            }
            let rest = &name[prefix.len()..];
            match rest.split_once('/').filter(|_| !delimiter.is_empty()) {
                Some((first, _)) if folder == first => {}
                Some((first, _)) => {
                    write!(listed, "<BlobPrefix><Name>{prefix}{first}/</Name></BlobPrefix>").unwrap();
                    first.clone_into(&mut folder);
                    count += 1;
                }
                None => {
                    write!(
                        listed,
                        "<Blob><Name>{name}</Name><Properties><Last-Modified>Wed, 25 Nov 2026 10:00:00 GMT</Last-Modified>\
                         <Etag>{etag}</Etag><Content-Length>{}</Content-Length><Content-Type>application/json</Content-Type>\
                         </Properties></Blob>",
                        content.len()
                    )
                    .unwrap();
                    count += 1;
                }
            }
        }
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs>{listed}</Blobs>\
             <NextMarker>{next}</NextMarker></EnumerationResults>"
        )
    }
}
