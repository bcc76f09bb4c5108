//! The real transport: reqwest with the site's roots, resolvers and proxies.
//!
//! Never follows a redirect, never repeats a request, never sends a request whose effect must come once
//! over a connection that was used before: a broken one would leave its outcome unknown.

use std::{
    error::Error as StdError,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::BytesMut;
use http::{HeaderValue, Method, header};
use reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
    tls::TlsInfo,
};
use rustls_platform_verifier::Verifier;
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use url::Url;

use super::{
    Dns, certificate,
    http::{Delivery, HttpError, HttpErrorKind, HttpRequest, HttpResponse, is_local},
};

/// Longest for a name, a TCP connection and its TLS handshake: a dead region swallows packets, and a second address may answer.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Idle connections for reads are kept this long: shorter than the four minutes of Azure's load balancers.
const IDLE: Duration = Duration::from_secs(30);
/// Idle connections for reads to one host: a run in an object store is loaded by so many reads at once, and each wants
/// the connection of the one before.
const IDLE_CONNECTIONS: usize = 128;
const USER_AGENT: &str = concat!("lifeboat/", env!("CARGO_PKG_VERSION"));

/// How the real transport is built.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// PEM texts of roots that are trusted beside the system's.
    pub ca_pem: Vec<String>,
    /// Looks every name up.
    pub dns: Dns,
    /// Longest that looking the name up, connecting and the TLS handshake may take.
    pub connect_timeout: Duration,
}

impl HttpOptions {
    pub fn new(dns: Dns) -> Self {
        Self { ca_pem: Vec::new(), dns, connect_timeout: CONNECT_TIMEOUT }
    }
}

/// reqwest, with the site's roots and resolvers. Cheap to clone.
#[derive(Clone)]
pub struct RealHttp {
    recipe: Arc<Recipe>,
    clients: Arc<Clients>,
}

impl fmt::Debug for RealHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RealHttp").field("recipe", &self.recipe).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Recipe {
    tls: ClientConfig,
    dns: Dns,
    connect_timeout: Duration,
}

/// Reads, and what does no harm twice, may share connections; changes never do.
struct Clients {
    reads: Client,
    changes: Client,
    /// For hosts that no proxy can reach: this machine and its link.
    local_reads: Client,
    local_changes: Client,
}

impl RealHttp {
    /// `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` and `SSL_CERT_FILE` are read here, by reqwest and by the system's verifier.
    ///
    /// # Errors
    /// A lower-case fragment: a root that cannot be read, or no roots at all.
    pub fn new(options: HttpOptions) -> Result<Self, String> {
        let recipe = Recipe { tls: tls(&options.ca_pem)?, dns: options.dns, connect_timeout: options.connect_timeout };
        let clients = Clients {
            reads: recipe.client(Reuse::Yes, Way::AsTheSystemSays, None)?,
            changes: recipe.client(Reuse::No, Way::AsTheSystemSays, None)?,
            local_reads: recipe.client(Reuse::Yes, Way::Direct, None)?,
            local_changes: recipe.client(Reuse::No, Way::Direct, None)?,
        };
        Ok(Self { recipe: Arc::new(recipe), clients: Arc::new(clients) })
    }

    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let host = request.url.host_str().unwrap_or_default().to_owned();
        let failure = |error: reqwest::Error| classify(&host, &error);
        let HttpRequest { method, mut url, mut headers, body, timeout, max_body, repeatable, connect_to, .. } = request;
        let client = match connect_to {
            None => self.client_for(is_read(&method) || repeatable, &url),
            Some(address) => {
                redirect_port(&mut url, &mut headers, address)?;
                self.recipe.client(Reuse::No, Way::Direct, Some((&host, address))).map_err(|message| HttpError {
                    kind: HttpErrorKind::Connect,
                    delivery: Delivery::NotSent,
                    message,
                })?
            }
        };
        let sent = client.request(method, url).headers(headers).body(body).timeout(timeout).send().await;
        let mut response = sent.map_err(failure)?;
        let certificate =
            response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate).and_then(certificate::read);
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            if body.len() + chunk.len() > max_body {
                return Err(HttpError {
                    kind: HttpErrorKind::TooLarge,
                    delivery: Delivery::Unknown,
                    message: format!("the answer of {host} is larger than {max_body} bytes"),
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpResponse {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body: body.freeze(),
            certificate,
        })
    }

    fn client_for(&self, repeatable: bool, url: &Url) -> Client {
        let clients = &self.clients;
        let client = match (repeatable, is_local(url)) {
            (true, false) => &clients.reads,
            (false, false) => &clients.changes,
            (true, true) => &clients.local_reads,
            (false, true) => &clients.local_changes,
        };
        client.clone()
    }
}

#[derive(Clone, Copy)]
enum Reuse {
    Yes,
    No,
}

#[derive(Clone, Copy)]
enum Way {
    AsTheSystemSays,
    /// Never through a proxy.
    Direct,
}

impl Recipe {
    /// `pinned`: the one host of this client, and where it is.
    fn client(&self, reuse: Reuse, way: Way, pinned: Option<(&str, SocketAddr)>) -> Result<Client, String> {
        let mut builder = Client::builder()
            .user_agent(USER_AGENT)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(IDLE)
            .tls_backend_preconfigured(self.tls.clone())
            .tls_info(true)
            .dns_resolver(Arc::new(Lookup(self.dns.clone())));
        builder = match reuse {
            Reuse::Yes => builder.pool_max_idle_per_host(IDLE_CONNECTIONS),
            Reuse::No => builder.pool_max_idle_per_host(0),
        };
        builder = match way {
            Way::AsTheSystemSays => builder,
            Way::Direct => builder.no_proxy(),
        };
        if let Some((host, address)) = pinned {
            builder = builder.resolve(host, address);
        }
        builder.build().map_err(|error| format!("the HTTP client cannot be built: {}", root_cause(&error)))
    }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// reqwest lets a port in the URL win over the one it is told to connect to; so the port moves to where it is obeyed,
/// while `Host` stays as the URL says.
fn redirect_port(url: &mut Url, headers: &mut http::HeaderMap, address: SocketAddr) -> Result<(), HttpError> {
    let refused = |message: String| HttpError { kind: HttpErrorKind::Connect, delivery: Delivery::NotSent, message };
    let host = url.host_str().unwrap_or_default().to_owned();
    let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    if literal.is_some_and(|literal| literal != address.ip()) {
        return Err(refused(format!("{host} is an address: it cannot be reached at {}", address.ip())));
    }
    let stated = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
    if !headers.contains_key(header::HOST) {
        let value = HeaderValue::from_str(&stated).map_err(|_| refused(format!("`{stated}` is not a host")))?;
        headers.insert(header::HOST, value);
    }
    url.set_port(Some(address.port())).map_err(|()| refused(format!("a URL of {host} cannot have a port")))
}

/// The system's roots (`SSL_CERT_FILE` and `SSL_CERT_DIR` win), and the site's.
fn tls(ca_pem: &[String]) -> Result<ClientConfig, String> {
    let mut roots = Vec::new();
    for pem in ca_pem {
        let before = roots.len();
        for root in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.push(root.map_err(|error| format!("a root certificate cannot be read: {error}"))?);
        }
        if roots.len() == before {
            return Err("a file of root certificates holds none".to_owned());
        }
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(&provider)).map_err(|error| {
        format!("no root certificates to trust: {error}; install the system's, or set SSL_CERT_FILE")
    })?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .dangerous() // rustls's word for any verifier but its own; this one is the system's and checks everything.
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// Names through [`Dns`], so that the site's resolvers hold for every request.
struct Lookup(Dns);

impl Resolve for Lookup {
    fn resolve(&self, name: Name) -> Resolving {
        let dns = self.0.clone();
        Box::pin(async move {
            let found = dns.addresses(name.as_str()).await.map_err(NameFailure)?;
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

/// Marks a failed look-up in reqwest's chain of causes.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NameFailure(super::DnsError);

fn classify(host: &str, error: &reqwest::Error) -> HttpError {
    let chain = causes(error);
    let of = |kind, delivery, message| HttpError { kind, delivery, message };
    if let Some(reason) = chain.iter().find_map(|cause| certificate_problem(*cause)) {
        return of(HttpErrorKind::Certificate, Delivery::NotSent, format!("the certificate of {host} {reason}"));
    }
    if let Some(name) = chain.iter().find_map(|cause| cause.downcast_ref::<NameFailure>()) {
        return of(HttpErrorKind::NameNotFound, Delivery::NotSent, format!("{host} cannot be found: {name}"));
    }
    let root = root_cause(error);
    if error.is_connect() {
        let why = if error.is_timeout() { "it takes too long".to_owned() } else { root };
        return of(HttpErrorKind::Connect, Delivery::NotSent, format!("cannot connect to {host}: {why}"));
    }
    if error.is_builder() {
        return of(HttpErrorKind::Connect, Delivery::NotSent, format!("cannot make a request to {host}: {root}"));
    }
    if error.is_timeout() {
        return of(HttpErrorKind::Timeout, Delivery::Unknown, format!("{host} did not answer in time"));
    }
    of(HttpErrorKind::Broken, Delivery::Unknown, format!("the connection to {host} broke: {root}"))
}

/// All causes, with those inside an [`std::io::Error`], whose `source` leaves its own content out.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> Vec<&'a (dyn StdError + 'static)> {
    let mut chain = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        chain.push(cause);
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    chain
}

/// The last cause says what happened; those above it say only that something did.
fn root_cause(error: &reqwest::Error) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// Says what is wrong with a server's certificate; none for every other cause.
fn certificate_problem(cause: &(dyn StdError + 'static)) -> Option<String> {
    let problem = match cause.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(problem) => problem,
        rustls::Error::NoCertificatesPresented => return Some("was not shown".to_owned()),
        _ => return None,
    };
    Some(match problem {
        CertificateError::UnknownIssuer => "is signed by an authority that is not trusted".to_owned(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("is for another name ({problem})")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => format!("has expired ({problem})"),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("is not valid yet ({problem})")
        }
        // Two authorities of one name: an old simulator's, or a proxy's after its renewal.
        CertificateError::BadSignature => {
            "is not signed by the authority that is trusted under its issuer's name".to_owned()
        }
        CertificateError::Revoked => "is revoked".to_owned(),
        _ => format!("is not valid: {problem}"),
    })
}
