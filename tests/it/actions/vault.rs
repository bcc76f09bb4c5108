//! Keys from a key vault: read at the moment of use, seen to be there before, never shown.

use lifeboat::{net::HttpRequest, run::Disposition};

use super::*;

const SECRET: &str = "https://kv-contoso-dr.vault.azure.net/secrets/storage-key";
/// Of the storage account, in the vault and nowhere else in the plan.
const KEY: &str = "c3RvcmFnZS1rZXktb2YtdGhlLXRlc3Q=";

async fn arguments(stage: &Stage, secret: &str) -> Value {
    let backup = newest_backup(stage).await;
    json!({ "service": standby(), "backup": backup, "access": "access-key", "access_key": { "key_vault": secret } })
}

#[tokio::test(start_paused = true)]
async fn a_restore_takes_its_key_from_the_vault_and_shows_it_nowhere() {
    let stage = Stage::new(Scenario::default());
    let url = format!("{SECRET}?api-version=7.5");
    let mut request = HttpRequest::new(http::Method::GET, url.parse().unwrap());
    request.headers.insert("authorization", format!("Bearer {}", stage.world.mint_token()).parse().unwrap());
    let secret: Value = serde_json::from_slice(&stage.world.http(request).await.unwrap().body).unwrap();
    let key = secret["value"].as_str().unwrap();
    let arguments = arguments(&stage, SECRET).await;
    let probe = stage.probe(ActionKind::Restore, arguments.clone()).await.unwrap();
    assert_eq!(codes(&probe, Severity::Warning), Vec::<&str>::new());
    assert!(stage.only_read());
    let (done, journal) = stage.perform(ActionKind::Restore, arguments).await;
    let done = done.unwrap();
    // The simulator takes the account's keys only.
    assert_eq!(stage.world.effects().restores_completed, 1);
    let listed = stage.world.requests().iter().any(|request| request.url.contains("listKeys"));
    assert!(!listed, "the key is not asked of the account");
    let shown = format!("{probe:?} {done:?} {:?} {:?}", journal.entries(), stage.world.requests());
    assert!(key.len() > 40 && !shown.contains(key), "the key is shown");
}

type Shape = fn(&mut Scenario);

#[tokio::test(start_paused = true)]
async fn a_vault_that_does_not_give_it_issaid_before_anything_is_sent() {
    let unreadable = |scenario: &mut Scenario| scenario.vault.readable = false;
    let lost = |scenario: &mut Scenario| scenario.vault.location = scenario.active.location.clone();
    let wrong = |scenario: &mut Scenario| {
        scenario.vault.secrets.insert("storage-key".to_owned(), Some(KEY.to_owned()));
    };
    let cases: [(Shape, &str, &str, &str); 4] = [
        (
            unreadable,
            SECRET,
            "answered 403 Forbidden",
            "grant the role `Key Vault Secrets User` on the vault kv-contoso-dr",
        ),
        (lost, SECRET, "answered 503", "try again"),
        (|_| {}, "https://kv-contoso-dr.vault.azure.net/secrets/other", "SecretNotFound", "check the name `other`"),
        (
            |_| {},
            "https://kv-contoso-dr.vault.azure.cn/secrets/storage-key",
            "no key vault of this site's cloud",
            "a vault of the site's cloud",
        ),
    ];
    for (shape, secret, said, hint) in cases {
        let mut scenario = Scenario::default();
        shape(&mut scenario);
        let stage = Stage::new(scenario);
        let arguments = arguments(&stage, secret).await;
        let probe = stage.probe(ActionKind::Restore, arguments.clone()).await.unwrap();
        assert_eq!(codes(&probe, Severity::Warning), ["access-key-missing"]);
        let (done, journal) = stage.perform(ActionKind::Restore, arguments).await;
        let error = done.unwrap_err();
        assert_eq!(error.code, "access-key-missing");
        assert!(error.message.contains(said) && error.hint.contains(hint), "{}: {}", error.message, error.hint);
        assert!(journal.intents().is_empty() && stage.only_read());
    }
    // A wrong key is Azure's to refuse, and is not repeated in what it says.
    let mut scenario = Scenario::default();
    wrong(&mut scenario);
    let stage = Stage::new(scenario);
    let given = arguments(&stage, SECRET).await;
    let (done, journal) = stage.perform(ActionKind::Restore, given).await;
    let error = done.unwrap_err();
    assert_eq!(error.disposition, Disposition::Final);
    assert!(!format!("{error:?} {:?}", journal.entries()).contains(KEY));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_is_asked_with_a_subscription_key_from_the_vault() {
    let mut scenario = Scenario::default();
    scenario.standby.content = scenario.active.content.clone();
    scenario.standby.content.apis[1].subscription_required = true;
    let key = World::new(scenario.clone(), Clock::Wall).subscription_key("partner-fabrikam");
    scenario.vault.secrets.insert("gateway-key".to_owned(), Some(key.clone()));
    let stage = Stage::new(scenario);
    let place = json!({ "key_vault": "https://kv-contoso-dr.vault.azure.net/secrets/gateway-key" });
    let paths = json!([{ "path": "/payments", "subscription_key": place }]);
    let arguments = json!({ "service": standby(), "hostname": "api.contoso.com", "paths": paths });
    let done = stage.perform(ActionKind::GatewayHealth, arguments).await.0.unwrap();
    assert_eq!(done.evidence["asked"][1]["with_subscription_key"], true);
    assert!(!format!("{done:?} {:?}", stage.world.requests()).contains(&key));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_address_of_a_secret_is_refused_and_not_repeated() {
    let stage = Stage::new(Scenario::default());
    for inline in ["hunter2", "https://kv.vault.azure.net/keys/hunter2"] {
        let arguments = arguments(&stage, inline).await;
        let error = stage.probe(ActionKind::Restore, arguments).await.unwrap_err();
        assert_eq!(error.code, "invalid-arguments");
        assert!(error.message.contains("secrets/NAME") && !error.message.contains("hunter2"), "{}", error.message);
    }
    let mut both = arguments(&stage, SECRET).await;
    both["access_key"]["env"] = json!("KEY");
    let error = stage.probe(ActionKind::Restore, both).await.unwrap_err();
    assert!(error.message.contains("one of `env`, `file` and `key_vault`"), "{}", error.message);
}
