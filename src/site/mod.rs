//! A site: where things are and which credential to use. Secrets only by reference.
//!
//! Pure: parsing takes text; the caller reads files and the environment.

mod approval;
mod credential;
mod location;
mod notify;
mod parse;
mod state_credential;
mod yaml;

pub use approval::ApprovalRules;
pub use location::{Bucket, Container, Location};
pub use notify::{Form, Occasion, Receiver};
pub use parse::{SiteFile, parse};
pub use state_credential::{Aws, AwsKeys, Google, StateCredential};

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a run needs to know of a site. It is embedded in the plan, so it never holds a secret, only where one is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Site {
    pub cloud: Cloud,
    pub endpoints: Endpoints,
    pub credential: Credential,
    /// PEM text of additional roots: the content of `tls.ca_file`, so that another machine can go on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ca_certificates: Vec<String>,
    #[serde(default)]
    pub dns: SiteDns,
    /// Where runs are kept; `None`: in the user's state directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Location>,
    /// How to get at them in an object store; `None`: as that store usually does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_credential: Option<StateCredential>,
    /// How approvals are signed, and whose signatures count; `None`: nobody's is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalRules>,
    /// Who is told what happens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<Receiver>,
    /// How often a runbook has to be rehearsed; `None`: nobody asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<Rehearsal>,
    /// Values for runbook parameters.
    #[serde(default)]
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// Written by `lifeboat sim`: the clock that the simulator and the tool share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulated: Option<Simulated>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cloud {
    Public,
    UsGovernment,
    China,
    Custom,
}

/// Base URLs without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    pub resource_manager: String,
    /// OAuth scope of the resource manager's tokens.
    pub scope: String,
    pub authority: String,
    /// `{account}` stands for the storage account's name.
    pub blob: String,
    /// `{vault}` stands for the key vault's name. Empty: not known, as in plans before there were key vaults.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key_vault: String,
}

impl Endpoints {
    /// What follows a key vault's name in its host, in each of Azure's clouds.
    pub const KEY_VAULT_DOMAINS: [&str; 3] = ["vault.azure.net", "vault.usgovcloudapi.net", "vault.azure.cn"];

    /// The endpoints of a cloud; `None` for `custom`, whose endpoints the site file gives.
    pub fn preset(cloud: Cloud) -> Option<Self> {
        let [public_vaults, government_vaults, china_vaults] = Self::KEY_VAULT_DOMAINS;
        let (resource_manager, authority, blob, vaults) = match cloud {
            Cloud::Public => {
                ("management.azure.com", "login.microsoftonline.com", "blob.core.windows.net", public_vaults)
            }
            Cloud::UsGovernment => (
                "management.usgovcloudapi.net",
                "login.microsoftonline.us",
                "blob.core.usgovcloudapi.net",
                government_vaults,
            ),
            Cloud::China => {
                ("management.chinacloudapi.cn", "login.chinacloudapi.cn", "blob.core.chinacloudapi.cn", china_vaults)
            }
            Cloud::Custom => return None,
        };
        Some(Self {
            resource_manager: format!("https://{resource_manager}"),
            scope: format!("https://{resource_manager}/.default"),
            authority: format!("https://{authority}"),
            blob: format!("https://{{account}}.{blob}"),
            key_vault: format!("https://{{vault}}.{vaults}"),
        })
    }

    /// OAuth scope of the tokens for key vaults. Where vaults have no domain of their own, the public cloud's.
    pub fn key_vault_scope(&self) -> String {
        let domain = Self::key_vault_domain(&self.key_vault).unwrap_or(Self::KEY_VAULT_DOMAINS[0]);
        format!("https://{domain}/.default")
    }

    /// Of a pattern `https://{vault}.DOMAIN`.
    pub fn key_vault_domain(pattern: &str) -> Option<&str> {
        pattern.strip_prefix("https://{vault}.").filter(|domain| !domain.contains(['/', ':']))
    }
}

/// Where a secret is; never the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretReference {
    Env(String),
    File(PathBuf),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Credential {
    AzureCli,
    ManagedIdentity {
        client_id: Option<String>,
        resource_id: Option<String>,
    },
    /// Absent fields come from `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_FEDERATED_TOKEN_FILE`.
    WorkloadIdentity {
        tenant_id: Option<String>,
        client_id: Option<String>,
        token_file: Option<PathBuf>,
    },
    ClientSecret {
        tenant_id: String,
        client_id: String,
        secret: SecretReference,
    },
    ClientCertificate {
        tenant_id: String,
        client_id: String,
        /// Certificate and private key, PEM.
        certificate: SecretReference,
        /// Of the private key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password: Option<SecretReference>,
    },
    AzurePipelines {
        tenant_id: String,
        client_id: String,
        service_connection_id: String,
    },
    GithubActions {
        tenant_id: String,
        client_id: String,
    },
    /// A ready access token.
    Token(SecretReference),
    /// The first that gives a token; none is a chain.
    Chain(Vec<Credential>),
    /// The in-process simulator gives tokens itself.
    Simulated,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteDns {
    /// Every name is looked up here when it is not empty; also the panel of dns.verify-propagation.
    #[serde(default)]
    pub resolvers: Vec<SocketAddr>,
    /// Zone → its name servers, instead of the ones that the zone itself names.
    #[serde(default)]
    pub authoritative: BTreeMap<String, Vec<SocketAddr>>,
}

impl Site {
    /// Whose keys count under an approval: name → public key. Empty: a signature is no condition.
    pub fn trusted(&self) -> &BTreeMap<String, String> {
        static NOBODY: BTreeMap<String, String> = BTreeMap::new();
        self.approval.as_ref().map_or(&NOBODY, |rules| &rules.trusted)
    }

    /// The clock of a simulator on this machine; what else a file calls simulated is not.
    pub fn shared_clock(&self) -> Option<Simulated> {
        self.simulated.filter(|_| parse::is_loopback(&self.endpoints.resource_manager))
    }

    /// Its Azure is a simulated one, in this process or in another.
    pub fn is_simulated(&self) -> bool {
        self.shared_clock().is_some() || self.credential == Credential::Simulated
    }
}

/// A runbook that was not rehearsed for so long is not run while there is time to rehearse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rehearsal {
    #[serde(with = "crate::runbook::span")]
    pub within: Duration,
}

/// `now = since + (wall clock − anchor) × speed`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Simulated {
    pub anchor: Timestamp,
    pub since: Timestamp,
    pub speed: f64,
}
