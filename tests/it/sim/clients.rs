//! What Microsoft's own clients ask beside what `lifeboat` does; `tests/clients` holds the simulator against the clients.

use super::*;

const BLOB: &str = "https://stcontosodr.blob.core.windows.net/apim-backups/notes.txt";

async fn refused(world: &World, url: &str) -> (u16, String) {
    let answer = get(world, url).await;
    let code = body(&answer)["error"]["code"].as_str().unwrap_or_default().to_owned();
    (answer.status.as_u16(), code)
}

#[tokio::test(start_paused = true)]
async fn versions_that_azure_has_are_answered_and_no_others() {
    let world = world(Scenario::default());
    let account = "/resourceGroups/rg-dr/providers/Microsoft.Storage/storageAccounts/stcontosodr";
    for (path, version) in [
        (STANDBY, "2022-08-01"),
        (STANDBY, "2024-05-01"),
        (RECORD, "2018-05-01"),
        (RECORD, "2023-07-01-preview"),
        (account, "2023-05-01"),
        (account, "2026-09-01"),
    ] {
        assert_eq!(get(&world, &arm(path, version)).await.status, 200, "{path} {version}");
    }
    for (path, version) in [(STANDBY, "2024-05-02"), (RECORD, "2018-05-01-preview"), (account, "2099-01-01")] {
        let wanted = (400, "NoRegisteredProviderFound".to_owned());
        assert_eq!(refused(&world, &arm(path, version)).await, wanted, "{path} {version}");
    }
    for version in ["2019-12-01", "yesterday"] {
        let wanted = (400, "InvalidApiVersionParameter".to_owned());
        assert_eq!(refused(&world, &arm(STANDBY, version)).await, wanted, "{version}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_signs_in_finds_the_subscription() {
    let world = world(Scenario::default());
    let all = body(&get(&world, "https://management.azure.com/subscriptions?api-version=2022-12-01").await);
    assert_eq!(all["count"]["value"], 1);
    assert_eq!(all["value"][0], body(&get(&world, &arm("", "2022-12-01")).await));
    assert_eq!((&all["value"][0]["id"], &all["value"][0]["state"]), (&json!(SUBSCRIPTION), &json!("Enabled")));
    let nameless = refused(&world, "https://management.azure.com/subscriptions").await;
    assert_eq!(nameless, (400, "MissingApiVersionParameter".to_owned()));
    assert_eq!(refused(&world, "https://management.azure.com/").await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn services_are_listed_but_for_those_of_a_lost_region() {
    let list = "/providers/Microsoft.ApiManagement/service";
    let names = async |world: &World, path: &str| {
        let found = body(&get(world, &arm(path, APIM)).await);
        let all = found["value"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned());
        all.collect::<Vec<String>>()
    };
    let lost = world(Scenario::default());
    assert_eq!(names(&lost, list).await, ["apim-contoso-east"]);
    let alive = world(Scenario::alive());
    assert_eq!(names(&alive, list).await, ["apim-contoso-east", "apim-contoso-west"]);
    assert_eq!(names(&alive, &format!("/resourceGroups/rg-apim-west{list}")).await, ["apim-contoso-west"]);
}

#[tokio::test(start_paused = true)]
async fn a_patch_of_a_record_set_keeps_what_it_does_not_name() {
    let world = world(Scenario::default());
    let before = world.record("contoso.com", "api").unwrap();
    let url = arm(RECORD, DNS);
    let patch = json!({ "properties": { "TTL": 60 } });
    let stale = send_with(&world, Method::PATCH, &url, Some(patch.clone()), &[("if-match", "another")]).await.unwrap();
    assert_eq!(stale.status, 412);
    assert_eq!(world.record("contoso.com", "api").unwrap(), before);
    let patched = send_with(&world, Method::PATCH, &url, Some(patch), &[("if-match", &before.etag)]).await.unwrap();
    assert_eq!(patched.status, 200);
    let after = world.record("contoso.com", "api").unwrap();
    assert_eq!((&after.target, &after.metadata, after.ttl), (&before.target, &before.metadata, 60));
    assert_ne!(after.etag, before.etag);
    let moved = json!({ "properties": { "CNAMERecord": { "cname": "elsewhere.example" }, "metadata": {} } });
    send(&world, Method::PATCH, &url, Some(moved)).await.unwrap();
    let after = world.record("contoso.com", "api").unwrap();
    assert_eq!((after.target.as_deref(), after.metadata.len(), after.ttl), (Some("elsewhere.example"), 0, 60));
    let absent = send(&world, Method::PATCH, &url.replace("/api?", "/none?"), Some(json!({ "properties": {} }))).await;
    assert_eq!(absent.unwrap().status, 404);
    assert!(world.record("contoso.com", "none").is_none());
    assert_eq!(world.effects().record_puts_accepted, 2);
}

#[tokio::test(start_paused = true)]
async fn a_part_of_a_blob_can_be_read() {
    let world = world(Scenario::default());
    let kind = [("x-ms-blob-type", "BlockBlob")];
    let written = send_with(&world, Method::PUT, BLOB, Some(json!("0123456789")), &kind).await.unwrap();
    assert_eq!(written.status, 201);
    let part = async |header: &'static str, range: &str| {
        let answer = send_with(&world, Method::GET, BLOB, None, &[(header, range)]).await.unwrap();
        let place = answer.header("content-range").unwrap_or_default().to_owned();
        (answer.status.as_u16(), place, String::from_utf8(answer.body.to_vec()).unwrap())
    };
    let wanted = |status, place: &str, text: &str| (status, place.to_owned(), text.to_owned());
    assert_eq!(part("range", "bytes=1-3").await, wanted(206, "bytes 1-3/12", "012"));
    assert_eq!(part("x-ms-range", "bytes=0-33554431").await, wanted(206, "bytes 0-11/12", "\"0123456789\""));
    assert_eq!(part("x-ms-range", "bytes=10-").await, wanted(206, "bytes 10-11/12", "9\""));
    let (status, place, _) = part("range", "bytes=12-20").await;
    assert_eq!((status, place.as_str()), (416, "bytes */12"));
    assert_eq!(part("range", "lines=1-2").await, wanted(200, "", "\"0123456789\""));
}

#[tokio::test(start_paused = true)]
async fn an_archived_blob_shows_its_properties_but_not_its_content() {
    let world = world(Scenario::default());
    let url = "https://stcontosodr.blob.core.windows.net/apim-backups/apim-contoso-west-20261122T180000Z.apimbackup";
    assert_eq!(get(&world, url).await.status, 409);
    let head = send(&world, Method::HEAD, url, None).await.unwrap();
    assert_eq!((head.status.as_u16(), head.header("x-ms-access-tier")), (200, Some("Archive")));
}
