//! Other switches of traffic: private names, Traffic Manager's endpoints, Front Door's origins.

use super::{Code, blocker, note, warning};

const STEP: &str = "a step that sets an endpoint so";

pub(super) const CODES: &[Code] = &[
    blocker(
        "record-auto-registered",
        "Azure registered the private record for a virtual machine, and rewrites it",
        "move another name: one that people made in the zone",
    )
    .with("a `private-dns.flip-cname` step"),
    blocker(
        "profile-not-found",
        "there is no such profile, or no such origin group in it",
        "check the profile's resource id, and the origin group's name where there is one",
    )
    .seen_in("clean")
    .with("a step that names another profile"),
    warning(
        "profile-disabled",
        "the Traffic Manager profile is disabled as a whole, and answers nobody",
        "enable the profile, or move traffic elsewhere",
    )
    .with(STEP),
    blocker("endpoint-not-found", "the profile has no such endpoint", "name one that it has")
        .seen_in("clean")
        .with("a step that names another endpoint"),
    blocker("origin-not-found", "the origin group has no such origin", "name one that it has")
        .seen_in("clean")
        .with("a step that names another origin"),
    blocker("endpoint-type", "the endpoint is of another type than the step says", "correct `type`")
        .seen_in("clean")
        .with(STEP),
    blocker("nothing-to-set", "the step says nothing that shall be different", "say what shall be different")
        .seen_in("clean")
        .with(STEP),
    blocker(
        "named-twice",
        "the step names an endpoint or origin twice",
        "name it once, with all that shall be different",
    )
    .seen_in("clean")
    .with(STEP),
    blocker(
        "nothing-enabled",
        "every endpoint or origin would end disabled",
        "enable the one that shall take the traffic in the same step, first",
    )
    .seen_in("clean")
    .with(STEP),
    warning(
        "nothing-enabled-between",
        "between two requests nothing would be enabled",
        "name what is to be enabled before what is to be disabled",
    )
    .seen_in("clean")
    .with(STEP),
    blocker(
        "priority-taken",
        "two endpoints would have one priority, which Traffic Manager refuses at every step",
        "first give the one that steps back a free number",
    )
    .seen_in("clean")
    .with(STEP),
    blocker(
        "priority-missing",
        "some endpoints would have a priority and others none, which Traffic Manager refuses",
        "give every endpoint a priority, or none",
    )
    .with(STEP),
    warning(
        "endpoint-unhealthy",
        "Traffic Manager's probes say that an endpoint which shall take traffic is not healthy",
        "see that its health probe passes",
    )
    .with(STEP),
    note(
        "endpoint-unprobed",
        "the endpoint is disabled, so Traffic Manager does not know whether it is healthy",
        "check its gateway in a step before",
    )
    .unread()
    .seen_in("clean")
    .with(STEP),
];
