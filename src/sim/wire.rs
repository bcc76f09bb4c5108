//! One HTTP connection of the simulator, with the socket in hand: a reset is a real RST, a cut body really ends early.

use std::{
    convert::Infallible,
    fmt,
    io::{self, IoSlice},
    net::Ipv4Addr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming as Received, SizeHint};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{
    exchange::{Door, Ending, Incoming, Reply},
    world::World,
};

/// Longest request body: a manifest is below 64 KiB.
const LONGEST_REQUEST: usize = 4 << 20;

/// A socket that is reset, not closed, once that was asked for.
pub(super) struct Wire {
    socket: TcpStream,
    reset: Reset,
}

/// Asks for the connection to end with an RST.
#[derive(Clone, Default)]
pub(super) struct Reset(Arc<AtomicBool>);

impl Reset {
    pub fn ask(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Wire {
    pub fn new(socket: TcpStream) -> Self {
        Self { socket, reset: Reset::default() }
    }

    pub fn reset(&self) -> Reset {
        self.reset.clone()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.reset.0.load(Ordering::Acquire) {
            // With nothing to linger for, the kernel sends RST instead of FIN.
            if let Err(error) = self.socket.set_zero_linger() {
                tracing::debug!(%error, "the connection is closed, not reset");
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

/// Serves the requests of one connection until it ends.
pub(super) async fn serve<S>(stream: S, reset: Reset, world: Arc<World>, door: Door, scheme: &'static str)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |request: Request<Received>| {
        let (world, door, reset) = (Arc::clone(&world), door.clone(), reset.clone());
        async move { respond(&world, request, door, scheme, &reset).await }
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        // Clients that go away, and the cuts that a scenario asks for.
        tracing::debug!(%error, "a connection of the simulator ended early");
    }
}

async fn respond(
    world: &World,
    request: Request<Received>,
    door: Door,
    scheme: &'static str,
    reset: &Reset,
) -> Result<Response<CutBody>, Cut> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, LONGEST_REQUEST).collect().await else {
        reset.ask();
        return Err(Cut);
    };
    let host = head.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    let authority = head.uri.authority().map(http::uri::Authority::as_str).or(host);
    let incoming = Incoming {
        method: head.method,
        scheme,
        authority: authority.map_or_else(|| Ipv4Addr::LOCALHOST.to_string(), str::to_owned),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: body.to_bytes(),
        door,
    };
    let answer = world.answer(&incoming);
    world.clock.sleep(answer.delay).await;
    match answer.ending {
        Ending::Whole(reply) => Ok(response(reply, false)),
        Ending::Truncated(reply) => Ok(response(reply, true)),
        Ending::Reset => {
            reset.ask();
            Err(Cut)
        }
    }
}

fn response(reply: Reply, cut: bool) -> Response<CutBody> {
    let body = CutBody { announced: reply.body.len(), left: Some(reply.body), cut, flushed: false };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

/// The connection ends here on purpose.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut, as the scenario says")
    }
}

impl std::error::Error for Cut {}

impl From<Infallible> for Cut {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A body that may end after its first half, whatever was announced.
struct CutBody {
    announced: usize,
    left: Option<Bytes>,
    cut: bool,
    /// The first half had its turn to leave.
    flushed: bool,
}

impl Body for CutBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let cut = self.cut;
        if cut && self.left.is_none() && !self.flushed {
            // hyper writes out what it has when there is nothing more to take.
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(match self.left.take() {
            Some(all) if cut => Some(Ok(Frame::data(all.slice(..all.len() / 2)))),
            Some(all) if !all.is_empty() => Some(Ok(Frame::data(all))),
            None if cut => Some(Err(Cut)),
            Some(_) | None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        !self.cut && self.left.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced as u64)
    }
}
