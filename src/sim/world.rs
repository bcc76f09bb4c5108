//! The world behind both ways in.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
};

use super::{
    observe::{Effects, LoggedRequest, RecordView, ServiceView},
    scenario::Scenario,
};
use crate::{
    clock::Clock,
    net::{DnsAnswer, DnsError, HttpError, HttpRequest, HttpResponse, RecordKind},
    site::Site,
};

/// A snapshot that cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct SnapshotError(pub String);

/// A simulated Azure.
#[derive(Debug)]
pub struct World {}

impl World {
    /// A world as the scenario says, beginning now.
    pub fn new(_scenario: Scenario, _clock: Clock) -> Arc<Self> {
        unimplemented!("signature")
    }

    /// Goes on from a snapshot: what lasted meanwhile has gone on.
    pub fn from_snapshot(_snapshot: serde_json::Value, _clock: Clock) -> Result<Arc<Self>, SnapshotError> {
        unimplemented!("signature")
    }

    /// The clock that a snapshot was made with, when it ran on one that another process can share.
    pub fn clock_of(_snapshot: &serde_json::Value) -> Option<Clock> {
        unimplemented!("signature")
    }

    /// Everything, secrets of the simulation included: keep it in a file of mode 0600.
    pub fn snapshot(&self) -> serde_json::Value {
        unimplemented!("signature")
    }

    /// Writes the snapshot to `path`, atomically, now and after every change.
    pub fn persist_to(&self, _path: &Path) -> std::io::Result<()> {
        unimplemented!("signature")
    }

    /// Appends every request to `path`, as JSON Lines.
    pub fn log_to(&self, _path: &Path) -> std::io::Result<()> {
        unimplemented!("signature")
    }

    /// A site for use inside the process: `Credential::Simulated`, endpoints as in the public cloud.
    pub fn site(&self) -> Site {
        unimplemented!("signature")
    }

    /// A new access token for the resource manager and the storage account.
    pub fn mint_token(&self) -> String {
        unimplemented!("signature")
    }

    pub fn effects(&self) -> Effects {
        unimplemented!("signature")
    }

    /// The latest requests, oldest first.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        unimplemented!("signature")
    }

    /// `name` is relative: `api`.
    pub fn record(&self, _zone: &str, _name: &str) -> Option<RecordView> {
        unimplemented!("signature")
    }

    pub fn service(&self, _name: &str) -> Option<ServiceView> {
        unimplemented!("signature")
    }

    pub async fn http(&self, _request: HttpRequest) -> Result<HttpResponse, HttpError> {
        unimplemented!("signature")
    }

    pub async fn dns(&self, _server: SocketAddr, _name: &str, _kind: RecordKind) -> Result<DnsAnswer, DnsError> {
        unimplemented!("signature")
    }

    pub async fn addresses(&self, _host: &str) -> Result<Vec<IpAddr>, DnsError> {
        unimplemented!("signature")
    }

    pub fn panel(&self) -> Vec<SocketAddr> {
        unimplemented!("signature")
    }
}
