//! Everything that the client sends to the resource manager, and everything that the simulator answers, against
//! Microsoft's own descriptions of the APIs (`fixtures/openapi`, cut by `tests/clients/cut_openapi.py`).

mod description;
mod driving;
mod held;
mod schema;

use std::sync::{Arc, Mutex};

use lifeboat::sim::{Exchanged, World};
use url::Url;

use held::{Court, Departure};

use crate::tidy::source;

/// Every operation that is used. One that is missing here, or that nothing below uses, fails.
const OPERATIONS: &[&str] = &[
    "activitylog/ActivityLogs_List",
    "apimanagement/ApiManagementService_Backup",
    "apimanagement/ApiManagementService_Get",
    "apimanagement/ApiManagementService_List",
    "apimanagement/ApiManagementService_ListByResourceGroup",
    "apimanagement/ApiManagementService_Restore",
    "apimanagement/Api_ListByService",
    "apimanagement/DeletedServices_ListBySubscription",
    "apimanagement/NamedValue_ListByService",
    "apimanagement/NetworkStatus_ListByService",
    "apimanagement/OperationResults_Get",
    "apimanagement/PortalRevision_ListByService",
    "apimanagement/Product_ListByService",
    "apimanagement/Subscription_List",
    "apimanagement/Workspace_ListByService",
    "authorization/Permissions_ListForResource",
    "authorization/RoleAssignments_ListForScope",
    "authorization/RoleDefinitions_Get",
    "dns/RecordSets_CreateOrUpdate",
    "dns/RecordSets_Delete",
    "dns/RecordSets_Get",
    "dns/RecordSets_ListByDnsZone",
    "dns/RecordSets_ListByType",
    "dns/RecordSets_Update",
    "dns/Zones_Get",
    "frontdoor/AFDOrigins_ListByOriginGroup",
    "frontdoor/AFDOrigins_Update",
    "frontdoor/AFDOrigins_UpdateResult",
    "insights/DiagnosticSettings_List",
    "locks/ManagementLocks_ListAtResourceGroupLevel",
    "locks/ManagementLocks_ListAtResourceLevel",
    "locks/ManagementLocks_ListAtSubscriptionLevel",
    "privatedns/PrivateZones_Get",
    "privatedns/RecordSets_CreateOrUpdate",
    "privatedns/RecordSets_Get",
    "resourcehealth/AvailabilityStatuses_GetByResource",
    "resources/ResourceGroups_Get",
    "storage/BlobServices_GetServiceProperties",
    "storage/StorageAccounts_GetProperties",
    "storage/StorageAccounts_List",
    "storage/StorageAccounts_ListKeys",
    "trafficmanager/Endpoints_Update",
    "trafficmanager/Profiles_Get",
];

/// One that is not met any more fails.
const DEPARTURES: &[Departure] = &[Departure {
    operation: "storage/StorageAccounts_ListKeys",
    place: "/keys/*/permissions",
    reason: "the service writes FULL, as the Azure CLI shows it; the description writes Full",
}];

/// Where the exchanges of all worlds of a test are gathered.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<Exchanged>>>);

impl Log {
    pub fn listen(&self, world: &World) {
        let all = Arc::clone(&self.0);
        world.tap(move |exchanged| all.lock().unwrap().push(exchanged));
    }

    /// Those with the resource manager.
    fn of_resource_manager(&self) -> Vec<Exchanged> {
        let is_its = |url: &str| url.parse::<Url>().is_ok_and(|url| url.host_str() == Some("management.azure.com"));
        self.0.lock().unwrap().iter().filter(|exchanged| is_its(&exchanged.url)).cloned().collect()
    }
}

#[test]
fn requests_and_answers_are_as_microsoft_describes_them() {
    let log = Log::default();
    driving::everything(&log);
    let exchanges = log.of_resource_manager();
    let mut court = Court::new(DEPARTURES);
    for exchanged in &exchanges {
        court.hold(exchanged);
    }
    let mistakes: Vec<String> = court.mistakes.iter().map(|(what, times)| format!("{what} ({times} times)")).collect();
    assert!(mistakes.is_empty(), "{} mistakes:\n{}", mistakes.len(), mistakes.join("\n"));
    assert!(OPERATIONS.is_sorted());
    let seen: Vec<&str> = court.seen.keys().map(String::as_str).collect();
    let unlisted: Vec<&&str> = seen.iter().filter(|id| !OPERATIONS.contains(id)).collect();
    assert!(unlisted.is_empty(), "used, and not in OPERATIONS: {unlisted:#?}");
    let unused: Vec<&&str> = OPERATIONS.iter().filter(|id| !seen.contains(id)).collect();
    assert!(unused.is_empty(), "in OPERATIONS, and not answered with success once: {unused:#?}");
    for (number, departure) in DEPARTURES.iter().enumerate() {
        assert!(court.met.contains_key(&number), "{} {} is not met any more", departure.operation, departure.place);
        assert!(!departure.reason.is_empty());
    }
    assert!(court.answers > 500 && court.refusals > 20, "{} answers, {} refusals", court.answers, court.refusals);
    addresses_were_used(&exchanges);
}

/// Each address that the client's code writes down was asked, in its version, so that none lacks a description.
fn addresses_were_used(exchanges: &[Exchanged]) {
    let urls: Vec<String> = exchanges.iter().map(|exchanged| exchanged.url.to_lowercase()).collect();
    let used = |part: &str| urls.iter().any(|url| url.contains(&part.to_lowercase()));
    let mut written = 0;
    for path in source::files("src/azure").into_iter().chain(source::files("src/action")) {
        // Its addresses are not the resource manager's.
        if path.ends_with("key_vault.rs") {
            continue;
        }
        let text = source::read(&path);
        for call in text.split("arm.url(").skip(1).chain(text.split("arm.path_url(").skip(1)) {
            let call = &call[..call.find(';').unwrap_or(call.len())];
            // Of a text with placeholders, the longest part that is fixed.
            let parts = call.split('"').nth(1).into_iter().flat_map(|text| text.split(['{', '}']));
            let Some(known) = parts.filter(|part| part.starts_with('/')).max_by_key(|part| part.len()) else {
                continue;
            };
            written += 1;
            assert!(used(known), "{}: nothing asked `{known}`; drive it in `contract/driving.rs`", path.display());
        }
        for line in text.lines().filter(|line| line.contains("API_VERSION: &str = ")) {
            let version = line.split('"').nth(1).unwrap();
            written += 1;
            assert!(used(&format!("api-version={version}")), "{}: nothing asked {version}", path.display());
        }
    }
    assert!(written > 12, "addresses and versions are not written as they were any more");
}
