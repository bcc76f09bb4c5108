//! Backups: taken, found, pruned, restored.

use super::{
    ACCESS, ACCESS_KEY_FIELDS, APIM_SERVICE, ActionKind, Effect, Entry, FieldType, STORAGE_ACCOUNT, optional, output,
    required, seconds,
};

pub(super) static BACKUP: Entry = Entry {
    kind: ActionKind::Backup,
    summary: "back a service up to a storage account, and write the manifest of what it holds beside the backup",
    fields: &[
        required("service", FieldType::ResourceId(APIM_SERVICE), "the service that is backed up"),
        required("storage", FieldType::ResourceId(STORAGE_ACCOUNT), "account that takes the backup"),
        required("container", FieldType::String, "blob container; it must exist"),
        optional(
            "name",
            FieldType::String,
            "blob name, which no blob may have yet; default: the service's name and the time",
        ),
        required("access", ACCESS, "how the service writes to the storage account"),
        optional("client_id", FieldType::String, "client id of the user-assigned identity"),
        optional(
            "access_key",
            FieldType::Record(ACCESS_KEY_FIELDS),
            "where the key is; default: listKeys at the moment of use",
        ),
        optional(
            "when_busy",
            FieldType::OneOf(&["wait", "skip"]),
            "what to do while the service is busy with something else; default wait",
        ),
    ],
    outputs: &[
        output("backup", "the backup, as backup.find-latest gives it"),
        output("name", "its blob name"),
        output("created", "its own creation, UTC"),
        output("expires", "30 days later, UTC"),
        output("manifest", "blob name of its manifest"),
        output("operation", "URL of the long-running operation, when Azure gave one"),
        output("duration", "how long the backup took"),
        output(
            "exposure",
            "age of the newest usable backup before this one, when this one was whole; absent when there was none. When no \
             backup was taken: its age then, or 30d without any",
        ),
        output("skipped", "why no backup was taken; absent when one was"),
    ],
    effect: Effect::Reversible,
    timeout: seconds(4 * 3600),
    typical: seconds(15 * 60),
    typical_source: "recorded: 10 minutes to several hours",
    traffic: None,
};

pub(super) static FIND_LATEST: Entry = Entry {
    kind: ActionKind::FindLatest,
    summary: "choose the newest backup that has not expired and can be restored",
    fields: &[
        required("storage", FieldType::ResourceId(STORAGE_ACCOUNT), "account that holds the backups"),
        required("container", FieldType::String, "blob container"),
        optional(
            "service",
            FieldType::ResourceId(APIM_SERVICE),
            "the service whose backups they are: one whose manifest names another, or without a manifest one that is not \
             named after it and a time, is rejected; default: what `prefix` says",
        ),
        optional("prefix", FieldType::String, "only blobs whose name begins so"),
        optional(
            "margin",
            FieldType::Duration,
            "a backup must stay valid this long beyond the longest restore; default 12h",
        ),
        optional(
            "restore_timeout",
            FieldType::Duration,
            "longest restore to allow for; default: the longest timeout of an apim.restore step of the plan",
        ),
    ],
    outputs: &[
        output("backup", "the chosen backup: storage, account, container, name, created, expires, age, size, manifest"),
        output("name", "its blob name"),
        output("created", "its own creation, UTC"),
        output("expires", "30 days later, UTC"),
        output("age", "its age when it was chosen"),
    ],
    effect: Effect::ReadOnly,
    timeout: seconds(5 * 60),
    typical: seconds(5),
    typical_source: "one listing",
    traffic: None,
};

pub(super) static PRUNE: Entry = Entry {
    kind: ActionKind::Prune,
    summary: "delete expired and surplus backups with their manifests; never the newest usable one",
    fields: &[
        required(
            "service",
            FieldType::ResourceId(APIM_SERVICE),
            "the service whose backups they are; a failover of it freezes them, when its run is kept in the same state directory",
        ),
        required("storage", FieldType::ResourceId(STORAGE_ACCOUNT), "account that holds the backups"),
        required("container", FieldType::String, "blob container"),
        optional(
            "prefix",
            FieldType::String,
            "only blobs whose name begins so; default: the service's name and a dash, with a time behind it",
        ),
        optional("keep", FieldType::Integer(1, 10_000), "newest usable backups that stay; default 7"),
        optional("keep_days", FieldType::Integer(1, 3_650), "backups younger than this stay; default 30"),
    ],
    outputs: &[
        output("deleted", "names of the backups that were deleted"),
        output("kept", "how many stay"),
        output("frozen", "which run of the same state directory froze the backups; absent when none did"),
    ],
    effect: Effect::Irreversible,
    timeout: seconds(10 * 60),
    typical: seconds(10),
    typical_source: "one listing and a few deletes",
    traffic: None,
};

pub(super) static RESTORE: Entry = Entry {
    kind: ActionKind::Restore,
    summary: "restore a backup to a service; cannot be undone",
    fields: &[
        required("service", FieldType::ResourceId(APIM_SERVICE), "the service that is overwritten"),
        required("backup", FieldType::Object, "the backup, from backup.find-latest"),
        required("access", ACCESS, "how the service reads the storage account"),
        optional("client_id", FieldType::String, "client id of the user-assigned identity"),
        optional(
            "access_key",
            FieldType::Record(ACCESS_KEY_FIELDS),
            "where the key is; default: listKeys at the moment of use",
        ),
    ],
    outputs: &[
        output("service", "resource id of the restored service"),
        output("operation", "URL of the long-running operation, when Azure gave one"),
        output("duration", "how long the restore took"),
    ],
    effect: Effect::Irreversible,
    timeout: seconds(90 * 60),
    typical: seconds(45 * 60),
    typical_source: "Microsoft: 45 minutes or more",
    traffic: None,
};
