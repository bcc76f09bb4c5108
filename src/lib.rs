//! `lifeboat`: disaster-recovery failover for Azure API Management.
//!
//! ```text
//!  runbooks/*.yaml   site.yaml
//!         │              │
//!    runbook::check      │        pure: text → checked model, all Problems at once
//!         │              │
//!       plan  ◄── action::probe ── azure/ net/     facts + parameters → Plan {digest, steps, facts, graph}
//!         │
//!    run::engine ─ decide(plan, state, now) → Commands      pure decision, one loop does I/O
//!         │  ▲                │
//!      Event │                ▼
//!         ▼  └──────── action::perform / undo ── azure/ net/ (or sim/)
//!    journal (append, fsync, hash chain) ── store/
//!         │
//!    report: live bars · lines · JSON · pictures            every one is a fold of the same events
//! ```
//!
//! Dependency rule, checked by a test: `runbook ← plan ← run ← report`; `action → azure, net`;
//! `run::engine → action`; `cli` may use all. `runbook`, `plan::{graph,facts,timeline,text}` and
//! `run::{event,state,decide}` import no tokio, no reqwest, no file system and no clock.

pub mod action;
pub mod azure;
pub mod cli;
pub mod clock;
pub mod net;
pub mod notify;
pub mod plan;
pub mod prove;
pub mod report;
pub mod run;
pub mod runbook;
pub mod schedule;
pub mod shared_state;
pub mod sim;
pub mod site;
pub mod store;
pub mod style;
