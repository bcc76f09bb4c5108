//! Client assertions: what stands in for a secret when a pipeline, a workflow or a certificate vouches for the client.
//!
//! Asked for, or signed, anew for every token: an assertion lives ten minutes and a restore 45, so that one that is
//! kept ends the run (azure-facts 0.4). Never kept, never logged.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use azure_core::{
    error::{Error, ErrorKind},
    http::ClientMethodOptions,
};
use azure_identity::ClientAssertion;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use crate::{
    clock::Clock,
    net::{Http, HttpError, HttpErrorKind, HttpRequest},
    site::SecretReference,
};

use super::{Environment, certificate_assertion};

/// An assertion has a few kilobytes.
const LARGEST_ANSWER: usize = 1 << 20;
/// One try; the whole token has half a minute.
const PATIENCE: Duration = Duration::from_secs(8);
/// Tries of one assertion: a runner's own service stumbles for a second now and then.
const TRIES: usize = 3;

/// Who vouches.
#[derive(Debug)]
pub(super) enum Voucher {
    /// Azure Pipelines, for a service connection.
    Pipelines { service_connection_id: String },
    /// GitHub Actions, for an audience.
    Github { audience: &'static str },
    /// A certificate that is registered with the application.
    Certificate {
        client_id: String,
        /// The token endpoint, which the assertion is for.
        audience: String,
        certificate: SecretReference,
        password: Option<SecretReference>,
    },
}

pub(super) struct Assertion {
    pub voucher: Voucher,
    pub http: Http,
    pub environment: Environment,
}

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assertion").field("voucher", &self.voucher).finish_non_exhaustive()
    }
}

#[async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _options: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let assertion = match &self.voucher {
            Voucher::Pipelines { service_connection_id } => self.of_pipeline(service_connection_id).await,
            Voucher::Github { audience } => self.of_workflow(audience).await,
            Voucher::Certificate { client_id, audience, certificate, password } => {
                let read = |reference| super::ready_token::read_text(reference, &self.environment, "the certificate");
                let secret = |reference| {
                    super::ready_token::read_secret(reference, &self.environment, "the password of the private key")
                };
                let signed = || {
                    let (pem, password) = (read(certificate)?, password.as_ref().map(secret).transpose()?);
                    certificate_assertion::sign(&pem, password.as_ref(), client_id, audience, Clock::Wall.now())
                };
                signed().map_err(|error| Unavailable { message: error.message, hint: error.hint.unwrap_or_default() })
            }
        };
        assertion
            .map(|text| text.expose_secret().to_owned())
            .map_err(|why| Error::with_error(ErrorKind::Credential, why.clone(), why.message))
    }
}

/// Why there is no assertion, with what to do. Found again in the causes of `azure_identity`'s error.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Unavailable {
    pub message: String,
    pub hint: String,
}

impl Assertion {
    async fn of_pipeline(&self, service_connection_id: &str) -> Result<SecretString, Unavailable> {
        const ADVICE: &str =
            "give the step `env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)`, in a job that uses the service connection";
        let mut url = self.url("SYSTEM_OIDCREQUESTURI", ADVICE)?;
        let token = self.variable("SYSTEM_ACCESSTOKEN", ADVICE)?;
        url.query_pairs_mut()
            .append_pair("api-version", "7.1")
            .append_pair("serviceConnectionId", service_connection_id);
        let mut request = Self::request(Method::POST, url, &token)?;
        // Else a wrong token is answered with a page to log in.
        request.headers.insert(HeaderName::from_static("x-tfs-fedauthredirect"), HeaderValue::from_static("Suppress"));
        request.headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        let advice = format!(
            "check that the service connection {service_connection_id} is one of workload identity federation and that this pipeline may use it"
        );
        self.ask(&request, "oidcToken", "Azure Pipelines", &advice).await
    }

    async fn of_workflow(&self, audience: &str) -> Result<SecretString, Unavailable> {
        const ADVICE: &str = "give the job `permissions: id-token: write`; GitHub sets the variable then";
        let mut url = self.url("ACTIONS_ID_TOKEN_REQUEST_URL", ADVICE)?;
        let token = self.variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN", ADVICE)?;
        url.query_pairs_mut().append_pair("audience", audience);
        let request = Self::request(Method::GET, url, &token)?;
        self.ask(&request, "value", "GitHub", ADVICE).await
    }

    fn variable(&self, name: &str, advice: &str) -> Result<SecretString, Unavailable> {
        let missing = || Unavailable { message: format!("the variable {name} is not set"), hint: advice.to_owned() };
        self.environment.get(name).map(SecretString::from).ok_or_else(missing)
    }

    fn url(&self, name: &str, advice: &str) -> Result<Url, Unavailable> {
        let text = self.variable(name, advice)?;
        let url = Url::parse(text.expose_secret()).ok();
        // The token beside it would travel in the clear.
        url.filter(|url| url.scheme() == "https" || url.host_str().is_some_and(|host| host == "127.0.0.1")).ok_or_else(
            || Unavailable {
                message: format!("the variable {name} holds no https URL"),
                hint: "leave the variable as the runner sets it".to_owned(),
            },
        )
    }

    fn request(method: Method, url: Url, token: &SecretString) -> Result<HttpRequest, Unavailable> {
        let mut request = HttpRequest::new(method, url);
        request.max_body = LARGEST_ANSWER;
        request.timeout = PATIENCE;
        let bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
        let mut bearer = bearer.map_err(|_| Unavailable {
            message: "the runner's token holds characters that no header may hold".to_owned(),
            hint: "leave the variable as the runner sets it".to_owned(),
        })?;
        bearer.set_sensitive(true);
        request.headers.insert(header::AUTHORIZATION, bearer);
        request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        Ok(request)
    }

    /// Nothing of an answer is repeated: it may hold an assertion.
    async fn ask(
        &self,
        request: &HttpRequest,
        field: &str,
        whose: &str,
        advice: &str,
    ) -> Result<SecretString, Unavailable> {
        let unavailable = |message: String| Unavailable { message, hint: advice.to_owned() };
        for attempt in 1.. {
            let last = attempt == TRIES;
            match self.http.send(request.clone()).await {
                Ok(response) if response.status == StatusCode::OK => {
                    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
                    let assertion = body.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
                    return assertion
                        .map(SecretString::from)
                        .ok_or_else(|| unavailable(format!("{whose} answered without an assertion")));
                }
                Ok(response) if !last && (response.status.is_server_error() || response.status.as_u16() == 429) => {}
                Ok(response) => {
                    return Err(unavailable(format!(
                        "{whose} answered {} to the request for an assertion",
                        response.status
                    )));
                }
                Err(error) if !last && may_pass(&error) => {}
                Err(error) => return Err(unavailable(format!("{whose} gave no assertion: {error}"))),
            }
            Clock::Wall.sleep(Duration::from_secs(1)).await;
        }
        unreachable!("the last try returns")
    }
}

fn may_pass(error: &HttpError) -> bool {
    match error.kind {
        HttpErrorKind::Connect | HttpErrorKind::Timeout | HttpErrorKind::Broken => true,
        HttpErrorKind::NameNotFound | HttpErrorKind::Certificate | HttpErrorKind::TooLarge => false,
    }
}

/// What GitHub's assertion is for: each cloud's Entra ID takes its own only.
pub(super) fn exchange_audience(authority: &str) -> &'static str {
    let host = Url::parse(authority).ok().and_then(|url| url.host_str().map(str::to_ascii_lowercase));
    match host.as_deref() {
        Some("login.microsoftonline.us") => "api://AzureADTokenExchangeUSGov",
        Some("login.chinacloudapi.cn" | "login.partner.microsoftonline.cn") => "api://AzureADTokenExchangeChina",
        Some(_) | None => "api://AzureADTokenExchange",
    }
}
