//! The key vault: what it holds, and how it refuses.

use super::*;

const SECRET: &str = "https://kv-contoso-dr.vault.azure.net/secrets/storage-key?api-version=7.5";

fn code(response: &HttpResponse) -> (u16, String) {
    (response.status.as_u16(), body(response)["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(start_paused = true)]
async fn it_holds_the_storage_accounts_key() {
    let world = world(Scenario::default());
    let secret = body(&get(&world, SECRET).await);
    let keys = "/resourceGroups/rg-dr/providers/Microsoft.Storage/storageAccounts/stcontosodr/listKeys";
    let keys = body(&send(&world, Method::POST, &arm(keys, "2023-05-01"), None).await.unwrap());
    assert_eq!(secret["value"], keys["keys"][0]["value"]);
    assert!(secret["id"].as_str().unwrap().starts_with("https://kv-contoso-dr.vault.azure.net/secrets/storage-key/"));
    let logged = format!("{:?}", world.requests());
    assert!(!logged.contains(secret["value"].as_str().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn it_refuses_as_azure_does() {
    let other = SECRET.replace("storage-key", "nothing");
    let world = world(Scenario::default());
    assert_eq!(code(&get(&world, &other).await), (404, "SecretNotFound".to_owned()));
    let list = SECRET.replace("/storage-key", "");
    assert_eq!(code(&get(&world, &list).await).0, 400);
    let written = send(&world, Method::PUT, SECRET, Some(json!({ "value": "x" }))).await.unwrap();
    assert_eq!(code(&written).0, 405);
    let bare = HttpRequest::new(Method::GET, SECRET.parse().unwrap());
    let stranger = world.http(bare).await.unwrap();
    assert_eq!(code(&stranger), (401, "Unauthorized".to_owned()));
    assert!(stranger.header("www-authenticate").unwrap().contains("resource=\"https://vault.azure.net\""));

    let mut scenario = Scenario::default();
    scenario.vault.readable = false;
    let closed = get(&super::world(scenario), SECRET).await;
    assert_eq!(code(&closed), (403, "Forbidden".to_owned()));
    assert_eq!(body(&closed)["error"]["innererror"]["code"], "ForbiddenByRbac");

    let mut scenario = Scenario::default();
    scenario.vault.location = scenario.active.location.clone();
    assert_eq!(code(&get(&super::world(scenario), SECRET).await), (503, "ServiceUnavailable".to_owned()));
}
