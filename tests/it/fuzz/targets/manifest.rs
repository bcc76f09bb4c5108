//! Manifests of backups: not one, or one that is the same when it is written and read again.

use lifeboat::action::manifest::Manifest;
use serde_json::Value;

pub fn hold(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    let Some(manifest) = Manifest::from_value(&value) else { return };
    let written = serde_json::to_value(&manifest).expect("it has text keys");
    assert_eq!(Manifest::from_value(&written).as_ref(), Some(&manifest), "{written}");
    for hostname in manifest.gateway_hostnames() {
        assert!(manifest.hostnames.contains(hostname));
    }
    let lists = [&manifest.apis, &manifest.products, &manifest.subscriptions, &manifest.named_values];
    assert_eq!(manifest.content().is_some(), lists.iter().all(|list| list.is_some()), "{written}");
}
