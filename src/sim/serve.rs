//! The simulator on sockets, loopback only.
//!
//! ```text
//!  http   resource manager · blobs at /{account} · tokens          for curl, and for lifeboat
//!  https  the same, for clients that refuse tokens over http
//!  TLS    one listener a gateway; the certificate follows the SNI
//!  DNS    one port a name server and a resolver, UDP and TCP
//! ```

use std::{
    collections::BTreeMap,
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    doors::{self, Lock},
    name_server::{self, Running},
    names::{self, Server},
    sinks::write_private,
    state::Listening,
    world::World,
};
use crate::site::Site;

#[derive(Clone, Debug, Default)]
pub struct ListenOptions {
    /// Of the http listener; none: as in the snapshot, else any free one.
    pub port: Option<u16>,
    /// Where the token and the CA certificate are written; none: as in the snapshot, else a new private directory of
    /// the system's temporary one.
    pub directory: Option<PathBuf>,
}

#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ServeError {
    /// Lower-case fragment.
    pub message: String,
    pub hint: String,
}

/// Where everything listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    pub http: SocketAddr,
    pub https: SocketAddr,
    /// Service name → its gateway, over TLS.
    pub gateways: BTreeMap<String, SocketAddr>,
    /// Name server → where it answers, UDP and TCP.
    pub name_servers: Vec<(String, SocketAddr)>,
    pub resolvers: Vec<SocketAddr>,
    pub directory: PathBuf,
    /// Holds a good token as long as the simulator listens.
    pub token_file: PathBuf,
    pub ca_file: PathBuf,
}

/// A simulator that listens. Dropping it stops it at once and removes the token file.
pub struct Serving {
    world: Arc<World>,
    listening: Listening,
    addresses: Addresses,
    tasks: JoinSet<()>,
    name_servers: Vec<Running>,
    stop: DropGuard,
    _files: Files,
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serving").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// Begins to listen. Must be called within a tokio runtime.
///
/// # Errors
/// A port that is taken, a directory that cannot be written.
pub async fn serve(world: Arc<World>, options: ListenOptions) -> Result<Serving, ServeError> {
    let before = world.listening();
    let directory = directory(options.directory.or_else(|| before.as_ref().map(|it| it.directory.clone())))?;
    let earlier = |port: Option<u16>| port.unwrap_or(0);
    let http = bind(options.port.unwrap_or_else(|| earlier(before.as_ref().map(|it| it.http)))).await?;
    let https = bind(earlier(before.as_ref().map(|it| it.https))).await?;
    let mut gateways = BTreeMap::new();
    for service in [&world.scenario.active, &world.scenario.standby] {
        let name = service.name.to_ascii_lowercase();
        let port = before.as_ref().and_then(|it| it.gateways.get(&name).copied());
        gateways.insert(name, bind(earlier(port)).await?);
    }
    let mut servers = Vec::new();
    for server in all_servers(&world) {
        let port = before.as_ref().map(|it| names::address(Some(it), server).port());
        let sockets = name_server::bind(earlier(port)).await.map_err(|error| taken(earlier(port), &error))?;
        servers.push((server, sockets));
    }
    let of = |wanted: fn(&Server) -> bool| {
        let ports = servers.iter().filter(|(server, _)| wanted(server)).map(|(_, (_, streams))| port_of(streams));
        ports.collect::<Vec<u16>>()
    };
    let listening = Listening {
        directory: directory.clone(),
        http: port_of(&http),
        https: port_of(&https),
        gateways: gateways.iter().map(|(name, listener)| (name.clone(), port_of(listener))).collect(),
        name_servers: of(|server| matches!(server, Server::Authoritative(_))),
        resolvers: of(|server| matches!(server, Server::Resolver(_))),
    };
    let addresses = addresses(&world, &listening);
    world.listen(listening.clone());
    let files = Files(vec![addresses.token_file.clone()]);
    world
        .keep_token_in(&addresses.token_file)
        .and_then(|()| write_private(&addresses.ca_file, world.ca_certificate().as_bytes()))
        .map_err(|error| unwritable(&directory, &error))?;

    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(doors::listen(http, Arc::clone(&world), Lock::None, stop.clone()));
    tasks.spawn(doors::listen(https, Arc::clone(&world), Lock::Front, stop.clone()));
    for (name, listener) in gateways {
        tasks.spawn(doors::listen(listener, Arc::clone(&world), Lock::Gateway(name), stop.clone()));
    }
    tasks.spawn(keep_token_fresh(Arc::clone(&world), addresses.token_file.clone(), stop.clone()));
    let name_servers = servers
        .into_iter()
        .map(|(server, (datagrams, streams))| name_server::listen(Arc::clone(&world), server, datagrams, streams))
        .collect();
    Ok(Serving { world, listening, addresses, tasks, name_servers, stop: stop.drop_guard(), _files: files })
}

impl Serving {
    /// A site whose every address is one of this simulator's.
    pub fn site(&self) -> Site {
        self.world.listening_site(&self.listening, &self.addresses.token_file)
    }

    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Stops listening, closes what is open and removes the token file.
    pub async fn shutdown(self) {
        let Self { mut tasks, name_servers, stop, .. } = self;
        drop(stop);
        for server in name_servers {
            server.stop().await;
        }
        while tasks.join_next().await.is_some() {}
    }
}

/// Files that go when the simulator does.
struct Files(Vec<PathBuf>);

impl Drop for Files {
    fn drop(&mut self) {
        for path in &self.0 {
            if let Err(error) = fs::remove_file(path) {
                tracing::debug!(path = %path.display(), %error, "could not be removed");
            }
        }
    }
}

/// A client that reads the file finds a token with at least half of its life left.
async fn keep_token_fresh(world: Arc<World>, path: PathBuf, stop: CancellationToken) {
    let half = world.scenario.token_lifetime / 2;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = world.clock.sleep(half) => {}
        }
        if let Err(error) = world.keep_token_in(&path) {
            tracing::error!(path = %path.display(), %error, "the simulator's token could not be written");
        }
    }
}

fn all_servers(world: &World) -> Vec<Server> {
    let dns = &world.scenario.dns;
    let named = (0..dns.name_servers.len()).map(Server::Authoritative);
    named.chain((0..dns.resolvers).map(Server::Resolver)).collect()
}

fn addresses(world: &World, listening: &Listening) -> Addresses {
    let loopback = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let spec = &world.scenario;
    let gateway = |name: &String| (name.clone(), loopback(listening.gateways[&name.to_ascii_lowercase()]));
    let named = spec.dns.name_servers.iter().cloned().zip(listening.name_servers.iter().map(|port| loopback(*port)));
    Addresses {
        http: loopback(listening.http),
        https: loopback(listening.https),
        gateways: [&spec.active.name, &spec.standby.name].map(gateway).into(),
        name_servers: named.collect(),
        resolvers: listening.resolvers.iter().map(|port| loopback(*port)).collect(),
        token_file: listening.directory.join("token"),
        ca_file: listening.directory.join("ca.pem"),
        directory: listening.directory.clone(),
    }
}

async fn bind(port: u16) -> Result<TcpListener, ServeError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| taken(port, &error))
}

fn port_of(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("a bound socket has an address").port()
}

fn taken(port: u16, error: &io::Error) -> ServeError {
    ServeError {
        message: format!("the simulator cannot listen on 127.0.0.1:{port}: {error}"),
        hint: "stop what listens there (another simulator?), or choose another port with `--port`".to_owned(),
    }
}

fn unwritable(directory: &Path, error: &io::Error) -> ServeError {
    ServeError {
        message: format!("the simulator cannot write into {}: {error}", directory.display()),
        hint: "make the directory writable, or name another one".to_owned(),
    }
}

/// The directory, made if need be; readable by this user alone when it is a new temporary one.
fn directory(wanted: Option<PathBuf>) -> Result<PathBuf, ServeError> {
    /// Of one process; more simulators than a test run ever has.
    const MOST: u32 = 10_000;
    if let Some(directory) = wanted {
        fs::create_dir_all(&directory).map_err(|error| unwritable(&directory, &error))?;
        return fs::canonicalize(&directory).map_err(|error| unwritable(&directory, &error));
    }
    let home = std::env::temp_dir();
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    for number in 0..MOST {
        let directory = home.join(format!("lifeboat-sim-{}-{number}", std::process::id()));
        match builder.create(&directory) {
            Ok(()) => return Ok(directory),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unwritable(&directory, &error)),
        }
    }
    Err(unwritable(&home, &io::Error::from(io::ErrorKind::AlreadyExists)))
}
