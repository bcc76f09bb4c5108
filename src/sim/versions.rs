//! API versions that Azure has. A request with another one is refused: a typing error must not pass the simulator
//! and fail in Azure.

use http::StatusCode;

use super::{
    arm::Place,
    exchange::{Incoming, Reply},
};

/// A resource type whose versions are known. Of a type that is not here every well-formed version is taken.
struct Known {
    namespace: &'static str,
    kind: &'static str,
    /// Oldest first. Those before the first have been retired.
    versions: &'static [&'static str],
}

/// Of API Management, those before the first were retired, and the first is the oldest that knows managed
/// identities of backups (azure-facts §1).
const KNOWN: &[Known] = &[
    Known {
        namespace: "Microsoft.ApiManagement",
        kind: "service",
        versions: &[
            "2021-04-01-preview",
            "2021-08-01",
            "2021-12-01-preview",
            "2022-04-01-preview",
            "2022-08-01",
            "2022-09-01-preview",
            "2023-03-01-preview",
            "2023-05-01-preview",
            "2023-09-01-preview",
            "2024-05-01",
            "2024-06-01-preview",
            "2024-10-01-preview",
            "2025-03-01-preview",
            "2025-09-01-preview",
            "2026-03-01-preview",
            "2026-09-01-preview",
        ],
    },
    Known {
        namespace: "Microsoft.Network",
        kind: "dnsZones",
        versions: &[
            "2015-05-04-preview",
            "2016-04-01",
            "2017-09-01",
            "2017-10-01",
            "2018-03-01-preview",
            "2018-05-01",
            "2023-07-01-preview",
        ],
    },
    Known {
        namespace: "Microsoft.Network",
        kind: "privateDnsZones",
        versions: &["2018-09-01", "2020-06-01", "2024-06-01"],
    },
    Known {
        namespace: "Microsoft.Network",
        kind: "trafficManagerProfiles",
        versions: &["2017-05-01", "2018-04-01", "2018-08-01", "2022-04-01"],
    },
    Known {
        namespace: "Microsoft.Cdn",
        kind: "profiles",
        versions: &["2020-09-01", "2021-06-01", "2023-05-01", "2024-02-01"],
    },
    Known {
        namespace: "Microsoft.Storage",
        kind: "storageAccounts",
        versions: &[
            "2019-06-01",
            "2021-01-01",
            "2021-02-01",
            "2021-04-01",
            "2021-06-01",
            "2021-08-01",
            "2021-09-01",
            "2022-05-01",
            "2022-09-01",
            "2023-01-01",
            "2023-04-01",
            "2023-05-01",
            "2024-01-01",
            "2025-01-01",
            "2025-06-01",
            "2025-08-01",
            "2026-09-01",
        ],
    },
];

/// Why the version of a request to a resource is not taken.
pub(super) fn refuse(incoming: &Incoming, place: &Place<'_>) -> Option<Reply> {
    let known = KNOWN.iter().find(|known| place.begins(&[known.namespace, known.kind]))?;
    let version = incoming.parameter("api-version")?;
    if known.versions.iter().any(|it| it.eq_ignore_ascii_case(&version)) {
        return None;
    }
    if version.as_str() < known.versions[0] {
        let message = format!("The api-version '{version}' has been retired. Use {} or later.", known.versions[0]);
        return Some(Reply::error(StatusCode::BAD_REQUEST, "InvalidApiVersionParameter", message));
    }
    let message = format!(
        "No registered resource provider found for location 'global' and API version '{version}' for type '{}'. \
         The supported api-versions are '{}'.",
        known.kind,
        known.versions.join(", ")
    );
    Some(Reply::error(StatusCode::BAD_REQUEST, "NoRegisteredProviderFound", message))
}
