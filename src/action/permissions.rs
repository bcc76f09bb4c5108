//! What each action needs to be allowed, as a table: one source for `lifeboat rbac` and for the check of permissions.
//!
//! Pure. It names what the code sends and nothing else; a test holds it against the requests that really leave.
//! Names of permissions are Azure's own, compared without regard to case (azure-facts 1.1, 2, 3, 4).

use serde_json::{Map, Value, json};

use crate::runbook::{
    ActionKind, ResourceId,
    catalog::{APIM_SERVICE, DNS_ZONE, STORAGE_ACCOUNT},
};

/// Where a permission is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum On {
    Resource(ResourceId),
    /// The field's value is not known yet: it is an expression, or names no resource id.
    Field(&'static str),
}

/// One permission that the tool's own credential needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    pub scope: On,
    /// `Microsoft.ApiManagement/service/restore/action`.
    pub action: &'static str,
    /// It stands under `DataActions` of a role.
    pub data: bool,
    /// Without it the step fails; else it goes on and says what could not be seen.
    pub required: bool,
    /// Completes "the step …": `reads the service`.
    pub why: &'static str,
}

/// Whose identity a role is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The system-assigned identity of an API Management service.
    System(On),
    /// A user-assigned identity that the service has, by its client id; none while that is not known.
    User { service: On, client_id: Option<String> },
}

/// A data-plane role that an identity of a *service* needs: API Management reads and writes backups itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityRole {
    pub holder: Holder,
    /// A built-in role's name.
    pub role: &'static str,
    pub scope: On,
    pub why: &'static str,
}

/// What readiness reads besides what the steps need. Each is worth having and none is needed to fail over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadinessRead {
    /// ARM type of the resources it is read on; empty: every resource of the runbook.
    pub on: &'static str,
    pub action: &'static str,
    pub why: &'static str,
}

const SERVICE_READ: &str = "Microsoft.ApiManagement/service/read";
const SERVICE_BACKUP: &str = "Microsoft.ApiManagement/service/backup/action";
const SERVICE_RESTORE: &str = "Microsoft.ApiManagement/service/restore/action";
const OPERATION_READ: &str = "Microsoft.ApiManagement/service/operationresults/read";
const WORKSPACES_READ: &str = "Microsoft.ApiManagement/service/workspaces/read";
/// What a service holds and a restore brings.
const NAMES_READ: [&str; 4] = [
    "Microsoft.ApiManagement/service/apis/read",
    "Microsoft.ApiManagement/service/products/read",
    "Microsoft.ApiManagement/service/subscriptions/read",
    "Microsoft.ApiManagement/service/namedValues/read",
];
/// What a service holds, and what of it a backup leaves out.
const HOLDINGS_READ: [&str; 6] = [
    "Microsoft.ApiManagement/service/apis/read",
    "Microsoft.ApiManagement/service/products/read",
    "Microsoft.ApiManagement/service/subscriptions/read",
    "Microsoft.ApiManagement/service/namedValues/read",
    "Microsoft.ApiManagement/service/portalRevisions/read",
    "Microsoft.Insights/diagnosticSettings/read",
];
const HEALTH_READ: &str = "Microsoft.ResourceHealth/availabilityStatuses/read";
/// Asked for on the resource group.
const ACTIVITY_READ: &str = "Microsoft.Insights/eventtypes/values/read";
const ACCOUNT_READ: &str = "Microsoft.Storage/storageAccounts/read";
const ACCOUNT_KEYS: &str = "Microsoft.Storage/storageAccounts/listKeys/action";
const BLOB_SERVICE_READ: &str = "Microsoft.Storage/storageAccounts/blobServices/read";
const BLOB_WRITE: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write";
const BLOB_DELETE: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete";
const BLOB_READ: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read";
const SECRET_READ: &str = "Microsoft.KeyVault/vaults/secrets/getSecret/action";
const ZONE_READ: &str = "Microsoft.Network/dnsZones/read";
const CNAME_READ: &str = "Microsoft.Network/dnsZones/CNAME/read";
const CNAME_WRITE: &str = "Microsoft.Network/dnsZones/CNAME/write";
const TRAFFIC_MANAGER_READ: &str = "Microsoft.Network/trafficManagerProfiles/read";
const AZURE_ENDPOINT_WRITE: &str = "Microsoft.Network/trafficManagerProfiles/azureEndpoints/write";
const EXTERNAL_ENDPOINT_WRITE: &str = "Microsoft.Network/trafficManagerProfiles/externalEndpoints/write";
const NESTED_ENDPOINT_WRITE: &str = "Microsoft.Network/trafficManagerProfiles/nestedEndpoints/write";
const ORIGIN_READ: &str = "Microsoft.Cdn/profiles/originGroups/origins/read";
const ORIGIN_WRITE: &str = "Microsoft.Cdn/profiles/originGroups/origins/write";
/// Asked for on the resource group: the operation is not below the profile.
const ORIGIN_OPERATION_READ: &str =
    "Microsoft.Cdn/operationresults/profileresults/origingroupresults/originresults/read";
const PRIVATE_ZONE_READ: &str = "Microsoft.Network/privateDnsZones/read";
const PRIVATE_CNAME_READ: &str = "Microsoft.Network/privateDnsZones/CNAME/read";
const PRIVATE_CNAME_WRITE: &str = "Microsoft.Network/privateDnsZones/CNAME/write";

/// Microsoft asks for it on both sides, also where only reading would do (azure-facts 1.1).
pub const BLOB_CONTRIBUTOR: &str = "Storage Blob Data Contributor";

pub const READINESS_READS: &[ReadinessRead] = &[
    everywhere(HEALTH_READ, "asks what Azure says of the resource's health"),
    everywhere("Microsoft.Authorization/locks/read", "looks for locks that would block a change"),
    everywhere("Microsoft.Authorization/permissions/read", "asks what this credential may do"),
    everywhere("Microsoft.Authorization/roleAssignments/read", "looks for the roles of the services' identities"),
    everywhere("Microsoft.Authorization/roleDefinitions/read", "looks into roles that are not built in"),
    everywhere("Microsoft.Resources/subscriptions/resourceGroups/read", "reads the resource group's region"),
    on_type(APIM_SERVICE, "Microsoft.ApiManagement/service/read", "compares the services"),
    on_type(APIM_SERVICE, "Microsoft.ApiManagement/service/networkStatus/read", "looks at what the service depends on"),
    on_type(
        APIM_SERVICE,
        "Microsoft.ApiManagement/service/portalRevisions/read",
        "compares what a restore does not bring",
    ),
    on_type(APIM_SERVICE, "Microsoft.Insights/diagnosticSettings/read", "compares what a restore does not bring"),
    on_type(APIM_SERVICE, "Microsoft.ApiManagement/deletedservices/read", "looks for a standby that was deleted"),
    on_type(STORAGE_ACCOUNT, ACCOUNT_READ, "reads where the account is, and how far behind its copy is"),
    on_type(STORAGE_ACCOUNT, "Microsoft.Storage/storageAccounts/blobServices/read", "looks for CORS rules"),
    on_type(DNS_ZONE, ZONE_READ, "reads which name servers the zone has"),
];

const fn on_type(on: &'static str, action: &'static str, why: &'static str) -> ReadinessRead {
    ReadinessRead { on, action, why }
}

const fn everywhere(action: &'static str, why: &'static str) -> ReadinessRead {
    ReadinessRead { on: "", action, why }
}

/// What the tool's credential needs for one step. Arguments that are not resolved yet are named by their field; an
/// optional argument that is absent needs nothing.
pub fn needed(kind: ActionKind, arguments: &Map<String, Value>) -> Vec<Needed> {
    let mut list = List { arguments, needed: Vec::new() };
    match kind {
        ActionKind::ConfirmOutage => {
            list.may("service", SERVICE_READ, "asks the resource manager whether the service is managed");
            list.may("service", HEALTH_READ, "asks what Azure says of the service's health");
        }
        ActionKind::VerifyStandby => {
            list.must("standby", SERVICE_READ, "reads the standby");
            list.may("standby", WORKSPACES_READ, "looks for workspaces, which prevent a restore");
            list.may("active", SERVICE_READ, "compares the standby with the active service");
            list.data("backup", BLOB_READ, false, "reads the backup's manifest");
        }
        ActionKind::FindLatest => {
            list.data("storage", BLOB_READ, true, "lists backups and reads their manifests");
            list.may("service", ACTIVITY_READ, "names what was changed since the backup");
        }
        ActionKind::Restore => {
            list.must("service", SERVICE_READ, "reads the service before and after");
            list.must("service", SERVICE_RESTORE, "starts the restore");
            list.must("service", OPERATION_READ, "follows the restore");
            list.data("backup", BLOB_READ, true, "makes sure that the backup is still there");
            list.may("backup", ACCOUNT_READ, "reads the account's firewall and key settings");
            list.account_key("backup");
        }
        ActionKind::GatewayHealth => {
            list.must("service", SERVICE_READ, "reads where the gateway is");
            let paths = arguments.get("paths").and_then(Value::as_array).into_iter().flatten();
            for key in paths.filter_map(|path| path.get("subscription_key")) {
                list.secret("paths", Some(key));
            }
        }
        ActionKind::Backup => list.backup(),
        ActionKind::Prune => {
            list.data("storage", BLOB_READ, true, "lists backups and reads their manifests");
            list.data("storage", BLOB_DELETE, true, "deletes backups and their manifests");
        }
        ActionKind::SetTtl | ActionKind::FlipCname => {
            list.must("zone", ZONE_READ, "reads the zone");
            list.must("zone", CNAME_READ, "reads the record");
            list.must("zone", CNAME_WRITE, "changes the record, and puts it back in an undo");
        }
        ActionKind::FlipPrivateCname => {
            list.must("zone", PRIVATE_ZONE_READ, "reads the zone");
            list.must("zone", PRIVATE_CNAME_READ, "reads the record");
            list.must("zone", PRIVATE_CNAME_WRITE, "changes the record, and puts it back in an undo");
        }
        ActionKind::SetEndpoints => {
            list.must("profile", TRAFFIC_MANAGER_READ, "reads the profile and its endpoints");
            for (kind, action) in [
                ("azure", AZURE_ENDPOINT_WRITE),
                ("external", EXTERNAL_ENDPOINT_WRITE),
                ("nested", NESTED_ENDPOINT_WRITE),
            ] {
                if names_endpoint(arguments, kind) {
                    list.must("profile", action, "sets endpoints, and puts them back in an undo");
                }
            }
        }
        ActionKind::SetOrigin => {
            list.must("profile", ORIGIN_READ, "reads the origins");
            list.must("profile", ORIGIN_WRITE, "sets origins, and puts them back in an undo");
            list.may("profile", ORIGIN_OPERATION_READ, "follows a change; else the origin itself is watched");
        }
        ActionKind::VerifyPropagation => {
            list.must("zone", ZONE_READ, "reads which name servers the zone has");
            list.may("zone", CNAME_READ, "reads when the record was changed");
        }
        ActionKind::VerifyRestore => {
            for action in NAMES_READ {
                list.must("service", action, "compares it with the backup's manifest");
            }
            list.data("backup", BLOB_READ, false, "reads the backup's manifest");
        }
        ActionKind::Compare => {
            for action in NAMES_READ {
                list.must("service", action, "names what only one of the two has");
                list.must("with", action, "names what only one of the two has");
            }
        }
        // None of them sends anything to Azure with this credential.
        ActionKind::Approval
        | ActionKind::HttpRequest
        | ActionKind::Command
        | ActionKind::Notify
        | ActionKind::Wait => {}
    }
    list.needed
}

/// What the services' own identities need for one step.
pub fn identity_roles(kind: ActionKind, arguments: &Map<String, Value>) -> Vec<IdentityRole> {
    let (service, storage, why) = match kind {
        ActionKind::Restore => ("service", "backup", "the service reads the backup with it"),
        ActionKind::Backup => ("service", "storage", "the service writes the backup with it"),
        ActionKind::ConfirmOutage
        | ActionKind::VerifyStandby
        | ActionKind::FindLatest
        | ActionKind::GatewayHealth
        | ActionKind::FlipCname
        | ActionKind::VerifyPropagation
        | ActionKind::Approval
        | ActionKind::HttpRequest
        | ActionKind::Command
        | ActionKind::Notify
        | ActionKind::Wait
        | ActionKind::Prune
        | ActionKind::VerifyRestore
        | ActionKind::Compare
        | ActionKind::SetTtl
        | ActionKind::FlipPrivateCname
        | ActionKind::SetEndpoints
        | ActionKind::SetOrigin => return Vec::new(),
    };
    let (Some(service), Some(scope)) = (on(arguments, service), on(arguments, storage)) else { return Vec::new() };
    let holder = match text(arguments, "access") {
        Some("system-assigned-identity") => Holder::System(service),
        Some("user-assigned-identity") => {
            let client_id = text(arguments, "client_id").filter(|id| !is_open(id)).map(str::to_owned);
            Holder::User { service, client_id }
        }
        // By key, or not known: no identity that could be named.
        Some(_) | None => return Vec::new(),
    };
    vec![IdentityRole { holder, role: BLOB_CONTRIBUTOR, scope, why }]
}

/// Outputs that hold resource ids and are known from the arguments alone, so that a permission of a later step can be
/// named without asking anybody.
pub fn foreseen(kind: ActionKind, arguments: &Map<String, Value>) -> Map<String, Value> {
    let id = |field| match on(arguments, field) {
        Some(On::Resource(id)) => Some(id),
        Some(On::Field(_)) | None => None,
    };
    let outputs = match kind {
        ActionKind::FindLatest | ActionKind::Backup => id("storage").map(|storage| {
            let account = storage.name().to_owned();
            let container = arguments.get("container").cloned().unwrap_or_default();
            json!({ "backup": { "storage": storage, "account": account, "container": container } })
        }),
        ActionKind::Restore => id("service").map(|service| json!({ "service": service })),
        ActionKind::ConfirmOutage
        | ActionKind::VerifyStandby
        | ActionKind::GatewayHealth
        | ActionKind::FlipCname
        | ActionKind::VerifyPropagation
        | ActionKind::Approval
        | ActionKind::HttpRequest
        | ActionKind::Command
        | ActionKind::Notify
        | ActionKind::Wait
        | ActionKind::Prune
        | ActionKind::VerifyRestore
        | ActionKind::Compare
        | ActionKind::SetTtl
        | ActionKind::FlipPrivateCname
        | ActionKind::SetEndpoints
        | ActionKind::SetOrigin => None,
    };
    match outputs {
        Some(Value::Object(outputs)) => outputs,
        Some(_) | None => Map::new(),
    }
}

struct List<'a> {
    arguments: &'a Map<String, Value>,
    needed: Vec<Needed>,
}

impl List<'_> {
    fn backup(&mut self) {
        self.must("service", SERVICE_READ, "reads the service before and after");
        self.must("service", SERVICE_BACKUP, "starts the backup");
        self.must("service", OPERATION_READ, "follows the backup");
        self.may("service", WORKSPACES_READ, "looks for workspaces, which prevent a backup");
        for action in HOLDINGS_READ {
            self.may("service", action, "names it in the backup's manifest");
        }
        self.may("storage", ACCOUNT_READ, "reads the account's firewall and key settings");
        self.may("storage", BLOB_SERVICE_READ, "looks for CORS rules, which break a backup");
        self.data("storage", BLOB_READ, true, "makes sure that the backup's name is new, and that it is there");
        self.data("storage", BLOB_WRITE, true, "writes the backup's manifest");
        self.account_key("storage");
    }

    /// The key that a backup or a restore comes with; it is asked of Azure where nobody says where else it is.
    fn account_key(&mut self, account: &'static str) {
        if takes_key(self.arguments) && !self.arguments.contains_key("access_key") {
            self.must(account, ACCOUNT_KEYS, "asks for the account's key");
        }
        self.secret("access_key", self.arguments.get("access_key"));
    }

    fn must(&mut self, field: &'static str, action: &'static str, why: &'static str) {
        self.add(field, (action, false, true), why);
    }

    fn may(&mut self, field: &'static str, action: &'static str, why: &'static str) {
        self.add(field, (action, false, false), why);
    }

    fn data(&mut self, field: &'static str, action: &'static str, required: bool, why: &'static str) {
        self.add(field, (action, true, required), why);
    }

    /// Where a key vault is in ARM cannot be told from a secret's address: the scope stays open.
    fn secret(&mut self, field: &'static str, place: Option<&Value>) {
        if place.is_some_and(|place| place.get("key_vault").is_some()) {
            let why = "reads a key from the key vault";
            self.needed.push(Needed { scope: On::Field(field), action: SECRET_READ, data: true, required: true, why });
        }
    }

    fn add(&mut self, field: &'static str, (action, data, required): (&'static str, bool, bool), why: &'static str) {
        if let Some(scope) = on(self.arguments, field) {
            self.needed.push(Needed { scope, action, data, required, why });
        }
    }
}

/// The resource that a field names: an id, or a backup with the id of its account. None: the field is absent.
fn on(arguments: &Map<String, Value>, field: &'static str) -> Option<On> {
    let value = arguments.get(field)?;
    let id = value.as_str().or_else(|| value.get("storage")?.as_str());
    Some(id.and_then(|id| ResourceId::parse(id).ok()).map_or(On::Field(field), On::Resource))
}

fn text<'a>(arguments: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    arguments.get(field)?.as_str()
}

/// Whether a step sets an endpoint of this type; also when that is not known yet.
fn names_endpoint(arguments: &Map<String, Value>, kind: &str) -> bool {
    let Some(endpoints) = arguments.get("endpoints").and_then(Value::as_array) else { return true };
    let mut types = endpoints.iter().map(|endpoint| endpoint.get("type").and_then(Value::as_str));
    types.any(|named| named.is_none_or(|named| named == kind || is_open(named)))
}

fn is_open(text: &str) -> bool {
    text.contains("${{")
}

/// Also when it is not known yet: a permission that is missing in the outage is worse than one too many.
fn takes_key(arguments: &Map<String, Value>) -> bool {
    text(arguments, "access").is_none_or(|access| access == "access-key" || is_open(access))
}
