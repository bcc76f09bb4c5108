//! Whether another process has claimed the run after this one: the claim with the next number is there.

use std::{io, path::PathBuf};

use super::JournalError;
use crate::{net::Objects, run::lease::Holder};

/// Where the next claim would lie.
#[derive(Clone, Debug)]
pub enum Succession {
    /// Nobody else can drive.
    Nobody,
    File(PathBuf),
    /// Within the run's objects.
    Object {
        objects: Objects,
        name: String,
    },
}

impl Succession {
    /// The same, asked once: for what is asked again soon anyway.
    #[must_use]
    pub fn once(self) -> Self {
        match self {
            Self::Object { objects, name } => Self::Object { objects: objects.once(), name },
            Self::Nobody | Self::File(_) => self,
        }
    }

    /// Who has taken the run over, if anybody has. Reads only.
    pub async fn look(&self) -> Result<Option<Holder>, JournalError> {
        match self {
            Self::Nobody => Ok(None),
            Self::File(path) => look_at(path),
            Self::Object { objects, name } => {
                let Some(found) = objects.read(name).await? else { return Ok(None) };
                let path = PathBuf::from(objects.shown(name));
                let holder = serde_json::from_slice(&found.bytes)
                    .map_err(|error| JournalError::Claim { path, what: error.to_string() })?;
                Ok(Some(holder))
            }
        }
    }
}

fn look_at(path: &PathBuf) -> Result<Option<Holder>, JournalError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(JournalError::Io { action: "cannot read", path: path.clone(), source }),
    };
    let holder = serde_json::from_slice(&bytes)
        .map_err(|error| JournalError::Claim { path: path.clone(), what: error.to_string() })?;
    Ok(Some(holder))
}
