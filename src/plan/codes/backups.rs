//! The backups: whether there is one that can be restored.

use super::{Code, blocker, note, warning};

pub(super) const CODES: &[Code] = &[
    blocker(
        "no-backups",
        "there is no backup whose name begins as it should",
        "check `container` and `prefix`; make a backup while a service still answers",
    ),
    blocker(
        "backups-expired",
        "every backup is older than Azure restores, or would be before the restore has ended",
        "make a fresh backup while a service still answers, or deploy the configuration from source",
    ),
    blocker(
        "no-usable-backup",
        "no backup can be restored: archived, empty, half copied, expired, or of another service",
        "repair what the reasons name, or check `container`, `prefix` and `service`",
    ),
    blocker(
        "container-not-found",
        "the account has no such container",
        "check `container`; a deleted container can be restored for as long as its soft delete keeps it",
    ),
    warning(
        "only-one-backup",
        "there is one backup that can be restored, and nothing to fall back to",
        "check that backups are still being made",
    ),
    warning(
        "manifest-missing",
        "no manifest names what the backup holds, so that the restored service cannot be held against it",
        "let apim.backup take the backups; without a manifest the proof is gone past with `lifeboat skip`",
    )
    .unread()
    .seen_in("tier-not-compared")
    .with("an apim.verify-restore step"),
    blocker(
        "backup-missing",
        "the backup that the step names is not there",
        "name another backup; undelete the blob if soft delete is on",
    )
    .seen_in("clean")
    .with("a backup given by name"),
    blocker(
        "backup-expired",
        "the backup that the step names is older than Azure restores",
        "name another backup, or let backup.find-latest choose",
    )
    .seen_in("clean")
    .with("a backup given by name"),
    blocker(
        "backup-unusable",
        "the backup that the step names cannot be read as it is",
        "name another backup, or let backup.find-latest choose",
    )
    .seen_in("unusable-newest")
    .with("a backup given by name"),
    blocker(
        "backup-of-another-service",
        "the manifest of the backup names another service than the one that is replaced",
        "set `service` of backup.find-latest, or correct `active` of apim.verify-standby",
    )
    .seen_in("clean")
    .with("another service as `active` of verify-standby"),
    warning(
        "newest-backup-unusable",
        "backups newer than the one that would be restored are archived, empty or half copied",
        "find out what moves or breaks new backups; the recovery point is older than it looks",
    )
    .seen_in("unusable-newest"),
    warning(
        "runs-unread",
        "it is not known whether another run of the state directory needs the backups that would be pruned",
        "repair or move what cannot be read from the state directory; until then the step deletes nothing",
    )
    .unread()
    .seen_in("clean")
    .with("a damaged journal in the state directory"),
    warning(
        "backup-without-manifest",
        "the backup that would be restored has no manifest",
        "take backups with `apim.backup`, which writes one: in an outage the active service cannot be asked",
    )
    .unread(),
    note(
        "changed-since-backup",
        "the activity log names what was changed in the service since the backup was made",
        "change it again after the restore, or take a fresh backup while the service still answers",
    ),
    note(
        "changes-unread",
        "the activity log could not be read, so what was changed since the backup is not known by name",
        "grant Microsoft.Insights/eventtypes/values/read on the service's resource group",
    )
    .unread(),
    warning(
        "backup-expires-soon",
        "the newest usable backup expires within a week",
        "find out why no newer backup was made",
    ),
];
