//! Runbooks: text → checked model, all problems at once.
//!
//! Pure: no file system, no clock, no network. `check` never stops at the first problem.

pub mod catalog;
pub mod resource_id;
pub mod schema;
pub mod span;

pub use catalog::{ActionKind, Effect};
pub use resource_id::ResourceId;
pub use schema::{Mode, Objectives, OnFailure, Parameter, ParameterType, Retry, Runbook, Step, StepId};
