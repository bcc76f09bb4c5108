//! Which step waits for which.

use std::time::Duration;

use crate::runbook::StepId;

/// A graph of steps; indices are positions in the list it was made from.
#[derive(Debug)]
pub struct Graph {}

impl Graph {
    /// Needs that name no step are left out. Cheap: linear in steps and needs.
    pub fn new<'a, S>(_steps: S) -> Self
    where
        S: IntoIterator<Item = (&'a StepId, &'a [StepId])>,
    {
        unimplemented!()
    }

    /// Every step after its needs; among ready ones, the order of the list.
    ///
    /// # Errors
    /// The cycles, each as the list of its steps' indices, every step needing the next and the last the first.
    pub fn order(&self) -> Result<Vec<usize>, Vec<Vec<usize>>> {
        unimplemented!()
    }

    /// The needs of every step that stays, with those of left-out steps passed on. Empty for a step that goes.
    pub fn needs_without(&self, _left_out: &[bool]) -> Vec<Vec<usize>> {
        unimplemented!()
    }

    /// The longest chain and how long it takes.
    pub fn critical_path(&self, _durations: &[Duration]) -> (Vec<usize>, Duration) {
        unimplemented!()
    }
}
