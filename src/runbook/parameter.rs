//! Values for the parameters of a runbook.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Mode, Problems, Runbook};

/// Where values may come from; the later wins: default, site, file, set. In a drill, `drill:` wins over all.
#[derive(Debug, Default)]
pub struct Given<'a> {
    /// The site's `parameters`; names the runbook does not know are fine.
    pub site: BTreeMap<String, Value>,
    /// `--parameters FILE`: name and bytes.
    pub file: Option<(&'a str, &'a [u8])>,
    /// `--set name=value`, in order; the last wins.
    pub set: Vec<(String, String)>,
}

/// One value for every parameter.
pub fn bind(_runbook: &Runbook, _given: &Given<'_>, _mode: Mode) -> Result<BTreeMap<String, Value>, Problems> {
    unimplemented!()
}
