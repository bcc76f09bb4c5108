//! Where tokens come from for each request, and where they go.

use std::fs;

use lifeboat::{
    azure::{AzureErrorKind, Environment, RequestBody},
    site::{Credential, SecretReference},
};
use serde_json::json;
use url::Url;

use super::{Site, http, ready, service};
use crate::net::server::{Server, answer, answer_with};

const VERSION: &str = "2024-05-01";

#[tokio::test]
async fn every_request_carries_the_token_and_an_id_of_its_own() {
    let server = Server::script(vec![answer(500, ""), answer(200, "{}")]).await;
    let site = Site::at(&server);
    site.arm.get(site.arm.url(&service(), "", VERSION)).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].target, format!("{}?api-version={VERSION}", super::SERVICE));
    for request in &seen {
        assert_eq!(request.header("authorization"), "Bearer t0ken");
        assert_eq!(request.header("x-ms-return-client-request-id"), "true");
        assert_eq!(request.header("x-ms-client-request-id").len(), 36);
    }
    assert_ne!(seen[0].header("x-ms-client-request-id"), seen[1].header("x-ms-client-request-id"));
}

#[tokio::test]
async fn a_401_is_sent_once_more_with_a_fresh_token_also_for_a_post() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    for post in [false, true] {
        fs::write(&file, "old\n").unwrap();
        let renewed = file.clone();
        // Somebody renews the file while the first request is on its way.
        let server = Server::start(move |_, seen| {
            if seen.header("authorization") == "Bearer new" {
                return answer(202, "");
            }
            fs::write(&renewed, "new\n").unwrap();
            answer(401, r#"{"error":{"code":"ExpiredAuthenticationToken","message":"expired"}}"#)
        })
        .await;
        let credential = Credential::Token(SecretReference::File(file.clone()));
        let site = Site::with(&server.url(), http(), (credential, Environment::of([])));
        let url = site.arm.url(&service(), "/restore", VERSION);
        let reply = if post {
            site.arm.post_once(url, RequestBody::json(&json!({"a": 1}))).await
        } else {
            site.arm.get(url).await
        };
        assert_eq!(reply.unwrap().status, 202);
        let sent: Vec<_> = server.seen().iter().map(|seen| seen.header("authorization").to_owned()).collect();
        assert_eq!(sent, ["Bearer old", "Bearer new"]);
    }
}

#[tokio::test]
async fn a_second_401_is_final_and_says_how_old_the_token_is() {
    let server =
        Server::script(vec![answer(401, r#"{"error":{"code":"InvalidAuthenticationToken","message":"x"}}"#)]).await;
    // {"exp":1000000000}
    let site = Site::with(&server.url(), http(), ready("e30.eyJleHAiOjEwMDAwMDAwMDB9.sig"));
    let error = site.arm.post_once(site.arm.url(&service(), "/restore", VERSION), RequestBody::empty()).await;
    let error = error.unwrap_err();
    assert_eq!((error.kind, server.seen().len()), (AzureErrorKind::Unauthorized, 2));
    assert_eq!(
        error.hint.unwrap(),
        "the access token in the variable TOKEN ended at 2001-09-09T01:46:40Z; put a new one there"
    );
}

#[tokio::test]
async fn a_token_never_leaves_for_another_origin() {
    let own = Server::script(vec![answer(200, "{}")]).await;
    let foreign = Server::script(vec![answer(200, "{}")]).await;
    let site = Site::at(&own);
    let port = own.address.port();
    for url in [
        format!("{}/subscriptions/0000", foreign.url()),
        format!("http://localhost:{port}/x"),
        format!("https://127.0.0.1:{port}/x"),
        format!("http://user@127.0.0.1:{port}/x"),
        format!("http://127.0.0.1:{port}@{}/x", foreign.address),
    ] {
        let url = Url::parse(&url).unwrap();
        let get = site.arm.get(url.clone()).await.unwrap_err();
        let post = site.arm.post_once(url.clone(), RequestBody::empty()).await.unwrap_err();
        let put = site.arm.put(url.clone(), &json!({}), Some("e")).await.unwrap_err();
        for error in [get, post, put] {
            assert_eq!(error.kind, AzureErrorKind::Malformed, "{url}");
            assert!(error.message.starts_with("nothing was sent to"), "{error}");
        }
    }
    assert_eq!((own.accepted(), foreign.accepted()), (0, 0));
}

#[tokio::test]
async fn a_redirect_takes_no_token_along() {
    let foreign = Server::script(vec![answer(200, "{}")]).await;
    let to = foreign.url();
    let own = Server::start(move |_, _| answer_with(307, &[("location", &to)], "")).await;
    let site = Site::at(&own);
    let error = site.arm.get(site.arm.url(&service(), "", VERSION)).await.unwrap_err();
    assert_eq!((error.kind, error.status, foreign.accepted()), (AzureErrorKind::Malformed, Some(307), 0));
}

#[tokio::test]
async fn a_token_that_is_missing_or_mangled_is_said_before_anything_is_sent() {
    let server = Server::script(vec![answer(200, "{}")]).await;
    let cases = [
        (SecretReference::Env("ABSENT".to_owned()), "set the variable ABSENT"),
        (SecretReference::File("/nowhere/token".into()), "check that the file exists"),
        (SecretReference::Env("MANGLED".to_owned()), "store the bare value"),
    ];
    for (reference, hint) in cases {
        let environment = Environment::of([("MANGLED".to_owned(), "{\n\"token\": \"s3cret\"}".to_owned())]);
        let site = Site::with(&server.url(), http(), (Credential::Token(reference), environment));
        let error = site.arm.get(site.arm.url(&service(), "", VERSION)).await.unwrap_err();
        assert_eq!(error.kind, AzureErrorKind::Credential);
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        assert!(error.hint.unwrap().starts_with(hint));
    }
    assert_eq!(server.accepted(), 0);
}

#[test]
fn secrets_do_not_print() {
    let body = RequestBody::json(&json!({"accessKey": "k3y"}));
    assert!(!format!("{body:?}").contains("k3y"));
    let (_, environment) = ready("s3cret");
    assert!(!format!("{environment:?}").contains("s3cret"));
}

/// As in docs/how-to/break-glass.md: two tokens in one file, each to where it belongs, and new ones without a restart.
#[tokio::test]
async fn of_two_ready_tokens_each_goes_to_where_it_belongs() {
    let token = |aud: &str, mark: &str| {
        let claims = json!({ "aud": aud, "exp": 4_102_444_800_i64, "mark": mark }).to_string();
        format!("e30.{}.c2ln", azure_core::base64::encode_url_safe(claims))
    };
    let of = |mark: &str| {
        [token("https://management.core.windows.net/", mark), token("https://storage.azure.com", mark)]
            .map(|one| one + "\n")
    };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    let listing = "<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>";
    let server = Server::start(move |_, seen| {
        let lists = seen.target.contains("comp=list");
        answer(200, if lists { listing } else { "{}" })
    })
    .await;
    let credential = Credential::Token(SecretReference::File(file.clone()));
    let site = Site::with(&server.url(), http(), (credential, Environment::of([])));
    let mut expected = Vec::new();
    for mark in ["first", "second"] {
        let tokens = of(mark);
        fs::write(&file, tokens.concat()).unwrap();
        site.arm.get(site.arm.url(&service(), "", VERSION)).await.unwrap();
        site.arm.blobs(&site.endpoints).list("stdr", "backups", "").await.unwrap();
        expected.extend(tokens.map(|token| format!("Bearer {}", token.trim())));
    }
    let sent: Vec<_> = server.seen().iter().map(|seen| seen.header("authorization").to_owned()).collect();
    assert_eq!(sent, expected);

    fs::write(&file, of("third")[0].repeat(2)).unwrap();
    let error = site.arm.blobs(&site.endpoints).list("stdr", "backups", "").await.unwrap_err();
    assert!(error.message.ends_with("is for https://storage.azure.com"), "{error}");
    assert!(error.hint.unwrap().contains("az account get-access-token --scope https://storage.azure.com/.default"));
    assert_eq!(server.seen().len(), 4, "nothing is sent with a token that is not for it");
}
