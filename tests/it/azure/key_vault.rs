//! Secrets of key vaults: one request, to the vault's own origin, and nothing of the value anywhere else.

use lifeboat::azure::{
    AzureError, AzureErrorKind,
    key_vault::{KeyVaults, SecretId},
};
use secrecy::ExposeSecret;

use super::*;
use crate::net::server::{Reaction, answer};

const SECRET: &str = "https://kv-dr.vault.azure.net/secrets/storage-key";

async fn read(id: &str, reactions: Vec<Reaction>) -> (Result<String, AzureError>, Server) {
    let server = Server::script(reactions).await;
    let site = Site::at(&server);
    let vaults = KeyVaults { http: http(), tokens: Arc::clone(&site.arm.tokens), clock: site.clock.clone() };
    let read = vaults.read(&SecretId::parse(id).unwrap(), &site.endpoints).await;
    (read.map(|value| value.expose_secret().to_owned()), server)
}

#[tokio::test]
async fn a_secret_is_one_get_with_a_token() {
    for (id, path) in [
        (SECRET.to_owned(), "/kv-dr/secrets/storage-key?api-version=7.5"),
        (format!("{SECRET}/0a1b"), "/kv-dr/secrets/storage-key/0a1b?api-version=7.5"),
    ] {
        let (value, server) = read(&id, vec![answer(200, r#"{"value":"k3y=","id":"x","attributes":{}}"#)]).await;
        assert_eq!(value.unwrap(), "k3y=");
        let seen = &server.seen()[0];
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", path));
        assert_eq!(seen.header("authorization"), "Bearer t0ken");
    }
    // It only reads, so it is repeated like a read.
    let (value, server) = read(SECRET, vec![answer(503, ""), answer(200, r#"{"value":"k3y="}"#)]).await;
    assert_eq!((value.unwrap().as_str(), server.seen().len()), ("k3y=", 2));
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let forbidden = |inner: &str| {
        let body = format!(r#"{{"error":{{"code":"Forbidden","message":"No.","innererror":{{"code":"{inner}"}}}}}}"#);
        answer(403, body)
    };
    let missing = r#"{"error":{"code":"SecretNotFound","message":"A secret was not found in this key vault."}}"#;
    for (reaction, kind, hint) in [
        (answer(404, missing), AzureErrorKind::NotFound, "check the name `storage-key`"),
        (
            forbidden("ForbiddenByRbac"),
            AzureErrorKind::Forbidden,
            "grant the role `Key Vault Secrets User` on the vault kv-dr",
        ),
        (forbidden("ForbiddenByFirewall"), AzureErrorKind::Forbidden, "the firewall of the vault kv-dr"),
        (forbidden("SecretDisabled"), AzureErrorKind::Forbidden, "enable the secret `storage-key`"),
    ] {
        let error = read(SECRET, vec![reaction]).await.0.unwrap_err();
        assert_eq!(error.kind, kind);
        assert!(error.message.starts_with("the key vault kv-dr answered "), "{error}");
        assert!(error.hint.as_deref().unwrap().starts_with(hint), "{error:?}");
    }
}

#[tokio::test]
async fn whatever_comes_back_is_not_repeated() {
    for body in [r#""s3cret""#, r#"{"value":["s3cret"]}"#, r#"{"value":"s3cret""#, "s3cret"] {
        let error = read(SECRET, vec![answer(200, body)]).await.0.unwrap_err();
        assert_eq!(error.kind, AzureErrorKind::Malformed);
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    }
}

#[tokio::test]
async fn a_foreign_vault_gets_nothing() {
    let (value, server) = read("https://kv-dr.evil.example/secrets/storage-key", vec![answer(200, "{}")]).await;
    assert!(value.unwrap_err().message.contains("it is no key vault of this site's cloud"));
    assert_eq!(server.accepted(), 0);
}
