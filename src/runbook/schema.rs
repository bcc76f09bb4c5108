//! The checked model of a runbook: what `check` hands on when there are no problems.
//!
//! Never holds a position in the text and never a value that was not checked.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{catalog::ActionKind, span};

/// `[a-z][a-z0-9-]*`, at most 64 bytes, unique in a runbook.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub Arc<str>);

impl StepId {
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why the runbook is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The active region lives; a fresh backup is taken first.
    Planned,
    /// The active region is lost.
    Unplanned,
    /// A rehearsal: traffic goes to a shadow name.
    Drill,
}

impl Mode {
    pub const ALL: [Self; 3] = [Self::Planned, Self::Unplanned, Self::Drill];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Unplanned => "unplanned",
            Self::Drill => "drill",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What happens to the run when a step has failed for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Running steps finish, nothing else starts.
    #[default]
    Stop,
    /// The failure is reported and the need on this step counts as met.
    Continue,
    /// As `stop`; then the reversible steps that were done are undone in reverse order.
    Undo,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objectives {
    /// Recovery time objective: from the start of the run to the end.
    #[serde(default, with = "span::optional", skip_serializing_if = "Option::is_none")]
    pub rto: Option<Duration>,
    /// Recovery point objective: the age of the backup when the run starts.
    #[serde(default, with = "span::optional", skip_serializing_if = "Option::is_none")]
    pub rpo: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts in all, the first one included; 1..=1000.
    pub attempts: u32,
    /// Wait between the end of one attempt and the start of the next.
    #[serde(with = "span")]
    pub delay: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterType {
    String,
    Integer,
    Boolean,
    Duration,
    ResourceId,
    Hostname,
    List,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: ParameterType,
    pub description: Option<String>,
    pub default: Option<serde_json::Value>,
    /// Used instead of any other value in a drill.
    pub drill: Option<serde_json::Value>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub id: StepId,
    pub description: Option<String>,
    pub needs: Vec<StepId>,
    /// `None`: every mode.
    pub modes: Option<Vec<Mode>>,
    /// Expression text without the `${{ }}`; must give a boolean.
    pub when: Option<String>,
    pub timeout: Option<Duration>,
    pub retry: Option<Retry>,
    pub on_failure: OnFailure,
    pub action: ActionKind,
    /// Field name → literal or text with `${{ }}`; names and literal types were checked.
    pub arguments: serde_json::Map<String, serde_json::Value>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Runbook {
    pub name: String,
    pub description: Option<String>,
    pub objectives: Objectives,
    pub parameters: Vec<Parameter>,
    /// In the order of the file.
    pub steps: Vec<Step>,
    /// SHA-256 of the file's bytes, hex.
    pub sha256: String,
}

impl Runbook {
    /// Longest timeout of the restores of a mode: how long a backup must stay valid.
    pub fn longest_restore(&self, mode: Mode) -> Duration {
        let of_mode = |step: &&Step| step.modes.as_ref().is_none_or(|modes| modes.contains(&mode));
        let restores = self.steps.iter().filter(|step| step.action == ActionKind::Restore).filter(of_mode);
        let timeouts = restores.map(|step| step.timeout.unwrap_or(step.action.entry().timeout));
        timeouts.max().unwrap_or(ActionKind::Restore.entry().timeout)
    }
}
