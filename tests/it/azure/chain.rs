//! A chain of credentials: the first that gives a token, as long as it gives one.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use jiff::Timestamp;
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
    assert_eq!(entra.seen().len(), asked, "the one that failed is left alone for a while");
}

/// One hiccup of the identity provider does not hand the rest of the run to another principal, and each change is told.
#[tokio::test]
async fn a_link_that_failed_is_asked_again_after_a_minute_and_each_change_is_told() {
    let authority = Authority::new();
    let down = Arc::new(AtomicBool::new(true));
    let is_down = Arc::clone(&down);
    let entra = Server::start_tls(authority.acceptor(&["127.0.0.1"]), move |_, _| {
        if is_down.load(Ordering::SeqCst) {
            return answer(400, r#"{"error":"temporarily_unavailable","error_description":"AADSTS90033: down."}"#);
        }
        let body = json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": "from-entra" });
        answer(200, body.to_string())
    })
    .await;
    let manager = Server::start(|_, _| answer(200, "{}")).await;
    let http = transport(&[&authority.pem], vec![]);
    let clock = Clock::starting_at(Timestamp::from_second(1_790_000_000).unwrap());
    let tokens = source(
        vec![client_secret(), token("READY")],
        &entra.https(),
        http.clone(),
        &[("SECRET", "s"), ("READY", "ready")],
    );
    let notices = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&notices);
    let endpoints = endpoints(&manager.url());
    let arm = Arm::new(http, &endpoints, Arc::new(tokens.timed_by(clock.clone())), clock).unwrap();
    let arm = arm.noting(Arc::new(move |notice: Notice| log.lock().unwrap().push(notice.message)));
    let used = async || {
        arm.get(arm.url(&service(), "", "2022-08-01")).await.unwrap();
        manager.seen().last().unwrap().header("authorization").to_owned()
    };

    assert_eq!(used().await, "Bearer ready");
    down.store(false, Ordering::SeqCst);
    assert_eq!(used().await, "Bearer ready");
    let asked = entra.seen().len();
    pass(61).await;
    assert_eq!(used().await, "Bearer from-entra");
    assert!(entra.seen().len() > asked);
    pass(61).await;
    assert_eq!(used().await, "Bearer from-entra", "kept while it works");
    let notices = notices.lock().unwrap().clone();
    assert_eq!(notices.len(), 2, "{notices:?}");
    assert!(notices[0].starts_with(
        "link 2 of the credential's chain, the ready token, gives the tokens for https://management.azure.com now: (1) \
         no token from the client secret: "
    ));
    assert_eq!(
        notices[1],
        "link 1 of the credential's chain, the client secret, gives the tokens for https://management.azure.com now"
    );
}

/// Time passes that nobody waits for.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

/// Until Azure refuses it, nobody else would be asked, and then each request would be refused twice.
#[tokio::test]
async fn a_ready_token_that_has_ended_gives_none_in_a_chain() {
    let ends_at = |end: i64| {
        let claims = json!({ "aud": "https://management.azure.com", "exp": end }).to_string();
        format!("e30.{}.c2ln", azure_core::base64::encode_url_safe(claims))
    };
    let (ended, valid) = (ends_at(1_790_000_000), ends_at(1_790_000_001));
    let clock = Clock::starting_at(Timestamp::from_second(1_790_000_000).unwrap());
    let variables = [("ENDED", ended.as_str()), ("VALID", valid.as_str())];
    let of = |links| source(links, "https://127.0.0.1:1", http(), &variables).timed_by(clock.clone());
    tokio::time::pause();
    let chain = of(vec![token("ENDED"), token("VALID")]);
    assert_eq!(chain.token(SCOPE, false).await.unwrap().expose_secret(), valid);
    tokio::time::advance(Duration::from_secs(1)).await;
    let error = chain.token(SCOPE, false).await.unwrap_err();
    assert!(error.message.contains("(2) the access token in the variable VALID ended at 2026-"), "{error}");
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
