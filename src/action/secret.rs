//! Secrets that a step needs: read at the moment of use from where the runbook says they are; never kept, never shown.

use std::fmt;

use secrecy::SecretString;

use super::{Context, error};
use crate::{
    azure::key_vault::{KeyVaults, SecretId},
    plan::facts::Finding,
    run::{Disposition, StepError},
    site::SecretReference,
};

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the machine that runs the step.
    Here(SecretReference),
    Vault(SecretId),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(SecretReference::Env(name)) => write!(f, "variable `{name}`"),
            Self::Here(SecretReference::File(path)) => write!(f, "file `{}`", path.display()),
            Self::Vault(id) => write!(f, "secret `{id}`"),
        }
    }
}

/// What a secret is for, as people read it.
#[derive(Clone, Copy, Debug)]
pub struct Purpose {
    /// `access-key-missing`.
    pub code: &'static str,
    /// A noun phrase: `the access key of the storage account`.
    pub what: &'static str,
    /// What to do when it is not there.
    pub remedy: &'static str,
}

/// Reads it now.
///
/// # Errors
/// The purpose's code, final: it is not where the reference says. Of a vault, what Azure said.
pub async fn read(place: &Place, purpose: &Purpose, context: &Context) -> Result<SecretString, StepError> {
    let missing = |why: String| {
        let message = format!("{} cannot be had: {why}", purpose.what);
        StepError::new(Disposition::Final, purpose.code, message, purpose.remedy)
    };
    let text = match place {
        Place::Here(SecretReference::Env(name)) => {
            context.environment.get(name).ok_or_else(|| missing(format!("{place} is not set")))?
        }
        Place::Here(SecretReference::File(path)) => tokio::fs::read_to_string(context.directory.join(path))
            .await
            .map_err(|failure| missing(format!("{place}: {failure}")))?,
        Place::Vault(id) => {
            let vaults = KeyVaults {
                http: context.http.clone(),
                tokens: context.arm.tokens.clone(),
                clock: context.clock.clone(),
            };
            return vaults.read(id, &context.site.endpoints).await.map_err(|failure| StepError {
                code: purpose.code.to_owned(),
                ..error::from_read(&format!("{} ({place})", purpose.what), &failure)
            });
        }
    };
    let text = text.trim();
    if text.is_empty() { Err(missing("it is empty".to_owned())) } else { Ok(SecretString::from(text.to_owned())) }
}

/// Only the machine that runs the plan needs to have it, so that it cannot be had here is worth a warning. A vault is
/// asked, and what it gives is dropped.
pub async fn absent(place: &Place, purpose: &Purpose, context: &Context) -> Option<Finding> {
    let there = match place {
        Place::Here(SecretReference::Env(name)) => context.environment.get(name).is_some(),
        Place::Here(SecretReference::File(path)) => context.directory.join(path).is_file(),
        Place::Vault(_) => {
            let failure = read(place, purpose, context).await.err()?;
            return Some(Finding::warning(purpose.code, failure.message, failure.hint));
        }
    };
    (!there).then(|| {
        Finding::warning(
            purpose.code,
            format!("{} should be in the {place}, which is not here", purpose.what),
            "set it where the run will be started",
        )
    })
}
