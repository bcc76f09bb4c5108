//! Listeners for HTTP and TLS: who comes in where, and which certificate is shown to whom.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    LazyConfigAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, pem::PemObject},
        server::Acceptor,
    },
};
use tokio_util::sync::CancellationToken;

use super::{
    authority::Leaf,
    exchange::Door,
    gateway::{self, Welcome},
    wire::{self, Wire},
    world::World,
};

/// Of the https listener.
const FRONT_NAMES: &[&str] = &[
    "localhost",
    "127.0.0.1",
    "management.azure.com",
    "login.microsoftonline.com",
    "*.blob.core.windows.net",
    "*.vault.azure.net",
];
const FRONT_VALIDITY: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 * 180);

/// What stands before a door.
#[derive(Clone, Debug)]
pub(super) enum Lock {
    /// Plain http.
    None,
    /// TLS with the front's certificate.
    Front,
    /// TLS with the certificate of a gateway (service name in lower case) that fits the SNI.
    Gateway(String),
}

/// Takes connections until it is told to stop; open connections end then, too.
pub(super) async fn listen(listener: TcpListener, world: Arc<World>, lock: Lock, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, _)) => {
                let (world, lock, stop) = (Arc::clone(&world), lock.clone(), stop.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = open(socket, world, lock) => {}
                    }
                });
            }
            // Out of file descriptors, or a client that went away: let others have their turn.
            Err(error) => {
                tracing::warn!(%error, "the simulator could not take a connection");
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn open(socket: TcpStream, world: Arc<World>, lock: Lock) {
    let wire = Wire::new(socket);
    let reset = wire.reset();
    if matches!(lock, Lock::None) {
        return wire::serve(wire, reset, world, Door::Front, "http").await;
    }
    let hello = match LazyConfigAcceptor::new(Acceptor::default(), wire).await {
        Ok(hello) => hello,
        Err(error) => {
            tracing::debug!(%error, "a client of the simulator did not speak TLS");
            return;
        }
    };
    let host = hello.client_hello().server_name().map(str::to_owned);
    let (leaf, door) = match lock {
        Lock::None => unreachable!("returned above"),
        Lock::Front => (world.authority.leaf(FRONT_NAMES, FRONT_VALIDITY), Door::Front),
        Lock::Gateway(service) => match world.at_desk(|desk| gateway::welcome(desk, &service, host.as_deref())) {
            Welcome::Refused => return reset.ask(),
            Welcome::Shows(leaf) => (leaf, Door::Gateway(service)),
        },
    };
    match hello.into_stream(Arc::new(configuration(&leaf))).await {
        Ok(stream) => wire::serve(stream, reset, world, door, "https").await,
        Err(error) => tracing::debug!(%error, "a client of the simulator did not accept its certificate"),
    }
}

fn configuration(leaf: &Leaf) -> ServerConfig {
    let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).expect("rcgen wrote it");
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der.clone()], key)
        .expect("the key is the certificate's")
}
