//! The simulator: the embedded default for a first run, the drill world and the test double are one thing.

use std::net::{IpAddr, SocketAddr};

use crate::net::{DnsAnswer, DnsError, HttpError, HttpRequest, HttpResponse, RecordKind};

/// A simulated Azure.
#[derive(Debug)]
pub struct World {}

impl World {
    pub async fn http(&self, _request: HttpRequest) -> Result<HttpResponse, HttpError> {
        unimplemented!("sim helper")
    }

    pub async fn dns(&self, _server: SocketAddr, _name: &str, _kind: RecordKind) -> Result<DnsAnswer, DnsError> {
        unimplemented!("sim helper")
    }

    pub async fn addresses(&self, _host: &str) -> Result<Vec<IpAddr>, DnsError> {
        unimplemented!("sim helper")
    }

    pub fn panel(&self) -> Vec<SocketAddr> {
        unimplemented!("sim helper")
    }

    pub fn mint_token(&self) -> String {
        unimplemented!("sim helper")
    }
}
