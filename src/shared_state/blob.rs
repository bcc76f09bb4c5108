//! Azure Blob Storage, and what speaks its protocol: with a token of the site's credential, a shared access signature or
//! the account's key.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::{
    ObjectStore, StaticCredentialProvider,
    azure::{AzureAccessKey, AzureCredential, MicrosoftAzureBuilder, split_sas},
    client::CredentialProvider,
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    open::{Access, Unusable},
    transport::{Transport, no_repeats},
};
use crate::{
    azure::{AzureErrorKind, TokenSource, read_secret, storage},
    site::{Container, StateCredential},
};

pub(super) fn open(
    container: &Container,
    credential: Option<&StateCredential>,
    access: &Access,
) -> Result<Arc<dyn ObjectStore>, Unusable> {
    let mut tokens = None;
    let read = |reference, what| read_secret(reference, &access.environment, what);
    let provider: Arc<dyn CredentialProvider<Credential = AzureCredential>> = match credential {
        Some(StateCredential::Sas(reference)) => {
            Arc::new(StaticCredentialProvider::new(signature(&read(reference, "the shared access signature")?)?))
        }
        Some(StateCredential::AccountKey(reference)) => {
            let key = read(reference, "the account's key")?;
            let key = AzureAccessKey::try_new(key.expose_secret()).map_err(|_| {
                Unusable::new("the account's key is not in base64", "copy it whole: `az storage account keys list`")
            })?;
            Arc::new(StaticCredentialProvider::new(AzureCredential::AccessKey(key)))
        }
        Some(StateCredential::Site | StateCredential::Aws(_) | StateCredential::Google(_)) | None => {
            if !container.may_have_token(&access.blob_endpoint) {
                let message = format!("{} is not an endpoint of Azure, and would be sent a token", container.endpoint);
                let hint = "give the site `endpoints.blob` of that cloud, or use `state_credential: { sas: … }`";
                return Err(Unusable::new(message, hint));
            }
            tokens = Some(Arc::clone(&access.tokens));
            Arc::new(Tokens(Arc::clone(&access.tokens)))
        }
    };
    let store = MicrosoftAzureBuilder::new()
        .with_account(&container.account)
        .with_container_name(&container.name)
        .with_endpoint(container.endpoint.clone())
        .with_credentials(provider)
        .with_retry(no_repeats())
        .with_http_connector(Transport { http: access.http.clone(), tokens })
        .build()
        .map_err(|error| {
            Unusable::new(format!("the container cannot be used: {error}"), "correct the state's address")
        })?;
    Ok(Arc::new(store))
}

fn signature(text: &SecretString) -> Result<AzureCredential, Unusable> {
    pairs(text).map(AzureCredential::SASToken)
}

/// Of the part of a URL behind its question mark.
pub(super) fn pairs(text: &SecretString) -> Result<Vec<(String, String)>, Unusable> {
    let hint = "store the part of the URL behind `?`, beginning with `sv=` or `se=`";
    let wrong = |what: &str| Unusable::new(format!("the shared access signature {what}"), hint);
    if text.expose_secret().contains("://") {
        return Err(wrong("is a whole URL"));
    }
    let pairs = split_sas(text.expose_secret()).map_err(|_| wrong("is none: it is no query"))?;
    if !pairs.iter().any(|(name, _)| name == "sig") {
        return Err(wrong("is none: it has no `sig`"));
    }
    Ok(pairs)
}

/// A token for every request, from where all the others of the site come.
#[derive(Debug)]
struct Tokens(Arc<TokenSource>);

#[async_trait]
impl CredentialProvider for Tokens {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AzureCredential>> {
        let token = self.0.token(storage::SCOPE, false).await.map_err(|error| {
            let source = match &error.hint {
                Some(hint) => format!("{error}; {hint}").into(),
                None => error.to_string().into(),
            };
            match error.kind {
                // The identity provider may be back in a moment; only what somebody has to set right is final.
                AzureErrorKind::Certificate => object_store::Error::Unauthenticated { path: String::new(), source },
                AzureErrorKind::Credential
                | AzureErrorKind::Unauthorized
                | AzureErrorKind::Forbidden
                | AzureErrorKind::NotFound
                | AzureErrorKind::Busy
                | AzureErrorKind::Conflict
                | AzureErrorKind::PreconditionFailed
                | AzureErrorKind::Throttled
                | AzureErrorKind::Unavailable
                | AzureErrorKind::Rejected
                | AzureErrorKind::Transport
                | AzureErrorKind::Malformed => object_store::Error::Generic { store: "state", source },
            }
        })?;
        Ok(Arc::new(AzureCredential::BearerToken(token.expose_secret().to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_query_and_nothing_else_and_is_never_repeated() {
        for text in ["sv=2022-11-02&sig=a%2Bb%3D", "?sv=2022-11-02&sig=a%2Bb%3D"] {
            let AzureCredential::SASToken(pairs) = signature(&text.to_owned().into()).unwrap() else {
                panic!("{text}")
            };
            assert!(pairs.contains(&("sig".to_owned(), "a+b=".to_owned())), "{pairs:?}");
        }
        for text in ["https://a.blob.core.windows.net/c?sig=hunter2", "hunter2", "sv=2022&se=hunter2"] {
            let refused = signature(&text.to_owned().into()).unwrap_err();
            assert!(!format!("{refused:?}").contains("hunter2"), "{refused:?}");
        }
    }
}
