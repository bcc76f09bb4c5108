//! The simulator on sockets, loopback only.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc};

use super::world::World;
use crate::site::Site;

#[derive(Clone, Debug, Default)]
pub struct ListenOptions {
    /// Of the http listener; none: as in the snapshot, else any free one.
    pub port: Option<u16>,
    /// Where the token and the CA certificate are written; none: a new private directory of the system's temporary one.
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
    pub token_file: PathBuf,
    pub ca_file: PathBuf,
}

/// A simulator that listens. Dropping it stops it at once.
#[derive(Debug)]
pub struct Serving {}

/// Begins to listen.
///
/// # Errors
/// A port that is taken, a directory that cannot be written.
pub async fn serve(_world: Arc<World>, _options: ListenOptions) -> Result<Serving, ServeError> {
    unimplemented!("signature")
}

impl Serving {
    /// A site whose every address is one of this simulator's.
    pub fn site(&self) -> Site {
        unimplemented!("signature")
    }

    pub fn addresses(&self) -> &Addresses {
        unimplemented!("signature")
    }

    /// Stops listening, closes what is open and removes the token file.
    pub async fn shutdown(self) {
        unimplemented!("signature")
    }
}
