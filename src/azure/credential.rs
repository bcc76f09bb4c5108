//! Access tokens: azure_identity's credentials, a ready token, or the in-process simulator's.

use std::{fmt, sync::Arc};

use secrecy::SecretString;

use crate::{
    net::Http,
    site::{Credential, Endpoints},
};

use super::AzureError;

/// Looks environment variables up; handed down, so that nothing else reads the process's.
#[derive(Clone)]
pub struct Environment(Arc<dyn Fn(&str) -> Option<String> + Send + Sync>);

impl Environment {
    /// The process's own.
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read for credentials")]
    pub fn process() -> Self {
        Self(Arc::new(|name| std::env::var(name).ok()))
    }

    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables: std::collections::BTreeMap<String, String> = variables.into_iter().collect();
        Self(Arc::new(move |name| variables.get(name).cloned()))
    }

    /// None when it is absent, empty or not UTF-8.
    pub fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

/// Gives a valid token for every request. Tokens outlive nothing: each request asks again.
#[derive(Debug)]
pub struct TokenSource {}

impl TokenSource {
    /// Never fails and asks nobody: what is missing is said by the first [`TokenSource::token`].
    pub fn new(_credential: &Credential, _endpoints: &Endpoints, _http: Http, _environment: Environment) -> Self {
        unimplemented!("first commit")
    }

    /// A token for `scope`, kept until five minutes before it expires. `fresh`: what is kept is thrown away first.
    pub async fn token(&self, _scope: &str, _fresh: bool) -> Result<SecretString, AzureError> {
        unimplemented!("first commit")
    }
}
