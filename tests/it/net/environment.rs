//! What comes from the process's environment. It belongs to the whole process, so the test runs itself as a child.

use std::{net::Ipv4Addr, process::Command, sync::Arc};

use http::Method;
use lifeboat::net::HttpRequest;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use url::Url;

use super::{
    authority::Authority,
    server::{Server, answer},
    transport,
};

const CHILD: &str = "LIFEBOAT_TEST_CHILD";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_and_the_root_file_of_the_environment_are_honoured() {
    if std::env::var_os(CHILD).is_some() {
        let url = Url::parse("https://apim.contoso.test/through").unwrap();
        let response = transport(&[], vec![]).send(HttpRequest::new(Method::GET, url)).await.unwrap();
        assert_eq!(response.body, "through the proxy");
        // This machine is never reached through a proxy.
        let local = Url::parse(&std::env::var("LIFEBOAT_TEST_LOCAL").unwrap()).unwrap();
        let response = transport(&[], vec![]).send(HttpRequest::new(Method::GET, local)).await.unwrap();
        assert_eq!(response.body, "not through the proxy");
        return;
    }
    let authority = Authority::new();
    let server =
        Server::start_tls(authority.acceptor(&["apim.contoso.test"]), |_, _| answer(200, "through the proxy")).await;
    let local = Server::script(vec![answer(200, "not through the proxy")]).await;
    let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let proxy_url = format!("http://{}", proxy.local_addr().unwrap());
    let target = server.address;
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let task = tokio::spawn(async move {
        loop {
            let (stream, _) = proxy.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut first = String::new();
            stream.read_line(&mut first).await.unwrap();
            let mut line = String::new();
            while stream.read_line(&mut line).await.unwrap() > 2 {
                line.clear();
            }
            log.lock().unwrap().push(first);
            stream.write_all(b"HTTP/1.1 200 connected\r\n\r\n").await.unwrap();
            let mut upstream = TcpStream::connect(target).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut stream, &mut upstream).await });
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let roots = directory.path().join("roots.pem");
    std::fs::write(&roots, &authority.pem).unwrap();
    let local_url = local.url();
    let output = tokio::task::spawn_blocking(move || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "net::environment::the_proxy_and_the_root_file_of_the_environment_are_honoured"])
            .env_clear()
            .env(CHILD, "1")
            .env("LIFEBOAT_TEST_LOCAL", local_url)
            .env("HTTPS_PROXY", &proxy_url)
            .env("HTTP_PROXY", &proxy_url)
            .env("SSL_CERT_FILE", &roots)
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    task.abort();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(*asked.lock().unwrap(), ["CONNECT apim.contoso.test:443 HTTP/1.1\r\n"]);
    assert_eq!((server.seen().len(), local.seen().len()), (1, 1));
}
