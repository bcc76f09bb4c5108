//! The project's own rules, held against its own text: layers, sizes, names, forgotten files, reasons, links.
//! Every exception is listed with its reason, and one that is no longer needed fails too.

mod layers;
mod paper;
mod shape;
pub mod source;
