//! Location and credential → an object store.

use std::sync::Arc;

use object_store::ObjectStore;

use super::{amazon, blob, google};
use crate::{
    azure::{AzureError, Environment, TokenSource},
    net::Http,
    site::{Location, StateCredential},
};

/// What opening needs of the world.
#[derive(Clone, Debug)]
pub struct Access {
    pub http: Http,
    /// Of the site's credential.
    pub tokens: Arc<TokenSource>,
    /// The site's `endpoints.blob`, with `{account}`.
    pub blob_endpoint: String,
    pub environment: Environment,
}

/// Why there is no store to ask: something is missing on this machine, or does not fit together.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Unusable {
    /// Lower-case fragment without secrets.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Unusable {
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

impl From<AzureError> for Unusable {
    fn from(error: AzureError) -> Self {
        Self { hint: error.hint.clone().unwrap_or_default(), message: error.message }
    }
}

/// The object store of a location; its prefix is not part of it. Reads the secrets that the credential names, and
/// asks nobody. `credential`: none is what is usual for the store.
///
/// # Errors
/// A credential for another kind of store, a secret that is not where it should be, a setting that is missing.
///
/// # Panics
/// For a directory.
pub fn open(
    location: &Location,
    credential: Option<&StateCredential>,
    access: &Access,
) -> Result<Arc<dyn ObjectStore>, Unusable> {
    if let Some(credential) = credential.filter(|credential| !credential.fits(location)) {
        let message = format!("the site's `state_credential: {}` is not for {}", credential.name(), location.kind());
        return Err(Unusable::new(
            message,
            "give a --site whose `state_credential` fits the address, or another --state",
        ));
    }
    match location {
        Location::Directory(_) => unreachable!("a directory is no object store"),
        Location::Blob(container) => blob::open(container, credential, access),
        Location::S3(bucket) => amazon::open(bucket, credential, access),
        Location::Google(bucket) => google::open(bucket, credential, access),
    }
}
