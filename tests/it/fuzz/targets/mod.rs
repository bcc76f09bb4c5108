//! What must hold of every byte string, one function a reader. Each is called by `tests/it/fuzz.rs`, which replays and
//! mutates the corpus, and by libFuzzer through `tests/fuzz`; so nothing here knows either of them.
//!
//! A reader never panics, never takes long, and either understands or says where it could not and what to do. What it
//! understood can be written down and read back.

mod blobs;
mod expression;
mod journal;
mod manifest;
mod operation;
mod problems;
mod runbook;
mod scenario;
mod site;

/// Something that reads what others wrote.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub name: &'static str,
    /// Folders of the project whose files are inputs too.
    pub seeds: &'static [&'static str],
    pub hold: fn(&[u8]),
}

pub const TARGETS: &[Target] = &[
    Target { name: "blobs", seeds: &[], hold: blobs::hold },
    Target { name: "expression", seeds: &[], hold: expression::hold },
    Target { name: "journal", seeds: &["tests/it/fixtures"], hold: journal::hold },
    Target { name: "manifest", seeds: &[], hold: manifest::hold },
    Target { name: "operation", seeds: &[], hold: operation::hold },
    Target { name: "runbook", seeds: &["runbooks"], hold: runbook::hold },
    Target { name: "scenario", seeds: &["examples/scenarios", "examples/scenarios/readiness"], hold: scenario::hold },
    Target { name: "site", seeds: &["examples"], hold: site::hold },
];
