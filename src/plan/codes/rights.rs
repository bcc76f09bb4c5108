//! What the credential and the services may do, what a lock forbids, and what the resource manager still allows.

use super::{Code, blocker, note, warning};

pub(super) const CODES: &[Code] = &[
    blocker(
        "permission-missing",
        "the credential lacks a permission that a step needs",
        "grant it: `lifeboat rbac` prints a role with exactly what the runbook needs",
    ),
    warning(
        "permission-optional-missing",
        "the credential lacks a permission without which a step sees less",
        "grant it: `lifeboat rbac` prints a role with exactly what the runbook needs",
    )
    .unread(),
    warning(
        "permissions-unverified",
        "it is not known what the credential may do on a resource",
        "grant Microsoft.Authorization/permissions/read there",
    )
    .unread(),
    note(
        "permissions-open",
        "what a step acts on is only known in the run, so permissions on it could not be asked",
        "`lifeboat rbac` names what it needs; rehearse the runbook",
    )
    .unread()
    .seen_in("clean")
    .with("a `zone` that a `command` step prints"),
    blocker(
        "read-only-lock",
        "a ReadOnly lock on a resource, its group or its subscription forbids what a step does",
        "take the lock off before the failover (`az lock delete`), and put it back afterwards",
    ),
    note(
        "delete-lock",
        "a CanNotDelete lock holds; it does not stop a failover",
        "leave it; it protects what the failover needs",
    ),
    warning(
        "locks-unverified",
        "it is not known whether locks forbid what a step does",
        "grant Microsoft.Authorization/locks/read, or look at Locks in the portal",
    )
    .unread(),
    warning(
        "group-in-active-region",
        "something that a failover needs is in a resource group whose region is that of the active service",
        "move it to a resource group in another region: when a group's region is lost, changes in it may be refused",
    ),
    warning(
        "group-unverified",
        "the region of a resource group could not be read",
        "grant Microsoft.Resources/subscriptions/resourceGroups/read",
    )
    .unread(),
    warning(
        "arm-budget-low",
        "the resource manager is about to throttle this identity",
        "find out what else uses this identity and subscription; the budget refills within seconds once it stops",
    ),
];
