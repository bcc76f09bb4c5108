//! Azure Key Vault: one secret, read once. Never lists, never writes, never keeps or prints what it reads.

use std::{fmt, sync::Arc};

use http::{Method, StatusCode};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::{clock::Clock, net::Http, site::Endpoints};

use super::{
    AzureError, AzureErrorKind, Gate, TokenSource, arm,
    exchange::{self, Answer, Call, Exchange, Repeat},
    refusal,
};

/// Every cloud has it.
pub const API_VERSION: &str = "7.5";
/// A secret has at most 25 KB; what is larger is no answer of a vault.
const LARGEST_ANSWER: usize = 64 << 10;

/// Where a secret is: `https://VAULT.vault.azure.net/secrets/NAME[/VERSION]`, as the portal and the Azure CLI show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretId {
    vault: String,
    /// What follows the vault's name in its host: `vault.azure.net`.
    domain: String,
    name: String,
    version: Option<String>,
}

impl SecretId {
    /// # Errors
    /// A lower-case fragment. It never repeats the text: somebody may have written the secret itself.
    pub fn parse(text: &str) -> Result<Self, String> {
        const FORM: &str = "write `https://VAULT.vault.azure.net/secrets/NAME`";
        let wrong = |what: &str| format!("this is not the address of a secret: {what}; {FORM}");
        let url = Url::parse(text).map_err(|_| wrong("it is no URL"))?;
        if url.scheme() != "https" || url.port().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("only https, without a port or a user name"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it has a query or a fragment"));
        }
        let Some(Host::Domain(host)) = url.host() else { return Err(wrong("it names no vault")) };
        let Some((vault, domain)) = host.split_once('.') else { return Err(wrong("it names no vault")) };
        let is_name = |text: &str| {
            (1..=127).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let segments: Vec<&str> = url.path().trim_matches('/').split('/').collect();
        let (name, version) = match segments.as_slice() {
            ["secrets", name] => (*name, None),
            ["secrets", name, version] => (*name, Some(*version)),
            _ => return Err(wrong("its path is not /secrets/NAME")),
        };
        if !is_name(vault) || !is_name(name) || !version.is_none_or(is_name) {
            return Err(wrong("a name holds a character that names do not have"));
        }
        let own = |text: &str| text.to_owned();
        Ok(Self { vault: own(vault), domain: own(domain), name: own(name), version: version.map(own) })
    }

    /// The vault's name.
    pub fn vault(&self) -> &str {
        &self.vault
    }
}

impl fmt::Display for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}.{}/secrets/{}", self.vault, self.domain, self.name)?;
        self.version.iter().try_for_each(|version| write!(f, "/{version}"))
    }
}

impl TryFrom<String> for SecretId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<SecretId> for String {
    fn from(id: SecretId) -> Self {
        id.to_string()
    }
}

/// Key vaults of one site.
pub struct KeyVaults {
    pub http: Http,
    pub tokens: Arc<TokenSource>,
    pub clock: Clock,
}

impl fmt::Debug for KeyVaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyVaults")
    }
}

impl KeyVaults {
    /// The secret's value now. Cancel safe.
    ///
    /// # Errors
    /// Nothing of the value is in an error, whatever came back.
    pub async fn read(&self, id: &SecretId, endpoints: &Endpoints) -> Result<SecretString, AzureError> {
        let base = base(id, &endpoints.key_vault)?;
        let mut url = base.clone();
        // A URL of http always has segments.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("secrets").push(&id.name).extend(&id.version);
        }
        url.query_pairs_mut().append_pair("api-version", API_VERSION);
        let what = format!("GET {}", url.path());
        // A token for a vault goes to that vault and nowhere else.
        let exchange = Exchange {
            http: self.http.clone(),
            tokens: Arc::clone(&self.tokens),
            clock: self.clock.clone(),
            scope: endpoints.key_vault_scope(),
            origin: base,
            sink: None,
            gate: Gate::default(),
            budget: Arc::default(),
        };
        let mut call = Call::new(Method::GET, url, Repeat::Safe);
        call.max_body = LARGEST_ANSWER;
        let Answer { response, repeated_unknown } = exchange.send(&call).await?;
        if response.status == StatusCode::OK {
            return value(&response.body).ok_or_else(|| {
                let message = format!("the key vault {} answered {what} with something else than a secret", id.vault);
                exchange::after(AzureError::new(AzureErrorKind::Malformed, message), &call, repeated_unknown)
            });
        }
        let mut error = refusal::refusal(&call.method, &what, &response);
        error.message = format!("the key vault {} {}", id.vault, error.message);
        error.hint = match error.kind {
            AzureErrorKind::Unauthorized => Some(self.tokens.why_unauthorized(self.clock.now())),
            AzureErrorKind::Forbidden => Some(why_forbidden(&response.body, id)),
            AzureErrorKind::NotFound => Some(format!(
                "check the name `{}`; a deleted secret can be recovered for a while (`az keyvault secret list-deleted`)",
                id.name
            )),
            AzureErrorKind::Credential
            | AzureErrorKind::Busy
            | AzureErrorKind::Conflict
            | AzureErrorKind::PreconditionFailed
            | AzureErrorKind::Throttled
            | AzureErrorKind::Unavailable
            | AzureErrorKind::Rejected
            | AzureErrorKind::Transport
            | AzureErrorKind::Certificate
            | AzureErrorKind::Malformed => error.hint,
        };
        Err(exchange::after(error, &call, repeated_unknown))
    }
}

/// The vault's own base URL, from the site's pattern. A vault of another domain than the site's cloud is refused: the
/// token would go to somebody else.
fn base(id: &SecretId, pattern: &str) -> Result<Url, AzureError> {
    let refuse = |message: String, hint: &str| AzureError {
        hint: Some(hint.to_owned()),
        ..AzureError::new(AzureErrorKind::Malformed, message)
    };
    if pattern.is_empty() {
        let message = format!("the site does not say where the key vault {} is", id.vault);
        return Err(refuse(message, "set `endpoints.key_vault` in the site file, with {vault} in it"));
    }
    let domain = Endpoints::key_vault_domain(pattern);
    let fits = match domain {
        Some(domain) => domain.eq_ignore_ascii_case(&id.domain),
        None => Endpoints::KEY_VAULT_DOMAINS.contains(&id.domain.as_str()),
    };
    if !fits {
        let message =
            format!("nothing was sent to {}.{}: it is no key vault of this site's cloud", id.vault, id.domain);
        return Err(refuse(message, "use a vault of the site's cloud, or correct the site's `cloud`"));
    }
    arm::base_url(&pattern.replace("{vault}", &id.vault))
        .map_err(|message| refuse(message, "correct `endpoints.key_vault` in the site file"))
}

/// What is read must not reach a message, so the reason of a failure is not told either.
fn value(body: &[u8]) -> Option<SecretString> {
    #[derive(Deserialize)]
    struct Bundle {
        value: String,
    }
    serde_json::from_slice::<Bundle>(body).ok().map(|bundle| bundle.value.into())
}

/// Key Vault names the reason in an inner code.
fn why_forbidden(body: &[u8], id: &SecretId) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let inner = body.pointer("/error/innererror/code").and_then(serde_json::Value::as_str).unwrap_or_default();
    match inner {
        "SecretDisabled" => format!("enable the secret `{}`, or name another version of it", id.name),
        "ForbiddenByFirewall" | "ForbiddenByConnection" => {
            format!("the firewall of the vault {} does not let this machine in; see its Networking", id.vault)
        }
        _ => format!(
            "grant the role `Key Vault Secrets User` on the vault {} (or `get` in its access policies); a new role takes a few minutes to hold",
            id.vault
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_never_repeated_when_they_are_wrong() {
        for good in ["https://kv-1.vault.azure.net/secrets/storage-key", "https://kv.vault.azure.cn/secrets/a/0123abc"]
        {
            assert_eq!(SecretId::parse(good).unwrap().to_string(), good);
        }
        assert_eq!(SecretId::parse("https://kv.vault.azure.net/secrets/a/").unwrap().vault(), "kv");
        for bad in [
            "hunter2",
            "http://kv.vault.azure.net/secrets/hunter2",
            "https://kv.vault.azure.net:8443/secrets/hunter2",
            "https://u:hunter2@kv.vault.azure.net/secrets/a",
            "https://kv.vault.azure.net/keys/hunter2",
            "https://kv.vault.azure.net/secrets/a/b/hunter2",
            "https://kv.vault.azure.net/secrets/a?x=hunter2",
            "https://kv.vault.azure.net/secrets/",
            "https://127.0.0.1/secrets/hunter2",
            "https://localhost/secrets/hunter2",
            "https://kv.vault.azure.net/secrets/h%2Funter2",
        ] {
            let problem = SecretId::parse(bad).unwrap_err();
            assert!(problem.contains("secrets/NAME") && !problem.contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn a_token_for_a_vault_goes_to_a_vault_of_the_sites_cloud() {
        let id = |domain: &str| SecretId::parse(&format!("https://kv.{domain}/secrets/a")).unwrap();
        let public = "https://{vault}.vault.azure.net";
        assert_eq!(base(&id("vault.azure.net"), public).unwrap().as_str(), "https://kv.vault.azure.net/");
        for foreign in ["vault.azure.cn", "vault.azure.net.evil.example", "evil.example"] {
            assert!(base(&id(foreign), public).unwrap_err().message.starts_with("nothing was sent to kv."));
        }
        // By name where the site says where vaults are, and only for what Azure calls a vault.
        let local = "http://127.0.0.1:8080/{vault}";
        assert_eq!(base(&id("vault.azure.net"), local).unwrap().as_str(), "http://127.0.0.1:8080/kv");
        assert!(base(&id("evil.example"), local).is_err());
        assert!(base(&id("vault.azure.net"), "").unwrap_err().hint.unwrap().contains("endpoints.key_vault"));
    }

    #[test]
    fn what_is_no_secret_is_not_repeated() {
        assert!(value(b"{\"value\":\"k3y\"}").is_some());
        assert!(value(b"\"k3y\"").is_none() && value(b"{\"value\":[\"k3y\"]}").is_none());
    }
}
