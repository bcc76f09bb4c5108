//! Who is told what happens.

use super::{Code, warning};

pub(super) const CODES: &[Code] = &[warning(
    "notify-secret-missing",
    "a secret of one of the site's notifications cannot be read here; a run goes on without it",
    "set it where the run will be started, then try it with `lifeboat notify --test`",
)
.seen_in("clean")
.with("`notify:` naming a variable that is not set")];
