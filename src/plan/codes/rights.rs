//! What the credential and the services may do, what a lock forbids, and what the resource manager still allows.

use super::Code;

pub(super) const CODES: &[Code] = &[];
