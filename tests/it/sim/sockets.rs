//! The simulator over real sockets, with clients that know nothing of it.

use std::{net::SocketAddr, path::Path};

use hickory_resolver::{
    Resolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
    proto::rr::RecordType,
};
use lifeboat::{
    sim::{Act, Fault, GatewayFault, GatewayTrouble, ListenOptions, Moment, Serving, serve},
    site::{Cloud, Credential, SecretReference, Site},
};

use super::*;

/// Two thousand times: a restore in 1.35 seconds. Tokens last for minutes, however busy the machine is.
async fn serving(scenario: Scenario) -> Serving {
    serving_with_tokens(Scenario { token_lifetime: 10_000 * MINUTE, ..scenario }).await
}

async fn serving_with_tokens(scenario: Scenario) -> Serving {
    serve(World::new(scenario, Clock::scaled(2000.0)), ListenOptions::default()).await.unwrap()
}

fn client(site: &Site) -> reqwest::ClientBuilder {
    let root = reqwest::Certificate::from_pem(site.ca_certificates[0].as_bytes()).unwrap();
    reqwest::Client::builder().no_proxy().add_root_certificate(root)
}

fn token(site: &Site) -> String {
    let Credential::Token(SecretReference::File(path)) = &site.credential else { panic!("{site:?}") };
    std::fs::read_to_string(path).unwrap()
}

fn local(site: &Site, path: &str, version: &str) -> String {
    format!("{}{SUBSCRIPTION}{path}?api-version={version}", site.endpoints.resource_manager)
}

async fn ask(site: &Site, method: Method, url: &str, body: Option<Value>) -> reqwest::Result<reqwest::Response> {
    let request = client(site).build().unwrap().request(method, url).bearer_auth(token(site));
    let request = request.header("x-ms-version", "2023-11-03");
    match body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()).send().await,
        None => request.send().await,
    }
}

async fn json_of(response: reqwest::Response) -> Value {
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_restore_over_sockets_goes_as_it_was_recorded() {
    let serving = serving(Scenario::default()).await;
    let site = serving.site();
    assert_eq!(site.cloud, Cloud::Custom);
    assert!(site.simulated.is_some());
    let url = local(&site, &format!("{STANDBY}/restore"), APIM);
    let list =
        format!("{}/apim-backups?restype=container&comp=list", site.endpoints.blob.replace("{account}", "stcontosodr"));
    let page = ask(&site, Method::GET, &list, None).await.unwrap().text().await.unwrap();
    let good = page.split("<Blob>").filter(|it| !it.contains("manifest") && !it.contains("<Content-Length>0<"));
    let good = good.filter_map(|it| it.split("<Name>").nth(1)?.split("</Name>").next()).last().unwrap().to_owned();
    let body = json!({
        "storageAccount": "stcontosodr", "containerName": "apim-backups", "backupName": good,
        "accessType": "SystemAssignedManagedIdentity",
    });
    let accepted = ask(&site, Method::POST, &url, Some(body)).await.unwrap();
    assert_eq!(accepted.status(), 202);
    assert_eq!(accepted.headers()["retry-after"], "60");
    assert_eq!(accepted.headers()["content-length"], "0");
    let location = accepted.headers()["location"].to_str().unwrap().to_owned();
    assert!(location.starts_with(&site.endpoints.resource_manager), "{location}");
    let poll = ask(&site, Method::GET, &location, None).await.unwrap();
    assert_eq!((poll.status().as_u16(), poll.headers()["location"].to_str().unwrap()), (202, location.as_str()));
    assert_eq!(poll.text().await.unwrap(), "");

    serving.world().clock().sleep(46 * MINUTE).await;
    let done = ask(&site, Method::GET, &location, None).await.unwrap();
    assert_eq!(done.status(), 200);
    assert!(done.headers().get("location").is_none());
    assert_eq!(json_of(done).await["properties"]["provisioningState"], "Succeeded");
    assert_eq!(serving.world().effects().restores_completed, 1);
    serving.shutdown().await;
}

fn resolver(server: SocketAddr, tcp: bool, patience: Duration) -> Resolver<TokioRuntimeProvider> {
    let mut connection = if tcp { ConnectionConfig::tcp() } else { ConnectionConfig::udp() };
    connection.port = server.port();
    let server = NameServerConfig::new(server.ip(), true, vec![connection]);
    let config = ResolverConfig::from_name_servers(vec![server]);
    let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.options_mut().cache_size = 0;
    builder.options_mut().attempts = 1;
    builder.options_mut().timeout = patience;
    builder.build().unwrap()
}

#[tokio::test]
async fn dns_answers_over_udp_and_tcp() {
    let down = Act::DnsServer(lifeboat::sim::DnsTrouble { server: "resolver-2".to_owned(), lag: None, down: true });
    let serving = serving(Scenario { faults: vec![Fault::new(down)], ..Scenario::default() }).await;
    let (patient, short) = (Duration::from_secs(30), Duration::from_millis(200));
    let addresses = serving.addresses();
    assert_eq!(addresses.name_servers.len(), 4);
    for tcp in [false, true] {
        for (_, server) in &addresses.name_servers {
            let answer = resolver(*server, tcp, patient).lookup("api.contoso.com.", RecordType::CNAME).await.unwrap();
            assert!(answer.message().metadata.authoritative);
            assert_eq!(answer.answers()[0].data.to_string(), "apim-contoso-west.azure-api.net.");
            assert_eq!(answer.answers()[0].ttl, 300);
        }
        let answer =
            resolver(addresses.resolvers[0], tcp, patient).lookup("api.contoso.com.", RecordType::A).await.unwrap();
        assert_eq!(answer.answers().last().unwrap().data.to_string(), "127.0.0.1");
        let missing = resolver(addresses.resolvers[0], tcp, patient)
            .lookup("none.contoso.com.", RecordType::A)
            .await
            .unwrap_err();
        assert!(missing.is_nx_domain(), "{missing}");
        assert!(resolver(addresses.resolvers[1], tcp, short).lookup("api.contoso.com.", RecordType::A).await.is_err());
    }
    let apex =
        resolver(addresses.name_servers[0].1, false, patient).lookup("contoso.com.", RecordType::NS).await.unwrap();
    assert_eq!(apex.answers().len(), 4);
    serving.shutdown().await;
}

#[tokio::test]
async fn gateways_show_the_certificate_that_fits_the_name() {
    let serving = serving(Scenario::default()).await;
    let site = serving.site();
    let east = serving.addresses().gateways["apim-contoso-east"];
    let url = json_of(ask(&site, Method::GET, &local(&site, STANDBY, APIM), None).await.unwrap()).await;
    let gateway = url["properties"]["gatewayUrl"].as_str().unwrap().to_owned();
    assert_eq!(gateway, format!("https://apim-contoso-east.azure-api.net:{}", east.port()));
    for base in [gateway, format!("https://api.contoso.com:{}", east.port())] {
        let host = base.split("//").nth(1).unwrap().split(':').next().unwrap();
        let client = client(&site).resolve(host, east).build().unwrap();
        assert_eq!(client.get(format!("{base}/status-0123456789abcdef")).send().await.unwrap().status(), 200);
        assert_eq!(client.get(format!("{base}/orders")).send().await.unwrap().status(), 404);
    }
    let wrong = client(&site).resolve("other.example", east).build().unwrap();
    assert!(wrong.get(format!("https://other.example:{}/", east.port())).send().await.is_err());
    let untrusting = reqwest::Client::builder().no_proxy().resolve("api.contoso.com", east).build().unwrap();
    assert!(untrusting.get(format!("https://api.contoso.com:{}/", east.port())).send().await.is_err());
    let west = serving.addresses().gateways["apim-contoso-west"];
    let lost = client(&site).resolve("api.contoso.com", west).build().unwrap();
    assert!(lost.get(format!("https://api.contoso.com:{}/", west.port())).send().await.unwrap_err().is_connect());
    serving.shutdown().await;
}

#[tokio::test]
async fn faults_of_gateways_are_seen_by_a_real_client() {
    for trouble in [GatewayTrouble::Down, GatewayTrouble::WrongCertificate, GatewayTrouble::ExpiredCertificate] {
        let gateway = GatewayFault { service: "apim-contoso-east".to_owned(), trouble };
        let serving =
            serving(Scenario { faults: vec![Fault::new(Act::Gateway(gateway)).times(1)], ..Scenario::default() }).await;
        let east = serving.addresses().gateways["apim-contoso-east"];
        let client = client(&serving.site()).resolve("api.contoso.com", east).build().unwrap();
        let url = format!("https://api.contoso.com:{}/status-0123456789abcdef", east.port());
        let error = client.get(&url).send().await.unwrap_err();
        let chain = format!("{error:?}");
        let expected = match trouble {
            GatewayTrouble::Down | GatewayTrouble::Flap => "reset",
            GatewayTrouble::WrongCertificate => "NotValidForName",
            GatewayTrouble::ExpiredCertificate => "Expired",
        };
        assert!(error.is_connect() && chain.contains(expected), "{trouble:?}: {chain}");
        assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
        serving.shutdown().await;
    }
}

#[tokio::test]
async fn connection_faults_are_real() {
    let faults = vec![
        Fault::new(Act::Reset(Moment::After)).on("POST", "/listKeys"),
        Fault::new(Act::Truncate).on("GET", "/rg-dns?"),
        Fault::new(Act::Hang(Duration::from_secs(100_000))).on("GET", "/rg-dr?"),
    ];
    let serving = serving(Scenario { faults, ..Scenario::default() }).await;
    let site = serving.site();
    let keys = "/resourceGroups/rg-dr/providers/Microsoft.Storage/storageAccounts/stcontosodr/listKeys";
    let error = ask(&site, Method::POST, &local(&site, keys, "2023-05-01"), None).await.unwrap_err();
    assert!(format!("{error:?}").contains("ConnectionReset"), "{error:?}");
    let cut = ask(&site, Method::GET, &local(&site, "/resourceGroups/rg-dns", "2022-09-01"), None).await.unwrap();
    assert_eq!(cut.status(), 200);
    assert!(cut.bytes().await.is_err());
    let patient = client(&site).timeout(Duration::from_millis(300)).build().unwrap();
    let hung = patient.get(local(&site, "/resourceGroups/rg-dr", "2022-09-01")).bearer_auth(token(&site)).send().await;
    assert!(hung.unwrap_err().is_timeout());
    serving.shutdown().await;
}

#[tokio::test]
async fn entra_gives_tokens_over_https_and_the_cloud_describes_itself() {
    let serving = serving(Scenario::default()).await;
    let site = serving.site();
    let client = client(&site).build().unwrap();
    let url = format!("{}/tenant/oauth2/v2.0/token", site.endpoints.authority);
    let form =
        "grant_type=client_credentials&client_id=c&client_secret=s&scope=https%3A%2F%2Fmanagement.azure.com%2F.default";
    let given = json_of(client.post(&url).body(form).send().await.unwrap()).await;
    let bearer = given["access_token"].as_str().unwrap();
    let asked = client.get(local(&site, STANDBY, APIM)).bearer_auth(bearer).send().await.unwrap();
    assert_eq!(asked.status(), 200);
    assert_eq!(given["expires_in"], 300, "the clients of this endpoint count real seconds");
    assert_eq!(client.post(&url).body("grant_type=x").send().await.unwrap().status(), 400);
    let cloud =
        json_of(client.get(format!("{}/metadata/endpoints", site.endpoints.authority)).send().await.unwrap()).await;
    assert_eq!(cloud["resourceManager"], site.endpoints.authority);
    serving.shutdown().await;
}

#[tokio::test]
async fn the_token_file_always_holds_a_good_token() {
    let faults = vec![Fault::new(Act::ExpireTokens).skip(1).times(1)];
    let serving = serving(Scenario { faults, ..Scenario::default() }).await;
    let site = serving.site();
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(ask(&site, Method::GET, &local(&site, STANDBY, APIM), None).await.unwrap().status().as_u16());
    }
    assert_eq!(seen, [200, 401, 200]);
    let path = serving.addresses().token_file.clone();
    serving.shutdown().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn the_token_file_is_rewritten_before_its_token_ends() {
    let serving = serving_with_tokens(Scenario { token_lifetime: 10 * MINUTE, ..Scenario::default() }).await;
    let site = serving.site();
    let first = token(&site);
    let mut waited = 0;
    while token(&site) == first {
        waited += 1;
        assert!(waited < 1000, "it is never rewritten");
        serving.world().clock().sleep(MINUTE).await;
    }
    serving.shutdown().await;
}

#[tokio::test]
async fn ports_keys_and_operations_hold_across_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state.json");
    let options = ListenOptions { port: None, directory: Some(directory.path().join("sim")) };
    let first = World::new(Scenario::default(), Clock::scaled(1000.0));
    let serving = serve(Arc::clone(&first), options).await.unwrap();
    first.persist_to(&state).unwrap();
    let (site, addresses) = (serving.site(), serving.addresses().clone());
    drop(serving);
    let kept = read(&state);
    let clock = World::clock_of(&kept).unwrap();
    // The sockets of a dropped server close when its tasks have been told; until then the ports are taken.
    let again = loop {
        let world = World::from_snapshot(kept.clone(), clock.clone()).unwrap();
        match serve(world, ListenOptions::default()).await {
            Ok(serving) => break serving,
            Err(error) => assert!(error.message.contains("cannot listen"), "{error}"),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(again.addresses(), &addresses);
    assert_eq!(again.site(), site);
    assert_eq!(ask(&site, Method::GET, &local(&site, STANDBY, APIM), None).await.unwrap().status(), 200);
    again.shutdown().await;
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
