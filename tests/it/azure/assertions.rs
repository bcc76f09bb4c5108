//! Credentials that vouch with an assertion: a new one for every token, so that a restore outlives them.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use azure_core::base64::decode_url_safe;
use lifeboat::{
    action::{self, Call, Context},
    azure::{AzureError, AzureErrorKind, Environment, TokenSource},
    net::{HttpRequest, HttpResponse},
    runbook::{ActionKind, StepId},
    sim::{Scenario, World},
    site::{Credential, SecretReference},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::*;
use crate::net::{
    authority::Authority,
    server::{Reaction, answer},
};

const SCOPE: &str = "https://management.azure.com/.default";

fn github() -> Credential {
    Credential::GithubActions { tenant_id: "t-1".to_owned(), client_id: "c-1".to_owned() }
}

fn pipelines() -> Credential {
    Credential::AzurePipelines {
        tenant_id: "t-1".to_owned(),
        client_id: "c-1".to_owned(),
        service_connection_id: "sc-1".to_owned(),
    }
}

fn runner(oidc: &str) -> Environment {
    let variables = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{oidc}/idtoken?api-version=2.0")),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "runner-s3cret".to_owned()),
        ("SYSTEM_OIDCREQUESTURI", format!("{oidc}/oidctoken")),
        ("SYSTEM_ACCESSTOKEN", "runner-s3cret".to_owned()),
    ];
    Environment::of(variables.map(|(name, value)| (name.to_owned(), value)))
}

fn field(body: &str, name: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(body.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// An OIDC service whose assertions end after ten minutes, and an Entra ID that takes each of them once and never late.
struct Provider {
    oidc: Server,
    entra: Server,
    minute: Arc<AtomicU64>,
    http: Http,
}

impl Provider {
    async fn start() -> Self {
        let authority = Authority::new();
        let minute = Arc::new(AtomicU64::new(0));
        let now = Arc::clone(&minute);
        let oidc = Server::start(move |number, request| {
            let text = format!("a-{number}-{}", now.load(Ordering::SeqCst) + 10);
            let field = if request.target.contains("/idtoken") { "value" } else { "oidcToken" };
            answer(200, json!({ field: text }).to_string())
        })
        .await;
        let (now, taken) = (Arc::clone(&minute), Mutex::new(BTreeSet::new()));
        let entra = Server::start_tls(authority.acceptor(&["127.0.0.1"]), move |number, request| {
            let assertion = field(&request.body, "client_assertion");
            let end: u64 = assertion.rsplit('-').next().unwrap().parse().unwrap();
            if end <= now.load(Ordering::SeqCst) {
                return refusal("AADSTS700024: Client assertion is not within its valid time range.");
            }
            if !taken.lock().unwrap().insert(assertion) {
                return refusal("AADSTS0: taken twice");
            }
            // Ends within the margin: every request for a token asks anew, through the same object.
            let body = json!({ "token_type": "Bearer", "expires_in": 240, "access_token": format!("token-{number}") });
            answer(200, body.to_string())
        })
        .await;
        Self { oidc, entra, minute, http: transport(&[&authority.pem], vec![]) }
    }

    fn source(&self, credential: &Credential) -> TokenSource {
        let endpoints = Endpoints { authority: self.entra.https(), ..endpoints("http://127.0.0.1:1") };
        TokenSource::new(credential, &endpoints, self.http.clone(), runner(&self.oidc.url()))
    }
}

fn refusal(said: &str) -> Reaction {
    answer(401, json!({ "error": "invalid_client", "error_description": said }).to_string())
}

#[tokio::test]
async fn tokens_come_for_an_hour_although_an_assertion_lives_ten_minutes() {
    for credential in [github(), pipelines()] {
        let provider = Provider::start().await;
        let source = provider.source(&credential);
        for number in 0..13 {
            let token = source.token(SCOPE, false).await.unwrap_or_else(|error| panic!("{number}: {error}"));
            assert_eq!(token.expose_secret(), format!("token-{number}"));
            provider.minute.fetch_add(5, Ordering::SeqCst);
        }
        let assertions: BTreeSet<String> =
            provider.entra.seen().iter().map(|request| field(&request.body, "client_assertion")).collect();
        assert_eq!((assertions.len(), provider.oidc.seen().len()), (13, 13), "one assertion a token");
    }
}

#[tokio::test]
async fn a_workflow_asks_github_for_the_audience_of_its_cloud() {
    let provider = Provider::start().await;
    provider.source(&github()).token(SCOPE, false).await.unwrap();
    let asked = &provider.oidc.seen()[0];
    assert_eq!(asked.method, "GET");
    assert_eq!(asked.target, "/idtoken?api-version=2.0&audience=api%3A%2F%2FAzureADTokenExchange");
    assert_eq!(asked.header("authorization"), "Bearer runner-s3cret");
    let traded = &provider.entra.seen()[0];
    assert_eq!(traded.target, "/t-1/oauth2/v2.0/token");
    assert_eq!(field(&traded.body, "client_id"), "c-1");
    assert_eq!(field(&traded.body, "scope"), SCOPE);
    assert!(!traded.body.contains("runner-s3cret"));
}

#[tokio::test]
async fn a_pipeline_asks_for_its_service_connection() {
    let provider = Provider::start().await;
    provider.source(&pipelines()).token(SCOPE, false).await.unwrap();
    let asked = &provider.oidc.seen()[0];
    assert_eq!(
        (asked.method.as_str(), asked.target.as_str()),
        ("POST", "/oidctoken?api-version=7.1&serviceConnectionId=sc-1")
    );
    assert_eq!(asked.header("authorization"), "Bearer runner-s3cret");
    assert_eq!(asked.header("x-tfs-fedauthredirect"), "Suppress");
}

async fn fails(credential: &Credential, oidc: &str, environment: Environment) -> AzureError {
    let endpoints = Endpoints { authority: "https://127.0.0.1:1".to_owned(), ..endpoints("http://127.0.0.1:1") };
    let source = TokenSource::new(credential, &endpoints, http(), environment);
    let error = source.token(SCOPE, false).await.unwrap_err();
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?} {oidc}");
    error
}

#[tokio::test]
async fn what_a_runner_lacks_is_named_with_the_line_that_gives_it() {
    let error = fails(&github(), "", Environment::of([])).await;
    assert_eq!(error.message, "no token from GitHub Actions: the variable ACTIONS_ID_TOKEN_REQUEST_URL is not set");
    assert!(error.hint.unwrap().contains("id-token: write"));
    let error = fails(&pipelines(), "", Environment::of([])).await;
    assert_eq!(error.message, "no token from Azure Pipelines: the variable SYSTEM_OIDCREQUESTURI is not set");
    assert!(error.hint.unwrap().contains("SYSTEM_ACCESSTOKEN: $(System.AccessToken)"));
    // The runner's token does not travel in the clear.
    let error = fails(&github(), "", runner("http://example.com")).await;
    assert!(error.message.ends_with("holds no https URL"), "{error}");
}

#[tokio::test]
async fn a_service_that_stumbles_is_asked_again_and_one_that_refuses_is_not() {
    let stumbling = Server::script(vec![Reaction::Reset, answer(200, r#"{"value":"s3cret-1"}"#)]).await;
    let error = fails(&github(), "", runner(&stumbling.url())).await;
    assert_eq!(stumbling.seen().len(), 2, "{error}");
    assert_eq!(error.kind, AzureErrorKind::Credential);

    let refusing = Server::script(vec![answer(403, "s3cret")]).await;
    let error = fails(&pipelines(), "", runner(&refusing.url())).await;
    assert_eq!(
        error.message,
        "no token from Azure Pipelines: Azure Pipelines answered 403 Forbidden to the request for an assertion"
    );
    assert!(error.hint.unwrap().contains("service connection sc-1"));
    assert_eq!(refusing.seen().len(), 1);

    let strange = Server::script(vec![answer(200, r#"{"oidcToken":["s3cret"]}"#)]).await;
    let error = fails(&pipelines(), "", runner(&strange.url())).await;
    assert!(error.message.ends_with("answered without an assertion"), "{error}");
}

/// The simulated runner and the simulated Entra ID, on the paused clock.
const SIMULATED_RUNNER: &str = "https://pipelines.actions.githubusercontent.com";

fn simulated(credential: Credential, scenario: Scenario) -> (Arc<World>, Context) {
    let clock = Clock::starting_at("2026-11-23T08:00:00Z".parse().unwrap());
    let world = World::new(scenario, clock.clone());
    let site = Arc::new(lifeboat::site::Site { credential, ..world.site() });
    let (http, dns) = (Http::Simulated(world.clone()), lifeboat::net::Dns::Simulated(world.clone()));
    let context = Context::over(http, dns, site, clock, runner(SIMULATED_RUNNER), std::env::temp_dir()).unwrap();
    (world, context.for_run("run-1", Duration::from_mins(90)))
}

#[tokio::test(start_paused = true)]
async fn a_restore_of_45_minutes_outlives_assertions_of_ten() {
    // Tokens that end within the margin: every one of the polls needs a new one.
    let scenario = Scenario { token_lifetime: Duration::from_mins(4), ..Scenario::default() };
    for (credential, path) in [(github(), "/idtoken?"), (pipelines(), "/oidctoken?")] {
        let (world, context) = simulated(credential, scenario.clone());
        let id = |group: &str, kind: &str, name: &str| {
            format!(
                "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/{group}/providers/{kind}/{name}"
            )
        };
        let storage = id("rg-dr", "Microsoft.Storage/storageAccounts", "stcontosodr");
        let found =
            perform(ActionKind::FindLatest, json!({ "storage": storage, "container": "apim-backups" }), &context).await;
        let standby = id("rg-apim-east", "Microsoft.ApiManagement/service", "apim-contoso-east");
        let restore = json!({ "service": standby, "backup": found["backup"], "access": "system-assigned-identity" });
        let done = perform(ActionKind::Restore, restore, &context).await;
        assert!(done["duration"].as_str().unwrap().starts_with("45m"), "{done}");
        assert_eq!(world.effects().restores_completed, 1);
        let count = |part: &str| world.requests().iter().filter(|request| request.url.contains(part)).count();
        let tokens = count("/oauth2/v2.0/token");
        assert!(tokens > 45, "{tokens} tokens");
        assert_eq!(count(path), tokens, "an assertion for every token");
        assert!(world.requests().iter().all(|request| request.status.is_some_and(|status| status < 400)));
    }
}

async fn perform(kind: ActionKind, arguments: Value, context: &Context) -> Value {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some((_, message)) = receiver.recv().await {
            match message {
                action::Message::Intend(_, durable) | action::Message::Accepted(_, durable) => {
                    let _gone = durable.send(());
                }
                action::Message::Noted(_)
                | action::Message::Finished(_)
                | action::Message::Settled(_)
                | action::Message::Panicked => {}
            }
        }
    });
    let Value::Object(arguments) = arguments else { panic!("arguments are a map") };
    let call = Call {
        step: StepId::new("step"),
        arguments,
        planned: Vec::new(),
        forced: None,
        doubt: None,
        earlier: None,
        unanswered: None,
        fences: std::sync::Arc::default(),
    };
    let done = action::perform(kind, &call, context, &action::Recorder::new(0, sender)).await;
    Value::Object(done.unwrap_or_else(|error| panic!("{kind}: {error}")).outputs)
}

async fn trade(world: &World, assertion: &str) -> HttpResponse {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", "c-1")
        .append_pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        .append_pair("client_assertion", assertion)
        .finish();
    let url = "https://login.microsoftonline.com/t-1/oauth2/v2.0/token";
    let mut request = HttpRequest::new(http::Method::POST, url.parse().unwrap());
    request.body = body.into();
    world.http(request).await.unwrap()
}

/// What the fresh assertions are for: the simulated Entra ID refuses an old one, as the real one does.
#[tokio::test(start_paused = true)]
async fn the_simulator_refuses_an_assertion_that_is_late_or_garbled() {
    let (world, context) = simulated(github(), Scenario::default());
    let given = async |audience: &str| {
        let url = format!("{SIMULATED_RUNNER}/idtoken?audience={audience}");
        let mut request = HttpRequest::new(http::Method::GET, url.parse().unwrap());
        request.headers.insert("authorization", "Bearer x".parse().unwrap());
        let body: Value = serde_json::from_slice(&world.http(request).await.unwrap().body).unwrap();
        body["value"].as_str().unwrap().to_owned()
    };
    let assertion = given("api://AzureADTokenExchange").await;
    context.clock.sleep(Duration::from_mins(9)).await;
    assert_eq!(trade(&world, &assertion).await.status, 200);
    context.clock.sleep(Duration::from_mins(1)).await;
    let foreign = given("api://AzureADTokenExchangeChina").await;
    let mut bent = given("api://AzureADTokenExchange").await;
    bent.push('x');
    for (assertion, said) in [
        (assertion.as_str(), "AADSTS700024: Client assertion is not within its valid time range."),
        (&bent, "AADSTS50013"),
        (&foreign, "AADSTS700212"),
        ("hunter2", "AADSTS50027"),
        ("a.b.c", "AADSTS50027"),
    ] {
        let refused = trade(&world, assertion).await;
        assert_eq!(refused.status, 401);
        let body = String::from_utf8_lossy(&refused.body).into_owned();
        assert!(body.contains(said) && !body.contains("hunter2"), "{body}");
    }
}

/// An RSA key and its certificate, PEM.
fn certificate(not_after_year: i32) -> (String, String) {
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["app.contoso.com".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2000, 1, 1);
    params.not_after = rcgen::date_time_ymd(not_after_year, 1, 1);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn with_certificate(pem: &str, password: Option<&str>) -> (Credential, Environment) {
    let credential = Credential::ClientCertificate {
        tenant_id: "t-1".to_owned(),
        client_id: "c-1".to_owned(),
        certificate: SecretReference::Env("PEM".to_owned()),
        password: password.map(|_| SecretReference::Env("PASSWORD".to_owned())),
    };
    let variables = [("PEM", Some(pem)), ("PASSWORD", password)];
    let set = variables.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    (credential, Environment::of(set))
}

fn claims(part: &str) -> Value {
    serde_json::from_slice(&decode_url_safe(part).unwrap()).unwrap()
}

#[tokio::test]
async fn a_certificate_signs_an_assertion_that_its_public_key_confirms() {
    let authority = Authority::new();
    let token = json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": "token" }).to_string();
    let entra = Server::start_tls(authority.acceptor(&["127.0.0.1"]), move |_, _| answer(200, token.clone())).await;
    let http = transport(&[&authority.pem], vec![]);
    let endpoints = Endpoints { authority: entra.https(), ..endpoints("http://127.0.0.1:1") };
    let (pem, key) = certificate(2100);
    let (credential, environment) = with_certificate(&format!("{key}\n{pem}"), None);
    let source = TokenSource::new(&credential, &endpoints, http, environment);
    for fresh in [false, true] {
        assert_eq!(source.token(SCOPE, fresh).await.unwrap().expose_secret(), "token");
    }
    let seen = entra.seen();
    let assertions = [0, 1].map(|place| field(&seen[place].body, "client_assertion"));
    assert_ne!(assertions[0], assertions[1], "signed anew");
    let (message, signature) = assertions[0].rsplit_once('.').unwrap();
    let (header, body) = message.split_once('.').unwrap();
    let (_, der) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
    let (_, parsed) = x509_parser::parse_x509_certificate(&der.contents).unwrap();
    let public = parsed.public_key().subject_public_key.data.to_vec();
    UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, public)
        .verify(message.as_bytes(), &decode_url_safe(signature).unwrap())
        .unwrap();
    let header = claims(header);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("PS256"), &json!("JWT")));
    let digest = <sha2::Sha256 as sha2::Digest>::digest(&der.contents);
    assert_eq!(decode_url_safe(header["x5t#S256"].as_str().unwrap()).unwrap(), digest.as_slice());
    let said = claims(body);
    assert_eq!(said["aud"], format!("{}/t-1/oauth2/v2.0/token", entra.https()));
    assert_eq!((&said["iss"], &said["sub"]), (&json!("c-1"), &json!("c-1")));
    assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 600);
    assert!(!seen[0].body.contains("PRIVATE"));
}

/// Certificates of the fixtures were written by OpenSSL 3.0; the password of every key is `correct-horse`.
fn fixture(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/certificates").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The simulated Entra ID takes a good assertion and says of the others what the real one says.
async fn simulated_token(pem: &str, password: Option<&str>) -> Result<(), AzureError> {
    let (credential, environment) = with_certificate(pem, password);
    let world = World::new(Scenario::default(), Clock::starting_at("2026-11-23T08:00:00Z".parse().unwrap()));
    let endpoints = world.site().endpoints;
    let source = TokenSource::new(&credential, &endpoints, Http::Simulated(world), environment);
    source.token(SCOPE, false).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn an_encrypted_key_is_opened_with_its_password() {
    for name in ["encrypted.pem", "encrypted-sha1.pem"] {
        simulated_token(&fixture(name), Some("correct-horse")).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let error = simulated_token(&fixture(name), Some("wrong-horse")).await.unwrap_err();
        assert!(error.message.ends_with("the password does not open the private key"), "{error}");
        let error = simulated_token(&fixture(name), None).await.unwrap_err();
        assert!(error.message.ends_with("the private key is encrypted and there is no password"), "{error}");
    }
    for name in ["encrypted-des3.pem", "encrypted-old.pem"] {
        let error = simulated_token(&fixture(name), Some("correct-horse")).await.unwrap_err();
        assert!(error.hint.as_deref().unwrap().contains("openssl pkcs8 -topk8 -v2 aes-256-cbc"), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_cannot_be_used_is_named_with_the_command_that_helps() {
    let ((good, key), (other, _), (ended, its)) = (certificate(2100), certificate(2100), certificate(2020));
    let elliptic = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for (pem, said, hint) in [
        (good.clone(), "there is no private key in PEM form", "openssl pkcs12"),
        (key.clone(), "there is no certificate in PEM form", "openssl pkcs12 -in FILE.pfx -nodes"),
        ("0\u{82}binary".to_owned(), "there is no certificate in PEM form", "openssl pkcs12 -in FILE.pfx -nodes"),
        (format!("{other}{key}"), "the private key is not the one of the certificate", "its own private key"),
        (format!("{ended}{its}"), "the certificate ended at 2020-01-01T00:00:00Z", "register it"),
        (format!("{good}{elliptic}"), "the private key is not an RSA key that can be used", "RSA keys of 2048 bits"),
    ] {
        let error = simulated_token(&pem, None).await.unwrap_err();
        assert_eq!(error.message, format!("no token from the client certificate: {said}"));
        assert!(error.hint.as_deref().unwrap().contains(hint), "{error:?}");
        assert!(!format!("{error:?}").contains("BEGIN"), "{error:?}");
    }
    simulated_token(&format!("{good}{key}"), None).await.unwrap();
}
