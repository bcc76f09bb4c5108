//! The targets of `tests/it/fuzz`, for libFuzzer's binaries.

#[path = "../../it/fuzz/targets/mod.rs"]
pub mod targets;

/// Holds what `name` reads against `bytes`. Panics where something does not hold.
pub fn hold(name: &str, bytes: &[u8]) {
    let target = targets::TARGETS.iter().find(|target| target.name == name);
    (target.expect("every binary has the name of a target").hold)(bytes);
}
