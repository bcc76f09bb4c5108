//! Values against the shapes of the catalogue.

use serde_json::{Map, Value};

use super::catalog::ActionKind;

/// One argument that does not fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Misfit {
    /// `paths[0].expect_status`
    pub field: String,
    /// Lower-case fragment.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// Checks arguments whose expressions are resolved. Empty: all fits.
pub fn check_arguments(_kind: ActionKind, _arguments: &Map<String, Value>) -> Vec<Misfit> {
    unimplemented!()
}
