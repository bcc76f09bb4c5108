//! What expressions can see, and their values.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::{Mode, StepId};

/// Why a value cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// The step has not given its outputs yet.
    #[error("`steps.{step}.{output}` is not known yet")]
    Output { step: StepId, output: String },
    /// There is no run yet.
    #[error("`run` is not known yet")]
    Run,
    /// It can never be had. Lower-case fragment.
    #[error("{0}")]
    Wrong(String),
}

/// What expressions can see.
#[derive(Debug)]
pub struct Scope {
    parameters: BTreeMap<String, Value>,
    mode: Mode,
    run: Option<String>,
    outputs: HashMap<StepId, Map<String, Value>>,
}

impl Scope {
    /// `run`: `None` while planning.
    pub fn new(parameters: BTreeMap<String, Value>, mode: Mode, run: Option<String>) -> Self {
        Self { parameters, mode, run, outputs: HashMap::new() }
    }

    /// An output that is not in `outputs` is wrong from now on, not "not known yet". A skipped step has an empty map.
    /// While planning: see `set_predicted`.
    pub fn set_outputs(&mut self, step: StepId, outputs: Map<String, Value>) {
        self.outputs.insert(step, outputs);
    }

    /// Outputs as far as a probe knows them: others stay "not known yet".
    pub fn set_predicted(&mut self, _step: StepId, _outputs: Map<String, Value>) {
        unimplemented!()
    }

    /// Every `${{ }}` replaced by its value, in lists and maps too.
    pub fn resolve(&self, _arguments: &Map<String, Value>) -> Result<Map<String, Value>, Unresolved> {
        unimplemented!()
    }

    /// As `resolve`, but text that depends on something not known yet stays as it is; the second part says on what.
    ///
    /// # Errors
    /// Lower-case fragment: something is wrong, not merely unknown.
    pub fn resolve_known(
        &self,
        _arguments: &Map<String, Value>,
    ) -> Result<(Map<String, Value>, Vec<Unresolved>), String> {
        unimplemented!()
    }

    /// `expression` without `${{ }}`, as in `Step::when`.
    pub fn condition(&self, _expression: &str) -> Result<bool, Unresolved> {
        unimplemented!()
    }
}
