//! A chain of credentials: the first that gives a token, as long as it gives one.

use std::sync::atomic::{AtomicBool, Ordering};

use lifeboat::azure::AzureErrorKind;
use secrecy::ExposeSecret;
use serde_json::json;

use super::*;
use crate::net::server::answer;

const SCOPE: &str = "https://management.azure.com/.default";

fn token(name: &str) -> Credential {
    Credential::Token(SecretReference::Env(name.to_owned()))
}

fn client_secret() -> Credential {
    Credential::ClientSecret {
        tenant_id: "t-1".to_owned(),
        client_id: "c-1".to_owned(),
        secret: SecretReference::Env("SECRET".to_owned()),
    }
}

fn source(links: Vec<Credential>, authority: &str, http: Http, variables: &[(&str, &str)]) -> TokenSource {
    let endpoints = Endpoints { authority: authority.to_owned(), ..endpoints("http://127.0.0.1:1") };
    let environment = Environment::of(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    TokenSource::new(&Credential::Chain(links), &endpoints, http, environment)
}

#[tokio::test]
async fn the_first_that_gives_a_token_is_kept() {
    let authority = Authority::new();
    let body = json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": "from-entra" }).to_string();
    let entra = Server::start_tls(authority.acceptor(&["127.0.0.1"]), move |_, _| answer(200, body.clone())).await;
    let links = vec![token("ABSENT"), client_secret(), token("READY")];
    let http = transport(&[&authority.pem], vec![]);
    let source = source(links, &entra.https(), http, &[("SECRET", "s"), ("READY", "ready")]);
    for _ in 0..2 {
        assert_eq!(source.token(SCOPE, false).await.unwrap().expose_secret(), "from-entra");
    }
    assert_eq!(entra.seen().len(), 1, "kept, as alone");
}

/// The identity provider goes down in the middle of a run: the ready token, put there by hand, takes over.
#[tokio::test]
async fn when_it_gives_none_any_more_the_others_are_asked() {
    let authority = Authority::new();
    let down = Arc::new(AtomicBool::new(false));
    let is_down = Arc::clone(&down);
    let entra = Server::start_tls(authority.acceptor(&["127.0.0.1"]), move |_, _| {
        if is_down.load(Ordering::SeqCst) {
            return answer(400, r#"{"error":"temporarily_unavailable","error_description":"AADSTS90033: down."}"#);
        }
        let body = json!({ "token_type": "Bearer", "expires_in": 240, "access_token": "from-entra" });
        answer(200, body.to_string())
    })
    .await;
    let http = transport(&[&authority.pem], vec![]);
    let source =
        source(vec![client_secret(), token("READY")], &entra.https(), http, &[("SECRET", "s"), ("READY", "ready")]);
    assert_eq!(source.token(SCOPE, false).await.unwrap().expose_secret(), "from-entra");
    down.store(true, Ordering::SeqCst);
    assert_eq!(source.token(SCOPE, false).await.unwrap().expose_secret(), "ready");
    let asked = entra.seen().len();
    assert_eq!(source.token(SCOPE, false).await.unwrap().expose_secret(), "ready");
    assert_eq!(entra.seen().len(), asked, "the one that gave the last token is asked first");
}

#[tokio::test]
async fn when_none_does_each_says_why_and_what_to_do() {
    let github = Credential::GithubActions { tenant_id: "t".to_owned(), client_id: "c".to_owned() };
    let source = source(vec![token("ABSENT"), github, client_secret()], "https://127.0.0.1:1", http(), &[]);
    let error = source.token(SCOPE, false).await.unwrap_err();
    assert_eq!(error.kind, AzureErrorKind::Credential);
    assert_eq!(
        error.message,
        "no credential of the chain gave a token: (1) the access token is not in the environment; \
         (2) no token from GitHub Actions: the variable ACTIONS_ID_TOKEN_REQUEST_URL is not set; \
         (3) the client secret is not in the environment"
    );
    assert_eq!(
        error.hint.unwrap(),
        "(1) set the variable ABSENT; (2) give the job `permissions: id-token: write`; GitHub sets the variable then; \
         (3) set the variable SECRET"
    );
}
