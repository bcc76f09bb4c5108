//! From a site's credential to an object of `azure_identity`, and from its errors to ours.

use std::sync::Arc;

use azure_core::{
    cloud::{CloudConfiguration, CustomConfiguration},
    credentials::{Secret, TokenCredential},
    http::{ClientOptions, ExponentialRetryOptions, RetryOptions, Transport},
};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertionCredential, ClientAssertionCredentialOptions,
    ClientSecretCredential, ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use secrecy::ExposeSecret;

use crate::{
    net::{Http, HttpError},
    site::Credential,
};

use super::{
    AzureError, AzureErrorKind, Environment,
    advice::{advise, first_line},
    assertion::{Assertion, Unavailable, Voucher, exchange_audience},
    identity_transport::{AzExecutor, IdentityTransport, cause, certificate_problem},
    ready_token,
};

/// What every credential reaches the world through.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub authority: String,
    pub http: Http,
    pub environment: Environment,
}

type Identity = Arc<dyn TokenCredential>;

impl Surroundings {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// What the credential lacks.
    pub(super) fn identity(&self, credential: &Credential) -> Result<Identity, AzureError> {
        let client_options = self.client_options();
        let built: azure_core::Result<Identity> = match credential {
            Credential::AzureCli => AzureCliCredential::new(Some(AzureCliCredentialOptions {
                executor: Some(Arc::new(AzExecutor::new(&self.environment))),
                ..AzureCliCredentialOptions::default()
            }))
            .map(|credential| credential as _),
            Credential::ManagedIdentity { client_id, resource_id } => {
                let user_assigned_id = match (client_id, resource_id) {
                    (Some(id), _) => Some(UserAssignedId::ClientId(id.clone())),
                    (None, Some(id)) => Some(UserAssignedId::ResourceId(id.clone())),
                    (None, None) => None,
                };
                ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                    user_assigned_id,
                    client_options,
                }))
                .map(|credential| credential as _)
            }
            Credential::WorkloadIdentity { tenant_id, client_id, token_file } => {
                let file = token_file.as_ref().map(|file| file.to_string_lossy().into_owned());
                WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                    tenant_id: Some(self.field(tenant_id.clone(), "AZURE_TENANT_ID")?),
                    client_id: Some(self.field(client_id.clone(), "AZURE_CLIENT_ID")?),
                    token_file_path: Some(self.field(file, "AZURE_FEDERATED_TOKEN_FILE")?.into()),
                    credential_options: ClientAssertionCredentialOptions { client_options },
                }))
                .map(|credential| credential as _)
            }
            Credential::ClientSecret { tenant_id, client_id, secret } => {
                let secret = ready_token::read_secret(secret, &self.environment, "the client secret")?;
                ClientSecretCredential::new(
                    tenant_id,
                    client_id.clone(),
                    Secret::new(secret.expose_secret().to_owned()),
                    Some(ClientSecretCredentialOptions { client_options }),
                )
                .map(|credential| credential as _)
            }
            Credential::ClientCertificate { tenant_id, client_id, certificate, password } => {
                let voucher = Voucher::Certificate {
                    client_id: client_id.clone(),
                    audience: format!("{}/{tenant_id}/oauth2/v2.0/token", self.authority.trim_end_matches('/')),
                    certificate: certificate.clone(),
                    password: password.clone(),
                };
                self.asserting(tenant_id, client_id, voucher)
            }
            Credential::AzurePipelines { tenant_id, client_id, service_connection_id } => {
                let voucher = Voucher::Pipelines { service_connection_id: service_connection_id.clone() };
                self.asserting(tenant_id, client_id, voucher)
            }
            Credential::GithubActions { tenant_id, client_id } => {
                let voucher = Voucher::Github { audience: exchange_audience(&self.authority) };
                self.asserting(tenant_id, client_id, voucher)
            }
            Credential::Token(_) | Credential::Simulated | Credential::Chain(_) => {
                unreachable!("`TokenSource` has answered for these before it comes here")
            }
        };
        built.map_err(|error| failure(credential, &error))
    }

    fn asserting(&self, tenant_id: &str, client_id: &str, voucher: Voucher) -> azure_core::Result<Identity> {
        let assertion = Assertion { voucher, http: self.http.clone(), environment: self.environment.clone() };
        let options = ClientAssertionCredentialOptions { client_options: self.client_options() };
        ClientAssertionCredential::new(tenant_id.to_owned(), client_id.to_owned(), assertion, Some(options))
            .map(|credential| credential as _)
    }

    fn client_options(&self) -> ClientOptions {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host.clone_from(&self.authority);
        ClientOptions {
            transport: Some(Transport::new(Arc::new(IdentityTransport(self.http.clone())))),
            cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
            // Asking for a token has no effect; a few repeats within the bound of the whole.
            retry: RetryOptions::exponential(ExponentialRetryOptions { max_retries: 4, ..Default::default() }),
            ..ClientOptions::default()
        }
    }

    fn field(&self, stated: Option<String>, variable: &str) -> Result<String, AzureError> {
        stated.or_else(|| self.environment.get(variable)).ok_or_else(|| AzureError {
            hint: Some(format!("set {variable}, or the field of the site's `credential.workload-identity`")),
            ..AzureError::new(AzureErrorKind::Credential, format!("the workload identity lacks {variable}"))
        })
    }
}

/// What an error of `azure_identity` means, and what to do.
pub(super) fn failure(credential: &Credential, error: &azure_core::Error) -> AzureError {
    if let Some(problem) = certificate_problem(error) {
        return AzureError {
            hint: Some("if a proxy of yours signs for it, name its root in the site's `tls.ca_file`".to_owned()),
            ..AzureError::new(AzureErrorKind::Certificate, format!("no token: {problem}"))
        };
    }
    let ours = cause::<Unavailable>(error);
    // "Retry policy expired" says nothing; what the last try met does.
    let met = ours.map(|ours| &ours.message).or_else(|| cause::<HttpError>(error).map(|met| &met.message));
    let said = met.cloned().unwrap_or_else(|| error.to_string());
    AzureError {
        hint: Some(ours.map_or_else(|| advise(credential, &said), |ours| ours.hint.clone())),
        ..AzureError::new(
            AzureErrorKind::Credential,
            format!("no token from {}: {}", name(credential), first_line(&said)),
        )
    }
}

pub(super) fn name(credential: &Credential) -> &'static str {
    match credential {
        Credential::AzureCli => "the Azure CLI",
        Credential::ManagedIdentity { .. } => "the managed identity",
        Credential::WorkloadIdentity { .. } => "the workload identity",
        Credential::ClientSecret { .. } => "the client secret",
        Credential::ClientCertificate { .. } => "the client certificate",
        Credential::AzurePipelines { .. } => "Azure Pipelines",
        Credential::GithubActions { .. } => "GitHub Actions",
        Credential::Token(_) => "the ready token",
        Credential::Chain(_) => "the chain",
        Credential::Simulated => "the simulator",
    }
}
