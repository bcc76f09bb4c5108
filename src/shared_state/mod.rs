//! The object store that a site's `state:` names: which one, with which credential, over our own transport.
//!
//! ```text
//!  site::Location + site::StateCredential ── open ──► Arc<dyn ObjectStore> ──► net::Http
//!                                              │
//!                             secrets: read here, by reference; tokens: azure::TokenSource
//! ```
//!
//! Knows nothing of runs: what is kept there is `store`'s affair. Opening asks nobody.

mod amazon;
mod blob;
mod google;
mod look;
mod open;
mod transport;

pub use look::{Granted, granted, look};
pub use open::{Access, Unusable, open};
