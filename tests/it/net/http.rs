//! One request, one answer or one typed error.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::Method;
use lifeboat::net::{Delivery, HttpErrorKind, HttpRequest, http::DEFAULT_TIMEOUT};
use sha1::{Digest, Sha1};
use tokio::net::TcpListener;
use url::Url;

use super::{
    authority::Authority,
    nameserver::NameServer,
    server::{Reaction, Server, answer, answer_with},
    transport,
};

fn request(method: Method, url: &str) -> HttpRequest {
    HttpRequest::new(method, Url::parse(url).unwrap())
}

fn get(url: &str) -> HttpRequest {
    request(Method::GET, url)
}

fn post(url: &str) -> HttpRequest {
    HttpRequest { body: Bytes::from_static(b"{}"), ..request(Method::POST, url) }
}

#[tokio::test]
async fn an_answer_over_tls_brings_its_certificate() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["127.0.0.1", "API.contoso.test"]);
    let server = Server::start_tls(acceptor, |_, _| answer_with(418, &[("x-tea", "yes")], "short and stout")).await;

    let response = transport(&[&authority.pem], vec![]).send(get(&server.https())).await.unwrap();

    assert_eq!((response.status.as_u16(), response.header("x-tea")), (418, Some("yes")));
    assert_eq!(response.body, "short and stout");
    assert_eq!(server.seen()[0].header("user-agent"), concat!("lifeboat/", env!("CARGO_PKG_VERSION")));
    let certificate = response.certificate.unwrap();
    assert_eq!(certificate.names, ["api.contoso.test"]);
    assert_eq!(certificate.thumbprint.len(), 40);
    assert!(certificate.thumbprint.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()));
}

#[tokio::test]
async fn a_certificate_that_cannot_be_trusted_is_told_apart_and_nothing_is_sent() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let cases = [
        (theirs.acceptor(&["127.0.0.1"]), "authority that is not trusted"),
        (Authority::named(&ours.name).acceptor(&["127.0.0.1"]), "trusted under its issuer's name"),
        (ours.acceptor(&["other.contoso.test"]), "for another name"),
        (ours.expired(&["127.0.0.1"]), "has expired"),
    ];
    for (acceptor, reason) in cases {
        let server = Server::start_tls(acceptor, |_, _| answer(200, "")).await;
        let error = transport(&[&ours.pem], vec![]).send(post(&server.https())).await.unwrap_err();
        assert_eq!((error.kind, error.delivery), (HttpErrorKind::Certificate, Delivery::NotSent), "{error}");
        assert!(error.message.contains(reason), "{error}");
        assert_eq!((server.seen().len(), server.accepted()), (0, 1), "{reason}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_was_sent_nothing() {
    let authority = Authority::new();
    // The port answers as soon as it has read something, and not with TLS.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 no\r\n\r\n").await.unwrap();
        stream
    });
    let error = transport(&[&authority.pem], vec![]).send(post(&format!("https://{address}"))).await.unwrap_err();
    assert_eq!((error.kind, error.delivery), (HttpErrorKind::Connect, Delivery::NotSent), "{error}");
    task.abort();
}

#[tokio::test]
async fn a_refused_connection_was_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let authority = Authority::new();
    let error = transport(&[&authority.pem], vec![]).send(post(&format!("http://{address}"))).await.unwrap_err();
    assert_eq!((error.kind, error.delivery), (HttpErrorKind::Connect, Delivery::NotSent), "{error}");
    assert!(error.message.starts_with("cannot connect to 127.0.0.1"), "{error}");
}

#[tokio::test]
async fn names_go_through_the_sites_resolvers() {
    let authority = Authority::new();
    let server = Server::start(|_, _| answer(200, "here")).await;
    let SocketAddr::V4(at) = server.address else { unreachable!("the server listens on IPv4") };
    let names = NameServer::of(&[("apim.contoso.test", *at.ip())]).await;
    let http = transport(&[&authority.pem], vec![names.address]);

    let url = format!("http://apim.contoso.test:{}/x", at.port());
    assert_eq!(http.send(get(&url)).await.unwrap().body, "here");
    assert_eq!(server.seen()[0].header("host"), format!("apim.contoso.test:{}", at.port()));

    let error = http.send(post("http://lost.contoso.test/")).await.unwrap_err();
    assert_eq!((error.kind, error.delivery), (HttpErrorKind::NameNotFound, Delivery::NotSent), "{error}");
    assert!(error.message.contains("lost.contoso.test"), "{error}");
    assert!(names.asked().iter().any(|asked| asked.name == "lost.contoso.test." && asked.recursion));
}

#[tokio::test]
async fn a_reset_after_the_request_leaves_its_outcome_unknown() {
    let authority = Authority::new();
    for reaction in [Reaction::Reset, Reaction::Cut] {
        let server = Server::script(vec![reaction]).await;
        let error = transport(&[&authority.pem], vec![]).send(post(&server.url())).await.unwrap_err();
        assert_eq!((error.kind, error.delivery), (HttpErrorKind::Broken, Delivery::Unknown), "{error}");
        assert_eq!((server.seen().len(), server.accepted()), (1, 1), "sent exactly once");
    }
}

#[tokio::test]
async fn a_change_never_travels_over_a_used_connection() {
    let authority = Authority::new();
    let server = Server::script(vec![answer(200, "")]).await;
    let http = transport(&[&authority.pem], vec![]);
    http.send(get(&server.url())).await.unwrap();
    http.send(get(&server.url())).await.unwrap();
    assert_eq!(server.accepted(), 1, "reads share a connection");
    for expected in [2, 3] {
        http.send(post(&server.url())).await.unwrap();
        assert_eq!(server.accepted(), expected, "a POST makes its own");
    }
    http.send(request(Method::PUT, &server.url())).await.unwrap();
    assert_eq!(server.accepted(), 4, "so does a PUT");
}

#[tokio::test]
async fn a_server_that_never_answers_times_out_with_an_unknown_outcome() {
    let authority = Authority::new();
    let server = Server::script(vec![Reaction::Hang]).await;
    let hurried = HttpRequest { timeout: Duration::from_millis(200), ..post(&server.url()) };
    let error = transport(&[&authority.pem], vec![]).send(hurried).await.unwrap_err();
    assert_eq!((error.kind, error.delivery), (HttpErrorKind::Timeout, Delivery::Unknown), "{error}");
    assert_eq!(server.accepted(), 1);
    assert_eq!(get(&server.url()).timeout, DEFAULT_TIMEOUT);
}

#[tokio::test]
async fn a_large_answer_is_refused_and_one_of_just_that_size_is_not() {
    let authority = Authority::new();
    let server = Server::script(vec![answer(200, vec![b'x'; 1000])]).await;
    let http = transport(&[&authority.pem], vec![]);
    let error = http.send(HttpRequest { max_body: 999, ..get(&server.url()) }).await.unwrap_err();
    assert_eq!(error.kind, HttpErrorKind::TooLarge, "{error}");
    let fits = http.send(HttpRequest { max_body: 1000, ..get(&server.url()) }).await.unwrap();
    assert_eq!(fits.body.len(), 1000);
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let authority = Authority::new();
    let elsewhere = Server::script(vec![answer(200, "stolen")]).await;
    let to = elsewhere.url();
    let server = Server::start(move |_, _| answer_with(302, &[("location", &to)], "")).await;
    let response = transport(&[&authority.pem], vec![]).send(get(&server.url())).await.unwrap();
    assert_eq!((response.status.as_u16(), elsewhere.accepted()), (302, 0));
}

#[tokio::test]
async fn connecting_elsewhere_keeps_the_name_in_sni_and_host() {
    let authority = Authority::new();
    let server = Server::start_tls(authority.acceptor(&["api.contoso.test"]), |_, _| answer(200, "")).await;
    let http = transport(&[&authority.pem], vec![]);
    for (url, host) in [
        ("https://api.contoso.test/status", "api.contoso.test"),
        ("https://api.contoso.test:8443/status", "api.contoso.test:8443"),
    ] {
        let there = HttpRequest { connect_to: Some(server.address), ..get(url) };
        let response = http.send(there).await.unwrap();
        assert_eq!(response.certificate.unwrap().names, ["api.contoso.test"]);
        assert_eq!(server.seen().last().unwrap().header("host"), host);
    }
    // The certificate is held against the name, not against the address.
    let other = HttpRequest { connect_to: Some(server.address), ..get("https://www.contoso.test/status") };
    assert_eq!(http.send(other).await.unwrap_err().kind, HttpErrorKind::Certificate);
}

#[tokio::test]
async fn a_thumbprint_is_the_digest_of_the_certificate_that_was_shown() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["127.0.0.1"]);
    let server = Server::start_tls(acceptor, |_, _| answer(200, "")).await;
    let shown = shown_certificate(&authority, server.address).await;
    let expected = Sha1::digest(&shown).iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().concat();
    let response = transport(&[&authority.pem], vec![]).send(get(&server.https())).await.unwrap();
    assert_eq!(response.certificate.unwrap().thumbprint, expected);
}

/// The certificate as another client sees it.
async fn shown_certificate(authority: &Authority, address: SocketAddr) -> Vec<u8> {
    use tokio_rustls::rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let stream = connector.connect(ServerName::from(address.ip()), stream).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn a_request_prints_neither_its_body_nor_its_secrets() {
    let mut secret = http::HeaderValue::from_static("Bearer s3cret");
    secret.set_sensitive(true);
    let mut request = HttpRequest { body: Bytes::from_static(b"accessKey=k3y"), ..get("https://a.test/x") };
    request.headers.insert(http::header::AUTHORIZATION, secret);
    let printed = format!("{request:?}");
    assert!(printed.contains("https://a.test/x"), "{printed}");
    assert!(!printed.contains("s3cret") && !printed.contains("k3y"), "{printed}");
}

#[test]
fn a_root_that_is_none_is_refused() {
    use lifeboat::net::{Dns, HttpOptions, RealDns, RealHttp};
    let dns = Dns::Real(RealDns::new(vec![]).unwrap());
    let options = HttpOptions { ca_pem: vec!["not a certificate".to_owned()], ..HttpOptions::new(dns) };
    assert!(RealHttp::new(options).unwrap_err().contains("holds none"));
}
