//! Storage: the account (through ARM) and its blobs (through the blob endpoint, with a token).

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::{clock::Clock, net::Http, runbook::ResourceId, site::Endpoints};

use super::{Arm, AzureError, NoticeSink, TokenSource};

/// Of Microsoft.Storage.
pub const API_VERSION: &str = "2023-05-01";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub location: Option<String>,
    pub sku: Option<String>,
    pub primary_location: Option<String>,
    /// `available`, `unavailable`.
    pub status_of_primary: Option<String>,
    pub secondary_location: Option<String>,
    pub status_of_secondary: Option<String>,
    pub blob_endpoint: Option<String>,
    /// None means allowed.
    pub allow_shared_key_access: Option<bool>,
    /// `Enabled`, `Disabled`, `SecuredByPerimeter`.
    pub public_network_access: Option<String>,
    /// Comma list: `AzureServices`.
    pub network_bypass: Option<String>,
    /// `Allow`, `Deny`.
    pub network_default_action: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlobItem {
    pub name: String,
    pub created: Option<Timestamp>,
    pub last_modified: Option<Timestamp>,
    /// Bytes.
    pub size: u64,
    /// `Hot`, `Cool`, `Cold`, `Archive`.
    pub tier: Option<String>,
    pub archive_status: Option<String>,
    /// `pending`, `success`, `aborted`, `failed`.
    pub copy_status: Option<String>,
    pub deleted: bool,
    pub snapshot: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

pub async fn account(_arm: &Arm, _id: &ResourceId) -> Result<Account, AzureError> {
    unimplemented!("first commit")
}

/// A key with permission `Full`.
pub async fn list_keys(_arm: &Arm, _id: &ResourceId) -> Result<SecretString, AzureError> {
    unimplemented!("first commit")
}

/// Blobs of the site's storage accounts. Reads only.
#[derive(Clone)]
pub struct Blobs {}

impl std::fmt::Debug for Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blobs").finish_non_exhaustive()
    }
}

impl Blobs {
    pub fn new(_http: Http, _endpoints: &Endpoints, _tokens: Arc<TokenSource>, _clock: Clock) -> Self {
        unimplemented!("first commit")
    }

    #[must_use]
    pub fn noting(&self, _sink: NoticeSink) -> Self {
        unimplemented!("first commit")
    }

    /// Every blob whose name begins with `prefix`, in the service's order.
    pub async fn list(&self, _account: &str, _container: &str, _prefix: &str) -> Result<Vec<BlobItem>, AzureError> {
        unimplemented!("first commit")
    }

    /// A blob's content; none when there is no such blob.
    pub async fn read(
        &self,
        _account: &str,
        _container: &str,
        _name: &str,
        _max_bytes: usize,
    ) -> Result<Option<Bytes>, AzureError> {
        unimplemented!("first commit")
    }
}
