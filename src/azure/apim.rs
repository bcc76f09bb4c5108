//! Microsoft.ApiManagement: the service, its backup and its restore. Never sends a PATCH: that resets what it leaves out.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::runbook::ResourceId;

use super::{Arm, AzureError, Operation, RequestBody};

/// Newest stable (azure-facts 1).
pub const API_VERSION: &str = "2024-05-01";

/// A service as ARM tells it. Live JSON is full of explicit nulls, so everything may be absent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    pub id: Option<String>,
    pub name: Option<String>,
    /// Display form: `West US`.
    pub location: Option<String>,
    pub etag: Option<String>,
    pub sku: Option<Sku>,
    pub identity: Option<Identity>,
    pub properties: Option<ServiceProperties>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Sku {
    /// `Developer`, `Basic`, `Standard`, `Premium`, `StandardV2`, …: open.
    pub name: Option<String>,
    pub capacity: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// `SystemAssigned`, `UserAssigned`, `SystemAssigned, UserAssigned`, `None`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub principal_id: Option<String>,
    pub user_assigned_identities: Option<std::collections::BTreeMap<String, Option<UserAssignedIdentity>>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserAssignedIdentity {
    pub principal_id: Option<String>,
    pub client_id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceProperties {
    /// `Succeeded`, `Updating`, `Activating`, `Failed`, …: open.
    pub provisioning_state: Option<String>,
    /// Empty when idle, else what the running operation aims at.
    pub target_provisioning_state: Option<String>,
    pub gateway_url: Option<String>,
    pub gateway_regional_url: Option<String>,
    pub hostname_configurations: Option<Vec<HostnameConfiguration>>,
    pub additional_locations: Option<Vec<AdditionalLocation>>,
    #[serde(rename = "publicIPAddresses")]
    pub public_ip_addresses: Option<Vec<String>>,
    pub virtual_network_type: Option<String>,
    pub public_network_access: Option<String>,
    pub disable_gateway: Option<bool>,
    pub platform_version: Option<String>,
    pub virtual_network_configuration: Option<VirtualNetworkConfiguration>,
    /// Protocols and ciphers.
    pub custom_properties: Option<std::collections::BTreeMap<String, Value>>,
    /// Of authorities; those of hostnames stand with them.
    pub certificates: Option<Vec<AuthorityCertificate>>,
    /// `Enabled`, `Disabled`.
    pub developer_portal_status: Option<String>,
    pub created_at_utc: Option<String>,
    pub api_version_constraint: Option<ApiVersionConstraint>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostnameConfiguration {
    /// `Proxy` is the gateway.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub host_name: Option<String>,
    pub key_vault_id: Option<String>,
    pub default_ssl_binding: Option<bool>,
    pub certificate: Option<HostnameCertificate>,
    pub certificate_source: Option<String>,
    pub certificate_status: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct HostnameCertificate {
    pub expiry: Option<Timestamp>,
    /// SHA-1, upper-case hex.
    pub thumbprint: Option<String>,
    pub subject: Option<String>,
}

/// A certificate of an authority that the service trusts.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorityCertificate {
    /// `CertificateAuthority`, `Root`.
    pub store_name: Option<String>,
    pub certificate: Option<HostnameCertificate>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VirtualNetworkConfiguration {
    pub subnet_resource_id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdditionalLocation {
    pub location: Option<String>,
    pub gateway_regional_url: Option<String>,
    pub disable_gateway: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiVersionConstraint {
    pub min_api_version: Option<String>,
}

impl Service {
    /// Nothing is going on: provisioned, and no running operation aims elsewhere.
    ///
    /// `Failed` is idle too: nothing runs. Whether that is good enough is another question.
    pub fn is_idle(&self) -> bool {
        let settled =
            |state: &str| ["Succeeded", "Failed", "Stopped"].iter().any(|end| state.eq_ignore_ascii_case(end));
        let aims_elsewhere = self.target_provisioning_state().is_some_and(|target| !target.is_empty());
        self.provisioning_state().is_some_and(settled) && !aims_elsewhere
    }

    pub fn provisioning_state(&self) -> Option<&str> {
        self.properties.as_ref()?.provisioning_state.as_deref()
    }

    pub fn target_provisioning_state(&self) -> Option<&str> {
        self.properties.as_ref()?.target_provisioning_state.as_deref()
    }

    pub fn gateway_url(&self) -> Option<&str> {
        self.properties.as_ref()?.gateway_url.as_deref()
    }

    /// Host of [`Service::gateway_url`], lower case.
    pub fn gateway_host(&self) -> Option<String> {
        Url::parse(self.gateway_url()?).ok()?.host_str().map(str::to_ascii_lowercase)
    }

    /// `sku.name`.
    pub fn tier(&self) -> Option<&str> {
        self.sku.as_ref()?.name.as_deref()
    }

    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// Hostnames of the gateway (`Proxy`).
    pub fn gateway_hostnames(&self) -> Vec<&HostnameConfiguration> {
        let all = self.properties.as_ref().and_then(|properties| properties.hostname_configurations.as_deref());
        all.unwrap_or_default().iter().filter(|hostname| hostname.kind.as_deref() == Some("Proxy")).collect()
    }
}

/// How a service reads or writes a backup.
#[derive(Clone, Debug)]
pub enum StorageAccess {
    AccessKey(SecretString),
    SystemAssigned,
    UserAssigned {
        /// Client id; not the resource id and not the principal id.
        client_id: String,
    },
}

/// What a backup and a restore are asked with: Azure's `ApiManagementServiceBackupRestoreParameters`.
#[derive(Clone, Debug)]
pub struct BackupRestoreRequest {
    /// Name, not an id.
    pub storage_account: String,
    pub container: String,
    /// The blob's name.
    pub backup_name: String,
    pub access: StorageAccess,
}

impl BackupRestoreRequest {
    /// The body as it is sent, with `***` for the access key.
    pub fn masked(&self) -> Value {
        self.body("***")
    }

    fn body(&self, access_key: &str) -> Value {
        let mut body = json!({
            "storageAccount": self.storage_account,
            "containerName": self.container,
            "backupName": self.backup_name,
        });
        match &self.access {
            StorageAccess::AccessKey(_) => {
                body["accessType"] = json!("AccessKey");
                body["accessKey"] = json!(access_key);
            }
            StorageAccess::SystemAssigned => body["accessType"] = json!("SystemAssignedManagedIdentity"),
            StorageAccess::UserAssigned { client_id } => {
                body["accessType"] = json!("UserAssignedManagedIdentity");
                body["clientId"] = json!(client_id);
            }
        }
        body
    }

    fn unmasked(&self) -> RequestBody {
        let key = match &self.access {
            StorageAccess::AccessKey(key) => key.expose_secret(),
            StorageAccess::SystemAssigned | StorageAccess::UserAssigned { .. } => "",
        };
        RequestBody::json(&self.body(key))
    }
}

/// A backup or a restore that Azure took.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// None: the answer named no URL; watch the service itself.
    pub operation: Option<Operation>,
    pub request_id: Option<String>,
    pub correlation_id: Option<String>,
}

pub async fn get_service(arm: &Arm, id: &ResourceId) -> Result<Service, AzureError> {
    arm.get(service_url(arm, id)).await?.read("the service")
}

pub fn service_url(arm: &Arm, id: &ResourceId) -> Url {
    arm.url(id, "", API_VERSION)
}

pub fn restore_url(arm: &Arm, id: &ResourceId) -> Url {
    arm.url(id, "/restore", API_VERSION)
}

pub fn backup_url(arm: &Arm, id: &ResourceId) -> Url {
    arm.url(id, "/backup", API_VERSION)
}

/// Sent at most once; see [`Arm::post_once`].
///
/// # Errors
/// `delivery` tells whether the restore may have begun all the same.
pub async fn restore(arm: &Arm, id: &ResourceId, request: &BackupRestoreRequest) -> Result<Accepted, AzureError> {
    post(arm, restore_url(arm, id), request).await
}

/// As [`restore`]: the same body, the same answers.
///
/// # Errors
/// `delivery` tells whether the backup may have begun all the same.
pub async fn backup(arm: &Arm, id: &ResourceId, request: &BackupRestoreRequest) -> Result<Accepted, AzureError> {
    post(arm, backup_url(arm, id), request).await
}

async fn post(arm: &Arm, url: Url, request: &BackupRestoreRequest) -> Result<Accepted, AzureError> {
    let reply = arm.post_once(url, request.unmasked()).await?;
    Ok(Accepted {
        operation: Operation::from_reply(&reply),
        request_id: reply.request_id,
        correlation_id: reply.correlation_id,
    })
}
