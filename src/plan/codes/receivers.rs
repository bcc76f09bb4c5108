//! Who is told what happens.

use super::{Code, warning};

pub(super) const CODES: &[Code] = &[
    warning(
        "notify-secret-missing",
        "a secret of one of the site's notifications cannot be read here; a run goes on without it",
        "set it where the run will be started, then try it with `lifeboat notify --test`",
    )
    .seen_in("clean")
    .with("`notify:` naming a variable that is not set"),
    warning(
        "notify-nobody",
        "a `notify` step would tell nobody: no receiver of the site takes messages of a runbook",
        "add one to `notify` in the site file, or `message` to the `on` of one that is there",
    )
    .seen_in("clean")
    .with("a `notify` step, and a site that tells nobody"),
    warning(
        "notify-stops-the-run",
        "a `notify` step without `on_failure: continue`: the run stops there when somebody cannot be told",
        "write `on_failure: continue` on the step, unless nothing may go on before everybody is told",
    )
    .seen_in("clean")
    .with("a `notify` step, and a site that tells somebody"),
];
