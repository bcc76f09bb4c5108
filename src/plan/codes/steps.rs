//! What keeps a step from being planned: its arguments, the way to Azure, Azure's own refusals. And the objectives.

use super::{Code, blocker, warning};

pub(super) const CODES: &[Code] = &[
    blocker("expression", "an expression of the step cannot be computed", "correct the expression in the runbook")
        .seen_in("clean")
        .with("an expression that names what a backup does not have"),
    blocker(
        "nothing-in-this-mode",
        "the mode leaves every step of the runbook out",
        "choose a mode that the steps' `modes` name",
    )
    .seen_in("clean")
    .with("`modes: [planned]` on every step"),
    blocker("argument", "an expression gave a value that the field does not take", "correct the value or the field")
        .seen_in("clean")
        .with("a parameter with a value of another kind"),
    blocker(
        "invalid-arguments",
        "the step's arguments do not fit each other, or one has a value that cannot be used",
        "correct them in the runbook or in the parameters",
    )
    .seen_in("clean")
    .with("`access: user-assigned-identity` without `client_id`"),
    blocker(
        "probe-timeout",
        "a probe got no answer in its time",
        "find out whether Azure can be reached from this machine, then plan again",
    )
    .unread(),
    blocker(
        "credential-unavailable",
        "no token could be had",
        "check `credential` in the site file; `token` takes a ready access token when the identity provider is down",
    )
    .unread()
    .seen_in("clean")
    .with("a site whose token variable is not set"),
    blocker(
        "unauthorized",
        "Azure does not accept the token, also when it is fresh",
        "log in again, or check that the credential belongs to the tenant that holds the resource",
    )
    .unread(),
    blocker(
        "forbidden",
        "Azure forbids a read that a step needs; the message names the permission",
        "grant the permission to the credential's identity",
    )
    .unread(),
    blocker("not-found", "a resource does not exist, or may not be seen", "check the resource id"),
    blocker(
        "service-locked",
        "Azure refuses a read while another operation goes on",
        "wait until the running operation has ended, then plan again",
    )
    .unread(),
    blocker("conflict", "Azure refuses a read because of a conflict", "read Azure's message").unread(),
    blocker(
        "precondition-failed",
        "Azure refuses a read because of a condition that this tool did not set",
        "a proxy may add conditions; look at the request in between",
    )
    .unread(),
    blocker("throttled", "Azure throttles for longer than a call waits", "wait a few minutes, then plan again")
        .unread(),
    blocker(
        "azure-unavailable",
        "Azure answers with a server error for longer than a call waits",
        "look at https://azure.status.microsoft, then plan again",
    )
    .unread(),
    blocker("rejected", "Azure calls a read wrong", "read Azure's message and correct the parameters").unread(),
    blocker(
        "unreachable",
        "Azure gives no answer to a read",
        "check this machine's network, proxy and resolvers, then plan again",
    )
    .unread(),
    blocker(
        "malformed-answer",
        "an answer cannot be understood",
        "a proxy may have answered instead of Azure; check HTTPS_PROXY, then plan again",
    )
    .unread(),
    warning(
        "program-not-found",
        "the program of a `command` step is not on this machine",
        "install it on the machine that will run this, or give its full path",
    )
    .seen_in("clean")
    .with("a `command` step whose program does not exist"),
    warning(
        "rto-predicted-missed",
        "the steps are expected to take longer than the recovery time objective",
        "shorten the critical path or agree on another objective",
    )
    .seen_in("clean")
    .with("`objectives: { rto: 20m }`"),
    warning(
        "rpo-predicted-missed",
        "the newest usable backup is older than the recovery point objective",
        "find out why no newer backup was made; take one while the active service still answers",
    ),
];
