//! skeleton

pub mod terminal;
