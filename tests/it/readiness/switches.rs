//! One step for each code of the other switches of traffic.

const GROUP: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups";

/// A step that makes the code appear in the row's scenario; none: the code is not one of a switch.
pub fn step(code: &str) -> Option<String> {
    let east = |what: &str| format!("{{ name: east, type: external, {what} }}");
    let west = |what: &str| format!("{{ name: west, type: external, {what} }}");
    let endpoints = match code {
        "profile-not-found" => return Some(set_endpoints("absent", &east("weight: 5"))),
        "record-auto-registered" => {
            let zone = format!("{GROUP}/rg-network/providers/Microsoft.Network/privateDnsZones/contoso.internal");
            return Some(switch(&format!(
                "private-dns.flip-cname: {{ zone: {zone}, record: api, target: x.example.net }}"
            )));
        }
        "origin-not-found" => {
            let profile = format!("{GROUP}/rg-traffic/providers/Microsoft.Cdn/profiles/afd-contoso");
            let origins = "origin_group: apim, origins: [{ name: north, enabled: true }]";
            return Some(switch(&format!("front-door.set-origin: {{ profile: {profile}, {origins} }}")));
        }
        "endpoint-not-found" => "{ name: north, type: external, weight: 5 }".to_owned(),
        "endpoint-type" => "{ name: east, type: azure, weight: 5 }".to_owned(),
        "nothing-to-set" => "{ name: east, type: external }".to_owned(),
        "named-twice" => format!("{}, {}", east("weight: 5"), east("weight: 6")),
        "nothing-enabled" => west("status: disabled"),
        "nothing-enabled-between" => format!("{}, {}", west("status: disabled"), east("status: enabled")),
        "priority-taken" => east("priority: 1"),
        "priority-missing" => east("priority: 5"),
        "endpoint-unprobed" => east("status: enabled"),
        "endpoint-unhealthy" | "profile-disabled" => east("weight: 5"),
        _ => return None,
    };
    Some(set_endpoints("tm-contoso-api", &endpoints))
}

fn set_endpoints(profile: &str, endpoints: &str) -> String {
    let profile = format!("{GROUP}/rg-traffic/providers/Microsoft.Network/trafficManagerProfiles/{profile}");
    switch(&format!("traffic-manager.set-endpoints: {{ profile: {profile}, endpoints: [{endpoints}] }}"))
}

fn switch(action: &str) -> String {
    format!("  - id: switch\n    modes: [unplanned]\n    do: {{ {action} }}\n")
}
