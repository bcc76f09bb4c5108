//! The table of permissions against the requests that really leave: nothing more, nothing less.

use std::collections::BTreeSet;

use lifeboat::action::permissions::{self, Holder, Needed, On};
use url::Url;

use super::*;

/// Scope and action, lower case.
type Permission = (String, String);

fn listed(needed: &[Needed]) -> BTreeSet<Permission> {
    let of = |needed: &Needed| match &needed.scope {
        On::Resource(id) => (id.folded(), needed.action.to_ascii_lowercase()),
        On::Field(field) => panic!("`{field}` is not resolved"),
    };
    needed.iter().map(of).collect()
}

/// What Azure asks for before it answers a request; none for what is not Azure's to allow.
fn asked(method: &str, url: &str) -> Option<Permission> {
    let url = Url::parse(url).unwrap();
    let verb = match method {
        "GET" | "HEAD" => "read",
        "PUT" | "PATCH" => "write",
        "DELETE" => "delete",
        "POST" => "action",
        other => panic!("what does {other} need?"),
    };
    if let Some(account) = url.host_str()?.strip_suffix(".blob.core.windows.net") {
        assert_eq!(account, "stcontosodr");
        let action = format!("microsoft.storage/storageaccounts/blobservices/containers/blobs/{verb}");
        return Some((storage().to_ascii_lowercase(), action));
    }
    if url.host_str() != Some("management.azure.com") {
        return None;
    }
    let path = url.path().to_ascii_lowercase();
    let (before, provider) = path.rsplit_once("/providers/")?;
    let segments: Vec<&str> = provider.split('/').collect();
    let types: Vec<&str> = segments[1..].iter().step_by(2).copied().collect();
    // An operation of Front Door names the profile, and is not below it.
    if let ["microsoft.cdn", "operationresults", _, "profileresults", profile, ..] = segments[..] {
        let action = format!("{}/{}/{verb}", segments[0], types.join("/"));
        return Some((format!("{before}/providers/microsoft.cdn/profiles/{profile}"), action));
    }
    // The log of a subscription is asked for the group of one service.
    if let ["microsoft.insights", "eventtypes", "management", "values"] = segments[..] {
        assert!(url.query().unwrap().contains("resourceGroupName+eq+%27rg-apim-west%27"), "{url}");
        return Some((active().to_ascii_lowercase(), format!("microsoft.insights/eventtypes/values/{verb}")));
    }
    // A resource of its own, or one that is read on another: the other is the scope.
    let scope = if before.contains("/providers/") {
        before.to_owned()
    } else {
        format!("{before}/providers/{}", segments[..3].join("/"))
    };
    Some((scope, format!("{}/{}/{verb}", segments[0], types.join("/"))))
}

fn asked_of(stage: &Stage) -> BTreeSet<Permission> {
    stage.world.requests().iter().filter_map(|request| asked(&request.method, &request.url)).collect()
}

#[test]
fn requests_are_read_as_azure_does() {
    let of =
        |method, path: &str| asked(method, &format!("https://management.azure.com{path}?api-version=1")).unwrap().1;
    assert_eq!(of("POST", &format!("{}/restore", standby())), "microsoft.apimanagement/service/restore/action");
    assert_eq!(of("GET", &format!("{}/workspaces", standby())), "microsoft.apimanagement/service/workspaces/read");
    let operation = format!("{}/operationresults/YWJj==", standby());
    assert_eq!(of("GET", &operation), "microsoft.apimanagement/service/operationresults/read");
    assert_eq!(of("PUT", &format!("{}/CNAME/api", zone())), "microsoft.network/dnszones/cname/write");
    let health = format!("{}/providers/Microsoft.ResourceHealth/availabilityStatuses/current", active());
    let read = asked("GET", &format!("https://management.azure.com{health}")).unwrap();
    assert_eq!(read, (active().to_ascii_lowercase(), "microsoft.resourcehealth/availabilitystatuses/read".to_owned()));
}

/// Every action, probed, performed, and undone where it can be.
#[tokio::test(start_paused = true)]
async fn each_action_needs_what_it_sends_and_nothing_else() {
    let backup = newest_backup(&Stage::new(Scenario::default())).await;
    let mut bare = backup.clone();
    bare.as_object_mut().unwrap().remove("manifest_data");
    let restore = |access: &str| json!({ "service": standby(), "backup": backup.clone(), "access": access });
    let backup_of = |access: &str| json!({ "service": standby(), "storage": storage(), "container": "apim-backups", "access": access });
    // A request carries no token of ours, so Azure is not asked; private zones are held beside their switch.
    let mut held = BTreeSet::from([ActionKind::HttpRequest, ActionKind::FlipPrivateCname]);
    for (kind, arguments) in [
        (ActionKind::ConfirmOutage, json!({ "service": active() })),
        (ActionKind::VerifyStandby, json!({ "standby": standby(), "active": active(), "backup": bare })),
        (ActionKind::VerifyStandby, json!({ "standby": standby() })),
        (ActionKind::FindLatest, json!({ "storage": storage(), "container": "apim-backups" })),
        (
            ActionKind::FindLatest,
            json!({ "storage": storage(), "container": "apim-backups", "prefix": "apim-contoso-west-", "service": active() }),
        ),
        (ActionKind::Restore, restore("access-key")),
        (ActionKind::Restore, restore("system-assigned-identity")),
        (ActionKind::Backup, backup_of("access-key")),
        (ActionKind::Prune, json!({ "service": active(), "storage": storage(), "container": "apim-backups" })),
        (ActionKind::Backup, backup_of("system-assigned-identity")),
        (ActionKind::GatewayHealth, json!({ "service": standby(), "hostname": "api.contoso.com" })),
        (ActionKind::SetTtl, json!({ "zone": zone(), "record": "api", "ttl": "60s" })),
        (ActionKind::FlipCname, json!({ "zone": zone(), "record": "api", "target": NEW_TARGET, "ttl": "60s" })),
        (
            ActionKind::FlipPrivateCname,
            json!({ "zone": private_zone(), "record": "api", "target": NEW_TARGET, "ttl": "60s" }),
        ),
        (
            ActionKind::SetEndpoints,
            json!({ "profile": traffic_manager(), "endpoints": [{ "name": "east", "type": "external", "status": "enabled" }] }),
        ),
        (
            ActionKind::SetOrigin,
            json!({ "profile": front_door(), "origin_group": "apim", "origins": [{ "name": "east", "enabled": true }] }),
        ),
        (ActionKind::VerifyPropagation, json!({ "zone": zone(), "record": "api", "target": OLD_TARGET })),
        (ActionKind::VerifyRestore, json!({ "service": active(), "backup": bare })),
        (ActionKind::Compare, json!({ "service": active(), "with": standby() })),
        (ActionKind::Approval, json!({ "prompt": "Move it?" })),
        (ActionKind::Command, json!({ "argv": ["true"] })),
        (ActionKind::Notify, json!({ "message": "it begins" })),
        (ActionKind::Wait, json!({ "duration": "5m" })),
    ] {
        held.insert(kind);
        let living = matches!(kind, ActionKind::VerifyRestore | ActionKind::Compare);
        let stage = Stage::new(if living { Scenario::alive() } else { Scenario::default() });
        stage.probe(kind, arguments.clone()).await.unwrap_or_else(|error| panic!("{kind}: {error}"));
        let (done, _) = stage.perform(kind, arguments.clone()).await;
        if kind == ActionKind::Approval {
            assert!(done.is_err());
        } else {
            let done = done.unwrap_or_else(|error| panic!("{kind}: {error}"));
            if kind.entry().effect == lifeboat::runbook::Effect::Reversible {
                stage.undo(kind, arguments.clone(), &done.outputs).await.0.unwrap();
            }
        }
        let needed = permissions::needed(kind, arguments.as_object().unwrap());
        assert_eq!(listed(&needed), asked_of(&stage), "{kind} {arguments}");
        for needed in &needed {
            assert_eq!(needed.data, needed.action.contains("/blobs/"), "{}", needed.action);
        }
    }
    for kind in ActionKind::ALL {
        let stage = Stage::new(Scenario::default());
        let built =
            held.contains(kind) || stage.probe(*kind, json!({})).await.is_err_and(|error| error.code == "not-built");
        assert!(built, "add {kind} to `permissions::needed` and to the list above");
    }
    assert_eq!(permissions::needed(ActionKind::HttpRequest, &Map::new()), []);
}

#[test]
fn what_is_not_known_yet_is_named_by_its_field() {
    let open = json!({ "service": "${{ params.standby }}", "backup": "${{ steps.find.backup }}", "access": "${{ params.access }}" });
    let needed = permissions::needed(ActionKind::Restore, open.as_object().unwrap());
    let fields: BTreeSet<String> = needed.iter().map(|one| format!("{:?}", one.scope)).collect();
    assert_eq!(fields, BTreeSet::from(["Field(\"service\")".to_owned(), "Field(\"backup\")".to_owned()]));
    // Whether it comes with a key is not known: it may.
    assert!(needed.iter().any(|one| one.action.ends_with("/listKeys/action")));
    assert_eq!(permissions::identity_roles(ActionKind::Restore, open.as_object().unwrap()), []);

    // A given key is not asked for, and what is absent needs nothing.
    let given = json!({ "service": standby(), "backup": { "storage": storage() }, "access": "access-key", "access_key": { "env": "KEY" } });
    let needed = permissions::needed(ActionKind::Restore, given.as_object().unwrap());
    assert!(!needed.iter().any(|one| one.action.contains("listKeys")));
    assert_eq!(permissions::needed(ActionKind::VerifyStandby, &Map::new()), []);

    // Where a vault is in ARM cannot be told from the address of a secret.
    let vault = json!({ "key_vault": "https://kv-contoso-dr.vault.azure.net/secrets/storage-key" });
    let paths = json!([{ "path": "/" }, { "path": "/orders", "subscription_key": vault }]);
    for (kind, field, arguments) in [
        (
            ActionKind::Restore,
            "access_key",
            json!({ "service": standby(), "backup": {}, "access": "access-key", "access_key": vault }),
        ),
        (
            ActionKind::GatewayHealth,
            "paths",
            json!({ "service": standby(), "hostname": "api.contoso.com", "paths": paths }),
        ),
    ] {
        let needed = permissions::needed(kind, arguments.as_object().unwrap());
        let secret = needed.iter().find(|one| one.action.ends_with("/getSecret/action")).unwrap();
        assert_eq!((&secret.scope, secret.data), (&On::Field(field), true));
    }
}

#[test]
fn the_service_needs_a_role_for_the_identity_it_comes_with() {
    let roles = |access: &str, client_id: Option<&str>| {
        let arguments = json!({ "service": standby(), "backup": { "storage": storage() }, "access": access, "client_id": client_id });
        permissions::identity_roles(ActionKind::Restore, arguments.as_object().unwrap())
    };
    let service = || On::Resource(lifeboat::runbook::ResourceId::parse(&standby()).unwrap());
    let system = roles("system-assigned-identity", None);
    assert_eq!(system[0].holder, Holder::System(service()));
    assert_eq!(system[0].role, "Storage Blob Data Contributor");
    let client_id = Some("c-1".to_owned());
    assert_eq!(roles("user-assigned-identity", Some("c-1"))[0].holder, Holder::User { service: service(), client_id });
    assert_eq!(roles("access-key", None), []);
}

/// Later steps name what earlier ones will give, as far as the arguments tell.
#[test]
fn foreseen_outputs_lead_to_the_scope_of_the_next_step() {
    let find = json!({ "storage": storage(), "container": "apim-backups" });
    let outputs = permissions::foreseen(ActionKind::FindLatest, find.as_object().unwrap());
    let restore = json!({ "service": standby(), "backup": outputs["backup"], "access": "system-assigned-identity" });
    let needed = permissions::needed(ActionKind::Restore, restore.as_object().unwrap());
    assert!(listed(&needed).contains(&(
        storage().to_ascii_lowercase(),
        "microsoft.storage/storageaccounts/blobservices/containers/blobs/read".to_owned()
    )));
    let open = json!({ "storage": "${{ params.storage }}", "container": "x" });
    assert_eq!(permissions::foreseen(ActionKind::FindLatest, open.as_object().unwrap()), Map::new());
}
