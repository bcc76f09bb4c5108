//! The simulator: the embedded default for a first run, the drill world and the test double are one thing.
//!
//! ```text
//!  scenario ─► World ◄─ http() dns() addresses()      in-process: no sockets, holds on a paused clock
//!               ▲ ▲
//!               │ └─── serve(): http, https, a TLS listener per gateway, DNS on UDP and TCP; loopback only
//!               └───── effects() requests() record() service()      what tests and people ask
//! ```
//!
//! One function answers every request, whichever way it came in. Time is the [`crate::clock::Clock`]'s;
//! chance is the scenario's seed. It never reaches out of the machine and never acts on real Azure.

pub mod bucket;
mod built_in;
pub mod condition;
pub mod fault;
pub mod observe;
pub mod pools;
mod private_zone;
pub mod scenario;

mod authority;
mod base64;
mod service_changes;
mod sinks;
mod state;
mod stock;
mod tap;
mod world;

mod account;
mod activity;
mod apim;
mod apim_lists;
mod apim_shown;
mod arm;
mod assertion;
mod authorization;
mod blob;
mod entra;
mod exchange;
mod front_door;
mod gateway;
mod health;
mod names;
mod respond;
mod traffic_manager;
mod vault;
mod versions;
mod zone;

pub mod command;
mod doors;
mod name_server;
mod place;
mod seam;
mod serve;
mod wire;

pub use bucket::Bucket;
pub use command::SimArguments;
pub use fault::{Act, DnsTrouble, Fault, GatewayFault, GatewayTrouble, MemberChange, Moment, On, Status, Twice};
pub use observe::{Effects, LoggedRequest, RecordView, ServiceView, Shape};
pub use scenario::{Region, RetryAfter, Scenario, ScenarioError};
pub use serve::{Addresses, ListenOptions, ServeError, Serving, serve};
pub use tap::Exchanged;
pub use world::{SnapshotError, World};
