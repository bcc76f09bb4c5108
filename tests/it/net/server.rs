//! A server that does what a test says, request by request: answers, resets, hangs, cuts. Over TCP or TLS.
//! It counts the connections that it took and keeps every request that reached it.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// With the query.
    pub(crate) target: String,
    /// Lower-case names.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reaction {
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Reads the request, then resets the connection.
    Reset,
    /// Says that more bytes come than do.
    Cut,
    /// Never answers.
    Hang,
}

pub(crate) fn answer(status: u16, body: impl Into<Vec<u8>>) -> Reaction {
    Reaction::Answer(status, Vec::new(), body.into())
}

pub(crate) fn answer_with(status: u16, headers: &[(&'static str, &str)], body: impl Into<Vec<u8>>) -> Reaction {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Reaction::Answer(status, headers, body.into())
}

type React = dyn Fn(usize, &Seen) -> Reaction + Send + Sync;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// `react` gets the number of the request, from zero, and the request.
    pub(crate) async fn start(react: impl Fn(usize, &Seen) -> Reaction + Send + Sync + 'static) -> Self {
        Self::listen(None, Arc::new(react)).await
    }

    pub(crate) async fn start_tls(
        acceptor: TlsAcceptor,
        react: impl Fn(usize, &Seen) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Some(acceptor), Arc::new(react)).await
    }

    /// One reaction for each request; the last holds for all that follow.
    pub(crate) async fn script(reactions: Vec<Reaction>) -> Self {
        Self::start(move |number, _| reactions[number.min(reactions.len() - 1)].clone()).await
    }

    async fn listen(acceptor: Option<TlsAcceptor>, react: Arc<React>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (count, log) = (Arc::clone(&accepted), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(connection(stream, acceptor.clone(), Arc::clone(&react), Arc::clone(&log)));
            }
        });
        Self { address, accepted, seen, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn https(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Connections that were made, with or without a request.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn connection(stream: TcpStream, acceptor: Option<TlsAcceptor>, react: Arc<React>, log: Arc<Mutex<Vec<Seen>>>) {
    match acceptor {
        None => {
            let (mut stream, reset) = serve(stream, &react, &log).await;
            if reset {
                stream.set_zero_linger().unwrap();
            } else {
                let _gone = stream.shutdown().await;
            }
        }
        // A client that distrusts the certificate hangs up here.
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                let (mut stream, reset) = serve(stream, &react, &log).await;
                if !reset {
                    let _gone = stream.shutdown().await;
                }
            }
        }
    }
}

/// True: the connection is to be reset.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    react: &Arc<React>,
    log: &Arc<Mutex<Vec<Seen>>>,
) -> (S, bool) {
    while let Some(seen) = request(&mut stream).await {
        let reaction = {
            let mut log = log.lock().unwrap();
            log.push(seen.clone());
            react(log.len() - 1, &seen)
        };
        match reaction {
            Reaction::Answer(status, headers, body) => {
                let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    write!(head, "{name}: {value}\r\n").unwrap();
                }
                head.push_str("\r\n");
                let mut bytes = head.into_bytes();
                if seen.method != "HEAD" {
                    bytes.extend_from_slice(&body);
                }
                if stream.write_all(&bytes).await.is_err() {
                    break;
                }
            }
            Reaction::Reset => return (stream, true),
            Reaction::Cut => {
                let _gone = stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\n{\"cut\":").await;
                break;
            }
            Reaction::Hang => std::future::pending::<()>().await,
        }
    }
    (stream, false)
}

/// None at the end of the connection.
async fn request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let mut start = lines.next()?.split(' ');
    let (method, target) = (start.next()?.to_owned(), start.next()?.to_owned());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Seen { method, target, headers, body: String::from_utf8(body).unwrap() })
}
