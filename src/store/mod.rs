//! Where runs are kept: a directory a run, a lock for its driver, a lock for each target.

pub mod directory;
pub mod inbox;
pub mod lock;

pub use directory::{RunDirectory, Store, StoreError};
pub use lock::{DriverLock, Holder};
