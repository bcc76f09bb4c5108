//! `lifeboat rbac`: the definition is data, the commands are ready, and what is not known is named.

use std::collections::BTreeSet;

use super::*;

fn texts<'a>(definition: &'a Value, key: &str) -> Vec<&'a str> {
    definition[key].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

const GROUPS: [&str; 4] = ["rg-apim-east", "rg-apim-west", "rg-dns", "rg-dr"];

#[test]
fn the_definition_is_what_az_takes_and_needs_what_the_steps_send() {
    let place = Place::new();
    let output =
        place.lifeboat(&["rbac", FLAGSHIP, "--simulate", "--request-log", "requests.jsonl", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", story(&output));
    let definition: Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys: BTreeSet<&str> = definition.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        BTreeSet::from([
            "Name",
            "IsCustom",
            "Description",
            "Actions",
            "NotActions",
            "DataActions",
            "NotDataActions",
            "AssignableScopes",
        ])
    );
    insta::assert_json_snapshot!(definition);
    let scopes = texts(&definition, "AssignableScopes");
    assert_eq!(scopes.iter().map(|scope| scope.rsplit('/').next().unwrap()).collect::<Vec<_>>(), GROUPS);
    // The story is on stderr: the service's identity is known, since Azure could be asked, and only reads were sent.
    let story = story(&output);
    assert!(story.contains("--assignee-object-id 00000000-0000-0000-0000-0000000000a2 --assignee-principal-type ServicePrincipal --role \"Storage Blob Data Contributor\" --scope /subscriptions/"), "{story}");
    assert_eq!(story.matches("--role \"lifeboat apim-failover\"").count(), GROUPS.len(), "{story}");
    assert_eq!(place.methods(), ["GET"]);
    assert!(place.is_untouched());
}

#[test]
fn a_mode_leaves_out_what_only_other_modes_need() {
    let place = Place::new();
    let actions = |more: &[&str]| {
        let mut arguments = vec!["rbac", FLAGSHIP, "--simulate", "--output", "json"];
        arguments.extend(more);
        let definition: Value = serde_json::from_slice(&place.lifeboat(&arguments).stdout).unwrap();
        texts(&definition, "Actions").into_iter().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let (all, drill, ready) =
        (actions(&[]), actions(&["--mode", "drill"]), actions(&["--mode", "drill", "--readiness"]));
    let only = |more: &BTreeSet<String>, less: &BTreeSet<String>| more.difference(less).cloned().collect::<Vec<_>>();
    // A drill neither confirms an outage nor takes a backup.
    let left_out = only(&all, &drill);
    for action in ["ResourceHealth/availabilityStatuses/read", "ApiManagement/service/backup/action"] {
        assert!(left_out.contains(&format!("Microsoft.{action}")), "{left_out:?}");
    }
    assert_eq!(only(&drill, &all), Vec::<String>::new());
    assert!(only(&ready, &drill).contains(&"Microsoft.Authorization/locks/read".to_owned()));
}

#[test]
fn without_azure_the_definition_is_the_same_and_a_placeholder_is_named() {
    let place = Place::new();
    let id = |kind: &str, name: &str| format!("/subscriptions/s/resourceGroups/rg-{name}/providers/{kind}/{name}");
    let values = [
        ("active", id("Microsoft.ApiManagement/service", "west")),
        ("standby", id("Microsoft.ApiManagement/service", "east")),
        ("storage", id("Microsoft.Storage/storageAccounts", "stdr")),
        ("zone", id("Microsoft.Network/dnsZones", "contoso.com")),
        ("record", "api".to_owned()),
    ];
    let parameters: String = values.iter().map(|(name, value)| format!("  {name}: {value}\n")).collect();
    let credential = "credential: { token: { env: LIFEBOAT_TEST_NO_SUCH_TOKEN } }";
    let site = place.write("site.yaml", format!("version: 1\n{credential}\nparameters:\n{parameters}"));
    let with_site = place.lifeboat(&["rbac", FLAGSHIP, "--site", &site]);
    assert_eq!(with_site.status.code(), Some(0), "{}", story(&with_site));
    let text = out(&with_site);
    let placeholder = "--assignee-object-id \"<principal id of the system-assigned identity of east>\"";
    for said in [
        "Microsoft.ApiManagement/service/restore/action\n    restore          starts the restore (east)",
        "the access token is not in the environment",
        placeholder,
        &format!("lifeboat rbac {FLAGSHIP} --site {site} --output json > role.json"),
        "az role definition create --role-definition @role.json",
    ] {
        assert!(text.contains(said), "`{said}` is missing in:\n{text}");
    }

    let mut arguments: Vec<String> = ["rbac", FLAGSHIP, "--output", "json"].map(str::to_owned).to_vec();
    for (name, value) in &values {
        arguments.extend(["--set".to_owned(), format!("{name}={value}")]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let without_site = place.lifeboat(&arguments);
    let definition: Value = serde_json::from_slice(&without_site.stdout).unwrap();
    assert!(text.contains(&serde_json::to_string_pretty(&definition).unwrap()), "{text}");
    assert!(story(&without_site).contains("no site was given to ask"));
    assert!(story(&without_site).contains(placeholder));
}

#[test]
fn what_only_a_run_can_tell_is_named_and_missing_values_are_problems() {
    let place = Place::new();
    let output = place.lifeboat(&["rbac", FLAGSHIP]);
    assert_refused(&place, &output, 3, &["active", "standby", "zone"]);

    let zone = "/subscriptions/s/resourceGroups/rg-dns/providers/Microsoft.Network/dnsZones/contoso.com";
    let path = place.write(
        "open.yaml",
        format!(
            "version: 1\nname: open\nsteps:\n  - {{ id: where, do: {{ command: {{ argv: [where], read_only: true }} }} }}\n  \
             - {{ id: propagated, do: {{ dns.verify-propagation: {{ zone: {zone}, record: api, target: a.contoso.com }} }} }}\n  \
             - {{ id: healthy, needs: [where], do: {{ gateway.health-check: {{ service: \"${{{{ steps.where.stdout }}}}\", hostname: api.contoso.com }} }} }}\n"
        ),
    );
    let text = out(&place.lifeboat(&["rbac", &path]));
    assert!(text.contains("Microsoft.ApiManagement/service/read"), "{text}");
    assert!(text.contains("`service` of the step healthy is `${{ steps.where.stdout }}`"), "{text}");

    let path = place.write("still.yaml", format!("{HEAD}  - {{ id: a, do: {{ wait: {{ duration: 1s }} }} }}\n"));
    let text = out(&place.lifeboat(&["rbac", &path]));
    assert!(text.contains("nothing: no step of this runbook asks Azure for anything"), "{text}");
}
