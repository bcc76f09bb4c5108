//! The simulator against the recorded wire facts, both ways in, and each of its faults.

mod clients;
mod faults;
mod names;
mod persistence;
mod restore;
mod scenarios;
mod sockets;
mod storage;
mod vault;

use std::{sync::Arc, time::Duration};

use http::Method;
use lifeboat::{
    clock::Clock,
    net::{HttpError, HttpRequest, HttpResponse},
    sim::{Scenario, World},
};
use serde_json::{Value, json};

const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-0000-0000-000000000001";
const STANDBY: &str = "/resourceGroups/rg-apim-east/providers/Microsoft.ApiManagement/service/apim-contoso-east";
const ACTIVE: &str = "/resourceGroups/rg-apim-west/providers/Microsoft.ApiManagement/service/apim-contoso-west";
const RECORD: &str = "/resourceGroups/rg-dns/providers/Microsoft.Network/dnsZones/contoso.com/CNAME/api";
const APIM: &str = "2024-05-01";
const DNS: &str = "2018-05-01";

/// 02:00 UTC: backups are of the evening before.
fn clock() -> Clock {
    Clock::starting_at("2026-11-23T02:00:00Z".parse().unwrap())
}

fn world(scenario: Scenario) -> Arc<World> {
    World::new(scenario, clock())
}

fn arm(path: &str, version: &str) -> String {
    format!("https://management.azure.com{SUBSCRIPTION}{path}?api-version={version}")
}

async fn send(world: &World, method: Method, url: &str, body: Option<Value>) -> Result<HttpResponse, HttpError> {
    send_with(world, method, url, body, &[]).await
}

async fn send_with(
    world: &World,
    method: Method,
    url: &str,
    body: Option<Value>,
    headers: &[(&'static str, &str)],
) -> Result<HttpResponse, HttpError> {
    let mut request = HttpRequest::new(method, url.parse().unwrap());
    request.headers.insert("authorization", format!("Bearer {}", world.mint_token()).parse().unwrap());
    request.headers.insert("x-ms-version", "2023-11-03".parse().unwrap());
    for (name, value) in headers {
        request.headers.insert(*name, value.parse().unwrap());
    }
    if let Some(body) = body {
        request.headers.insert("content-type", "application/json".parse().unwrap());
        request.body = body.to_string().into();
    }
    world.http(request).await
}

async fn get(world: &World, url: &str) -> HttpResponse {
    send(world, Method::GET, url, None).await.unwrap()
}

fn body(response: &HttpResponse) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

fn backup(world: &World, age: &str) -> Value {
    let age = lifeboat::runbook::span::parse(age).unwrap();
    let created = world.clock().now().checked_sub(age).unwrap();
    let name = format!("apim-contoso-west-{}.apimbackup", created.strftime("%Y%m%dT%H%M%SZ"));
    json!({
        "storageAccount": "stcontosodr", "containerName": "apim-backups", "backupName": name,
        "accessType": "SystemAssignedManagedIdentity",
    })
}

/// Starts a restore of the newest good backup; gives the operation's URL.
async fn restore(world: &World) -> String {
    let accepted =
        send(world, Method::POST, &arm(&format!("{STANDBY}/restore"), APIM), Some(backup(world, "6h"))).await;
    let accepted = accepted.unwrap();
    assert_eq!(accepted.status, 202, "{:?}", accepted.body);
    accepted.header("location").unwrap().to_owned()
}

const MINUTE: Duration = Duration::from_mins(1);
