//! Azure, as it is on the wire: tokens, the resource manager, long-running operations, and the
//! resources that a failover touches. No policy here: what an answer means for a run is decided in `action`.

mod account;
pub mod activity;
mod advice;
pub mod apim;
pub mod apim_content;
pub mod apim_state;
pub mod arm;
mod assertion;
pub mod authorization;
mod blob_change;
mod blobs;
mod budget;
mod certificate_assertion;
mod chain;
pub mod credential;
pub mod dns;
mod encrypted_key;
mod environment;
mod exchange;
pub mod front_door;
mod gate;
pub mod groups;
pub mod health;
mod identity;
mod identity_transport;
pub mod inventory;
pub mod key_vault;
pub mod operation;
mod paged;
mod ready_token;
mod refusal;
pub mod retry_after;
pub mod storage;
pub mod traffic_manager;

pub use account::Account;
pub use arm::{Arm, AzureError, AzureErrorKind, Notice, NoticeSink, Reply, RequestBody};
pub use budget::Budget;
pub use credential::TokenSource;
pub use environment::Environment;
pub use gate::Gate;
pub use operation::{Operation, OperationState};
pub use ready_token::{read_secret, read_text};
pub use refusal::role_for;
