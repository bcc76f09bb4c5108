//! Azure, as it is on the wire: tokens, the resource manager, long-running operations, and the
//! resources that a failover touches. No policy here: what an answer means for a run is decided in `action`.

pub mod apim;
pub mod arm;
pub mod credential;
pub mod dns;
pub mod health;
pub mod operation;
pub mod storage;

pub use arm::{Arm, AzureError, AzureErrorKind, Notice, NoticeSink, Reply, RequestBody};
pub use credential::{Environment, TokenSource};
pub use operation::{Operation, OperationState};
