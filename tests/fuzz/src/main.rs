//! One file for all targets: each binary has the name of its own.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lifeboat_fuzz::hold(env!("CARGO_BIN_NAME"), bytes));
