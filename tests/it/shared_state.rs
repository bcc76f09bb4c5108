//! The object store that a site's `state:` names: what is sent, with which credential, and what is refused before anything
//! is. The stores themselves are in `shared_stores.rs`.

use std::sync::Arc;

use lifeboat::{
    azure::{Environment, TokenSource},
    clock::Clock,
    net::{Http, listing_refused},
    shared_state::{Access, Unusable, open},
    sim::{Scenario, World},
    site::{Credential, Endpoints, Location, SecretReference, StateCredential, parse},
};
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutPayload, path::Path};

use crate::{
    harness::{beginning, on_paused_clock},
    net::{
        server::{Reaction, Seen, Server, answer, answer_with},
        transport,
    },
};

const BLOB: &str = "https://{account}.blob.core.windows.net";

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::of(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn access(http: Http, credential: &Credential, variables: &[(&str, &str)]) -> Access {
    let environment = environment(variables);
    let endpoints = Endpoints::preset(lifeboat::site::Cloud::Public).unwrap();
    let tokens = Arc::new(TokenSource::new(credential, &endpoints, http.clone(), environment.clone()));
    Access { http, tokens, blob_endpoint: BLOB.to_owned(), environment }
}

fn ready_token() -> Credential {
    Credential::Token(SecretReference::Env("TOKEN".to_owned()))
}

/// The part of a site file that is about the state, as a person writes it.
fn state(location: &str, credential: &str) -> (Location, Option<StateCredential>) {
    let text = format!("version: 1\ncredential: {{ azure-cli: {{}} }}\nstate: {location}\n{credential}\n");
    let site = parse("site.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    let site = site.into_site(None).unwrap();
    (site.state.unwrap(), site.state_credential)
}

fn opened(location: &str, credential: &str, access: &Access) -> Result<Arc<dyn ObjectStore>, Unusable> {
    let (location, credential) = state(location, credential);
    open(&location, credential.as_ref(), access)
}

async fn create(store: &Arc<dyn ObjectStore>, name: &str, text: &'static str) -> Result<(), Error> {
    store
        .put_opts(&Path::from(name), PutPayload::from_static(text.as_bytes()), PutMode::Create.into())
        .await
        .map(|_| ())
}

async fn read(store: &Arc<dyn ObjectStore>, name: &str) -> String {
    let bytes = store.get(&Path::from(name)).await.unwrap().bytes().await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_container_of_the_simulated_azure_takes_objects_once_and_gives_them_back() {
    on_paused_clock(async {
        let clock = Clock::starting_at(beginning());
        let world = World::new(Scenario::default(), clock);
        let access = access(Http::Simulated(world), &Credential::Simulated, &[]);
        let store = opened("https://stcontosodr.blob.core.windows.net/apim-backups/runs", "", &access).unwrap();
        create(&store, "runs/one/journal/0000000000.json", "first").await.unwrap();
        let again = create(&store, "runs/one/journal/0000000000.json", "second").await.unwrap_err();
        assert!(matches!(again, Error::AlreadyExists { .. }), "{again}");
        assert_eq!(read(&store, "runs/one/journal/0000000000.json").await, "first");
        let absent = store.get(&Path::from("runs/one/journal/0000000001.json")).await.unwrap_err();
        assert!(matches!(absent, Error::NotFound { .. }), "{absent}");
        let nowhere = opened("https://stcontosodr.blob.core.windows.net/no-such-container", "", &access).unwrap();
        let refused = nowhere.list_with_delimiter(None).await.unwrap_err();
        assert_eq!(listing_refused(&refused).map(|status| status.as_u16()), Some(404), "{refused:?}");
        assert!(
            refused.to_string().contains("ContainerNotFound: The specified container does not exist."),
            "{refused}"
        );
    });
}

#[tokio::test]
async fn a_refused_token_is_fetched_anew_once_and_the_request_sent_again() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "old").unwrap();
    let path = file.path().to_owned();
    let server = Server::start(move |_, seen: &Seen| match seen.header("authorization") {
        "Bearer new" => answer_with(201, &[("etag", "\"1\""), ("last-modified", "Wed, 25 Nov 2026 10:00:00 GMT")], ""),
        _ => {
            std::fs::write(&path, "new").unwrap();
            answer(401, "<Error><Code>InvalidAuthenticationInfo</Code><Message>expired</Message></Error>")
        }
    })
    .await;
    let credential = Credential::Token(SecretReference::File(file.path().to_owned()));
    let access = access(transport(&[], vec![]), &credential, &[]);
    let store = opened(&format!("{}/stcontosodr/runs", server.url()), "", &access).unwrap();
    create(&store, "a", "x").await.unwrap();
    let sent: Vec<String> = server.seen().iter().map(|seen| seen.header("authorization").to_owned()).collect();
    assert_eq!(sent, ["Bearer old", "Bearer new"]);
    // One connection carried both: nothing is lost with it that matters.
    assert_eq!(server.accepted(), 1);
    assert_eq!(server.seen()[1].header("if-none-match"), "*");
    assert_eq!(server.seen()[1].target, "/stcontosodr/runs/a");

    // The same token once more would be refused once more.
    std::fs::write(file.path(), "stale").unwrap();
    let server = Server::script(vec![answer(401, "")]).await;
    let store = opened(&format!("{}/stcontosodr/runs", server.url()), "", &access).unwrap();
    let refused = create(&store, "a", "x").await.unwrap_err();
    assert!(matches!(refused, Error::Unauthenticated { .. }), "{refused}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_failing_store_is_asked_once_a_request_and_says_in_one_line_why() {
    for (reaction, part) in [
        (
            answer(503, "<Error><Code>ServerBusy</Code><Message>The server is busy.\nTime:1</Message></Error>"),
            "ServerBusy: The server is busy.",
        ),
        (answer(429, "slow\ndown"), "slow down"),
        (Reaction::Reset, "broke"),
    ] {
        let server = Server::script(vec![reaction]).await;
        let access = access(transport(&[], vec![]), &ready_token(), &[("TOKEN", "hunter2")]);
        let store = opened(&format!("{}/stcontosodr/runs", server.url()), "", &access).unwrap();
        let error = create(&store, "a", "x").await.unwrap_err();
        let told = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
        let told = told.map(ToString::to_string).collect::<Vec<_>>().join("; ");
        assert!(matches!(error, Error::Generic { .. }), "{error:?}");
        assert!(told.contains(part) && !told.contains('\n') && !told.contains("hunter2"), "{told}");
        assert_eq!(server.seen().len(), 1, "{part}");
    }
}

#[tokio::test]
async fn a_shared_access_signature_and_an_accounts_key_go_where_they_belong_and_into_no_error() {
    let server = Server::script(vec![answer(403, "<Error><Code>AuthorizationFailure</Code></Error>")]).await;
    let access = access(
        transport(&[], vec![]),
        &ready_token(),
        &[("SAS", "?sv=2022-11-02&sig=hunter2%3D"), ("KEY", "aHVudGVyMg==")],
    );
    let url = format!("{}/stcontosodr/runs", server.url());
    let store = opened(&url, "state_credential: { sas: { env: SAS } }", &access).unwrap();
    let refused = create(&store, "a", "x").await.unwrap_err();
    assert!(matches!(refused, Error::PermissionDenied { .. }), "{refused}");
    assert!(!format!("{refused} {refused:?}").contains("hunter2"), "{refused:?}");
    let seen = &server.seen()[0];
    assert!(
        seen.target.starts_with("/stcontosodr/runs/a?") && seen.target.contains("sig=hunter2%3D"),
        "{}",
        seen.target
    );
    assert_eq!(seen.header("authorization"), "");

    let store = opened(&url, "state_credential: { account-key: { env: KEY } }", &access).unwrap();
    create(&store, "a", "x").await.unwrap_err();
    assert!(server.seen()[1].header("authorization").starts_with("SharedKey stcontosodr:"));
}

#[tokio::test]
async fn the_keys_of_s3_come_from_the_site_or_else_from_the_environment_and_never_by_halves() {
    let server = Server::script(vec![answer_with(200, &[("etag", "\"1\"")], "")]).await;
    let endpoint = server.url();
    let variables = [
        ("AWS_ACCESS_KEY_ID", "ENVKEY"),
        ("AWS_SECRET_ACCESS_KEY", "env-secret"),
        ("AWS_SESSION_TOKEN", "env-token"),
        ("AWS_REGION", "eu-west-3"),
        ("AWS_ENDPOINT_URL_S3", endpoint.as_str()),
        ("ID", "SITEKEY"),
        ("SECRET", "site-secret"),
    ];
    let access = access(transport(&[], vec![]), &ready_token(), &variables);
    let store = opened("s3://contoso-dr/runs", "", &access).unwrap();
    create(&store, "runs/a", "x").await.unwrap();
    let store = opened(
        "s3://contoso-dr/runs",
        "state_credential: { aws: { region: eu-central-1, access_key_id: { env: ID }, secret_access_key: { env: SECRET } } }",
        &access,
    );
    create(&store.unwrap(), "runs/a", "x").await.unwrap();
    let seen = server.seen();
    let signed = |seen: &Seen| seen.header("authorization").split(',').next().unwrap().to_owned();
    let scope =
        |key: &str, region: &str| (format!("AWS4-HMAC-SHA256 Credential={key}/"), format!("/{region}/s3/aws4_request"));
    for (seen, (key, end)) in seen.iter().zip([scope("ENVKEY", "eu-west-3"), scope("SITEKEY", "eu-central-1")]) {
        assert!(signed(seen).starts_with(&key) && signed(seen).ends_with(&end), "{}", signed(seen));
        assert_eq!((seen.target.as_str(), seen.header("if-none-match")), ("/contoso-dr/runs/a", "*"));
        assert!(!format!("{seen:?}").contains("-secret"), "{seen:?}");
    }
    assert_eq!(seen[0].header("x-amz-security-token"), "env-token");
    assert_eq!(seen[1].header("x-amz-security-token"), "");
}

#[tokio::test]
async fn a_bucket_of_google_is_written_only_if_it_holds_no_such_object() {
    let server =
        Server::script(vec![answer_with(200, &[("etag", "\"1\""), ("x-goog-generation", "1")], ""), answer(412, "")])
            .await;
    let key = r#"{"private_key":"none","private_key_id":"none","client_email":"","disable_oauth":true}"#;
    let access = access(transport(&[], vec![]), &ready_token(), &[("KEY", key)]);
    let credential =
        format!("state_credential: {{ google: {{ service_account: {{ env: KEY }}, endpoint: {} }} }}", server.url());
    let store = opened("gs://contoso-dr/runs", &credential, &access).unwrap();
    create(&store, "runs/a", "x").await.unwrap();
    let again = create(&store, "runs/a", "x").await.unwrap_err();
    assert!(matches!(again, Error::AlreadyExists { .. }), "{again}");
    let seen = &server.seen()[0];
    assert_eq!((seen.target.as_str(), seen.header("x-goog-if-generation-match")), ("/contoso%2Ddr/runs%2Fa", "0"));
}

#[test]
fn what_does_not_fit_or_is_not_there_is_said_before_anything_is_sent() {
    let access = access(transport(&[], vec![]), &ready_token(), &[("BAD", "not base64!"), ("TEXT", "hunter2")]);
    for (location, credential, part) in [
        ("https://storage.contoso.internal/stdr/runs", "", "would be sent a token"),
        (
            "https://stdr.blob.core.windows.net/runs",
            "state_credential: { sas: { env: NONE } }",
            "not in the environment",
        ),
        ("https://stdr.blob.core.windows.net/runs", "state_credential: { sas: { env: TEXT } }", "is none"),
        (
            "https://stdr.blob.core.windows.net/runs",
            "state_credential: { sas: { file: /no/such/file } }",
            "/no/such/file",
        ),
        ("https://stdr.blob.core.windows.net/runs", "state_credential: { account-key: { env: BAD } }", "base64"),
        ("s3://contoso-dr", "", "region"),
        (
            "s3://contoso-dr",
            "state_credential: { aws: { region: eu-west-1, access_key_id: { env: NONE }, secret_access_key: { env: NONE } } }",
            "not in the environment",
        ),
        ("gs://contoso-dr", "state_credential: { google: { service_account: { env: TEXT } } }", "not JSON"),
    ] {
        let refused = opened(location, credential, &access).map(|_| ()).unwrap_err();
        assert!(refused.message.contains(part), "{location} {credential}: {refused}");
        assert!(!refused.hint.is_empty() && !format!("{refused:?}").contains("hunter2"), "{refused:?}");
    }
    // A site's credential for one store, and --state names another.
    let (location, _) = state("s3://contoso-dr", "");
    let refused = open(&location, Some(&StateCredential::Site), &access).map(|_| ()).unwrap_err();
    assert!(refused.message.contains("`state_credential: site` is not for S3"), "{refused}");
}

#[tokio::test]
async fn nothing_secret_travels_over_plain_http_to_another_machine() {
    let variables =
        [("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "B"), ("AWS_ENDPOINT_URL", "http://s3.example.com")];
    let access = access(transport(&[], vec![]), &ready_token(), &variables);
    let store = opened("s3://contoso-dr", "", &access).unwrap();
    let error = create(&store, "a", "x").await.unwrap_err();
    assert!(error.to_string().contains("s3.example.com would be asked over plain http"), "{error}");
}
