//! Long-running operations: follow the returned URL verbatim, decide by body, survive everything in between.

use serde::{Deserialize, Serialize};

use super::{Arm, AzureError, arm::Reply};

/// Where an accepted operation can be watched. Everything needed to go on from another machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Verbatim from `Location` or `Azure-AsyncOperation`.
    pub url: String,
    /// Seconds to wait before the first look.
    pub retry_after_s: Option<u64>,
}

/// What one look at an operation said.
#[derive(Clone, Debug)]
pub enum OperationState {
    /// Goes on; `retry_after_s` from the answer.
    Running {
        retry_after_s: Option<u64>,
    },
    /// The final body, JSON null when it was empty.
    Succeeded(serde_json::Value),
    Failed {
        code: Option<String>,
        message: String,
    },
    /// Azure does not know the operation (any more): read the resource itself.
    Lost,
}

impl Operation {
    /// Prefers `Azure-AsyncOperation`, else `Location`; none when the answer names neither.
    pub fn from_reply(_reply: &Reply) -> Option<Self> {
        unimplemented!("first commit")
    }
}

/// One look.
///
/// # Errors
/// Only when nothing was learnt about the operation: no token, 403, throttled, no answer. Look again later.
pub async fn look(_arm: &Arm, _operation: &Operation) -> Result<OperationState, AzureError> {
    unimplemented!("first commit")
}
