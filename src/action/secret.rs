//! Secrets that a step needs: read at the moment of use from where the runbook says they are; never kept, never shown.

use secrecy::SecretString;

use super::Context;
use crate::{
    plan::facts::Finding,
    run::{Disposition, StepError},
    site::SecretReference,
};

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
/// The purpose's code, final: it is not where the reference says.
pub async fn read(
    reference: &SecretReference,
    purpose: &Purpose,
    context: &Context,
) -> Result<SecretString, StepError> {
    let missing = |why: String| {
        let message = format!("{} cannot be had: {why}", purpose.what);
        StepError::new(Disposition::Final, purpose.code, message, purpose.remedy)
    };
    let text = match reference {
        SecretReference::Env(name) => {
            context.environment.get(name).ok_or_else(|| missing(format!("variable `{name}` is not set")))?
        }
        SecretReference::File(path) => tokio::fs::read_to_string(context.directory.join(path))
            .await
            .map_err(|failure| missing(format!("file `{}`: {failure}", path.display())))?,
    };
    let text = text.trim();
    if text.is_empty() { Err(missing("it is empty".to_owned())) } else { Ok(SecretString::from(text.to_owned())) }
}

/// Only the machine that runs the plan needs to have it: that it is not here is worth a warning.
pub fn absent(reference: &SecretReference, purpose: &Purpose, context: &Context) -> Option<Finding> {
    let (place, there) = match reference {
        SecretReference::Env(name) => (format!("variable `{name}`"), context.environment.get(name).is_some()),
        SecretReference::File(path) => (format!("file `{}`", path.display()), context.directory.join(path).is_file()),
    };
    (!there).then(|| {
        Finding::warning(
            purpose.code,
            format!("{} should be in the {place}, which is not here", purpose.what),
            "set it where the run will be started",
        )
    })
}
