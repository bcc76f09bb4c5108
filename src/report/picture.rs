//! Graphs as text, Mermaid, Graphviz and SVG.

use crate::runbook::{Effect, Mode};

#[derive(Clone, Debug)]
pub struct Picture {
    pub title: String,
    pub nodes: Vec<Node>,
    /// From the step that is needed to the one that needs it; positions in `nodes`.
    pub edges: Vec<(usize, usize)>,
}

#[derive(Clone, Debug)]
pub struct Node {
    pub id: String,
    /// The action.
    pub label: String,
    pub effect: Effect,
    /// `None`: every mode.
    pub modes: Option<Vec<Mode>>,
}

impl Picture {
    pub fn of(_runbook: &crate::runbook::Runbook) -> Self {
        unimplemented!()
    }

    pub fn text(&self) -> String {
        unimplemented!()
    }

    pub fn mermaid(&self) -> String {
        unimplemented!()
    }

    pub fn dot(&self) -> String {
        unimplemented!()
    }

    pub fn svg(&self) -> String {
        unimplemented!()
    }
}
