//! The one integration binary. What stands where is told in `docs/architecture.md`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it stands")]
#![expect(clippy::disallowed_methods, reason = "tests time and configure real processes")]

#[cfg(unix)]
mod abuse;
mod actions;
mod azure;
mod azurite;
mod cli;
mod contract;
mod decide;
mod docs;
mod dossier;
mod engine;
mod faults;
mod fuzz;
mod hands;
mod harness;
mod journal;
mod net;
mod notify;
mod over_live;
mod overrides;
mod planned;
mod problems;
mod process;
mod prove;
mod readiness;
mod rehearsals;
mod report;
mod runbooks;
mod schedule;
mod shared_state;
mod shared_stores;
mod sim;
mod simulate;
mod store;
mod tidy;
mod transitions;
mod way_back;
