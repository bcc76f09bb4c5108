//! The graph of a plan's steps: the same one that the check of a runbook uses, where its code stands.

pub use crate::runbook::graph::Graph;
