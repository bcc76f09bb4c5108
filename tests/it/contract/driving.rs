//! Whatever talks to the resource manager: every shipped runbook in every mode, the client's calls that no runbook
//! makes, what Microsoft's own clients ask beside, and refusals.

use http::Method;
use lifeboat::{
    azure::{self, apim_content, dns, inventory, storage},
    net::{Http, HttpRequest},
    plan::facts::Severity,
    run::Outcome,
    runbook::{Mode, ResourceId},
    sim::{Act, Fault, Region, Scenario, World},
};
use serde_json::{Value, json};

use super::{Log, held::WRONG_ON_PURPOSE};
use crate::{
    harness::{Stage, on_paused_clock, outcome},
    readiness::shipped,
    tidy::source,
};

const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-0000-0000-000000000001";
const STANDBY: &str = "/resourceGroups/rg-apim-east/providers/Microsoft.ApiManagement/service/apim-contoso-east";
const ACTIVE: &str = "/resourceGroups/rg-apim-west/providers/Microsoft.ApiManagement/service/apim-contoso-west";
const ZONE: &str = "/resourceGroups/rg-dns/providers/Microsoft.Network/dnsZones/contoso.com";
const PRIVATE_ZONE: &str = "/resourceGroups/rg-network/providers/Microsoft.Network/privateDnsZones/contoso.internal";
const STORAGE: &str = "/resourceGroups/rg-dr/providers/Microsoft.Storage/storageAccounts/stcontosodr";
const APIM: &str = "2024-05-01";
const DNS: &str = "2018-05-01";

pub fn everything(log: &Log) {
    on_paused_clock(async {
        runbooks(log).await;
        worlds_with_gaps(log).await;
        rough_runs(log).await;
        Box::pin(calls_of_no_runbook(log)).await;
        calls_of_other_clients(log).await;
        refusals(log).await;
    });
}

/// Plans all of them, and runs those that nothing stands in the way of.
async fn runbooks(log: &Log) {
    for path in source::files("runbooks") {
        let text = source::read(&path);
        let mut succeeded = 0;
        for mode in Mode::ALL {
            // A way home begins where the names lead away.
            for (region, away) in [(Region::Lost, false), (Region::Alive, false), (Region::Alive, true)] {
                let mut scenario = Scenario { region, ..Scenario::default() };
                if away {
                    "apim-contoso-east.azure-api.net"
                        .clone_into(&mut scenario.zone.records.get_mut("api").unwrap().target);
                }
                let mut stage = Stage::with(scenario, &text);
                stage.mode = mode;
                log.listen(&stage.world);
                let plan = stage.plan().await;
                if plan.findings.iter().any(|finding| finding.severity == Severity::Blocker) {
                    continue;
                }
                let state = stage.start(None).await.unwrap();
                succeeded += u32::from(outcome(&state) == Some(Outcome::Succeeded));
            }
        }
        assert!(succeeded > 0, "{}: it succeeded in no mode", path.display());
    }
}

/// What readiness asks only where something is missing.
async fn worlds_with_gaps(log: &Log) {
    for name in
        ["standby-deleted", "identity-role-missing", "network-failing", "read-only-lock", "backup-not-replicated"]
    {
        let stage = Stage::flagship(shipped(name));
        log.listen(&stage.world);
        stage.plan().await;
    }
}

/// The flagship where Azure refuses, fails and forgets.
async fn rough_runs(log: &Log) {
    let restores = "/operationresults/";
    for fault in [
        Fault::new(Act::FailOperation { code: "RestoreFailed".to_owned(), message: "Cannot restore".to_owned() })
            .on("GET", restores)
            .skip(2)
            .times(1),
        Fault::new(Act::LoseOperation).on("GET", restores).skip(2).times(1),
        Fault::new(Act::ExpireTokens).on("GET", "/CNAME/").times(1),
        Fault::new(Act::StaleEtag).on("PUT", "/CNAME/").times(1),
    ] {
        let scenario = Scenario { faults: vec![fault], ..Scenario::default() };
        let mut stage = Stage::flagship(scenario);
        log.listen(&stage.world);
        stage.start(None).await.unwrap();
    }
}

fn id(path: &str) -> ResourceId {
    ResourceId::parse(&format!("{SUBSCRIPTION}{path}")).unwrap()
}

async fn calls_of_no_runbook(log: &Log) {
    let stage = Stage::flagship(Scenario::alive());
    log.listen(&stage.world);
    let arm = &stage.context().arm;
    storage::list_keys(arm, &id(STORAGE)).await.unwrap();
    let subscription = SUBSCRIPTION.rsplit('/').next().unwrap();
    assert!(storage::find(arm, subscription, "stcontosodr").await.unwrap().is_some());
    let zone = id(PRIVATE_ZONE);
    dns::zone(arm, &zone).await.unwrap();
    let record = dns::cname(arm, &zone, "api").await.unwrap();
    dns::put_cname(arm, &zone, &record, record.etag.as_deref().unwrap()).await.unwrap();
    for service in [id(ACTIVE), id(STANDBY)] {
        let found = azure::apim::get_service(arm, &service).await.unwrap();
        apim_content::list_content(arm, &service).await.unwrap();
        apim_content::list_workspaces(arm, &service).await.unwrap();
        inventory::collect(arm, &service, &found).await;
    }
}

/// Sends a request as no client of this package does.
async fn send(
    world: &std::sync::Arc<World>,
    method: Method,
    target: &str,
    body: Option<Value>,
    headers: &[(&'static str, &str)],
) {
    let url = format!("https://management.azure.com{SUBSCRIPTION}{target}");
    let mut request = HttpRequest::new(method, url.parse().unwrap());
    request.headers.insert("authorization", format!("Bearer {}", world.mint_token()).parse().unwrap());
    for (name, value) in headers {
        request.headers.insert(*name, value.parse().unwrap());
    }
    if let Some(body) = body {
        request.headers.insert("content-type", "application/json".parse().unwrap());
        request.body = body.to_string().into();
    }
    Http::Simulated(std::sync::Arc::clone(world)).send(request).await.unwrap();
}

fn cname(target: &str) -> Value {
    json!({ "properties": { "TTL": 60, "CNAMERecord": { "cname": target } } })
}

async fn calls_of_other_clients(log: &Log) {
    let stage = Stage::flagship(Scenario::alive());
    let world = &stage.world;
    log.listen(world);
    let services = format!("/providers/Microsoft.ApiManagement/service?api-version={APIM}");
    send(world, Method::GET, &services, None, &[]).await;
    send(world, Method::GET, &format!("/resourceGroups/rg-apim-east{services}"), None, &[]).await;
    send(world, Method::GET, &format!("{ZONE}/CNAME?api-version={DNS}"), None, &[]).await;
    send(world, Method::GET, &format!("{ZONE}/recordsets?api-version={DNS}"), None, &[]).await;
    let made = format!("{ZONE}/CNAME/made?api-version={DNS}");
    send(world, Method::PUT, &made, Some(cname("a.example")), &[("if-none-match", "*")]).await;
    send(world, Method::PATCH, &made, Some(json!({ "properties": { "TTL": 30 } })), &[]).await;
    send(world, Method::DELETE, &made, None, &[]).await;
    let blobs = format!("{STORAGE}/blobServices/default?api-version=2023-05-01");
    send(world, Method::GET, &blobs, None, &[]).await;
    send(world, Method::GET, "/resourceGroups/rg-dns?api-version=2022-09-01", None, &[]).await;
    let backup = json!({ "storageAccount": "stcontosodr", "containerName": "apim-backups", "backupName": "by-another",
        "accessType": "SystemAssignedManagedIdentity" });
    send(world, Method::POST, &format!("{ACTIVE}/backup?api-version={APIM}"), Some(backup), &[]).await;
}

/// What is refused, each in its own shape.
async fn refusals(log: &Log) {
    let stage = Stage::flagship(Scenario::default());
    let world = &stage.world;
    log.listen(world);
    let wrong = (WRONG_ON_PURPOSE, "yes");
    let service = format!("{STANDBY}?api-version={APIM}");
    send(world, Method::GET, &service, None, &[wrong, ("authorization", "Bearer nobody")]).await;
    for target in [
        format!("{STANDBY}?api-version=2024-05-02"),
        STANDBY.to_owned(),
        format!("{STANDBY}-no?api-version={APIM}"),
        format!("{ACTIVE}?api-version={APIM}"),
        format!("{ZONE}/CNAME/none?api-version={DNS}"),
        format!("{ZONE}-no?api-version={DNS}"),
        format!("{STORAGE}no?api-version=2023-05-01"),
        "/resourceGroups/none?api-version=2022-09-01".to_owned(),
        format!("{STANDBY}/operationresults/none?api-version={APIM}"),
    ] {
        send(world, Method::GET, &target, None, &[wrong]).await;
    }
    let record = format!("{ZONE}/CNAME/api?api-version={DNS}");
    for (body, header) in [
        (cname("a.example"), ("if-match", "stale")),
        (cname("a.example"), ("if-none-match", "*")),
        (json!({ "properties": { "TTL": 60 } }), wrong),
    ] {
        send(world, Method::PUT, &record, Some(body), &[wrong, header]).await;
    }
    send(world, Method::DELETE, &record, None, &[("if-match", "stale")]).await;
    let restore = format!("{STANDBY}/restore?api-version={APIM}");
    send(world, Method::POST, &restore, Some(json!({ "storageAccount": 1 })), &[wrong]).await;
    let absent = json!({ "storageAccount": "stcontosodr", "containerName": "apim-backups", "backupName": "none",
        "accessType": "SystemAssignedManagedIdentity" });
    // The second meets a service that is locked by the first.
    for _ in 0..2 {
        send(world, Method::POST, &restore, Some(absent.clone()), &[]).await;
    }
}
