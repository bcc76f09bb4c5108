//! Microsoft.ApiManagement: the service, its restore, its workspaces.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::runbook::ResourceId;

use super::{Arm, AzureError, Operation};

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
    pub custom_properties: Option<std::collections::BTreeMap<String, Value>>,
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
    pub fn is_idle(&self) -> bool {
        unimplemented!("first commit")
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
        unimplemented!("first commit")
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
        unimplemented!("first commit")
    }
}

/// How the standby reads the backup.
#[derive(Clone, Debug)]
pub enum StorageAccess {
    AccessKey(SecretString),
    SystemAssigned,
    UserAssigned {
        /// Client id; not the resource id and not the principal id.
        client_id: String,
    },
}

#[derive(Clone, Debug)]
pub struct RestoreRequest {
    /// Name, not an id.
    pub storage_account: String,
    pub container: String,
    /// The blob's name.
    pub backup_name: String,
    pub access: StorageAccess,
}

impl RestoreRequest {
    /// The body as it is sent, with `***` for the access key.
    pub fn masked(&self) -> Value {
        unimplemented!("first commit")
    }
}

/// A restore that Azure took.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// None: the answer named no URL; watch the service itself.
    pub operation: Option<Operation>,
    pub request_id: Option<String>,
    pub correlation_id: Option<String>,
}

pub async fn get_service(_arm: &Arm, _id: &ResourceId) -> Result<Service, AzureError> {
    unimplemented!("first commit")
}

pub fn service_url(_arm: &Arm, _id: &ResourceId) -> Url {
    unimplemented!("first commit")
}

pub fn restore_url(_arm: &Arm, _id: &ResourceId) -> Url {
    unimplemented!("first commit")
}

/// Sent at most once; see [`Arm::post_once`].
pub async fn restore(_arm: &Arm, _id: &ResourceId, _request: &RestoreRequest) -> Result<Accepted, AzureError> {
    unimplemented!("first commit")
}

/// Names of the workspaces; a service with any cannot be backed up or restored. Empty where the tier has none.
pub async fn list_workspaces(_arm: &Arm, _id: &ResourceId) -> Result<Vec<String>, AzureError> {
    unimplemented!("first commit")
}
