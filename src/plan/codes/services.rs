//! The services: whether the standby can take a restore, and what of it a restore will not make like the active one.

use super::{Code, blocker, note, warning};

pub(super) const CODES: &[Code] = &[
    blocker(
        "standby-not-found",
        "there is no such standby, or the credential may not see it",
        "check the id; a wrong subscription also answers 404",
    ),
    blocker(
        "standby-busy",
        "the standby has an operation running, and takes no restore meanwhile",
        "wait until its running operation has ended; `az apim show` tells its provisioningState",
    ),
    blocker(
        "standby-broken",
        "the standby is in a state that it does not leave by itself",
        "repair it first: its activity log says what failed, and Azure support can reset it",
    ),
    warning(
        "service-busy",
        "the service that is to be backed up has an operation running, and takes no backup meanwhile",
        "nothing: the step waits until it is idle, or says that it took none (`when_busy: skip`)",
    )
    .seen_in("standby-busy")
    .with("an apim.backup step"),
    blocker(
        "service-broken",
        "the service that is to be backed up is in a state that it does not leave by itself",
        "repair it first: its activity log says what failed, and Azure support can reset it",
    )
    .seen_in("standby-broken")
    .with("an apim.backup step"),
    blocker("tier-unknown", "Azure does not say which tier the standby has", "check that the id is that of a service")
        .unread(),
    blocker(
        "tier-cannot-restore",
        "the standby's tier has no backup and restore",
        "use a standby of tier Developer, Basic, Standard or Premium; the v2 tiers and Consumption cannot restore",
    ),
    blocker(
        "tier-mismatch",
        "the standby has another tier than the service that was backed up",
        "change the standby's tier, or choose another standby",
    ),
    blocker(
        "restore-over-live",
        "clients use the service that would be overwritten: a name leads to its gateway",
        "if the failover has happened already, nothing is left to do; `--force REASON` overwrites what is in use",
    ),
    warning(
        "serving-unverified",
        "no resolver tells whether a hostname leads to the service that would be overwritten",
        "make sure by other means that no client uses it; let this machine ask the site's `dns.resolvers`",
    )
    .unread(),
    warning(
        "tier-not-compared",
        "neither the active service nor a manifest tells which tier the backup is of",
        "set `expect_tier`; Azure itself refuses a restore of another tier, but only once it is asked",
    )
    .unread(),
    blocker(
        "workspaces",
        "the standby has workspaces, and Azure refuses to restore to such a service",
        "delete the workspaces, or choose a standby without any",
    ),
    warning(
        "workspaces-unknown",
        "it is not known whether the standby has workspaces",
        "grant Microsoft.ApiManagement/service/workspaces/read, or look in the portal",
    )
    .unread(),
    warning(
        "same-region",
        "the standby is in the region of the service that it stands in for",
        "an outage of that region takes both; choose a standby in another region",
    ),
    note(
        "standby-smaller",
        "the standby has fewer units than the active service",
        "scale it out after the failover if the load needs it",
    ),
    warning(
        "no-identity",
        "the standby has no managed identity, so it can read the backup by access key only",
        "assign one and grant it `Storage Blob Data Contributor` on the account, or use `access: access-key`",
    ),
    blocker(
        "identity-missing",
        "the standby does not have the identity that the restore comes with",
        "assign the identity and grant it `Storage Blob Data Contributor` on the account, or use `access: access-key`",
    )
    .seen_in("no-identity"),
    warning(
        "hostname-missing",
        "the standby's gateway does not serve a hostname of the active one",
        "add the hostname with its certificate to the standby; a restore does not bring hostnames",
    ),
    warning(
        "certificate-differs",
        "the standby shows another certificate for a hostname",
        "check that clients accept both; the same certificate on both is what Microsoft recommends",
    ),
    warning(
        "certificate-untrusted",
        "the standby's gateway shows no good certificate for the hostname",
        "a restore brings no certificates: install one for this hostname on the standby",
    )
    .seen_in("gateway-certificate"),
    warning(
        "certificate-expiring",
        "the certificate that the standby's gateway shows has too few days left",
        "renew the certificate on the standby, or lower `certificate_days` if you accept the risk",
    ),
    warning(
        "certificate-unexpected",
        "the standby's gateway shows another certificate than the step's `thumbprint`",
        "install the expected certificate on the standby, or correct `thumbprint`",
    )
    .seen_in("clean")
    .with("a `thumbprint` in the health check"),
    warning(
        "subscription-key-missing",
        "the variable or file that should hold the subscription key of a path is not on this machine",
        "set it where the run will be started",
    )
    .seen_in("clean")
    .with("`subscription_key: { env: … }` in the health check"),
    note(
        "configuration-differs",
        "only one of two services has what is named",
        "know what is lost when one is overwritten with the other",
    )
    .seen_in("clean")
    .with("an apim.compare step"),
    warning(
        "gateway-unknown",
        "Azure names no gateway of the standby",
        "wait until the service is activated; a service whose gateway is disabled cannot take over",
    )
    .unread(),
    warning(
        "gateway-not-found",
        "the name of the standby's gateway cannot be looked up",
        "check the site's `dns.resolvers`; an internal gateway has an address inside its virtual network only",
    ),
    blocker(
        "service-looks-alive",
        "the active service looks alive, and the mode is `unplanned`",
        "to move a living service on purpose, run in the mode `planned`; `--force REASON` goes on and records it",
    )
    .seen_in("clean")
    .with("`lifeboat plan`: in readiness a living service is the normal case"),
    blocker(
        "outage-not-shown",
        "nothing shows that the active service is lost",
        "give the credential the right to read the service, or look from a machine that can reach its gateway",
    )
    .unread(),
    blocker(
        "nothing-observed",
        "nothing could be seen of the active service, nor of anything else",
        "this machine may be cut off itself: check its network and resolvers, or run from elsewhere",
    )
    .unread(),
    note("active-silent", "the active service does not answer", "expected in an outage").unread(),
    note(
        "active-unverified",
        "the active service cannot be asked, so it could not be compared with the standby",
        "expected in an outage; on any other day let this credential and this machine reach it",
    )
    .unread()
    .seen_in("active-silent"),
    blocker(
        "standby-deleted",
        "the standby was deleted less than two days ago; its name is kept, and it can be brought back",
        "bring it back (`az rest --method put` with `properties.restore: true`), or purge it and build another",
    ),
    warning(
        "platform-retired",
        "the standby runs on a platform that Azure has retired",
        "migrate it to stv2 (`az apim show` tells platformVersion)",
    ),
    blocker(
        "api-version-too-old",
        "the standby refuses the API version that this program speaks",
        "lower `apiVersionConstraint.minApiVersion` of the service, or use a newer lifeboat",
    ),
    warning(
        "network-failing",
        "the standby does not reach something that it depends on",
        "look at its Network status in the portal: a route, a firewall or a service endpoint is missing",
    ),
    warning(
        "network-unverified",
        "it is not known whether the standby reaches what it depends on",
        "grant Microsoft.ApiManagement/service/networkStatus/read, or look at its Network status in the portal",
    )
    .unread(),
    warning(
        "certificate-expires-soon",
        "a certificate of the standby has less than 30 days left",
        "renew it on both services; a restore brings no certificates",
    ),
    warning(
        "certificate-not-ready",
        "Azure has not put a certificate of the standby in place",
        "look at the hostname in the portal; a vault that the service may not read is the usual cause",
    ),
    warning(
        "active-identity-missing",
        "the active service lacks the identity that the restore comes with, so it cannot write backups for it",
        "assign the identity and grant it `Storage Blob Data Contributor`, or use `access: access-key` on both sides",
    ),
    warning(
        "portal-hostname-differs",
        "a hostname of portal or management, or its certificate, is not the same on both services",
        "set the hostname up on the standby too; a restore does not bring it",
    ),
    warning(
        "ca-certificates-differ",
        "the services do not trust the same authorities",
        "add the missing certificates of authorities to the standby; a restore does not bring them",
    ),
    warning(
        "virtual-network-differs",
        "the services stand differently in virtual networks",
        "check that the standby reaches its backends, and its users reach it; a restore does not bring the setting",
    ),
    warning(
        "identities-differ",
        "the services do not have the same managed identities",
        "assign the missing identities, and grant them what those of the active service hold",
    ),
    warning(
        "diagnostic-settings-differ",
        "the services do not have the same diagnostic settings",
        "add the missing settings to the standby: without them nobody sees what it does",
    ),
    warning(
        "protocols-differ",
        "the services do not allow the same protocols and ciphers",
        "set the same custom properties on the standby; old clients may fail, or weak ones pass",
    ),
    note(
        "developer-portal-differs",
        "the developer portal was not published alike on both services",
        "publish it on the standby: its content is not in a backup",
    ),
    warning(
        "inventory-unverified",
        "something that a restore does not bring could not be compared",
        "grant the read that the message names, or compare it by hand",
    )
    .unread(),
];
