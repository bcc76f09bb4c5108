//! Access tokens: `azure_identity`'s credentials, a ready token, a chain of both, or the in-process simulator's.
//!
//! Never keeps a token past five minutes before its end, never waits longer than [`LONGEST`] for one,
//! never lets one reach a log: they are [`SecretString`]s from the first line to the last.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use azure_core::credentials::TokenCredential;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    clock::Clock,
    net::Http,
    site::{Credential, Endpoints},
};

use super::{
    Account, AzureError, AzureErrorKind, Environment, Notice, NoticeSink, account,
    advice::advise,
    chain::Turns,
    identity::{Surroundings, failure, name},
    ready_token,
};

/// Longest for one token. `azure_identity` repeats an unknown certificate authority for 82 s (azure-facts 9);
/// `az` needs a second, a managed identity less.
const LONGEST: Duration = Duration::from_secs(30);
/// Longest for a link of a chain that gave none a minute ago, while another one works: enough for `az`, and no step
/// waits half of its time where a link never answers.
const LONGEST_RETRY: Duration = Duration::from_secs(10);
/// A token this close to its end is asked for anew, so that no request carries one that ends on the way.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// Gives a valid token for every request. Tokens outlive nothing: each request asks again.
#[derive(Debug)]
pub struct TokenSource {
    /// One, or the links of a chain.
    credentials: Vec<Credential>,
    surroundings: Surroundings,
    /// The link that gave the last token.
    chosen: AtomicUsize,
    /// Held while a token is fetched: ten steps that start at once should start `az` once, and find out once that a
    /// link hangs. Bounded by [`LONGEST`] a link.
    memory: tokio::sync::Mutex<Memory>,
    /// Real tokens end by the wall clock, also where the rest of the world is simulated.
    clock: Clock,
}

#[derive(Debug)]
struct Memory {
    /// One a credential.
    kept: Vec<Kept>,
    /// By scope.
    turns: BTreeMap<String, Turns>,
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
        let credentials = match credential {
            Credential::Chain(links) => links.clone(),
            alone => vec![alone.clone()],
        };
        Self {
            memory: tokio::sync::Mutex::new(Memory {
                kept: credentials.iter().map(|_| Kept::default()).collect(),
                turns: BTreeMap::new(),
            }),
            credentials,
            surroundings: Surroundings { authority: endpoints.authority.clone(), http, environment },
            chosen: AtomicUsize::new(0),
            clock: Clock::Wall,
        }
    }

    /// With another clock than the wall's, for tests.
    #[must_use]
    pub fn timed_by(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// A token for `scope`, kept until five minutes before it ends. `fresh`: what is kept is thrown away first. Of a
    /// chain the first link that gives one; a link that gave none is asked again after a minute.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`AzureErrorKind::Credential`] with what to do, or [`AzureErrorKind::Certificate`]. Of a chain: every link's own.
    pub async fn token(&self, scope: &str, fresh: bool) -> Result<SecretString, AzureError> {
        self.token_noting(scope, fresh, None).await
    }

    /// Whom a token for `scope` names. None: it does not say.
    ///
    /// # Errors
    /// As of [`TokenSource::token`].
    pub async fn account(&self, scope: &str) -> Result<Option<Account>, AzureError> {
        let token = self.token(scope, false).await?;
        let ready = matches!(self.credentials[self.chosen.load(Ordering::Relaxed)], Credential::Token(_));
        Ok(account::of_token(token.expose_secret(), !ready))
    }

    /// [`TokenSource::token`], which tells `sink` when another link of the chain than before gives the tokens.
    pub(super) async fn token_noting(
        &self,
        scope: &str,
        fresh: bool,
        sink: Option<&NoticeSink>,
    ) -> Result<SecretString, AzureError> {
        let memory = &mut *self.memory.lock().await;
        let turns = memory.turns.entry(scope.to_owned()).or_default();
        let mut failures = Vec::new();
        for place in turns.order(self.credentials.len(), self.clock.now()) {
            let longest = if turns.is_retried(place) { LONGEST_RETRY } else { LONGEST };
            match self.token_of(place, &mut memory.kept[place], (scope, fresh), longest).await {
                Ok(token) => {
                    self.chosen.store(place, Ordering::Relaxed);
                    if turns.gave(place) {
                        self.tell_giver(place, scope, &failures, sink);
                    }
                    return Ok(token);
                }
                Err(error) => {
                    turns.failed(place, self.clock.now());
                    failures.push((place, error));
                }
            }
        }
        failures.sort_by_key(|(place, _)| *place);
        Err(all_failed(failures.into_iter().map(|(_, error)| error).collect()))
    }

    /// Another principal may lack rights that the one before it had.
    fn tell_giver(&self, place: usize, scope: &str, failures: &[(usize, AzureError)], sink: Option<&NoticeSink>) {
        let reasons = failures.iter().map(|(place, error)| format!("({}) {error}", place + 1));
        let why = reasons.collect::<Vec<_>>().join("; ");
        let message = format!(
            "link {} of the credential's chain, {}, gives the tokens for {} now{}{why}",
            place + 1,
            name(&self.credentials[place]),
            scope.trim_end_matches("/.default"),
            if why.is_empty() { "" } else { ": " },
        );
        tracing::warn!("{message}");
        if let Some(sink) = sink {
            sink(Notice { message, until: None });
        }
    }

    async fn token_of(
        &self,
        place: usize,
        kept: &mut Kept,
        (scope, fresh): (&str, bool),
        longest: Duration,
    ) -> Result<SecretString, AzureError> {
        let credential = &self.credentials[place];
        let now = self.clock.now();
        if let Credential::Token(reference) = credential {
            // Read every time: whoever renews it writes it where it stands.
            let environment = &self.surroundings.environment;
            return match self.credentials.len() {
                1 => ready_token::read(reference, environment, scope),
                _ => ready_token::read_valid(reference, environment, scope, now),
            };
        }
        if fresh {
            kept.tokens.remove(scope);
            kept.identity = None;
        }
        if let Some((token, end)) = kept.tokens.get(scope)
            && end.is_none_or(|end| now + MARGIN < end)
        {
            return Ok(token.clone());
        }
        let (token, end) = match credential {
            Credential::Simulated => (self.simulated()?, None),
            Credential::Token(_)
            | Credential::AzureCli
            | Credential::ManagedIdentity { .. }
            | Credential::WorkloadIdentity { .. }
            | Credential::ClientSecret { .. }
            | Credential::ClientCertificate { .. }
            | Credential::AzurePipelines { .. }
            | Credential::GithubActions { .. }
            | Credential::Chain(_) => self.ask_identity(credential, kept, scope, longest).await?,
        };
        kept.tokens.insert(scope.to_owned(), (token.clone(), end));
        Ok(token)
    }

    /// What to do when Azure refuses the token.
    pub(super) fn why_unauthorized(&self, now: Timestamp) -> String {
        match &self.credentials[self.chosen.load(Ordering::Relaxed)] {
            Credential::Token(reference) => ready_token::why_refused(reference, &self.surroundings.environment, now),
            Credential::AzureCli => {
                "run `az login` again, in the tenant of the subscription (`az account show` tells which one is used)"
                    .to_owned()
            }
            Credential::ManagedIdentity { .. }
            | Credential::WorkloadIdentity { .. }
            | Credential::ClientSecret { .. }
            | Credential::ClientCertificate { .. }
            | Credential::AzurePipelines { .. }
            | Credential::GithubActions { .. }
            | Credential::Chain(_) => {
                "check that the identity belongs to the subscription's tenant, and the site's `endpoints.scope`"
                    .to_owned()
            }
            Credential::Simulated => "the simulator refuses its own token: see its scenario".to_owned(),
        }
    }

    fn simulated(&self) -> Result<SecretString, AzureError> {
        match &self.surroundings.http {
            Http::Simulated(world) => Ok(world.mint_token().into()),
            Http::Real(_) => Err(AzureError {
                hint: Some("use it with --simulate, or give the site a credential".to_owned()),
                ..AzureError::new(AzureErrorKind::Credential, "the simulated credential works in the simulator only")
            }),
        }
    }

    async fn ask_identity(
        &self,
        credential: &Credential,
        kept: &mut Kept,
        scope: &str,
        longest: Duration,
    ) -> Result<(SecretString, Option<Timestamp>), AzureError> {
        let identity = match &kept.identity {
            Some(identity) => Arc::clone(identity),
            None => kept.identity.insert(self.surroundings.identity(credential)?).clone(),
        };
        let scopes = [scope];
        let token = tokio::select! {
            token = identity.get_token(&scopes, None) => token.map_err(|error| failure(credential, &error))?,
            () = self.clock.sleep(longest) => {
                // Whatever it is stuck in, the next attempt starts anew.
                kept.identity = None;
                let message = format!("{} gave no token within {} s", name(credential), longest.as_secs());
                return Err(AzureError {
                    hint: Some(advise(credential, "")),
                    ..AzureError::new(AzureErrorKind::Credential, message)
                });
            }
        };
        let end = Timestamp::from_second(token.expires_on.unix_timestamp()).ok();
        Ok((token.token.secret().to_owned().into(), end))
    }
}

/// Each link with its own reason and its own remedy, in their order.
fn all_failed(mut failures: Vec<AzureError>) -> AzureError {
    if failures.len() == 1 {
        return failures.remove(0);
    }
    let numbered = |text: fn(&AzureError) -> &str| {
        let lines = failures.iter().enumerate().map(|(place, error)| format!("({}) {}", place + 1, text(error)));
        lines.collect::<Vec<_>>().join("; ")
    };
    AzureError {
        hint: Some(numbered(|error| error.hint.as_deref().unwrap_or("see the message"))),
        ..AzureError::new(
            AzureErrorKind::Credential,
            format!("no credential of the chain gave a token: {}", numbered(|error| &error.message)),
        )
    }
}
