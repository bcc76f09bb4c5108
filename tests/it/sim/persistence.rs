//! State survives a restart: what lasted meanwhile has gone on.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_world_goes_on_from_its_snapshot() {
    let clock = clock();
    let first = World::new(Scenario::default(), clock.clone());
    let url = restore(&first).await;
    let thumbprint = async |world: &World| {
        let service = body(&get(world, &arm(STANDBY, APIM)).await);
        service["properties"]["hostnameConfigurations"][1]["certificate"]["thumbprint"].clone()
    };
    let shown = thumbprint(&first).await;
    let token = first.mint_token();
    let snapshot = first.snapshot();
    drop(first);
    clock.sleep(30 * MINUTE).await;
    let second = World::from_snapshot(snapshot.clone(), clock.clone()).unwrap();
    assert_eq!(second.snapshot(), snapshot);
    assert_eq!(get(&second, &url).await.status, 202);
    assert_eq!(thumbprint(&second).await, shown);
    let mut request = HttpRequest::new(Method::GET, url.parse().unwrap());
    request.headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    assert_eq!(second.http(request).await.unwrap().status, 202, "tokens of the first are still good");
    clock.sleep(16 * MINUTE).await;
    assert_eq!(get(&second, &url).await.status, 200);
    let effects = second.effects();
    assert_eq!((effects.restores_accepted, effects.restores_completed), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn every_change_is_on_disk_before_its_answer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.json");
    let clock = clock();
    let first = World::new(Scenario::default(), clock.clone());
    first.persist_to(&path).unwrap();
    let url = restore(&first).await;
    // No farewell: as if the power had gone.
    let kept: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let second = World::from_snapshot(kept, clock.clone()).unwrap();
    assert_eq!(second.effects().restores_accepted, 1);
    assert_eq!(get(&second, &url).await.status, 202);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn what_is_not_a_snapshot_is_refused() {
    for (text, part) in
        [("{}", "no version"), (r#"{"version":9}"#, "version 9"), (r#"{"version":1}"#, "cannot be read")]
    {
        let error = World::from_snapshot(serde_json::from_str(text).unwrap(), Clock::Wall).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn a_shared_clock_is_found_again() {
    let world = World::new(Scenario::default(), Clock::scaled(60.0));
    let clock = World::clock_of(&world.snapshot()).unwrap();
    assert!((clock.speed() - 60.0).abs() < f64::EPSILON);
    assert!(clock.now().duration_since(world.clock().now()).as_secs().abs() < 60);
}

#[tokio::test(start_paused = true)]
async fn requests_are_logged_as_json_lines_without_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("requests.jsonl");
    let world = world(Scenario::default());
    world.log_to(&path).unwrap();
    restore(&world).await;
    get(&world, &arm(STANDBY, APIM)).await;
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((lines[0]["method"].as_str(), lines[0]["status"].as_u64()), (Some("POST"), Some(202)));
    assert!(!text.contains("Bearer") && !text.contains("simulated\""));
}
