//! The storage account: whether the service gets at the backup, and whether the backup outlives the region.

use super::{Code, blocker, warning};

pub(super) const CODES: &[Code] = &[
    blocker(
        "shared-key-disabled",
        "the restore comes with an access key, and the account refuses keys",
        "use `access: system-assigned-identity`, or allow key access on the account",
    )
    .with("`access: access-key`"),
    warning(
        "access-key-missing",
        "the variable or file that should hold the access key is not on this machine",
        "set it where the run will be started",
    )
    .seen_in("clean")
    .with("`access_key: { env: … }`"),
    warning(
        "storage-not-public",
        "the account's public network access is disabled, and the restore reads it from the control plane",
        "rehearse it, or open the account",
    ),
    blocker(
        "storage-firewall-same-region",
        "the account's firewall cannot let in a service of its own region that comes with an access key",
        "use `access: system-assigned-identity`, or an account in another region",
    )
    .seen_in("storage-firewall")
    .with("`access: access-key`"),
    blocker(
        "storage-firewall",
        "the account's firewall does not let trusted Azure services pass",
        "add `AzureServices` to the account's network bypass",
    ),
    warning(
        "storage-firewall-user-identity",
        "the account has a firewall, and the restore comes with a user-assigned identity, which nothing promises to let in",
        "use the system-assigned identity with the `AzureServices` bypass, or rehearse the restore",
    )
    .with("`access: user-assigned-identity`"),
    warning(
        "storage-unverified",
        "the account's settings could not be read",
        "grant Microsoft.Storage/storageAccounts/read, or check its firewall and its keys by hand",
    ).unread(),
    warning(
        "storage-region",
        "the account is in the region of the active service: a loss of the region takes the backups too",
        "keep backups in an account in another region, or copy them there",
    ),
    warning(
        "storage-primary-unavailable",
        "the account's primary region does not answer",
        "fail the account over, or use a copy in another account",
    ),
    warning(
        "backup-not-replicated",
        "the newest backup is younger than the geo-redundant copy that would have to stand in",
        "count the recovery point from the last sync, or copy backups to an account in another region",
    ),
    blocker(
        "storage-cors",
        "the blob service has CORS rules, which break backup and restore",
        "remove the CORS rules from the storage account's blob service",
    ),
    warning(
        "storage-cors-unknown",
        "it is not known whether the blob service has CORS rules",
        "grant Microsoft.Storage/storageAccounts/blobServices/read, or look in the portal",
    ).unread(),
    blocker(
        "identity-role-missing",
        "the standby's identity does not hold the role that lets it read the backup",
        "grant `Storage Blob Data Contributor` on the account to the standby's identity",
    ),
    warning(
        "roles-unverified",
        "it is not known whether the standby's identity may read the backup",
        "grant Microsoft.Authorization/roleAssignments/read, or look at the account's Access control",
    ).unread(),
    blocker(
        "storage-unreadable",
        "the container that a backup goes to cannot be listed",
        "grant `Storage Blob Data Contributor` on the account to the credential's identity: it writes the manifest",
    ).unread()
    .with("an `apim.backup` step"),
    blocker(
        "container-missing",
        "there is no such container for a backup",
        "create it: `az storage container create`; Azure may not make it by itself",
    )
    .seen_in("clean")
    .with("an `apim.backup` step to another container"),
    blocker(
        "backup-exists",
        "a backup would overwrite a blob",
        "leave `name` out to have one made of the service's name and the time, or give another",
    )
    .seen_in("clean")
    .with("an `apim.backup` step with the name of a blob"),
];
