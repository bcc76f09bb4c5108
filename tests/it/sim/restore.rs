//! The life of a restore, as it was recorded (azure-facts §1.1).

use super::*;

#[tokio::test(start_paused = true)]
async fn a_restore_goes_as_it_was_recorded() {
    let world = world(Scenario::default());
    let service = arm(STANDBY, APIM);
    let before = body(&get(&world, &service).await);
    assert_eq!(before["properties"]["provisioningState"], "Succeeded");
    assert_eq!(before["properties"]["targetProvisioningState"], "");
    assert_eq!(before["location"], "North Europe");
    assert_eq!(before["sku"], json!({ "name": "Premium", "capacity": 2 }));

    let url = arm(&format!("{STANDBY}/restore"), APIM);
    let accepted = send(&world, Method::POST, &url, Some(backup(&world, "6h"))).await.unwrap();
    assert_eq!(accepted.status, 202);
    assert!(accepted.body.is_empty());
    assert_eq!(accepted.header("content-length"), Some("0"));
    assert_eq!(accepted.header("retry-after"), Some("60"));
    for header in ["x-ms-request-id", "x-ms-correlation-request-id", "x-ms-ratelimit-remaining-subscription-writes"] {
        assert!(accepted.header(header).is_some(), "{header}");
    }
    let location = accepted.header("location").unwrap().to_owned();
    assert!(location.starts_with(&arm(&format!("{STANDBY}/operationresults/"), "")[..100]), "{location}");
    assert!(location.ends_with("?api-version=2024-05-01"), "{location}");

    let during = body(&get(&world, &service).await);
    assert_eq!(during["properties"]["provisioningState"], "Updating");
    assert_ne!(during["properties"]["targetProvisioningState"], "");
    assert_ne!(during["etag"], before["etag"]);

    let locked = send(&world, Method::POST, &url, Some(backup(&world, "6h"))).await.unwrap();
    assert_eq!(locked.status, 409);
    assert_eq!(locked.header("retry-after"), None);
    assert_eq!(body(&locked)["error"]["code"], "ServiceLocked");
    assert_eq!(
        body(&locked)["error"]["message"],
        "The API Service apim-contoso-east is transitioning at this time. Please try the request again later."
    );

    let mut polls = 0;
    let done = loop {
        let poll = get(&world, &location).await;
        if poll.status != 202 {
            break poll;
        }
        assert!(poll.body.is_empty());
        assert_eq!(poll.header("location"), Some(location.as_str()));
        assert_eq!(poll.header("retry-after"), Some("60"));
        polls += 1;
        world.clock().sleep(MINUTE).await;
    };
    assert!((44..=46).contains(&polls), "{polls}");
    assert_eq!(done.status, 200);
    for header in ["location", "retry-after", "azure-asyncoperation"] {
        assert_eq!(done.header(header), None, "{header}");
    }
    let after = body(&done);
    assert_eq!(after["properties"]["provisioningState"], "Succeeded");
    assert_eq!(after["properties"]["targetProvisioningState"], "");
    assert_ne!(after["etag"], during["etag"]);
    assert_ne!(after["etag"], before["etag"]);
    assert_eq!(body(&get(&world, &location).await), after, "it stays readable");
    assert_eq!(after["properties"]["hostnameConfigurations"], before["properties"]["hostnameConfigurations"]);

    let effects = world.effects();
    assert_eq!((effects.restore_posts_received, effects.restores_accepted, effects.restores_completed), (2, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_standby_serves_apis_only_after_the_restore() {
    let world = world(Scenario::default());
    let ask = async |path: &str| {
        let mut request = HttpRequest::new(Method::GET, format!("https://api.contoso.com{path}").parse().unwrap());
        request.connect_to = Some("203.0.113.11:443".parse().unwrap());
        world.http(request).await.unwrap()
    };
    assert_eq!(ask("/status-0123456789abcdef").await.status, 200);
    assert_eq!(ask("/orders/1").await.status, 404);
    restore(&world).await;
    world.clock().sleep(46 * MINUTE).await;
    let answer = ask("/orders/1").await;
    assert_eq!(answer.status, 200);
    assert_eq!(ask("/ordersandmore").await.status, 404);
    let shown = answer.certificate.unwrap();
    let service = body(&get(&world, &arm(STANDBY, APIM)).await);
    let hostname = &service["properties"]["hostnameConfigurations"][1];
    assert_eq!(hostname["hostName"], "api.contoso.com");
    assert_eq!(hostname["certificate"]["thumbprint"], shown.thumbprint);
    let view = world.service("apim-contoso-east").unwrap();
    assert_eq!(view.content, Scenario::default().active.content);
    assert_eq!(view.restored_from.unwrap(), "apim-contoso-west-20261122T200000Z.apimbackup");
}

/// What Azure says, minutes later and on the poll, of a restore that cannot be.
async fn refused(scenario: Scenario, age: &str, change: Value) -> (String, String) {
    let world = world(scenario);
    let mut parameters = backup(&world, age);
    for (key, value) in change.as_object().unwrap() {
        parameters[key] = value.clone();
    }
    let accepted =
        send(&world, Method::POST, &arm(&format!("{STANDBY}/restore"), APIM), Some(parameters)).await.unwrap();
    assert_eq!(accepted.status, 202);
    let location = accepted.header("location").unwrap().to_owned();
    assert_eq!(get(&world, &location).await.status, 202);
    world.clock().sleep(2 * MINUTE).await;
    let failed = get(&world, &location).await;
    assert_eq!(failed.status, 400);
    let service = world.service("apim-contoso-east").unwrap();
    assert_eq!(service.provisioning_state, "Succeeded");
    assert_eq!(service.restored_from, None);
    assert_eq!(world.effects().restores_completed, 0);
    let error = body(&failed)["error"].clone();
    (error["code"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_restore_is_refused_with_azures_own_texts() {
    let mut other_tier = Scenario::default();
    other_tier.standby.tier = "Standard".to_owned();
    let text = "Cannot restore: current SKU is 'Standard', backup SKU is 'Premium'";
    assert_eq!(refused(other_tier, "6h", json!({})).await, ("RestoreFailed".to_owned(), text.to_owned()));

    let expired = refused(Scenario::default(), "32d6h", json!({})).await;
    assert_eq!(expired, ("RestoreFailed".to_owned(), "Cannot restore: backup expired".to_owned()));

    for age in ["7h", "8h", "9h"] {
        assert_eq!(refused(Scenario::default(), age, json!({})).await.0, "RestoreFailed", "{age}");
    }
    let cors = Scenario {
        storage: lifeboat::sim::scenario::Storage { cors: true, ..Default::default() },
        ..Default::default()
    };
    assert!(refused(cors, "6h", json!({})).await.1.contains("backupStorageAccount"));
    for change in [
        json!({ "backupName": "no-such" }),
        json!({ "containerName": "other" }),
        json!({ "accessType": "AccessKey", "accessKey": "wrong" }),
        json!({ "accessType": "UserAssignedManagedIdentity", "clientId": "c" }),
    ] {
        assert_eq!(refused(Scenario::default(), "6h", change.clone()).await.0, "InvalidParameters", "{change}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_v2_tier_cannot_restore_and_a_bad_body_is_refused_at_once() {
    let mut scenario = Scenario::default();
    scenario.standby.tier = "StandardV2".to_owned();
    let world = world(scenario);
    let url = arm(&format!("{STANDBY}/restore"), APIM);
    let refusal = send(&world, Method::POST, &url, Some(backup(&world, "6h"))).await.unwrap();
    assert_eq!(
        (refusal.status.as_u16(), &body(&refusal)["error"]["code"]),
        (400, &json!("MethodNotAllowedInPricingTier"))
    );
    let world = self::world(Scenario::default());
    assert_eq!(send(&world, Method::POST, &url, Some(json!({}))).await.unwrap().status, 400);
    assert_eq!(world.effects().restores_accepted, 0);
}

#[tokio::test(start_paused = true)]
async fn the_access_key_of_list_keys_opens_the_account() {
    let world = world(Scenario::default());
    let account = "/resourceGroups/rg-dr/providers/Microsoft.Storage/storageAccounts/stcontosodr";
    let keys = send(&world, Method::POST, &arm(&format!("{account}/listKeys"), "2023-05-01"), None).await.unwrap();
    let mut parameters = backup(&world, "6h");
    parameters["accessType"] = json!("AccessKey");
    parameters["accessKey"] = body(&keys)["keys"][1]["value"].clone();
    let url = arm(&format!("{STANDBY}/restore"), APIM);
    send(&world, Method::POST, &url, Some(parameters)).await.unwrap();
    world.clock().sleep(46 * MINUTE).await;
    assert_eq!(world.effects().restores_completed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_backup_becomes_a_blob_that_can_be_restored() {
    let world = world(Scenario::alive());
    let mut parameters = backup(&world, "6h");
    parameters["backupName"] = json!("fresh.apimbackup");
    let url = arm(&format!("{ACTIVE}/backup"), APIM);
    assert_eq!(send(&world, Method::POST, &url, Some(parameters.clone())).await.unwrap().status, 202);
    world.clock().sleep(11 * MINUTE).await;
    let url = arm(&format!("{STANDBY}/restore"), APIM);
    assert_eq!(send(&world, Method::POST, &url, Some(parameters)).await.unwrap().status, 202);
    world.clock().sleep(46 * MINUTE).await;
    let effects = world.effects();
    assert_eq!((effects.backups_completed, effects.restores_completed), (1, 1));
    assert_eq!(world.service("apim-contoso-east").unwrap().restored_from.unwrap(), "fresh.apimbackup");
}

#[tokio::test(start_paused = true)]
async fn a_lost_region_is_lost_wherever_one_looks() {
    let world = world(Scenario::default());
    let answer = get(&world, &arm(ACTIVE, APIM)).await;
    assert_eq!((answer.status.as_u16(), &body(&answer)["error"]["code"]), (503, &json!("ServiceUnavailable")));
    let health = format!("{ACTIVE}/providers/Microsoft.ResourceHealth/availabilityStatuses/current");
    let health = body(&get(&world, &arm(&health, "2024-02-01")).await);
    assert_eq!(health["properties"]["availabilityState"], "Unavailable");
    let url = "https://apim-contoso-west.azure-api.net/status-0123456789abcdef".parse().unwrap();
    let error = world.http(HttpRequest::new(Method::GET, url)).await.unwrap_err();
    assert_eq!(error.kind, lifeboat::net::HttpErrorKind::Connect);

    let alive = self::world(Scenario::alive());
    assert_eq!(get(&alive, &arm(ACTIVE, APIM)).await.status, 200);
    let health = format!("{STANDBY}/providers/Microsoft.ResourceHealth/availabilityStatuses/current");
    let health = body(&get(&alive, &arm(&health, "2024-02-01")).await);
    assert_eq!(health["properties"]["availabilityState"], "Available");
}

#[tokio::test(start_paused = true)]
async fn tokens_and_paths_are_checked_as_arm_does() {
    let world = world(Scenario::default());
    let ask = async |url: String, token: Option<&str>| {
        let mut request = HttpRequest::new(Method::GET, url.parse().unwrap());
        if let Some(token) = token {
            request.headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let answer = world.http(request).await.unwrap();
        let code = body(&answer)["error"]["code"].as_str().unwrap_or_default().to_owned();
        (answer.status.as_u16(), code)
    };
    let url = arm(STANDBY, APIM);
    let token = world.mint_token();
    assert_eq!(ask(url.clone(), Some(&token)).await.0, 200);
    assert_eq!(ask(url.clone(), None).await, (401, "AuthenticationFailed".to_owned()));
    assert_eq!(ask(url.clone(), Some("x")).await, (401, "InvalidAuthenticationToken".to_owned()));
    world.clock().sleep(61 * MINUTE).await;
    assert_eq!(ask(url.clone(), Some(&token)).await, (401, "ExpiredAuthenticationToken".to_owned()));
    let token = world.mint_token();
    let other = url.replace("apim-contoso-east?", "apim-other?");
    assert_eq!(ask(other, Some(&token)).await, (404, "ResourceNotFound".to_owned()));
    let other = url.replace("rg-apim-east", "rg-other");
    assert_eq!(ask(other, Some(&token)).await, (404, "ResourceGroupNotFound".to_owned()));
    let other = url.replace("?api-version=2024-05-01", "");
    assert_eq!(ask(other, Some(&token)).await, (400, "MissingApiVersionParameter".to_owned()));
    assert_eq!(
        ask(url.to_uppercase().replace("HTTPS", "https").replace("API-VERSION", "api-version"), Some(&token)).await.0,
        200
    );
    let logged = serde_json::to_string(&world.requests()).unwrap();
    assert!(logged.contains("apim-other") && !logged.contains(&token));
}
