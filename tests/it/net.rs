//! The transport and the DNS client against real sockets: what is sent, how often, and what an error says of it.

pub(crate) mod authority;
pub(crate) mod nameserver;
pub(crate) mod server;

mod dns;
mod environment;
mod http;

use std::{net::SocketAddr, time::Duration};

use lifeboat::net::{Dns, Http, HttpOptions, RealDns, RealHttp};

/// A transport that trusts these roots beside the system's and asks these resolvers.
pub(crate) fn transport(roots: &[&str], resolvers: Vec<SocketAddr>) -> Http {
    let dns = Dns::Real(RealDns::new(resolvers).unwrap());
    let ca_pem = roots.iter().map(|pem| (*pem).to_owned()).collect();
    Http::Real(RealHttp::new(HttpOptions { ca_pem, dns, connect_timeout: Duration::from_secs(5) }).unwrap())
}
