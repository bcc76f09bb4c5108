//! How an API Management service reaches the storage account of a backup, and the key for it, read at the moment of use.

use secrecy::SecretString;

use super::{
    Context,
    arguments::{Access, AccessKey, Restore, TakeBackup},
    error,
    secret::{self, Purpose},
};
use crate::{
    azure::{Arm, AzureError, apim::StorageAccess, storage},
    plan::facts::Finding,
    run::{Disposition, StepError},
    runbook::ResourceId,
};

/// Read from where the runbook says; without a reference it is asked of Azure.
const STORAGE_KEY: Purpose = Purpose {
    code: "access-key-missing",
    what: "the access key of the storage account",
    remedy: "set it where lifeboat runs, or leave `access_key` out to have it asked of Azure",
};

/// The arguments of a backup or a restore that say how its service comes to the account.
#[derive(Clone, Copy, Debug)]
pub struct Reach<'a> {
    /// Name of the account.
    pub account: &'a str,
    /// Its id, where it is known.
    pub storage: Option<&'a ResourceId>,
    pub access: Access,
    pub client_id: Option<&'a str>,
    pub access_key: Option<&'a AccessKey>,
}

impl Restore {
    pub fn reach(&self) -> Reach<'_> {
        Reach {
            account: &self.backup.account,
            storage: self.backup.storage.as_ref(),
            access: self.access,
            client_id: self.client_id.as_deref(),
            access_key: self.access_key.as_ref(),
        }
    }
}

impl TakeBackup {
    pub fn reach(&self) -> Reach<'_> {
        Reach {
            account: self.storage.name(),
            storage: Some(&self.storage),
            access: self.access,
            client_id: self.client_id.as_deref(),
            access_key: self.access_key.as_ref(),
        }
    }
}

/// Fields that only make sense together.
///
/// # Errors
/// `invalid-arguments`, final.
pub fn check(reach: &Reach<'_>) -> Result<(), StepError> {
    let wrong = match (reach.access, reach.client_id, reach.access_key) {
        (Access::UserAssignedIdentity, None, _) => "`access: user-assigned-identity` needs `client_id`",
        (Access::SystemAssignedIdentity | Access::AccessKey, Some(_), _) => {
            "`client_id` belongs to `access: user-assigned-identity`"
        }
        (Access::SystemAssignedIdentity | Access::UserAssignedIdentity, _, Some(_)) => {
            "`access_key` belongs to `access: access-key`"
        }
        (Access::AccessKey, None, Some(key)) if key.reference().is_none() => {
            "`access_key` names one of `env`, `file` and `key_vault`"
        }
        (Access::AccessKey, None, None) if reach.storage.is_none() => {
            "`access: access-key` needs `access_key`, or a backup whose `storage` is a resource id to ask for the key"
        }
        (Access::UserAssignedIdentity, Some(_), None)
        | (Access::SystemAssignedIdentity, None, None)
        | (Access::AccessKey, None, _) => return Ok(()),
    };
    Err(StepError::new(Disposition::Final, "invalid-arguments", wrong, "correct the step's arguments in the runbook"))
}

/// The way in as a request says it, with `key` where a key is needed.
pub fn planned_access(reach: &Reach<'_>, key: SecretString) -> StorageAccess {
    match reach.access {
        Access::AccessKey => StorageAccess::AccessKey(key),
        Access::SystemAssignedIdentity => StorageAccess::SystemAssigned,
        Access::UserAssignedIdentity => {
            StorageAccess::UserAssigned { client_id: reach.client_id.unwrap_or_default().to_owned() }
        }
    }
}

/// The way in, with the key as it is now.
pub async fn access(reach: &Reach<'_>, context: &Context, arm: &Arm) -> Result<StorageAccess, StepError> {
    let key = match (reach.access, reach.access_key.and_then(AccessKey::reference), reach.storage) {
        (Access::SystemAssignedIdentity | Access::UserAssignedIdentity, _, _) => SecretString::default(),
        (Access::AccessKey, Some(reference), _) => secret::read(&reference, &STORAGE_KEY, context).await?,
        (Access::AccessKey, None, Some(id)) => storage::list_keys(arm, id)
            .await
            .map_err(|failure: AzureError| error::from_read(&format!("the keys of {}", id.name()), &failure))?,
        (Access::AccessKey, None, None) => {
            unreachable!("`check` has seen one of both; please report this as a bug")
        }
    };
    Ok(planned_access(reach, key))
}

/// A key that only the machine that runs the plan needs to have.
pub async fn absent_key(reach: &Reach<'_>, context: &Context) -> Option<Finding> {
    secret::absent(&reach.access_key.and_then(AccessKey::reference)?, &STORAGE_KEY, context).await
}
