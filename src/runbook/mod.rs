//! Runbooks: text → checked model, all problems at once.
//!
//! ```text
//!  bytes ─ source ─► tree with places ─ decode ─► draft ─ check ─► Runbook
//!                         │                          │
//!                         └───────── Problems ◄──────┘        every mistake, sorted by place
//!
//!  Runbook + values ─ parameter::bind ─► values by name ─ Scope ─► arguments without `${{ }}`
//! ```
//!
//! Pure: no file system, no clock, no network. `check` never stops at the first problem.

pub mod arguments;
pub mod catalog;
pub mod check;
mod decode;
mod draft;
pub mod expression;
pub(crate) mod fields;
pub mod graph;
pub mod json_schema;
pub mod parameter;
pub mod problem;
pub mod resource_id;
pub mod schema;
pub mod scope;
pub mod source;
pub mod span;

pub use arguments::check_arguments;
pub use catalog::{ActionKind, Effect};
pub use check::check;
pub use json_schema::json_schema;
pub use parameter::{Given, bind};
pub use problem::{Code, Place, Problem, Problems};
pub use resource_id::ResourceId;
pub use schema::{Mode, Objectives, OnFailure, Parameter, ParameterType, Retry, Runbook, Step, StepId};
pub use scope::{Scope, Unresolved, outputs_in, outputs_in_condition};
