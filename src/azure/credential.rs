//! Access tokens: `azure_identity`'s credentials, a ready token, or the in-process simulator's.
//!
//! Never keeps a token past five minutes before its end, never waits longer than [`LONGEST`] for one,
//! never lets one reach a log: they are [`SecretString`]s from the first line to the last.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use azure_core::{
    cloud::{CloudConfiguration, CustomConfiguration},
    credentials::{Secret, TokenCredential},
    http::{ClientOptions, ExponentialRetryOptions, RetryOptions, Transport},
};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    clock::Clock,
    net::Http,
    site::{Credential, Endpoints, SecretReference},
};

use super::{
    AzureError, AzureErrorKind, Environment,
    advice::{advise, first_line},
    identity_transport::{AzExecutor, IdentityTransport, certificate_problem},
    ready_token,
};

/// Longest for one token. `azure_identity` repeats an unknown certificate authority for 82 s (azure-facts 9);
/// `az` needs a second, a managed identity less.
const LONGEST: Duration = Duration::from_secs(30);
/// A token this close to its end is asked for anew, so that no request carries one that ends on the way.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// Gives a valid token for every request. Tokens outlive nothing: each request asks again.
#[derive(Debug)]
pub struct TokenSource {
    credential: Credential,
    authority: String,
    http: Http,
    environment: Environment,
    /// Held while a token is fetched: ten steps that start at once should start `az` once. Bounded by [`LONGEST`].
    kept: tokio::sync::Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// `azure_identity`'s object, which has a cache of its own: a fresh token needs a fresh one.
    identity: Option<Arc<dyn TokenCredential>>,
    /// By scope. None as its end: until somebody asks for a fresh one.
    tokens: BTreeMap<String, (SecretString, Option<Timestamp>)>,
}

impl TokenSource {
    /// Never fails and asks nobody: what is missing is said by the first [`TokenSource::token`].
    pub fn new(credential: &Credential, endpoints: &Endpoints, http: Http, environment: Environment) -> Self {
        Self {
            credential: credential.clone(),
            authority: endpoints.authority.clone(),
            http,
            environment,
            kept: tokio::sync::Mutex::default(),
        }
    }

    /// A token for `scope`, kept until five minutes before it ends. `fresh`: what is kept is thrown away first.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`AzureErrorKind::Credential`] with what to do, or [`AzureErrorKind::Certificate`].
    pub async fn token(&self, scope: &str, fresh: bool) -> Result<SecretString, AzureError> {
        if let Credential::Token(reference) = &self.credential {
            // Read every time: whoever renews it writes it where it stands.
            return ready_token::read(reference, &self.environment);
        }
        let mut kept = self.kept.lock().await;
        if fresh {
            kept.tokens.remove(scope);
            kept.identity = None;
        }
        // Real tokens end by the wall clock, also where the rest of the world is simulated.
        let now = Clock::Wall.now();
        if let Some((token, end)) = kept.tokens.get(scope)
            && end.is_none_or(|end| now + MARGIN < end)
        {
            return Ok(token.clone());
        }
        let (token, end) = match &self.credential {
            Credential::Simulated => (self.simulated()?, None),
            Credential::Token(_)
            | Credential::AzureCli
            | Credential::ManagedIdentity { .. }
            | Credential::WorkloadIdentity { .. }
            | Credential::ClientSecret { .. } => self.ask_identity(&mut kept, scope).await?,
        };
        kept.tokens.insert(scope.to_owned(), (token.clone(), end));
        Ok(token)
    }

    /// What to do when Azure refuses the token.
    pub(super) fn why_unauthorized(&self, now: Timestamp) -> String {
        match &self.credential {
            Credential::Token(reference) => ready_token::why_refused(reference, &self.environment, now),
            Credential::AzureCli => {
                "run `az login` again, in the tenant of the subscription (`az account show` tells which one is used)"
                    .to_owned()
            }
            Credential::ManagedIdentity { .. }
            | Credential::WorkloadIdentity { .. }
            | Credential::ClientSecret { .. } => {
                "check that the identity belongs to the subscription's tenant, and the site's `endpoints.scope`"
                    .to_owned()
            }
            Credential::Simulated => "the simulator refuses its own token: see its scenario".to_owned(),
        }
    }

    fn simulated(&self) -> Result<SecretString, AzureError> {
        match &self.http {
            Http::Simulated(world) => Ok(world.mint_token().into()),
            Http::Real(_) => Err(AzureError {
                hint: Some("use it with --simulate, or give the site a credential".to_owned()),
                ..AzureError::new(AzureErrorKind::Credential, "the simulated credential works in the simulator only")
            }),
        }
    }

    async fn ask_identity(
        &self,
        kept: &mut Kept,
        scope: &str,
    ) -> Result<(SecretString, Option<Timestamp>), AzureError> {
        let identity = match &kept.identity {
            Some(identity) => Arc::clone(identity),
            None => kept.identity.insert(self.identity()?).clone(),
        };
        let scopes = [scope];
        let token = tokio::select! {
            token = identity.get_token(&scopes, None) => token.map_err(|error| self.failure(&error))?,
            () = Clock::Wall.sleep(LONGEST) => {
                // Whatever it is stuck in, the next attempt starts anew.
                kept.identity = None;
                let message = format!("{} gave no token within {} s", self.name(), LONGEST.as_secs());
                return Err(AzureError {
                    hint: Some(advise(&self.credential, "")),
                    ..AzureError::new(AzureErrorKind::Credential, message)
                });
            }
        };
        let end = Timestamp::from_second(token.expires_on.unix_timestamp()).ok();
        Ok((token.token.secret().to_owned().into(), end))
    }

    fn identity(&self) -> Result<Arc<dyn TokenCredential>, AzureError> {
        let built: azure_core::Result<Arc<dyn TokenCredential>> = match &self.credential {
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
                let client_options = self.client_options();
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
                    credential_options: ClientAssertionCredentialOptions { client_options: self.client_options() },
                }))
                .map(|credential| credential as _)
            }
            Credential::ClientSecret { tenant_id, client_id, secret } => {
                let secret = self.secret(secret)?;
                ClientSecretCredential::new(
                    tenant_id,
                    client_id.clone(),
                    Secret::new(secret.expose_secret().to_owned()),
                    Some(ClientSecretCredentialOptions { client_options: self.client_options() }),
                )
                .map(|credential| credential as _)
            }
            Credential::Token(_) | Credential::Simulated => {
                unreachable!("`token` has answered for these before it comes here")
            }
        };
        built.map_err(|error| self.failure(&error))
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

    fn secret(&self, reference: &SecretReference) -> Result<SecretString, AzureError> {
        ready_token::read_secret(reference, &self.environment, "the client secret")
    }

    fn failure(&self, error: &azure_core::Error) -> AzureError {
        if let Some(problem) = certificate_problem(error) {
            return AzureError {
                hint: Some("if a proxy of yours signs for it, name its root in the site's `tls.ca_file`".to_owned()),
                ..AzureError::new(AzureErrorKind::Certificate, format!("no token: {problem}"))
            };
        }
        let said = error.to_string();
        AzureError {
            hint: Some(advise(&self.credential, &said)),
            ..AzureError::new(
                AzureErrorKind::Credential,
                format!("no token from {}: {}", self.name(), first_line(&said)),
            )
        }
    }

    fn name(&self) -> &'static str {
        match self.credential {
            Credential::AzureCli => "the Azure CLI",
            Credential::ManagedIdentity { .. } => "the managed identity",
            Credential::WorkloadIdentity { .. } => "the workload identity",
            Credential::ClientSecret { .. } => "the client secret",
            Credential::Token(_) => "the ready token",
            Credential::Simulated => "the simulator",
        }
    }
}
