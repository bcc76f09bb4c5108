//! An API Management service as the resource manager shows it, explicit nulls included.

use serde_json::{Value, json};

use super::{
    apim::KIND,
    condition::Gateway,
    exchange::Desk,
    scenario::{Identity, Service, VirtualNetwork},
    state::{ServiceState, compact},
};

/// The resource.
pub(super) fn service_json(desk: &Desk<'_>, name: &str) -> Value {
    let service = &desk.state.services[name];
    let spec = &service.spec;
    let condition = &spec.condition;
    let named = condition.gateway != Gateway::Unnamed;
    let principal = principal(desk, name);
    let id = format!(
        "/subscriptions/{}/resourceGroups/{}/providers/{KIND}/{}",
        desk.scenario.subscription, spec.group, spec.name
    );
    let address = if desk.state.listening.is_some() { "127.0.0.1".to_owned() } else { service.address.to_string() };
    let system = matches!(spec.identity, Identity::SystemAssigned | Identity::Both);
    let user = matches!(spec.identity, Identity::UserAssigned | Identity::Both);
    let identity = match (system, user) {
        (false, false) => Value::Null,
        (true, false) => {
            json!({ "type": "SystemAssigned", "principalId": principal, "tenantId": desk.scenario.tenant })
        }
        (false, true) => json!({ "type": "UserAssigned", "userAssignedIdentities": user_identities(&id, principal) }),
        (true, true) => json!({
            "type": "SystemAssigned, UserAssigned", "principalId": principal, "tenantId": desk.scenario.tenant,
            "userAssignedIdentities": user_identities(&id, principal),
        }),
    };
    json!({
        "id": id,
        "name": spec.name,
        "type": KIND,
        "tags": {},
        "location": spec.location,
        "etag": service.etag(),
        "properties": {
            "publisherEmail": "api@contoso.com",
            "publisherName": "Contoso",
            "notificationSenderEmail": "apimgmt-noreply@mail.windowsazure.com",
            "provisioningState": service.provisioning_state,
            "targetProvisioningState": service.target_state,
            "createdAtUtc": "2023-07-20T21:12:41.4871052Z",
            "gatewayUrl": named.then(|| desk.gateway_url(name, &service.gateway_host())),
            "gatewayRegionalUrl": named.then(|| desk.gateway_url(name, &service.regional_host())),
            "portalUrl": null,
            "developerPortalUrl": format!("https://{name}.developer.azure-api.net"),
            "managementApiUrl": format!("https://{name}.management.azure-api.net"),
            "scmUrl": format!("https://{name}.scm.azure-api.net"),
            "hostnameConfigurations": hostnames(desk, service),
            "publicIPAddresses": [address],
            "privateIPAddresses": null,
            "additionalLocations": null,
            "virtualNetworkConfiguration": subnet(spec, &id),
            "customProperties": spec.custom_properties,
            "virtualNetworkType": match spec.virtual_network {
                VirtualNetwork::None => "None",
                VirtualNetwork::External => "External",
                VirtualNetwork::Internal => "Internal",
            },
            "certificates": authorities(desk, spec),
            "disableGateway": false,
            "natGatewayState": "Disabled",
            "outboundPublicIPAddresses": [address],
            "apiVersionConstraint": { "minApiVersion": condition.min_api_version },
            "publicIpAddressId": null,
            "publicNetworkAccess": "Enabled",
            "privateEndpointConnections": null,
            "platformVersion": condition.platform,
            "legacyPortalStatus": "Disabled",
            "developerPortalStatus": "Enabled",
        },
        "sku": { "name": (!spec.tier.is_empty()).then_some(&spec.tier), "capacity": spec.capacity },
        "identity": identity,
        "zones": null,
    })
}

/// Of the identities of a service, by its name in lower case.
pub(super) fn principal(desk: &Desk<'_>, name: &str) -> &'static str {
    if desk.scenario.active.name.eq_ignore_ascii_case(name) {
        "00000000-0000-0000-0000-0000000000a1"
    } else {
        "00000000-0000-0000-0000-0000000000a2"
    }
}

fn user_identities(service: &str, principal: &str) -> Value {
    let group = service.split("/providers/").next().unwrap_or_default();
    let id = format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-apim");
    json!({ id: { "principalId": principal, "clientId": "00000000-0000-0000-0000-0000000000c1" } })
}

/// Custom hostnames, and the service's own, which comes first as in Azure.
fn hostnames(desk: &Desk<'_>, service: &ServiceState) -> Vec<Value> {
    let mut all = vec![json!({
        "type": "Proxy", "hostName": service.gateway_host(), "encodedCertificate": null, "keyVaultId": null,
        "certificatePassword": null, "negotiateClientCertificate": false, "certificate": null,
        "defaultSslBinding": service.spec.hostnames.is_empty(), "identityClientId": null,
        "certificateSource": "BuiltIn", "certificateStatus": null,
    })];
    all.extend(service.spec.hostnames.iter().map(|host| {
        let certificate = &super::gateway::custom(desk.authority, service, host).shown;
        json!({
            "type": "Proxy", "hostName": host, "encodedCertificate": null, "keyVaultId": null,
            "certificatePassword": null, "negotiateClientCertificate": false,
            "certificate": {
                "expiry": certificate.not_after.to_string(),
                "thumbprint": certificate.thumbprint,
                "subject": certificate.subject,
            },
            "defaultSslBinding": true, "identityClientId": null,
            "certificateSource": "Custom", "certificateStatus": service.spec.condition.certificate_status,
        })
    }));
    let portals = service.spec.condition.portals.iter();
    all.extend(portals.map(|(kind, host)| {
        let certificate = &super::gateway::custom(desk.authority, service, host).shown;
        json!({
            "type": kind, "hostName": host, "encodedCertificate": null, "keyVaultId": null,
            "certificatePassword": null, "negotiateClientCertificate": false,
            "certificate": {
                "expiry": certificate.not_after.to_string(),
                "thumbprint": certificate.thumbprint,
                "subject": certificate.subject,
            },
            "defaultSslBinding": false, "identityClientId": null,
            "certificateSource": "Custom", "certificateStatus": "Completed",
        })
    }));
    all
}

/// Where it stands in a network, when it does.
fn subnet(spec: &Service, id: &str) -> Value {
    if spec.virtual_network == VirtualNetwork::None {
        return Value::Null;
    }
    let group = id.split("/providers/").next().unwrap_or_default();
    let network = format!("vnet-{}", compact(&spec.location));
    json!({
        "vnetid": "00000000-0000-0000-0000-000000000000",
        "subnetname": null,
        "subnetResourceId": format!("{group}/providers/Microsoft.Network/virtualNetworks/{network}/subnets/apim"),
    })
}

/// Certificates of authorities that it trusts; they last as long as those of its hostnames.
fn authorities(desk: &Desk<'_>, spec: &Service) -> Value {
    if spec.ca_certificates.is_empty() {
        return Value::Null;
    }
    let expiry = desk.state.started.checked_add(spec.certificate_validity).unwrap_or(jiff::Timestamp::MAX);
    let shown = spec.ca_certificates.iter().map(|subject| {
        json!({
            "encodedCertificate": null, "certificatePassword": null, "storeName": "Root",
            "certificate": {
                "expiry": expiry.to_string(),
                // Authorities of the same name are the same.
                "thumbprint": crate::net::thumbprint(subject.as_bytes()),
                "subject": subject,
            },
        })
    });
    shown.collect()
}
