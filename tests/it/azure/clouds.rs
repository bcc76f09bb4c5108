//! Each cloud: where requests and secrets go, and what their tokens are for.

use lifeboat::{
    action::{self, Call, Context},
    azure::key_vault::{KeyVaults, SecretId},
    runbook::{ActionKind, StepId},
    sim::{Scenario, World},
    site::{Cloud, Site as SiteOf},
};
use serde_json::json;

use super::*;
use crate::net::server::answer;

/// Hosts of Microsoft's documentation of each cloud.
struct Expected {
    cloud: &'static str,
    is: Cloud,
    manager: &'static str,
    authority: &'static str,
    blob: &'static str,
    vault: &'static str,
    gateway: &'static str,
}

const CLOUDS: [Expected; 3] = [
    Expected {
        cloud: "public",
        is: Cloud::Public,
        manager: "management.azure.com",
        authority: "login.microsoftonline.com",
        blob: "blob.core.windows.net",
        vault: "vault.azure.net",
        gateway: "azure-api.net",
    },
    Expected {
        cloud: "us-government",
        is: Cloud::UsGovernment,
        manager: "management.usgovcloudapi.net",
        authority: "login.microsoftonline.us",
        blob: "blob.core.usgovcloudapi.net",
        vault: "vault.usgovcloudapi.net",
        gateway: "azure-api.us",
    },
    Expected {
        cloud: "china",
        is: Cloud::China,
        manager: "management.chinacloudapi.cn",
        authority: "login.chinacloudapi.cn",
        blob: "blob.core.chinacloudapi.cn",
        vault: "vault.azure.cn",
        gateway: "azure-api.cn",
    },
];

fn site(cloud: &str) -> SiteOf {
    let text = format!("version: 1\ncloud: {cloud}\ncredential: {{ token: {{ env: TOKEN }} }}\n");
    let file = lifeboat::site::parse("site.yaml", text.as_bytes()).unwrap();
    file.into_site(None).unwrap()
}

#[test]
fn the_presets_are_azures_own() {
    for expected in CLOUDS {
        let site = site(expected.cloud);
        assert_eq!(site.cloud, expected.is);
        let endpoints = &site.endpoints;
        assert_eq!(endpoints.resource_manager, format!("https://{}", expected.manager));
        assert_eq!(endpoints.scope, format!("https://{}/.default", expected.manager));
        assert_eq!(endpoints.authority, format!("https://{}", expected.authority));
        assert_eq!(endpoints.blob, format!("https://{{account}}.{}", expected.blob));
        assert_eq!(endpoints.key_vault, format!("https://{{vault}}.{}", expected.vault));
        assert_eq!(endpoints.key_vault_scope(), format!("https://{}/.default", expected.vault));
    }
}

/// The simulated world knows the names of the public cloud only: the error tells which host was wanted.
#[tokio::test(start_paused = true)]
async fn every_request_goes_to_hosts_of_its_own_cloud() {
    for expected in CLOUDS.iter().filter(|expected| expected.is != Cloud::Public) {
        let mut scenario = Scenario::default();
        scenario.dns.resolvers = 1;
        let world = World::new(scenario, Clock::starting_at("2026-11-23T08:00:00Z".parse().unwrap()));
        let site = Arc::new(site(expected.cloud));
        let secret = SecretReference::Env("TOKEN".to_owned());
        let (tenant_id, client_id) = ("t".to_owned(), "c".to_owned());
        let credential = Credential::ClientSecret { tenant_id, client_id, secret };
        let environment = Environment::of([("TOKEN".to_owned(), "t0ken".to_owned())]);
        let http = Http::Simulated(world.clone());
        let context = Context::over(
            http.clone(),
            lifeboat::net::Dns::Simulated(world.clone()),
            site.clone(),
            world.clock().clone(),
            environment.clone(),
            std::env::temp_dir(),
        )
        .unwrap();

        let asked = TokenSource::new(&credential, &site.endpoints, http.clone(), environment);
        let token = asked.token(&site.endpoints.scope, false).await.unwrap_err();
        assert!(token.message.contains(&format!("{} was not found", expected.authority)), "{token}");

        let manager = context.arm.get(context.arm.url(&service(), "", "2024-05-01")).await.unwrap_err();
        assert!(manager.message.starts_with(&format!("{} was not found", expected.manager)), "{manager}");
        let blobs = context.blobs.list("stdr", "backups", "").await.unwrap_err();
        assert!(blobs.message.starts_with(&format!("stdr.{} was not found", expected.blob)), "{blobs}");
        let vaults = KeyVaults { http, tokens: context.arm.tokens.clone(), clock: context.clock.clone() };
        let id = SecretId::parse(&format!("https://kv.{}/secrets/a", expected.vault)).unwrap();
        let secret = vaults.read(&id, &site.endpoints).await.unwrap_err();
        assert!(secret.message.starts_with(&format!("kv.{} was not found", expected.vault)), "{secret}");

        // The gateway of a service that cannot be asked has its cloud's usual name.
        let service = json!({ "service": super::SERVICE });
        let call = Call {
            step: StepId::new("s"),
            arguments: service.as_object().unwrap().clone(),
            planned: Vec::new(),
            forced: None,
            doubt: None,
            earlier: None,
            unanswered: None,
            fences: std::sync::Arc::default(),
        };
        let probe = action::probe(ActionKind::ConfirmOutage, &call, &context).await;
        let said = format!("{probe:?}");
        assert!(said.contains(&format!("apim-west.{}", expected.gateway)), "{said}");
        assert_eq!(world.requests(), [], "nothing reached the public cloud");
    }
}

#[tokio::test]
async fn tokens_are_asked_for_the_scope_of_what_is_called() {
    let authority = Authority::new();
    let body = json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": "token" }).to_string();
    let entra = Server::start_tls(authority.acceptor(&["127.0.0.1"]), move |_, _| answer(200, body.clone())).await;
    let azure = Server::start(|_, _| answer(404, "{}")).await;
    for expected in CLOUDS {
        let preset = site(expected.cloud).endpoints;
        let endpoints = Endpoints { authority: entra.https(), scope: preset.scope, ..super::endpoints(&azure.url()) };
        let (tenant_id, client_id) = ("t".to_owned(), "c".to_owned());
        let credential =
            Credential::ClientSecret { tenant_id, client_id, secret: SecretReference::Env("SECRET".to_owned()) };
        let environment = Environment::of([("SECRET".to_owned(), "s".to_owned())]);
        let http = transport(&[&authority.pem], vec![]);
        let tokens = Arc::new(TokenSource::new(&credential, &endpoints, http.clone(), environment));
        let arm = Arm::new(http.clone(), &endpoints, tokens.clone(), Clock::Wall).unwrap();
        let before = entra.seen().len();
        arm.get(arm.url(&service(), "", "2024-05-01")).await.unwrap_err();
        arm.blobs(&endpoints).list("stdr", "backups", "").await.unwrap_err();
        let scopes: Vec<String> = entra.seen()[before..]
            .iter()
            .map(|request| {
                let mut pairs = url::form_urlencoded::parse(request.body.as_bytes());
                pairs.find(|(key, _)| key == "scope").unwrap().1.into_owned()
            })
            .collect();
        let manager = format!("https://{}/.default", expected.manager);
        assert_eq!(scopes, [manager.as_str(), "https://storage.azure.com/.default"]);
    }
}
