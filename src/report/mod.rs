//! What people and programs see: every view is a fold of the same facts.

pub mod picture;
