//! Where runs are kept: whether a failover can be written down, and whether what is written outlives the region.

use super::{Code, blocker, note, warning};

pub(super) const CODES: &[Code] = &[
    blocker(
        "state-unreadable",
        "the object store in which runs are kept cannot be opened or listed",
        "see that the container exists and that the credential may list, read and write there",
    )
    .unread()
    .seen_in("clean")
    .with("`state:` naming a container that is not there"),
    blocker(
        "state-read-only",
        "the shared access signature of the state does not allow what a run needs",
        "make one that allows to read, write, delete and list (`sp=rwdl`)",
    )
    .seen_in("clean")
    .with("`state_credential: { sas: … }` with a signature for reading"),
    warning(
        "state-credential-ends",
        "the shared access signature of the state has ended or ends within a day",
        "make one that lives longer, or use the site's own credential (`state_credential: { site: {} }`)",
    )
    .seen_in("clean")
    .with("`state_credential: { sas: … }` with a signature that ends soon"),
    warning(
        "state-region",
        "runs are kept in the region of the active service: a loss of the region takes the journal too",
        "keep runs in an account in another region",
    )
    .seen_in("storage-region")
    .with("`state:` naming that account"),
    warning(
        "state-region-unknown",
        "it is not known in which region the account is that runs are kept in",
        "grant Microsoft.Storage/storageAccounts/read on its subscription, or look in the portal",
    )
    .unread()
    .seen_in("clean")
    .with("`state:` naming an account of another subscription"),
    note(
        "state-elsewhere",
        "runs are kept outside of Azure, or in an emulator: where was not looked at",
        "see that it does not depend on the region that would be lost",
    )
    .unread()
    .seen_in("clean")
    .with("`state: s3://…`"),
];
