//! Plans in files: sealed, so that whoever runs one runs what was read and approved. Pure.
//!
//! Resilient against: an edit of any value of the file (the seal), of what is planned (the digest too).
//! Not resilient against: somebody who computes both anew. Approvals are, for what the digest rests on, and each has an end of
//! its own; the rest of the file (its end, its effects, its targets) is made anew when it is run, but for where runs are kept
//! and how to sign in, for which whoever runs it names a site of their own.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FORMAT, Plan, digest::digest};
use crate::run::{approval::short, journal::hex};

/// What a plan in a file holds beside the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// As it was typed; where it is looked for when the plan is run.
    pub runbook_file: String,
    /// Its text: a run needs nothing but the plan.
    pub runbook: String,
    /// From then on it is not run any more; none: as long as nothing moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// The arguments of the command that makes such a plan anew.
    pub again: String,
    /// SHA-256, hex, over the file without it.
    #[serde(default)]
    pub seal: String,
}

/// Why a file cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SavedProblem {
    #[error("it is no plan in JSON ({0})")]
    NotPlan(String),
    #[error("it is a plan of format {0}, and this version knows up to {FORMAT}")]
    Newer(u64),
    #[error("it was printed, not saved: it does not hold its runbook")]
    Printed,
    #[error("it was changed by hand: its digest says {}, and its content makes {}", short(.written), short(.made))]
    Digest { written: String, made: String },
    #[error("it was changed by hand: its seal does not fit its content")]
    Seal,
}

/// The text of a plan's file.
pub fn write(plan: &Plan, saved: Saved) -> String {
    let mut plan = Plan { saved: Some(Box::new(Saved { seal: String::new(), ..saved })), ..plan.clone() };
    let seal = seal(&serde_json::to_value(&plan).expect("plans have text keys"));
    if let Some(saved) = &mut plan.saved {
        saved.seal = seal;
    }
    serde_json::to_string_pretty(&plan).expect("plans have text keys") + "\n"
}

/// Of the file's values, in their order.
fn seal(file: &Value) -> String {
    let mut bare = file.clone();
    if let Some(saved) = bare.get_mut("saved").and_then(Value::as_object_mut) {
        saved.shift_remove("seal");
        saved.insert("seal".to_owned(), Value::from(""));
    }
    hex(bare.to_string().as_bytes())
}

/// The text may be a plan: a runbook is YAML, and no mapping of braces.
pub fn is_plan(text: &[u8]) -> bool {
    text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

/// Reads a plan's file and holds its content against its digest and its seal.
///
/// # Errors
/// Why it is not run.
pub fn read(text: &[u8]) -> Result<(Plan, Saved), SavedProblem> {
    let value: Value = serde_json::from_slice(text).map_err(|error| SavedProblem::NotPlan(error.to_string()))?;
    if let Some(format) = value.get("format").and_then(Value::as_u64).filter(|format| *format > u64::from(FORMAT)) {
        return Err(SavedProblem::Newer(format));
    }
    let written = seal(&value);
    let plan: Plan = serde_json::from_value(value).map_err(|error| SavedProblem::NotPlan(error.to_string()))?;
    let Some(saved) = plan.saved.as_deref().cloned() else { return Err(SavedProblem::Printed) };
    let made = digest(&plan);
    if made != plan.digest {
        return Err(SavedProblem::Digest { written: plan.digest.clone(), made });
    }
    if written != saved.seal {
        return Err(SavedProblem::Seal);
    }
    Ok((plan, saved))
}
