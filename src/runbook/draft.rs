//! A runbook as it was written: every value has its type and its place, nothing was looked up yet.

use std::time::Duration;

use serde_json::Map;

use super::{
    Mode, Objectives, OnFailure, ParameterType, Retry,
    catalog::ActionKind,
    problem::Span,
    source::{Entry, Node},
};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct At<T> {
    pub value: T,
    pub span: Span,
}

#[derive(Debug, Default)]
pub struct Draft<'n, 't> {
    pub name: String,
    pub description: Option<String>,
    pub objectives: Objectives,
    pub parameters: Vec<DraftParameter<'n, 't>>,
    pub steps: Vec<DraftStep<'n, 't>>,
}

#[derive(Debug)]
pub struct DraftParameter<'n, 't> {
    pub name: At<String>,
    /// `None`: it was wrong, and nothing is said of what follows from it.
    pub kind: Option<ParameterType>,
    pub description: Option<String>,
    pub default: Option<&'n Node<'t>>,
    pub drill: Option<&'n Node<'t>>,
}

#[derive(Debug)]
pub struct DraftStep<'n, 't> {
    /// Empty when it is missing or no text.
    pub id: At<String>,
    pub description: Option<String>,
    pub needs: Vec<At<String>>,
    pub modes: Option<Vec<Mode>>,
    /// The expression without `${{ }}`, and the node.
    pub when: Option<(String, &'n Node<'t>)>,
    pub timeout: Option<Duration>,
    pub retry: Option<Retry>,
    pub on_failure: OnFailure,
    pub action: Option<DraftAction<'n, 't>>,
}

#[derive(Debug)]
pub struct DraftAction<'n, 't> {
    pub kind: At<ActionKind>,
    pub arguments: Map<String, serde_json::Value>,
    pub entries: &'n [Entry<'t>],
}

impl DraftStep<'_, '_> {
    pub fn runs_in(&self, mode: Mode) -> bool {
        self.modes.as_ref().is_none_or(|modes| modes.contains(&mode))
    }
}
