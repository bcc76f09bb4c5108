//! What earlier runs and rehearsals tell.

use super::{Code, blocker, note, warning};

pub(super) const CODES: &[Code] = &[
    blocker(
        "not-rehearsed",
        "the runbook was not rehearsed for longer than the site's `rehearsal` allows; an unplanned run is only warned, and so is one \
         of a runbook that was rehearsed in time as another text",
        "rehearse it with `lifeboat drill`, then plan again",
    )
    .seen_in("clean")
    .with("a site with `rehearsal: { within: 90d }`, and `--mode planned`"),
    warning(
        "drill-left-over",
        "a rehearsal never came to its end, and what it moved was not put back",
        "go on with it, or give it up and take back what it changed; the finding names the command",
    )
    .seen_in("clean")
    .with("a drill whose process was killed"),
    note(
        "history-unread",
        "earlier runs could not be read: predictions rest on less, and whether it was rehearsed is not known",
        "repair or move what cannot be read from the store; a run does not need it",
    ).unread()
    .seen_in("clean")
    .with("a damaged journal where runs are kept"),
];
