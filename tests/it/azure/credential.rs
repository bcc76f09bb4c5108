//! Tokens from `azure_identity`'s credentials, end to end over our own transport.

use std::{path::PathBuf, process::Command, time::Instant};

use lifeboat::{
    azure::{AzureErrorKind, Environment, TokenSource},
    net::Http,
    site::{Credential, Endpoints, SecretReference},
};
use secrecy::ExposeSecret;
use serde_json::json;

use super::endpoints;
use crate::net::{
    authority::Authority,
    server::{Reaction, Server, answer},
    transport,
};

const SCOPE: &str = "https://management.azure.com/.default";

/// Entra ID, as far as a token goes: tokens are numbered.
async fn entra(authority: &Authority, lifetime_s: u64) -> Server {
    Server::start_tls(authority.acceptor(&["127.0.0.1"]), move |number, _| token(number, lifetime_s)).await
}

fn token(number: usize, lifetime_s: u64) -> Reaction {
    let body = json!({"token_type": "Bearer", "expires_in": lifetime_s, "access_token": format!("token-{number}")});
    answer(200, body.to_string())
}

fn at(authority: &str) -> Endpoints {
    Endpoints { authority: authority.to_owned(), ..endpoints("http://127.0.0.1:1") }
}

fn source(credential: &Credential, authority: &str, http: Http) -> TokenSource {
    let environment = Environment::of([("CLIENT_SECRET".to_owned(), "s3cret&=".to_owned())]);
    TokenSource::new(credential, &at(authority), http, environment)
}

fn client_secret() -> Credential {
    Credential::ClientSecret {
        tenant_id: "t-1".to_owned(),
        client_id: "c-1".to_owned(),
        secret: SecretReference::Env("CLIENT_SECRET".to_owned()),
    }
}

#[tokio::test]
async fn a_client_secret_gives_a_token_that_is_kept_until_a_fresh_one_is_wanted() {
    let authority = Authority::new();
    let server = entra(&authority, 3600).await;
    let source = source(&client_secret(), &server.https(), transport(&[&authority.pem], vec![]));
    let mut given = Vec::new();
    for (scope, fresh) in
        [(SCOPE, false), (SCOPE, false), (SCOPE, true), (SCOPE, false), ("https://other/.default", false)]
    {
        given.push(source.token(scope, fresh).await.unwrap().expose_secret().to_owned());
    }
    assert_eq!(given, ["token-0", "token-0", "token-1", "token-1", "token-2"]);
    let seen = &server.seen()[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/t-1/oauth2/v2.0/token"));
    assert_eq!(
        seen.body,
        "client_id=c-1&client_secret=s3cret%26%3D&grant_type=client_credentials&scope=https%3A%2F%2Fmanagement.azure.com%2F.default"
    );
    assert!(!format!("{source:?}").contains("token-"), "{source:?}");
}

#[tokio::test]
async fn a_token_near_its_end_is_asked_for_anew() {
    let authority = Authority::new();
    let server = entra(&authority, 240).await;
    let source = source(&client_secret(), &server.https(), transport(&[&authority.pem], vec![]));
    for expected in ["token-0", "token-1"] {
        assert_eq!(source.token(SCOPE, false).await.unwrap().expose_secret(), expected);
    }
}

#[tokio::test]
async fn a_wrong_secret_is_said_with_what_to_do_and_without_the_secret() {
    let authority = Authority::new();
    let body = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}"#;
    let server = Server::start_tls(authority.acceptor(&["127.0.0.1"]), move |_, _| answer(401, body)).await;
    let source = source(&client_secret(), &server.https(), transport(&[&authority.pem], vec![]));
    let error = source.token(SCOPE, false).await.unwrap_err();
    assert_eq!(error.kind, AzureErrorKind::Credential);
    assert!(error.message.starts_with("no token from the client secret: "), "{error}");
    assert!(error.message.contains("AADSTS7000215"), "{error}");
    assert_eq!(error.hint.as_deref(), Some("the client secret is wrong: use the secret's value, not its id"));
    assert!(!format!("{error:?}").contains("s3cret"));
    assert_eq!(server.seen().len(), 1, "not repeated");
}

#[tokio::test]
async fn an_identity_provider_that_is_not_trusted_ends_it_at_once() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = entra(&theirs, 3600).await;
    let source = source(&client_secret(), &server.https(), transport(&[&ours.pem], vec![]));
    let start = Instant::now();
    let error = source.token(SCOPE, false).await.unwrap_err();
    assert_eq!(error.kind, AzureErrorKind::Certificate, "{error}");
    assert!(error.hint.unwrap().contains("ca_file"));
    assert_eq!((server.accepted(), server.seen().len()), (1, 0), "asked once, told nothing");
    assert!(start.elapsed().as_secs() < 30);
}

#[tokio::test]
async fn a_provider_that_stumbles_is_asked_again() {
    let authority = Authority::new();
    let server = Server::start_tls(authority.acceptor(&["127.0.0.1"]), |number, _| match number {
        0 => answer(500, ""),
        1 => Reaction::Reset,
        _ => token(number, 3600),
    })
    .await;
    let source = source(&client_secret(), &server.https(), transport(&[&authority.pem], vec![]));
    assert_eq!(source.token(SCOPE, false).await.unwrap().expose_secret(), "token-2");
}

#[tokio::test]
async fn an_authority_without_tls_is_refused() {
    let server = Server::script(vec![token(0, 3600)]).await;
    let source = source(&client_secret(), &server.url(), super::http());
    let error = source.token(SCOPE, false).await.unwrap_err();
    assert_eq!(error.kind, AzureErrorKind::Credential);
    assert!(error.message.contains("HTTPS"), "{error}");
    assert_eq!(server.accepted(), 0, "the secret stays here");
}

#[tokio::test]
async fn a_secret_that_is_missing_is_named() {
    let credential = Credential::ClientSecret {
        tenant_id: "t".to_owned(),
        client_id: "c".to_owned(),
        secret: SecretReference::Env("ABSENT".to_owned()),
    };
    let error = source(&credential, "https://127.0.0.1:1", super::http()).token(SCOPE, false).await.unwrap_err();
    assert_eq!(error.message, "the client secret is not in the environment");
    assert_eq!(error.hint.as_deref(), Some("set the variable ABSENT"));
}

#[tokio::test]
async fn a_workload_identity_trades_its_file_for_a_token_and_names_what_is_missing() {
    let authority = Authority::new();
    let server = entra(&authority, 3600).await;
    let http = transport(&[&authority.pem], vec![]);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("assertion");
    std::fs::write(&file, "federated").unwrap();
    let from = |tenant_id: Option<&str>, token_file: Option<PathBuf>, environment: &[(&str, &str)]| {
        let credential =
            Credential::WorkloadIdentity { tenant_id: tenant_id.map(str::to_owned), client_id: None, token_file };
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        TokenSource::new(&credential, &at(&server.https()), http.clone(), Environment::of(environment))
    };
    let source = from(Some("t-9"), Some(file.clone()), &[("AZURE_CLIENT_ID", "c-9"), ("AZURE_TENANT_ID", "other")]);
    assert_eq!(source.token(SCOPE, false).await.unwrap().expose_secret(), "token-0");
    let seen = &server.seen()[0];
    assert_eq!(seen.target, "/t-9/oauth2/v2.0/token");
    assert!(seen.body.contains("client_id=c-9") && seen.body.contains("client_assertion=federated"), "{}", seen.body);

    let error = from(Some("t-9"), Some(file), &[]).token(SCOPE, false).await.unwrap_err();
    assert!(error.hint.unwrap().contains("AZURE_CLIENT_ID"), "{}", error.message);
    let error = from(None, None, &[]).token(SCOPE, false).await.unwrap_err();
    assert!(error.hint.unwrap().contains("AZURE_TENANT_ID"), "{}", error.message);
}

const CHILD: &str = "LIFEBOAT_TEST_CHILD";

/// `azure_identity` reads where the managed identity is from the process's environment, so the test runs itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_managed_identity_is_asked_over_the_machines_own_endpoint() {
    let credential = Credential::ManagedIdentity { client_id: Some("c-1".to_owned()), resource_id: None };
    if std::env::var_os(CHILD).is_some() {
        let source = TokenSource::new(&credential, &at("https://127.0.0.1:1"), super::http(), Environment::process());
        assert_eq!(source.token(SCOPE, false).await.unwrap().expose_secret(), "managed");
        return;
    }
    let body = json!({"access_token": "managed", "expires_on": "4102444800", "token_type": "Bearer", "resource": "x"});
    let server = Server::script(vec![answer(200, body.to_string())]).await;
    let url = server.url();
    let output = tokio::task::spawn_blocking(move || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "azure::credential::a_managed_identity_is_asked_over_the_machines_own_endpoint"])
            .env(CHILD, "1")
            .env("IDENTITY_ENDPOINT", format!("{url}/msi"))
            .env("IDENTITY_HEADER", "header")
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    let seen = &server.seen()[0];
    assert_eq!(seen.header("x-identity-header"), "header");
    assert!(seen.target.starts_with("/msi?") && seen.target.contains("client_id=c-1"), "{}", seen.target);
}

#[cfg(unix)]
mod azure_cli {
    use std::{os::unix::fs::PermissionsExt, path::Path};

    use super::*;

    fn with_az(directory: &Path) -> TokenSource {
        let environment = Environment::of([("PATH".to_owned(), directory.to_str().unwrap().to_owned())]);
        TokenSource::new(&Credential::AzureCli, &at("https://127.0.0.1:1"), super::super::http(), environment)
    }

    fn az(directory: &Path, script: &str) {
        let file = directory.join("az");
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[tokio::test]
    async fn az_is_started_once_for_a_token_that_lasts() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        az(
            directory.path(),
            &format!(
                r#"echo "$@" >> {}; echo '{{"accessToken":"from-az","expires_on":4102444800,"tokenType":"Bearer"}}'"#,
                log.display()
            ),
        );
        let source = with_az(directory.path());
        let (one, two) = tokio::join!(source.token(SCOPE, false), source.token(SCOPE, false));
        assert_eq!((one.unwrap().expose_secret(), two.unwrap().expose_secret()), ("from-az", "from-az"));
        let calls = std::fs::read_to_string(log).unwrap();
        assert_eq!(calls.lines().count(), 1, "{calls}");
        assert!(calls.contains(&format!("--scope {SCOPE}")), "{calls}");
    }

    #[tokio::test]
    async fn somebody_who_is_not_signed_in_is_told_to() {
        let directory = tempfile::tempdir().unwrap();
        az(directory.path(), "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1");
        let error = with_az(directory.path()).token(SCOPE, false).await.unwrap_err();
        assert_eq!(error.message, "no token from the Azure CLI: ERROR: Please run 'az login' to setup account.");
        assert_eq!(error.hint.as_deref(), Some("run `az login` with the tenant of the subscription"));
    }

    #[tokio::test]
    async fn a_missing_az_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let error = with_az(directory.path()).token(SCOPE, false).await.unwrap_err();
        assert!(error.message.contains("not found on PATH"), "{error}");
        assert!(error.hint.unwrap().starts_with("install the Azure CLI"));
    }
}
